// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether there is a camera, from `/sys/class/video4linux`.

use zbus::wire::Variant;

use super::system::System;
use super::{Found, Probe, found};

/// The event `camera` of catalog/metrics/EVENTS.md; its payload is not read.
pub(super) const PROBE: Probe = Probe { event: 0x6968_1bc8_acaf_5bbc_9f09_37b6_c07c_b9f2_u128.to_be_bytes(), look };

fn look(system: System<'_>) -> Found {
    let names = system.names("sys/class/video4linux").into_iter();
    let is =
        names.filter_map(|node| system.line(&format!("sys/class/video4linux/{node}/name"))).any(|name| sees(&name));
    found(is.then(|| Variant::from(true)))
}

/// Codecs, image processors and loopbacks are video devices too, but see nothing.
fn sees(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !["codec", "isp", "vpu", "-dec", "-enc", "m2m", "dummy", "loopback", "jpeg"].iter().any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_codec_is_no_camera() {
        assert!(sees("Integrated Camera: Integrated C") && sees("UVC Camera (046d:0825)") && sees("unicam-image"));
        assert!(sees("ConferenceCam: Video Conference"));
        assert!(!sees("bcm2835-codec-decode") && !sees("bcm2835-isp-output0") && !sees("hantro-vpu-enc"));
    }
}

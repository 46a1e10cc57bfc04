// SPDX-License-Identifier: MIT OR Apache-2.0
//! The trusted platform module's version, from `/sys/class/tpm/tpm0/tpm_version_major`.

use zbus::wire::Variant;

use super::system::System;
use super::{Found, Probe, found};

/// The event `tpm` of catalog/metrics/EVENTS.md.
pub(super) const PROBE: Probe = Probe { event: 0x16e9_2131_6393_50ed_a4c3_d5c5_8677_bd39_u128.to_be_bytes(), look };

fn look(system: System<'_>) -> Found {
    let version = system.line("sys/class/tpm/tpm0/tpm_version_major");
    found(system.has("sys/class").then(|| Variant::from(name(version.as_deref()))))
}

fn name(major: Option<&str>) -> &'static str {
    match major {
        Some("1") => "1.2",
        Some("2") => "2.0",
        Some(_) => "unknown",
        None => "absent",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_tells() {
        assert_eq!([Some("2"), Some("1"), Some("3"), None].map(name), ["2.0", "1.2", "unknown", "absent"]);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The display manager, from the link `/etc/systemd/system/display-manager.service`.

use std::path::Path;

use zbus::wire::Variant;

use super::system::System;
use super::{Found, Probe, found};

/// The event `display-manager` of catalog/metrics/EVENTS.md.
pub(super) const PROBE: Probe = Probe { event: 0xfa76_6be5_d0da_58f5_896f_1ff5_8bc2_9521_u128.to_be_bytes(), look };

fn look(system: System<'_>) -> Found {
    const UNITS: &str = "etc/systemd/system";
    let link = std::fs::read_link(system.path(&format!("{UNITS}/display-manager.service"))).ok();
    found(system.has(UNITS).then(|| Variant::from(link.as_deref().map_or("absent", name).to_owned())))
}

/// The unit that the link leads to, without its ending.
fn name(unit: &Path) -> &str {
    unit.file_stem().and_then(|name| name.to_str()).unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_names_the_unit() {
        assert_eq!(name(Path::new("/usr/lib/systemd/system/gdm.service")), "gdm");
        assert_eq!(name(Path::new("/")), "unknown");
    }
}

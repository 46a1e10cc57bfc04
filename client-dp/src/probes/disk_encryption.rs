// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether a disk is encrypted with LUKS, from the device mapper's ids in `/sys/block/dm-*/dm/uuid`.

use zbus::wire::Variant;

use super::system::System;
use super::{Found, Probe, found};

/// The event `disk-encryption` of catalog/metrics/EVENTS.md; its payload is not read.
pub(super) const PROBE: Probe = Probe { event: 0x1d0d_1145_1ea2_5f82_8e88_5ee1_9416_1580_u128.to_be_bytes(), look };

fn look(system: System<'_>) -> Found {
    let maps = system.names("sys/block").into_iter().filter(|name| name.starts_with("dm-"));
    let is = maps.filter_map(|map| system.line(&format!("sys/block/{map}/dm/uuid"))).any(|id| is_luks(&id));
    found(is.then(|| Variant::from(true)))
}

/// cryptsetup begins an id with the kind; `CRYPT-PLAIN` is swap under a key that is thrown away.
fn is_luks(id: &str) -> bool {
    id.starts_with("CRYPT-LUKS1-") || id.starts_with("CRYPT-LUKS2-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_luks_counts() {
        assert!(is_luks("CRYPT-LUKS2-5f3c0d6e0f1b4c0aa8a2d0b2a6f0c111-luks-5f3c0d6e"));
        assert!(!is_luks("CRYPT-PLAIN-swap") && !is_luks("LVM-h2kQzroot"));
    }
}

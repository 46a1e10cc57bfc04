// SPDX-License-Identifier: MIT OR Apache-2.0
//! The kinds of disks, from `/sys/block`.

use std::collections::BTreeSet;

use zbus::wire::Variant;

use super::system::System;
use super::{Found, Probe, found};

/// The event `storage` of catalog/metrics/EVENTS.md.
pub(super) const PROBE: Probe = Probe { event: 0x7556_e408_da94_568b_a21c_c098_4c14_36f5_u128.to_be_bytes(), look };

fn look(system: System<'_>) -> Found {
    let attribute = |disk: &str, name: &str| system.line(&format!("sys/block/{disk}/{name}")).unwrap_or_default();
    let disks = system
        .names("sys/block")
        .into_iter()
        .filter(|disk| attribute(disk, "size") != "0" && attribute(disk, "removable") != "1");
    let kinds: BTreeSet<&str> = disks
        .filter_map(|disk| kind(&disk, &attribute(&disk, "queue/rotational"), &attribute(&disk, "device/vendor")))
        .collect();
    found((!kinds.is_empty()).then(|| Variant::from(kinds.into_iter().collect::<Vec<_>>().join(" + "))))
}

/// A disk's kind by its name, whether it rotates, and the vendor that a SCSI disk states; `None` for what is no disk of its own.
fn kind(name: &str, rotational: &str, vendor: &str) -> Option<&'static str> {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    if starts(&["nvme"]) {
        return Some("NVMe");
    }
    if starts(&["mmcblk"]) {
        // The boot and replay-protected areas are parts of the same chip.
        return (!name.contains("boot") && !name.contains("rpmb")).then_some("Flash card");
    }
    if starts(&["vd", "xvd"]) {
        return Some("Virtual");
    }
    match (starts(&["sd"]), vendor, rotational) {
        (true, "QEMU" | "VMware," | "VMware" | "VBOX" | "Msft", _) => Some("Virtual"),
        (true, _, "0") => Some("SSD"),
        (true, _, "1") => Some("Hard disk"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_told_from_what_stands_on_them() {
        assert_eq!(kind("nvme0n1", "0", ""), Some("NVMe"));
        assert_eq!(kind("sda", "1", "ATA"), Some("Hard disk"));
        assert_eq!(kind("sdb", "0", "ATA"), Some("SSD"));
        assert_eq!(kind("sda", "1", "QEMU"), Some("Virtual"));
        assert_eq!(kind("vda", "1", ""), Some("Virtual"));
        assert_eq!(kind("mmcblk0", "0", ""), Some("Flash card"));
        for no_disk in ["mmcblk0boot0", "dm-0", "loop3", "zram0", "sr0", "md127"] {
            assert_eq!(kind(no_disk, "0", ""), None, "{no_disk}");
        }
    }
}

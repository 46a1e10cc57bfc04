// SPDX-License-Identifier: MIT OR Apache-2.0
//! The root filesystem's type, from `/proc/self/mountinfo` (proc_pid_mountinfo(5)).

use zbus::wire::Variant;

use super::{Probe, found};

/// The event `root-filesystem` of catalog/metrics/EVENTS.md.
pub(super) const PROBE: Probe = Probe {
    event: 0xfbd7_ed58_b8e1_54a7_bb45_0962_0007_679f_u128.to_be_bytes(),
    look: |system| found(system.text("proc/self/mountinfo").as_deref().and_then(read)),
};

/// The type of the last mount on `/`, which hides the earlier ones.
fn read(mountinfo: &str) -> Option<Variant<'static>> {
    mountinfo.lines().filter_map(root_type).next_back().map(|kind| Variant::from(kind.to_owned()))
}

/// The fields are: id, parent, device, root, mount point, options, optional fields, `-`, type, source, options.
fn root_type(line: &str) -> Option<&str> {
    let (before, after) = line.split_once(" - ")?;
    (before.split(' ').nth(4)? == "/").then(|| after.split(' ').next())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mount_that_is_seen_counts() {
        let fedora = "66 1 0:29 /root / rw,relatime shared:1 - btrfs /dev/nvme0n1p3 rw,compress=zstd:1,subvol=/root\n\
                      36 66 0:21 / /proc rw,nosuid shared:12 - proc proc rw\n";
        let live =
            "1 1 0:2 / / rw - rootfs rootfs rw\n29 1 0:26 / / rw shared:1 - overlay LiveOS_rootfs rw,lowerdir=/a\n";
        assert_eq!(read(fedora), Some(Variant::from("btrfs")));
        assert_eq!(read(live), Some(Variant::from("overlay")));
        assert_eq!(read("nonsense"), None);
    }
}

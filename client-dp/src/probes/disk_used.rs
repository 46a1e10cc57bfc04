// SPDX-License-Identifier: MIT OR Apache-2.0
//! How full the disk is on which `/var` lies, from statvfs(3). On image-based systems `/` itself is full by construction.

use rustix::fs::{StatVfs, statvfs};
use zbus::wire::Variant;

use super::system::{System, percent};
use super::{Found, Probe, found};

/// The event `disk-used` of catalog/metrics/EVENTS.md.
pub(super) const PROBE: Probe = Probe { event: 0x0dea_e53a_efc4_56b4_a7be_e07a_4b93_c079_u128.to_be_bytes(), look };

fn look(system: System<'_>) -> Found {
    let Ok(StatVfs { f_blocks, f_bfree, f_bavail, .. }) = statvfs(system.path("var")) else { return Vec::new() };
    found(used(f_blocks, f_bfree, f_bavail).map(Variant::from))
}

/// Percent of the blocks that users may have, as df(1) counts: what is reserved for root is neither used nor free.
fn used(blocks: u64, free: u64, available: u64) -> Option<u32> {
    let used = blocks.saturating_sub(free);
    percent(used, used.saturating_add(available))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_blocks_do_not_count() {
        assert_eq!(used(1000, 500, 450), Some(52));
        assert_eq!(used(1000, 50, 0), Some(100));
        assert_eq!(used(0, 0, 0), None);
    }
}

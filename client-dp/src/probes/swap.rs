// SPDX-License-Identifier: MIT OR Apache-2.0
//! What kind of swap space there is, from `/proc/swaps`, and how full it is, from `/proc/meminfo`.

use std::collections::BTreeSet;

use zbus::wire::Variant;

use super::ram::kibibytes;
use super::system::percent;
use super::{Probe, found};

/// The event `swap-kind` of catalog/metrics/EVENTS.md.
pub(super) const KIND: Probe = Probe {
    event: 0x04dc_d61d_53db_5a43_a984_b4df_0364_27fa_u128.to_be_bytes(),
    look: |system| found(system.text("proc/swaps").map(|swaps| Variant::from(kind(&swaps)))),
};
/// The event `swap-used` of catalog/metrics/EVENTS.md.
pub(super) const USED: Probe = Probe {
    event: 0xc06f_1c1e_0b88_5a1e_a378_a848_95d3_cb91_u128.to_be_bytes(),
    look: |system| found(system.text("proc/meminfo").and_then(|text| used(&text)).map(Variant::from)),
};

/// The kinds, each once, in the order of the alphabet (proc_swaps(5): file name, type, size, used, priority).
fn kind(swaps: &str) -> String {
    let kinds: BTreeSet<&str> = swaps
        .lines()
        .skip(1)
        .filter_map(|line| {
            let mut columns = line.split_whitespace();
            let (name, kind) = (columns.next()?, columns.next()?);
            Some(if name.starts_with("/dev/zram") { "zram" } else { kind })
        })
        .collect();
    if kinds.is_empty() { "absent".to_owned() } else { kinds.into_iter().collect::<Vec<_>>().join(" + ") }
}

/// Percent of the swap space in use; `None` where there is none.
fn used(meminfo: &str) -> Option<u32> {
    let (total, free) = (kibibytes(meminfo, "SwapTotal")?, kibibytes(meminfo, "SwapFree")?);
    percent(total.saturating_sub(free), total)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

    #[test]
    fn kinds_are_told_by_name_and_type() {
        assert_eq!(kind(HEAD), "absent");
        let (zram, disk) = ("/dev/zram0 partition 8388604 0 100\n", "/dev/dm-1 partition 8388604 512 -2\n");
        assert_eq!(kind(&format!("{HEAD}{zram}")), "zram");
        assert_eq!(kind(&format!("{HEAD}{zram}{disk}")), "partition + zram");
        assert_eq!(kind(&format!("{HEAD}/swapfile file 2097148 0 -2\n")), "file");
    }

    #[test]
    fn no_swap_is_not_empty_swap() {
        assert_eq!(used("SwapTotal:       8388604 kB\nSwapFree:        6291453 kB\n"), Some(25));
        assert_eq!(used("SwapTotal:             0 kB\nSwapFree:              0 kB\n"), None);
    }
}

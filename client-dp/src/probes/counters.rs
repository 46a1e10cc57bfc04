// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the kernel and systemd count since the start of the system: each is a number that grows, of which
//! [`super::boot`] records the growth.

use super::system::System;

/// A counter: the event that each unit is, its name in the boot's record, and how it reads.
pub(super) struct Counter {
    pub event: [u8; 16],
    pub name: &'static str,
    pub count: fn(System<'_>) -> Option<u64>,
}

/// The events of catalog/metrics/EVENTS.md that are counted.
pub(super) const COUNTERS: [Counter; 4] = [
    Counter {
        event: 0xf9c9_ca45_84f7_5f01_b6ab_02c8_8a07_5bf3_u128.to_be_bytes(),
        name: "oom-kill",
        count: |system| kills(&system.text("proc/vmstat")?),
    },
    Counter {
        event: 0xed57_b607_4a56_47f1_b1e4_5dc3_e743_35ec_u128.to_be_bytes(),
        name: "app-crash",
        count: |system| Some(dumps(&system.names("var/lib/systemd/coredump"), &super::boot::id(system)?)),
    },
    Counter {
        event: 0x9942_923f_b6fd_5206_a77b_ee21_db28_0f81_u128.to_be_bytes(),
        name: "suspend-failure",
        count: |system| system.line("sys/power/suspend_stats/fail")?.parse().ok(),
    },
    Counter {
        event: 0x2caf_dcb4_08f5_5bce_bf26_1fa4_e168_3d1d_u128.to_be_bytes(),
        name: "kernel-warning",
        count: |system| Some(warnings(system.line("proc/sys/kernel/tainted")?.parse().ok()?)),
    },
];

/// Processes that the kernel killed for memory (`oom_kill` of `/proc/vmstat`).
fn kills(vmstat: &str) -> Option<u64> {
    vmstat.lines().find_map(|line| line.strip_prefix("oom_kill "))?.trim().parse().ok()
}

/// Core dumps of this start: systemd-coredump(8) names them `core.COMMAND.UID.BOOT.PID.TIME`, then perhaps an ending. Listing the
/// folder needs no rights and no program; the journal would need both. Dumps that are kept in the journal only are not seen.
fn dumps(names: &[String], boot: &str) -> u64 {
    let ours = names.iter().filter(|name| name.starts_with("core.") && name.split('.').any(|part| part == boot));
    u64::try_from(ours.count()).unwrap_or(u64::MAX)
}

/// Whether the kernel met a fault of its own (bit 7) or warned (bit 9): Documentation/admin-guide/tainted-kernels.rst.
fn warnings(tainted: u64) -> u64 {
    (tainted >> 7 & 1) + (tainted >> 9 & 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_as_the_kernel_writes_them() {
        assert_eq!(kills("nr_free_pages 1\noom_kill 3\ndrop_pagecache 0\n"), Some(3));
        assert_eq!(kills("nr_free_pages 1\n"), None);
        assert_eq!([0, 1 << 12, 1 << 9, 1 << 7 | 1 << 9 | 1].map(warnings), [0, 0, 1, 2]);
    }

    #[test]
    fn dumps_of_earlier_starts_do_not_count() {
        let boot = "5f3c0d6e0f1b4c0aa8a2d0b2a6f0c111";
        let names = [
            format!("core.Web\\x20Content.1000.{boot}.4242.1767225600000000.zst"),
            format!("core.my.program.1000.{boot}.77.1767225700000000"),
            "core.gjs.1000.00000000000000000000000000000000.1.1767225600000000.zst".to_owned(),
            "README".to_owned(),
        ];
        assert_eq!(dumps(&names, boot), 2);
    }
}

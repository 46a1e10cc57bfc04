// SPDX-License-Identifier: MIT OR Apache-2.0
//! Cores and hardware threads, from `/proc/cpuinfo`.

use std::collections::BTreeSet;

use zbus::wire::Variant;

use super::system::{System, fields};
use super::{Found, Probe, found};

/// The event `cpu-cores` of catalog/metrics/EVENTS.md.
pub(super) const CORES: Probe =
    Probe { event: 0xa27c_b563_8a4c_5e10_9fe8_e0c8_3708_baf2_u128.to_be_bytes(), look: |system| look(system, cores) };
/// The event `cpu-threads` of catalog/metrics/EVENTS.md.
pub(super) const THREADS: Probe =
    Probe { event: 0x7c59_b09f_f09c_5f90_a4ff_4b7e_6c7b_6f4c_u128.to_be_bytes(), look: |system| look(system, threads) };

fn look(system: System<'_>, count: fn(&str) -> u32) -> Found {
    let count = system.text("proc/cpuinfo").map_or(0, |cpuinfo| count(&cpuinfo));
    found((count > 0).then(|| Variant::from(count)))
}

fn threads(cpuinfo: &str) -> u32 {
    length(fields(cpuinfo, "processor"))
}

/// Different cores of different sockets. Where the kernel names none (ARM), every thread is a core.
fn cores(cpuinfo: &str) -> u32 {
    let named: BTreeSet<_> = fields(cpuinfo, "physical id").zip(fields(cpuinfo, "core id")).collect();
    if named.is_empty() { threads(cpuinfo) } else { length(named.into_iter()) }
}

fn length(items: impl Iterator) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_of_a_core_share_its_id_and_sockets_number_theirs_anew() {
        let thread = |n, socket, core| format!("processor\t: {n}\nphysical id\t: {socket}\ncore id\t\t: {core}\n\n");
        let two_sockets: String = (0..8).map(|n| thread(n, n / 4, n % 2)).collect();
        assert_eq!((cores(&two_sockets), threads(&two_sockets)), (4, 8));
    }

    #[test]
    fn arm_names_no_cores() {
        let board = "processor\t: 0\nCPU part\t: 0xd0b\n\nprocessor\t: 1\nCPU part\t: 0xd0b\n\nHardware\t: BCM2835\n";
        assert_eq!((cores(board), threads(board)), (2, 2));
        assert_eq!(cores(""), 0);
    }
}

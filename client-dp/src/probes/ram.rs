// SPDX-License-Identifier: MIT OR Apache-2.0
//! The usable memory in MiB, and how much of it is in use, from `/proc/meminfo`.

use zbus::wire::Variant;

use super::system::{System, field, percent};
use super::{Found, Probe, found};

/// The event `ram-mib` of catalog/metrics/EVENTS.md.
pub(super) const SIZE: Probe = Probe {
    event: 0xbe3d_2e70_11e6_54d5_86c6_bc5c_a932_ce24_u128.to_be_bytes(),
    look: |system| found(system.text("proc/meminfo").and_then(|text| mebibytes(&text)).map(Variant::from)),
};
/// The event `memory-used` of catalog/metrics/EVENTS.md.
pub(super) const USED: Probe =
    Probe { event: 0x04bc_06c0_72e0_5350_95a4_b609_a9ef_e004_u128.to_be_bytes(), look: used_now };

fn used_now(system: System<'_>) -> Found {
    found(system.text("proc/meminfo").and_then(|text| used(&text)).map(Variant::from))
}

fn mebibytes(meminfo: &str) -> Option<u64> {
    kibibytes(meminfo, "MemTotal").map(|size| size / 1024)
}

/// Percent of the memory that is not available to a new program (proc_meminfo(5), `MemAvailable`).
fn used(meminfo: &str) -> Option<u32> {
    let (total, available) = (kibibytes(meminfo, "MemTotal")?, kibibytes(meminfo, "MemAvailable")?);
    percent(total.saturating_sub(available), total)
}

/// A row such as `MemTotal:       15890332 kB`.
pub(super) fn kibibytes(meminfo: &str, name: &str) -> Option<u64> {
    field(meminfo, name)?.strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_16_gib_machine_has_less_than_16_gib_to_use() {
        let recorded = "MemTotal:       15890332 kB\nMemFree:         1203452 kB\nMemAvailable:    3972583 kB\n";
        assert_eq!(mebibytes(recorded), Some(15_517));
        assert_eq!(used(recorded), Some(75));
        assert_eq!(mebibytes("MemTotal: lots\n"), None);
    }
}

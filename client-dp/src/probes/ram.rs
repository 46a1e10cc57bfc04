// SPDX-License-Identifier: MIT OR Apache-2.0
//! The usable memory in MiB, from `/proc/meminfo`.

use zbus::wire::Variant;

use super::Probe;

/// The event `ram-mib` of catalog/metrics/EVENTS.md.
pub(super) const PROBE: Probe =
    Probe { event: 0xbe3d_2e70_11e6_54d5_86c6_bc5c_a932_ce24_u128.to_be_bytes(), file: "proc/meminfo", read };

fn read(meminfo: &str) -> Option<Variant<'static>> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(Variant::from(kibibytes / 1024))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_16_gib_machine_has_less_than_16_gib_to_use() {
        let recorded = "MemTotal:       15890332 kB\nMemFree:         1203452 kB\n";
        assert_eq!(read(recorded), Some(Variant::from(15_517_u64)));
        assert_eq!(read("MemTotal: lots\n"), None);
    }
}

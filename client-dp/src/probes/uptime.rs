// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whole days since the start, from `/proc/uptime` (proc_uptime(5)).

use zbus::wire::Variant;

use super::{Probe, found};

/// The event `uptime-days` of catalog/metrics/EVENTS.md.
pub(super) const PROBE: Probe = Probe {
    event: 0x0dec_73dc_74e6_51a7_b2ee_eaac_5fa1_fda6_u128.to_be_bytes(),
    look: |system| found(system.text("proc/uptime").and_then(|text| days(&text)).map(Variant::from)),
};

fn days(uptime: &str) -> Option<u64> {
    let seconds: u64 = uptime.split(['.', ' ']).next()?.parse().ok()?;
    Some(seconds / 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_counts_when_it_is_over() {
        assert_eq!(days("86399.99 170000.00\n"), Some(0));
        assert_eq!(days("864000.12 1234567.00\n"), Some(10));
        assert_eq!(days("soon\n"), None);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! How long tasks wait for memory or for disks, from `/proc/pressure` (Documentation/accounting/psi.rst): the share of the last
//! five minutes in which some task waited. The week keeps its maximum.

use zbus::wire::Variant;

use super::system::System;
use super::{Found, Probe, found};

/// The event `memory-pressure` of catalog/metrics/EVENTS.md.
pub(super) const MEMORY: Probe = Probe {
    event: 0xee89_a6e1_4fa8_5405_a99b_dffd_fcec_c865_u128.to_be_bytes(),
    look: |system| look(system, "memory"),
};
/// The event `io-pressure` of catalog/metrics/EVENTS.md.
pub(super) const IO: Probe =
    Probe { event: 0x022b_236f_5217_5325_977e_b399_4ef0_be05_u128.to_be_bytes(), look: |system| look(system, "io") };

fn look(system: System<'_>, resource: &str) -> Found {
    let text = system.text(&format!("proc/pressure/{resource}"));
    found(text.and_then(|text| some_of_five_minutes(&text)).map(Variant::from))
}

/// In hundredths of a percent, from 0 to 10,000.
fn some_of_five_minutes(pressure: &str) -> Option<u32> {
    let some = pressure.lines().find_map(|line| line.strip_prefix("some "))?;
    let (whole, hundredths) = some.split(' ').find_map(|part| part.strip_prefix("avg300="))?.split_once('.')?;
    let (whole, hundredths): (u32, u32) = (whole.parse().ok()?, hundredths.parse().ok()?);
    (whole <= 100 && hundredths < 100).then(|| (whole * 100 + hundredths).min(10_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_writes_two_decimals() {
        let text =
            "some avg10=0.12 avg60=1.00 avg300=12.05 total=163422\nfull avg10=0.00 avg60=0.00 avg300=3.40 total=1\n";
        assert_eq!(some_of_five_minutes(text), Some(1205));
        assert_eq!(some_of_five_minutes("some avg10=0.00 avg60=0.00 avg300=0.07 total=9\n"), Some(7));
        for bad in ["", "full avg300=1.00\n", "some avg300=lots\n", "some avg300=4294967295.00\n"] {
            assert_eq!(some_of_five_minutes(bad), None, "{bad}");
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many printers are set up, from the names in `/etc/cups/ppd`. CUPS itself is not asked: it may be asleep, or slow.

use zbus::wire::Variant;

use super::system::System;
use super::{Found, Probe, found};

/// The event `printers` of catalog/metrics/EVENTS.md.
pub(super) const PROBE: Probe = Probe { event: 0xe571_c905_de0e_526b_bb46_0df9_8d4d_11d0_u128.to_be_bytes(), look };

fn look(system: System<'_>) -> Found {
    found(system.has("etc").then(|| Variant::from(count(&system.names("etc/cups/ppd")))))
}

/// CUPS keeps the description that it replaced as `NAME.ppd.O`.
fn count(names: &[String]) -> u32 {
    let queues = names.iter().filter(|name| name.strip_suffix(".ppd").is_some_and(|queue| !queue.is_empty()));
    u32::try_from(queues.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_description_is_no_printer() {
        let names = ["Office.ppd", "Office.ppd.O", "Home-Laser.ppd", ".ppd"].map(str::to_owned);
        assert_eq!(count(&names), 2);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! What many workstations send amounts to the truth.

use std::sync::Arc;

use stipple_catalog::{Catalogue, Report};
use stipple_ldp::Debias;

use super::{EPOCH, METRICS, Rig, catalogue, start_of};

const WORKSTATIONS: u64 = 2000;
/// What one workstation in four, and so on, records.
const RECORDED: [Option<&str>; 8] = [
    Some("Crimson"),
    Some("scarlet"),
    Some("Emerald"),
    Some("Cobalt"),
    Some("Cobalt"),
    Some("Cobalt"),
    Some("ultraviolet"),
    None,
];
/// The shares that follow: Crimson, Emerald, Cobalt, other, none.
const SHARES: [f64; 5] = [0.25, 0.125, 0.375, 0.125, 0.125];

/// One workstation from its yes to its only report; returns the bytes.
fn report(catalogue: &Arc<Catalogue>, number: u64) -> [u8; 64] {
    let mut rig = Rig::with(catalogue.clone(), number);
    rig.clock.set(start_of(EPOCH.week(0)).saturating_sub(jiff::SignedDuration::from_hours(1)).unwrap());
    rig.enable().unwrap();
    rig.go_to(EPOCH.week(0));
    let slot = rig.slots().into_iter().find(|slot| slot.0 == EPOCH.index()).unwrap().2;
    rig.go_to(slot);
    if let Some(word) = RECORDED[usize::try_from(number).unwrap() % RECORDED.len()] {
        rig.record(1, word);
    }
    rig.go_to(slot.next());
    let due = rig.workstation.due().unwrap();
    assert_eq!(due.len(), 1);
    *due[0].bytes()
}

#[test]
fn randomised_reports_debias_to_the_truth() {
    let catalogue = catalogue(&METRICS[..1], 1.0);
    let definition = &catalogue.definitions()[0];
    let mut counts = vec![0_u32; definition.mechanism.cells()];
    for number in 0..WORKSTATIONS {
        let bytes = report(&catalogue, number);
        let report = Report::decode(&bytes, &catalogue).expect("the server can read what leaves");
        assert_eq!(report.definition.id, "settings.colour");
        report.definition.mechanism.accumulate(&report.response, |cell| counts[cell] += 1).unwrap();
    }
    let Debias::Shares(support) = definition.mechanism.debias() else { panic!("a dictionary has shares") };
    let n = WORKSTATIONS as f64;
    for (cell, truth) in SHARES.into_iter().enumerate() {
        let estimate = support.share(f64::from(counts[cell]) / n);
        let error = (support.variance(truth) / n).sqrt();
        assert!((estimate - truth).abs() < 5.0 * error, "cell {cell}: {estimate} for {truth}, one error is {error}");
        // The test would notice a mechanism that says nothing: five errors are less than the largest share.
        assert!(5.0 * error < 0.375);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes to the decoder of any mechanism: no panic, and what it accepts counts in cells that exist and encodes to
//! the same bytes. Then any counts to the estimator.

#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use stipple_ldp::{
    Bound, Collision, Debias, DomainSize, Epsilon, Mechanism, ProjectiveGeometry, RandomisedResponse, SubsetSelection,
    TruncatedGeometric,
};

#[derive(Arbitrary, Debug)]
struct Input {
    kind: Kind,
    domain: u32,
    bound: u8,
    micros: u32,
    payload: Vec<u8>,
    /// Counts of reports. Their sums are u64, which 2^32 reports in each cell cannot exceed.
    counts: Vec<u32>,
}

#[derive(Arbitrary, Debug)]
enum Kind {
    RandomisedResponse,
    SubsetSelection,
    ProjectiveGeometry,
    Collision,
    TruncatedGeometric,
}

fuzz_target!(|input: Input| {
    let Some(mechanism) = mechanism(&input) else { return };
    check(&mechanism, &input.payload);
    // Most lengths are refused at once: the right one gets further.
    let mut fitted = input.payload.clone();
    fitted.resize(mechanism.payload_len(), 0);
    check(&mechanism, &fitted);

    let counts: Vec<u64> = input.counts.iter().map(|&count| count.into()).collect();
    let supports = mechanism.support_counts(&counts);
    match mechanism.debias() {
        Debias::Shares(support) => {
            assert!(support.contrast() > 0.0);
            assert!(supports.iter().all(|&count| support.share(count as f64).is_finite()));
        }
        Debias::Mean { unbiased } => assert_eq!(unbiased.len(), mechanism.cells()),
    }
});

fn check(mechanism: &Mechanism, payload: &[u8]) {
    if let Ok(response) = mechanism.decode(payload) {
        assert_eq!(mechanism.encode(&response).as_deref(), Ok(payload));
        mechanism.accumulate(&response, |cell| assert!(cell < mechanism.cells())).unwrap();
    }
}

/// A mechanism with the input's parameters, wrapped into the ranges of their types and a little beyond, if they are
/// accepted. A large projective space is slow to search, not more likely to fail: its domain stays below 300.
fn mechanism(input: &Input) -> Option<Mechanism> {
    let sizes = if matches!(input.kind, Kind::ProjectiveGeometry) { 300 } else { 100_002 };
    let domain = DomainSize::try_from(u64::from(input.domain % sizes));
    let bound = Bound::try_from(u64::from(input.bound));
    let epsilon = Epsilon::from_micros(input.micros % 16_000_002).ok()?;
    let weights = epsilon.weights();
    Some(match input.kind {
        Kind::RandomisedResponse => Mechanism::RandomisedResponse(RandomisedResponse::new(domain.ok()?, weights)),
        Kind::SubsetSelection => Mechanism::SubsetSelection(SubsetSelection::new(domain.ok()?, weights).ok()?),
        Kind::ProjectiveGeometry => Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(domain.ok()?, weights).ok()?),
        Kind::Collision => Mechanism::Collision(Collision::new(domain.ok()?, bound.ok()?, epsilon).ok()?),
        Kind::TruncatedGeometric => Mechanism::TruncatedGeometric(TruncatedGeometric::new(bound.ok()?, epsilon).ok()?),
    })
}

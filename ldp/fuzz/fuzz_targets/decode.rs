// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes to the decoder of any mechanism: no panic, and what it accepts counts in cells that exist, encodes to the
//! same bytes, and adds up to cells that the estimators take. Then any counts to the estimators.

#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use stipple_ldp::postprocess::Stopping;
use stipple_ldp::{
    Bound, Collision, CountsError, Debias, DomainSize, Epsilon, HybridMean, Mechanism, OneBitMean, PrivSet,
    ProjectiveGeometry, RandomisedResponse, SquareWave, SubsetSelection, TruncatedGeometric,
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
    reports: u64,
}

#[derive(Arbitrary, Debug)]
enum Kind {
    RandomisedResponse,
    SubsetSelection,
    ProjectiveGeometry,
    Collision,
    PrivSet,
    OneBitMean,
    HybridMean,
    SquareWave,
    TruncatedGeometric,
}

/// Steps of expectation-maximisation.
const STEPS: u32 = 3;
/// Adding up and fitting more cells is slow, not more likely to fail.
const MOST_CELLS: usize = 5_000;

fuzz_target!(|input: Input| {
    let Some(mechanism) = mechanism(&input) else { return };
    check(&mechanism, &input.payload);
    // Most lengths are refused at once: the right one gets further.
    let mut fitted = input.payload.clone();
    fitted.resize(mechanism.payload_len(), 0);
    check(&mechanism, &fitted);

    let mut counts: Vec<u64> = input.counts.iter().map(|&count| count.into()).collect();
    let supports = mechanism.support_counts(&counts);
    match mechanism.debias() {
        Debias::Shares(support) => {
            assert!(support.contrast() > 0.0);
            assert!(supports.iter().all(|&count| support.share(count as f64).is_finite()));
        }
        Debias::Mean { unbiased } => assert_eq!(unbiased.len(), mechanism.cells()),
    }
    estimate(&mechanism, &counts, input.reports);
    if mechanism.cells() <= MOST_CELLS {
        accumulated(&mechanism, &input.payload);
        // So many cells that they may be accepted, with the number of reports that they would need.
        counts.resize(mechanism.cells(), 0);
        let sum: u64 = counts.iter().sum();
        estimate(&mechanism, &counts, sum / mechanism.cells_per_response().map_or(1, u64::from));
    }
});

fn check(mechanism: &Mechanism, payload: &[u8]) {
    if let Ok(response) = mechanism.decode(payload) {
        assert_eq!(mechanism.encode(&response).as_deref(), Ok(payload));
        mechanism.accumulate(&response, |cell| assert!(cell < mechanism.cells())).unwrap();
    }
}

/// Every response that decodes is one that an honest client can have sent, so the sum of any of them can be estimated.
fn accumulated(mechanism: &Mechanism, payloads: &[u8]) {
    let (mut cells, mut reports) = (vec![0; mechanism.cells()], 0);
    for response in payloads.chunks(mechanism.payload_len()).filter_map(|payload| mechanism.decode(payload).ok()) {
        mechanism.accumulate(&response, |cell| cells[cell] += 1).unwrap();
        reports += 1;
    }
    let accepted = estimate(mechanism, &cells, reports);
    assert!(accepted || reports == 0, "{mechanism} refuses its own reports");
}

/// Whether the counts were taken; then all that comes out is finite, and a fit is a distribution.
fn estimate(mechanism: &Mechanism, cells: &[u64], reports: u64) -> bool {
    let Ok(estimates) = mechanism.estimate(cells, reports) else { return false };
    assert!(estimates.iter().all(|estimate| estimate.is_finite()), "{mechanism}: {estimates:?}");
    if cells.len() > MOST_CELLS {
        return true;
    }
    match mechanism.fit(cells, reports, Stopping { steps: STEPS, ..Stopping::default() }) {
        Ok(fit) => {
            assert!(fit.steps <= STEPS && fit.log_likelihood.is_finite(), "{mechanism}: {fit:?}");
            assert_eq!(fit.shares.len(), mechanism.values());
            assert!(fit.shares.iter().all(|share| (0.0..=1.0 + 1e-9).contains(share)), "{mechanism}: {fit:?}");
            assert!((fit.shares.iter().sum::<f64>() - 1.0).abs() < 1e-6, "{mechanism}: {fit:?}");
        }
        Err(error) => assert_eq!(error, CountsError::NoMessages, "{mechanism}"),
    }
    true
}

/// A mechanism with the input's parameters, wrapped into the ranges of their types and a little beyond, if they are
/// accepted. A large projective space is slow to search, not more likely to fail: its domain stays below 300. The
/// domains of masks stay where most are accepted.
fn mechanism(input: &Input) -> Option<Mechanism> {
    let sizes = match input.kind {
        Kind::ProjectiveGeometry => 300,
        Kind::SubsetSelection | Kind::PrivSet => 68,
        _ => 100_002,
    };
    let domain = DomainSize::try_from(u64::from(input.domain % sizes));
    let bound = Bound::try_from(u64::from(input.bound));
    let epsilon = Epsilon::from_micros(input.micros % 16_000_002).ok()?;
    let weights = epsilon.weights();
    Some(match input.kind {
        Kind::RandomisedResponse => Mechanism::RandomisedResponse(RandomisedResponse::new(domain.ok()?, weights)),
        Kind::SubsetSelection => Mechanism::SubsetSelection(SubsetSelection::new(domain.ok()?, weights).ok()?),
        Kind::ProjectiveGeometry => Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(domain.ok()?, weights).ok()?),
        Kind::Collision => Mechanism::Collision(Collision::new(domain.ok()?, bound.ok()?, epsilon).ok()?),
        Kind::PrivSet => Mechanism::PrivSet(PrivSet::new(domain.ok()?, bound.ok()?, weights).ok()?),
        Kind::OneBitMean => Mechanism::OneBitMean(OneBitMean::new(bound.ok()?, weights)),
        Kind::HybridMean => Mechanism::HybridMean(HybridMean::new(bound.ok()?, epsilon)),
        Kind::SquareWave => Mechanism::SquareWave(SquareWave::new(bound.ok()?, epsilon)),
        Kind::TruncatedGeometric => Mechanism::TruncatedGeometric(TruncatedGeometric::new(bound.ok()?, epsilon).ok()?),
    })
}

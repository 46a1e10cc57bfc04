// SPDX-License-Identifier: MIT OR Apache-2.0
//! The Python peers as the oracle: their probabilities, variances and estimates, written by `benches/peers/vectors.py` from
//! pure-ldp 1.2.0 and multi-freq-ldpy 0.2.5 where these are right.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::research::longitudinal::{Calibration, Loloha, Longitudinal, LongitudinalGrr, LongitudinalUnary};
use crate::research::multidimensional::{MultiDimensional, Solution};
use crate::research::{
    BitVector, FrequencyOracle, HadamardResponse, HistogramEncoding, LocalHashing, OneBitHadamard, PureOracle,
    UnaryEncoding, WideSubsetSelection,
};
use crate::*;

const ONE_SHOT: &str = include_str!("../tests/vectors/one_shot.json");
const LONGITUDINAL: &str = include_str!("../tests/vectors/longitudinal.json");
const ATTRIBUTES: &str = include_str!("../tests/vectors/attributes.json");

/// Relative: our weights are rounded down to a multiple of `2^-32`, and the peers' probabilities to a double.
const ROUNDING: f64 = 1e-8;
/// The peers find THE's threshold to four decimals.
const THRESHOLD: f64 = 1e-4;

/// What one function of a peer answered. Cells are support counts where there are d of them.
#[derive(Debug, Deserialize)]
struct Record {
    protocol: String,
    peer: String,
    d: u64,
    /// of a report: epsilon_1 where there are two rounds
    epsilon: f64,
    epsilon_permanent: Option<f64>,
    p: Option<f64>,
    q: Option<f64>,
    p1: Option<f64>,
    q1: Option<f64>,
    p2: Option<f64>,
    q2: Option<f64>,
    n: Option<u32>,
    #[serde(default)]
    cells: Vec<f64>,
    #[serde(default)]
    estimates: Vec<f64>,
    #[serde(default)]
    reports: Vec<Json>,
    /// pairs of a share and n Var with the data fixed
    #[serde(default)]
    noise_variance: Vec<[f64; 2]>,
    /// pairs of a share and n Var with the senders a random sample
    #[serde(default)]
    variance: Vec<[f64; 2]>,
}

impl Record {
    fn domain(&self) -> DomainSize {
        DomainSize::try_from(self.d).unwrap()
    }

    fn epsilon(&self) -> Epsilon {
        Epsilon::try_from(self.epsilon).unwrap()
    }

    fn permanent(&self) -> Epsilon {
        Epsilon::try_from(self.epsilon_permanent.unwrap()).unwrap()
    }

    fn weights(&self) -> Weights {
        self.epsilon().weights()
    }

    /// The peer's own support: of one round, or of two with each bit or symbol randomised twice.
    fn support(&self) -> Option<Support> {
        if let (Some(p_true), Some(p_false)) = (self.p, self.q) {
            return Some(Support { p_true, p_false });
        }
        let twice = |p: f64| Some(p * self.p2? + (1.0 - p) * self.q2?);
        Some(Support { p_true: twice(self.p1?)?, p_false: twice(self.q1?)? })
    }

    fn assert_close(&self, what: &str, ours: f64, theirs: f64, tolerance: f64) {
        let Self { protocol, peer, d, epsilon, .. } = self;
        let close = (ours - theirs).abs() <= tolerance * theirs.abs().max(1e-3);
        assert!(close, "{what} of {protocol} (d = {d}, epsilon = {epsilon}): {ours}, but {peer} has {theirs}");
    }
}

fn records(json: &str) -> Vec<Record> {
    serde_json::from_str(json).unwrap()
}

/// A protocol, the relative tolerance of its constants, and our support for a record, or nothing where the mechanism does not
/// take its domain.
type Row = (&'static str, f64, fn(&Record) -> Option<Support>);

/// Every pure protocol of ours that has vectors: one line each.
const ROWS: [Row; 12] = [
    ("GRR", ROUNDING, |r| Some(RandomisedResponse::new(r.domain(), r.weights()).design.support())),
    ("SS", ROUNDING, |r| Some(SubsetSelection::new(r.domain(), r.weights()).ok()?.design.support())),
    ("SS", ROUNDING, |r| Some(WideSubsetSelection::new(r.domain(), r.epsilon()).support())),
    ("SUE", ROUNDING, |r| Some(UnaryEncoding::symmetric(r.domain(), r.epsilon()).support())),
    ("OUE", ROUNDING, |r| Some(UnaryEncoding::optimised(r.domain(), r.epsilon()).support())),
    ("THE", THRESHOLD, |r| Some(UnaryEncoding::thresholded(r.domain(), r.epsilon()).support())),
    ("BLH", ROUNDING, |r| Some(LocalHashing::binary(r.domain(), r.epsilon()).support())),
    ("OLH", ROUNDING, |r| Some(LocalHashing::optimised(r.domain(), r.epsilon()).support())),
    ("L-SUE", ROUNDING, |r| Some(LongitudinalUnary::sue(r.domain(), r.permanent(), r.epsilon()).ok()?.support())),
    ("L-OSUE", ROUNDING, |r| Some(LongitudinalUnary::osue(r.domain(), r.permanent(), r.epsilon()).ok()?.support())),
    ("L-GRR", ROUNDING, |r| {
        Some(LongitudinalGrr::new(r.domain(), r.permanent(), r.epsilon(), Calibration::Published).ok()?.support())
    }),
    ("L-OLH", ROUNDING, |r| {
        Some(Loloha::optimal(r.domain(), r.permanent(), r.epsilon(), Calibration::Published).ok()?.support())
    }),
];

#[test]
fn our_probabilities_are_the_peers() {
    let records: Vec<Record> = [ONE_SHOT, LONGITUDINAL].into_iter().flat_map(records).collect();
    for (protocol, tolerance, support) in ROWS {
        let mut compared = 0;
        for record in records.iter().filter(|r| r.protocol == protocol) {
            let (Some(ours), Some(theirs)) = (support(record), record.support()) else { continue };
            record.assert_close("p", ours.p_true, theirs.p_true, tolerance);
            record.assert_close("q", ours.p_false, theirs.p_false, tolerance);
            for &[share, theirs] in &record.noise_variance {
                record.assert_close("n Var", ours.noise_variance(share), theirs, tolerance);
            }
            compared += 1;
        }
        assert!(compared >= 6, "{protocol}: only {compared} records");
    }
}

#[test]
fn attributes_with_fakes_are_estimated_as_the_peers_do() {
    let records = records(ATTRIBUTES);
    let solutions = [
        ("RS+FD[GRR]", Solution::FakeGrr),
        ("RS+FD[OUE-z]", Solution::FakeOueZero),
        ("RS+FD[OUE-r]", Solution::FakeOueRandom),
    ];
    for (protocol, solution) in solutions {
        let of_protocol: Vec<&Record> = records.iter().filter(|r| r.protocol == protocol).collect();
        assert_eq!(of_protocol.len(), 8, "{protocol}: two attributes, four epsilons");
        for record in of_protocol {
            let ours = MultiDimensional::new(solution, &[record.domain(); 2], record.epsilon()).unwrap();
            for &[share, theirs] in &record.variance {
                record.assert_close("n Var", ours.variance(0, share).unwrap(), theirs, ROUNDING);
            }
            for (count, &theirs) in record.cells.iter().zip(&record.estimates) {
                let reported = count / f64::from(record.n.unwrap());
                record.assert_close("the estimate", ours.support(0).unwrap().share(reported), theirs, ROUNDING);
            }
        }
    }
}

#[test]
fn the_estimator_and_its_variances_are_the_peers() {
    let (mut estimates, mut variances) = (0, 0);
    for record in records(ONE_SHOT).iter().chain(&records(LONGITUDINAL)) {
        let Some(support) = record.support() else { continue };
        for &[share, theirs] in &record.noise_variance {
            record.assert_close("n Var", support.noise_variance(share), theirs, ROUNDING);
        }
        for &[share, theirs] in &record.variance {
            record.assert_close("n Var", support.variance(share), theirs, ROUNDING);
        }
        variances += record.noise_variance.len() + record.variance.len();
        let (Some(n), true) = (record.n, record.cells.len() == record.estimates.len()) else { continue };
        for (&count, &theirs) in record.cells.iter().zip(&record.estimates) {
            record.assert_close("the estimate", support.share(count / f64::from(n)), theirs, ROUNDING);
            estimates += 1;
        }
    }
    assert!(estimates > 500 && variances > 150, "{estimates} estimates, {variances} variances");
}

/// A report of a peer as ours: a symbol, or a list of symbols.
fn payload(report: &Json, len: usize) -> Vec<u8> {
    let bits = match report {
        Json::Array(symbols) => symbols.iter().map(|s| 1_u64 << s.as_u64().unwrap()).sum(),
        symbol => symbol.as_u64().unwrap(),
    };
    bits.to_le_bytes()[..len].to_vec()
}

#[test]
fn the_peers_reports_add_up_to_the_peers_counts() {
    let mut compared = 0;
    for record in records(ONE_SHOT).iter().filter(|r| !r.reports.is_empty()) {
        let mechanism = match record.protocol.as_str() {
            "GRR" => Mechanism::RandomisedResponse(RandomisedResponse::new(record.domain(), record.weights())),
            "SS" => Mechanism::SubsetSelection(SubsetSelection::new(record.domain(), record.weights()).unwrap()),
            _ => continue,
        };
        let mut cells = vec![0_u32; mechanism.cells()];
        for report in &record.reports {
            let response = mechanism.decode(&payload(report, mechanism.payload_len())).unwrap();
            mechanism.accumulate(&response, |cell| cells[cell] += 1).unwrap();
        }
        assert_eq!(cells.into_iter().map(f64::from).collect::<Vec<f64>>(), record.cells, "{record:?}");
        compared += 1;
    }
    assert_eq!(compared, 24, "two peers' GRR and one's SS, at two domain sizes and four epsilons");
}

/// Whole cells, as the server's sums.
fn whole(cells: &[f64]) -> Vec<u64> {
    cells.iter().map(|&cell| cell as u64).collect()
}

/// The peer's sum of signs for each row, as the counts of both signs: equal ones on top make the reports n.
fn signs(record: &Record, reports: u32) -> Vec<u64> {
    let mut cells: Vec<u64> = record.cells.iter().flat_map(|&sum| whole(&[(-sum).max(0.0), sum.max(0.0)])).collect();
    let pairs = (u64::from(reports) - cells.iter().sum::<u64>()) / 2;
    cells[..2].iter_mut().for_each(|cell| *cell += pairs);
    cells
}

#[test]
fn estimates_of_other_cells_are_the_peers() {
    let mut compared = 0;
    for record in records(ONE_SHOT) {
        let Some(n) = record.n else { continue };
        let (d, epsilon, reports) = (record.domain(), record.epsilon(), u64::from(n));
        let estimates = match record.protocol.as_str() {
            "SHE" => HistogramEncoding::new(d, epsilon).estimate(&record.cells, reports),
            "HR" => HadamardResponse::new(d, epsilon).estimate(&whole(&record.cells), reports),
            "1-bit HR" => OneBitHadamard::new(d, epsilon).estimate(&signs(&record, n), reports),
            _ => continue,
        };
        for (&ours, &theirs) in estimates.iter().zip(&record.estimates) {
            record.assert_close("the estimate", ours, theirs, ROUNDING);
        }
        compared += 1;
    }
    assert_eq!(compared, 28, "two SHE and one 1-bit HR of 8 records each, and HR up to epsilon = 1");
}

#[test]
fn the_peers_unary_reports_add_up_to_the_peers_counts() {
    let mut compared = 0;
    for record in records(ONE_SHOT).iter().filter(|r| ["SUE", "OUE"].contains(&r.protocol.as_str())) {
        let bits =
            |text: &Json| text.as_str().unwrap().bytes().rev().fold(0, |word, bit| word << 1 | u64::from(bit == b'1'));
        let reports: Vec<BitVector> = record.reports.iter().map(|text| BitVector::from_words([bits(text)])).collect();
        let cells = UnaryEncoding::optimised(record.domain(), record.epsilon()).aggregate(&reports).unwrap();
        assert_eq!(cells, whole(&record.cells), "{record:?}");
        compared += 1;
    }
    assert_eq!(compared, 32, "two peers' SUE and OUE, at two domain sizes and four epsilons");
}

// SPDX-License-Identifier: MIT OR Apache-2.0
use super::*;
use stipple_ldp::{Bound, Debias, HybridMean, OneBitMean, RandomisedResponse, TruncatedGeometric};

fn symbols(d: u64) -> Question {
    Question::Symbols(DomainSize::try_from(d).unwrap())
}

fn epsilon(e: f64) -> Epsilon {
    Epsilon::try_from(e).unwrap()
}

fn found<'r>(rows: &'r [Compared], mechanism: &str) -> &'r Compared {
    rows.iter().find(|row| row.mechanism == mechanism).unwrap()
}

const NAMES: [&str; 7] = [
    "randomised-response",
    "symmetric-unary",
    "optimised-unary",
    "local-hashing",
    "subset-selection",
    "projective-geometry",
    "hadamard-response",
];

/// d, epsilon, and n Var at uniform shares in the order of `NAMES`: LDP.md section 2.4, where projective geometry is over a
/// prime field and Hadamard response in its one-bit form, which has the same variance.
const TABLE: [(u64, f64, [&str; 7]); 14] = [
    (4, 1.0, ["2.077", "4.105", "4.120", "4.051", "2.077", "2.077", "4.620"]),
    (10, 0.5, ["24.25", "16.01", "15.86", "16.09", "12.72", "13.75", "16.66"]),
    (10, 1.0, ["4.186", "4.008", "3.873", "3.897", "3.000", "3.200", "4.673"]),
    (10, 2.0, ["0.5922", "1.011", "0.9141", "0.8966", "0.5922", "0.6725", "1.714"]),
    (30, 1.0, ["10.98", "3.950", "3.748", "3.764", "3.441", "3.576", "4.682"]),
    (30, 4.0, ["0.0784", "0.2132", "0.1416", "0.1326", "0.0784", "0.0784", "1.075"]),
    (100, 0.5, ["238.3", "15.93", "15.69", "15.85", "15.36", "15.58", "16.67"]),
    (100, 1.0, ["34.69", "3.928", "3.703", "3.714", "3.609", "3.704", "4.683"]),
    (100, 2.0, ["2.745", "0.9306", "0.7440", "0.7438", "0.7097", "0.7366", "1.724"]),
    (100, 4.0, ["0.0813", "0.1909", "0.0959", "0.0948", "0.0747", "0.0824", "1.076"]),
    (1000, 1.0, ["339.5", "3.919", "3.685", "3.694", "3.675", "3.763", "4.683"]),
    (1000, 2.0, ["24.79", "0.9217", "0.7261", "0.7265", "0.7226", "0.7325", "1.724"]),
    (1000, 4.0, ["0.3860", "0.1820", "0.0780", "0.0780", "0.0759", "0.0773", "1.076"]),
    (5000, 1.0, ["1694", "3.918", "3.683", "3.692", "3.681", "3.769", "4.683"]),
];

#[test]
fn errors_are_the_published_table() {
    for (d, e, printed) in TABLE {
        let rows = compare(symbols(d), epsilon(e), Distribution::Uniform).unwrap();
        assert_eq!(rows.len(), NAMES.len(), "one row for each");
        for (name, printed) in NAMES.into_iter().zip(printed) {
            let n_var = found(&rows, name).n_var.unwrap();
            let decimals = printed.split_once('.').map_or(0, |(_, decimals)| decimals.len());
            assert_eq!(format!("{n_var:.decimals$}"), printed, "{name} at d={d} epsilon={e}: {n_var}");
        }
        // Subset selection is the benchmark, whether a report holds its mask or not.
        let best = found(&rows, "subset-selection");
        assert!((best.n_var.unwrap() / best.n_var_minimax.unwrap() - 1.0).abs() < 1e-9, "d={d} epsilon={e}");
        assert_eq!(best.excluded.is_some(), d > 64);
        assert!(rows.is_sorted_by(|a, b| a.n_var <= b.n_var));
    }
}

/// The averages of other distributions, written out: everybody with the first value, and Zipf's harmonic weights.
#[test]
fn other_distributions_are_averages_over_the_values() {
    let channel = RandomisedResponse::new(DomainSize::try_from(5).unwrap(), epsilon(1.0).weights());
    let support = channel.support();
    let rows = compare(symbols(5), epsilon(1.0), Distribution::One).unwrap();
    let one = (support.variance(1.0) + 4.0 * support.variance(0.0)) / 5.0;
    assert!((found(&rows, "randomised-response").n_var.unwrap() - one).abs() < 1e-12);
    let rows = compare(symbols(5), epsilon(1.0), Distribution::Zipf).unwrap();
    let harmonic = 137.0 / 60.0; // 1 + 1/2 + 1/3 + 1/4 + 1/5
    let zipf = (1..=5).map(|v| support.variance(1.0 / (f64::from(v) * harmonic))).sum::<f64>() / 5.0;
    assert!((found(&rows, "randomised-response").n_var.unwrap() - zipf).abs() < 1e-12);
}

/// The variance of a mean from its definition: over the pairs of true count and response.
#[test]
fn the_error_of_a_mean_is_that_of_one_report() {
    let bound = Bound::try_from(6).unwrap();
    for (distribution, law) in [
        (Distribution::Uniform, [1.0 / 7.0; 7]),
        (Distribution::One, [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        (Distribution::Zipf, [1, 2, 3, 4, 5, 6, 7].map(|x| 1.0 / (f64::from(x) * 363.0 / 140.0))),
    ] {
        let rows = compare(Question::Mean(bound), epsilon(1.5), distribution).unwrap();
        let loss = epsilon(1.5);
        for mechanism in [
            Mechanism::OneBitMean(OneBitMean::new(bound, loss.weights())),
            Mechanism::HybridMean(HybridMean::new(bound, loss)),
            Mechanism::SquareWave(SquareWave::new(bound, loss)),
            Mechanism::TruncatedGeometric(TruncatedGeometric::new(bound, loss).unwrap()),
        ] {
            let name = mechanism.name();
            let Debias::Mean { unbiased } = mechanism.debias() else { panic!("{name}") };
            let moment = |power: i32| -> f64 {
                let of = |x: u32| {
                    mechanism.row(x).unwrap().iter().zip(&unbiased).map(|(p, phi)| p * phi.powi(power)).sum::<f64>()
                };
                (0..).zip(law).map(|(x, share)| share * of(x)).sum()
            };
            let expected = moment(2) - moment(1).powi(2);
            let n_var = found(&rows, name).n_var.unwrap();
            assert!((n_var / expected - 1.0).abs() < 1e-9, "{name}: {n_var} {expected}");
        }
    }
}

#[test]
fn what_does_not_exist_says_why() {
    let sets = Question::Sets(DomainSize::try_from(300).unwrap(), Bound::try_from(5).unwrap());
    let rows = compare(sets, epsilon(1.0), Distribution::Zipf).unwrap();
    assert_eq!(rows.iter().map(|row| row.mechanism).collect::<Vec<_>>(), ["collision", "priv-set"]);
    assert!(rows[1].n_var.is_none() && rows[1].excluded.as_ref().unwrap().contains("at most 64"), "{rows:?}");
    assert_eq!(rows[0].server.as_ref().unwrap().per_report, 300, "a hash for each item");
    let whole = Question::Sets(DomainSize::try_from(5).unwrap(), Bound::try_from(5).unwrap());
    assert!(compare(whole, epsilon(1.0), Distribution::Uniform).is_err());
}

#[test]
fn bytes_are_those_of_the_literature() {
    let rows = compare(symbols(1000), epsilon(1.0), Distribution::Uniform).unwrap();
    let bytes = |name| found(&rows, name).bytes.unwrap();
    assert_eq!(NAMES.map(bytes), [2, 125, 125, 17, 125, 2, 2]);
}

#[test]
fn a_line_goes_through_every_case_in_which_its_mechanism_exists() {
    let asked = Asked { question: symbols(100), epsilon: epsilon(1.0) };
    let lines = over_domain(asked, Distribution::Uniform).unwrap();
    assert_eq!(lines.len(), NAMES.len());
    assert!(lines.iter().all(|line| line.points.len() == 17), "closed forms go on where masks end");
    let lines = over_epsilon(asked, Distribution::Uniform).unwrap();
    assert!(
        lines.iter().all(|line| line.points.is_sorted_by(|a, b| a.0 < b.0 && a.1 > b.1)),
        "error falls with epsilon"
    );
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The closed forms of a memoised block design against enumeration, simulation and the table of LDP.md section 2.9.

use super::{Chain, relink};
use crate::ParameterError;
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

/// The Fano plane: value v has the block {v, v + 1, v + 3} modulo 7; any two blocks share one message.
fn fano(value: u64) -> [u64; 3] {
    [0, 1, 3].map(|offset| (value + offset) % 7)
}

/// P[report | value] by multiplying the two matrices out.
fn product(chain: &Chain, block: &[u64]) -> Vec<f64> {
    let memo = chain.permanent_chances();
    (0..7)
        .map(|y| {
            (0..7)
                .map(|m| {
                    let uniform = (1.0 - chain.keep()) / 7.0;
                    let kept = if m == y { chain.keep() } else { 0.0 };
                    memo.of(block.contains(&m)) * (kept + uniform)
                })
                .sum()
        })
        .collect()
}

#[test]
fn the_chain_is_the_one_shot_channel() {
    for (permanent, first) in [(2.0, 1.1), (7.4, 2.5), (54.6, 7.4), (5.0, 5.0)] {
        let chain = Chain::exact(7, 3, permanent, first).unwrap();
        let total = 3.0 * first + 4.0;
        for value in 0..7 {
            for (y, p) in (0..).zip(product(&chain, &fano(value))) {
                let one_shot = if fano(value).contains(&y) { first / total } else { 1.0 / total };
                assert!((p - one_shot).abs() < 1e-12, "A={permanent} A_1={first}: {p} {one_shot}");
            }
        }
        assert!((chain.epsilon_first() - first.ln()).abs() < 1e-12);
        assert!((chain.epsilon_infinity() - permanent.ln()).abs() < 1e-12);
        let support = chain.support(1);
        assert!((support.p_true - 3.0 * first / total).abs() < 1e-12);
        assert!((support.p_false - (first + 2.0) / total).abs() < 1e-12);
    }
}

/// The closed forms against sums over all 49 pairs of reports.
#[test]
fn linkability_is_the_mutual_information_of_all_pairs() {
    for first in [1.3, 2.5, 4.0] {
        let chain = Chain::exact(7, 3, 4.0, first).unwrap();
        let memo = chain.permanent_chances();
        let refresh = |m: u64, y: u64| (if m == y { chain.keep() } else { 0.0 }) + (1.0 - chain.keep()) / 7.0;
        let pair = |value: u64, y: u64, z: u64| -> f64 {
            (0..7).map(|m| memo.of(fano(value).contains(&m)) * refresh(m, y) * refresh(m, z)).sum()
        };
        let information = |pair: &dyn Fn(u64, u64) -> f64| -> f64 {
            let margin = |y: u64| (0..7).map(|z| pair(y, z)).sum::<f64>();
            let terms = (0..49).map(|i| (i / 7, i % 7)).filter(|&(y, z)| pair(y, z) > 1e-15);
            terms.map(|(y, z)| pair(y, z) * (pair(y, z) / (margin(y) * margin(z))).log2()).sum()
        };
        let known = information(&|y, z| pair(2, y, z));
        let unknown = information(&|y, z| (0..7).map(|v| pair(v, y, z) / 7.0).sum());
        assert!((chain.linkability_bits() - known).abs() < 1e-12, "{known}");
        assert!((chain.linkability_bits_unknown_value() - unknown).abs() < 1e-12, "{unknown}");
        for (y, z) in (0..49).map(|i| (i / 7, i % 7)) {
            let (a, b) = (fano(2).contains(&y), fano(2).contains(&z));
            let ratio = pair(2, y, z) / (chain.weekly_chances().of(a) * chain.weekly_chances().of(b));
            let stated = chain.link_score(a, b, y == z).exp();
            assert!((ratio - stated).abs() < 1e-12, "{ratio} {stated}");
        }
    }
}

/// LDP.md section 2.9, column "PGR + Lambda". Its convention is the unknown, uniform value; the columns of the unary
/// protocols have the known value, so the bits comparable to theirs stand beside.
#[test]
fn linkability_is_that_of_the_table() {
    let table = [
        (121, 40, 2.0, 1.0, "1.2", "1.09"),
        (1093, 364, 2.0, 1.0, "2.0", "1.97"),
        (133, 12, 4.0, 2.0, "0.7", "0.55"),
        (2801, 400, 4.0, 2.0, "2.5", "2.23"),
    ];
    for (k, r, infinity, first, unknown, known) in table {
        let chain = Chain::exact(k, r, f64::exp(infinity), f64::exp(first)).unwrap();
        assert_eq!(format!("{:.1}", chain.linkability_bits_unknown_value()), unknown, "K={k}");
        assert_eq!(format!("{:.2}", chain.linkability_bits()), known, "K={k}");
        assert!(chain.linkability_bits() < (k as f64).log2());
    }
}

/// Without refresh the second report repeats the first: its bits are the entropy of the permanent response.
#[test]
fn without_refresh_the_link_is_the_whole_entropy() {
    let chain = Chain::exact(7, 3, 4.0, 4.0).unwrap();
    let entropy = -3.0 * 0.25 * (0.25_f64).log2() - 4.0 * 0.0625 * (0.0625_f64).log2();
    assert!((chain.linkability_bits() - entropy).abs() < 1e-12);
    assert!((chain.linkability_bits_unknown_value() - 7_f64.log2()).abs() < 1e-12);
    assert!(chain.epsilon_refresh().is_infinite());
}

/// Simulated re-linking of 500 workstations within 4.9 standard errors of the closed form (the successes of one run are
/// nearly independent), far above chance, and below certainty.
#[test]
fn relinking_succeeds_as_often_as_expected() {
    let mut rng = ChaCha20Rng::seed_from_u64(27);
    let n = 500;
    for (k, r, infinity, first) in [(121, 40, 2.0, 1.0), (1093, 364, 2.0, 1.0), (133, 12, 4.0, 2.0)] {
        let chain = Chain::exact(k, r, f64::exp(infinity), f64::exp(first)).unwrap();
        let (mean, runs) = (chain.expected_relink(n), 8);
        let successes: f64 = (0..runs)
            .map(|_| {
                let (monday, next) = chain.reports(n, &mut rng);
                relink(&monday, &next, |a, b| chain.score(a, b), &mut rng)
            })
            .sum();
        let (success, trials) = (successes / f64::from(runs), f64::from(runs) * n as f64);
        let z = (success - mean) / (mean * (1.0 - mean) / trials).sqrt();
        assert!(z.abs() < 4.9, "K={k}: {success} against {mean}, z = {z}");
        assert!(mean > 5.0 / n as f64 && mean < 0.5, "K={k}: {mean}");
    }
}

/// LDP.md section 2.9, column "PGR" of the re-linking at n = 20,000, in per cent, and its remark on n = 2000: uniform
/// values that the observer does not know. With one known value for all, as for the unary protocols, fewer are found.
#[test]
fn expected_relinking_is_that_of_the_table() {
    let table = [
        (121, 40, 2.0, 1.0, 20_000, "0.18", "0.14"),
        (1093, 364, 2.0, 1.0, 20_000, "1.6", "1.2"),
        (133, 12, 4.0, 2.0, 20_000, "0.13", "0.06"),
        (2801, 400, 4.0, 2.0, 20_000, "4.1", "1.7"),
        (1093, 364, 2.0, 1.0, 2000, "13", "10"),
    ];
    for (k, r, infinity, first, n, unknown, known) in table {
        let chain = Chain::exact(k, r, f64::exp(infinity), f64::exp(first)).unwrap();
        let decimals = known.split('.').nth(1).map_or(0, str::len);
        let percent = |success: f64| format!("{:.decimals$}", 100.0 * success);
        assert_eq!(percent(chain.expected_relink_unknown_value(n)), unknown, "K={k} n={n}");
        assert_eq!(percent(chain.expected_relink(n)), known, "K={k} n={n}");
    }
}

#[test]
fn parameters_out_of_range_are_refused() {
    for (k, r, permanent, first) in
        [(7, 0, 4.0, 2.0), (7, 7, 4.0, 2.0), (7, 3, 4.0, 1.0), (7, 3, 2.0, 4.0), (7, 3, f64::INFINITY, 2.0)]
    {
        assert!(matches!(Chain::exact(k, r, permanent, first), Err(ParameterError::Chain { .. })));
    }
    assert!(Chain::exact(7, 3, f64::NAN, 2.0).is_err() && Chain::exact(7, 3, 4.0, f64::NAN).is_err());
}

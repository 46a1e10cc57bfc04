// SPDX-License-Identifier: MIT OR Apache-2.0
//! Published servers, calibrations and accountants that are wrong although no client reveals too much: the audit must
//! stay silent, and a check of the estimator, the channel or the bound must speak.

use std::f64::consts::E;

use super::*;
use crate::audit::{goodness_of_fit, unbiasedness};

const REPORTS: u32 = 200_000;

/// The holders of each value, and their shares of [`REPORTS`].
fn population(d: usize) -> (Vec<usize>, Vec<f64>) {
    let weights: Vec<f64> = (1..=d).map(|rank| 1.0 / rank as f64).collect();
    let total: f64 = weights.iter().sum();
    let holders: Vec<usize> =
        (0..d).flat_map(|v| vec![v; (weights[v] / total * f64::from(REPORTS)) as usize]).collect();
    let shares = (0..d).map(|v| holders.iter().filter(|&&h| h == v).count() as f64 / holders.len() as f64).collect();
    (holders, shares)
}

/// pure-LDP 1.2.0, the private count sketch: the server leaves out the factor `(a + 1) / (a - 1)`, which shrinks every
/// estimate by 0.462 at epsilon = 1. Miniature: one hash row of eight for each report, a sign for the value, flipped
/// with chance `1 / (a + 1)`.
#[test]
fn an_estimate_without_its_factor() {
    let sign = |row: usize, value: usize| if (row & value).count_ones().is_multiple_of(2) { 1_i64 } else { -1 };
    let client = |&value: &usize, rng: &mut ChaCha20Rng| {
        let row = rng.random_range(0..8);
        (row, if coin(rng, E / (E + 1.0)) { sign(row, value) } else { -sign(row, value) })
    };
    let audit = audited(31, [&1, &6], client);
    assert!(audit > 0.5 && audit <= 1.0, "{audit}");

    let (holders, shares) = population(8);
    let mut rng = ChaCha20Rng::seed_from_u64(32);
    let mut sums = [0_i64; 8];
    for value in &holders {
        let (row, bit) = client(value, &mut rng);
        (0..8).for_each(|v| sums[v] += bit * sign(row, v));
    }
    let support = Support { p_true: E / (E + 1.0), p_false: 0.5 };
    let p = [(E + 1.0) / (E - 1.0), 1.0].map(|factor| {
        let estimates = sums.map(|sum| factor * sum as f64 / holders.len() as f64);
        unbiasedness(&estimates, &shares, holders.len() as u64, support)
    });
    assert!(p[0] > SIGNIFICANCE && p[1] < SIGNIFICANCE, "{p:?}");
}

/// Two randomised responses over k values in a row, with the given odds: the chances to end at the true value and at
/// another.
fn chained(k: usize, odds: [f64; 2], omits: bool) -> (f64, f64) {
    let others = (k - 1) as f64;
    let [(p1, q1), (p2, q2)] = odds.map(|odds| (odds / (odds + others), 1.0 / (odds + others)));
    let detours = if omits { 0.0 } else { (others - 1.0) * q1 * q2 };
    (p1 * p2 + others * q1 * q2, p1 * q2 + q1 * p2 + detours)
}

/// The odds of the second response that make the chain's ratio `e^once`, and the published odds, which do so for k = 2
/// only.
fn second_odds(k: usize, forever: f64, once: f64) -> [f64; 2] {
    let others = (k - 1) as f64;
    let published = (once * forever - 1.0) / (forever - once);
    [(once * (forever + others - 1.0) - others) / (forever - once), published]
}

/// multi-freq-ldpy, iterative Bayesian updates for two chained responses: the channel leaves out the `(k - 2) q1 q2`
/// ways over a third value. Its rows add up to 0.44 for k = 20, and the estimates of the top values collapse.
#[test]
fn a_channel_without_its_detours() {
    let (k, forever) = (20, f64::exp(2.0));
    let odds = [forever, second_odds(k, forever, E)[1]];
    let (holders, shares) = population(k);
    let mut rng = ChaCha20Rng::seed_from_u64(33);
    let mut counts = vec![0_u64; k];
    for &value in &holders {
        let permanent = respond(&mut rng, value, k, odds[0]);
        counts[respond(&mut rng, permanent, k, odds[1])] += 1;
    }
    let (p_true, p_false) = chained(k, odds, false);
    let results = [false, true].map(|omits| {
        let (p, q) = chained(k, odds, omits);
        let estimates = bayesian_updates(&counts, p, q);
        let biased = unbiasedness(&estimates, &shares, holders.len() as u64, Support { p_true, p_false });
        let of_one = counted(34, k, |rng| {
            let permanent = respond(rng, 7, k, odds[0]);
            respond(rng, permanent, k, odds[1])
        });
        let fit = goodness_of_fit((0..k).map(|y| (of_one[y], if y == 7 { p } else { q })));
        (p + 19.0 * q, biased, fit)
    });
    let [(total, biased, fit), (defect_total, defect_biased, defect_fit)] = results;
    assert!((total - 1.0).abs() < 1e-12 && (defect_total - 0.44).abs() < 0.005, "{results:?}");
    assert!(biased > SIGNIFICANCE && defect_biased < SIGNIFICANCE, "{results:?}");
    assert!(fit > SIGNIFICANCE && defect_fit < SIGNIFICANCE, "{results:?}");
}

/// Expectation maximisation for a channel with p on its diagonal and q elsewhere.
fn bayesian_updates(counts: &[u64], p: f64, q: f64) -> Vec<f64> {
    let total = counts.iter().sum::<u64>() as f64;
    let mut shares = vec![1.0 / counts.len() as f64; counts.len()];
    for _ in 0..2_000 {
        let pull: Vec<f64> =
            counts.iter().zip(&shares).map(|(&c, f)| c as f64 / total / (p * f + q * (1.0 - f))).collect();
        let pulls: f64 = pull.iter().sum();
        shares = shares.iter().zip(&pull).map(|(f, own)| f * (p * own + q * (pulls - own))).collect();
        let all: f64 = shares.iter().sum();
        shares = shares.iter().map(|f| f / all).collect();
    }
    shares
}

/// L-GRR of multi-freq-ldpy and the LOLOHA repository: the second response is calibrated with the formula for two
/// values. Safe, so the audit is silent; but a weekly report has epsilon = 0.51 where 1 is stated, and six times the
/// variance.
#[test]
fn a_calibration_for_two_values_used_for_twenty() {
    let (k, forever) = (20, f64::exp(2.0));
    let stated = RandomisedResponse::new(size(20), epsilon(1.0).weights()).design.support();
    let results = second_odds(k, forever, E).map(|odds| {
        let report = |&value: &usize, rng: &mut ChaCha20Rng| {
            let permanent = respond(rng, value, k, forever);
            respond(rng, permanent, k, odds)
        };
        let (p, q) = chained(k, [forever, odds], false);
        let counts = counted(35, k, |rng| report(&7, rng));
        let fit = goodness_of_fit((0..k).map(|y| (counts[y], if y == 7 { stated.p_true } else { stated.p_false })));
        let variance = Support { p_true: p, p_false: q }.variance(0.0) / stated.variance(0.0);
        (audited(36, [&3, &11], report), (p / q).ln(), variance, fit)
    });
    let [(audit, realised, variance, fit), (defect_audit, defect_realised, defect_variance, defect_fit)] = results;
    assert!(audit <= 1.0 && defect_audit <= 1.0, "{results:?}");
    assert!((realised - 1.0).abs() < 1e-12 && (defect_realised - 0.512).abs() < 5e-4, "{results:?}");
    assert!((variance - 1.0).abs() < 1e-6 && defect_variance > 6.0, "{results:?}");
    assert!(fit > SIGNIFICANCE && defect_fit < SIGNIFICANCE, "{results:?}");
}

/// apple/ml-shuffling-amplification, `deltacomp`: clone counts are taken together ten at a time, at the worse end of
/// each interval; but one of the two directions compares the upper end with itself. Summing every clone count shows
/// that this sum is no upper bound. The program returns the greater of the two directions, which are equal by symmetry:
/// that saves its result.
#[test]
fn an_upper_bound_from_the_better_end() {
    let (others, local) = (80, 1.0_f64);
    let clone = (-local).exp();
    let weight = |c: i32| binomial(others, c) * clone.powi(c) * (1.0 - clone).powi(others - c);
    for central in [0.1, 0.3, 0.6] {
        let exact = |swap: bool| (0..=others).map(|c| weight(c) * divergence(c, local, central, swap)).sum::<f64>();
        let grouped = |swap: bool, defect: bool| {
            let interval = |lower: i32| {
                let upper = (lower + 9).min(others);
                let at = |c| divergence(c, local, central, swap);
                let worse = if defect { at(upper) } else { at(upper).max(at(lower)) };
                (lower..=upper).map(weight).sum::<f64>() * worse
            };
            (0..=others).step_by(10).map(interval).sum::<f64>()
        };
        assert!((exact(false) - exact(true)).abs() < 1e-12, "{central}");
        assert!(grouped(false, false) >= exact(false) && grouped(true, false) >= exact(true), "{central}");
        assert!(grouped(true, true) < 0.9 * exact(true), "{central}: not caught");
    }
}

/// The hockey-stick divergence at e^central between one true report among c clones and another (Feldman, McMillan and
/// Talwar, FOCS 2021): A ~ Bin(c, 1/2), one more with chance 1 - alpha under one input and alpha under the other,
/// `alpha = e^local / (e^local + 1)`.
fn divergence(c: i32, local: f64, central: f64, swap: bool) -> f64 {
    let alpha = local.exp() / (local.exp() + 1.0);
    let fair = |x: i32| if (0..=c).contains(&x) { binomial(c, x) * 0.5_f64.powi(c) } else { 0.0 };
    let mixed = |x: i32, stays: f64| stays * fair(x) + (1.0 - stays) * fair(x - 1);
    let (ours, theirs) = if swap { (1.0 - alpha, alpha) } else { (alpha, 1.0 - alpha) };
    (0..=c + 1).map(|x| (mixed(x, ours) - central.exp() * mixed(x, theirs)).max(0.0)).sum()
}

fn binomial(n: i32, k: i32) -> f64 {
    (0..k).map(|i| f64::from(n - i) / f64::from(i + 1)).product()
}

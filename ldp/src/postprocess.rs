// SPDX-License-Identifier: MIT OR Apache-2.0
//! From unbiased estimates to shares: non-negative, with the sum 1.
//!
//! Unbiased estimates may be negative, and their intervals are exact: publish those first. What is here are
//! deterministic functions of them (or of the counts, [`em`]), so they cost no privacy, and floating point decides no
//! coin. The names are those of Wang et al. (NDSS 2020, section 4).
//!
//! All functions take finite estimates, one for each value, and return as many; an empty slice gives an empty vector.

mod em;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers chosen by the tests")]
mod em_tests;

pub use em::{Fit, Likelihood, Stopping, TwoWeight, em, ems};

/// Norm-Sub: the nearest point of the simplex (all shares >= 0, sum 1) in Euclidean distance. It takes one number from
/// every estimate and cuts at 0.
///
/// With the estimates sorted downwards the subtrahend is `(u_1 + .. + u_k - 1)/k` for the largest k at which it is
/// below u_k (Held, Wolfe and Crowder 1974; Duchi, Shalev-Shwartz, Singer and Chandra, ICML 2008). A projection on a
/// convex set brings no two points further apart, so it never moves an estimate away from the truth. Time O(d log d).
#[must_use]
pub fn norm_sub(estimates: &[f64]) -> Vec<f64> {
    let mut sorted = estimates.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let (mut sum, mut subtrahend) = (0.0, 0.0);
    for (k, &estimate) in (1_u32..).zip(&sorted) {
        sum += estimate;
        let candidate = (sum - 1.0) / f64::from(k);
        // The estimates that stay positive are a beginning of the sorted ones.
        if candidate >= estimate {
            break;
        }
        subtrahend = candidate;
    }
    estimates.iter().map(|estimate| (estimate - subtrahend).max(0.0)).collect()
}

/// Norm-Mul: cuts negative estimates to 0 and divides by the sum; uniform when none is positive. What is cut away is
/// added noise that pulls all large shares down: it may be further from the truth than the estimates were.
#[must_use]
pub fn norm_mul(estimates: &[f64]) -> Vec<f64> {
    let sum: f64 = estimates.iter().map(|estimate| estimate.max(0.0)).sum();
    if sum > 0.0 {
        estimates.iter().map(|estimate| estimate.max(0.0) / sum).collect()
    } else {
        vec![1.0 / estimates.len() as f64; estimates.len()]
    }
}

/// Norm-Cut: cuts negative estimates to 0, then the smallest positive ones until the sum is at most 1. A sum that is
/// below 1 after that stays below it; estimates that are equal are cut together.
#[must_use]
pub fn norm_cut(estimates: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = estimates.iter().copied().filter(|&estimate| estimate > 0.0).collect();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut sum = 0.0;
    let least_cut = sorted.into_iter().find(|estimate| {
        sum += estimate;
        sum > 1.0
    });
    base_cut(estimates, least_cut.unwrap_or(0.0))
}

/// Base-Cut: cuts to 0 what does not exceed a threshold, and every negative estimate. The usual threshold for d values
/// is the normal quantile of `1 - alpha/d` times the standard deviation at share 0: then with probability at least
/// `1 - alpha` all that remains is truly there. The sum is left as it comes.
#[must_use]
pub fn base_cut(estimates: &[f64], threshold: f64) -> Vec<f64> {
    let stays = |estimate: f64| estimate > threshold.max(0.0);
    estimates.iter().map(|&estimate| if stays(estimate) { estimate } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn distance(x: &[f64], y: &[f64]) -> f64 {
        x.iter().zip(y).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    }

    /// The nearest point of the simplex by trying every set of positive shares: on each the projection on its
    /// hyperplane.
    fn nearest(estimates: &[f64]) -> Vec<f64> {
        let d = estimates.len();
        let on_support = |mask: usize| -> Option<Vec<f64>> {
            let inside = |v: usize| mask >> v & 1 == 1;
            let sum: f64 = (0..d).filter(|&v| inside(v)).map(|v| estimates[v]).sum();
            let shift = (sum - 1.0) / f64::from(mask.count_ones());
            let point: Vec<f64> = (0..d).map(|v| if inside(v) { estimates[v] - shift } else { 0.0 }).collect();
            point.iter().all(|&share| share >= 0.0).then_some(point)
        };
        let points = (1..1_usize << d).filter_map(on_support);
        points.min_by(|x, y| distance(x, estimates).total_cmp(&distance(y, estimates))).unwrap()
    }

    proptest! {
        /// Against brute force over all supports, and the optimality conditions: sum 1, no share negative, and the same
        /// shift for every positive share, at least the estimate for every zero.
        #[test]
        fn norm_sub_is_the_projection(estimates in prop::collection::vec(-2.0..2.0_f64, 1..9)) {
            let shares = norm_sub(&estimates);
            prop_assert!(distance(&shares, &nearest(&estimates)) < 1e-9);
            prop_assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            let shifts = || estimates.iter().zip(&shares).filter(|(_, s)| **s > 0.0).map(|(e, s)| e - s);
            let shift = shifts().next().unwrap();
            prop_assert!(shifts().all(|other| (other - shift).abs() < 1e-9));
            for (estimate, share) in estimates.iter().zip(&shares) {
                prop_assert!(*share > 0.0 || (*share == 0.0 && *estimate <= shift + 1e-9));
            }
        }

        /// No two points end further apart; and a point of the simplex stays where it is.
        #[test]
        fn norm_sub_is_non_expansive(
            pair in prop::collection::vec((-3.0..3.0_f64, -3.0..3.0_f64), 1..40),
        ) {
            let (x, y): (Vec<f64>, Vec<f64>) = pair.into_iter().unzip();
            let (x_shares, y_shares) = (norm_sub(&x), norm_sub(&y));
            prop_assert!(distance(&x_shares, &y_shares) <= distance(&x, &y) + 1e-9);
            prop_assert!(distance(&norm_sub(&x_shares), &x_shares) < 1e-9);
        }

        #[test]
        fn the_others_keep_what_they_promise(estimates in prop::collection::vec(-1.0..1.0_f64, 1..30)) {
            let scaled = norm_mul(&estimates);
            prop_assert!((scaled.iter().sum::<f64>() - 1.0).abs() < 1e-9 && scaled.iter().all(|&s| s >= 0.0));
            let cut = norm_cut(&estimates);
            let sum: f64 = cut.iter().sum();
            prop_assert!(sum <= 1.0 + 1e-9);
            // What is left are estimates, larger than all that was cut, and the next one would not have fitted.
            let least_kept = cut.iter().copied().filter(|&s| s > 0.0).fold(f64::INFINITY, f64::min);
            for (estimate, share) in estimates.iter().zip(&cut) {
                prop_assert!(*share == 0.0 || (share - estimate).abs() < 1e-15);
                prop_assert!(*share > 0.0 || *estimate < least_kept);
            }
            let largest_cut = estimates.iter().zip(&cut).filter(|(e, s)| **e > 0.0 && **s == 0.0).map(|(e, _)| *e);
            if let Some(next) = largest_cut.reduce(f64::max) {
                prop_assert!(sum + next > 1.0);
            }
        }
    }

    #[test]
    fn by_hand() {
        let estimates = [0.7, 0.5, 0.1, -0.3];
        let near = |shares: Vec<f64>, expected: [f64; 4]| assert!(distance(&shares, &expected) < 1e-12, "{shares:?}");
        near(norm_sub(&estimates), [0.6, 0.4, 0.0, 0.0]);
        near(norm_mul(&estimates), [7.0 / 13.0, 5.0 / 13.0, 1.0 / 13.0, 0.0]);
        near(norm_cut(&estimates), [0.7, 0.0, 0.0, 0.0]);
        near(base_cut(&estimates, 0.2), [0.7, 0.5, 0.0, 0.0]);
        near(base_cut(&estimates, -1.0), [0.7, 0.5, 0.1, 0.0]);
        near(norm_mul(&[-1.0, -2.0, 0.0, -0.5]), [0.25; 4]);
        near(norm_sub(&[-1.0, -1.0, -1.0, -1.0]), [0.25; 4]);
        near(norm_cut(&[0.4, 0.3, 0.2, 0.0]), [0.4, 0.3, 0.2, 0.0]);
        for f in [norm_sub, norm_mul, norm_cut] {
            assert!(f(&[]).is_empty());
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Quantiles of classes and counts: the class in which a share q of all computers is reached, and the classes in which it may be.
//!
//! The k-th class holds the quantile when `G_k = P[at most class k] - q P[any class]` is first not negative (`none` is no class). G_k is
//! a linear function of the shares, so it has an unbiased estimate with a known variance, and the quantile's interval is that of the
//! classes at which the sign of G_k is open (Woodruff, JASA 47, 1952).

use serde::Serialize;
use stipple_catalog::Domain;
use stipple_ldp::postprocess::norm_sub;
use stipple_ldp::{Debias, Mechanism};

use crate::estimate::Pooled;
use crate::interval::Level;

/// The quantiles that are estimated: a quarter, half, three quarters and nine tenths of the computers.
pub const QUANTILES: [f64; 4] = [0.25, 0.5, 0.75, 0.9];

/// Where a quantile lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quantile {
    /// the share of computers in this class or below it, in per cent
    pub per_cent: u8,
    /// the class
    pub class: String,
    /// the lowest class in which it may be, at the level
    pub lower: String,
    /// the highest
    pub upper: String,
}

/// The quantiles of a metric whose values have an order: classes reported by randomised response or subset selection, or counts
/// reported with noise. Empty for others.
pub(crate) fn quantiles(pooled: &Pooled<'_>, level: Level) -> Vec<Quantile> {
    let labels = pooled.definition.domain.labels();
    let classes = match &pooled.definition.domain {
        Domain::Buckets(buckets) => (0..).zip(&labels).filter(|&(class, _)| buckets.lowest(class).is_some()).count(),
        Domain::Count { .. } => labels.len(),
        Domain::Symbol(_) | Domain::Set { .. } => return Vec::new(),
    };
    let Some(functional) = Functional::new(pooled) else { return Vec::new() };
    let z = level.normal_quantile();
    let quantile = |at: f64| {
        let reached: Vec<(f64, f64)> = (0..classes)
            .map(|k| {
                let weight = |v: usize| f64::from(u8::from(v <= k)) - if v < classes { at } else { 0.0 };
                functional.of(&(0..labels.len()).map(weight).collect::<Vec<_>>())
            })
            .collect();
        let first = |from: &dyn Fn(&(f64, f64)) -> bool| reached.iter().position(from).unwrap_or(classes - 1);
        // The upper end must hold from there on: then only the class below the true one can mislead it.
        let doubtful = reached.iter().rposition(|(g, error)| g - z * error < 0.0);
        let label = |class: usize| labels[class].clone();
        let class = first(&|(g, _)| *g >= 0.0);
        let lower = first(&|(g, error)| g + z * error >= 0.0).min(class);
        let upper = doubtful.map_or(0, |k| (k + 1).min(classes - 1)).max(class);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a per cent")]
        let per_cent = (at * 100.0).round() as u8;
        Quantile { per_cent, class: label(class), lower: label(lower), upper: label(upper) }
    };
    if classes == 0 { Vec::new() } else { QUANTILES.map(quantile).to_vec() }
}

/// Estimates linear functions of the shares from the counts.
enum Functional<'p> {
    /// masks of w of all values: `sum u_v f_v` from the mean over masks of the sum of their u
    Masks { counts: &'p [u64], n: f64, w: f64, p_true: f64, p_false: f64, shares: Vec<f64> },
    /// outputs, each of which stands for numbers that solve `sum_y P(y|x) psi(y) = u_x`
    Outputs { counts: &'p [u64], n: f64, rows: Vec<Vec<f64>> },
}

impl<'p> Functional<'p> {
    fn new(pooled: &'p Pooled<'_>) -> Option<Self> {
        let (mechanism, counts, n) = (&pooled.definition.mechanism, &pooled.counts, pooled.reports as f64);
        let w = match mechanism {
            Mechanism::RandomisedResponse(_) => 1,
            Mechanism::SubsetSelection(m) => m.subset_size(),
            Mechanism::TruncatedGeometric(_) => {
                let rows = (0..).map_while(|x| mechanism.row(x)).collect();
                return Some(Self::Outputs { counts, n, rows });
            }
            _ => return None,
        };
        let Debias::Shares(support) = mechanism.debias() else { return None };
        let shares = norm_sub(&mechanism.estimate(counts, pooled.reports).ok()?);
        let (p_true, p_false) = (support.p_true, support.p_false);
        Some(Self::Masks { counts, n, w: w.into(), p_true, p_false, shares })
    }

    /// The unbiased estimate of `sum u_v f_v` and its standard error.
    fn of(&self, u: &[f64]) -> (f64, f64) {
        match self {
            Self::Masks { counts, n, w, p_true, p_false, shares } => {
                let contrast = p_true - p_false;
                let mean = counts.iter().zip(u).map(|(&count, u)| count as f64 * u).sum::<f64>() / n;
                let estimate = (mean - p_false * u.iter().sum::<f64>()) / contrast;
                (estimate, (mask_variance(u, shares, *w, *p_true) / n).sqrt() / contrast)
            }
            Self::Outputs { counts, n, rows } => {
                let psi = solve(rows.clone(), u.to_vec());
                let moment =
                    |power| counts.iter().zip(&psi).map(|(&c, psi)| c as f64 * psi.powi(power)).sum::<f64>() / n;
                let estimate = moment(1);
                (estimate, ((moment(2) - estimate * estimate).max(0.0) / (n - 1.0).max(1.0)).sqrt())
            }
        }
    }
}

/// The variance, over reports, of the sum of u over a mask of w values: with the chance P_t the sender's own value and w - 1 of the
/// others, else w of the others, all equally likely. A sum over k of N without replacement has the mean `k mu` and the variance
/// `k s^2 (N - k) / (N - 1)`, with the mean mu and the variance s^2 of all N.
fn mask_variance(u: &[f64], shares: &[f64], w: f64, p_true: f64) -> f64 {
    let others = u.len() as f64 - 1.0;
    let (sum, squares) = u.iter().fold((0.0, 0.0), |(s, q), u| (s + u, q + u * u));
    let (mut mean, mut second) = (0.0, 0.0);
    for (own, share) in u.iter().zip(shares) {
        let centre = (sum - own) / others;
        let spread = ((squares - own * own) / others - centre * centre).max(0.0);
        let finite = |k: f64| if others > 1.0 { k * spread * (others - k) / (others - 1.0) } else { 0.0 };
        let (with, without) = (own + (w - 1.0) * centre, w * centre);
        mean += share * (p_true * with + (1.0 - p_true) * without);
        second += share * (p_true * (finite(w - 1.0) + with * with) + (1.0 - p_true) * (finite(w) + without * without));
    }
    (second - mean * mean).max(0.0)
}

/// Solves `rows psi = u` by elimination with the largest pivot.
fn solve(mut rows: Vec<Vec<f64>>, mut u: Vec<f64>) -> Vec<f64> {
    let size = u.len();
    for k in 0..size {
        let pivot = (k..size).max_by(|&a, &b| rows[a][k].abs().total_cmp(&rows[b][k].abs())).unwrap_or(k);
        rows.swap(k, pivot);
        u.swap(k, pivot);
        let (head, tail) = rows.split_at_mut(k + 1);
        for (row, below) in tail.iter_mut().enumerate() {
            let factor = below[k] / head[k][k];
            below.iter_mut().zip(&head[k]).skip(k).for_each(|(cell, above)| *cell -= factor * above);
            u[k + 1 + row] -= factor * u[k];
        }
    }
    for k in (0..size).rev() {
        let known: f64 = (k + 1..size).map(|j| rows[k][j] * u[j]).sum();
        u[k] = (u[k] - known) / rows[k][k];
    }
    u
}

#[cfg(test)]
mod tests {
    use super::*;
    use stipple_ldp::{Bound, DomainSize, Epsilon, SubsetSelection, TruncatedGeometric};

    /// Against every mask of a small mechanism, one by one.
    #[test]
    fn the_variance_of_masks_agrees_with_enumeration() {
        let epsilon = Epsilon::try_from(1.0).unwrap();
        let mechanism = SubsetSelection::new(DomainSize::try_from(6).unwrap(), epsilon.weights()).unwrap();
        let (w, ratio) = (mechanism.subset_size(), epsilon.weights().ratio());
        let (u, shares) = ([0.5, 0.5, -0.5, -0.5, -0.5, 0.0], [0.1, 0.4, 0.2, 0.0, 0.2, 0.1]);
        let masks: Vec<u32> = (0..64_u32).filter(|mask| mask.count_ones() == w).collect();
        let (mut mean, mut second) = (0.0, 0.0);
        for (x, share) in shares.iter().enumerate() {
            let weight = |mask: u32| if mask >> x & 1 == 1 { ratio } else { 1.0 };
            let total: f64 = masks.iter().map(|&mask| weight(mask)).sum();
            for &mask in &masks {
                let y: f64 = (0..6).filter(|v| mask >> v & 1 == 1).map(|v| u[v]).sum();
                mean += share * weight(mask) / total * y;
                second += share * weight(mask) / total * y * y;
            }
        }
        let Debias::Shares(support) = Mechanism::SubsetSelection(mechanism).debias() else { unreachable!() };
        let ours = mask_variance(&u, &shares, w.into(), support.p_true);
        assert!((ours - (second - mean * mean)).abs() < 1e-9, "{ours} {}", second - mean * mean);
    }

    #[test]
    fn what_an_output_stands_for_is_unbiased_for_any_function() {
        let (bound, epsilon) = (Bound::try_from(10).unwrap(), Epsilon::try_from(2.0).unwrap());
        let mechanism = Mechanism::TruncatedGeometric(TruncatedGeometric::new(bound, epsilon).unwrap());
        let rows: Vec<Vec<f64>> = (0..).map_while(|x| mechanism.row(x)).collect();
        for k in 0..=10_u8 {
            let u: Vec<f64> = (0..=10).map(|x| f64::from(u8::from(x <= k))).collect();
            let psi = solve(rows.clone(), u.clone());
            for (row, u) in rows.iter().zip(&u) {
                let mean: f64 = row.iter().zip(&psi).map(|(p, psi)| p * psi).sum();
                assert!((mean - u).abs() < 1e-9);
            }
            // In the middle it is the inverse of the geometric law: -a, 1 + a^2, -a over (1 - a)^2 around k.
            if (2..8).contains(&k) {
                let a = (-0.2_f64).exp();
                let at_k = (1.0 + a * a - a) / (1.0 - a).powi(2);
                assert!((psi[usize::from(k)] - at_k).abs() < 1e-3, "{k}: {} {at_k}", psi[usize::from(k)]);
            }
        }
    }
}

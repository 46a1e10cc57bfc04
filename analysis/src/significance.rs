// SPDX-License-Identifier: MIT OR Apache-2.0
//! Tests of "nothing has changed", and the correction for asking many of them.

use statrs::distribution::{ContinuousCDF as _, Normal, StudentsT};

/// From this pooled variance of the hits on, the normal test is used.
const LARGE: f64 = 100.0;

/// Hits among trials.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hits {
    pub(crate) hits: u64,
    pub(crate) n: u64,
}

/// The p-value, two-sided, of two equal binomial shares; both n are positive. Fisher's exact test for few hits (Fisher 1935), which rejects
/// too seldom rather than too often, else the pooled score test. The map from reports to shares is the same for both, so this is the
/// test of two equal true shares.
pub(crate) fn equal_shares(a: Hits, b: Hits) -> f64 {
    let (hits, n) = ((a.hits + b.hits) as f64, (a.n + b.n) as f64);
    let pooled = hits / n;
    let variance = pooled * (1.0 - pooled);
    if n * variance < LARGE {
        return fisher(a, b);
    }
    let share = |side: Hits| side.hits as f64 / side.n as f64;
    let error = (variance * ((a.n as f64).recip() + (b.n as f64).recip())).sqrt();
    two_sided((share(b) - share(a)) / error)
}

/// The p-value of a standard normal number, both tails.
pub(crate) fn two_sided(z: f64) -> f64 {
    (2.0 * Normal::standard().cdf(-z.abs())).min(1.0)
}

/// The p-value of Student's t with these degrees of freedom, both tails.
pub(crate) fn two_sided_t(t: f64, freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or_else(|_| two_sided(t), |law| (2.0 * law.cdf(-t.abs())).min(1.0))
}

/// The chance, given all hits, of a split between the sides that is no more likely than the one seen. Summed outwards from it by the
/// recurrence of the hypergeometric law.
fn fisher(a: Hits, b: Hits) -> f64 {
    let total = a.hits + b.hits;
    let (least, most) = (total.saturating_sub(b.n), a.n.min(total));
    // P[k + 1] / P[k]
    let step = |k: u64| (a.n - k) as f64 / (k + 1) as f64 * (total - k) as f64 / (b.n + k + 1 - total) as f64;
    let up = (a.hits..most).scan(1.0, |chance, k| {
        *chance *= step(k);
        Some(*chance)
    });
    let down = (least..a.hits).rev().scan(1.0, |chance, k| {
        *chance /= step(k);
        Some(*chance)
    });
    let (mut all, mut extreme) = (1.0, 1.0);
    for chance in up.chain(down) {
        all += chance;
        // Equal splits on the other side differ in the last bits.
        extreme += if chance <= 1.0 + 1e-9 { chance } else { 0.0 };
    }
    if f64::is_finite(all) { extreme / all } else { 0.0 }
}

/// Holm's correction (Scandinavian Journal of Statistics 6, 1979): of the adjusted p-values below 5 %, any is false in at most 5 % of
/// all datasets, however the tests hang together.
pub(crate) fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let (mut adjusted, mut greatest) = (vec![1.0; p.len()], 0.0_f64);
    for (rank, &place) in order.iter().enumerate() {
        greatest = greatest.max(p[place] * (p.len() - rank) as f64).min(1.0);
        adjusted[place] = greatest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{Discrete as _, Hypergeometric};

    fn side(hits: u64, n: u64) -> Hits {
        Hits { hits, n }
    }

    #[test]
    fn fishers_test_agrees_with_the_tea_and_with_another_library() {
        // Fisher's lady: 3 of 4 cups right. 34/70.
        assert!((fisher(side(3, 4), side(1, 4)) - 34.0 / 70.0).abs() < 1e-12);
        for (a, b) in [(side(1, 20), side(9, 25)), (side(0, 300), side(12, 500)), (side(40, 41), side(7, 12))] {
            let law = Hypergeometric::new(a.n + b.n, a.hits + b.hits, a.n).unwrap();
            let seen = law.pmf(a.hits);
            let p: f64 = (0..=a.n).map(|k| law.pmf(k)).filter(|&chance| chance <= seen * (1.0 + 1e-7)).sum();
            assert!((fisher(a, b) - p).abs() < 1e-9, "{a:?} {b:?}: {} {p}", fisher(a, b));
        }
        assert!((fisher(side(0, 50), side(0, 70)) - 1.0).abs() < 1e-12, "no hit at all");
        assert!(fisher(side(0, 5000), side(5000, 5000)) < 1e-300, "beyond all numbers");
    }

    #[test]
    fn the_two_tests_agree_where_they_meet() {
        let (a, b) = (side(100, 1000), side(140, 1100));
        assert!((equal_shares(a, b) / fisher(a, b) - 1.0).abs() < 0.15, "{} {}", equal_shares(a, b), fisher(a, b));
        // By hand: 240/2100, z = (0.127273 - 0.1) / sqrt(.114286 * .885714 * (1/1000 + 1/1100)) = 1.9619.
        assert!((equal_shares(a, b) - 0.049_775).abs() < 2e-5, "{}", equal_shares(a, b));
    }

    #[test]
    fn holms_correction_by_hand() {
        let adjusted = holm(&[0.01, 0.04, 0.03, 0.005]);
        let expected = [0.03, 0.06, 0.06, 0.02];
        assert!(adjusted.iter().zip(expected).all(|(a, e)| (a - e).abs() < 1e-12), "{adjusted:?}");
        assert!(holm(&[]).is_empty());
    }
}

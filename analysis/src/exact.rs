// SPDX-License-Identifier: MIT OR Apache-2.0
//! Blaker's exact interval for a binomial share (Blaker, Canadian Journal of Statistics 28(4), 2000).
//!
//! It covers at least as often as it says, whatever the share and the number of trials, and lies inside the interval of
//! Clopper and Pearson at every level. A share p is acceptable when the tail in which the hits lie, and as much of the other
//! tail as is no more likely, have a chance above `1 - level` together; the interval is the hull of what is acceptable.

use crate::interval::{Interval, Level, root};

/// P[X >= x] and P[X <= x] for X binomial.
#[derive(Clone, Copy)]
struct Tails {
    upper: f64,
    lower: f64,
}

/// The interval for a share of which `hits` in `n` trials were seen; `n` is positive and `hits` at most `n`. The time grows with
/// the standard deviation of the hits.
#[must_use]
pub fn blaker(hits: u64, n: u64, level: Level) -> Interval {
    let alpha = 1.0 - level.get();
    Interval { lower: lower_end(hits, n, alpha), upper: 1.0 - lower_end(n - hits, n, alpha) }
}

/// The smallest acceptable share.
///
/// Below p0, where the upper tail alone has alpha/2, nothing is acceptable: the other tail adds at most as much again. From
/// there on the part of the lower tail that counts is P[X <= y] with one y, until p1, where the chance of one more hit is
/// small enough to be added: both tails are equal there, above alpha/2 each, so p1 is acceptable. In between, the sum of the
/// tails falls and then rises, as the ratio of their slopes grows with p: it crosses alpha at most once.
fn lower_end(hits: u64, n: u64, alpha: f64) -> f64 {
    if hits == 0 {
        return 0.0;
    }
    let upper = |p| tails(hits, n, p).upper;
    let p0 = root(0.0, 1.0, |p| upper(p) - alpha / 2.0);
    // The number of hits of which P[X <= next] is first above alpha/2 at p0.
    let next = first_above(n, p0, alpha / 2.0);
    let p1 = root(p0, 1.0, |p| upper(p) - tails(next, n, p).lower);
    let both = |p| upper(p) + if next == 0 { 0.0 } else { tails(next - 1, n, p).lower };
    if both(p1) > alpha { root(p0, p1, |p| both(p) - alpha) } else { p1 }
}

/// The smallest y with P[X <= y] above a chance, found by doubling steps and then halving.
fn first_above(n: u64, p: f64, chance: f64) -> u64 {
    let (mut low, mut high) = (0, n); // the answer lies in low..=high
    while low < high {
        let middle = low + (high - low) / 2;
        if tails(middle, n, p).lower > chance { high = middle } else { low = middle + 1 }
    }
    low
}

/// Both tails, summed outwards from x in units of P[X = x]; no logarithm of a factorial is needed.
fn tails(x: u64, n: u64, p: f64) -> Tails {
    if p <= 0.0 || p >= 1.0 {
        let all = if p <= 0.0 { 0 } else { n };
        return Tails { upper: f64::from(u8::from(x <= all)), lower: f64::from(u8::from(x >= all)) };
    }
    let odds = p / (1.0 - p);
    let (mut up, mut term, mut k) = (1.0, 1.0, x);
    while k < n && term > up * 1e-17 {
        term *= (n - k) as f64 / (k + 1) as f64 * odds;
        up += term;
        k += 1;
    }
    let (mut down, mut term, mut k) = (1.0, 1.0, x);
    while k > 0 && term > down * 1e-17 {
        term *= k as f64 / (n - k + 1) as f64 / odds;
        down += term;
        k -= 1;
    }
    // x is counted on both sides. A sum beyond all numbers leaves the other side nothing.
    match (up.is_finite(), down.is_finite()) {
        (true, true) => Tails { upper: up / (up + down - 1.0), lower: down / (up + down - 1.0) },
        (false, _) => Tails { upper: 1.0, lower: 0.0 },
        (true, false) => Tails { upper: 0.0, lower: 1.0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use statrs::distribution::{Binomial, Discrete as _, DiscreteCDF as _};

    /// The chance of the tail with the hits and of what is no more likely on the other side, by another library.
    fn acceptability(hits: u64, n: u64, p: f64) -> f64 {
        let law = Binomial::new(p, n).unwrap();
        let upper = |x: u64| if x == 0 { 1.0 } else { law.sf(x - 1) };
        let (above, below) = (upper(hits), law.cdf(hits));
        let least = above.min(below);
        let other = if above <= below {
            (0..=n).map(|y| law.cdf(y)).take_while(|&chance| chance <= above).last()
        } else {
            (0..=n).rev().map(upper).take_while(|&chance| chance <= below).last()
        };
        (least + other.unwrap_or(0.0)).min(1.0)
    }

    #[test]
    fn tails_agree_with_another_library() {
        for (n, p) in [(1, 0.3), (40, 0.01), (40, 0.6), (1000, 0.09), (100_000, 0.000_3)] {
            let law = Binomial::new(p, n).unwrap();
            for x in (0..=n.min(200)).step_by(3) {
                let ours = tails(x, n, p);
                assert!((ours.lower - law.cdf(x)).abs() < 1e-9, "{n} {p} {x}: {}, {}", ours.lower, law.cdf(x));
                assert!((ours.upper + ours.lower - 1.0 - law.pmf(x)).abs() < 1e-9, "{n} {p} {x}");
            }
        }
        let none = tails(0, 10, 1.0);
        assert!(none.upper > 0.999 && none.lower < 0.001, "impossible hits");
        assert!(tails(1 << 50, 1 << 52, 0.9).lower < 1e-9, "no number is too large");
    }

    /// Just outside the ends nothing is acceptable, just inside something is: found with another library's tails.
    #[test]
    fn the_ends_are_where_acceptance_begins() {
        for level in [0.9, 0.95, 0.999] {
            let (alpha, level) = (1.0 - level, Level::try_from(level).unwrap());
            for n in [1, 2, 3, 10, 29, 50] {
                for hits in 0..=n {
                    let Interval { lower, upper } = blaker(hits, n, level);
                    assert!(lower <= hits as f64 / n as f64 && hits as f64 / n as f64 <= upper);
                    for k in 0..200 {
                        let p = (f64::from(k) + 0.5) / 200.0;
                        let outside = p < lower - 1e-9 || p > upper + 1e-9;
                        assert!(!outside || acceptability(hits, n, p) <= alpha + 1e-9, "{hits}/{n} at {p}");
                    }
                    for inside in [lower + 1e-9, upper - 1e-9].into_iter().filter(|p| (1e-8..=1.0 - 1e-8).contains(p)) {
                        assert!(acceptability(hits, n, inside) >= alpha - 1e-6, "{hits}/{n} ends at {inside}");
                    }
                }
            }
        }
    }

    /// Coverage enumerated over all outcomes: never below the level.
    #[test]
    fn it_covers_at_least_as_often_as_it_says() {
        for n in [5, 30, 100] {
            let intervals: Vec<_> = (0..=n).map(|hits| blaker(hits, n, Level::USUAL)).collect();
            for k in 1..500 {
                let p = f64::from(k) / 500.0;
                let law = Binomial::new(p, n).unwrap();
                let covers = |hits: &u64| {
                    let Interval { lower, upper } = intervals[usize::try_from(*hits).unwrap()];
                    lower - 1e-12 <= p && p <= upper + 1e-12
                };
                let covered: f64 = (0..=n).filter(covers).map(|hits| law.pmf(hits)).sum();
                assert!(covered > 0.95 - 1e-9, "{covered} at {p} of {n}");
            }
        }
    }
}

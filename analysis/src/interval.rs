// SPDX-License-Identifier: MIT OR Apache-2.0
//! Confidence intervals: Wilson's for a binomial share, Student's t for a mean. docs/estimates.md says why these.

use std::fmt;
use std::str::FromStr;

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// A confidence level: the share of intervals that are to cover the truth, from 0.5 to 0.9999.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level(f64);

/// A number that is no confidence level.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a confidence level is a number from 0.5 to 0.9999 such as 0.95, not {0}")]
pub struct LevelError(String);

/// An interval with its lower end first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// the lower end
    pub lower: f64,
    /// the upper end
    pub upper: f64,
}

impl Level {
    /// 95 %.
    pub const USUAL: Self = Self(0.95);

    /// The level as a number.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// The level that each of so many intervals needs for all of them to hold at this one (Bonferroni): `1 - (1 - level)/count`. It
    /// needs no independence.
    pub(crate) fn of_each(self, count: usize) -> Self {
        Self(1.0 - (1.0 - self.0) / count.max(1) as f64)
    }

    /// z: the standard normal lies in [-z, z] with this probability.
    #[must_use]
    pub fn normal_quantile(self) -> f64 {
        Normal::standard().inverse_cdf(f64::midpoint(1.0, self.0))
    }

    /// The same for Student's t with the given degrees of freedom, which must be positive.
    fn student_quantile(self, freedom: f64) -> f64 {
        // Beyond a million the two quantiles agree to five digits, and the t quantile is found by a slow search.
        let student = if freedom <= 1e6 { StudentsT::new(0.0, 1.0, freedom).ok() } else { None };
        student.map_or_else(|| self.normal_quantile(), |t| t.inverse_cdf(f64::midpoint(1.0, self.0)))
    }
}

impl TryFrom<f64> for Level {
    type Error = LevelError;

    fn try_from(value: f64) -> Result<Self, LevelError> {
        if (0.5..=0.9999).contains(&value) { Ok(Self(value)) } else { Err(LevelError(value.to_string())) }
    }
}

impl FromStr for Level {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, LevelError> {
        text.parse().map_err(|_| LevelError(format!("{text:?}"))).and_then(|value: f64| Self::try_from(value))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Four decimals are the finest level there is, so this is exact; trailing zeros go.
        let percent = format!("{:.2}", self.0 * 100.0);
        f.pad(percent.trim_end_matches('0').trim_end_matches('.'))
    }
}

impl Interval {
    /// The nearest interval inside [0, most]. The truth lies there, so no coverage is lost; an interval wholly outside
    /// becomes the nearer end.
    #[must_use]
    pub fn clipped(self, most: f64) -> Self {
        Self { lower: self.lower.clamp(0.0, most), upper: self.upper.clamp(0.0, most) }
    }

    /// Half the width: the margin that stands after the plus-minus sign.
    #[must_use]
    pub fn margin(self) -> f64 {
        (self.upper - self.lower) / 2.0
    }
}

/// Wilson's score interval (Wilson, JASA 22, 1927; recommended by Brown, Cai and DasGupta, Statistical Science 16(2), 2001)
/// for a binomial share of which `hits` in `n` trials were seen; `n` is positive.
#[must_use]
pub fn wilson(hits: u64, n: u64, level: Level) -> Interval {
    let (hits, n, z) = (hits as f64, n as f64, level.normal_quantile());
    let (share, spread) = (hits / n, z * z / n);
    let centre = (share + spread / 2.0) / (1.0 + spread);
    let half = (spread * (share * (1.0 - share) + spread / 4.0)).sqrt() / (1.0 + spread);
    Interval { lower: centre - half, upper: centre + half }
}

/// The shares that a likelihood-ratio test does not reject (Wilks 1938): twice `hits ln(s/p) + (n - hits) ln((1-s)/(1-p))` is at most
/// z squared. Far out in the tails, where many intervals are to hold at once, it keeps its level better than Wilson's.
#[must_use]
pub(crate) fn likelihood_ratio(hits: u64, n: u64, level: Level) -> Interval {
    let (share, n) = (hits as f64 / n as f64, n as f64);
    let limit = level.normal_quantile().powi(2);
    let part = |s: f64, p: f64| if s > 0.0 { s * (s / p).ln() } else { 0.0 };
    let excess = |p: f64| 2.0 * n * (part(share, p) + part(1.0 - share, 1.0 - p)) - limit;
    let lower = if hits == 0 { 0.0 } else { root(0.0, share, |p| -excess(p)) };
    let upper = if share < 1.0 { root(share, 1.0, excess) } else { 1.0 };
    Interval { lower, upper }
}

/// Where a function that is at most 0 at `low` and above it at `high` crosses 0: secants, with a halving as every third step.
pub(crate) fn root(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (mut at_low, mut at_high) = (f(low), f(high));
    for step in 0..200 {
        if high - low <= 1e-15 * high {
            break;
        }
        // Illinois: an end that stays loses half its weight, so that it does not stay for ever.
        let secant = (low * at_high - high * at_low) / (at_high - at_low);
        let middle = if step % 3 == 2 || !(low < secant && secant < high) { f64::midpoint(low, high) } else { secant };
        let value = f(middle);
        if value > 0.0 {
            (high, at_high, at_low) = (middle, value, at_low / 2.0);
        } else if value < 0.0 {
            (low, at_low, at_high) = (middle, value, at_high / 2.0);
        } else {
            return middle;
        }
    }
    f64::midpoint(low, high)
}

/// Student's t interval around a mean of `n` numbers with this standard error; `None` for a single number, which says
/// nothing about its own spread.
#[must_use]
pub fn student(mean: f64, standard_error: f64, n: u64, level: Level) -> Option<Interval> {
    let freedom = n.checked_sub(1).filter(|&freedom| freedom > 0)?;
    let half = level.student_quantile(freedom as f64) * standard_error;
    Some(Interval { lower: mean - half, upper: mean + half })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wilson's ends are where the score test just accepts: `|s - p| = z sqrt(p (1-p) / n)`. Found here by bisection,
    /// which shares no formula with the closed form.
    fn wilson_by_bisection(hits: u64, n: u64, z: f64) -> Interval {
        let (share, n) = (hits as f64 / n as f64, n as f64);
        let accepted = |p: f64| (share - p).abs() <= z * (p * (1.0 - p) / n).sqrt();
        let edge = |mut outside: f64, mut inside: f64| {
            for _ in 0..200 {
                let middle = f64::midpoint(outside, inside);
                if accepted(middle) { inside = middle } else { outside = middle }
            }
            inside
        };
        Interval { lower: edge(0.0, share), upper: edge(1.0, share) }
    }

    #[test]
    fn wilson_inverts_the_score_test() {
        for (level, z) in [(0.95, 1.959_963_984_540_054), (0.99, 2.575_829_303_548_901)] {
            let level = Level::try_from(level).unwrap();
            for n in [1, 2, 7, 50, 1000, 123_456] {
                for hits in [0, 1, n / 3, n / 2, n - 1, n] {
                    let (ours, theirs) = (wilson(hits, n, level), wilson_by_bisection(hits, n, z));
                    // The score test accepts the share itself, so an end at 0 or 1 is found to the last bits only.
                    assert!((ours.lower - theirs.lower).abs() < 1e-9, "{hits}/{n}: {ours:?} {theirs:?}");
                    assert!((ours.upper - theirs.upper).abs() < 1e-9, "{hits}/{n}: {ours:?} {theirs:?}");
                }
            }
        }
    }

    #[test]
    fn student_agrees_with_printed_tables() {
        // Two-sided 95 % quantiles as in every printed table (Student's t, Fisher and Yates).
        for (n, quantile) in [(2, 12.706), (3, 4.303), (11, 2.228), (31, 2.042), (1001, 1.962), (10_000_000, 1.960)] {
            let found = student(0.0, 1.0, n, Level::USUAL).unwrap().upper;
            assert!((found - quantile).abs() < 6e-4, "{n}: {found}");
        }
        assert_eq!(student(3.0, 1.0, 1, Level::USUAL), None);
    }

    #[test]
    fn clipping_keeps_the_nearer_end() {
        let clip = |lower, upper| Interval { lower, upper }.clipped(1.0);
        assert_eq!(clip(-0.3, -0.1), Interval { lower: 0.0, upper: 0.0 });
        assert_eq!(clip(1.1, 1.2), Interval { lower: 1.0, upper: 1.0 });
        assert_eq!(clip(-0.1, 0.2), Interval { lower: 0.0, upper: 0.2 });
    }

    #[test]
    fn levels_are_checked_through_every_door() {
        for bad in ["1", "0.4", "95", "NaN", "inf", "", "ninety"] {
            assert!(bad.parse::<Level>().is_err(), "{bad}");
        }
        assert_eq!("0.95".parse::<Level>().unwrap().to_string(), "95");
        assert_eq!("0.999".parse::<Level>().unwrap().to_string(), "99.9");
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The intervals of a share: an interval for the share of *reports* that support the value, carried over by the affine map
//! that removes the bias. The map is known, so what covers before it covers after it.

use std::collections::HashMap;

use stipple_ldp::Support;

use crate::exact::blaker;
use crate::interval::{Interval, Level, likelihood_ratio, wilson};

/// From this variance of the hits on, n s (1 - s), formulas take over from exact sums: Wilson's interval covers 94.4 % or more there
/// where it says 95 %, and exact sums grow slow.
const LARGE: f64 = 100.0;

/// The intervals of one value's share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ShareIntervals {
    /// holds this share at the level
    pub(crate) pointwise: Interval,
    /// holds, together with those of all other values, all shares at the level
    pub(crate) simultaneous: Interval,
    /// half the width of the pointwise one before it was cut
    pub(crate) margin: f64,
}

/// Makes the intervals of all values of a metric, which share n and the constants. Values with equal hits have equal intervals, so
/// each is computed once.
pub(crate) struct Intervals {
    n: u64,
    support: Support,
    /// for one value
    one: Level,
    /// for one value, so that all hold together
    all: Level,
    made: HashMap<u64, ShareIntervals>,
}

impl Intervals {
    /// For `n > 0` reports and a dictionary of so many values.
    pub(crate) fn new(n: u64, support: Support, level: Level, values: usize) -> Self {
        Self { n, support, one: level, all: level.of_each(values), made: HashMap::new() }
    }

    /// The intervals of a value that so many reports support.
    pub(crate) fn of(&mut self, hits: u64) -> ShareIntervals {
        if let Some(made) = self.made.get(&hits) {
            return *made;
        }
        let whole = self.reported(hits, self.one);
        let made = ShareIntervals {
            pointwise: self.possible(hits, self.one),
            simultaneous: self.possible(hits, self.all),
            margin: whole.margin() / self.support.contrast(),
        };
        self.made.insert(hits, made);
        made
    }

    /// The interval cut to [0, 1]. Its upper end is never lower than that of reports which one standard deviation of bad luck
    /// carried below what a share of 0 supports on average, and its lower end not higher than that of as much luck above 1
    /// (power-constrained limits: Cowan, Cranmer, Gross and Vitells, arXiv 1105.3166, 2011): an interval wholly outside
    /// would be cut to a point, and look like certainty. Wider, it covers no less.
    fn possible(&self, hits: u64, level: Level) -> Interval {
        let n = self.n as f64;
        let spread = |share: f64| (n * share * (1.0 - share)).sqrt();
        let (least, most) = (self.support.p_false, self.support.p_true);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to n")]
        let (low, high) =
            ((n * least - spread(least)).max(0.0).floor() as u64, (n * most + spread(most)).min(n).ceil() as u64);
        let lower = self.reported(hits.min(high), level).lower;
        let upper = self.reported(hits.max(low), level).upper;
        Interval { lower: self.support.share(lower), upper: self.support.share(upper) }.clipped(1.0)
    }

    fn reported(&self, hits: u64, level: Level) -> Interval {
        let (n, share) = (self.n as f64, hits as f64 / self.n as f64);
        if n * share * (1.0 - share) < LARGE {
            blaker(hits, self.n, level)
        } else if level == self.one {
            wilson(hits, self.n, level)
        } else {
            likelihood_ratio(hits, self.n, level)
        }
    }
}

/// Where the shares of all values sum to 1, none can be larger than what the least of the others leaves, nor smaller than what the
/// most of them leaves: valid wherever all the intervals hold.
pub(crate) fn tighten(intervals: &mut [Interval]) {
    let (least, most) = intervals.iter().fold((0.0, 0.0), |(l, m), i| (l + i.lower, m + i.upper));
    for interval in intervals {
        let Interval { lower, upper } = *interval;
        interval.upper = upper.min(1.0 - (least - lower)).max(lower);
        interval.lower = lower.max(1.0 - (most - upper)).min(interval.upper);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRR: Support = Support { p_true: 0.3, p_false: 0.1 };

    #[test]
    fn no_interval_is_a_point() {
        for n in [1, 20, 300, 100_000] {
            let mut intervals = Intervals::new(n, GRR, Level::USUAL, 8);
            for hits in [0, n / 20, n / 10, n / 3, n / 2, n] {
                let ShareIntervals { pointwise, simultaneous, margin } = intervals.of(hits);
                assert!(pointwise.upper > pointwise.lower && margin > 0.0, "{hits} of {n}: {pointwise:?}");
                assert!(simultaneous.lower <= pointwise.lower && pointwise.upper <= simultaneous.upper);
                assert!(0.0 <= simultaneous.lower && simultaneous.upper <= 1.0);
            }
        }
    }

    /// Nobody holds it, and luck made the hits few: the upper end is that of one standard deviation of bad luck.
    #[test]
    fn bad_luck_does_not_look_like_certainty() {
        let mut intervals = Intervals::new(10_000, GRR, Level::USUAL, 8);
        let (unlucky, hopeless) = (intervals.of(970).pointwise, intervals.of(800).pointwise);
        assert_eq!((unlucky, hopeless.lower), (hopeless, 0.0));
        let expected = GRR.share(wilson(970, 10_000, Level::USUAL).upper);
        assert!((hopeless.upper - expected).abs() < 1e-12 && expected > 0.01);
    }

    #[test]
    fn shares_that_sum_to_one_bound_each_other() {
        let interval = |lower, upper| Interval { lower, upper };
        let mut all = [interval(0.5, 0.9), interval(0.2, 0.4), interval(0.0, 0.6)];
        tighten(&mut all);
        let close = |a: Interval, b: Interval| (a.lower - b.lower).abs() < 1e-12 && (a.upper - b.upper).abs() < 1e-12;
        assert!(close(all[0], interval(0.5, 0.8)) && close(all[1], interval(0.2, 0.4)), "{all:?}");
        assert!(close(all[2], interval(0.0, 0.3)), "{all:?}");
    }
}

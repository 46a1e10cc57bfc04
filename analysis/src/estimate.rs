// SPDX-License-Identifier: MIT OR Apache-2.0
//! From support counts to estimates. docs/estimates.md derives every formula.

use std::fmt;
use std::str::FromStr;

use stipple_catalog::{Catalogue, Definition, Domain, Week};
use stipple_ldp::accounting::manipulation::{mean_moved, share_raised};
use stipple_ldp::postprocess::norm_sub;
use stipple_ldp::{Debias, Mechanism, Support};

use crate::central::{Bounds, Central};
use crate::dataset::{Dataset, WeekCounts};
use crate::interval::{Interval, Level, student};
use crate::share::{Intervals, tighten};

/// How to estimate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// the confidence level of the intervals
    pub level: Level,
    /// every week apart, instead of all weeks pooled
    pub by_week: bool,
    /// the weeks to use; all of them if `None`
    pub span: Option<Span>,
    /// the share of reporters whose lies the poisoning margin supposes, from 0 to 1
    pub liars: f64,
    /// the delta at which to state what a publication tells about one reporter; `None` leaves out the slow numeric bound
    pub delta: Option<f64>,
}

/// The weeks that an estimate is of. Written as `2026-W30..2026-W55`, or as one week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// the first week with a report
    pub first: Week,
    /// the last week with a report
    pub last: Week,
}

/// The estimates of one metric over one span of weeks; there is at least one report.
#[derive(Clone, Debug)]
pub struct MetricEstimate<'c> {
    /// the metric
    pub definition: &'c Definition,
    /// the weeks
    pub span: Span,
    /// the number of reports
    pub reports: u64,
    /// the level of the intervals
    pub level: Level,
    /// one entry for every value of the dictionary, or the single entry `mean`
    pub values: Vec<ValueEstimate>,
    /// what the counts tell a reader about one reporter, if the reports are really shuffled; `None` unless asked for
    pub central: Option<Central>,
    /// the share of reporters that [`Self::moved`] supposes to lie
    pub liars: f64,
    /// how far liars could raise an estimate (for a mean: move it)
    pub moved: f64,
}

/// The estimate of one number.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueEstimate {
    /// the value whose share it is, or `mean`
    pub value: String,
    /// the unbiased estimate; noise can carry it outside the possible range
    pub estimate: f64,
    /// its standard error; none for the mean of a single report
    pub standard_error: Option<f64>,
    /// the interval, inside the possible range
    pub interval: Interval,
    /// half the interval's width before it was clipped to the possible range
    pub margin: f64,
    /// the interval that holds together with those of all other values of the metric
    pub simultaneous: Interval,
    /// the estimate made possible: not negative, and of shares that sum to 1 the nearest that do
    pub consistent: f64,
}

/// All estimates of a dataset.
#[derive(Clone, Debug)]
pub struct Estimates<'c> {
    /// in the order of the ids, then of the weeks
    pub metrics: Vec<MetricEstimate<'c>>,
    /// the ids of metrics that the catalogue has and nobody reported
    pub without_reports: Vec<&'c str>,
    /// what has reports, but not enough of them
    pub too_few: Vec<TooFew<'c>>,
}

/// Weeks of a metric with so few reports that an interval would span the range of what is possible.
#[derive(Clone, Debug, PartialEq)]
pub struct TooFew<'c> {
    /// the metric's id
    pub metric: &'c str,
    /// the weeks
    pub span: Span,
    /// the reports there are
    pub reports: u64,
    /// the reports at which the margin is half of the range
    pub needed: u64,
}

impl Options {
    /// 95 %, all weeks pooled, one liar in a thousand.
    pub const USUAL: Self = Self { level: Level::USUAL, by_week: false, span: None, liars: 0.001, delta: None };
}

impl Span {
    /// Whether a week is one of them.
    #[must_use]
    pub fn holds(self, week: Week) -> bool {
        (self.first..=self.last).contains(&week)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { f.pad(&format!("{}..{}", self.first, self.last)) }
    }
}

/// A text that names no weeks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no weeks: one is written 2026-W30, several 2026-W30..2026-W42 with the first before the last")]
pub struct SpanError(String);

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(SpanError(text.to_owned())),
        }
    }
}

impl fmt::Display for TooFew<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { metric, span, reports, needed } = self;
        write!(
            f,
            "{metric} in {span} is left out: {reports} reports say next to nothing, at least {needed} are needed; "
        )?;
        f.write_str("pool more weeks or wait for more reports")
    }
}

impl MetricEstimate<'_> {
    /// The largest mean that is possible, for a count; `None` where the values are shares.
    #[must_use]
    pub fn most(&self) -> Option<f64> {
        match self.definition.domain {
            Domain::Count { most } => Some(most.get().into()),
            _ => None,
        }
    }

    /// The values as one reads them: the greatest estimate first, but classes of numbers in their own order.
    #[must_use]
    pub fn ranked(&self) -> Vec<&ValueEstimate> {
        let mut values: Vec<_> = self.values.iter().collect();
        if !matches!(self.definition.domain, Domain::Buckets(_)) {
            values.sort_by(|a, b| b.estimate.total_cmp(&a.estimate));
        }
        values
    }
}

/// Estimates every metric of the dataset that has reports enough.
#[must_use]
pub fn estimate<'c>(dataset: &Dataset, catalogue: &'c Catalogue, options: Options) -> Estimates<'c> {
    let mut estimates = Estimates { metrics: Vec::new(), without_reports: Vec::new(), too_few: Vec::new() };
    let mut bounds = Bounds::default();
    for definition in catalogue.definitions() {
        let weeks: Vec<&WeekCounts> = dataset
            .weeks(&definition.id)
            .iter()
            .filter(|week| week.reports > 0 && options.span.is_none_or(|span| span.holds(week.week)))
            .collect();
        if weeks.is_empty() {
            estimates.without_reports.push(&definition.id);
        }
        for weeks in weeks.chunks(if options.by_week { 1 } else { weeks.len().max(1) }) {
            let Some(pooled) = Pooled::new(definition, weeks) else { continue };
            let Pooled { span, reports, .. } = pooled;
            let needed = reports_needed(&definition.mechanism, options.level);
            if reports < needed {
                estimates.too_few.push(TooFew { metric: &definition.id, span, reports, needed });
            } else {
                estimates.metrics.push(pooled.estimate(options, &mut bounds));
            }
        }
    }
    estimates
}

/// The counts of a metric, summed over weeks.
pub(crate) struct Pooled<'c> {
    pub(crate) definition: &'c Definition,
    pub(crate) span: Span,
    pub(crate) reports: u64,
    pub(crate) counts: Vec<u64>,
}

impl<'c> Pooled<'c> {
    /// The sums over the given weeks, which are in order; `None` without a report.
    pub(crate) fn new(definition: &'c Definition, weeks: &[&WeekCounts]) -> Option<Self> {
        let span = Span { first: weeks.first()?.week, last: weeks.last()?.week };
        let reports = weeks.iter().map(|week| week.reports).sum();
        let mut counts = vec![0_u64; definition.mechanism.cells()];
        for week in weeks {
            counts.iter_mut().zip(&week.counts).for_each(|(sum, count)| *sum += count);
        }
        (reports > 0).then_some(Self { definition, span, reports, counts })
    }

    fn estimate(&self, options: Options, bounds: &mut Bounds<'c>) -> MetricEstimate<'c> {
        let Self { definition, span, reports, .. } = *self;
        let Options { level, liars, .. } = options;
        let (values, moved) = self.values(level);
        let central = options.delta.map(|delta| bounds.central(definition, reports, delta));
        MetricEstimate { definition, span, reports, level, values, central, liars, moved: liars * moved }
    }

    /// The estimates of all values, and how far reports could move them if all of them lied.
    pub(crate) fn values(&self, level: Level) -> (Vec<ValueEstimate>, f64) {
        let mechanism = &self.definition.mechanism;
        match mechanism.debias() {
            Debias::Shares(constants) => {
                let labels = self.definition.domain.labels();
                let support = mechanism.support_counts(&self.counts);
                let mut intervals = Intervals::new(self.reports, constants, level, labels.len());
                let share = |(label, &hits)| share(label, hits, self.reports, constants, &mut intervals);
                let mut values: Vec<_> = labels.into_iter().zip(support.iter()).map(share).collect();
                if !matches!(self.definition.domain, Domain::Set { .. }) {
                    sum_to_one(&mut values);
                }
                (values, share_raised(&constants, 1, 1))
            }
            Debias::Mean { unbiased } => {
                (vec![mean(mechanism, &self.counts, &unbiased, self.reports, level)], mean_moved(&unbiased, 1, 1))
            }
        }
    }
}

/// The reports at which the margin of a share of one half, or of a mean, is half of what is possible: with fewer, an interval
/// tells next to nothing.
#[must_use]
pub fn reports_needed(mechanism: &Mechanism, level: Level) -> u64 {
    let (variance, half) = match mechanism.debias() {
        Debias::Shares(constants) => (constants.variance(0.5), 0.5),
        Debias::Mean { .. } => {
            let worst = mechanism.noise_variances().into_iter().fold(0.0, f64::max);
            (worst, (mechanism.values() - 1) as f64 / 2.0)
        }
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and saturates")]
    let needed = (variance * (level.normal_quantile() / half).powi(2)).ceil() as u64;
    needed.max(2)
}

/// The share of one value: its interval is that of the reported share, carried over by the affine map that removes the bias.
fn share(value: String, hits: u64, reports: u64, constants: Support, intervals: &mut Intervals) -> ValueEstimate {
    let reported = hits as f64 / reports as f64;
    let standard_error = (reported * (1.0 - reported) / reports as f64).sqrt() / constants.contrast();
    let estimate = constants.share(reported);
    let intervals = intervals.of(hits);
    ValueEstimate {
        value,
        estimate,
        standard_error: Some(standard_error),
        interval: intervals.pointwise,
        margin: intervals.margin,
        simultaneous: intervals.simultaneous,
        consistent: estimate.clamp(0.0, 1.0),
    }
}

/// What follows from the shares' sum being 1.
fn sum_to_one(values: &mut [ValueEstimate]) {
    let estimates: Vec<f64> = values.iter().map(|value| value.estimate).collect();
    let mut simultaneous: Vec<Interval> = values.iter().map(|value| value.simultaneous).collect();
    tighten(&mut simultaneous);
    for ((value, consistent), simultaneous) in values.iter_mut().zip(norm_sub(&estimates)).zip(simultaneous) {
        (value.consistent, value.simultaneous) = (consistent, simultaneous);
    }
}

/// The mean count. `unbiased` is phi: what each output stands for.
fn mean(mechanism: &Mechanism, counts: &[u64], unbiased: &[f64], reports: u64, level: Level) -> ValueEstimate {
    let n = reports as f64;
    let weighted =
        |f: &dyn Fn(f64) -> f64| counts.iter().zip(unbiased).map(|(&c, &phi)| c as f64 * f(phi)).sum::<f64>();
    let mean = weighted(&|phi| phi) / n;
    let squares = weighted(&|phi| (phi - mean) * (phi - mean));
    let most = (mechanism.values() - 1) as f64;
    let whole = Interval { lower: 0.0, upper: most };
    // Two equal outputs have no spread of their own, but the noise that made them has: its variance is known.
    let noise = least_noise(mechanism);
    let standard_error = (reports > 1).then(|| (squares / (n - 1.0)).max(noise).sqrt() / n.sqrt());
    let interval = standard_error.and_then(|error| student(mean, error, reports, level)).unwrap_or(whole);
    ValueEstimate {
        value: "mean".to_owned(),
        estimate: mean,
        standard_error,
        interval: interval.clipped(most),
        margin: interval.margin(),
        simultaneous: interval.clipped(most),
        consistent: mean.clamp(0.0, most),
    }
}

/// The smallest variance that phi has at any count. No true distribution has less, by the law of total variance.
fn least_noise(mechanism: &Mechanism) -> f64 {
    mechanism.noise_variances().into_iter().fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stipple_ldp::{Bound, Epsilon, TruncatedGeometric};

    fn geometric(most: u64, epsilon: f64) -> (Mechanism, Vec<f64>) {
        let (bound, epsilon) = (Bound::try_from(most).unwrap(), Epsilon::try_from(epsilon).unwrap());
        let channel = TruncatedGeometric::new(bound, epsilon).unwrap();
        let unbiased = channel.unbiased();
        (Mechanism::TruncatedGeometric(channel), unbiased)
    }

    fn warner(hits: u64, reports: u64) -> ValueEstimate {
        let constants = Support { p_true: 0.75, p_false: 0.25 };
        share("yes".to_owned(), hits, reports, constants, &mut Intervals::new(reports, constants, Level::USUAL, 2))
    }

    /// With m = 1 the mechanism is randomised response with P[truth] = 1/(1+alpha), whose noise is the same at 0 and 1:
    /// `alpha / (1-alpha)^2`.
    #[test]
    fn least_noise_of_one_bit_is_that_of_randomised_response() {
        let alpha = (-1.0_f64).exp();
        let expected = alpha / (1.0 - alpha).powi(2);
        let (mechanism, _) = geometric(1, 1.0);
        assert!((least_noise(&mechanism) - expected).abs() < 1e-6);
    }

    #[test]
    fn few_reports_give_numbers_and_no_certainty() {
        let (mechanism, unbiased) = geometric(10, 1.0);
        let mut counts = vec![0; 11];
        counts[3] = 1;
        let single = mean(&mechanism, &counts, &unbiased, 1, Level::USUAL);
        assert_eq!((single.estimate, single.standard_error), (3.0, None));
        assert_eq!(single.interval, Interval { lower: 0.0, upper: 10.0 });
        counts[3] = 2;
        let pair = mean(&mechanism, &counts, &unbiased, 2, Level::USUAL);
        assert!(pair.standard_error.is_some_and(|error| error > 1.0), "{pair:?}");
        assert_eq!(pair.interval, Interval { lower: 0.0, upper: 10.0 });
        for hits in [0, 1] {
            let one = warner(hits, 1);
            let Interval { lower, upper } = one.interval;
            assert!(one.estimate.is_finite() && 0.0 <= lower && lower < upper && upper <= 1.0, "{one:?}");
        }
    }

    #[test]
    fn a_share_is_warners_estimate() {
        // Warner (JASA 1965): lambda/n = 0.6 with p = 0.75 gives (0.6 - 0.25) / 0.5 = 0.7, s.e. sqrt(.24/1000)/0.5.
        let warner = warner(600, 1000);
        assert!((warner.estimate - 0.7).abs() < 1e-12);
        assert!((warner.standard_error.unwrap() - 0.030_983_866_769_659_335).abs() < 1e-12);
        assert!((warner.interval.lower - 0.638_541).abs() < 1e-4 && (warner.interval.upper - 0.759_926).abs() < 1e-4);
    }
}

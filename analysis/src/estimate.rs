// SPDX-License-Identifier: MIT OR Apache-2.0
//! From support counts to estimates. docs/estimates.md derives every formula.

use std::fmt;

use stipple_catalog::{Catalogue, Definition, Domain, Week};
use stipple_ldp::{Debias, Mechanism, Support};

use crate::dataset::{Dataset, WeekCounts};
use crate::interval::{Interval, Level, student, wilson};

/// How to estimate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// the confidence level of the intervals
    pub level: Level,
    /// every week apart, instead of all weeks pooled
    pub by_week: bool,
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
}

/// All estimates of a dataset.
#[derive(Clone, Debug)]
pub struct Estimates<'c> {
    /// in the order of the ids, then of the weeks
    pub metrics: Vec<MetricEstimate<'c>>,
    /// the ids of metrics that the catalogue has and nobody reported
    pub without_reports: Vec<&'c str>,
}

impl Options {
    /// 95 %, all weeks pooled.
    pub const USUAL: Self = Self { level: Level::USUAL, by_week: false };
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { f.pad(&format!("{}..{}", self.first, self.last)) }
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

/// Estimates every metric of the dataset that has reports.
#[must_use]
pub fn estimate<'c>(dataset: &Dataset, catalogue: &'c Catalogue, options: Options) -> Estimates<'c> {
    let (mut metrics, mut without_reports) = (Vec::new(), Vec::new());
    for definition in catalogue.definitions() {
        let weeks: Vec<&WeekCounts> = dataset.weeks(&definition.id).iter().filter(|week| week.reports > 0).collect();
        if weeks.is_empty() {
            without_reports.push(definition.id.as_str());
        } else if options.by_week {
            metrics.extend(weeks.iter().filter_map(|&week| pooled(definition, &[week], options.level)));
        } else {
            metrics.extend(pooled(definition, &weeks, options.level));
        }
    }
    Estimates { metrics, without_reports }
}

/// The estimates over the given weeks, which are in order; `None` without a report.
fn pooled<'c>(definition: &'c Definition, weeks: &[&WeekCounts], level: Level) -> Option<MetricEstimate<'c>> {
    let span = Span { first: weeks.first()?.week, last: weeks.last()?.week };
    let reports = weeks.iter().map(|week| week.reports).sum();
    let mut counts = vec![0_u64; definition.mechanism.cells()];
    for week in weeks {
        counts.iter_mut().zip(&week.counts).for_each(|(sum, count)| *sum += count);
    }
    let values = match definition.mechanism.debias() {
        Debias::Shares(constants) => {
            let labels = definition.domain.labels().into_iter();
            let support = definition.mechanism.support_counts(&counts);
            labels.zip(support.iter()).map(|(label, &hits)| share(label, hits, reports, constants, level)).collect()
        }
        Debias::Mean { unbiased } => vec![mean(&definition.mechanism, &counts, &unbiased, reports, level)],
    };
    Some(MetricEstimate { definition, span, reports, level, values })
}

/// The share of one value: Wilson's interval for the reported share, carried over by the affine map that removes the bias.
fn share(value: String, hits: u64, reports: u64, constants: Support, level: Level) -> ValueEstimate {
    let debiased = |reported| constants.share(reported);
    let reported = hits as f64 / reports as f64;
    let standard_error = (reported * (1.0 - reported) / reports as f64).sqrt() / constants.contrast();
    let Interval { lower, upper } = wilson(hits, reports, level);
    let interval = Interval { lower: debiased(lower), upper: debiased(upper) };
    ValueEstimate {
        value,
        estimate: debiased(reported),
        standard_error: Some(standard_error),
        interval: interval.clipped(1.0),
        margin: interval.margin(),
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
            let one = share("a".to_owned(), hits, 1, Support { p_true: 0.75, p_false: 0.25 }, Level::USUAL);
            let Interval { lower, upper } = one.interval;
            assert!(one.estimate.is_finite() && 0.0 <= lower && lower < upper && upper <= 1.0, "{one:?}");
        }
    }

    #[test]
    fn a_share_is_warners_estimate() {
        // Warner (JASA 1965): lambda/n = 0.6 with p = 0.75 gives (0.6 - 0.25) / 0.5 = 0.7, s.e. sqrt(.24/1000)/0.5.
        let warner = share("yes".to_owned(), 600, 1000, Support { p_true: 0.75, p_false: 0.25 }, Level::USUAL);
        assert!((warner.estimate - 0.7).abs() < 1e-12);
        assert!((warner.standard_error.unwrap() - 0.030_983_866_769_659_335).abs() < 1e-12);
        assert!((warner.interval.lower - 0.638_541).abs() < 1e-4 && (warner.interval.upper - 0.759_926).abs() < 1e-4);
    }
}

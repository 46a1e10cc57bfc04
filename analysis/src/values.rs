// SPDX-License-Identifier: MIT OR Apache-2.0
//! From the counts of one metric to the estimates of its values.

use stipple_ldp::postprocess::norm_sub;
use stipple_ldp::{Debias, Mechanism, Support};

use crate::interval::{Interval, Level, student};
use crate::share::{Intervals, tighten};

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
    /// the consistent estimate's interval by bootstrap; `None` unless asked for, and without shares that sum to 1
    pub consistent_interval: Option<Interval>,
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

/// The estimates of all values from the counts of a metric: one for each label, or `mean`. Where each sender holds exactly one value the
/// shares sum to 1, which simultaneous intervals and consistent estimates use.
///
/// `counts` has one entry for each of [`Mechanism::cells`], and `reports` is positive.
#[must_use]
pub fn values(
    mechanism: &Mechanism,
    labels: Vec<String>,
    sums_to_one: bool,
    counts: &[u64],
    reports: u64,
    level: Level,
) -> Vec<ValueEstimate> {
    match mechanism.debias() {
        Debias::Shares(constants) => {
            let mut intervals = Intervals::new(reports, constants, level, labels.len());
            let support = mechanism.support_counts(counts);
            let share = |(label, &hits)| share(label, hits, reports, constants, &mut intervals);
            let mut values: Vec<_> = labels.into_iter().zip(support.iter()).map(share).collect();
            if sums_to_one {
                sum_to_one(&mut values);
            }
            values
        }
        Debias::Mean { unbiased } => vec![mean(mechanism, counts, &unbiased, reports, level)],
    }
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
        consistent_interval: None,
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
        consistent_interval: None,
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

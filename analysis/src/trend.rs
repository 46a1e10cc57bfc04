// SPDX-License-Identifier: MIT OR Apache-2.0
//! Straight lines through weeks. docs/estimates.md derives the formulas.

use std::io::{self, Write};

use serde::Serialize;
use stipple_catalog::Catalogue;
use stipple_ldp::Debias;

use crate::columns::write_columns;
use crate::dataset::Dataset;
use crate::estimate::{Pooled, weekly};
use crate::interval::{Interval, Level};
use crate::significance::{holm, two_sided};
use crate::span::Span;
use crate::words::number;

/// The fewest weeks with reports that a line is drawn through.
pub const LEAST_WEEKS: usize = 3;
/// Rows that the table shows.
const SHOWN: usize = 25;

/// How a value moves from week to week.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trend {
    /// the metric's id
    pub metric: String,
    /// the value, or `mean`
    pub value: String,
    /// the weeks that have reports
    pub weeks: usize,
    /// the slope: shares (or counts) per week
    pub slope: f64,
    /// its standard error
    pub standard_error: f64,
    /// its interval
    pub interval: Interval,
    /// the p-value of no trend, two-sided
    pub p: f64,
    /// the p-value after Holm's correction for all rows
    pub p_adjusted: f64,
}

/// One week of one number, in units of a report: `phi` is 1 for a hit and 0 for a miss, or what an output stands for.
struct Point {
    /// weeks since the first
    at: f64,
    n: f64,
    /// the sum of phi
    sum: f64,
    /// the sum of squares of phi
    squares: f64,
}

/// The trends of all metrics that have reports in [`LEAST_WEEKS`] weeks of the span.
#[must_use]
pub fn trends(dataset: &Dataset, catalogue: &Catalogue, span: Option<Span>, level: Level) -> Vec<Trend> {
    let mut trends = Vec::new();
    for definition in catalogue.definitions() {
        let weeks = weekly(dataset, definition, span);
        if weeks.len() >= LEAST_WEEKS {
            trends.extend(metric(&weeks, level));
        }
    }
    let adjusted = holm(&trends.iter().map(|trend| trend.p).collect::<Vec<_>>());
    trends.iter_mut().zip(adjusted).for_each(|(trend, p)| trend.p_adjusted = p);
    trends
}

fn metric(weeks: &[Pooled<'_>], level: Level) -> Vec<Trend> {
    let definition = weeks[0].definition;
    let mechanism = &definition.mechanism;
    let at = |week: &Pooled<'_>| f64::from(week.span.first.index() - weeks[0].span.first.index());
    let trend = |(value, points, scale): (String, Vec<Point>, f64)| {
        let (slope, error, z) = line(&points)?;
        let (slope, standard_error) = (slope * scale, error * scale);
        let half = level.normal_quantile() * standard_error;
        let interval = Interval { lower: slope - half, upper: slope + half };
        let (metric, weeks, p) = (definition.id.clone(), points.len(), two_sided(z));
        Some(Trend { metric, value, weeks, slope, standard_error, interval, p, p_adjusted: p })
    };
    match mechanism.debias() {
        Debias::Shares(constants) => {
            let supports: Vec<_> = weeks.iter().map(|week| mechanism.support_counts(&week.counts)).collect();
            let point = |(week, hits): (&Pooled<'_>, u64)| Point {
                at: at(week),
                n: week.reports as f64,
                sum: hits as f64,
                squares: hits as f64,
            };
            let values = definition.domain.labels().into_iter().enumerate().map(|(v, label)| {
                let points = weeks.iter().zip(supports.iter().map(|support| support[v])).map(point).collect();
                (label, points, constants.contrast().recip())
            });
            values.filter_map(trend).collect()
        }
        Debias::Mean { unbiased } => {
            let moment = |week: &Pooled<'_>, power| {
                week.counts.iter().zip(&unbiased).map(|(&count, phi)| count as f64 * phi.powi(power)).sum()
            };
            let point = |week: &Pooled<'_>| Point {
                at: at(week),
                n: week.reports as f64,
                sum: moment(week, 1),
                squares: moment(week, 2),
            };
            trend(("mean".to_owned(), weeks.iter().map(point).collect(), 1.0)).into_iter().collect()
        }
    }
}

/// The slope of the line through the weekly means with weights n (that of a regression on single reports), its standard error, and
/// the z of no trend (for hits, that of Cochran, Biometrics 10, 1954, and Armitage, Biometrics 11, 1955).
///
/// With x centred at its weighted mean and Q = sum of n x^2: `slope = sum n x y / Q`. Its variance is `sum n x^2 v / Q^2` with v the
/// variance of phi in each week; without a trend all weeks have the pooled variance V, and it is `V / Q`. `None` without reports in two
/// weeks, or where all phi are equal.
fn line(points: &[Point]) -> Option<(f64, f64, f64)> {
    let total: f64 = points.iter().map(|point| point.n).sum();
    let centre = points.iter().map(|point| point.n * point.at).sum::<f64>() / total;
    let spread: f64 = points.iter().map(|point| point.n * (point.at - centre).powi(2)).sum();
    let variance = |n: f64, sum: f64, squares: f64| (squares / n - (sum / n).powi(2)).max(0.0);
    let slope = points.iter().map(|point| (point.at - centre) * point.sum).sum::<f64>() / spread;
    let own = points
        .iter()
        .map(|point| point.n * (point.at - centre).powi(2) * variance(point.n, point.sum, point.squares))
        .sum::<f64>();
    let (sum, squares) = points.iter().fold((0.0, 0.0), |(s, q), point| (s + point.sum, q + point.squares));
    let pooled = variance(total, sum, squares);
    let usable = spread > 0.0 && own > 0.0 && pooled > 0.0;
    usable.then(|| (slope, own.sqrt() / spread, slope / (pooled / spread).sqrt()))
}

/// Writes the trends, the surest first.
///
/// # Errors
/// [`io::Error`] of the writer.
pub fn write_trends(trends: &[Trend], catalogue: &Catalogue, out: &mut dyn Write) -> io::Result<()> {
    let mut order: Vec<&Trend> = trends.iter().collect();
    order.sort_by(|a, b| a.p.total_cmp(&b.p));
    let headings = ["metric", "value", "weeks", "a week", "interval", "p", "p adjusted"];
    let mut rows = vec![headings.map(str::to_owned).to_vec()];
    rows.extend(order.iter().take(SHOWN).filter_map(|trend| {
        let mechanism = &catalogue.get(&trend.metric)?.mechanism;
        let is_mean = matches!(mechanism.debias(), Debias::Mean { .. });
        let (scale, unit) = if is_mean { (1.0, "") } else { (100.0, " pt") };
        let show = |x: f64| number(x * scale, 3);
        let mark = if trend.p_adjusted < 0.05 { " *" } else { "" };
        Some(vec![
            trend.metric.clone(),
            trend.value.clone(),
            trend.weeks.to_string(),
            format!("{}{unit}", show(trend.slope)),
            format!("{} to {}", show(trend.interval.lower), show(trend.interval.upper)),
            number(trend.p, 4),
            format!("{}{mark}", number(trend.p_adjusted, 4)),
        ])
    }));
    write_columns(&rows, 2, out)?;
    if trends.len() > SHOWN {
        writeln!(out, "  … and {} more (with --json)", trends.len() - SHOWN)?;
    }
    writeln!(out, "* a trend: p below 5 % after Holm's correction for all {} rows", trends.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(at: f64, n: f64, hits: f64) -> Point {
        Point { at, n, sum: hits, squares: hits }
    }

    /// Against the regression of single reports, written out: sums over every report.
    #[test]
    fn the_line_is_that_of_all_single_reports() {
        let points = [hits(0.0, 40.0, 10.0), hits(2.0, 50.0, 20.0), hits(3.0, 10.0, 7.0)];
        let (slope, _, z) = line(&points).unwrap();
        let mut reports = Vec::new();
        for (x, n, hits) in [(0.0, 40, 10), (2.0, 50, 20), (3.0, 10, 7)] {
            reports.extend((0..n).map(|i| (x, f64::from(u8::from(i < hits)))));
        }
        let n = reports.len() as f64;
        let (mx, my) = (reports.iter().map(|r| r.0).sum::<f64>() / n, reports.iter().map(|r| r.1).sum::<f64>() / n);
        let sxx: f64 = reports.iter().map(|r| (r.0 - mx).powi(2)).sum();
        let sxy: f64 = reports.iter().map(|r| (r.0 - mx) * (r.1 - my)).sum();
        let syy: f64 = reports.iter().map(|r| (r.1 - my).powi(2)).sum();
        assert!((slope - sxy / sxx).abs() < 1e-12);
        // Armitage's statistic is n times the squared correlation.
        assert!((z * z - n * sxy * sxy / (sxx * syy)).abs() < 1e-9);
    }

    #[test]
    fn a_line_needs_two_weeks_and_some_spread() {
        assert!(line(&[hits(0.0, 40.0, 10.0)]).is_none());
        assert!(line(&[hits(0.0, 40.0, 0.0), hits(1.0, 40.0, 0.0)]).is_none());
    }
}

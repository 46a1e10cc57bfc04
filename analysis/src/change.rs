// SPDX-License-Identifier: MIT OR Apache-2.0
//! What changed between two spans of weeks. docs/estimates.md derives the formulas.

use std::io::{self, Write};

use serde::Serialize;
use stipple_catalog::{Catalogue, Definition};
use stipple_ldp::Debias;

use crate::columns::write_columns;
use crate::dataset::Dataset;
use crate::estimate::{Pooled, TooFew, pool, too_few};
use crate::interval::{Interval, Level};
use crate::share::Intervals;
use crate::significance::{Hits, equal_shares, holm, two_sided_t};
use crate::span::Span;
use crate::values::ValueEstimate;
use crate::words::number;

/// Values of one metric that the table shows.
const SHOWN: usize = 5;

/// What changed for one value, from the first span to the second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ValueChange {
    /// the metric's id
    pub metric: String,
    /// the value, or `mean`
    pub value: String,
    /// the unbiased estimate of the first span
    pub before: f64,
    /// that of the second
    pub after: f64,
    /// the difference, after minus before
    pub difference: f64,
    /// its interval
    pub interval: Interval,
    /// after divided by before; `None` where what was before may be nothing
    pub ratio: Option<f64>,
    /// the ratio's interval
    pub ratio_interval: Option<Interval>,
    /// the p-value of no change, two-sided
    pub p: f64,
    /// the p-value after Holm's correction for all rows of all metrics
    pub p_adjusted: f64,
}

/// All changes, and what is left out.
#[derive(Clone, Debug)]
pub struct Changes<'c> {
    /// in the order of the metrics, then of the values
    pub rows: Vec<ValueChange>,
    /// spans with too few reports
    pub too_few: Vec<TooFew<'c>>,
}

/// One span's figures of a value.
struct Side {
    n: u64,
    /// a share's; `None` for a mean
    hits: Option<u64>,
    estimate: f64,
    error: f64,
    /// not cut to the possible range
    interval: Interval,
}

/// Compares every metric that has reports enough in both spans.
#[must_use]
pub fn change<'c>(dataset: &Dataset, catalogue: &'c Catalogue, spans: [Span; 2], level: Level) -> Changes<'c> {
    let mut changes = Changes { rows: Vec::new(), too_few: Vec::new() };
    for definition in catalogue.definitions() {
        let [before, after] = spans.map(|span| pool(dataset, definition, Some(span)));
        let (Some(before), Some(after)) = (before, after) else { continue };
        let few: Vec<_> = [&before, &after].into_iter().filter_map(|side| too_few(side, level)).collect();
        if few.is_empty() {
            let (first, second) = (sides(&before, level), sides(&after, level));
            let pairs = first.into_iter().zip(second);
            changes.rows.extend(pairs.map(|((value, a), (_, b))| row(definition, value, &a, &b, level)));
        }
        changes.too_few.extend(few);
    }
    let adjusted = holm(&changes.rows.iter().map(|row| row.p).collect::<Vec<_>>());
    changes.rows.iter_mut().zip(adjusted).for_each(|(row, p)| row.p_adjusted = p);
    changes
}

/// The figures of every value.
fn sides(pooled: &Pooled<'_>, level: Level) -> Vec<(String, Side)> {
    let n = pooled.reports;
    let mechanism = &pooled.definition.mechanism;
    let values = pooled.values(level).into_iter();
    let side = |hits, interval, value: ValueEstimate| {
        let error = value.standard_error.unwrap_or(f64::INFINITY);
        (value.value, Side { n, hits, estimate: value.estimate, error, interval })
    };
    match mechanism.debias() {
        Debias::Shares(constants) => {
            let intervals = Intervals::new(n, constants, level, 1);
            let support = mechanism.support_counts(&pooled.counts);
            let figures = values.zip(support.iter());
            figures.map(|(value, &hits)| side(Some(hits), intervals.whole(hits), value)).collect()
        }
        Debias::Mean { .. } => {
            let around = |value: &ValueEstimate| Interval {
                lower: value.estimate - value.margin,
                upper: value.estimate + value.margin,
            };
            values.map(|value| side(None, around(&value), value)).collect()
        }
    }
}

fn row(definition: &Definition, value: String, before: &Side, after: &Side, level: Level) -> ValueChange {
    let ratio = fieller(before, after, level);
    ValueChange {
        metric: definition.id.clone(),
        value,
        before: before.estimate,
        after: after.estimate,
        difference: after.estimate - before.estimate,
        interval: recovered(before, after),
        ratio: ratio.map(|_| after.estimate / before.estimate),
        ratio_interval: ratio,
        p: p_value(before, after),
        p_adjusted: 1.0,
    }
}

/// The interval of a difference from the intervals of its terms: each end is as far from the difference as the two ends that it
/// comes from are from their estimates, squares added (Newcombe, Statistics in Medicine 17, 1998, method 10; Zou and Donner, the same 27,
/// 2008, for any two parameters).
fn recovered(before: &Side, after: &Side) -> Interval {
    let (a, b) = (before.interval, after.interval);
    let difference = after.estimate - before.estimate;
    Interval {
        lower: difference - (after.estimate - b.lower).hypot(a.upper - before.estimate),
        upper: difference + (b.upper - after.estimate).hypot(before.estimate - a.lower),
    }
}

/// The ratios r at which `after - r before` is not significantly different from 0 (Fieller, Journal of the Royal Statistical Society B
/// 16(2), 1954), none below 0. `None` where what was before is not clear of 0, so that any ratio could be.
fn fieller(before: &Side, after: &Side, level: Level) -> Option<Interval> {
    let z2 = level.normal_quantile().powi(2);
    let (x, y) = (before.estimate, after.estimate);
    let (a, c) = (x * x - z2 * before.error.powi(2), y * y - z2 * after.error.powi(2));
    let root = (x * x * y * y - a * c).sqrt();
    (x > 0.0 && a > 0.0 && root.is_finite())
        .then(|| Interval { lower: ((x * y - root) / a).max(0.0), upper: ((x * y + root) / a).max(0.0) })
}

/// For shares a test of two binomials, for means Welch's (Biometrika 34, 1947).
fn p_value(before: &Side, after: &Side) -> f64 {
    if let (Some(a), Some(b)) = (before.hits, after.hits) {
        return equal_shares(Hits { hits: a, n: before.n }, Hits { hits: b, n: after.n });
    }
    let (a, b) = (before.error.powi(2), after.error.powi(2));
    let freedom = (a + b).powi(2) / (a * a / (before.n - 1) as f64 + b * b / (after.n - 1) as f64);
    two_sided_t((after.estimate - before.estimate) / (a + b).sqrt(), freedom)
}

/// Writes the changes of every metric, the surest first.
///
/// # Errors
/// [`io::Error`] of the writer.
pub fn write_changes(changes: &Changes<'_>, catalogue: &Catalogue, out: &mut dyn Write) -> io::Result<()> {
    for group in changes.rows.chunk_by(|a, b| a.metric == b.metric) {
        let Some(definition) = catalogue.get(&group[0].metric) else { continue };
        let is_mean = matches!(definition.mechanism.debias(), Debias::Mean { .. });
        let (scale, decimals) = if is_mean { (1.0, 2) } else { (100.0, 1) };
        let show = |x: f64| number(x * scale, decimals);
        writeln!(out, "{} ({}){}", definition.title, definition.id, if is_mean { "" } else { ", in per cent" })?;
        let mut order: Vec<&ValueChange> = group.iter().collect();
        order.sort_by(|a, b| a.p.total_cmp(&b.p));
        let headings = ["", "before", "after", "change", "interval", "ratio", "p", "p adjusted"];
        let mut rows = vec![headings.map(str::to_owned).to_vec()];
        rows.extend(order.iter().take(SHOWN).map(|row| {
            let interval = format!("{} to {}", show(row.interval.lower), show(row.interval.upper));
            let ratio = row.ratio.map_or_else(|| "–".to_owned(), |ratio| number(ratio, 2));
            let mark = if row.p_adjusted < 0.05 { " *" } else { "" };
            vec![
                row.value.clone(),
                show(row.before),
                show(row.after),
                show(row.difference),
                interval,
                ratio,
                number(row.p, 4),
                format!("{}{mark}", number(row.p_adjusted, 4)),
            ]
        }));
        write_columns(&rows, 1, out)?;
        if group.len() > SHOWN {
            writeln!(out, "  … and {} more (with --json)", group.len() - SHOWN)?;
        }
        writeln!(out)?;
    }
    writeln!(out, "* changed: p below 5 % after Holm's correction for all {} rows", changes.rows.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interval::wilson;

    fn of_trials(hits: u64, n: u64) -> Side {
        let share = hits as f64 / n as f64;
        let error = (share * (1.0 - share) / n as f64).sqrt();
        Side { n, hits: Some(hits), estimate: share, error, interval: wilson(hits, n, Level::USUAL) }
    }

    /// Newcombe's own example (1998, table II, contrast a): 56/70 - 48/80 = 0.2, by method 10 from 0.0524 to 0.3339.
    #[test]
    fn the_interval_of_a_difference_is_newcombes() {
        let found = recovered(&of_trials(48, 80), &of_trials(56, 70));
        assert!((found.lower - 0.0524).abs() < 5e-5 && (found.upper - 0.3339).abs() < 5e-5, "{found:?}");
    }

    /// At either end of Fieller's interval the difference `y - r x` is exactly significant, and within it is not.
    #[test]
    fn the_interval_of_a_ratio_inverts_the_test() {
        let (before, after) = (of_trials(120, 400), of_trials(90, 500));
        let z = |ratio: f64| {
            let error = after.error.hypot(ratio * before.error);
            ((after.estimate - ratio * before.estimate) / error).abs()
        };
        let Interval { lower, upper } = fieller(&before, &after, Level::USUAL).unwrap();
        let limit = Level::USUAL.normal_quantile();
        assert!((z(lower) - limit).abs() < 1e-9 && (z(upper) - limit).abs() < 1e-9);
        assert!(z(f64::midpoint(lower, upper)) < limit && lower < 0.6 && 0.6 < upper);
        assert!(fieller(&of_trials(1, 400), &after, Level::USUAL).is_none(), "what was before may be nothing");
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! From support counts to estimates. docs/estimates.md derives every formula.

use std::fmt;

use stipple_catalog::{Catalogue, Definition, Domain};
use stipple_ldp::accounting::manipulation::{mean_moved, share_raised};
use stipple_ldp::{Debias, Mechanism};

use crate::bootstrap;
use crate::central::{Bounds, Central};
use crate::dataset::{Dataset, WeekCounts};
use crate::interval::Level;
use crate::quantile::{Quantile, quantiles};
use crate::span::Span;
use crate::values::{ValueEstimate, reports_needed, values};

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
    /// rounds of the bootstrap for the intervals of consistent estimates; 0 leaves them out
    pub bootstrap: u32,
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
    /// where a quarter, half, three quarters and nine tenths of the computers lie; empty for values without an order
    pub quantiles: Vec<Quantile>,
    /// what the counts tell a reader about one reporter, if the reports are really shuffled; `None` unless asked for
    pub central: Option<Central>,
    /// the share of reporters that [`Self::moved`] supposes to lie
    pub liars: f64,
    /// how far liars could raise an estimate (for a mean: move it)
    pub moved: f64,
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
    pub const USUAL: Self =
        Self { level: Level::USUAL, by_week: false, span: None, liars: 0.001, delta: None, bootstrap: 0 };
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
        let spans: Vec<Pooled<'_>> = if options.by_week {
            weekly(dataset, definition, options.span)
        } else {
            pool(dataset, definition, options.span).into_iter().collect()
        };
        if spans.is_empty() {
            estimates.without_reports.push(&definition.id);
        }
        for pooled in spans {
            match too_few(&pooled, options.level) {
                Some(few) => estimates.too_few.push(few),
                None => estimates.metrics.push(pooled.estimate(options, &mut bounds)),
            }
        }
    }
    estimates
}

/// The weeks of a metric that have reports and lie in a span, each apart.
pub(crate) fn weekly<'c>(dataset: &Dataset, definition: &'c Definition, span: Option<Span>) -> Vec<Pooled<'c>> {
    weeks(dataset, definition, span).into_iter().filter_map(|week| Pooled::new(definition, &[week])).collect()
}

/// All weeks of a metric that lie in a span, summed; `None` without a report.
pub(crate) fn pool<'c>(dataset: &Dataset, definition: &'c Definition, span: Option<Span>) -> Option<Pooled<'c>> {
    Pooled::new(definition, &weeks(dataset, definition, span))
}

fn weeks<'d>(dataset: &'d Dataset, definition: &Definition, span: Option<Span>) -> Vec<&'d WeekCounts> {
    let wanted = |week: &&WeekCounts| week.reports > 0 && span.is_none_or(|span| span.holds(week.week));
    dataset.weeks(&definition.id).iter().filter(wanted).collect()
}

/// What is said of counts with too few reports.
pub(crate) fn too_few<'c>(pooled: &Pooled<'c>, level: Level) -> Option<TooFew<'c>> {
    let Pooled { definition, span, reports, .. } = *pooled;
    let needed = reports_needed(&definition.mechanism, level);
    (reports < needed).then_some(TooFew { metric: &definition.id, span, reports, needed })
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
        let (mut values, moved) = (self.values(level), moved(&definition.mechanism));
        if !matches!(definition.domain, Domain::Set { .. }) {
            let consistent: Vec<f64> = values.iter().map(|value| value.consistent).collect();
            let found = bootstrap::intervals(&definition.mechanism, &consistent, reports, level, options.bootstrap);
            for (value, interval) in values.iter_mut().zip(found.into_iter().flatten()) {
                value.consistent_interval = Some(interval);
            }
        }
        let central = options.delta.map(|delta| bounds.central(definition, reports, delta));
        let (quantiles, moved) = (quantiles(self, level), liars * moved);
        MetricEstimate { definition, span, reports, level, values, quantiles, central, liars, moved }
    }

    /// The estimates of all values.
    pub(crate) fn values(&self, level: Level) -> Vec<ValueEstimate> {
        let sums_to_one = !matches!(self.definition.domain, Domain::Set { .. });
        let labels = self.definition.domain.labels();
        values(&self.definition.mechanism, labels, sums_to_one, &self.counts, self.reports, level)
    }
}

/// How far all reports could move an estimate if all of them lied: for a share, above that of nobody.
fn moved(mechanism: &Mechanism) -> f64 {
    match mechanism.debias() {
        Debias::Shares(constants) => share_raised(&constants, 1, 1),
        Debias::Mean { unbiased } => mean_moved(&unbiased, 1, 1),
    }
}

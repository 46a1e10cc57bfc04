// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sums of one batch, so that each cell is written once for all reports that support it.

use std::collections::BTreeMap;

use stipple_catalog::{Catalogue, Definition, MetricKey, Report, ReportId, Week};
use stipple_ldp::Response;

/// A report that passed every check, without the borrow of the catalogue.
#[derive(Clone, Copy)]
pub(crate) struct Accepted {
    pub id: ReportId,
    pub metric: MetricKey,
    pub week: Week,
    pub response: Response,
}

impl From<&Report<'_>> for Accepted {
    fn from(report: &Report<'_>) -> Self {
        Self { id: report.id, metric: report.definition.key, week: report.week, response: report.response }
    }
}

/// Reports and support counts by metric and week.
#[derive(Default)]
pub(crate) struct Sums(BTreeMap<(MetricKey, Week), Series>);

/// The sums of one metric and week.
pub(crate) struct Series {
    pub reports: i64,
    pub cells: Vec<i64>,
}

impl Sums {
    /// Adds one report. Only a report of another catalogue could fail to add, and `decode` lets none through.
    pub fn add(&mut self, catalogue: &Catalogue, report: &Accepted) {
        let Some(definition) = catalogue.by_key(report.metric) else { return };
        let mechanism = &definition.mechanism;
        let series = self
            .0
            .entry((report.metric, report.week))
            .or_insert_with(|| Series { reports: 0, cells: vec![0; mechanism.cells()] });
        if mechanism.accumulate(&report.response, |cell| series.cells[cell] += 1).is_ok() {
            series.reports += 1;
        }
    }

    /// The sums with the definitions that they are of.
    pub fn by_definition<'a>(
        &'a self,
        catalogue: &'a Catalogue,
    ) -> impl Iterator<Item = (&'a Definition, Week, &'a Series)> {
        self.0.iter().filter_map(|(&(key, week), series)| Some((catalogue.by_key(key)?, week, series)))
    }
}

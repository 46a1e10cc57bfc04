// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rows of `counts.csv`. No field of the format may hold a comma or a quote, so a row is split at its commas; a row that
//! someone quoted has a field that is no id, week or number.

use std::collections::BTreeMap;

use stipple_catalog::{Catalogue, Definition, Week};

use super::error::{HEADER, RowFault};
use super::{MOST_REPORTS, WeekCounts};

/// A fault with its row, from 1.
type At = (usize, RowFault);
type Metrics = BTreeMap<String, Vec<WeekCounts>>;

/// One row whose fields are well formed.
struct Row<'a, 'c> {
    definition: &'c Definition,
    week: Week,
    reports: u64,
    cell: &'a str,
    count: u64,
}

/// The metric and week that is being read.
struct Open<'c> {
    definition: &'c Definition,
    counts: WeekCounts,
}

/// The counts of every metric, weeks in order, and the number of rows without the header.
pub(super) fn parse(bytes: &[u8], catalogue: &Catalogue) -> Result<(Metrics, usize), At> {
    let mut lines = bytes.split_inclusive(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line));
    if lines.next() != Some(HEADER.as_bytes()) {
        return Err((1, RowFault::Header));
    }
    let mut metrics = Metrics::new();
    let mut definitions = BTreeMap::new();
    let mut open: Option<Open<'_>> = None;
    let mut number = 1;
    for line in lines {
        number += 1;
        let row = row(line, catalogue, &mut definitions).map_err(|fault| (number, fault))?;
        match &mut open {
            Some(group) if group.definition.id == row.definition.id && group.counts.week == row.week => {
                group.add(&row).map_err(|fault| (number, fault))?;
            }
            _ => {
                // A group that ends too early is found where the next one begins.
                let next = begin(open.as_ref(), &row).map_err(|fault| (number, fault))?;
                close(open.replace(next), &mut metrics).map_err(|fault| (number, fault))?;
            }
        }
    }
    close(open, &mut metrics).map_err(|fault| (number + 1, fault))?;
    Ok((metrics, number - 1))
}

fn row<'a, 'c>(
    line: &'a [u8],
    catalogue: &'c Catalogue,
    definitions: &mut BTreeMap<&'a str, &'a str>,
) -> Result<Row<'a, 'c>, RowFault> {
    let line = std::str::from_utf8(line).map_err(|_| RowFault::Encoding)?;
    let fields: Vec<&str> = line.split(',').collect();
    let &[metric, hash, week, reports, cell, count] = fields.as_slice() else {
        return Err(RowFault::Columns(fields.len()));
    };
    let definition = catalogue.get(metric).ok_or_else(|| RowFault::UnknownMetric(metric.to_owned()))?;
    if hash.len() != 32 || !hash.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(RowFault::BadDefinition(hash.to_owned()));
    }
    let first = *definitions.entry(metric).or_insert(hash);
    if first != hash {
        let (first, second) = (first.to_owned(), hash.to_owned());
        return Err(RowFault::TwoDefinitions { metric: metric.to_owned(), first, second });
    }
    if definition.hash.to_string() != hash {
        let (metric, found) = (metric.to_owned(), hash.to_owned());
        return Err(RowFault::StaleDefinition { metric, expected: definition.hash, found });
    }
    let (reports, count) = (whole("reports", reports)?, whole("count", count)?);
    if count > reports {
        return Err(RowFault::CountOverReports { count, reports });
    }
    Ok(Row { definition, week: week.parse()?, reports, cell, count })
}

/// A whole number in the one way of writing it: `+1`, `01`, `1.0`, `NaN` and negative numbers are refused.
fn whole(column: &'static str, text: &str) -> Result<u64, RowFault> {
    let number = text.parse().ok().filter(|number: &u64| *number <= MOST_REPORTS && number.to_string() == text);
    number.ok_or_else(|| RowFault::Number { column, text: text.to_owned() })
}

/// Begins the group of a row, which must come after the group before.
fn begin<'c>(before: Option<&Open<'c>>, row: &Row<'_, 'c>) -> Result<Open<'c>, RowFault> {
    if let Some(before) = before {
        let (old, new) = ((&before.definition.id, before.counts.week), (&row.definition.id, row.week));
        if old >= new {
            let after = format!("{} in {}", old.0, old.1);
            return Err(RowFault::Order { metric: new.0.clone(), week: new.1, after });
        }
    }
    let counts = WeekCounts { week: row.week, reports: row.reports, counts: Vec::new() };
    let mut open = Open { definition: row.definition, counts };
    open.add(row)?;
    Ok(open)
}

/// Ends a group: every cell must be there, and the sum must be possible.
fn close(open: Option<Open<'_>>, metrics: &mut Metrics) -> Result<(), RowFault> {
    let Some(Open { definition, counts }) = open else { return Ok(()) };
    let (metric, week, reports) = (definition.id.clone(), counts.week, counts.reports);
    let (cells, seen) = (definition.mechanism.cells(), counts.counts.len());
    if seen != cells {
        let (expected, found) = (format!("cell {seen}"), "the end of its rows".to_owned());
        return Err(RowFault::Cell { metric, week, expected, found });
    }
    if let Some(each) = definition.mechanism.cells_per_response() {
        let found = counts.counts.iter().copied().map(u128::from).sum();
        let expected = u128::from(reports) * u128::from(each);
        if found != expected {
            return Err(RowFault::Sum { metric, week, reports, expected, found });
        }
    }
    let weeks = metrics.entry(metric.clone()).or_default();
    weeks.push(counts);
    let total: u128 = weeks.iter().map(|week| u128::from(week.reports)).sum();
    if total > u128::from(MOST_REPORTS) {
        return Err(RowFault::TooManyReports(metric));
    }
    Ok(())
}

impl Open<'_> {
    fn add(&mut self, row: &Row<'_, '_>) -> Result<(), RowFault> {
        let (metric, week, next) = (|| self.definition.id.clone(), row.week, self.counts.counts.len());
        let is_over = next >= self.definition.mechanism.cells();
        if is_over || row.cell != next.to_string() {
            let expected = if is_over { "another metric or week".to_owned() } else { format!("cell {next}") };
            return Err(RowFault::Cell { metric: metric(), week, expected, found: format!("cell {:?}", row.cell) });
        }
        if row.reports != self.counts.reports {
            let (expected, found) = (self.counts.reports, row.reports);
            return Err(RowFault::UnequalReports { metric: metric(), week, expected, found });
        }
        self.counts.counts.push(row.count);
        Ok(())
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! `manifest.json`: what the dataset says about itself, compared with its rows.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::WeekCounts;
use super::error::DatasetError;

/// The fields that the analysis needs; a later exporter may add others without a new version.
#[derive(Debug, Deserialize)]
pub(super) struct Manifest {
    pub title: String,
    pub catalogue_hash: String,
    pub phase: String,
    weeks: Option<Weeks>,
    metrics: Vec<Metric>,
    files: Vec<File>,
    pub reports: u64,
}

#[derive(Debug, Deserialize)]
struct Weeks {
    first: String,
    last: String,
}

#[derive(Debug, Deserialize)]
struct Metric {
    id: String,
    reports: u64,
}

#[derive(Debug, Deserialize)]
pub(super) struct File {
    name: String,
    pub sha256: String,
    rows: usize,
}

/// Read before the rest, so that a later version is named and not called broken.
#[derive(Deserialize)]
struct Format {
    format: String,
    version: u64,
}

impl Manifest {
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, DatasetError> {
        let broken = |source| DatasetError::Manifest { path: path.to_owned(), source };
        let Format { format, version } = serde_json::from_slice(bytes).map_err(broken)?;
        if format != "stipple-counts" || version != 1 {
            return Err(DatasetError::Format { path: path.to_owned(), format, version });
        }
        serde_json::from_slice(bytes).map_err(broken)
    }

    pub fn file(&self, path: &Path, name: &str) -> Result<&File, DatasetError> {
        let listed = self.files.iter().find(|file| file.name == name);
        listed.ok_or_else(|| DatasetError::NotListed { path: path.to_owned() })
    }

    /// Compares every number that the manifest states with the rows.
    pub fn check(
        &self,
        path: &Path,
        rows: usize,
        metrics: &BTreeMap<String, Vec<WeekCounts>>,
    ) -> Result<(), DatasetError> {
        let compare = |what: String, stated: String, found: String| {
            if stated == found {
                return Ok(());
            }
            Err(DatasetError::Totals { path: path.to_owned(), what, stated, found })
        };
        let total = |weeks: &[WeekCounts]| weeks.iter().map(|week| u128::from(week.reports)).sum::<u128>();
        let listed = self.file(path, "counts.csv")?;
        compare("the number of rows".into(), listed.rows.to_string(), rows.to_string())?;
        for metric in &self.metrics {
            let found = metrics.get(&metric.id).map_or(0, |weeks| total(weeks));
            compare(format!("the number of reports of {}", metric.id), metric.reports.to_string(), found.to_string())?;
        }
        let found: u128 = metrics.values().map(|weeks| total(weeks)).sum();
        compare("the number of reports".into(), self.reports.to_string(), found.to_string())?;
        let weeks = || metrics.values().flatten().map(|week| week.week);
        if let (Some(stated), Some(first), Some(last)) = (&self.weeks, weeks().min(), weeks().max()) {
            compare("the first week".into(), stated.first.clone(), first.to_string())?;
            compare("the last week".into(), stated.last.clone(), last.to_string())?;
        }
        Ok(())
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Writes the counts dataset: `counts.csv`, `catalogue.json` and `manifest.json`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use stipple_catalog::{Catalogue, Definition, Week, hex};

use crate::status;
use crate::store::{self, Address, StoreError, Stored};

pub(crate) const HEADER: &str = "metric,definition,week,reports,cell,count\n";

/// A dataset that could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store holds counts that the catalogue cannot explain.
    #[error(
        "the store holds counts of {metric} under definition {definition}, which the catalogue does not have: \
         export with the catalogue that they were counted under, or leave them out with --skip-unknown"
    )]
    Unknown {
        /// the metric
        metric: String,
        /// its definition's hash
        definition: String,
    },
    /// A file of the dataset could not be written.
    #[error("cannot write {path}: {source}; choose a folder with room that this user may write to with --out")]
    Write {
        /// the file
        path: PathBuf,
        /// why
        source: std::io::Error,
    },
}

/// What to do with counts that the catalogue does not explain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unknown {
    /// Refuse the export.
    #[default]
    Refuse,
    /// Leave them out.
    Skip,
}

/// The manifest of a dataset, as `manifest.json` holds it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Exported {
    /// always `stipple-counts`
    pub format: &'static str,
    /// the format's version
    pub version: u32,
    /// the catalogue's title
    pub title: String,
    /// the catalogue's hash
    pub catalogue_hash: String,
    /// what one workstation may spend in an epoch
    pub epsilon_epoch: stipple_ldp::Epsilon,
    /// production or testing
    pub phase: String,
    /// the random names of the stores that counted, by which an import knows what it has
    pub sources: Vec<String>,
    /// the first and last week with a report
    pub weeks: Option<Weeks>,
    /// every metric with a report
    pub metrics: Vec<MetricSummary>,
    /// the files beside the manifest
    pub files: Vec<DataFile>,
    /// all reports
    pub reports: u64,
}

/// A span of weeks, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Weeks {
    /// the first
    pub first: Week,
    /// the last
    pub last: Week,
}

/// One metric of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MetricSummary {
    /// the metric's id
    pub id: String,
    /// its definition's hash
    pub definition: String,
    /// in how many weeks it was reported
    pub weeks: u64,
    /// its reports
    pub reports: u64,
}

/// One file of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DataFile {
    /// its name
    pub name: String,
    /// the SHA-256 of its bytes
    pub sha256: String,
    /// its rows without the header, or its definitions
    pub rows: u64,
}

impl DataFile {
    fn new(name: &str, content: &str, rows: usize) -> Self {
        let digest: [u8; 32] = Sha256::digest(content).into();
        Self { name: name.into(), sha256: hex(&digest), rows: rows as u64 }
    }
}

/// One metric and week of the store.
struct Series<'c> {
    definition: &'c Definition,
    week: Week,
    reports: u64,
    counts: Vec<u64>,
}

/// Writes the dataset of a store into a folder, which is made when it is not there. The store may be being served: all is
/// read in one transaction. Files appear under their names only when they are whole.
///
/// # Errors
/// [`ExportError`].
pub fn export(store: &Address, catalogue: &Catalogue, out: &Path, unknown: Unknown) -> Result<Exported, ExportError> {
    let mut store = store::open_to_read(store)?;
    let (phase, sources) = (store.phase()?, store.sources()?);
    let stored = store.read()?.into_iter().filter_map(|stored| explain(stored, catalogue, unknown).transpose());
    let series = stored.collect::<Result<Vec<_>, _>>()?;
    let csv = csv(&series);
    let definitions = status::document(catalogue);
    let definitions = serde_json::to_string_pretty(&definitions).unwrap_or_default() + "\n"; // strings and numbers serialise
    let files = vec![
        DataFile::new("counts.csv", &csv, csv.lines().count() - 1),
        DataFile::new("catalogue.json", &definitions, catalogue.definitions().len()),
    ];
    let manifest = manifest(catalogue, (phase, sources), &series, files);
    let json = serde_json::to_string_pretty(&manifest).unwrap_or_default() + "\n";
    std::fs::create_dir_all(out).map_err(|source| ExportError::Write { path: out.to_owned(), source })?;
    // The manifest last: a manifest whose checksum fits means a whole dataset.
    for (name, content) in [("counts.csv", &csv), ("catalogue.json", &definitions), ("manifest.json", &json)] {
        let path = out.join(name);
        replace(&path, content.as_bytes()).map_err(|source| ExportError::Write { path, source })?;
    }
    Ok(manifest)
}

/// What the catalogue says about stored sums; `None` for what is to be left out.
fn explain(stored: Stored, catalogue: &Catalogue, unknown: Unknown) -> Result<Option<Series<'_>>, ExportError> {
    let Some(definition) = stored.definition(catalogue) else {
        return match unknown {
            Unknown::Skip => Ok(None),
            Unknown::Refuse => Err(ExportError::Unknown { metric: stored.metric, definition: hex(&stored.definition) }),
        };
    };
    let counts = stored.cells(&definition.mechanism);
    Ok(Some(Series { definition, week: stored.week, reports: stored.reports, counts }))
}

/// A row for every cell, also the empty ones, in the order of metric, week and cell. No field needs quoting.
fn csv(series: &[Series<'_>]) -> String {
    use std::fmt::Write as _;
    let mut csv = String::from(HEADER);
    for s in series {
        for (cell, count) in s.counts.iter().enumerate() {
            let (id, hash, week, reports) = (&s.definition.id, s.definition.hash, s.week, s.reports);
            let _ = writeln!(csv, "{id},{hash},{week},{reports},{cell},{count}"); // writing to a String cannot fail
        }
    }
    csv
}

fn manifest(
    catalogue: &Catalogue,
    (phase, sources): (String, Vec<String>),
    series: &[Series<'_>],
    files: Vec<DataFile>,
) -> Exported {
    let mut metrics = BTreeMap::<&str, MetricSummary>::new();
    for s in series {
        let metric = metrics.entry(&s.definition.id).or_insert_with(|| MetricSummary {
            id: s.definition.id.clone(),
            definition: s.definition.hash.to_string(),
            weeks: 0,
            reports: 0,
        });
        metric.weeks += 1;
        metric.reports += s.reports;
    }
    let weeks = || series.iter().map(|s| s.week);
    Exported {
        format: "stipple-counts",
        version: 1,
        title: catalogue.title.clone(),
        catalogue_hash: catalogue.hash(),
        epsilon_epoch: catalogue.epsilon_epoch,
        phase,
        sources,
        weeks: weeks().min().zip(weeks().max()).map(|(first, last)| Weeks { first, last }),
        metrics: metrics.into_values().collect(),
        files,
        reports: series.iter().map(|s| s.reports).sum(),
    }
}

/// Writes a file under another name, makes it durable, then gives it its own.
fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let unfinished = path.with_extension("unfinished");
    let mut file = File::create(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, path)
}

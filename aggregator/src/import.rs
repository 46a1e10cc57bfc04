// SPDX-License-Identifier: MIT OR Apache-2.0
//! Adds a counts dataset to a store: counts of another store, or of this one's past.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use stipple_catalog::{Catalogue, Phase, Week, hex};

use crate::export::HEADER;
use crate::store::{self, Address, Overlap, StoreError, Stored};

/// A dataset that was not added. The store is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The store cannot be used, or belongs to the other phase.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of the dataset cannot be read.
    #[error("cannot read {path}: {source}; name the folder that an export has written")]
    Read {
        /// the file
        path: PathBuf,
        /// why
        source: std::io::Error,
    },
    /// The manifest is none, or does not fit the counts.
    #[error("{path}: {reason}; export the dataset again")]
    Manifest {
        /// the file
        path: PathBuf,
        /// what is wrong
        reason: String,
    },
    /// A row that no export writes.
    #[error("{}:{line}: {reason}; export the dataset again", path.display())]
    Row {
        /// the file
        path: PathBuf,
        /// the line, from 1
        line: usize,
        /// what is wrong
        reason: &'static str,
    },
    /// The dataset holds counts that the catalogue cannot explain.
    #[error(
        "the dataset holds counts of {metric} under definition {definition}, which the catalogue does not have: \
         import with the catalogue that they were counted under"
    )]
    Unknown {
        /// the metric
        metric: String,
        /// its definition's hash
        definition: String,
    },
    /// Some of it is in the store already.
    #[error(
        "the store holds the counts of {week} of the store {origin} already: nothing was added, or they would count twice"
    )]
    Already {
        /// the random name of the store that counted
        origin: String,
        /// the first such week
        week: Week,
    },
}

/// What was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// reports
    pub reports: u64,
    /// pairs of a metric and a week
    pub series: usize,
}

/// What an import needs of a manifest.
#[derive(Deserialize)]
struct Manifest {
    format: String,
    version: u32,
    phase: Phase,
    /// an exporter before this field wrote none
    #[serde(default)]
    sources: Vec<String>,
    files: Vec<File>,
    reports: u64,
}

#[derive(Deserialize)]
struct File {
    name: String,
    sha256: String,
}

/// Adds the dataset in a folder to a store, which is made when it is not there. All of it in one transaction, or nothing.
///
/// # Errors
/// [`ImportError`].
pub fn import(store: &Address, catalogue: &Catalogue, folder: &Path) -> Result<Imported, ImportError> {
    let (manifest_path, path) = (folder.join("manifest.json"), folder.join("counts.csv"));
    let wrong = |reason: String| ImportError::Manifest { path: manifest_path.clone(), reason };
    let manifest = read(&manifest_path)?;
    let manifest: Manifest = serde_json::from_str(&manifest).map_err(|error| wrong(error.to_string()))?;
    if (manifest.format.as_str(), manifest.version) != ("stipple-counts", 1) {
        return Err(wrong("this is no dataset of the format stipple-counts, version 1".into()));
    }
    let csv = read(&path)?;
    let digest: [u8; 32] = Sha256::digest(&csv).into();
    let digest = hex(&digest);
    if !manifest.files.iter().any(|file| file.name == "counts.csv" && file.sha256 == digest) {
        return Err(wrong("the checksum of counts.csv is another one".into()));
    }
    let series = parse(&csv).map_err(|(line, reason)| ImportError::Row { path, line, reason })?;
    for stored in &series {
        check(stored, catalogue).map_err(|reason| wrong(reason.to_owned())).and_then(|known| {
            let unknown =
                || ImportError::Unknown { metric: stored.metric.clone(), definition: hex(&stored.definition) };
            known.then_some(()).ok_or_else(unknown)
        })?;
    }
    let reports = series.iter().map(|stored| stored.reports).sum();
    if reports != manifest.reports {
        return Err(wrong("the number of reports does not fit counts.csv".into()));
    }
    let sources = if manifest.sources.is_empty() { vec![digest] } else { manifest.sources };
    let added = Imported { reports, series: series.len() };
    let series: Vec<Stored> = series.into_iter().map(without_empty_cells).collect();
    match store::open(store, manifest.phase, None)?.import(&sources, &series)? {
        None => Ok(added),
        Some(Overlap { source, week }) => Err(ImportError::Already { origin: source, week }),
    }
}

fn read(path: &Path) -> Result<String, ImportError> {
    std::fs::read_to_string(path).map_err(|source| ImportError::Read { path: path.to_owned(), source })
}

/// The rows as an export writes them: every cell of a metric and week in its order, one metric and week after the other.
fn parse(csv: &str) -> Result<Vec<Stored>, (usize, &'static str)> {
    let rows = csv.strip_prefix(HEADER).ok_or((1, "the header is another one"))?;
    let mut all: Vec<Stored> = Vec::new();
    for (line, row) in (2..).zip(rows.lines()) {
        let fault = |reason| (line, reason);
        let fields: Vec<&str> = row.split(',').collect();
        let &[metric, definition, week, reports, cell, count] = &fields[..] else {
            return Err(fault("a row has six fields"));
        };
        let definition = unhex(definition).ok_or(fault("the definition is no hash"))?;
        let week: Week = week.parse().map_err(|_| fault("the week is none"))?;
        let number = |text: &str| text.parse::<u64>().ok().filter(|n| i64::try_from(*n).is_ok());
        let reports = number(reports).filter(|n| *n > 0).ok_or(fault("the reports are no number above 0"))?;
        let count = number(count).filter(|n| *n <= reports).ok_or(fault("the count is no number up to the reports"))?;
        let next = (metric, definition, week);
        let cell: u32 = cell.parse().map_err(|_| fault("the cell is no number"))?;
        match all.last_mut() {
            Some(last) if (last.metric.as_str(), last.definition, last.week) == next => {
                if cell as usize != last.counts.len() || reports != last.reports {
                    return Err(fault("a cell is missing, or the reports differ"));
                }
                last.counts.push((cell, count));
            }
            last => {
                if last.is_some_and(|last| (last.metric.as_str(), last.definition, last.week) > next) || cell != 0 {
                    return Err(fault("the rows are not sorted, or the first cell is missing"));
                }
                let metric = metric.to_owned();
                all.push(Stored { metric, definition, week, reports, counts: vec![(cell, count)] });
            }
        }
    }
    Ok(all)
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    let value = (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok())??;
    (hex(&value.to_be_bytes()) == text).then(|| value.to_be_bytes())
}

/// Whether the catalogue knows the definition.
fn check(stored: &Stored, catalogue: &Catalogue) -> Result<bool, &'static str> {
    let Some(definition) = stored.definition(catalogue) else {
        return Ok(false);
    };
    if definition.mechanism.cells() == stored.counts.len() {
        Ok(true)
    } else {
        Err("counts.csv has another number of cells than the definition")
    }
}

fn without_empty_cells(mut stored: Stored) -> Stored {
    stored.counts.retain(|(_, count)| *count > 0);
    stored
}

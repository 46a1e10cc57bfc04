// SPDX-License-Identifier: MIT OR Apache-2.0
//! The counts dataset: reading it, and checking it against its manifest and the catalogue.

mod error;
mod manifest;
mod rows;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use stipple_catalog::{Catalogue, Week, hex};

pub use error::{DatasetError, RowFault};
use manifest::Manifest;
use rows::Parsed;

/// The largest number of reports: every whole number up to it is exact in floating point.
const MOST_REPORTS: u64 = 1 << 53;

/// The support counts of one metric in one week.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WeekCounts {
    /// the week
    pub week: Week,
    /// how many reports were counted
    pub reports: u64,
    /// one count for every cell of the mechanism
    pub counts: Vec<u64>,
}

/// A counts dataset, checked: every metric is one of the catalogue's under its present definition, and every number is
/// possible. Only [`Dataset::load`] and simulations make one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Dataset {
    /// its title
    pub title: String,
    /// `testing` or `production`
    pub phase: String,
    /// the hash of the catalogue under which it was exported
    pub catalogue_hash: String,
    /// all reports
    pub reports: u64,
    metrics: BTreeMap<String, Vec<WeekCounts>>,
}

impl Dataset {
    /// Reads `manifest.json` and `counts.csv` of a folder and checks them.
    ///
    /// # Errors
    /// [`DatasetError`] naming the file, the row where there is one, and a remedy.
    pub fn load(folder: &Path, catalogue: &Catalogue) -> Result<Self, DatasetError> {
        let (manifest_path, path) = (folder.join("manifest.json"), folder.join("counts.csv"));
        let manifest = Manifest::parse(&manifest_path, &read(&manifest_path)?)?;
        let file = manifest.file(&manifest_path, "counts.csv")?;
        let unreadable = |source| DatasetError::Unreadable { path: path.clone(), source };
        let Parsed { digest, rows } =
            rows::parse(File::open(&path).map_err(unreadable)?, catalogue).map_err(unreadable)?;
        let found = hex(&digest);
        if !file.sha256.eq_ignore_ascii_case(&found) {
            return Err(DatasetError::Checksum { path, expected: file.sha256.clone(), found });
        }
        let (metrics, rows) =
            rows.map_err(|(row, fault)| DatasetError::Row { path: path.clone(), row, fault: Box::new(fault) })?;
        manifest.check(&manifest_path, rows, &metrics)?;
        if manifest.reports == 0 {
            return Err(DatasetError::Empty { path });
        }
        Ok(Self {
            title: manifest.title,
            phase: manifest.phase,
            catalogue_hash: manifest.catalogue_hash,
            reports: manifest.reports,
            metrics,
        })
    }

    /// What a simulation counted.
    pub(crate) fn simulated(catalogue: &Catalogue, metrics: BTreeMap<String, Vec<WeekCounts>>) -> Self {
        Self {
            title: catalogue.title.clone(),
            phase: "testing".to_owned(),
            catalogue_hash: catalogue.hash(),
            reports: metrics.values().flatten().map(|week| week.reports).sum(),
            metrics,
        }
    }

    /// The weeks of a metric, earliest first; none for a metric without rows.
    #[must_use]
    pub fn weeks(&self, metric: &str) -> &[WeekCounts] {
        self.metrics.get(metric).map_or(&[], Vec::as_slice)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, DatasetError> {
    std::fs::read(path).map_err(|source| DatasetError::Unreadable { path: path.to_owned(), source })
}

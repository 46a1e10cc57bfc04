// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple export`: everything that this computer holds about its user, in one document.

use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use serde::Serialize;
use stipple_client_dp::dbus::{MetricsProxy, StatusRow};
use stipple_client_dp::{BudgetRow, MetricRow, ReportRow, TallyRow};

use crate::Failure;

/// The document. What `stipple status`, `metrics`, `show`, `preview`, `sent` and `budget` print with --json stands in it as it is.
#[derive(Serialize)]
pub struct Document {
    /// the version of this layout
    format: &'static str,
    /// of the program that wrote it
    version: &'static str,
    status: StatusRow,
    consent: Agreement,
    metrics: Vec<MetricRow>,
    tallies: Vec<TallyRow>,
    preview: Vec<ReportRow>,
    sent: Vec<ReportRow>,
    budget: BudgetRow,
    /// the state itself: every table's rows and every other file's text
    state: serde_json::Value,
}

/// What was asked, and what was said to it.
#[derive(Serialize)]
struct Agreement {
    answer: String,
    /// the version that the yes was given to
    agreed_version: String,
    /// the present text's
    version: String,
    text: String,
}

impl Document {
    /// Asks the recorder for all of it.
    pub async fn read(metrics: &MetricsProxy<'_>) -> Result<Self, Failure> {
        let status = metrics.status().await?;
        let consent = Agreement {
            answer: status.consent.clone(),
            agreed_version: status.agreed_version.clone(),
            version: metrics.consent_version().await?,
            text: metrics.consent_text().await?,
        };
        let state = serde_json::from_str(&metrics.state().await?)
            .map_err(|error| Failure(1, format!("the recorder's account of its state cannot be read: {error}")))?;
        Ok(Self {
            format: "stipple-export/1",
            version: env!("CARGO_PKG_VERSION"),
            status,
            consent,
            metrics: metrics.metrics().await?,
            tallies: metrics.tallies().await?,
            preview: metrics.preview().await?,
            sent: metrics.sent().await?,
            budget: metrics.budget().await?,
            state,
        })
    }
}

/// Writes a file that only its owner reads. One that is there is replaced only by `force`, and not written into: its mode and its
/// other names are not ours.
pub fn write(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Failure(1, format!("{} is there already: name another file, or add --force to replace it", path.display()))
        }
        _ => Failure(1, format!("cannot write {}: {error}", path.display())),
    };
    if force {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Estimates as CSV, JSON and Parquet: one table, one column for each field.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use polars::prelude::*;

use crate::estimate::{Estimates, MetricEstimate};
use crate::quantile::Quantile;
use crate::values::ValueEstimate;

/// The columns, in order.
pub const COLUMNS: [&str; 20] = [
    "metric",
    "title",
    "category",
    "weeks",
    "value",
    "estimate",
    "standard_error",
    "lower",
    "upper",
    "lower_all",
    "upper_all",
    "consistent",
    "consistent_lower",
    "consistent_upper",
    "reports",
    "epsilon",
    "central_epsilon",
    "central_delta",
    "liars_move",
    "mechanism",
];

/// An output that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {source}; choose a place with --out that can be written")]
pub struct WriteError {
    /// the file or folder
    pub path: PathBuf,
    /// why
    pub source: std::io::Error,
}

/// Writes `estimates.csv`, `estimates.json`, `estimates.parquet` and `quantiles.csv` into a folder, which is made if need be.
///
/// # Errors
/// [`WriteError`] naming the file.
pub fn write_all(estimates: &Estimates<'_>, folder: &Path) -> Result<(), WriteError> {
    std::fs::create_dir_all(folder).map_err(|source| WriteError { path: folder.to_owned(), source })?;
    let mut table = table(estimates).map_err(|error| WriteError { path: folder.to_owned(), source: io(error) })?;
    write_file(&folder.join("quantiles.csv"), |file| write_quantiles(estimates, file))?;
    write_file(&folder.join("estimates.csv"), |file| CsvWriter::new(file).finish(&mut table))?;
    write_file(&folder.join("estimates.json"), |file| write_json(&mut table, file))?;
    write_file(&folder.join("estimates.parquet"), |file| ParquetWriter::new(file).finish(&mut table).map(|_| ()))
}

/// The rows of `estimates.json`: an array of objects.
///
/// # Errors
/// [`std::io::Error`] of the writer.
pub fn json(estimates: &Estimates<'_>, out: &mut dyn Write) -> std::io::Result<()> {
    table(estimates).and_then(|mut table| write_json(&mut table, out)).map_err(io)
}

fn write_json(table: &mut DataFrame, out: &mut dyn Write) -> PolarsResult<()> {
    JsonWriter::new(&mut *out).with_json_format(JsonFormat::Json).finish(table)?;
    Ok(out.write_all(b"\n")?)
}

/// Writes beside the target and renames, so that a reader finds a whole file or the old one.
pub(crate) fn write_file<E: Into<PolarsError>>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> Result<(), E>,
) -> Result<(), WriteError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let written = || -> std::io::Result<()> {
        let mut file = BufWriter::new(File::create(&part)?);
        write(&mut file).map_err(|error| io(error.into()))?;
        file.flush()?;
        std::fs::rename(&part, path)
    };
    written().map_err(|source| {
        let _ = std::fs::remove_file(&part); // what failed is reported; a left-over part file is no news beside it
        WriteError { path: path.to_owned(), source }
    })
}

fn io(error: PolarsError) -> std::io::Error {
    match error {
        PolarsError::IO { error, .. } => std::io::Error::new(error.kind(), error.to_string()),
        other => std::io::Error::other(other.to_string()),
    }
}

/// The rows of `quantiles.csv`.
fn write_quantiles(estimates: &Estimates<'_>, out: &mut dyn Write) -> PolarsResult<()> {
    let rows: Vec<_> = estimates
        .metrics
        .iter()
        .flat_map(|metric| metric.quantiles.iter().map(move |quantile| (metric, quantile)))
        .collect();
    let text = |name: &str, get: &dyn Fn(&MetricEstimate<'_>, &Quantile) -> String| {
        Column::new(name.into(), rows.iter().map(|(metric, quantile)| get(metric, quantile)).collect::<Vec<_>>())
    };
    let columns = vec![
        text("metric", &|metric, _| metric.definition.id.clone()),
        text("weeks", &|metric, _| metric.span.to_string()),
        Column::new(
            "per_cent".into(),
            rows.iter().map(|(_, quantile)| u32::from(quantile.per_cent)).collect::<Vec<_>>(),
        ),
        text("class", &|_, quantile| quantile.class.clone()),
        text("lower", &|_, quantile| quantile.lower.clone()),
        text("upper", &|_, quantile| quantile.upper.clone()),
        Column::new("reports".into(), rows.iter().map(|(metric, _)| metric.reports).collect::<Vec<_>>()),
    ];
    CsvWriter::new(out).finish(&mut DataFrame::new(rows.len(), columns)?)
}

/// The table that all three formats hold.
fn table(estimates: &Estimates<'_>) -> PolarsResult<DataFrame> {
    let rows: Vec<(&MetricEstimate<'_>, &ValueEstimate)> =
        estimates.metrics.iter().flat_map(|metric| metric.values.iter().map(move |value| (metric, value))).collect();
    let text = |name: &str, get: &dyn Fn(&MetricEstimate<'_>, &ValueEstimate) -> String| {
        Column::new(name.into(), rows.iter().map(|(metric, value)| get(metric, value)).collect::<Vec<_>>())
    };
    let number = |name: &str, get: &dyn Fn(&MetricEstimate<'_>, &ValueEstimate) -> Option<f64>| {
        Column::new(name.into(), rows.iter().map(|(metric, value)| get(metric, value)).collect::<Vec<_>>())
    };
    let reports: Vec<u64> = rows.iter().map(|(metric, _)| metric.reports).collect();
    let columns = vec![
        text("metric", &|metric, _| metric.definition.id.clone()),
        text("title", &|metric, _| metric.definition.title.clone()),
        text("category", &|metric, _| metric.definition.category.to_string()),
        text("weeks", &|metric, _| metric.span.to_string()),
        text("value", &|_, value| value.value.clone()),
        number("estimate", &|_, value| Some(value.estimate)),
        number("standard_error", &|_, value| value.standard_error),
        number("lower", &|_, value| Some(value.interval.lower)),
        number("upper", &|_, value| Some(value.interval.upper)),
        number("lower_all", &|_, value| Some(value.simultaneous.lower)),
        number("upper_all", &|_, value| Some(value.simultaneous.upper)),
        number("consistent", &|_, value| Some(value.consistent)),
        number("consistent_lower", &|_, value| value.consistent_interval.map(|interval| interval.lower)),
        number("consistent_upper", &|_, value| value.consistent_interval.map(|interval| interval.upper)),
        Column::new("reports".into(), reports),
        number("epsilon", &|metric, _| Some(metric.definition.epsilon.into())),
        number("central_epsilon", &|metric, _| metric.central.map(|central| central.epsilon)),
        number("central_delta", &|metric, _| metric.central.map(|central| central.delta)),
        number("liars_move", &|metric, _| Some(metric.moved)),
        text("mechanism", &|metric, _| metric.definition.mechanism_name.to_string()),
    ];
    DataFrame::new(rows.len(), columns)
}

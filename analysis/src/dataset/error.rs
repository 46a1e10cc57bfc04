// SPDX-License-Identifier: MIT OR Apache-2.0
//! What can be wrong with a counts dataset: each fault names the file, the row where there is one, and a remedy.

use std::path::PathBuf;

use stipple_catalog::{DefinitionHash, Week};

/// The header of `counts.csv`.
pub const HEADER: &str = "metric,definition,week,reports,cell,count";

/// A dataset that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A file is missing or cannot be read.
    #[error("cannot read {path}: {source}; point --counts at a folder written by stipple-aggregator export")]
    Unreadable {
        /// the file
        path: PathBuf,
        /// why
        source: std::io::Error,
    },
    /// The manifest is not JSON, or lacks a field.
    #[error("{path}: not the manifest of a counts dataset: {source}; export the dataset again")]
    Manifest {
        /// the manifest
        path: PathBuf,
        /// where and what
        source: serde_json::Error,
    },
    /// The manifest is of another format or version.
    #[error(
        "{path}: the format is {format:?} version {version}, this program reads \"stipple-counts\" version 1; use the stipple-analysis of the release that exported it"
    )]
    Format {
        /// the manifest
        path: PathBuf,
        /// the format it names
        format: String,
        /// the version it names
        version: u64,
    },
    /// The manifest does not name the file with the counts.
    #[error("{path}: lists no checksum for counts.csv; export the dataset again")]
    NotListed {
        /// the manifest
        path: PathBuf,
    },
    /// The file is not the one that was exported.
    #[error(
        "{path}: the checksum does not fit, so the file was changed or cut short: the manifest says {expected}, found {found}; copy or export the dataset again"
    )]
    Checksum {
        /// the file
        path: PathBuf,
        /// SHA-256 in the manifest
        expected: String,
        /// SHA-256 of the bytes on disk
        found: String,
    },
    /// A number in the manifest differs from what the rows add up to.
    #[error("{path}: {what} is {stated} in the manifest, but counts.csv adds up to {found}; export the dataset again")]
    Totals {
        /// the manifest
        path: PathBuf,
        /// which number
        what: String,
        /// what the manifest says
        stated: String,
        /// what the rows say
        found: String,
    },
    /// There is nothing to estimate from.
    #[error("{path}: the dataset holds no report; collect some, then export it again")]
    Empty {
        /// the file with the counts
        path: PathBuf,
    },
    /// A row is wrong.
    #[error("{path}, row {row}: {fault}")]
    Row {
        /// the file
        path: PathBuf,
        /// the row, from 1; the header is row 1
        row: usize,
        /// what is wrong and what to do
        fault: Box<RowFault>,
    },
}

/// What can be wrong with one row of `counts.csv`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowFault {
    /// The first row is not the header.
    #[error("the header must be {HEADER}; export the dataset again")]
    Header,
    /// Not UTF-8.
    #[error("the row is not UTF-8 text; export the dataset again")]
    Encoding,
    /// No end of line for longer than any row is.
    #[error("the row has no end; export the dataset again")]
    Long,
    /// Too few or too many columns.
    #[error("{0} columns where the header has 6; export the dataset again")]
    Columns(usize),
    /// The catalogue does not know the metric.
    #[error("the metric {0:?} is not in the catalogue; point --catalog at the catalogue that it was collected under")]
    UnknownMetric(String),
    /// The definition is not 32 hexadecimal digits.
    #[error("the definition {0:?} is not 32 hexadecimal digits; export the dataset again")]
    BadDefinition(String),
    /// The counts were made under another definition than the catalogue's.
    #[error(
        "{metric} was collected under the definition {found}, the catalogue's is {expected}; point --catalog at the catalogue that it was collected under"
    )]
    StaleDefinition {
        /// the metric
        metric: String,
        /// the catalogue's
        expected: DefinitionHash,
        /// the row's
        found: String,
    },
    /// Two definitions of one metric cannot be pooled.
    #[error("{metric} appears under two definitions, {first} and {second}; export the weeks of each apart")]
    TwoDefinitions {
        /// the metric
        metric: String,
        /// the earlier row's
        first: String,
        /// this row's
        second: String,
    },
    /// The week is none.
    #[error("{0}; export the dataset again")]
    Week(#[from] stipple_catalog::WeekError),
    /// A number is not a whole number from 0 to 2^53.
    #[error("the {column} {text:?} is not a whole number from 0 to 9007199254740992; export the dataset again")]
    Number {
        /// the column
        column: &'static str,
        /// what stands there
        text: String,
    },
    /// A cell is missing, repeated or out of order.
    #[error(
        "{metric} in {week} needs {expected} here, found {found}: rows are missing, doubled or unsorted; export the dataset again"
    )]
    Cell {
        /// the metric
        metric: String,
        /// the week
        week: Week,
        /// what belongs here
        expected: String,
        /// what stands here
        found: String,
    },
    /// The rows of a metric and week appear twice, or out of order.
    #[error("{metric} in {week} comes after {after}: rows are doubled or unsorted; export the dataset again")]
    Order {
        /// the metric
        metric: String,
        /// the week
        week: Week,
        /// the metric and week before it
        after: String,
    },
    /// The number of reports differs within one metric and week.
    #[error("{metric} in {week} has {found} reports here and {expected} in the rows above; export the dataset again")]
    UnequalReports {
        /// the metric
        metric: String,
        /// the week
        week: Week,
        /// the rows above
        expected: u64,
        /// this row
        found: u64,
    },
    /// More reports support a cell than there are.
    #[error("the count {count} exceeds the {reports} reports; export the dataset again")]
    CountOverReports {
        /// the count
        count: u64,
        /// the reports
        reports: u64,
    },
    /// Every report supports the same number of cells, and the counts do not add up to that.
    #[error(
        "the counts of {metric} in {week} add up to {found}, but {reports} reports of this mechanism make {expected}; export the dataset again"
    )]
    Sum {
        /// the metric
        metric: String,
        /// the week
        week: Week,
        /// reports
        reports: u64,
        /// what they must add up to
        expected: u128,
        /// what they add up to
        found: u128,
    },
    /// A metric has more reports over its weeks than floating point counts exactly.
    #[error("{0} has more than 9007199254740992 reports over its weeks; export fewer weeks")]
    TooManyReports(String),
}

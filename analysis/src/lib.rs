// SPDX-License-Identifier: MIT OR Apache-2.0
//! From noised counts to estimates with honest error bounds.
//!
//! A [`Dataset`] is read and checked against the catalogue, [`estimate`] debiases its counts, and the estimates are written
//! as CSV, JSON and Parquet ([`write_all`]), as a table for the terminal ([`write_table`]) or as a page for people
//! ([`report`], [`write_report`]).
//!
//! ```no_run
//! # use std::path::Path;
//! use stipple_analysis::{Dataset, Options, estimate, write_all, write_report};
//!
//! let catalogue = stipple_catalog::Catalogue::load(Path::new("catalog/metrics"))?;
//! let dataset = Dataset::load(Path::new("target/demo"), &catalogue)?;
//! let estimates = estimate(&dataset, &catalogue, Options::USUAL);
//! write_all(&estimates, Path::new("target/demo"))?;
//! write_report(&dataset, &estimates, Path::new("target/demo/report.html"))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod central;
mod chart;
mod dataset;
mod estimate;
mod exact;
mod interval;
mod output;
mod report;
mod share;
mod table;
mod words;

pub use central::{Central, DELTA};
pub use dataset::{Dataset, DatasetError, RowFault, WeekCounts};
pub use estimate::{
    Estimates, MetricEstimate, Options, Span, SpanError, TooFew, ValueEstimate, estimate, reports_needed,
};
pub use exact::blaker;
pub use interval::{Interval, Level, LevelError, student, wilson};
pub use output::{COLUMNS, WriteError, json, write_all};
pub use report::{report, write_report};
pub use table::write_table;

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

mod asked;
pub mod audit;
mod bootstrap;
mod central;
mod change;
mod chart;
mod columns;
mod compare;
mod dataset;
mod estimate;
mod exact;
mod interval;
mod lines;
mod output;
mod plan;
mod quantile;
mod report;
mod share;
mod significance;
pub mod simulate;
mod span;
mod table;
mod trend;
mod values;
mod words;

pub use asked::{AskedArguments, PlanningError};
pub use central::{Central, DELTA};
pub use change::{Changes, ValueChange, change, write_changes};
pub use compare::{Along, CompareArguments, Compared, Distribution, ServerCost, compare, run_compare};
pub use dataset::{Dataset, DatasetError, RowFault, WeekCounts};
pub use estimate::{Estimates, MetricEstimate, Options, TooFew, estimate};
pub use exact::blaker;
pub use interval::{Interval, Level, LevelError, student, wilson};
pub use output::{COLUMNS, WriteError, json, write_all};
pub use plan::{
    Best, BudgetMargins, BudgetPlan, Drawn, Estimated, Margins, MetricPlan, Needed, Plan, PlanArguments, run_plan,
};
pub use quantile::{QUANTILES, Quantile};
pub use report::{report, write_report};
pub use share::{Intervals, ShareIntervals};
pub use span::{Span, SpanError};
pub use table::write_table;
pub use trend::{LEAST_WEEKS, Trend, trends, write_trends};
pub use values::{ValueEstimate, reports_needed, values};

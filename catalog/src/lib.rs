// SPDX-License-Identifier: MIT OR Apache-2.0
//! What Stipple may collect: metric definitions with their dictionaries, their checks and content hashes, the weeks and the
//! clock that they are collected by, and the report's wire format.
//!
//! Client, aggregator and analysis load the same [`Catalogue`] and so build the same mechanisms.

mod catalogue;
mod check;
mod clock;
mod definition;
mod domain;
mod source;
mod tally;
mod week;
mod wire;

pub use catalogue::{Catalogue, CatalogueError, default_folder};
pub use check::Finding;
pub use clock::{Clock, NotADrill, Phase};
pub use definition::{Category, Definition, DefinitionHash, EventSource, MetricKey, hex};
pub use domain::{Buckets, Domain, NONE, OTHER, Symbols};
pub use source::MechanismName;
pub use tally::{Aggregate, Change, Leaf, Occurrence, Update};
pub use week::{Epoch, Week, WeekError};
pub use wire::{MAX_PAYLOAD, REPORT_LEN, Report, ReportId, WireError};

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The workstation's side of Stipple: event, tally, schedule, ledger, randomised report, outbox, upload.
//!
//! [`Workstation`] is the whole way without the bus and the network; [`dbus`] serves it, [`uploader`] sends what it has.

pub mod cli;
mod consent;
pub mod courier;
pub mod dbus;
mod dump;
pub mod entropy;
mod event;
mod explain;
mod ledger;
mod marker;
mod outbox;
mod present;
pub mod probes;
mod record;
mod schedule;
pub mod session;
mod state;
mod tallies;
pub mod uploader;
mod view;
mod workstation;

#[cfg(test)]
mod workstation_tests;

pub use consent::{CATEGORIES, CONSENT_TEXT, Consent, Hold, consent_version};
pub use event::Event;
pub use explain::{ChannelRow, EventRow, ExplainRow, Form};
pub use marker::MARKER_NAME;
pub use outbox::{Entry, Outcome, Outgoing};
pub use schedule::{Draw, Slot};
pub use state::{FILE_NAME, StateError};
pub use view::{BudgetRow, MetricRow, ReportRow, SpendRow, TallyRow};
pub use workstation::{REPORT_WINDOW_WEEKS, Workstation, WorkstationError};

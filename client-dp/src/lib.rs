// SPDX-License-Identifier: MIT OR Apache-2.0
//! The workstation's side of Stipple: event, tally, schedule, ledger, randomised report, outbox, upload.
//!
//! [`Workstation`] is the whole way without the bus and the network; [`dbus`] serves it, [`uploader`] sends what it has.

pub mod courier;
pub mod dbus;
pub mod entropy;
mod event;
mod ledger;
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

pub use event::Event;
pub use ledger::Spend;
pub use outbox::{Entry, Outgoing};
pub use schedule::Slot;
pub use state::{FILE_NAME, StateError};
pub use view::{BudgetView, PreviewView, TallyView};
pub use workstation::{Consent, REPORT_WINDOW_WEEKS, Workstation, WorkstationError};

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The queue between intakes and store: a stream of Redis or Valkey.
//!
//! Intakes append (`append`), workers drain (`drain`). What has to happen in one step is a script that the server runs whole.
//! An entry leaves the stream only after the store has committed it; until then its weeks stay open in the store.

mod address;
mod append;
mod connection;
mod drain;
mod error;
mod status;

use stipple_catalog::Phase;

pub use address::{QueueAddress, QueueAddressError};
pub(crate) use append::Appender;
pub(crate) use drain::{Drain, Entry, Settled};
pub use error::QueueError;
pub use status::{QueueStatus, queue_status};

/// The consumer group that all workers form.
const GROUP: &str = "count";
/// The field of an entry that holds its reports, 64 bytes each.
const REPORTS: &str = "reports";

/// Where a phase's queue lies. The braces keep both keys on one node of a cluster.
struct Keys {
    /// the stream
    stream: String,
    /// how many reports and entries were appended and drained, and which weeks are open
    sums: String,
}

impl Keys {
    fn of(phase: Phase) -> Self {
        let name = phase.name();
        Self { stream: format!("stipple:{{{name}}}:reports"), sums: format!("stipple:{{{name}}}:sums") }
    }

    /// A call of a script, to which the arguments are still to be added.
    fn script(&self, text: &str) -> redis::Cmd {
        let mut call = redis::cmd("EVAL");
        call.arg(text).arg(2).arg(&self.stream).arg(&self.sums);
        call
    }
}

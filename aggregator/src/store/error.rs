// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a store cannot be used.

use stipple_catalog::Week;

use super::address::Address;
use crate::queue::QueueError;

/// A store that cannot be used. Nothing in it was changed, but where [`Self::Failed`] says otherwise.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be opened or made.
    #[error("cannot open the store {store}: {reason}; its folder must exist and this user must be able to write there")]
    Unopenable {
        /// the store
        store: Address,
        /// why
        reason: String,
    },
    /// The database server does not answer, or lets nobody in.
    #[error("cannot connect to the store {store}: {reason}; is the server running, and may this user log in?")]
    Unreachable {
        /// the store
        store: Address,
        /// why
        reason: String,
    },
    /// It is something else.
    #[error("{0} is not a Stipple store and was left as it is; name another one with --store")]
    NotOurs(Address),
    /// A newer program has migrated the store.
    #[error(
        "the store {store} has schema version {found} and this program knows up to {known}: \
         install the version that wrote it, or name another one with --store"
    )]
    Newer {
        /// the store
        store: Address,
        /// its schema version
        found: i64,
        /// the newest that this program knows
        known: i64,
    },
    /// An export of a store that still has to be migrated.
    #[error(
        "the store {store} has the old schema version {found}: start `stipple-aggregator serve` once to migrate it"
    )]
    Older {
        /// the store
        store: Address,
        /// its schema version
        found: i64,
    },
    /// The file is damaged.
    #[error(
        "the store {store} is damaged ({detail}) and was left as it is: keep a copy, then restore a backup, \
         or recover what is readable with `sqlite3 {store} .recover`, or name a new file with --store"
    )]
    Damaged {
        /// the store
        store: Address,
        /// what SQLite found
        detail: String,
    },
    /// The store belongs to the other phase.
    #[error("the store {store} belongs to the phase {found}, not {asked}: give each phase a store of its own")]
    WrongPhase {
        /// the store
        store: Address,
        /// its phase
        found: String,
        /// the phase asked for
        asked: &'static str,
    },
    /// The clock stands before a week that the store has closed.
    #[error(
        "the store {store} has closed every week before {open_from}, yet the clock says {now}: \
         set the clock right (or --now in a drill), or name a new store with --store"
    )]
    ClockBehind {
        /// the store
        store: Address,
        /// the oldest open week
        open_from: Week,
        /// the current week
        now: Week,
    },
    /// Something was deleted that a reader can still see.
    #[error(
        "everything asked for is deleted from the store {0}, but somebody reads it, so that its files still show it: \
         stop the reader, then do the same again"
    )]
    Read(Address),
    /// A week whose ids are still there: its sums would begin anew.
    #[error("the store {store} still takes reports of {week}: only weeks before {open_from} can be deleted")]
    Open {
        /// the store
        store: Address,
        /// the newest week asked for
        week: Week,
        /// the oldest open week
        open_from: Week,
    },
    /// It is the queue before the store.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// A query failed. A commit that got no answer may have happened; counting the same reports again is right either way.
    #[error("the store {store} failed: {reason}")]
    Failed {
        /// the store
        store: Address,
        /// why, in the words of the database
        reason: String,
    },
}

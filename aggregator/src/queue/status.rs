// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a queue holds and held, and whether anything is missing.

use std::fmt;

use redis::{Connection, RedisResult};
use serde::Serialize;
use stipple_catalog::{Phase, Week};

use super::address::QueueAddress;
use super::error::words;
use super::{GROUP, Keys, QueueError};

const STATUS: &str = include_str!("status.lua");

/// The state of a queue at one moment. An entry holds what one intake had waiting: one report, or thousands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct QueueStatus {
    /// reports ever appended; one that was sent twice counts twice
    pub appended: u64,
    /// reports removed after the store had committed them
    pub drained: u64,
    /// entries that wait, pending ones included
    pub waiting: u64,
    /// entries that a worker was given and has not settled
    pub pending: u64,
    /// entries that are neither drained nor there: they were trimmed or deleted, or an older state of the server came back
    pub lost: u64,
    /// reports that were appended and not counted, because their week was closed in the store
    pub late: u64,
    /// workers that are there, or were until lately
    pub consumers: u64,
    /// the oldest week that intakes accept
    #[serde(skip)]
    pub open_from: Week,
    /// the oldest week that the store has open, as a worker last noted
    #[serde(skip)]
    pub store_open_from: Week,
}

impl QueueStatus {
    /// Whether something that was acknowledged was not counted and never will be.
    #[must_use]
    pub const fn has_losses(&self) -> bool {
        self.lost > 0 || self.late > 0
    }
}

impl fmt::Display for QueueStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "reports appended  {:>12}", self.appended)?;
        writeln!(f, "reports drained   {:>12}", self.drained)?;
        writeln!(f, "reports too late  {:>12}", self.late)?;
        writeln!(f, "entries waiting   {:>12}", self.waiting)?;
        writeln!(f, "entries pending   {:>12}", self.pending)?;
        writeln!(f, "entries lost      {:>12}", self.lost)?;
        writeln!(f, "workers           {:>12}", self.consumers)
    }
}

/// Reads the state of a queue. Blocks.
///
/// # Errors
/// [`QueueError`].
pub fn queue_status(address: &QueueAddress, phase: Phase) -> Result<QueueStatus, QueueError> {
    let mut connection =
        address.connect().map_err(|error| QueueError::Unreachable { queue: address.clone(), reason: words(&error) })?;
    read(&mut connection, &Keys::of(phase))
        .map_err(|error| QueueError::Failed { queue: address.clone(), reason: words(&error) })
}

pub(super) fn read(connection: &mut Connection, keys: &Keys) -> RedisResult<QueueStatus> {
    type Sums = (u64, u64, u64, u64, u64, u16, u16, u64, u64, u64);
    let sums: Sums = keys.script(STATUS).arg(GROUP).query(connection)?;
    let (appended, appended_entries, drained, drained_entries, late, open, closed, waiting, pending, consumers) = sums;
    let lost = appended_entries.saturating_sub(drained_entries).saturating_sub(waiting);
    let (open_from, store_open_from) = (Week::from_index(open), Week::from_index(closed));
    Ok(QueueStatus { appended, drained, waiting, pending, lost, late, consumers, open_from, store_open_from })
}

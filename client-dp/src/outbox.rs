// SPDX-License-Identifier: MIT OR Apache-2.0
//! Randomised reports that are paid for, and what became of them.

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use stipple_catalog::{REPORT_LEN, Report, ReportId, Week, WireError};
use zbus::Type;

use crate::ledger::Spent;
use crate::state::{Durable, State};

/// A report whose cost is durable. Only `due` and `all` make one, by reading what a transaction has committed; the uploader
/// takes nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    id: [u8; 16],
    bytes: [u8; REPORT_LEN],
}

impl Outgoing {
    /// The exact bytes that leave.
    #[must_use]
    pub const fn bytes(&self) -> &[u8; REPORT_LEN] {
        &self.bytes
    }

    /// The report's id.
    #[must_use]
    pub const fn id(&self) -> ReportId {
        ReportId(self.id)
    }
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "lowercase")]
#[zbus(signature = "s")]
pub enum Outcome {
    /// Its week is not over; nothing is drawn. Never in the outbox.
    Scheduled,
    /// Drawn, paid for, not sent.
    Waiting,
    /// Counted by the server.
    Sent,
    /// Refused by the server for good.
    Refused,
}

impl Outcome {
    /// The outcome as the state and the D-Bus interface spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Refused => "refused",
        }
    }
}

impl ToSql for Outcome {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.name().to_sql()
    }
}

impl FromSql for Outcome {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "waiting" => Ok(Self::Waiting),
            "sent" => Ok(Self::Sent),
            "refused" => Ok(Self::Refused),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

/// An outbox line for the owner's view.
#[derive(Clone, Debug)]
pub struct Entry {
    /// the metric's id
    pub metric: String,
    /// the week that is reported
    pub week: Week,
    /// the exact bytes
    pub outgoing: Outgoing,
    /// not before this moment
    pub send_after: Timestamp,
    /// what became of it
    pub outcome: Outcome,
}

/// What is wrong when a report cannot be written down.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PutError {
    #[error(transparent)]
    Wire(#[from] WireError),
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
}

/// Writes a report down, in the transaction that holds its cost.
pub(crate) fn put(
    transaction: &Durable<'_>,
    _paid: Spent,
    report: &Report<'_>,
    send_after: Timestamp,
) -> Result<(), PutError> {
    let bytes = report.encode()?;
    let (id, metric, week) = (report.id.0, &report.definition.id, report.week.index());
    transaction
        .prepare_cached("INSERT INTO outbox (id, metric, week, report, send_after) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![id, metric, week, bytes, send_after.as_second()])?;
    Ok(())
}

/// The reports whose moment has come, in the order of their random ids.
pub(crate) fn due(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Outgoing>> {
    connection
        .prepare_cached("SELECT id, report FROM outbox WHERE outcome = 'waiting' AND send_after <= ?1 ORDER BY id")?
        .query_map([now.as_second()], |row| Ok(Outgoing { id: row.get(0)?, bytes: row.get(1)? }))?
        .collect()
}

/// Everything in the outbox, by week.
pub(crate) fn all(connection: &Connection) -> rusqlite::Result<Vec<Entry>> {
    connection
        .prepare_cached("SELECT id, report, metric, week, send_after, outcome FROM outbox ORDER BY week, metric")?
        .query_map([], |row| {
            Ok(Entry {
                outgoing: Outgoing { id: row.get(0)?, bytes: row.get(1)? },
                metric: row.get(2)?,
                week: Week::from_index(row.get(3)?),
                send_after: Timestamp::from_second(row.get(4)?).unwrap_or(Timestamp::MAX),
                outcome: row.get(5)?,
            })
        })?
        .collect()
}

/// How many reports are drawn and not sent.
pub(crate) fn waiting(connection: &Connection) -> rusqlite::Result<u32> {
    connection
        .prepare_cached("SELECT count(*) FROM outbox WHERE outcome = ?1")?
        .query_row([Outcome::Waiting], |row| row.get(0))
}

/// Notes that the server has counted a report, or refused it for good. The true tally behind it goes.
pub(crate) fn settle(state: &mut State, id: ReportId, outcome: Outcome) -> rusqlite::Result<()> {
    let transaction = state.durable()?;
    transaction
        .prepare_cached("UPDATE outbox SET outcome = ?1 WHERE id = ?2 AND outcome = 'waiting'")?
        .execute(params![outcome, id.0])?;
    transaction
        .prepare_cached(
            "DELETE FROM tally WHERE EXISTS (SELECT 1 FROM outbox WHERE outbox.id = ?1
             AND outbox.metric = tally.metric AND outbox.week = tally.week)",
        )?
        .execute([id.0])?;
    transaction.commit()
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The week's tallies: numbers at dictionary symbols, and nothing else.

use rusqlite::{Connection, Transaction, params};
use stipple_catalog::{Change, Definition, Update, Week};

use crate::state::Durable;

/// Applies one change to a metric's tally of a week. What the tally says already is not written again: most events repeat one.
pub(crate) fn apply(
    transaction: &Transaction<'_>,
    definition: &Definition,
    week: Week,
    change: Change,
) -> rusqlite::Result<()> {
    if says(transaction, &definition.id, week, change)? {
        return Ok(());
    }
    let (metric, week) = (&definition.id, week.index());
    if let Update::Replace(_) = change.update {
        transaction
            .prepare_cached("DELETE FROM tally WHERE metric = ?1 AND week = ?2")?
            .execute(params![metric, week])?;
    }
    let (number, sql) = match change.update {
        Update::Replace(n) | Update::Raise(n) => (n, "number = max(number, excluded.number)"),
        Update::Add(n) => (n, "number = min(number + excluded.number, 1 << 53)"),
    };
    let number = saturated(number);
    transaction
        .prepare_cached(&format!(
            "INSERT INTO tally (metric, week, key, number) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET {sql}"
        ))?
        .execute(params![metric, week, change.key, number])?;
    Ok(())
}

/// A number as it is kept; it saturates far above every bound of a domain.
fn saturated(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX).min(1 << 53)
}

/// Whether a change leaves a metric's tally of a week as it is.
fn says(connection: &Connection, metric: &str, week: Week, change: Change) -> rusqlite::Result<bool> {
    Ok(match change.update {
        Update::Add(_) => false,
        Update::Raise(n) => connection
            .prepare_cached("SELECT 1 FROM tally WHERE metric = ?1 AND week = ?2 AND key = ?3 AND number >= ?4")?
            .exists(params![metric, week.index(), change.key, saturated(n)])?,
        Update::Replace(n) => read(connection, metric, week)? == [(change.key, saturated(n).unsigned_abs())],
    })
}

/// A metric's tally of a week, by symbol.
pub(crate) fn read(connection: &Connection, metric: &str, week: Week) -> rusqlite::Result<Vec<(u32, u64)>> {
    connection
        .prepare_cached("SELECT key, number FROM tally WHERE metric = ?1 AND week = ?2 ORDER BY key")?
        .query_map(params![metric, week.index()], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?
        .collect()
}

/// Forgets the weeks that are over, but for tallies whose report waits to be sent: their owner may compare the two.
pub(crate) fn forget_before(transaction: &Durable<'_>, week: Week) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "DELETE FROM tally WHERE week < ?1 AND NOT EXISTS (SELECT 1 FROM outbox WHERE outbox.outcome = 'waiting'
             AND outbox.metric = tally.metric AND outbox.week = tally.week)",
        )?
        .execute([week.index()])?;
    Ok(())
}

/// Counts dropped events by their reason.
pub(crate) fn count_dropped(transaction: &Transaction<'_>, reason: &'static str, events: u64) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO dropped (reason, events) VALUES (?1, ?2)
             ON CONFLICT DO UPDATE SET events = min(events + excluded.events, 1 << 53)",
        )?
        .execute(params![reason, saturated(events)])?;
    Ok(())
}

/// The dropped events by reason.
pub(crate) fn dropped(connection: &Connection) -> rusqlite::Result<Vec<(String, u64)>> {
    connection
        .prepare_cached("SELECT reason, events FROM dropped ORDER BY reason")?
        .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?
        .collect()
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! All rows: read at one moment, or written anew so that neither their place nor their hidden columns tell when they came.

use postgres::error::SqlState;
use postgres::{Client, IsolationLevel, Row};
use stipple_catalog::Week;

use super::{SETTINGS, locked, tables};
use crate::store::{Stored, seen};

/// Tables of ids up to this many rows are rewritten by [`Store::tidy`]. On a server that counts more, one transaction holds
/// hundreds of reports and its number says as little.
const REWRITTEN: i64 = 200_000;

/// Writes every row anew in the order of its key, in one transaction, and returns the tables.
pub(super) fn rewrite(client: &mut Client) -> Result<Vec<String>, postgres::Error> {
    let mut tx = locked(client)?;
    let mut rewritten = Vec::new();
    for table in tables(&mut tx)? {
        let holds_ids = seen::week_of(&table).is_some();
        if !holds_ids && !["counts", "received"].contains(&table.as_str()) {
            continue;
        }
        let few = format!("SELECT count(*) FROM (SELECT FROM stipple.{table} LIMIT {}) AS few", REWRITTEN + 1);
        if holds_ids && tx.query_one(&few, &[])?.get::<_, i64>(0) > REWRITTEN {
            continue;
        }
        tx.batch_execute(&format!(
            "WITH old AS (DELETE FROM stipple.{table} RETURNING *) INSERT INTO stipple.{table} SELECT * FROM old ORDER BY old"
        ))?;
        rewritten.push(table);
    }
    tx.commit()?;
    Ok(rewritten)
}

/// Gives the space of old versions of rows back to the file system. `false` when a table is being read and nobody waited.
pub(super) fn compact(client: &mut Client, tables: &[String]) -> Result<bool, postgres::Error> {
    client.batch_execute("SET lock_timeout = '100ms'")?;
    let mut all = true;
    for table in tables {
        match client.batch_execute(&format!("VACUUM (FULL) stipple.{table}")) {
            Ok(()) => {}
            // Another counter may have closed the week meanwhile.
            Err(error) if matches!(error.code(), Some(&SqlState::LOCK_NOT_AVAILABLE)) => all = false,
            Err(error) if matches!(error.code(), Some(&SqlState::UNDEFINED_TABLE)) => {}
            Err(error) => return Err(error),
        }
    }
    client.batch_execute(SETTINGS)?;
    Ok(all)
}

pub(super) fn read(client: &mut Client) -> Result<Vec<Stored>, postgres::Error> {
    let repeatable = IsolationLevel::RepeatableRead;
    let mut tx = client.build_transaction().isolation_level(repeatable).read_only(true).start()?;
    // Bytes, not letters, decide the order, as in SQLite.
    let received = "SELECT metric, definition, week, reports FROM stipple.received ORDER BY metric COLLATE \"C\", 2, 3";
    let counts =
        "SELECT cell, count FROM stipple.counts WHERE metric = $1 AND definition = $2 AND week = $3 ORDER BY 1";
    let counts = tx.prepare(counts)?;
    let mut all = Vec::new();
    for row in tx.query(received, &[])? {
        let (metric, hash): (String, Vec<u8>) = (row.get(0), row.get(1));
        let (week, reports): (i32, i64) = (row.get(2), row.get(3));
        let rows = tx.query(&counts, &[&metric, &hash, &week])?;
        let cell = |row: &Row| (row.get::<_, i32>(0).unsigned_abs(), row.get::<_, i64>(1).unsigned_abs());
        let Ok(definition) = hash.try_into() else { continue };
        all.push(Stored {
            metric,
            definition,
            week: Week::from_index(u16::try_from(week).unwrap_or(u16::MAX)),
            reports: reports.unsigned_abs(),
            counts: rows.iter().map(cell).collect(),
        });
    }
    tx.commit()?;
    Ok(all)
}

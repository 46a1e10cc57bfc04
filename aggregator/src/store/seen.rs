// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ids of counted reports in SQLite, one table for each open week, dropped whole when the week closes.
//!
//! A table of its own shares no page with anything else. Dropping it frees its pages, and `secure_delete` fills freed pages
//! with zeros; deleting rows from a common table would leave copies that rebalancing the tree had left in live pages.

use rusqlite::Connection;
use stipple_catalog::Week;

use crate::sums::Accepted;

const PREFIX: &str = "seen_";

/// The name of a week's table, in every kind of store.
pub(super) fn table(week: Week) -> String {
    format!("{PREFIX}{}", week.index())
}

/// The week of a table, when it is one of these.
pub(super) fn week_of(table: &str) -> Option<Week> {
    table.strip_prefix(PREFIX)?.parse().ok().map(Week::from_index)
}

/// Makes the week's table when it is not there.
pub(super) fn make(conn: &Connection, week: Week) -> rusqlite::Result<()> {
    conn.execute_batch(&format!(
        "CREATE TABLE IF NOT EXISTS {} (
            id BLOB NOT NULL PRIMARY KEY -- private: the 16 random bytes that count a report once; gone with the week
        ) STRICT, WITHOUT ROWID",
        table(week)
    ))
}

/// Notes the ids of one week's reports and calls `new` with those that were not noted before.
pub(super) fn note(
    conn: &Connection,
    week: Week,
    reports: &[&Accepted],
    mut new: impl FnMut(&Accepted),
) -> rusqlite::Result<()> {
    let mut insert = conn.prepare_cached(&format!("INSERT OR IGNORE INTO {} VALUES (?1)", table(week)))?;
    for report in reports {
        if insert.execute([&report.id.0[..]])? == 1 {
            new(report);
        }
    }
    Ok(())
}

/// Drops the tables of every week before `oldest`.
pub(super) fn drop_before(conn: &Connection, oldest: Week) -> rusqlite::Result<()> {
    let mut tables = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'seen_[0-9]*'")?;
    let names: Vec<String> = tables.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for name in names.iter().filter(|name| week_of(name).is_some_and(|week| week < oldest)) {
        conn.execute_batch(&format!("DROP TABLE {name}"))?;
    }
    Ok(())
}

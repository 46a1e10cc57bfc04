// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an operator does to a file: delete, add, look whether it is whole.

use rusqlite::{OptionalExtension as _, Transaction, TransactionBehavior};
use stipple_catalog::{Phase, Week};

use super::{MIGRATIONS, Sqlite};
use crate::store::{Overlap, Stored, orphaned, seen};

impl Sqlite {
    /// Drops everything and begins anew. `false` when a reader keeps the journal.
    pub(super) fn delete_all(&mut self, phase: Phase) -> rusqlite::Result<bool> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for table in tables(&tx)? {
            tx.execute_batch(&format!("DROP TABLE {table}"))?;
        }
        for (_, sql) in MIGRATIONS {
            tx.execute_batch(sql)?;
        }
        tx.execute("INSERT INTO meta VALUES ('phase', ?1), ('open_from', '0')", [phase.name()])?;
        tx.commit()?;
        self.conn.execute_batch("VACUUM")?;
        self.empty_journal()
    }

    /// Deletes the sums of every week before `before`. What stays is written anew, because deleting rows leaves copies that
    /// rebalancing the tree had left in live pages; emptying a table fills its pages with zeros.
    pub(super) fn delete_before(&mut self, before: Week) -> rusqlite::Result<(u64, bool)> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (_, gone) = sum_before(&tx, before)?;
        for table in ["received", "counts", "imports"] {
            tx.execute(
                &format!("CREATE TEMP TABLE kept AS SELECT * FROM main.{table} WHERE week >= ?1"),
                [before.index()],
            )?;
            tx.execute_batch(&format!(
                "DELETE FROM main.{table}; INSERT INTO main.{table} SELECT * FROM kept; DROP TABLE kept"
            ))?;
        }
        tx.commit()?;
        Ok((gone, self.empty_journal()?))
    }

    /// Adds sums of other stores, unless some of them are here already.
    pub(super) fn add_all(&mut self, sources: &[String], series: &[Stored]) -> rusqlite::Result<Option<Overlap>> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for source in sources {
            for week in series.iter().map(|series| series.week) {
                if holds(&tx, source, week)? {
                    return Ok(Some(Overlap { source: source.clone(), week }));
                }
            }
        }
        for Stored { metric, definition, week, reports, counts } in series {
            let (hash, week) = (&definition[..], week.index());
            let add = "INSERT INTO received VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET reports = reports + excluded.reports";
            tx.prepare_cached(add)?.execute((metric, hash, week, reports.cast_signed()))?;
            let add = "INSERT INTO counts VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET count = count + excluded.count";
            let mut add = tx.prepare_cached(add)?;
            for (cell, count) in counts {
                add.execute((metric, hash, week, cell, count.cast_signed()))?;
            }
            for source in sources {
                tx.prepare_cached("INSERT OR IGNORE INTO imports VALUES (?1, ?2)")?.execute((source, week))?;
            }
        }
        tx.commit()?;
        Ok(None)
    }

    /// The store's own name, then those of the stores whose counts were added.
    pub(super) fn all_sources(&self) -> rusqlite::Result<Vec<String>> {
        let names = "SELECT value FROM meta WHERE key = 'id' UNION ALL SELECT * FROM
             (SELECT DISTINCT source FROM imports WHERE source NOT IN (SELECT value FROM meta WHERE key = 'id') ORDER BY 1)";
        self.conn.prepare(names)?.query_map([], |row| row.get(0))?.collect()
    }

    /// Ids by week. An id that is being swept counts twice.
    pub(super) fn count_ids(&self) -> rusqlite::Result<Vec<(Week, u64)>> {
        let mut ids = std::collections::BTreeMap::<Week, u64>::new();
        for (table, week) in seen::tables(&self.conn)? {
            let number = if table == seen::table(week) { "count(*)" } else { "coalesce(sum(length(ids)), 0) / 16" };
            let number =
                self.conn.query_row(&format!("SELECT {number} FROM {table}"), [], |row| row.get::<_, i64>(0))?;
            *ids.entry(week).or_default() += number.unsigned_abs();
        }
        Ok(ids.into_iter().collect())
    }

    /// What SQLite finds wrong, and counts that belong to no reports.
    pub(super) fn find_faults(&self) -> rusqlite::Result<Vec<String>> {
        let mut check = self.conn.prepare("PRAGMA integrity_check(20)")?;
        let mut faults: Vec<String> = check.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        faults.retain(|fault| fault != "ok");
        let orphans = "SELECT count(*) FROM counts WHERE (metric, definition, week) NOT IN
             (SELECT metric, definition, week FROM received)";
        let orphans: i64 = self.conn.query_row(orphans, [], |row| row.get(0))?;
        faults.extend(orphaned(orphans));
        Ok(faults)
    }
}

/// Series of weeks before `before`, and their reports.
pub(super) fn sum_before(conn: &rusqlite::Connection, before: Week) -> rusqlite::Result<(u64, u64)> {
    let sums = "SELECT count(*), coalesce(sum(reports), 0) FROM received WHERE week < ?1";
    let read =
        |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, i64>(1)?.unsigned_abs()));
    conn.query_row(sums, [before.index()], read)
}

/// Whether the counts of a source and week are in the store.
fn holds(tx: &Transaction<'_>, source: &str, week: Week) -> rusqlite::Result<bool> {
    let held = "SELECT 1 FROM imports WHERE source = ?1 AND week = ?2
         UNION ALL SELECT 1 FROM meta, received WHERE key = 'id' AND value = ?1 AND week = ?2";
    tx.prepare_cached(held)?.query_row((source, week.index()), |_| Ok(())).optional().map(|held| held.is_some())
}

fn tables(conn: &rusqlite::Connection) -> rusqlite::Result<Vec<String>> {
    let mut tables = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")?;
    tables.query_map([], |row| row.get(0))?.collect()
}

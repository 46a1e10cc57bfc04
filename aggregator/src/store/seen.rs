// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ids of counted reports in SQLite: two tables for each open week, dropped whole when the week closes.
//!
//! Ids are random, so each would change another page of a large tree. They are therefore written twice, both times cheaply:
//! first into a log, `fresh_N`, one row a transaction, while a sorted buffer in memory holds the same ids; then, in a sweep that
//! goes round and round through the buffer in the order of the ids, into the tree `seen_N`, many neighbours to a page.
//!
//! Tables of their own share no page with anything else. Dropping one frees its pages, and `secure_delete` fills freed pages
//! with zeros; deleting rows from a common table would leave copies that rebalancing the tree had left in live pages.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _};
use stipple_catalog::Week;

use crate::sums::Accepted;

const SEEN: &str = "seen_";
const FRESH: &str = "fresh_";
/// Ids that all buffers together hold before each transaction sweeps more than it brings: about 10 MB.
const MOST_FRESH: usize = 400_000;
/// Ids that one step of a sweep moves when nobody waits.
const STEP: usize = 50_000;
/// How long a sweep takes to go round: this long, the log tells which ids came together.
const ROUND: Duration = Duration::from_secs(20);

/// The name of a week's table of ids, in every kind of store.
pub(super) fn table(week: Week) -> String {
    format!("{SEEN}{}", week.index())
}

/// The week of a table, when it is one of these.
pub(super) fn week_of(table: &str) -> Option<Week> {
    let number = table.strip_prefix(SEEN).or_else(|| table.strip_prefix(FRESH))?;
    number.parse().ok().map(Week::from_index)
}

/// An id, in the order in which SQLite compares its bytes.
type Id = u128;

/// The ids of all open weeks that are not swept into their trees yet. After an error it is to be forgotten; the log has it all.
#[derive(Debug, Default)]
pub(super) struct Fresh(BTreeMap<Week, Buffer>);

/// What a transaction will have changed once it is committed.
#[derive(Default)]
pub(super) struct Changes(Vec<Change>);

struct Change {
    week: Week,
    /// the log's row, and what it holds
    logged: Option<(i64, Vec<Id>)>,
    swept: Vec<Id>,
    /// the sweep has come round
    round: bool,
}

/// The ids of one week.
#[derive(Debug)]
struct Buffer {
    ids: BTreeSet<Id>,
    /// the sweep has passed every id up to here
    cursor: Id,
    /// the log's last row
    last: i64,
    /// the log's last row when this round began: at its end, every id up to there is in the tree
    mark: i64,
    /// when the last step was made
    stepped: Instant,
}

impl Fresh {
    /// Notes the ids of one week's reports, sorted by id, and calls `new` with those that were not noted before.
    pub fn note(
        &mut self,
        conn: &Connection,
        reports: &[&Accepted],
        changes: &mut Changes,
        mut new: impl FnMut(&Accepted),
    ) -> rusqlite::Result<()> {
        let Some(week) = reports.first().map(|report| report.week) else { return Ok(()) };
        self.load(conn, week)?;
        let held: usize = self.0.values().map(|buffer| buffer.ids.len()).sum();
        let buffer = self.load(conn, week)?;
        let mut known = conn.prepare_cached(&format!("SELECT 1 FROM {SEEN}{} WHERE id = ?1", week.index()))?;
        let mut ids: Vec<Id> = Vec::with_capacity(reports.len());
        for report in reports {
            let id = Id::from_be_bytes(report.id.0);
            let noted = ids.last() == Some(&id) || buffer.ids.contains(&id);
            if !noted && known.query_row([&report.id.0[..]], |_| Ok(())).optional()?.is_none() {
                ids.push(id);
                new(report);
            }
        }
        let logged = (!ids.is_empty()).then_some((buffer.last + 1, ids));
        if let Some((row, ids)) = &logged {
            let bytes: Vec<u8> = ids.iter().flat_map(|id| id.to_be_bytes()).collect();
            conn.prepare_cached(&format!("INSERT INTO {FRESH}{} VALUES (?1, ?2)", week.index()))?
                .execute((row, bytes))?;
        }
        let due = buffer.due(logged.as_ref().map_or(0, |(_, ids)| ids.len()), held > MOST_FRESH);
        let mut change = buffer.sweep(conn, week, due)?;
        change.logged = logged;
        changes.0.push(change);
        Ok(())
    }

    /// Sweeps up to a step of every week, without haste. Returns whether nothing is left.
    pub fn sweep(&mut self, conn: &Connection, changes: &mut Changes) -> rusqlite::Result<bool> {
        let mut done = true;
        for (&week, buffer) in &mut self.0 {
            let change = buffer.sweep(conn, week, STEP)?;
            if change.swept.len() == buffer.ids.len() {
                conn.execute(&format!("DELETE FROM {FRESH}{}", week.index()), [])?;
            }
            done &= change.swept.len() == buffer.ids.len();
            changes.0.push(change);
        }
        Ok(done)
    }

    /// To be called once the transaction is durable.
    pub fn apply(&mut self, changes: Changes) {
        for Change { week, logged, swept, round } in changes.0 {
            let Some(buffer) = self.0.get_mut(&week) else { continue };
            if round {
                // Not what is logged now: the new round may have passed it already.
                buffer.mark = buffer.last;
            }
            for id in &swept {
                buffer.ids.remove(id);
            }
            buffer.cursor = swept.last().copied().unwrap_or(buffer.cursor);
            if let Some((row, ids)) = logged {
                buffer.last = row;
                buffer.ids.extend(ids);
            }
        }
    }

    /// Loads what the logs of an earlier process have left.
    pub fn load_all(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        let weeks: BTreeSet<Week> = tables(conn)?.into_iter().map(|(_, week)| week).collect();
        weeks.into_iter().try_for_each(|week| self.load(conn, week).map(drop))
    }

    /// Forgets every week before `oldest`.
    pub fn close_before(&mut self, oldest: Week) {
        self.0 = self.0.split_off(&oldest);
    }

    /// The buffer of a week: what its log holds. Makes the tables when they are not there.
    fn load(&mut self, conn: &Connection, week: Week) -> rusqlite::Result<&mut Buffer> {
        match self.0.entry(week) {
            Entry::Occupied(loaded) => Ok(loaded.into_mut()),
            Entry::Vacant(place) => Ok(place.insert(Buffer::load(conn, week)?)),
        }
    }
}

impl Buffer {
    fn load(conn: &Connection, week: Week) -> rusqlite::Result<Self> {
        let number = week.index();
        conn.execute_batch(&format!(
            "CREATE TABLE IF NOT EXISTS {SEEN}{number} (
                id BLOB NOT NULL PRIMARY KEY -- private: the 16 random bytes that count a report once; gone with the week
             ) STRICT, WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS {FRESH}{number} (
                batch INTEGER PRIMARY KEY, -- private: the number of a transaction, of those not swept yet
                ids   BLOB NOT NULL        -- private: the ids that it noted, sorted
             ) STRICT"
        ))?;
        // Nothing of the log counts as swept before a whole round has been made.
        let mut buffer = Self { ids: BTreeSet::new(), cursor: Id::MAX, last: 0, mark: 0, stepped: Instant::now() };
        let mut log = conn.prepare(&format!("SELECT batch, ids FROM {FRESH}{number} ORDER BY batch"))?;
        let mut rows = log.query([])?;
        while let Some(row) = rows.next()? {
            buffer.last = row.get(0)?;
            let ids: Vec<u8> = row.get(1)?;
            buffer.ids.extend(ids.as_chunks().0.iter().map(|id| Id::from_be_bytes(*id)));
        }
        Ok(buffer)
    }

    /// How many ids the sweep should move now, so that it is round in time and, when there are many, the buffers stay bounded.
    fn due(&self, coming: usize, many: bool) -> usize {
        let share = (self.stepped.elapsed().as_secs_f64() / ROUND.as_secs_f64()).min(1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a length")]
        let by_time = (self.ids.len() as f64 * share) as usize;
        if many { by_time.max(coming + coming / 8) } else { by_time }
    }

    /// Moves the next `due` ids into the tree; trims the log when that brings the sweep round.
    fn sweep(&mut self, conn: &Connection, week: Week, due: usize) -> rusqlite::Result<Change> {
        let mut change = Change { week, logged: None, swept: Vec::new(), round: false };
        if due == 0 {
            return Ok(change);
        }
        self.stepped = Instant::now();
        let ahead = self.cursor.checked_add(1).map(|next| self.ids.range(next..)).into_iter().flatten();
        change.swept.extend(ahead.take(due));
        change.round = change.swept.len() < due;
        if change.round {
            change.swept.extend(self.ids.range(..=self.cursor).take(due - change.swept.len()));
        }
        let mut insert = conn.prepare_cached(&format!("INSERT OR IGNORE INTO {SEEN}{} VALUES (?1)", week.index()))?;
        for id in &change.swept {
            insert.execute([&id.to_be_bytes()[..]])?;
        }
        if change.round {
            let trim = format!("DELETE FROM {FRESH}{} WHERE batch <= ?1", week.index());
            conn.prepare_cached(&trim)?.execute([self.mark])?;
        }
        Ok(change)
    }
}

/// Drops the tables of every week before `oldest`.
pub(super) fn drop_before(conn: &Connection, oldest: Week) -> rusqlite::Result<()> {
    for (table, _) in tables(conn)?.iter().filter(|(_, week)| *week < oldest) {
        conn.execute_batch(&format!("DROP TABLE {table}"))?;
    }
    Ok(())
}

/// Every table of ids, with its week.
pub(super) fn tables(conn: &Connection) -> rusqlite::Result<Vec<(String, Week)>> {
    let mut tables = conn.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
    let names = tables.query_map([], |row| row.get::<_, String>(0))?;
    let with_week = |name: String| week_of(&name).map(|week| (name, week));
    names.filter_map(|name| name.map(with_week).transpose()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::rngs::ChaCha20Rng;
    use rand::{RngExt as _, SeedableRng as _};
    use stipple_catalog::{MetricKey, ReportId};
    use stipple_ldp::{DomainSize, Epsilon, Question, Response, choose};

    use super::*;

    const WEEK: u16 = 2968;

    fn response() -> Response {
        let question = Question::Symbols(DomainSize::try_from(2).unwrap());
        let choice = choose(question, Epsilon::try_from(1.0).unwrap(), 8).unwrap();
        choice.best().mechanism.decode(&[0]).unwrap()
    }

    fn report(id: u32) -> Accepted {
        let mut bytes = [0; 16];
        // Spread over the whole range, so that sweeps meet every part of it.
        bytes[..4].copy_from_slice(&id.wrapping_mul(0x9E37_79B9).to_be_bytes());
        Accepted { id: ReportId(bytes), metric: MetricKey([0; 8]), week: Week::from_index(WEEK), response: response() }
    }

    /// Everything that the file holds.
    fn on_disk(conn: &Connection) -> HashSet<Id> {
        let mut all = HashSet::new();
        let mut read = |sql: &str| {
            let mut rows = conn.prepare(sql).unwrap();
            let rows: Vec<Vec<u8>> = rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
            all.extend(rows.iter().flat_map(|ids| ids.as_chunks().0.to_vec()).map(Id::from_be_bytes));
        };
        read(&format!("SELECT id FROM seen_{WEEK}"));
        read(&format!("SELECT ids FROM fresh_{WEEK}"));
        all
    }

    /// Random batches with repetitions, sweeps of random lengths, transactions that fail, processes that die.
    #[test]
    fn every_id_is_new_once_whatever_happens_in_between() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let mut swept_whole = 0;
        for _ in 0..40 {
            let mut conn = Connection::open_in_memory().unwrap();
            let (mut fresh, mut noted) = (Fresh::default(), HashSet::new());
            for _ in 0..120 {
                let tx = conn.transaction().unwrap();
                let mut changes = Changes::default();
                let mut batch: Vec<Accepted> =
                    (0..rng.random_range(0..40)).map(|_| report(rng.random_range(0..600))).collect();
                batch.sort_by_key(|report| report.id);
                // Time passes, so that the transaction sweeps as well.
                let passed = Duration::from_millis(rng.random_range(0..15_000));
                fresh.0.values_mut().for_each(|buffer| buffer.stepped -= passed);
                let mut new = Vec::new();
                fresh.note(&tx, &batch.iter().collect::<Vec<_>>(), &mut changes, |report| new.push(report.id)).unwrap();
                let expected: HashSet<ReportId> =
                    batch.iter().map(|report| report.id).filter(|id| !noted.contains(id)).collect();
                assert_eq!(new.len(), expected.len());
                assert!(new.iter().all(|id| expected.contains(id)));
                let fails = rng.random_ratio(1, 10);
                if fails {
                    tx.rollback().unwrap();
                    fresh = Fresh::default();
                    continue;
                }
                tx.commit().unwrap();
                fresh.apply(changes);
                noted.extend(new);
                let tx = conn.transaction().unwrap();
                let mut changes = Changes::default();
                match rng.random_range(0..10) {
                    0 => swept_whole += u32::from(fresh.sweep(&tx, &mut changes).unwrap()),
                    1 => fresh = Fresh::default(),
                    2 => {
                        fresh = Fresh::default();
                        fresh.load_all(&tx).unwrap();
                    }
                    _ => {
                        if let Some(buffer) = fresh.0.get_mut(&Week::from_index(WEEK)) {
                            let due = rng.random_range(0..30);
                            changes.0.push(buffer.sweep(&tx, Week::from_index(WEEK), due).unwrap());
                        }
                    }
                }
                tx.commit().unwrap();
                fresh.apply(changes);
                if !noted.is_empty() {
                    assert_eq!(on_disk(&conn), noted.iter().map(|id| Id::from_be_bytes(id.0)).collect());
                }
            }
        }
        assert!(swept_whole > 50, "{swept_whole}");
    }

    #[test]
    fn after_a_whole_sweep_the_log_is_empty() {
        let mut conn = Connection::open_in_memory().unwrap();
        let mut fresh = Fresh::default();
        let batch: Vec<Accepted> = (0..100).map(report).collect();
        let mut batch: Vec<&Accepted> = batch.iter().collect();
        batch.sort_by_key(|report| report.id);
        for step in 0..2 {
            let tx = conn.transaction().unwrap();
            let mut changes = Changes::default();
            if step == 0 {
                fresh.note(&tx, &batch, &mut changes, |_| ()).unwrap();
            } else {
                assert!(fresh.sweep(&tx, &mut changes).unwrap());
            }
            tx.commit().unwrap();
            fresh.apply(changes);
        }
        let left: u32 = conn.query_row(&format!("SELECT count(*) FROM fresh_{WEEK}"), [], |row| row.get(0)).unwrap();
        assert_eq!((left, on_disk(&conn).len()), (0, 100));
    }
}

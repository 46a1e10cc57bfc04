// SPDX-License-Identifier: MIT OR Apache-2.0
//! The embedded store: one file of SQLite, opened with care, written one batch at a time.

mod maintain;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior};
use stipple_catalog::{Catalogue, Phase, Week};

use super::address::Address;
use super::seen::{self, Changes, Fresh};
use super::{Overlap, Sink, Store, StoreError, Stored};
use crate::sums::{Accepted, Sums};
use crate::window::Window;

/// "STPC": a file with this in its header is a Stipple store of counts.
const APPLICATION_ID: i32 = 0x5354_5043;
/// Append only: a migration that was ever released is never edited. Each is numbered by its new schema version.
const MIGRATIONS: [(i64, &str); 2] =
    [(1, include_str!("../migrations/sqlite/0001.sql")), (2, include_str!("../migrations/sqlite/0002.sql"))];
const KNOWN_VERSION: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;
/// How long another program may hold the store before a batch is refused.
const PATIENCE: Duration = Duration::from_secs(1);

/// A store of counts in a file.
#[derive(Debug)]
pub(super) struct Sqlite {
    conn: Connection,
    path: PathBuf,
    fresh: Fresh,
    /// SQLite's number of the state that `fresh` is of: another one when another program has written since
    state: i64,
}

impl Sqlite {
    /// Opens a file for counting; makes or migrates it where needed. On an error it is as it was. It grows to `pages` pages of
    /// 4 KiB and no further.
    pub(super) fn open(path: &Path, phase: Phase, pages: Option<u32>) -> Result<Self, StoreError> {
        let mut store = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        let version = store.version()?;
        store.check()?;
        store.configure().and_then(|()| store.migrate(version)).map_err(|e| store.failure(&e))?;
        store.claim(phase)?;
        // What an earlier process left in its journal is folded in, so that the journal starts empty.
        store.empty_journal().map_err(|e| store.failure(&e))?;
        if let Some(pages) = pages {
            store.conn.pragma_update(None, "max_page_count", pages).map_err(|e| store.failure(&e))?;
        }
        Ok(store)
    }

    /// Opens a file to read it, also while it is being served.
    pub(super) fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let store = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        match store.version()? {
            found if found < KNOWN_VERSION => Err(StoreError::Older { store: store.address(), found }),
            _ => store.conn.pragma_update(None, "query_only", true).map_err(|e| store.failure(&e)).map(|()| store),
        }
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        let unopenable = |error: rusqlite::Error| StoreError::Unopenable {
            store: Address::Sqlite(path.to_owned()),
            reason: error.to_string(),
        };
        let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(unopenable)?;
        conn.busy_timeout(PATIENCE).map_err(unopenable)?;
        Ok(Self { conn, path: path.to_owned(), fresh: Fresh::default(), state: 0 })
    }

    fn failure(&self, source: &rusqlite::Error) -> StoreError {
        let (store, reason) = (self.address(), source.to_string());
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => StoreError::NotOurs(store),
            Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged { store, detail: reason },
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                StoreError::Unopenable { store, reason }
            }
            _ => StoreError::Failed { store, reason },
        }
    }

    /// The schema version of a file that is ours; 0 for an empty one.
    fn version(&self) -> Result<i64, StoreError> {
        let read = |sql| self.conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|e| self.failure(&e));
        let application_id = read("PRAGMA application_id")?;
        let version = read("PRAGMA user_version")?;
        let blank = application_id == 0 && version == 0 && read("SELECT count(*) FROM sqlite_schema")? == 0;
        if !blank && application_id != i64::from(APPLICATION_ID) {
            return Err(StoreError::NotOurs(self.address()));
        }
        if (0..=KNOWN_VERSION).contains(&version) {
            Ok(version)
        } else {
            Err(StoreError::Newer { store: self.address(), found: version, known: KNOWN_VERSION })
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        let verdict: String =
            self.conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|e| self.failure(&e))?;
        if verdict == "ok" {
            return Ok(());
        }
        let detail = verdict.lines().last().unwrap_or_default().to_owned();
        Err(StoreError::Damaged { store: self.address(), detail })
    }

    fn configure(&self) -> rusqlite::Result<()> {
        self.conn.set_prepared_statement_cache_capacity(64);
        self.conn.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;         -- a commit is on the disk when it returns
             PRAGMA secure_delete = ON;         -- what is deleted is overwritten
             PRAGMA temp_store = MEMORY;        -- no copy of anything in temporary files
             PRAGMA wal_autocheckpoint = 2000;  -- 8 MB: beyond, the journal is written over in place
             PRAGMA cache_size = -32768;",
        )
    }

    fn migrate(&mut self, version: i64) -> rusqlite::Result<()> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (number, sql) in MIGRATIONS.into_iter().filter(|(number, _)| *number > version) {
            tx.execute_batch(sql)?;
            tx.pragma_update(None, "application_id", APPLICATION_ID)?;
            tx.pragma_update(None, "user_version", number)?;
        }
        tx.commit()
    }

    /// Writes the phase into a new store; refuses a store of the other one.
    fn claim(&self, phase: Phase) -> Result<(), StoreError> {
        let asked = phase.name();
        self.conn
            .execute("INSERT OR IGNORE INTO meta VALUES ('phase', ?1), ('open_from', '0')", [asked])
            .map_err(|e| self.failure(&e))?;
        let found = self.stored_phase().map_err(|e| self.failure(&e))?;
        if found == asked { Ok(()) } else { Err(StoreError::WrongPhase { store: self.address(), found, asked }) }
    }

    fn stored_phase(&self) -> rusqlite::Result<String> {
        let phase = self.conn.query_row("SELECT value FROM meta WHERE key = 'phase'", [], |row| row.get(0)).optional();
        Ok(phase?.unwrap_or_default())
    }

    fn address(&self) -> Address {
        Address::Sqlite(self.path.clone())
    }

    /// A transaction that writes. Ids that another program has noted or deleted meanwhile are in its sight, not in our memory:
    /// that is read anew then.
    fn begin(&mut self) -> rusqlite::Result<(Transaction<'_>, &mut Fresh)> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let state = tx.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))?;
        if state != self.state {
            self.fresh = Fresh::default();
            self.fresh.load_all(&tx)?;
            self.state = state;
        }
        Ok((tx, &mut self.fresh))
    }

    /// Gives up what is remembered of the ids: the file has it all.
    fn forget_fresh(&mut self) {
        (self.fresh, self.state) = (Fresh::default(), 0);
    }

    fn forgetting(&mut self, error: &rusqlite::Error) -> StoreError {
        self.forget_fresh();
        self.failure(error)
    }

    fn count_batch(
        &mut self,
        catalogue: &Catalogue,
        window: Window,
        reports: &[Accepted],
    ) -> rusqlite::Result<(Window, bool)> {
        let (tx, fresh) = self.begin()?;
        let open_from = open_from(&tx)?;
        let window = window.closed_before(open_from);
        let closes = window.oldest > open_from;
        if closes {
            seen::drop_before(&tx, window.oldest)?;
            tx.execute("UPDATE meta SET value = ?1 WHERE key = 'open_from'", [window.oldest.index().to_string()])?;
        }
        let admitted = window.admitted(reports);
        let (mut sums, mut changes) = (Sums::default(), Changes::default());
        for of_week in admitted.chunk_by(|a, b| a.week == b.week) {
            fresh.note(&tx, of_week, &mut changes, |report| sums.add(catalogue, report))?;
        }
        add(&tx, catalogue, &sums)?;
        tx.commit()?;
        fresh.apply(changes);
        fresh.close_before(window.oldest);
        Ok((window, closes))
    }

    /// Moves noted ids to where their order says nothing. Returns whether nothing is left.
    fn sweep(&mut self) -> rusqlite::Result<bool> {
        let (tx, fresh) = self.begin()?;
        let mut changes = Changes::default();
        let done = fresh.sweep(&tx, &mut changes)?;
        tx.commit()?;
        fresh.apply(changes);
        Ok(done)
    }

    /// Moves the journal into the database and cuts it to nothing. `false` when a reader still needs it.
    fn empty_journal(&self) -> rusqlite::Result<bool> {
        // The writer must not wait for an export: it tries again later.
        self.conn.busy_timeout(Duration::ZERO)?;
        let busy = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        self.conn.busy_timeout(PATIENCE)?;
        Ok(busy? == 0)
    }

    fn read_all(&mut self) -> rusqlite::Result<Vec<Stored>> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let mut received = tx.prepare("SELECT metric, definition, week, reports FROM received ORDER BY 1, 2, 3")?;
        let mut counts = tx
            .prepare("SELECT cell, count FROM counts WHERE metric = ?1 AND definition = ?2 AND week = ?3 ORDER BY 1")?;
        let mut all = Vec::new();
        let mut rows = received.query([])?;
        while let Some(row) = rows.next()? {
            let (metric, definition): (String, [u8; 16]) = (row.get(0)?, row.get(1)?);
            let (week, reports): (u16, i64) = (row.get(2)?, row.get(3)?);
            let cell = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs()));
            let counts = counts.query_map((&metric, &definition[..], week), cell)?.collect::<rusqlite::Result<_>>()?;
            let (week, reports) = (Week::from_index(week), reports.unsigned_abs());
            all.push(Stored { metric, definition, week, reports, counts });
        }
        Ok(all)
    }
}

impl Sink for Sqlite {
    fn count(
        &mut self,
        catalogue: &Catalogue,
        window: Window,
        reports: &[Accepted],
    ) -> Result<(Window, bool), StoreError> {
        self.count_batch(catalogue, window, reports).map_err(|e| self.forgetting(&e))
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        // Setting the version writes the file's first page even when the value stays.
        self.conn.pragma_update(None, "user_version", KNOWN_VERSION).map_err(|e| self.failure(&e))
    }

    fn tidy(&mut self, quiet: bool) -> Result<bool, StoreError> {
        let swept = if quiet { self.sweep() } else { Ok(true) };
        let tidied = swept.and_then(|swept| Ok(swept & self.empty_journal()?));
        tidied.map_err(|e| self.forgetting(&e))
    }

    fn open_from(&mut self) -> Result<Week, StoreError> {
        open_from(&self.conn).map_err(|e| self.failure(&e))
    }
}

impl Store for Sqlite {
    fn phase(&mut self) -> Result<String, StoreError> {
        self.stored_phase().map_err(|e| self.failure(&e))
    }

    fn read(&mut self) -> Result<Vec<Stored>, StoreError> {
        self.read_all().map_err(|e| self.failure(&e))
    }

    fn purge(&mut self, phase: Phase) -> Result<bool, StoreError> {
        self.forget_fresh();
        self.delete_all(phase).map_err(|e| self.failure(&e))
    }

    fn before(&mut self, before: Week) -> Result<(u64, u64), StoreError> {
        maintain::sum_before(&self.conn, before).map_err(|e| self.failure(&e))
    }

    fn forget(&mut self, before: Week) -> Result<(u64, bool), StoreError> {
        self.delete_before(before).map_err(|e| self.failure(&e))
    }

    fn import(&mut self, sources: &[String], series: &[Stored]) -> Result<Option<Overlap>, StoreError> {
        self.add_all(sources, series).map_err(|e| self.failure(&e))
    }

    fn sources(&mut self) -> Result<Vec<String>, StoreError> {
        self.all_sources().map_err(|e| self.failure(&e))
    }

    fn ids(&mut self) -> Result<Vec<(Week, u64)>, StoreError> {
        self.count_ids().map_err(|e| self.failure(&e))
    }

    fn faults(&mut self) -> Result<Vec<String>, StoreError> {
        self.find_faults().map_err(|e| self.failure(&e))
    }
}

fn open_from(conn: &Connection) -> rusqlite::Result<Week> {
    let mut query = conn.prepare_cached("SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'open_from'")?;
    query.query_row([], |row| row.get(0)).map(Week::from_index)
}

fn add(conn: &Connection, catalogue: &Catalogue, sums: &Sums) -> rusqlite::Result<()> {
    let mut received = conn.prepare_cached(
        "INSERT INTO received VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT DO UPDATE SET reports = reports + excluded.reports",
    )?;
    let mut counts = conn.prepare_cached(
        "INSERT INTO counts VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET count = count + excluded.count",
    )?;
    for (definition, week, series) in sums.by_definition(catalogue) {
        let (metric, hash, week) = (&definition.id, &definition.hash.0[..], week.index());
        received.execute((metric, hash, week, series.reports))?;
        for (cell, &count) in (0_i64..).zip(&series.cells).filter(|(_, count)| **count > 0) {
            counts.execute((metric, hash, week, cell, count))?;
        }
    }
    Ok(())
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The SQLite store: opened with care, written one batch at a time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, TransactionBehavior};
use stipple_catalog::{Catalogue, Phase, Week};

use crate::seen;
use crate::sums::{Accepted, Sums};
use crate::window::Window;

/// "STPC": a file with this in its header is a Stipple store of counts.
const APPLICATION_ID: i32 = 0x5354_5043;
/// Append only: a migration that was ever released is never edited. Each is numbered by its new schema version.
const MIGRATIONS: [(i64, &str); 1] = [(1, include_str!("migrations/0001.sql"))];
const KNOWN_VERSION: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;
/// How long another program may hold the store before a batch is refused.
const PATIENCE: Duration = Duration::from_secs(1);

/// A store of counts, open.
#[derive(Debug)]
pub struct Store {
    pub(crate) conn: Connection,
    pub(crate) path: PathBuf,
}

/// A store that cannot be used. Nothing in the file was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file cannot be opened or made.
    #[error("cannot open the store {path}: {source}; its folder must exist and this user must be able to write there")]
    Unopenable {
        /// the store
        path: PathBuf,
        /// why
        source: rusqlite::Error,
    },
    /// The file is something else.
    #[error("{0} is not a Stipple store and was left as it is; name another file with --store")]
    NotOurs(PathBuf),
    /// A newer program has migrated the store.
    #[error(
        "the store {path} has schema version {found} and this program knows up to {KNOWN_VERSION}: \
         install the version that wrote it, or name another file with --store"
    )]
    Newer {
        /// the store
        path: PathBuf,
        /// its schema version
        found: i64,
    },
    /// An export of a store that still has to be migrated.
    #[error("the store {path} has the old schema version {found}: start `stipple-aggregator serve` once to migrate it")]
    Older {
        /// the store
        path: PathBuf,
        /// its schema version
        found: i64,
    },
    /// The file is damaged.
    #[error(
        "the store {path} is damaged ({detail}) and was left as it is: keep a copy, then restore a backup, \
         or recover what is readable with `sqlite3 {path} .recover`, or name a new file with --store"
    )]
    Damaged {
        /// the store
        path: PathBuf,
        /// what SQLite found
        detail: String,
    },
    /// The store belongs to the other phase.
    #[error("the store {path} belongs to the phase {store}, not {asked}: give each phase a store of its own")]
    WrongPhase {
        /// the store
        path: PathBuf,
        /// its phase
        store: String,
        /// the phase asked for
        asked: &'static str,
    },
    /// The clock stands before a week that the store has closed.
    #[error(
        "the store {path} has closed every week before {open_from}, yet the clock says {now}: \
         set the clock right (or --now in a drill), or name a new file with --store"
    )]
    ClockBehind {
        /// the store
        path: PathBuf,
        /// the oldest open week
        open_from: Week,
        /// the current week
        now: Week,
    },
    /// A query failed.
    #[error("the store {path} failed: {source}")]
    Failed {
        /// the store
        path: PathBuf,
        /// why
        source: rusqlite::Error,
    },
}

impl Store {
    /// Opens a store for counting; makes or migrates it where needed.
    ///
    /// # Errors
    /// [`StoreError`]; the file is then as it was.
    pub fn open(path: &Path, phase: Phase) -> Result<Self, StoreError> {
        let mut store = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)?;
        let version = store.version()?;
        store.check()?;
        store.configure().and_then(|()| store.migrate(version)).map_err(|e| store.failure(e))?;
        store.claim(phase)?;
        // What an earlier process left in its journal is folded in, so that the journal starts empty.
        store.empty_journal().map_err(|e| store.failure(e))?;
        Ok(store)
    }

    /// Opens a store to read it, also while it is being served.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let store = Self::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        match store.version()? {
            found if found < KNOWN_VERSION => Err(StoreError::Older { path: path.to_owned(), found }),
            _ => store.conn.pragma_update(None, "query_only", true).map_err(|e| store.failure(e)).map(|()| store),
        }
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Self, StoreError> {
        let unopenable = |source| StoreError::Unopenable { path: path.to_owned(), source };
        let conn = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(unopenable)?;
        conn.busy_timeout(PATIENCE).map_err(unopenable)?;
        Ok(Self { conn, path: path.to_owned() })
    }

    fn failure(&self, source: rusqlite::Error) -> StoreError {
        let path = self.path.clone();
        match source.sqlite_error_code() {
            Some(ErrorCode::NotADatabase) => StoreError::NotOurs(path),
            Some(ErrorCode::DatabaseCorrupt) => StoreError::Damaged { path, detail: source.to_string() },
            Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
                StoreError::Unopenable { path, source }
            }
            _ => StoreError::Failed { path, source },
        }
    }

    /// The schema version of a file that is ours; 0 for an empty one.
    fn version(&self) -> Result<i64, StoreError> {
        let read = |sql| self.conn.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|e| self.failure(e));
        let application_id = read("PRAGMA application_id")?;
        let version = read("PRAGMA user_version")?;
        let blank = application_id == 0 && version == 0 && read("SELECT count(*) FROM sqlite_schema")? == 0;
        if !blank && application_id != i64::from(APPLICATION_ID) {
            return Err(StoreError::NotOurs(self.path.clone()));
        }
        if (0..=KNOWN_VERSION).contains(&version) {
            Ok(version)
        } else {
            Err(StoreError::Newer { path: self.path.clone(), found: version })
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        let verdict: String =
            self.conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(|e| self.failure(e))?;
        if verdict == "ok" {
            return Ok(());
        }
        let detail = verdict.lines().last().unwrap_or_default().to_owned();
        Err(StoreError::Damaged { path: self.path.clone(), detail })
    }

    fn configure(&self) -> rusqlite::Result<()> {
        self.conn.set_prepared_statement_cache_capacity(64);
        self.conn.execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;         -- a commit is on the disk when it returns
             PRAGMA secure_delete = ON;         -- what is deleted is overwritten
             PRAGMA temp_store = MEMORY;        -- no copy of anything in temporary files
             PRAGMA wal_autocheckpoint = 10000; -- 40 MB: pages that many batches touch are copied once
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
            .map_err(|e| self.failure(e))?;
        let store = self.phase()?;
        if store == asked { Ok(()) } else { Err(StoreError::WrongPhase { path: self.path.clone(), store, asked }) }
    }

    pub(crate) fn phase(&self) -> Result<String, StoreError> {
        let phase = self.conn.query_row("SELECT value FROM meta WHERE key = 'phase'", [], |row| row.get(0)).optional();
        Ok(phase.map_err(|e| self.failure(e))?.unwrap_or_default())
    }

    /// Refuses a clock that stands before a closed week: it would refuse every report as late.
    pub(crate) fn check_clock(&self, now: Week) -> Result<(), StoreError> {
        let open_from = open_from(&self.conn).map_err(|e| self.failure(e))?;
        if now < open_from { Err(StoreError::ClockBehind { path: self.path.clone(), open_from, now }) } else { Ok(()) }
    }

    /// Lets the file grow to this many pages of 4 KiB and no further.
    pub(crate) fn limit_pages(&self, pages: u32) -> Result<(), StoreError> {
        self.conn.pragma_update(None, "max_page_count", pages).map_err(|e| self.failure(e))
    }

    /// Counts a batch in one transaction: the reports whose week is open and whose id is new. Weeks that have fallen out of
    /// the window are closed first, in the same transaction.
    ///
    /// Returns the window that held and whether it closed a week. On an error nothing has changed.
    pub(crate) fn count(
        &mut self,
        catalogue: &Catalogue,
        window: Window,
        reports: &[Accepted],
    ) -> rusqlite::Result<(Window, bool)> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let open_from = open_from(&tx)?;
        let window = window.closed_before(open_from);
        let closes = window.oldest > open_from;
        if closes {
            seen::drop_before(&tx, window.oldest)?;
            tx.execute("UPDATE meta SET value = ?1 WHERE key = 'open_from'", [window.oldest.index().to_string()])?;
        }
        let mut admitted: Vec<&Accepted> = reports.iter().filter(|report| window.admit(report.week).is_ok()).collect();
        // In the order of the table, neighbours share a page.
        admitted.sort_unstable_by_key(|report| (report.week, report.id));
        let mut sums = Sums::default();
        for of_week in admitted.chunk_by(|a, b| a.week == b.week) {
            seen::make(&tx, of_week[0].week)?;
            seen::note(&tx, of_week[0].week, of_week, |report| sums.add(catalogue, report))?;
        }
        add(&tx, catalogue, &sums)?;
        tx.commit()?;
        Ok((window, closes))
    }

    /// Writes and commits without changing anything: whether the store can be written to now.
    pub(crate) fn probe(&self) -> rusqlite::Result<()> {
        // Setting the version writes the file's first page even when the value stays.
        self.conn.pragma_update(None, "user_version", KNOWN_VERSION)
    }

    /// Moves the journal into the database and cuts it to nothing. `false` when a reader still needs it.
    pub(crate) fn empty_journal(&self) -> rusqlite::Result<bool> {
        // The writer must not wait for an export: it tries again later.
        self.conn.busy_timeout(Duration::ZERO)?;
        let busy = self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        self.conn.busy_timeout(PATIENCE)?;
        Ok(busy? == 0)
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
    for (&(key, week), series) in &sums.0 {
        let Some(definition) = catalogue.by_key(key) else { continue };
        let (metric, hash, week) = (&definition.id, &definition.hash.0[..], week.index());
        received.execute((metric, hash, week, series.reports))?;
        for (cell, &count) in (0_i64..).zip(&series.cells).filter(|(_, count)| **count > 0) {
            counts.execute((metric, hash, week, cell, count))?;
        }
    }
    Ok(())
}

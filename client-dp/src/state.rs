// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one SQLite database that holds a workstation's state.

use std::cell::Cell;
use std::io::ErrorKind;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, Transaction};

/// "STPL", the mark of our database files.
const APPLICATION_ID: i32 = 0x5354_504c;
const MIGRATIONS: [&str; 2] = [include_str!("migrations/0001.sql"), include_str!("migrations/0002.sql")];
/// The state's file within the state directory.
pub const FILE_NAME: &str = "stipple.sqlite";

/// What went wrong with the state. Nothing was deleted or sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The directory or file cannot be used.
    #[error(
        "cannot use the state at {path}: {source}; check that the directory exists, belongs to this user and has room"
    )]
    Unusable {
        /// the file
        path: PathBuf,
        /// why
        source: rusqlite::Error,
    },
    /// The file is damaged.
    #[error(
        "the state at {path} is damaged ({detail}); nothing was deleted or sent. Restore the file if you can. To begin \
         anew, stop the recorder and move the file away; then wait for the next half-year before you enable metrics \
         again, because what this one has spent is no longer known"
    )]
    Damaged {
        /// the file
        path: PathBuf,
        /// what SQLite found
        detail: String,
    },
    /// The file is another program's.
    #[error("{path} is not a Stipple state: point --state-dir somewhere else")]
    Foreign {
        /// the file
        path: PathBuf,
    },
    /// The file was written by a newer version.
    #[error("the state at {path} has version {found}, this program knows up to {known}: install the newer program")]
    Newer {
        /// the file
        path: PathBuf,
        /// the file's version
        found: u32,
        /// the newest known
        known: usize,
    },
    /// The state belongs to the other phase.
    #[error("the state at {path} is of the {found} phase: point --state-dir somewhere else, or add --phase {found}")]
    Phase {
        /// the file
        path: PathBuf,
        /// the file's phase
        found: String,
    },
    /// Another program keeps deleted pages from being overwritten.
    #[error(
        "everything was deleted, but another program has the state open and old bytes may be left in its log; close that program: the recorder tries again within minutes"
    )]
    InUse,
    /// A read or write failed on the way.
    #[error("the state could not be read or written ({0}); if the disk is full, make room: what was in it is kept")]
    Sql(#[from] rusqlite::Error),
}

/// The state, open. Who writes to it says whether the disk is waited for.
#[derive(Debug)]
pub(crate) struct State {
    connection: Connection,
    /// whether a commit waits for the disk now
    waits: Cell<bool>,
}

/// A transaction that is on the disk once its commit has returned. Whoever spends budget, draws, or takes an answer asks for
/// one.
#[derive(Debug)]
pub(crate) struct Durable<'s>(Transaction<'s>);

impl State {
    /// Begins a transaction that the next power cut leaves as it was committed.
    pub fn durable(&mut self) -> rusqlite::Result<Durable<'_>> {
        self.wait_for_disk(true)?;
        Ok(Durable(self.connection.transaction()?))
    }

    /// Begins a transaction that a power cut, but no crash of the program, may undo. Not within another one.
    pub fn quick(&self) -> rusqlite::Result<Transaction<'_>> {
        self.wait_for_disk(false)?;
        self.connection.unchecked_transaction()
    }

    /// SQLite parses a pragma each time, which is too dear for every event.
    fn wait_for_disk(&self, wait: bool) -> rusqlite::Result<()> {
        if self.waits.get() != wait {
            self.connection.pragma_update(None, "synchronous", if wait { "FULL" } else { "NORMAL" })?;
            self.waits.set(wait);
        }
        Ok(())
    }
}

impl Deref for State {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Durable<'_> {
    pub fn commit(self) -> rusqlite::Result<()> {
        self.0.commit()
    }
}

impl<'s> Deref for Durable<'s> {
    type Target = Transaction<'s>;

    fn deref(&self) -> &Transaction<'s> {
        &self.0
    }
}

/// Opens the state in a directory; `create` makes it when there is none.
///
/// # Errors
/// [`StateError`]; `Ok(None)` when there is none and `create` is false, and nothing is written then.
pub(crate) fn open(folder: &Path, create: bool) -> Result<Option<State>, StateError> {
    let path = folder.join(FILE_NAME);
    match std::fs::metadata(&path) {
        // What an emptied file had spent is unknown, so it must not pass for a new one.
        Ok(file) if file.len() == 0 => Err(StateError::Damaged { path, detail: "the file is empty".to_owned() }),
        Ok(_) => open_file(&path).map(Some),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(unusable(&path, error)),
        Err(_) if !create => Ok(None),
        Err(_) => {
            create_file(&path)?;
            // What could not be set up holds nothing yet, and would be taken for damaged later.
            open_file(&path).map(Some).inspect_err(|_| remove_files(&path))
        }
    }
}

fn open_file(path: &Path) -> Result<State, StateError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
        let fault: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        Ok((connection, fault))
    });
    let (connection, fault) = opened.map_err(|source| at(path, source))?;
    if fault != "ok" {
        return Err(StateError::Damaged { path: path.to_owned(), detail: fault });
    }
    if cut_short(&connection, path).map_err(|source| at(path, source))? {
        return Err(StateError::Damaged { path: path.to_owned(), detail: "its end is missing".to_owned() });
    }
    prepare(connection, path)
}

/// An empty file that only the recorder's user reads; SQLite gives its write-ahead log the same mode.
fn create_file(path: &Path) -> Result<(), StateError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let made = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map(drop).map_err(|error| unusable(path, error))
}

/// Whether the file ends within a page, which SQLite reads as zeroes. After a crash the write-ahead log makes up for it.
fn cut_short(connection: &Connection, path: &Path) -> rusqlite::Result<bool> {
    let page: u64 = connection.query_row("PRAGMA page_size", [], |row| row.get::<_, i64>(0))?.unsigned_abs();
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
    Ok(!length(path).is_multiple_of(page) && length(&beside(path, "-wal")) == 0)
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn remove_files(path: &Path) {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        // Most of them are not there.
        let _ = std::fs::remove_file(beside(path, suffix));
    }
}

/// A directory or file that cannot be used.
pub(crate) fn unusable(path: &Path, error: std::io::Error) -> StateError {
    StateError::Unusable { path: path.to_owned(), source: rusqlite::Error::ToSqlConversionFailure(Box::new(error)) }
}

/// A state that lives in memory only, for simulated workstations.
pub(crate) fn in_memory() -> Result<State, StateError> {
    prepare(Connection::open_in_memory()?, Path::new(":memory:"))
}

fn at(path: &Path, source: rusqlite::Error) -> StateError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StateError::Damaged { path, detail: source.to_string() }
        }
        _ => StateError::Unusable { path, source },
    }
}

fn prepare(connection: Connection, path: &Path) -> Result<State, StateError> {
    let fail = |source| at(path, source);
    let pragma = |name| connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let (mark, version) = (pragma("application_id").map_err(fail)?, pragma("user_version").map_err(fail)?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(fail)?;
    if mark != i64::from(APPLICATION_ID) && (mark != 0 || tables > 0) {
        return Err(StateError::Foreign { path: path.to_owned() });
    }
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    if done > MIGRATIONS.len() {
        let found = u32::try_from(version).unwrap_or(u32::MAX);
        return Err(StateError::Newer { path: path.to_owned(), found, known: MIGRATIONS.len() });
    }
    connection
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA secure_delete = ON; PRAGMA synchronous = FULL;")
        .map_err(fail)?;
    let mut state = State { connection, waits: Cell::new(true) };
    if done == MIGRATIONS.len() {
        return Ok(state);
    }
    let transaction = state.durable().map_err(fail)?;
    for (number, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        transaction.execute_batch(migration).map_err(fail)?;
        transaction.pragma_update(None, "user_version", i32::try_from(number + 1).unwrap_or(i32::MAX)).map_err(fail)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(fail)?;
    transaction.commit().map_err(fail)?;
    Ok(state)
}

/// Writes every page anew and empties the write-ahead log, so that what was deleted is nowhere in the files.
pub(crate) fn scrub(connection: &Connection) -> Result<(), StateError> {
    empty_log(connection)?;
    connection.execute_batch("VACUUM")?;
    empty_log(connection)
}

fn empty_log(connection: &Connection) -> Result<(), StateError> {
    let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy { Err(StateError::InUse) } else { Ok(()) }
}

/// Refuses a state that was begun in another phase than `phase`.
pub(crate) fn check_phase(connection: &Connection, path: &Path, phase: &str) -> Result<(), StateError> {
    let found: Option<String> =
        connection.query_row("SELECT phase FROM workstation", [], |row| row.get(0)).optional()?;
    match found {
        Some(found) if found != phase => Err(StateError::Phase { path: path.join(FILE_NAME), found }),
        _ => Ok(()),
    }
}

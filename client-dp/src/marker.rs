// SPDX-License-Identifier: MIT OR Apache-2.0
//! A second file that tells a restored older copy of the state from the state itself: how many lines the ledger had, and the
//! latest week. It is written after the state, so a crash in between is no alarm; it holds nothing that was recorded.

use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rusqlite::{Connection, params};
use stipple_catalog::Week;
use stipple_ldp::Epsilon;

use crate::state::{Durable, StateError, unusable};

/// The marker's file within the state directory.
pub const MARKER_NAME: &str = "ledger-mark";

/// How far a ledger has come. Neither number ever falls while a state lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marker {
    /// epochs drawn and reports paid for
    lines: u64,
    /// the latest week accepted
    week: u16,
}

impl Marker {
    /// The state's own; nothing before an answer.
    pub fn of(connection: &Connection) -> rusqlite::Result<Self> {
        connection
            .prepare_cached(
                "SELECT (SELECT count(*) FROM epoch) + (SELECT count(*) FROM spend)
                        + coalesce((SELECT unseen FROM workstation), 0),
                        coalesce((SELECT latest_week FROM workstation), 0)",
            )?
            .query_row([], |row| Ok(Self { lines: row.get::<_, i64>(0)?.unsigned_abs(), week: row.get(1)? }))
    }

    /// The directory's; `None` when there is none.
    ///
    /// # Errors
    /// [`StateError::Damaged`] when it says nothing: what was spent is not known then.
    pub fn read(folder: &Path) -> Result<Option<Self>, StateError> {
        let path = folder.join(MARKER_NAME);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(&path, error)),
        };
        let numbers = text
            .trim_end()
            .split_once(' ')
            .and_then(|(lines, week)| Some(Self { lines: lines.parse().ok()?, week: week.parse().ok()? }));
        let detail = || "it does not hold two numbers".to_owned();
        numbers.map(Some).ok_or_else(|| StateError::Damaged { path: path.clone(), detail: detail() })
    }

    /// Writes it in one step, durably.
    pub fn write(self, folder: &Path) -> Result<(), StateError> {
        let (path, new) = (folder.join(MARKER_NAME), folder.join(format!("{MARKER_NAME}.new")));
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        let written = options.open(&new).and_then(|mut file| {
            writeln!(file, "{} {}", self.lines, self.week)?;
            file.sync_all()?;
            std::fs::rename(&new, &path)?;
            File::open(folder)?.sync_all()
        });
        written.map_err(|error| unusable(&path, error))
    }

    /// Whether a state that has come this far is an older copy of the one that left `mark`.
    pub const fn is_behind(self, mark: Self) -> bool {
        self.lines < mark.lines
    }

    /// Makes a restored copy safe: what it has left to report is forfeited, for that may have been spent already, and the epoch
    /// of the mark is not drawn any more. Time does not fall behind the mark either, so no epoch before it is.
    pub fn catch_up(self, transaction: &Durable<'_>, mark: Self, phase: &str) -> rusqlite::Result<()> {
        transaction.execute(
            "INSERT OR IGNORE INTO workstation (id, consent, observed_from, latest_week, phase) VALUES (1, 0, ?1, ?1, ?2)",
            params![mark.week, phase],
        )?;
        transaction.execute("UPDATE slot SET outcome = 'forfeited' WHERE outcome = 'waiting'", [])?;
        let barred = transaction.execute(
            "INSERT OR IGNORE INTO epoch (epoch, cap_micros) VALUES (?1, ?2)",
            params![Week::from_index(mark.week).epoch().index(), Epsilon::MIN.micros()],
        )?;
        let unseen = mark.lines.saturating_sub(self.lines).saturating_sub(u64::try_from(barred).unwrap_or(0));
        transaction.execute(
            "UPDATE workstation SET unseen = unseen + ?1, latest_week = max(latest_week, ?2)",
            params![i64::try_from(unseen).unwrap_or(i64::MAX), mark.week],
        )?;
        Ok(())
    }
}

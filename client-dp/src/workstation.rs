// SPDX-License-Identifier: MIT OR Apache-2.0
//! One workstation: what is recorded becomes tallies, tallies become reports when their slot's week is over.
//!
//! The daemon drives one of these on a file; a simulation drives thousands in memory. It is one code path.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::{CryptoRng, RngExt};
use rusqlite::{Connection, Transaction, params};
use stipple_catalog::{Catalogue, Clock, Definition, Report, ReportId, Week, WeekError};

use crate::ledger::{self, SpendError};
use crate::outbox::{self, Outgoing, PutError};
use crate::present::Present;
use crate::probes;
use crate::schedule::{self, Slot};
use crate::state::{self, StateError};
use crate::tallies;

/// A week is reported if that can be drawn within this many weeks after it. The server refuses a report as late after one
/// week more, which the sending window takes up.
pub const REPORT_WINDOW_WEEKS: u16 = 3;

/// The user's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Never asked on this workstation: there is no state at all.
    Unset,
    /// No.
    Off,
    /// Yes.
    On,
}

impl Consent {
    /// The answer as the D-Bus interface spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unset => "unset",
            Self::Off => "off",
            Self::On => "on",
        }
    }
}

/// What went wrong on the workstation. Nothing left it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkstationError {
    /// The state could not be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// The clock is beyond any week.
    #[error("the clock cannot be right: {0}")]
    Clock(#[from] WeekError),
    /// A report could not be made of a tally: a fault of the program or of its state.
    #[error("the report of {metric} could not be made: {detail}; nothing was spent or sent")]
    Report {
        /// the metric's id
        metric: String,
        /// what went wrong; never the value
        detail: String,
    },
}

impl From<rusqlite::Error> for WorkstationError {
    fn from(error: rusqlite::Error) -> Self {
        Self::State(StateError::Sql(error))
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Workstation {
    catalogue: Arc<Catalogue>,
    clock: Clock,
    /// how long after its week a report's random moment may come
    send_window: Duration,
    folder: Option<PathBuf>,
    /// `None` until the first yes: without it there is no file
    connection: Option<Connection>,
    /// a no that could not be carried out to the end yet; it holds all the same
    unfinished_no: bool,
}

impl Workstation {
    /// A workstation with its state in a directory. Opening writes nothing, but finishes a no that a crash cut short.
    ///
    /// # Errors
    /// [`WorkstationError::State`] when there is a state that cannot be used.
    pub fn open(
        folder: &Path,
        catalogue: Arc<Catalogue>,
        clock: Clock,
        send_window: Duration,
    ) -> Result<Self, WorkstationError> {
        let connection = state::open(folder, false)?;
        let folder = Some(folder.to_owned());
        let workstation = Self { catalogue, clock, send_window, folder, connection, unfinished_no: false };
        workstation.check_opened()?;
        Ok(workstation)
    }

    /// A simulated workstation without a file.
    ///
    /// # Errors
    /// [`WorkstationError::State`] when memory runs out.
    pub fn in_memory(catalogue: Arc<Catalogue>, clock: Clock, send_window: Duration) -> Result<Self, WorkstationError> {
        Ok(Self { catalogue, clock, send_window, folder: None, connection: None, unfinished_no: false })
    }

    fn check_opened(&self) -> Result<(), WorkstationError> {
        let (Some(connection), Some(folder)) = (&self.connection, &self.folder) else { return Ok(()) };
        state::check_phase(connection, folder, self.clock.phase().name())?;
        if self.consent()? == Consent::Off {
            probes::forget(folder).map_err(|error| state::unusable(folder, error))?;
            state::scrub(connection)?;
        }
        Ok(())
    }

    /// The catalogue in force.
    #[must_use]
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// The clock.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    pub(crate) const fn connection_mut(&mut self) -> Option<&mut Connection> {
        self.connection.as_mut()
    }

    /// Where the state is kept; `None` of a simulation.
    pub(crate) fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    pub(crate) const fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    /// The present, as far as the clock is believed.
    pub(crate) fn present(&self) -> Result<Present, WorkstationError> {
        if let Some(connection) = &self.connection {
            return Present::read(connection, &self.clock);
        }
        let (now, today, week) = (self.clock.now(), self.clock.today(), self.clock.week()?);
        Ok(Present { now, today, week, doubted_since: None })
    }

    /// The user's answer.
    ///
    /// # Errors
    /// [`WorkstationError::State`] when the state cannot be read.
    pub fn consent(&self) -> Result<Consent, WorkstationError> {
        let Some(connection) = &self.connection else { return Ok(Consent::Unset) };
        if self.unfinished_no {
            return Ok(Consent::Off);
        }
        let mut statement = connection.prepare_cached("SELECT consent FROM workstation")?;
        let mut rows = statement.query([])?;
        Ok(match rows.next()?.map(|row| row.get::<_, bool>(0)).transpose()? {
            None => Consent::Unset,
            Some(false) => Consent::Off,
            Some(true) => Consent::On,
        })
    }

    /// Whether the answer is yes.
    ///
    /// # Errors
    /// See [`Self::consent`].
    pub fn is_on(&self) -> Result<bool, WorkstationError> {
        Ok(self.consent()? == Consent::On)
    }

    /// Takes a yes. Weeks are reported from the next whole one on; an epoch that was drawn before keeps its draw.
    ///
    /// # Errors
    /// [`WorkstationError`]; the answer is unchanged when it, or the epoch's draw, could not be written.
    pub fn enable<R: CryptoRng>(&mut self, rng: &mut R) -> Result<(), WorkstationError> {
        if self.is_on()? {
            return Ok(());
        }
        if self.connection.is_none() {
            self.connection = match &self.folder {
                Some(folder) => state::open(folder, true)?,
                None => Some(state::in_memory()?),
            };
        }
        let (present, phase) = (self.present()?, self.clock.phase().name());
        if let Some(connection) = &mut self.connection {
            connection.pragma_update(None, "synchronous", "FULL")?;
            let transaction = connection.transaction()?;
            let (week, next) = (present.week.index(), present.week.next().index());
            transaction.execute(
                "INSERT INTO workstation (id, consent, observed_from, latest_week, phase) VALUES (1, 1, ?1, ?2, ?3)
                 ON CONFLICT DO UPDATE SET consent = 1, observed_from = ?1",
                params![next, week, phase],
            )?;
            present.note(&transaction)?;
            schedule::draw(&transaction, &self.catalogue, present.week.epoch(), present.today, rng)?;
            transaction.commit()?;
            self.unfinished_no = false;
        }
        self.advance(rng)
    }

    /// Takes a no: tallies, outbox and counters go, and their bytes with them. The ledger stays, and with it the epoch's
    /// draw, so that a later yes can neither spend again nor draw again.
    ///
    /// # Errors
    /// [`WorkstationError::State`] when the state cannot be written. The answer is no all the same, and
    /// [`Self::advance`] tries again.
    pub fn disable(&mut self) -> Result<(), WorkstationError> {
        let Some(connection) = &mut self.connection else { return Ok(()) };
        self.unfinished_no = true;
        let transaction = connection.transaction()?;
        transaction.execute_batch(
            "UPDATE workstation SET consent = 0; DELETE FROM tally; DELETE FROM outbox; DELETE FROM dropped;",
        )?;
        transaction.commit()?;
        if let Some(folder) = &self.folder {
            probes::forget(folder).map_err(|error| state::unusable(folder, error))?;
        }
        state::scrub(connection)?;
        self.unfinished_no = false;
        Ok(())
    }

    /// Brings the workstation to the present: draws the epoch's panel if that is to do, and turns every slot whose week is
    /// over into a report. The ledger's line and the randomised report are one durable transaction.
    ///
    /// # Errors
    /// [`WorkstationError`]; what was not committed is as it was.
    pub fn advance<R: CryptoRng>(&mut self, rng: &mut R) -> Result<(), WorkstationError> {
        if self.unfinished_no {
            return self.disable();
        }
        if !self.is_on()? {
            return Ok(());
        }
        let present = self.present()?;
        let Some(connection) = &mut self.connection else { return Ok(()) };
        connection.pragma_update(None, "synchronous", "FULL")?;
        let transaction = connection.transaction()?;
        present.note(&transaction)?;
        schedule::draw(&transaction, &self.catalogue, present.week.epoch(), present.today, rng)?;
        transaction.commit()?;

        // One slot that fails must not hold up the others; its tally is kept until it succeeds.
        let mut failure = None;
        for slot in schedule::waiting(connection)?.into_iter().take_while(|slot| slot.week < present.week) {
            let send_after = send_moment(present.now, self.send_window, rng);
            failure = close(connection, &self.catalogue, &slot, present.week, send_after, rng).err().or(failure);
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        let transaction = connection.transaction()?;
        tallies::forget_before(&transaction, present.week)?;
        transaction.commit()?;
        Ok(())
    }

    /// The reports whose moment has come. Empty without a yes.
    ///
    /// # Errors
    /// [`WorkstationError::State`] when the state cannot be read.
    pub fn due(&self) -> Result<Vec<Outgoing>, WorkstationError> {
        match &self.connection {
            Some(connection) if self.is_on()? => Ok(outbox::due(connection, self.clock.now())?),
            _ => Ok(Vec::new()),
        }
    }

    /// Notes that the server counted a report, or refused it for good.
    ///
    /// # Errors
    /// [`WorkstationError::State`] when the state cannot be written; the report is sent again later, under the same id.
    pub fn settle(&mut self, id: ReportId, counted: bool) -> Result<(), WorkstationError> {
        if let Some(connection) = &mut self.connection {
            outbox::settle(connection, id, counted)?;
        }
        Ok(())
    }
}

/// Closes a slot whose week is over: reports it, or forfeits it.
fn close<R: CryptoRng>(
    connection: &mut Connection,
    catalogue: &Catalogue,
    slot: &Slot,
    week: Week,
    send_after: Timestamp,
    rng: &mut R,
) -> Result<(), WorkstationError> {
    let transaction = connection.transaction()?;
    let definition = reportable(&transaction, catalogue, slot, week)?;
    if let Some(definition) = definition {
        report(&transaction, definition, slot, send_after, rng)?;
    }
    schedule::settle(&transaction, slot, definition.is_some())?;
    transaction.commit()?;
    Ok(())
}

/// The definition under which a slot may be reported; `None` when it is forfeited: not wholly observed since the yes, too
/// late for the server, expired, or defined otherwise than when it was drawn.
fn reportable<'c>(
    connection: &Connection,
    catalogue: &'c Catalogue,
    slot: &Slot,
    week: Week,
) -> rusqlite::Result<Option<&'c Definition>> {
    let observed_from: u16 =
        connection.prepare_cached("SELECT observed_from FROM workstation")?.query_row([], |row| row.get(0))?;
    let in_time = slot.week.index() >= observed_from && week.since(slot.week) <= REPORT_WINDOW_WEEKS;
    let definition = catalogue
        .get(&slot.metric)
        .filter(|definition| in_time && definition.hash == slot.definition && definition.is_active(slot.week.monday()));
    Ok(definition)
}

/// Pays for a slot's report and writes it down, randomised.
fn report<R: CryptoRng>(
    transaction: &Transaction<'_>,
    definition: &Definition,
    slot: &Slot,
    send_after: Timestamp,
    rng: &mut R,
) -> Result<(), WorkstationError> {
    let fault = |detail: String| WorkstationError::Report { metric: slot.metric.clone(), detail };
    let paid = ledger::spend(transaction, definition, slot.week).map_err(|error| match error {
        SpendError::Sql(error) => error.into(),
        refusal => fault(refusal.to_string()),
    })?;
    let tally = tallies::read(transaction, &slot.metric, slot.week)?;
    let value = definition.aggregate.value(&definition.domain, &tally, |n| rng.random_range(0..n));
    let response = definition.mechanism.randomise(&value, rng).map_err(|error| fault(error.to_string()))?;
    let mut id = [0; 16];
    rng.fill_bytes(&mut id);
    let report = Report { id: ReportId(id), definition, week: slot.week, response };
    outbox::put(transaction, paid, &report, send_after).map_err(|error| match error {
        PutError::Sql(error) => error.into(),
        PutError::Wire(error) => fault(error.to_string()),
    })
}

/// A uniform moment of the sending window, to the second.
fn send_moment<R: CryptoRng>(now: Timestamp, window: Duration, rng: &mut R) -> Timestamp {
    let seconds = rng.random_range(0..=window.as_secs());
    let delay = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0));
    now.saturating_add(delay).unwrap_or(now)
}

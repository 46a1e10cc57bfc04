// SPDX-License-Identifier: MIT OR Apache-2.0
//! One workstation: what is recorded becomes tallies, tallies become reports when their slot's week is over.
//!
//! The daemon drives one of these on a file; a simulation drives thousands in memory. It is one code path.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rand::{CryptoRng, RngExt};
use rusqlite::Connection;
use stipple_catalog::{Catalogue, Category, Clock, Definition, Report, ReportId, Week, WeekError};

use crate::consent::{Consent, consent_version};
use crate::ledger::{self, SpendError};
use crate::marker::Marker;
use crate::outbox::{self, Outcome, Outgoing, PutError};
use crate::present::Present;
use crate::schedule::{self, Slot};
use crate::state::{self, Durable, State, StateError};
use crate::tallies;

/// A week is reported if that can be drawn within this many weeks after it. The server refuses a report as late after one
/// week more, which the sending window takes up.
pub const REPORT_WINDOW_WEEKS: u16 = 3;

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
    /// A yes under an administrator's lock.
    #[error("an administrator has switched metrics off for this computer; nothing is recorded or sent")]
    Locked,
    /// What is to be switched off or on is not in the catalogue.
    #[error("{0:?} is neither a metric nor a category of the catalogue: see them with stipple metrics")]
    UnknownName(String),
    /// A metric is to be on whose category is off.
    #[error("{metric} is off because all of {category} is: opt in to {category} first")]
    CategoryOff {
        /// the metric's id
        metric: String,
        /// its category
        category: Category,
    },
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
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) clock: Clock,
    /// how long after its week a report's random moment may come
    send_window: Duration,
    /// where the state is kept; `None` of a simulation
    pub(crate) folder: Option<PathBuf>,
    /// `None` until the first answer: without it there is no file
    pub(crate) state: Option<State>,
    /// the version of the text that a yes is given to now
    pub(crate) consent_version: String,
    /// the file by which an administrator switches everything off
    pub(crate) lock: Option<PathBuf>,
    /// a no that could not be carried out to the end yet; it holds all the same
    pub(crate) unfinished_no: bool,
    /// something was deleted whose bytes are not overwritten yet
    pub(crate) unscrubbed: bool,
    /// what the marker's file says
    marker: Marker,
}

impl Workstation {
    /// A workstation with its state in a directory. Opening writes nothing, but finishes a no that a crash cut short, and
    /// forfeits what an older copy of the state might spend twice.
    ///
    /// # Errors
    /// [`WorkstationError::State`] when there is a state that cannot be used.
    pub fn open(
        folder: &Path,
        catalogue: Arc<Catalogue>,
        clock: Clock,
        send_window: Duration,
    ) -> Result<Self, WorkstationError> {
        let mut workstation = Self::in_memory(catalogue, clock, send_window)?;
        workstation.state = state::open(folder, false)?;
        workstation.folder = Some(folder.to_owned());
        workstation.check_opened()?;
        Ok(workstation)
    }

    /// A simulated workstation without a file.
    ///
    /// # Errors
    /// [`WorkstationError::State`] when memory runs out.
    pub fn in_memory(catalogue: Arc<Catalogue>, clock: Clock, send_window: Duration) -> Result<Self, WorkstationError> {
        Ok(Self {
            catalogue,
            clock,
            send_window,
            folder: None,
            state: None,
            consent_version: consent_version(),
            lock: None,
            unfinished_no: false,
            unscrubbed: false,
            marker: Marker::default(),
        })
    }

    /// The same, switched off for as long as there is a file `lock`, whatever the user answers.
    #[must_use]
    pub fn with_lock(mut self, lock: PathBuf) -> Self {
        self.lock = Some(lock);
        self
    }

    fn check_opened(&mut self) -> Result<(), WorkstationError> {
        let (Some(state), Some(folder)) = (&self.state, &self.folder) else { return Ok(()) };
        state::check_phase(state, folder, self.clock.phase().name())?;
        if self.consent()? == Consent::Off {
            self.forget_start()?;
            state::scrub(state)?;
        }
        self.reconcile()
    }

    /// Makes the state if there is none.
    pub(crate) fn create_state(&mut self) -> Result<(), WorkstationError> {
        if self.state.is_some() {
            return Ok(());
        }
        self.state = match &self.folder {
            Some(folder) => state::open(folder, true)?,
            None => Some(state::in_memory()?),
        };
        self.reconcile()
    }

    /// Compares the state with the marker beside it; an older copy is made safe.
    fn reconcile(&mut self) -> Result<(), WorkstationError> {
        let (Some(state), Some(folder)) = (&mut self.state, &self.folder) else { return Ok(()) };
        let Some(mark) = Marker::read(folder)? else { return Ok(()) };
        self.marker = mark;
        let own = Marker::of(state)?;
        if own.is_behind(mark) {
            tracing::warn!("the state is an older copy: what it has left of the half-year's budget is forfeited");
            let transaction = state.durable()?;
            own.catch_up(&transaction, mark, self.clock.phase().name())?;
            transaction.commit()?;
        }
        Ok(())
    }

    /// Brings the marker beside the state up to date.
    fn mark(&mut self) -> Result<(), WorkstationError> {
        let (Some(state), Some(folder)) = (&self.state, &self.folder) else { return Ok(()) };
        let own = Marker::of(state)?;
        if own != self.marker {
            own.write(folder)?;
            self.marker = own;
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

    pub(crate) fn connection(&self) -> Option<&Connection> {
        self.state.as_deref()
    }

    /// The present, as far as the clock is believed.
    pub(crate) fn present(&self) -> Result<Present, WorkstationError> {
        if let Some(state) = &self.state {
            return Present::read(state, &self.clock);
        }
        let (now, today, week) = (self.clock.now(), self.clock.today(), self.clock.week()?);
        Ok(Present { now, today, week, doubted_since: None })
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
        self.clean_up()?;
        if self.is_locked() {
            self.erase()?;
        }
        let (present, on) = (self.present()?, self.is_on()?);
        let Some(state) = &mut self.state else { return Ok(()) };
        let transaction = state.durable()?;
        present.note(&transaction)?;
        if !on {
            tallies::forget_before(&transaction, present.week)?;
            transaction.commit()?;
            return Ok(());
        }
        schedule::draw(&transaction, &self.catalogue, present.week.epoch(), present.today, rng)?;
        transaction.commit()?;

        // One slot that fails must not hold up the others; its tally is kept until it succeeds.
        let mut failure = None;
        for slot in schedule::waiting(state)?.into_iter().take_while(|slot| slot.week < present.week) {
            let send_after = send_moment(present.now, self.send_window, rng);
            failure = close(state, &self.catalogue, &slot, present.week, send_after, rng).err().or(failure);
        }
        if failure.is_none() {
            let transaction = state.durable()?;
            tallies::forget_before(&transaction, present.week)?;
            transaction.commit()?;
        }
        self.mark()?;
        failure.map_or(Ok(()), Err)
    }

    /// The slots whose week is not over or not closed yet.
    ///
    /// # Errors
    /// [`WorkstationError::State`] when the state cannot be read.
    pub fn slots(&self) -> Result<Vec<Slot>, WorkstationError> {
        self.state.as_ref().map_or(Ok(Vec::new()), |state| Ok(schedule::waiting(state)?))
    }

    /// The reports whose moment has come. Empty without a yes.
    ///
    /// # Errors
    /// [`WorkstationError::State`] when the state cannot be read.
    pub fn due(&self) -> Result<Vec<Outgoing>, WorkstationError> {
        match &self.state {
            Some(state) if self.is_on()? => Ok(outbox::due(state, self.clock.now())?),
            _ => Ok(Vec::new()),
        }
    }

    /// Notes that the server counted a report, or refused it for good.
    ///
    /// # Errors
    /// [`WorkstationError::State`] when the state cannot be written; the report is sent again later, under the same id.
    pub fn settle(&mut self, id: ReportId, counted: bool) -> Result<(), WorkstationError> {
        if let Some(state) = &mut self.state {
            let outcome = if counted { Outcome::Sent } else { Outcome::Refused };
            outbox::settle(state, id, outcome)?;
        }
        Ok(())
    }
}

/// Closes a slot whose week is over: reports it, or forfeits it.
fn close<R: CryptoRng>(
    state: &mut State,
    catalogue: &Catalogue,
    slot: &Slot,
    week: Week,
    send_after: Timestamp,
    rng: &mut R,
) -> Result<(), WorkstationError> {
    let transaction = state.durable()?;
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
    let in_time = slot.week >= observed_from(connection)? && week.since(slot.week) <= REPORT_WINDOW_WEEKS;
    let definition = catalogue
        .get(&slot.metric)
        .filter(|definition| in_time && definition.hash == slot.definition && definition.is_active(slot.week.monday()));
    Ok(definition)
}

/// The first whole week since the latest yes or erasure; earlier ones are not reported.
pub(crate) fn observed_from(connection: &Connection) -> rusqlite::Result<Week> {
    connection
        .prepare_cached("SELECT observed_from FROM workstation")?
        .query_row([], |row| Ok(Week::from_index(row.get(0)?)))
}

/// Pays for a slot's report and writes it down, randomised.
fn report<R: CryptoRng>(
    transaction: &Durable<'_>,
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

// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the user answered, to the whole and to single metrics, and what an administrator forbids.

use std::collections::BTreeSet;
use std::path::Path;

use rand::CryptoRng;
use rusqlite::{Connection, params};
use sha2::{Digest as _, Sha256};
use stipple_catalog::{Category, Definition, Week, hex};

use crate::probes;
use crate::schedule;
use crate::state;
use crate::workstation::{Workstation, WorkstationError};

/// The text that a yes agrees to.
pub const CONSENT_TEXT: &str = include_str!("consent.txt");

/// The version of [`CONSENT_TEXT`]: the first 8 bytes of its SHA-256 in hexadecimal, so that no change of a word goes unasked.
#[must_use]
pub fn consent_version() -> String {
    hex(&Sha256::digest(CONSENT_TEXT.as_bytes())[..8])
}

/// The user's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Never answered on this workstation.
    Unset,
    /// No.
    Off,
    /// Yes, to some version of the text: see [`Hold::NewText`].
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

/// Why nothing is recorded, drawn or sent whatever the answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// An administrator has switched metrics off for this computer.
    Locked,
    /// The yes was given to another version of the text.
    NewText,
}

impl Hold {
    /// The reason as the D-Bus interface spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::NewText => "text-changed",
        }
    }
}

impl Workstation {
    /// The user's answer.
    ///
    /// # Errors
    /// [`WorkstationError::State`] when the state cannot be read.
    pub fn consent(&self) -> Result<Consent, WorkstationError> {
        Ok(self.answer()?.0)
    }

    /// The version of the text that the yes was given to; empty without a yes.
    ///
    /// # Errors
    /// See [`Self::consent`].
    pub fn agreed_version(&self) -> Result<String, WorkstationError> {
        Ok(self.answer()?.1)
    }

    fn answer(&self) -> Result<(Consent, String), WorkstationError> {
        if self.unfinished_no {
            return Ok((Consent::Off, String::new()));
        }
        let Some(state) = &self.state else { return Ok((Consent::Unset, String::new())) };
        let mut statement = state.prepare_cached("SELECT consent, consent_text FROM workstation")?;
        let mut rows = statement.query([])?;
        let Some(row) = rows.next()? else { return Ok((Consent::Unset, String::new())) };
        let consent = if row.get(0)? { Consent::On } else { Consent::Off };
        Ok((consent, row.get(1)?))
    }

    /// Why nothing happens whatever the answer was; `None` when the answer decides.
    ///
    /// # Errors
    /// See [`Self::consent`].
    pub fn hold(&self) -> Result<Option<Hold>, WorkstationError> {
        if self.is_locked() {
            return Ok(Some(Hold::Locked));
        }
        let (consent, agreed) = self.answer()?;
        Ok((consent == Consent::On && agreed != self.consent_version).then_some(Hold::NewText))
    }

    /// Whether an administrator's file is there. One that cannot be looked for counts as one.
    pub(crate) fn is_locked(&self) -> bool {
        self.lock.as_deref().is_some_and(|lock| Path::try_exists(lock).unwrap_or(true))
    }

    /// Whether anything may be recorded, drawn or sent: a yes to the present text, and no lock.
    ///
    /// # Errors
    /// See [`Self::consent`].
    pub fn is_on(&self) -> Result<bool, WorkstationError> {
        if self.is_locked() {
            return Ok(false);
        }
        let (consent, agreed) = self.answer()?;
        Ok(consent == Consent::On && agreed == self.consent_version)
    }

    /// Takes a yes to the present text. Weeks are reported from the next whole one on; an epoch that was drawn before keeps
    /// its draw.
    ///
    /// # Errors
    /// [`WorkstationError::Locked`] under an administrator's lock; otherwise the answer is unchanged when it, or the epoch's
    /// draw, could not be written.
    pub fn enable<R: CryptoRng>(&mut self, rng: &mut R) -> Result<(), WorkstationError> {
        if self.is_locked() {
            return Err(WorkstationError::Locked);
        }
        if self.is_on()? {
            return Ok(());
        }
        // What happened while nothing might be recorded is not counted afterwards.
        self.forget_start()?;
        self.create_state()?;
        let (present, phase, text) = (self.present()?, self.clock.phase().name(), self.consent_version.clone());
        if let Some(state) = &mut self.state {
            let transaction = state.durable()?;
            let (week, next) = (present.week.index(), present.week.next().index());
            transaction.execute(
                "INSERT INTO workstation (id, consent, consent_text, observed_from, latest_week, phase)
                 VALUES (1, 1, ?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET consent = 1, consent_text = ?1, observed_from = ?2",
                params![text, next, week, phase],
            )?;
            present.note(&transaction)?;
            schedule::draw(&transaction, &self.catalogue, present.week.epoch(), present.today, rng)?;
            transaction.commit()?;
            self.unfinished_no = false;
        }
        self.advance(rng)
    }

    /// Takes a no: tallies, outbox and counters go, and their bytes with them. The ledger stays, and with it the epoch's
    /// draw, so that a later yes can neither spend again nor draw again. A no that comes first is kept as well.
    ///
    /// # Errors
    /// [`WorkstationError::State`] when the state cannot be written. The answer is no all the same, and
    /// [`Self::advance`] tries again.
    pub fn disable(&mut self) -> Result<(), WorkstationError> {
        let fresh = self.consent()? == Consent::Unset;
        self.unfinished_no = true;
        if fresh {
            self.create_state()?;
        }
        let (week, phase) = (self.clock.week().map(Week::index), self.clock.phase().name());
        let Some(state) = &mut self.state else { return Ok(()) };
        let transaction = state.durable()?;
        if transaction.execute("UPDATE workstation SET consent = 0, consent_text = ''", [])? == 0 {
            transaction.execute(
                "INSERT INTO workstation (id, consent, observed_from, latest_week, phase) VALUES (1, 0, ?1, ?1, ?2)",
                params![week?, phase],
            )?;
        }
        forget(&transaction)?;
        transaction.commit()?;
        self.forget_start()?;
        if let Some(state) = &self.state {
            state::scrub(state)?;
        }
        self.unfinished_no = false;
        Ok(())
    }

    /// Deletes the record of this start of the system: counters are counted from the next look on.
    pub(crate) fn forget_start(&self) -> Result<(), WorkstationError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        Ok(probes::forget(folder).map_err(|error| state::unusable(folder, error))?)
    }

    /// Deletes tallies, outbox, counters and the record of this start of the system, and their bytes. The answer, the opt-outs,
    /// the ledger and the epoch's draw stay.
    /// The week at hand is not reported any more.
    ///
    /// # Errors
    /// [`WorkstationError::State`] when the state cannot be written; [`Self::advance`] cleans up once it can be.
    pub fn erase(&mut self) -> Result<(), WorkstationError> {
        let Some(state) = &mut self.state else { return Ok(()) };
        let transaction = state.durable()?;
        let moved = transaction
            .execute("UPDATE workstation SET observed_from = latest_week + 1 WHERE observed_from <= latest_week", [])?;
        let gone = forget(&transaction)?;
        transaction.commit()?;
        self.unscrubbed |= moved + gone > 0;
        // First: what cleans up later does not know of it.
        self.forget_start()?;
        self.clean_up()
    }

    /// Switches a metric, or a whole category, off or on. What is off is not recorded, and what it had recorded is deleted; a
    /// slot of it is still answered, as if nothing had happened, so that nobody can tell an opt-out from the reports. A
    /// report that is drawn already stays as it is.
    ///
    /// # Errors
    /// [`WorkstationError::UnknownName`] for what is neither a metric nor a category of the catalogue,
    /// [`WorkstationError::CategoryOff`] when a metric is to be on whose category is off; [`WorkstationError::State`].
    pub fn set_opted_out(&mut self, name: &str, out: bool) -> Result<(), WorkstationError> {
        let catalogue = self.catalogue.clone();
        let concerned: Vec<&Definition> = catalogue.definitions().iter().filter(|d| is_named(d, name)).collect();
        let Some(first) = concerned.first() else { return Err(WorkstationError::UnknownName(name.to_owned())) };
        let category = first.category.name();
        if !out && name != category && self.opted_out()?.contains(category) {
            return Err(WorkstationError::CategoryOff { metric: name.to_owned(), category: first.category });
        }
        if !out && self.state.is_none() {
            return Ok(());
        }
        self.create_state()?;
        let Some(state) = &mut self.state else { return Ok(()) };
        let transaction = state.durable()?;
        if out {
            transaction.execute("INSERT OR IGNORE INTO opt_out (name) VALUES (?1)", [name])?;
            // By name: another catalogue's metrics of the category may have been recorded, and that catalogue may come back.
            let within = "DELETE FROM tally WHERE metric = ?1 OR substr(metric, 1, length(?1) + 1) = ?1 || '.'";
            transaction.execute(within, [name])?;
        } else {
            transaction.execute("DELETE FROM opt_out WHERE name = ?1", [name])?;
        }
        transaction.commit()?;
        self.unscrubbed |= out;
        self.clean_up()
    }

    /// The metrics, by id, and the categories that are switched off.
    ///
    /// # Errors
    /// [`WorkstationError::State`] when the state cannot be read.
    pub fn opted_out(&self) -> Result<BTreeSet<String>, WorkstationError> {
        self.state.as_ref().map_or(Ok(BTreeSet::new()), |state| Ok(opted_out(state)?))
    }

    /// Overwrites what was deleted, if that is still to do.
    pub(crate) fn clean_up(&mut self) -> Result<(), WorkstationError> {
        if let (true, Some(state)) = (self.unscrubbed, &self.state) {
            state::scrub(state)?;
            self.unscrubbed = false;
        }
        Ok(())
    }
}

fn is_named(definition: &Definition, name: &str) -> bool {
    definition.id == name || definition.category.name() == name
}

/// Whether a metric is switched off, by itself or with its category.
pub(crate) fn is_out(definition: &Definition, names: &BTreeSet<String>) -> bool {
    names.contains(&definition.id) || names.contains(definition.category.name())
}

pub(crate) fn opted_out(connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    connection.prepare_cached("SELECT name FROM opt_out")?.query_map([], |row| row.get(0))?.collect()
}

/// Deletes everything recorded and not yet settled for good; returns how many rows that were.
fn forget(connection: &Connection) -> rusqlite::Result<usize> {
    ["tally", "outbox", "dropped"].iter().map(|table| connection.execute(&format!("DELETE FROM {table}"), [])).sum()
}

/// All categories, in the order in which people meet them.
pub const CATEGORIES: [Category; 5] =
    [Category::Hardware, Category::Settings, Category::Usage, Category::Performance, Category::Problems];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_every_category() {
        for category in CATEGORIES {
            assert!(CONSENT_TEXT.contains(category.name()), "{category}");
        }
        assert_eq!(consent_version().len(), 16);
    }
}

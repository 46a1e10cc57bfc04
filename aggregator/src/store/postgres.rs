// SPDX-License-Identifier: MIT OR Apache-2.0
//! The store in a PostgreSQL database, shared by any number of counters.
//!
//! An advisory lock orders them: who counts holds it shared, who closes a week or makes a table holds it alone. So a week's ids
//! are never dropped under a counter, and no counter brings a dropped table back.

mod batch;
mod maintain;
mod rows;
mod schema;

use std::collections::BTreeSet;
use std::time::Duration;

use postgres::{Client, Config, NoTls, Transaction};
use stipple_catalog::{Catalogue, Phase, Week};

use self::batch::Prepared;
use self::schema::KNOWN_VERSION;
use super::address::Address;
use super::{Overlap, Sink, Store, StoreError, Stored};
use crate::sums::Accepted;
use crate::window::Window;

/// "STPC": the advisory lock of the store.
const LOCK: i64 = 0x5354_5043;
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// A server that does not answer a query in this time, or lets a lock wait for longer, is answered for with 503.
const SETTINGS: &str = "SET statement_timeout = '20s'; SET lock_timeout = '10s'; SET synchronous_commit = on; \
    SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = warning";

/// A store of counts in a database.
pub(super) struct Postgres {
    config: Config,
    /// `None` after a failure: the next use connects again
    client: Option<Client>,
    /// what is executed for every batch, by its text
    prepared: Prepared,
    /// the oldest open week when last looked
    open: Week,
    /// weeks whose table was there then
    made: BTreeSet<Week>,
}

impl Postgres {
    /// Connects for counting; makes or migrates the tables where needed, in a schema `stipple` of their own.
    pub(super) fn open(config: &Config, phase: Phase) -> Result<Self, StoreError> {
        let mut store = Self::new(config);
        let version = store.with(schema::version)?;
        store.check_version(version)?;
        store.with(schema::migrate)?;
        let asked = phase.name();
        let found = store.with(|client| schema::claim(client, asked))?;
        if found == asked {
            return Ok(store);
        }
        Err(StoreError::WrongPhase { store: store.address(), found, asked })
    }

    /// Connects to read, also while it is being counted into.
    pub(super) fn open_to_read(config: &Config) -> Result<Self, StoreError> {
        let mut store = Self::new(config);
        let version = store.with(schema::version)?;
        match store.check_version(version)? {
            found if found < KNOWN_VERSION => Err(StoreError::Older { store: store.address(), found }),
            _ => Ok(store),
        }
    }

    fn new(config: &Config) -> Self {
        Self {
            config: config.clone(),
            client: None,
            prepared: Prepared::new(),
            open: Week::from_index(0),
            made: BTreeSet::new(),
        }
    }

    fn check_version(&self, version: Option<i64>) -> Result<i64, StoreError> {
        match version {
            None => Err(StoreError::NotOurs(self.address())),
            Some(found) if found > KNOWN_VERSION => {
                Err(StoreError::Newer { store: self.address(), found, known: KNOWN_VERSION })
            }
            Some(found) => Ok(found),
        }
    }

    fn address(&self) -> Address {
        Address::Postgres(Box::new(self.config.clone()))
    }

    /// Does something with a connection, which is made when there is none, and given up when it fails.
    fn with<T>(&mut self, work: impl FnOnce(&mut Client) -> Result<T, postgres::Error>) -> Result<T, StoreError> {
        self.with_prepared(|client, _| work(client))
    }

    fn with_prepared<T>(
        &mut self,
        work: impl FnOnce(&mut Client, &mut Prepared) -> Result<T, postgres::Error>,
    ) -> Result<T, StoreError> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.prepared.clear();
            // A purge may have dropped them.
            self.made.clear();
            self.client = Some(self.connect()?);
        }
        let Some(client) = &mut self.client else { return Err(self.failed("no connection")) };
        work(client, &mut self.prepared).map_err(|error| {
            self.client = None;
            self.failed(&words(&error))
        })
    }

    fn failed(&self, reason: &str) -> StoreError {
        StoreError::Failed { store: self.address(), reason: reason.to_owned() }
    }

    fn connect(&self) -> Result<Client, StoreError> {
        let mut config = self.config.clone();
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIME);
        }
        let connected = config.connect(NoTls).and_then(|mut client| client.batch_execute(SETTINGS).map(|()| client));
        connected.map_err(|error| StoreError::Unreachable { store: self.address(), reason: words(&error) })
    }
}

/// What the database says, without the detail, which may repeat a value.
fn words(error: &postgres::Error) -> String {
    match (error.as_db_error(), std::error::Error::source(error)) {
        (Some(db), _) => db.message().to_owned(),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

/// A transaction that is alone in the store.
fn locked(client: &mut Client) -> Result<Transaction<'_>, postgres::Error> {
    let mut tx = client.transaction()?;
    tx.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK])?;
    Ok(tx)
}

/// The tables of the store.
fn tables(tx: &mut Transaction<'_>) -> Result<Vec<String>, postgres::Error> {
    let tables = tx.query("SELECT tablename::text FROM pg_tables WHERE schemaname = 'stipple'", &[])?;
    Ok(tables.iter().map(|row| row.get(0)).collect())
}

impl Sink for Postgres {
    fn count(
        &mut self,
        catalogue: &Catalogue,
        window: Window,
        reports: &[Accepted],
    ) -> Result<(Window, bool), StoreError> {
        let (mut window, mut closes) = (window, false);
        loop {
            window = window.closed_before(self.open);
            let admitted = window.admitted(reports);
            let weeks: BTreeSet<Week> = admitted.iter().map(|report| report.week).collect();
            if window.oldest > self.open || !weeks.is_subset(&self.made) {
                let (open, has_closed) = self.with(|client| batch::prepare(client, window.oldest, &weeks))?;
                closes |= has_closed;
                self.open = open;
                self.made.extend(weeks.range(open..));
                self.made = self.made.split_off(&open);
                continue;
            }
            let oldest = window.oldest;
            let open = self.with_prepared(|client, known| batch::count(client, known, catalogue, oldest, &admitted))?;
            if open <= window.oldest {
                return Ok((window, closes));
            }
            self.open = open;
        }
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        self.with(|client| client.execute("UPDATE stipple.meta SET value = value WHERE key = 'schema'", &[]).map(drop))
    }

    fn tidy(&mut self, _quiet: bool) -> Result<bool, StoreError> {
        self.with(|client| {
            let tables = rows::rewrite(client)?;
            rows::compact(client, &tables)
        })
    }

    fn open_from(&mut self) -> Result<Week, StoreError> {
        self.with(batch::open_from)
    }
}

impl Store for Postgres {
    fn phase(&mut self) -> Result<String, StoreError> {
        self.with(schema::stored_phase)
    }

    fn read(&mut self) -> Result<Vec<Stored>, StoreError> {
        self.with(rows::read)
    }

    fn purge(&mut self, phase: Phase) -> Result<bool, StoreError> {
        self.with(|client| maintain::delete_all(client, phase.name())).map(|()| true)
    }

    fn before(&mut self, before: Week) -> Result<(u64, u64), StoreError> {
        self.with(|client| maintain::sum_before(client, before))
    }

    fn forget(&mut self, before: Week) -> Result<(u64, bool), StoreError> {
        let gone = self.with(|client| maintain::delete_before(client, before))?;
        // Old versions of rows go with the old tables.
        Ok((gone, self.tidy(true)?))
    }

    fn import(&mut self, sources: &[String], series: &[Stored]) -> Result<Option<Overlap>, StoreError> {
        self.with(|client| maintain::add_all(client, sources, series))
    }

    fn sources(&mut self) -> Result<Vec<String>, StoreError> {
        self.with(maintain::sources)
    }

    fn ids(&mut self) -> Result<Vec<(Week, u64)>, StoreError> {
        self.with(maintain::ids)
    }

    fn faults(&mut self) -> Result<Vec<String>, StoreError> {
        self.with(maintain::faults)
    }
}

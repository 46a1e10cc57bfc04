// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where the counts lie: one small interface, two stores behind it, one conformance suite (`tests/conformance.rs`).

mod address;
mod error;
mod postgres;
mod seen;
mod sqlite;

use stipple_catalog::{Catalogue, Definition, Phase, Week};
use stipple_ldp::Mechanism;

use crate::sums::Accepted;
use crate::window::Window;

pub use address::{Address, AddressError};
pub use error::StoreError;

/// The sums of one metric, definition and week, as a store holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub metric: String,
    pub definition: [u8; 16],
    pub week: Week,
    pub reports: u64,
    /// cells that are not empty, in their order
    pub counts: Vec<(u32, u64)>,
}

impl Stored {
    /// The definition that the sums are of, if the catalogue has it.
    pub fn definition<'c>(&self, catalogue: &'c Catalogue) -> Option<&'c Definition> {
        catalogue.get(&self.metric).filter(|definition| definition.hash.0 == self.definition)
    }

    /// The counts of all cells of a mechanism, also the empty ones.
    pub fn cells(&self, mechanism: &Mechanism) -> Vec<u64> {
        let mut cells = vec![0; mechanism.cells()];
        for &(cell, count) in &self.counts {
            if let Some(place) = cells.get_mut(cell as usize) {
                *place = count;
            }
        }
        cells
    }
}

/// What is wrong with cells that are counted of no reports, if there are any.
fn orphaned(cells: i64) -> Option<String> {
    (cells > 0).then(|| format!("{cells} cells are counted of metrics and weeks that have no reports"))
}

/// Counts that were to be added and are in the store already.
pub(crate) struct Overlap {
    /// the store that counted
    pub source: String,
    /// the first week that is here already
    pub week: Week,
}

/// Takes accepted reports in durably: a store, or a queue before one. One connection, used by one thread.
pub(crate) trait Sink: Send {
    /// Counts a batch in one transaction: the reports whose week is open and whose id is new. Weeks that have fallen out of
    /// the window are closed first, and their ids are gone. A queue leaves the counting, and the ids, to the store behind it.
    ///
    /// Returns the window that held and whether a week was closed. On an error nothing has changed, or everything was
    /// counted and the answer got lost; counting the same reports again does the right thing in both cases.
    fn count(
        &mut self,
        catalogue: &Catalogue,
        window: Window,
        reports: &[Accepted],
    ) -> Result<(Window, bool), StoreError>;

    /// Writes and commits without changing anything: whether it can be written to now.
    fn probe(&mut self) -> Result<(), StoreError>;

    /// Removes what tells in which order reports came; thoroughly when it is quiet, and without keeping anyone waiting when it is
    /// not. `false` when something is left, or somebody reads: it has to be called again.
    fn tidy(&mut self, quiet: bool) -> Result<bool, StoreError>;

    /// The oldest week that is still open.
    fn open_from(&mut self) -> Result<Week, StoreError>;
}

/// A store of counts, open.
pub(crate) trait Store: Sink {
    /// The phase that the store belongs to.
    fn phase(&mut self) -> Result<String, StoreError>;

    /// Everything, of one moment, in the order of metric, definition and week.
    fn read(&mut self) -> Result<Vec<Stored>, StoreError>;

    /// Deletes everything, really; an empty store of this phase is left. `false` when a reader keeps what was deleted: it has
    /// to be called again.
    fn purge(&mut self, phase: Phase) -> Result<bool, StoreError>;

    /// Pairs of a metric and a week before `before`, and how many reports they are of.
    fn before(&mut self, before: Week) -> Result<(u64, u64), StoreError>;

    /// Deletes the sums of weeks before `before`, which must be closed. Returns how many reports they were of, and `false`
    /// when a reader keeps what was deleted.
    fn forget(&mut self, before: Week) -> Result<(u64, bool), StoreError>;

    /// Adds sums that were counted by other stores, in one transaction; nothing when those of a source and week are here.
    fn import(&mut self, sources: &[String], series: &[Stored]) -> Result<Option<Overlap>, StoreError>;

    /// The names of the stores whose counts are here, this one's first.
    fn sources(&mut self) -> Result<Vec<String>, StoreError>;

    /// How many ids there are of each week that has a table of them; SQLite may count the newest twice.
    fn ids(&mut self) -> Result<Vec<(Week, u64)>, StoreError>;

    /// What is wrong with the tables, in words; much is read.
    fn faults(&mut self) -> Result<Vec<String>, StoreError>;
}

/// Opens a store for counting; makes or migrates it where needed. A file grows to `pages` pages of 4 KiB and no further.
/// Not to be called on a thread of an async runtime.
pub(crate) fn open(address: &Address, phase: Phase, pages: Option<u32>) -> Result<Box<dyn Store>, StoreError> {
    Ok(match address {
        Address::Sqlite(path) => Box::new(sqlite::Sqlite::open(path, phase, pages)?),
        Address::Postgres(server) => Box::new(postgres::Postgres::open(server, phase)?),
    })
}

/// Opens a store to read it, also while it is being served. Not to be called on a thread of an async runtime.
pub(crate) fn open_to_read(address: &Address) -> Result<Box<dyn Store>, StoreError> {
    Ok(match address {
        Address::Sqlite(path) => Box::new(sqlite::Sqlite::open_to_read(path)?),
        Address::Postgres(server) => Box::new(postgres::Postgres::open_to_read(server)?),
    })
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an operator does to a store beside serving it: purge, retention, verification.

use stipple_catalog::{Catalogue, Phase, Week, hex};

use crate::store::{self, Address, Store, StoreError, Stored};

/// The phase of a store that is there.
///
/// # Errors
/// [`StoreError`].
pub fn stored_phase(store: &Address) -> Result<String, StoreError> {
    store::open_to_read(store)?.phase()
}

/// Deletes everything in a store of the phase testing, and returns how many reports it had counted.
///
/// # Errors
/// [`StoreError`]; [`StoreError::WrongPhase`] for a store that counts for real.
pub fn purge(store: &Address) -> Result<u64, StoreError> {
    // Reading first: a store that is not there is not made.
    let reports = store::open_to_read(store)?.read()?.iter().map(|stored| stored.reports).sum();
    let mut opened = store::open(store, Phase::Testing, None)?;
    if opened.purge(Phase::Testing)? { Ok(reports) } else { Err(StoreError::Read(store.clone())) }
}

/// What [`forget`] would delete: pairs of a metric and a week, and the reports that they are of.
///
/// # Errors
/// [`StoreError`]; [`StoreError::Open`] when a week is not closed.
pub fn forgettable(store: &Address, before: Week) -> Result<(u64, u64), StoreError> {
    let mut opened = store::open_to_read(store)?;
    refuse_open(store, &mut *opened, before)?;
    opened.before(before)
}

/// Deletes the sums of every week before `before`, all of which must be closed, and returns how many reports they were of.
///
/// # Errors
/// [`StoreError`]; [`StoreError::Open`] when a week is not closed.
pub fn forget(store: &Address, before: Week) -> Result<u64, StoreError> {
    let phase = match store::open_to_read(store)?.phase()?.as_str() {
        "testing" => Phase::Testing,
        _ => Phase::Production,
    };
    let mut opened = store::open(store, phase, None)?;
    refuse_open(store, &mut *opened, before)?;
    let (reports, gone) = opened.forget(before)?;
    if gone { Ok(reports) } else { Err(StoreError::Read(store.clone())) }
}

fn refuse_open(address: &Address, store: &mut dyn Store, before: Week) -> Result<(), StoreError> {
    let open_from = store.open_from()?;
    if before <= open_from {
        return Ok(());
    }
    let week = Week::from_index(before.index().saturating_sub(1));
    Err(StoreError::Open { store: address.clone(), week, open_from })
}

/// What a store holds, and what is wrong with it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// production or testing
    pub phase: String,
    /// the oldest week that is open
    pub open_from: Week,
    /// ids by week; a week that is being counted may count some of them twice
    pub ids: Vec<(Week, u64)>,
    /// metric, week and reports
    pub series: Vec<(String, Week, u64)>,
    /// every fault in a sentence
    pub faults: Vec<String>,
}

/// Reads all of a store and compares it with what the program would have written.
///
/// # Errors
/// [`StoreError`] when it cannot be read.
pub fn verify(store: &Address, catalogue: &Catalogue) -> Result<Verdict, StoreError> {
    let mut store = store::open_to_read(store)?;
    let (phase, open_from, ids) = (store.phase()?, store.open_from()?, store.ids()?);
    let mut faults = store.faults()?;
    if !["production", "testing"].contains(&phase.as_str()) {
        faults.push("the phase is neither production nor testing".into());
    }
    for (week, _) in ids.iter().filter(|(week, _)| *week < open_from) {
        faults.push(format!("{week} is closed, and its ids are still there"));
    }
    let stored = store.read()?;
    for stored in &stored {
        let name = format!("{} {}", stored.metric, stored.week);
        faults.extend(sums(stored, catalogue).into_iter().map(|fault| format!("{name}: {fault}")));
    }
    let series = stored.into_iter().map(|stored| (stored.metric, stored.week, stored.reports)).collect();
    Ok(Verdict { phase, open_from, ids, series, faults })
}

/// What sums cannot be, whoever sent what: every report that is counted has passed the decoder.
fn sums(stored: &Stored, catalogue: &Catalogue) -> Vec<String> {
    let Some(definition) = stored.definition(catalogue) else {
        return vec![format!("the catalogue does not have its definition {}", hex(&stored.definition))];
    };
    let mechanism = &definition.mechanism;
    let beyond = stored.counts.iter().filter(|(cell, _)| *cell as usize >= mechanism.cells());
    let mut faults: Vec<String> = beyond.map(|(cell, _)| format!("there is no cell {cell}")).collect();
    faults.extend(mechanism.estimate(&stored.cells(mechanism), stored.reports).err().map(|error| error.to_string()));
    faults
}

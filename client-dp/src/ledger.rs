// SPDX-License-Identifier: MIT OR Apache-2.0
//! The ledger of spent privacy budget.

use rusqlite::{Connection, params};
use stipple_catalog::{Definition, Epoch, Week};
use stipple_ldp::{Budget, Epsilon, OverBudget};

use crate::state::Durable;

/// Proof that a metric's cost stands in the ledger of the transaction at hand. [`crate::outbox::put`] takes it, and only
/// [`spend`] makes it: a report cannot be written down without its cost.
#[derive(Debug)]
pub(crate) struct Spent(());

/// Why nothing was spent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SpendError {
    #[error(transparent)]
    OverBudget(#[from] OverBudget),
    #[error("the metric has been paid for in this epoch already")]
    Twice,
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
}

/// One line of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spend {
    /// the metric's id
    pub metric: String,
    /// what the report cost
    pub epsilon: Epsilon,
    /// the week that was reported
    pub week: Week,
}

/// Writes a metric's cost down, within the epoch's cap as it stood when the epoch was drawn and once per metric.
pub(crate) fn spend(transaction: &Durable<'_>, definition: &Definition, week: Week) -> Result<Spent, SpendError> {
    let epoch = week.epoch();
    let cap = cap(transaction, epoch)?.unwrap_or(Epsilon::MIN);
    Budget::new(cap, spends(transaction, epoch)?.iter().map(|spend| spend.epsilon)).spend(definition.epsilon)?;
    let written = transaction
        .prepare_cached("INSERT OR IGNORE INTO spend (epoch, metric, epsilon_micros, week) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![epoch.index(), definition.id, definition.epsilon.micros(), week.index()])?;
    if written == 1 { Ok(Spent(())) } else { Err(SpendError::Twice) }
}

/// What an epoch has spent, by week.
pub(crate) fn spends(connection: &Connection, epoch: Epoch) -> rusqlite::Result<Vec<Spend>> {
    connection
        .prepare_cached("SELECT metric, epsilon_micros, week FROM spend WHERE epoch = ?1 ORDER BY week, metric")?
        .query_map([epoch.index()], |row| {
            Ok(Spend { metric: row.get(0)?, epsilon: epsilon(row.get(1)?, 1)?, week: Week::from_index(row.get(2)?) })
        })?
        .collect()
}

/// The epoch's cap; `None` before it is drawn.
pub(crate) fn cap(connection: &Connection, epoch: Epoch) -> rusqlite::Result<Option<Epsilon>> {
    let mut statement = connection.prepare_cached("SELECT cap_micros FROM epoch WHERE epoch = ?1")?;
    let mut rows = statement.query([epoch.index()])?;
    rows.next()?.map(|row| epsilon(row.get(0)?, 0)).transpose()
}

fn epsilon(micros: u32, column: usize) -> rusqlite::Result<Epsilon> {
    Epsilon::from_micros(micros).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Integer, Box::new(error))
    })
}

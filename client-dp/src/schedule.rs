// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rotating panel: which metrics this workstation reports in an epoch, and in which week each.

use jiff::civil::Date;
use rand::{CryptoRng, RngExt};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use stipple_catalog::{Catalogue, DefinitionHash, Epoch, Week};
use zbus::Type;

use crate::state::Durable;

/// One metric's place in the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// the metric's id
    pub metric: String,
    /// the definition under which the slot was drawn
    pub definition: DefinitionHash,
    /// the week whose tally is reported
    pub week: Week,
}

/// What an epoch's draw did with a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "lowercase")]
#[zbus(signature = "s")]
pub enum Draw {
    /// There was no draw: metrics have not been on in this epoch.
    None,
    /// It was not drawn.
    Undrawn,
    /// It was drawn, and its week is not over or not closed yet.
    Waiting,
    /// Its report was drawn and paid for.
    Reported,
    /// Its week goes by, or went by, without a report: it is not wholly observed, or the metric changed.
    Forfeited,
}

/// Draws the epoch's metrics and weeks, unless it has been done. The metrics are [`Catalogue::draw`]'s. The week of each is
/// uniform over the epoch, so that every week is covered by a fresh 1/26 of the panel; a week that has passed already is
/// forfeited later, not drawn again.
///
/// Neither draw looks at anything recorded.
pub(crate) fn draw<R: CryptoRng>(
    transaction: &Durable<'_>,
    catalogue: &Catalogue,
    epoch: Epoch,
    today: Date,
    rng: &mut R,
) -> rusqlite::Result<()> {
    let fresh = transaction
        .prepare_cached("INSERT OR IGNORE INTO epoch (epoch, cap_micros) VALUES (?1, ?2)")?
        .execute(params![epoch.index(), catalogue.epsilon_epoch.micros()])?;
    if fresh == 0 {
        return Ok(());
    }
    let mut insert =
        transaction.prepare_cached("INSERT INTO slot (epoch, metric, definition, week) VALUES (?1, ?2, ?3, ?4)")?;
    for definition in catalogue.draw(today, rng) {
        let week = epoch.week(rng.random_range(0..Epoch::WEEKS));
        insert.execute(params![epoch.index(), definition.id, definition.hash.0, week.index()])?;
    }
    Ok(())
}

/// The slots whose fate is open, by week.
pub(crate) fn waiting(connection: &Connection) -> rusqlite::Result<Vec<Slot>> {
    connection
        .prepare_cached("SELECT metric, definition, week FROM slot WHERE outcome = 'waiting' ORDER BY week, metric")?
        .query_map([], |row| {
            Ok(Slot {
                metric: row.get(0)?,
                definition: DefinitionHash(row.get(1)?),
                week: Week::from_index(row.get(2)?),
            })
        })?
        .collect()
}

/// What an epoch's draw did with a metric, and the week that it was drawn for.
pub(crate) fn draw_of(connection: &Connection, epoch: Epoch, metric: &str) -> rusqlite::Result<(Draw, Option<Week>)> {
    let slot = connection
        .prepare_cached("SELECT week, outcome FROM slot WHERE epoch = ?1 AND metric = ?2")?
        .query_row(params![epoch.index(), metric], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    if let Some((week, outcome)) = slot {
        let draw = match outcome.as_str() {
            "waiting" => Draw::Waiting,
            "reported" => Draw::Reported,
            _ => Draw::Forfeited,
        };
        return Ok((draw, Some(Week::from_index(week))));
    }
    let drawn = connection.prepare_cached("SELECT 1 FROM epoch WHERE epoch = ?1")?.exists([epoch.index()])?;
    Ok((if drawn { Draw::Undrawn } else { Draw::None }, None))
}

/// Settles a slot for good.
pub(crate) fn settle(transaction: &Durable<'_>, slot: &Slot, reported: bool) -> rusqlite::Result<()> {
    let outcome = if reported { "reported" } else { "forfeited" };
    transaction.prepare_cached("UPDATE slot SET outcome = ?1 WHERE epoch = ?2 AND metric = ?3")?.execute(params![
        outcome,
        slot.week.epoch().index(),
        slot.metric
    ])?;
    Ok(())
}

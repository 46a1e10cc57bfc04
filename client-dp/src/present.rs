// SPDX-License-Identifier: MIT OR Apache-2.0
//! The present as a workstation accepts it. A clock that runs backwards makes no earlier week: a half-year that was left
//! cannot be spent again. A leap forward over more than a half-year is doubted until it has lasted a day: one wrong reading
//! of the hardware clock must not end the reports of the years in between.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};
use stipple_catalog::{Clock, Epoch, Week};

use crate::state::Durable;
use crate::workstation::WorkstationError;

/// How long a leap must last before it is believed.
const DOUBT: SignedDuration = SignedDuration::from_hours(24);

/// One reading of the clock, judged by what the state has seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Present {
    pub now: Timestamp,
    pub today: Date,
    /// the accepted week: never earlier than the latest one seen, and the latest one while the clock is doubted
    pub week: Week,
    /// while the clock is doubted: since when
    pub doubted_since: Option<Timestamp>,
}

impl Present {
    pub fn read(connection: &Connection, clock: &Clock) -> Result<Self, WorkstationError> {
        let (now, today, week) = (clock.now(), clock.today(), clock.week()?);
        let seen = connection
            .prepare_cached("SELECT latest_week, doubted_since FROM workstation")?
            .query_row([], |row| Ok((row.get(0)?, row.get::<_, Option<i64>>(1)?)))
            .optional()?;
        let Some((latest, doubted_since)) = seen else { return Ok(Self { now, today, week, doubted_since: None }) };
        let latest = Week::from_index(latest);
        if week.since(latest) <= Epoch::WEEKS {
            return Ok(Self { now, today, week: week.max(latest), doubted_since: None });
        }
        // A doubt that began after now began under yet another time.
        let since = doubted_since.and_then(|second| Timestamp::from_second(second).ok()).filter(|&since| since <= now);
        let since = since.unwrap_or(now);
        if now.duration_since(since) >= DOUBT {
            return Ok(Self { now, today, week, doubted_since: None });
        }
        Ok(Self { now, today, week: latest, doubted_since: Some(since) })
    }

    /// Notes what was seen.
    pub fn note(self, transaction: &Durable<'_>) -> rusqlite::Result<()> {
        transaction
            .prepare_cached(
                "UPDATE workstation SET latest_week = ?1, doubted_since = ?2
                 WHERE latest_week <> ?1 OR doubted_since IS NOT ?2",
            )?
            .execute(params![self.week.index(), self.doubted_since.map(Timestamp::as_second)])?;
        Ok(())
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! From events to the week's tallies.

use std::time::Duration;

use rusqlite::Connection;
use stipple_catalog::Week;
use zbus::wire::Variant;

use crate::consent;
use crate::event::Event;
use crate::tallies;
use crate::workstation::{Workstation, WorkstationError};

impl Workstation {
    /// Records an event into this week's tallies, or counts it as dropped. Without a yes it is forgotten at once.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be written.
    pub fn record(&mut self, event: &Event<'_>) -> Result<(), WorkstationError> {
        self.tally(&[(None, std::slice::from_ref(event))])
    }

    /// Records events as [`Self::record`] does, each by itself, and all of them or none.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be written.
    pub(crate) fn record_each(&mut self, events: &[Event<'_>]) -> Result<(), WorkstationError> {
        let calls: Vec<_> = events.iter().map(|event| (None, std::slice::from_ref(event))).collect();
        self.tally(&calls)
    }

    /// Records events as [`Self::record_each`] does, where a week is given in that one: it may have ended since the workstation
    /// last advanced. An event of a week that is closed says nothing any more.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be written.
    pub(crate) fn record_in(&mut self, events: &[(Option<Week>, Event<'_>)]) -> Result<(), WorkstationError> {
        let calls: Vec<_> = events.iter().map(|(week, event)| (*week, std::slice::from_ref(event))).collect();
        self.tally(&calls)
    }

    /// Records a sequence of entries, each a time in nanoseconds and a payload: every entry happened once, and all of them
    /// together lasted from the first to the last, as far as that was in this week. That time is said once, with the first
    /// payload. A sequence in which no metric finds anything counts as one dropped event.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be written.
    pub fn record_sequence(
        &mut self,
        id: [u8; 16],
        entries: &[(i64, Option<&Variant<'_>>)],
    ) -> Result<(), WorkstationError> {
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
        let lasted = Duration::from_nanos(u64::try_from(last.0.saturating_sub(first.0)).unwrap_or(0));
        let now = self.present()?;
        let of_week = now.now.duration_since(self.clock().start_of(now.week));
        let lasted = lasted.min(Duration::try_from(of_week).unwrap_or_default());
        let timed = entries.iter().position(|(_, payload)| payload.is_some()).unwrap_or(0);
        let events: Vec<Event<'_>> = entries
            .iter()
            .enumerate()
            .map(|(n, &(_, payload))| Event {
                id,
                payload,
                times: 1,
                seconds: if n == timed { lasted.as_secs() } else { 0 },
            })
            .collect();
        self.tally(&[(None, &events)])
    }

    /// The week, and what is left of it.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be read or the clock is beyond any week.
    pub(crate) fn rest_of_week(&self) -> Result<(Week, Duration), WorkstationError> {
        let present = self.present()?;
        let rest = self.clock().start_of(present.week.next()).duration_since(present.now);
        Ok((present.week, Duration::try_from(rest).unwrap_or_default()))
    }

    /// Counts calls that were refused before they could say anything.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be written.
    pub(crate) fn count_refused(
        &mut self,
        refused: impl IntoIterator<Item = (&'static str, u64)>,
    ) -> Result<(), WorkstationError> {
        if !self.is_on()? {
            return Ok(());
        }
        let Some(state) = &self.state else { return Ok(()) };
        let transaction = state.quick()?;
        for (reason, calls) in refused {
            tallies::count_dropped(&transaction, reason, calls)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Records what calls said, in one transaction. It begins before the first look at the state: outside of one, each look
    /// takes and leaves the file's locks by itself.
    fn tally(&mut self, calls: &[(Option<Week>, &[Event<'_>])]) -> Result<(), WorkstationError> {
        let Some(state) = &self.state else { return Ok(()) };
        // A tally lost in a power cut costs a little accuracy and no privacy: it need not wait for the disk.
        let transaction = state.quick()?;
        if !self.is_on()? {
            return Ok(());
        }
        let present = self.present()?;
        if present.doubted_since.is_some() {
            return Ok(());
        }
        let out = consent::opted_out(&transaction)?;
        for (week, events) in calls {
            // A clock that was corrected makes no later week than the present one.
            let week = week.unwrap_or(present.week).min(present.week);
            if week < present.week && week < latest(&transaction)? {
                continue;
            }
            let (mut known, mut read) = (false, false);
            for event in *events {
                for definition in self.catalogue.active(present.today) {
                    for source in definition.events.iter().filter(|source| source.id == event.id) {
                        known = true;
                        let Some(occurrence) = event.read(source, definition.aggregate) else { continue };
                        read = true;
                        if consent::is_out(definition, &out) {
                            continue;
                        }
                        if let Some(change) = definition.aggregate.change(&definition.domain, occurrence) {
                            tallies::apply(&transaction, definition, week, change)?;
                        }
                    }
                }
            }
            // A timer's later slices belong to an occurrence that was counted already.
            if !read && events.iter().any(|event| event.times > 0) {
                tallies::count_dropped(&transaction, if known { "unknown shape" } else { "unknown event" }, 1)?;
            }
        }
        transaction.commit()?;
        Ok(())
    }
}

/// The latest week that the workstation has advanced to.
fn latest(connection: &Connection) -> rusqlite::Result<Week> {
    connection
        .prepare_cached("SELECT latest_week FROM workstation")?
        .query_row([], |row| Ok(Week::from_index(row.get(0)?)))
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The workstation as the bus's calls share it: a call that says something is replied to first, and what it said is written
//! soon afterwards, together with whatever else was said meanwhile. Whoever looks at the workstation finds all of it written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stipple_catalog::{Clock, Week, WeekError};
use tokio::sync::{Mutex, MutexGuard};
use zbus::wire::OwnedVariant;

use super::daemon::{DaemonError, warn_of};
use super::timers::{Slice, Timer};
use crate::workstation::Workstation;

/// How long after the reply something is written at the latest.
const WRITTEN_AFTER: Duration = Duration::from_millis(10);
/// The most events and ended timers that wait to be written: the call that brings the last waits until all are.
const MOST_UNWRITTEN: usize = 64;
/// The most bytes that their messages may have together: in memory, a payload takes many times that.
const MOST_BYTES: usize = 16 * 1024;

/// An event or an ended timer that waits to be written.
#[derive(Debug)]
struct Said {
    event: [u8; 16],
    payload: Option<OwnedVariant>,
    slices: Vec<Slice>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Shared {
    workstation: Mutex<Workstation>,
    /// what waits, and how many bytes its messages had
    unwritten: Mutex<(Vec<Said>, usize)>,
    clock: Clock,
}

impl Shared {
    /// A workstation to be shared.
    pub fn new(workstation: Workstation) -> Arc<Self> {
        let clock = workstation.clock().clone();
        Arc::new(Self { workstation: Mutex::new(workstation), unwritten: Mutex::default(), clock })
    }

    /// The workstation's clock, which can be read without writing what waits.
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The workstation, once everything is written. So what was said before the user's yes or no is judged by the one before.
    pub async fn lock(&self) -> MutexGuard<'_, Workstation> {
        let mut workstation = self.workstation.lock().await;
        let (said, _) = std::mem::take(&mut *self.unwritten.lock().await);
        if !said.is_empty() {
            warn_of(self.write(&mut workstation, &said));
        }
        workstation
    }

    fn write(&self, workstation: &mut Workstation, said: &[Said]) -> Result<(), DaemonError> {
        let week = self.week()?;
        // A week can end before what was said in it is written, above all when the computer is suspended in between.
        let ended = |of: Week| (of != week).then_some(of);
        let events: Vec<_> = said
            .iter()
            .flat_map(|Said { event, payload, slices }| {
                slices.iter().map(move |slice| (event, payload.as_deref(), slice))
            })
            .map(|(event, payload, slice)| (ended(slice.week), slice.event(*event, payload)))
            .collect();
        Ok(workstation.record_in(&events)?)
    }

    /// Records soon that an event happened a number of times, which a message of so many bytes said.
    pub async fn record(
        self: &Arc<Self>,
        event: [u8; 16],
        payload: Option<OwnedVariant>,
        times: u64,
        bytes: usize,
    ) -> Result<(), DaemonError> {
        let slice = Slice { week: self.week()?, times, seconds: 0 };
        self.write_soon(Said { event, payload, slices: vec![slice] }, bytes).await;
        Ok(())
    }

    /// Records soon what a timer has measured that ends now.
    pub async fn end(self: &Arc<Self>, mut timer: Timer) -> Result<(), DaemonError> {
        let week = self.week()?;
        let rest = self.clock.start_of(week.next()).duration_since(self.clock.now());
        let slices = timer.slice(Instant::now(), (week, Duration::try_from(rest).unwrap_or_default()));
        // Its message was short, and its payload has been in memory all along.
        self.write_soon(Said { event: timer.event, payload: timer.payload, slices }, 0).await;
        Ok(())
    }

    fn week(&self) -> Result<Week, DaemonError> {
        self.clock.week().map_err(|error: WeekError| DaemonError::Workstation(error.into()))
    }

    async fn write_soon(self: &Arc<Self>, said: Said, bytes: usize) {
        let (waiting, bytes) = {
            let mut unwritten = self.unwritten.lock().await;
            unwritten.0.push(said);
            unwritten.1 += bytes;
            (unwritten.0.len(), unwritten.1)
        };
        if waiting >= MOST_UNWRITTEN || bytes >= MOST_BYTES {
            drop(self.lock().await);
        } else if waiting == 1 {
            let (shared, due) = (self.clone(), tokio::time::Instant::now() + WRITTEN_AFTER);
            tokio::spawn(async move {
                tokio::time::sleep_until(due).await;
                drop(shared.lock().await);
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::Timestamp;
    use stipple_catalog::Catalogue;

    use super::*;
    use crate::entropy;

    const WEEK: Duration = Duration::from_hours(7 * 24);

    /// On, in a week of 2026.
    fn shared() -> Arc<Shared> {
        let catalogue = Arc::new(Catalogue::load(Path::new("../catalog/metrics")).unwrap());
        let clock = Clock::manual("2026-11-26T12:00:00Z".parse::<Timestamp>().unwrap());
        let mut workstation = Workstation::in_memory(catalogue, clock, Duration::ZERO).unwrap();
        workstation.enable(&mut entropy::generator().unwrap()).unwrap();
        Shared::new(workstation)
    }

    impl Shared {
        async fn kill(self: &Arc<Self>, bytes: usize) {
            self.record(OOM_KILL, None, 1, bytes).await.unwrap();
        }

        /// The tallies of a metric as they are in the state now: week and number.
        async fn written(&self, metric: &str) -> Vec<(u16, u32)> {
            let workstation = self.workstation.lock().await;
            let mut statement = workstation
                .connection()
                .unwrap()
                .prepare("SELECT week, number FROM tally WHERE metric = ?1 ORDER BY week")
                .unwrap();
            let rows = statement.query_map([metric], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
            rows.map(Result::unwrap).collect()
        }
    }

    const OOM_KILL: [u8; 16] = 0xf9c9_ca45_84f7_5f01_b6ab_02c8_8a07_5bf3_u128.to_be_bytes();
    const KILLS: &str = "problems.oom-kills";

    #[tokio::test]
    async fn whoever_looks_finds_everything_written() {
        let shared = shared();
        let week = shared.clock.week().unwrap();
        shared.kill(100).await;
        shared.kill(100).await;
        assert_eq!(shared.lock().await.dropped().unwrap(), []);
        assert_eq!(shared.written(KILLS).await, [(week.index(), 2)]);
    }

    #[tokio::test]
    async fn a_flood_waits_for_the_file_and_fills_no_memory() {
        let shared = shared();
        for _ in 0..1000 {
            shared.kill(100).await;
            assert!(shared.unwritten.lock().await.0.len() < MOST_UNWRITTEN);
        }
        shared.kill(MOST_BYTES).await;
        assert!(shared.unwritten.lock().await.0.is_empty(), "a long message is not kept");
        let week = shared.clock.week().unwrap();
        assert_eq!(shared.written(KILLS).await, [(week.index(), 1001)]);
    }

    #[tokio::test]
    async fn what_was_said_before_a_week_ended_stays_in_it() {
        let shared = shared();
        let week = shared.clock.week().unwrap();
        shared.kill(100).await;
        shared.clock.set(shared.clock.now().saturating_add(WEEK).unwrap());
        shared.kill(100).await;
        drop(shared.lock().await);
        assert_eq!(shared.written(KILLS).await, [(week.index(), 1), (week.next().index(), 1)]);
    }

    #[tokio::test]
    async fn a_timer_that_ended_before_a_week_did_is_no_occurrence_of_the_next() {
        let shared = shared();
        let week = shared.clock.week().unwrap();
        let (owner, now) = ((":1.1", None), Instant::now());
        let timer = Timer::new(owner, OOM_KILL, None, now, (week, WEEK));
        shared.end(timer).await.unwrap();
        shared.clock.set(shared.clock.now().saturating_add(WEEK).unwrap());
        drop(shared.lock().await);
        assert_eq!(shared.written(KILLS).await, [(week.index(), 1)]);
    }
}

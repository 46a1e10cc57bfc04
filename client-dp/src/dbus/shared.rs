// SPDX-License-Identifier: MIT OR Apache-2.0
//! The workstation as the bus's calls share it: what happened is answered first and written soon afterwards, with whatever
//! else came meanwhile. Whoever looks at the workstation finds everything written that was answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard};
use zbus::wire::OwnedVariant;

use super::daemon::{DaemonError, warn_of};
use super::timers::Timer;
use crate::event::Event;
use crate::workstation::Workstation;

/// How long after its answer an event is written at the latest.
const WRITTEN_AFTER: Duration = Duration::from_millis(10);
/// The most events and ended timers that wait to be written: the call that brings the last is answered when all are.
const UNWRITTEN: usize = 64;

/// An event that a call has brought.
#[derive(Debug)]
pub(super) struct Arrived {
    pub id: [u8; 16],
    pub payload: Option<OwnedVariant>,
    pub times: u64,
}

impl Arrived {
    fn event(&self) -> Event<'_> {
        Event { id: self.id, payload: self.payload.as_deref(), times: self.times, seconds: 0 }
    }
}

/// What waits to be written.
#[derive(Debug, Default)]
struct Unwritten {
    events: Vec<Arrived>,
    /// timers, and when they ended
    ended: Vec<(Timer, Instant)>,
}

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Shared {
    workstation: Mutex<Workstation>,
    unwritten: Mutex<Unwritten>,
}

impl Shared {
    /// A workstation to be shared.
    pub fn new(workstation: Workstation) -> Arc<Self> {
        Arc::new(Self { workstation: Mutex::new(workstation), unwritten: Mutex::default() })
    }

    /// The workstation, once everything is written. So what was said before an answer of the user is judged by the answer
    /// before.
    pub async fn lock(&self) -> MutexGuard<'_, Workstation> {
        let mut workstation = self.workstation.lock().await;
        let Unwritten { events, ended } = std::mem::take(&mut *self.unwritten.lock().await);
        if !events.is_empty() {
            let events: Vec<_> = events.iter().map(Arrived::event).collect();
            warn_of(workstation.record_each(&events).map_err(DaemonError::from));
        }
        for (mut timer, end) in ended {
            warn_of(record_slice(&mut workstation, &mut timer, end));
        }
        workstation
    }

    /// Records an event soon.
    pub async fn record(self: &Arc<Self>, event: Arrived) {
        self.write_soon(|unwritten| unwritten.events.push(event)).await;
    }

    /// Records soon what a timer has measured that ends now.
    pub async fn end(self: &Arc<Self>, timer: Timer) {
        self.write_soon(|unwritten| unwritten.ended.push((timer, Instant::now()))).await;
    }

    async fn write_soon(self: &Arc<Self>, add: impl FnOnce(&mut Unwritten)) {
        let waiting = {
            let mut unwritten = self.unwritten.lock().await;
            add(&mut unwritten);
            unwritten.events.len() + unwritten.ended.len()
        };
        if waiting == 1 {
            let shared = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(WRITTEN_AFTER).await;
                drop(shared.lock().await);
            });
        } else if waiting >= UNWRITTEN {
            drop(self.lock().await);
        }
    }
}

/// Records the time that a timer has measured since the last slice, each week's part in that week.
pub(super) fn record_slice(workstation: &mut Workstation, timer: &mut Timer, now: Instant) -> Result<(), DaemonError> {
    let week = workstation.rest_of_week()?;
    for slice in timer.slice(now, week) {
        let event =
            Event { id: timer.event, payload: timer.payload.as_deref(), times: slice.times, seconds: slice.seconds };
        workstation.record_in(slice.week, &event)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use jiff::Timestamp;
    use stipple_catalog::{Catalogue, Clock};

    use super::*;

    #[tokio::test]
    async fn a_flood_waits_for_the_file_and_fills_no_memory() {
        let catalogue = Catalogue::load(Path::new("../catalog/metrics")).unwrap();
        let clock = Clock::manual(Timestamp::UNIX_EPOCH);
        let shared = Shared::new(Workstation::in_memory(Arc::new(catalogue), clock, Duration::ZERO).unwrap());
        for n in 1..=1000 {
            shared.record(Arrived { id: [0; 16], payload: None, times: 1 }).await;
            assert_eq!(shared.unwritten.lock().await.events.len(), n % UNWRITTEN);
        }
        drop(shared.lock().await);
        assert!(shared.unwritten.lock().await.events.is_empty());
    }
}

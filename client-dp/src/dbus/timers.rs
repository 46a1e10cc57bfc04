// SPDX-License-Identifier: MIT OR Apache-2.0
//! Running aggregate timers, each bound to the caller that started it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use stipple_catalog::Week;
use zbus::wire::OwnedVariant;

/// The most timers that one caller may run at once.
pub(super) const TIMERS_PER_CALLER: usize = 256;
/// The most timers that may run at once.
const TIMERS: usize = 4096;

/// One running timer. Its time is CLOCK_MONOTONIC, which stands still while the machine is suspended.
#[derive(Debug)]
pub(super) struct Timer {
    pub owner: String,
    pub event: [u8; 16],
    pub payload: Option<OwnedVariant>,
    since: Instant,
    /// the part of a second that earlier slices left over
    carry: Duration,
    /// the last week in which the timer was recorded as an occurrence
    counted: Option<Week>,
}

/// What a timer has measured since it was last asked.
pub(super) struct Slice {
    pub times: u64,
    pub seconds: u64,
}

impl Timer {
    /// Takes the time measured so far; the timer runs on. It is one occurrence in every week that it runs in.
    pub fn slice(&mut self, now: Instant, week: Week) -> Slice {
        let elapsed = now.saturating_duration_since(self.since) + self.carry;
        self.since = now;
        self.carry = Duration::from_nanos(elapsed.subsec_nanos().into());
        let times = u64::from(self.counted.replace(week) != Some(week));
        Slice { times, seconds: elapsed.as_secs() }
    }
}

/// All running timers by their number.
#[derive(Debug, Default)]
pub(super) struct Timers {
    next: u64,
    running: BTreeMap<u64, Timer>,
}

impl Timers {
    /// Starts a timer; `None` when the caller has too many.
    pub fn start(&mut self, owner: &str, event: [u8; 16], payload: Option<OwnedVariant>, now: Instant) -> Option<u64> {
        let of_caller = self.running.values().filter(|timer| timer.owner == owner).count();
        if of_caller >= TIMERS_PER_CALLER || self.running.len() >= TIMERS {
            return None;
        }
        let number = self.next;
        self.next += 1;
        let owner = owner.to_owned();
        let timer = Timer { owner, event, payload, since: now, carry: Duration::ZERO, counted: None };
        self.running.insert(number, timer);
        Some(number)
    }

    /// Ends a timer, if `owner` started it.
    pub fn stop(&mut self, number: u64, owner: &str) -> Option<Timer> {
        self.running.get(&number).is_some_and(|timer| timer.owner == owner).then(|| self.running.remove(&number))?
    }

    /// Ends every timer of a caller that left, or of all callers.
    pub fn end(&mut self, owner: Option<&str>) -> Vec<(u64, Timer)> {
        self.running.extract_if(.., |_, timer| owner.is_none_or(|owner| timer.owner == owner)).collect()
    }

    /// The running timers.
    pub fn running(&mut self) -> impl Iterator<Item = &mut Timer> {
        self.running.values_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_add_up_to_the_whole_and_count_once_a_week() {
        let start = Instant::now();
        let mut timers = Timers::default();
        timers.start(":1.1", [0; 16], None, start).unwrap();
        let timer = timers.running().next().unwrap();
        let slices: Vec<Slice> = [(2600, 7), (5200, 7), (7999, 8)]
            .map(|(ms, week)| timer.slice(start + Duration::from_millis(ms), Week::from_index(week)))
            .into();
        assert_eq!(slices.iter().map(|s| (s.seconds, s.times)).collect::<Vec<_>>(), [(2, 1), (3, 0), (2, 1)]);
    }

    #[test]
    fn a_timer_belongs_to_its_caller() {
        let now = Instant::now();
        let mut timers = Timers::default();
        let mine = timers.start(":1.1", [1; 16], None, now).unwrap();
        timers.start(":1.2", [2; 16], None, now).unwrap();
        assert!(timers.stop(mine, ":1.2").is_none());
        assert!(timers.stop(mine, ":1.1").is_some());
        assert!(timers.stop(mine, ":1.1").is_none());
        assert_eq!(timers.end(Some(":1.2")).len(), 1);
        assert_eq!(timers.running().count(), 0);
    }

    #[test]
    fn a_caller_cannot_run_timers_without_end() {
        let now = Instant::now();
        let mut timers = Timers::default();
        let started = (0..1000).filter(|_| timers.start(":1.1", [0; 16], None, now).is_some()).count();
        assert_eq!(started, TIMERS_PER_CALLER);
        assert!(timers.start(":1.2", [0; 16], None, now).is_some());
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Running aggregate timers, each bound to the caller that started it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use stipple_catalog::Week;
use zbus::wire::{OwnedVariant, Variant};

use super::quota::Refusal;
use crate::event::Event;

/// The most timers that one caller may run at once.
const TIMERS_PER_CALLER: usize = 256;
/// The most timers that the programs of one user may run at once.
const TIMERS_PER_USER: usize = 1024;
/// The most timers that may run at once.
const TIMERS: usize = 4096;

/// One running timer. Its time is CLOCK_MONOTONIC, which stands still while the machine is suspended.
#[derive(Debug)]
pub(super) struct Timer {
    pub owner: String,
    /// the owner's user id, if it could be asked for
    pub user: Option<u32>,
    pub event: [u8; 16],
    pub payload: Option<OwnedVariant>,
    since: Instant,
    /// the part of a second that earlier slices left over
    carry: Duration,
    /// the week of the last slice
    week: Week,
    /// what was left of that week then
    rest: Duration,
    /// whether the timer was recorded as an occurrence in that week
    counted: bool,
}

/// What a timer has measured in a week since it was last asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub week: Week,
    pub times: u64,
    pub seconds: u64,
}

impl Slice {
    /// As an event of this id and payload.
    pub const fn event<'a>(&self, id: [u8; 16], payload: Option<&'a Variant<'a>>) -> Event<'a> {
        Event { id, payload, times: self.times, seconds: self.seconds }
    }
}

impl Timer {
    /// A timer that starts at `now`, with `rest` left of `week`.
    pub fn new(
        (owner, user): (&str, Option<u32>),
        event: [u8; 16],
        payload: Option<OwnedVariant>,
        now: Instant,
        (week, rest): (Week, Duration),
    ) -> Self {
        let owner = owner.to_owned();
        Self { owner, user, event, payload, since: now, carry: Duration::ZERO, week, rest, counted: false }
    }

    /// Takes the time measured so far; the timer runs on. It is one occurrence in every week that it runs in. When a week
    /// has ended meanwhile, it gets as much of the time as was left of it.
    pub fn slice(&mut self, now: Instant, (week, rest): (Week, Duration)) -> Vec<Slice> {
        let elapsed = now.saturating_duration_since(self.since) + self.carry;
        self.since = now;
        self.carry = Duration::from_nanos(elapsed.subsec_nanos().into());
        let ended = week > self.week;
        let before = if ended { elapsed.as_secs().min(self.rest.as_secs()) } else { elapsed.as_secs() };
        let mut slices = vec![Slice { week: self.week, times: u64::from(!self.counted), seconds: before }];
        if ended {
            slices.push(Slice { week, times: 1, seconds: elapsed.as_secs() - before });
            self.week = week;
        }
        self.rest = rest;
        self.counted = true;
        slices
    }
}

/// All running timers by their number.
#[derive(Debug, Default)]
pub(super) struct Timers {
    next: u64,
    running: BTreeMap<u64, Timer>,
}

impl Timers {
    /// Takes in a timer that has started, and numbers it.
    pub fn start(&mut self, timer: Timer) -> Result<u64, Refusal> {
        let mine = self.running.values().filter(|other| other.owner == timer.owner).count();
        let ours = self.running.values().filter(|other| other.user == timer.user).count();
        if mine >= TIMERS_PER_CALLER {
            return Err(Refusal::TimersOfCaller(TIMERS_PER_CALLER));
        }
        if ours >= TIMERS_PER_USER {
            return Err(Refusal::TimersOfUser(TIMERS_PER_USER));
        }
        if self.running.len() >= TIMERS {
            return Err(Refusal::Timers(TIMERS));
        }
        let number = self.next;
        self.next += 1;
        self.running.insert(number, timer);
        Ok(number)
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

    const MINUTE: u64 = 60;

    fn week(index: u16, rest: u64) -> (Week, Duration) {
        (Week::from_index(index), Duration::from_secs(rest))
    }

    fn timer(owner: &str, user: u32, now: Instant) -> Timer {
        Timer::new((owner, Some(user)), [0; 16], None, now, week(7, 3600))
    }

    /// Slices as week, times, seconds.
    fn said(slices: &[Slice]) -> Vec<(u16, u64, u64)> {
        slices.iter().map(|slice| (slice.week.index(), slice.times, slice.seconds)).collect()
    }

    #[test]
    fn slices_add_up_to_the_whole_and_count_once_a_week() {
        let start = Instant::now();
        let mut timer = timer(":1.1", 1, start);
        let mut at = |ms, week| said(&timer.slice(start + Duration::from_millis(ms), week));
        assert_eq!(at(2600, week(7, 3600)), [(7, 1, 2)]);
        assert_eq!(at(5200, week(7, 2)), [(7, 0, 3)]);
        assert_eq!(at(9999, week(8, 600_000)), [(7, 0, 2), (8, 1, 2)]);
        assert_eq!(at(10_000, week(8, 600_000)), [(8, 0, 1)]);
    }

    #[test]
    fn each_week_gets_its_part_of_a_night_over_sunday() {
        let start = Instant::now();
        let mut timer = Timer::new((":1.1", None), [0; 16], None, start, week(7, 10 * MINUTE));
        let slices = timer.slice(start + Duration::from_secs(15 * MINUTE), week(8, 7 * 24 * 60 * MINUTE - 5 * MINUTE));
        assert_eq!(said(&slices), [(7, 1, 10 * MINUTE), (8, 1, 5 * MINUTE)]);
    }

    #[test]
    fn a_suspended_weekend_adds_nothing_and_leaves_no_week_more_than_it_had() {
        // Three minutes awake before the lid closes, ten after; the monotonic clock has seen thirteen.
        let start = Instant::now();
        let mut timer = Timer::new((":1.1", None), [0; 16], None, start, week(7, 4 * MINUTE));
        let slices = timer.slice(start + Duration::from_secs(13 * MINUTE), week(9, 1000));
        assert_eq!(said(&slices), [(7, 1, 4 * MINUTE), (9, 1, 9 * MINUTE)]);
    }

    #[test]
    fn a_clock_that_runs_back_stays_in_the_week() {
        let start = Instant::now();
        let mut timer = timer(":1.1", 1, start);
        assert_eq!(said(&timer.slice(start + Duration::from_secs(5), week(6, 0))), [(7, 1, 5)]);
    }

    #[test]
    fn a_timer_belongs_to_its_caller() {
        let now = Instant::now();
        let mut timers = Timers::default();
        let mine = timers.start(timer(":1.1", 1, now)).unwrap();
        timers.start(timer(":1.2", 1, now)).unwrap();
        assert!(timers.stop(mine, ":1.2").is_none());
        assert!(timers.stop(mine, ":1.1").is_some());
        assert!(timers.stop(mine, ":1.1").is_none());
        assert_eq!(timers.end(Some(":1.2")).len(), 1);
        assert_eq!(timers.running().count(), 0);
    }

    #[test]
    fn neither_a_caller_nor_a_user_can_run_timers_without_end() {
        let now = Instant::now();
        let mut timers = Timers::default();
        let mut started =
            |owner: &str, user| (0..1000).filter(|_| timers.start(timer(owner, user, now)).is_ok()).count();
        assert_eq!(started(":1.1", 1), TIMERS_PER_CALLER);
        assert_eq!((2..10).map(|n| started(&format!(":1.{n}"), 1)).sum::<usize>(), TIMERS_PER_USER - TIMERS_PER_CALLER);
        assert_eq!(timers.start(timer(":1.99", 1, now)), Err(Refusal::TimersOfUser(TIMERS_PER_USER)));
        assert!(timers.start(timer(":1.100", 2, now)).is_ok());
    }
}

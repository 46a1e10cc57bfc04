// SPDX-License-Identifier: MIT OR Apache-2.0
//! Where every program of Stipple takes the time from.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::week::{Week, WeekError};

/// Whether a program runs for real or in a drill.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Real reports, the real time.
    #[default]
    Production,
    /// A drill: the time may be set with `--now`.
    Testing,
}

impl Phase {
    /// The phase as the command line spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Testing => "testing",
        }
    }
}

/// `--now` outside of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("--now sets the time for drills and is refused in production: add --phase testing")]
pub struct NotADrill;

/// A clock that tests replace.
#[derive(Clone, Debug)]
pub struct Clock {
    source: Source,
    phase: Phase,
    zone: TimeZone,
}

#[derive(Clone, Debug)]
enum Source {
    System { ahead: SignedDuration },
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The system's clock in its time zone. With `now`, it starts there and runs on: for drills only.
    ///
    /// # Errors
    /// [`NotADrill`] when `now` is given in production.
    pub fn system(phase: Phase, now: Option<Timestamp>) -> Result<Self, NotADrill> {
        let ahead = match (now, phase) {
            (None, _) => SignedDuration::ZERO,
            (Some(now), Phase::Testing) => now.duration_since(system_now()),
            (Some(_), Phase::Production) => return Err(NotADrill),
        };
        Ok(Self { source: Source::System { ahead }, phase, zone: TimeZone::system() })
    }

    /// A clock that stands still until [`Self::set`], in UTC. Its clones share the time.
    #[must_use]
    pub fn manual(now: Timestamp) -> Self {
        Self {
            source: Source::Manual(Arc::new(AtomicI64::new(now.as_second()))),
            phase: Phase::Testing,
            zone: TimeZone::UTC,
        }
    }

    /// The same clock in another time zone.
    #[must_use]
    pub fn in_zone(self, zone: TimeZone) -> Self {
        Self { zone, ..self }
    }

    /// Sets a manual clock, to the second; a system clock cannot be set.
    pub fn set(&self, now: Timestamp) {
        if let Source::Manual(second) = &self.source {
            second.store(now.as_second(), Ordering::SeqCst);
        }
    }

    /// Whether the clock is for real. A manual clock is for testing.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// The time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.source {
            Source::System { ahead } => system_now().saturating_add(*ahead).unwrap_or(Timestamp::MAX),
            Source::Manual(second) => Timestamp::from_second(second.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX),
        }
    }

    /// The local civil date.
    #[must_use]
    pub fn today(&self) -> Date {
        self.zone.to_datetime(self.now()).date()
    }

    /// The local midnight with which a week begins.
    #[must_use]
    pub fn start_of(&self, week: Week) -> Timestamp {
        self.zone.to_timestamp(week.monday().at(0, 0, 0, 0)).unwrap_or(Timestamp::MAX)
    }

    /// The local ISO week.
    ///
    /// # Errors
    /// [`WeekError`] when the clock stands outside the range of weeks.
    pub fn week(&self) -> Result<Week, WeekError> {
        Week::containing(self.today())
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
fn system_now() -> Timestamp {
    Timestamp::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_can_be_set_in_a_drill_only() {
        let then: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        assert!(Clock::system(Phase::Production, Some(then)).is_err());
        let drill = Clock::system(Phase::Testing, Some(then)).unwrap();
        let late = drill.now().duration_since(then);
        assert!(late >= SignedDuration::ZERO && late < SignedDuration::from_secs(60));
    }

    #[test]
    fn a_manual_clock_is_shared_and_stands_still() {
        let clock = Clock::manual("2026-11-29T23:59:59Z".parse().unwrap());
        let same = clock.clone();
        assert_eq!(same.week().unwrap().to_string(), "2026-W48");
        clock.set("2026-11-30T00:00:00Z".parse().unwrap());
        assert_eq!(same.week().unwrap().to_string(), "2026-W49");
    }

    #[test]
    fn weeks_turn_at_local_midnight_also_when_the_clocks_change() {
        let week = |zone: &TimeZone, now: &str| {
            let clock = Clock { zone: zone.clone(), ..Clock::manual(now.parse().unwrap()) };
            clock.week().unwrap().to_string()
        };
        // Summer time ends on Sunday 2026-10-25 and begins on Sunday 2027-03-28: weeks of 169 and 167 hours.
        let berlin = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (now, expected) in [
            ("2026-10-18T21:59:59Z", "2026-W42"),
            ("2026-10-18T22:00:00Z", "2026-W43"),
            ("2026-10-25T22:59:59Z", "2026-W43"),
            ("2026-10-25T23:00:00Z", "2026-W44"),
            ("2027-03-28T21:59:59Z", "2027-W12"),
            ("2027-03-28T22:00:00Z", "2027-W13"),
        ] {
            assert_eq!(week(&berlin, now), expected, "{now}");
        }
        // A week begins at the first moment that belongs to it.
        for (index, start) in [("2026-W43", "2026-10-18T22:00:00Z"), ("2026-W44", "2026-10-25T23:00:00Z")] {
            let clock = Clock { zone: berlin.clone(), ..Clock::manual(start.parse().unwrap()) };
            assert_eq!(clock.start_of(index.parse().unwrap()), clock.now());
        }
        let kiritimati = TimeZone::fixed(jiff::tz::offset(14));
        assert_eq!(week(&kiritimati, "2026-11-29T09:59:59Z"), "2026-W48");
        assert_eq!(week(&kiritimati, "2026-11-29T10:00:00Z"), "2026-W49");
        assert!(Clock::manual("1969-12-31T00:00:00Z".parse().unwrap()).week().is_err());
    }
}

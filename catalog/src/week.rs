// SPDX-License-Identifier: MIT OR Apache-2.0
//! Periods: ISO weeks, and epochs of 26 of them.

use std::fmt;
use std::str::FromStr;

use jiff::civil::{Date, ISOWeekDate, Weekday, date};
use serde::{Deserialize, Serialize};

/// An ISO 8601 week (Monday to Sunday), counted from the week of Monday 1970-01-05. Written as `2026-W48`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Week(u16);

/// A run of [`Epoch::WEEKS`] weeks: the span that one privacy budget covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(u16);

/// A text that is no ISO week, or a date before 1970-01-05 or after 3226-W02.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a week between 1970-W02 and 3226-W02: write it as 2026-W48")]
pub struct WeekError(String);

const FIRST_MONDAY: Date = date(1970, 1, 5);

impl Week {
    /// The week with this number.
    #[must_use]
    pub const fn from_index(index: u16) -> Self {
        Self(index)
    }

    /// The week's number: 0 for the week of 1970-01-05.
    #[must_use]
    pub const fn index(self) -> u16 {
        self.0
    }

    /// The week that holds a civil date.
    ///
    /// # Errors
    /// [`WeekError`] for a date outside the range.
    pub fn containing(day: Date) -> Result<Self, WeekError> {
        let days = (day - FIRST_MONDAY).get_days();
        u16::try_from(days.div_euclid(7)).map(Self).map_err(|_| WeekError(day.to_string()))
    }

    /// The week's Monday.
    #[must_use]
    pub fn monday(self) -> Date {
        FIRST_MONDAY.saturating_add(jiff::Span::new().weeks(i64::from(self.0)))
    }

    /// The epoch that the week belongs to.
    #[must_use]
    pub const fn epoch(self) -> Epoch {
        Epoch(self.0 / Epoch::WEEKS)
    }

    /// The week after this one; the last one is its own successor.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// Whole weeks from `earlier` to this one; 0 when it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u16 {
        self.0.saturating_sub(earlier.0)
    }
}

impl Epoch {
    /// Weeks in an epoch: half a year, a release cycle. A constant of the code: a catalogue cannot move an epoch's bounds
    /// and so renew a budget.
    pub const WEEKS: u16 = 26;

    /// The epoch with this number.
    #[must_use]
    pub const fn from_index(index: u16) -> Self {
        Self(index)
    }

    /// The epoch's number.
    #[must_use]
    pub const fn index(self) -> u16 {
        self.0
    }

    /// The week at `offset` (0 to 25) within the epoch.
    #[must_use]
    pub const fn week(self, offset: u16) -> Week {
        Week(self.0.saturating_mul(Self::WEEKS).saturating_add(offset))
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let iso = self.monday().iso_week_date();
        f.pad(&format!("{:04}-W{:02}", iso.year(), iso.week()))
    }
}

impl FromStr for Week {
    type Err = WeekError;

    fn from_str(text: &str) -> Result<Self, WeekError> {
        let parse = || {
            let (year, week) = text.split_once("-W")?;
            let monday = ISOWeekDate::new(year.parse().ok()?, week.parse().ok()?, Weekday::Monday).ok()?;
            Self::containing(monday.date()).ok()
        };
        parse().filter(|week| week.to_string() == text).ok_or_else(|| WeekError(text.to_owned()))
    }
}

impl TryFrom<String> for Week {
    type Error = WeekError;

    fn try_from(text: String) -> Result<Self, WeekError> {
        text.parse()
    }
}

impl From<Week> for String {
    fn from(week: Week) -> Self {
        week.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_turn_on_monday_and_follow_iso_years() {
        let week = |y, m, d| Week::containing(date(y, m, d)).unwrap().to_string();
        assert_eq!(week(2026, 11, 22), "2026-W47");
        assert_eq!(week(2026, 11, 23), "2026-W48");
        assert_eq!(week(2027, 1, 3), "2026-W53");
        assert_eq!(week(2024, 12, 30), "2025-W01");
        assert_eq!(Week::from_index(0).to_string(), "1970-W02");
        assert!(Week::containing(date(1969, 12, 31)).is_err());
    }

    #[test]
    fn text_round_trips_and_nonsense_is_refused() {
        for index in [0, 1, 2968, 30_000, u16::MAX] {
            let week = Week::from_index(index);
            assert_eq!(week.to_string().parse(), Ok(week));
        }
        for bad in ["2026-W54", "2026W48", "2026-W4", "2026-W+4", "1969-W01", "", "9999-W01"] {
            assert!(bad.parse::<Week>().is_err(), "{bad}");
        }
    }

    #[test]
    fn the_range_is_the_one_that_the_error_names() {
        let last = Week::from_index(u16::MAX);
        let said = WeekError(String::new()).to_string();
        assert!(said.contains(&Week::from_index(0).to_string()) && said.contains(&last.to_string()), "{last}: {said}");
        let sunday = last.monday().checked_add(jiff::Span::new().days(6)).unwrap();
        assert_eq!(Week::containing(sunday), Ok(last));
        assert_eq!(Week::containing(FIRST_MONDAY), Ok(Week::from_index(0)));
        for outside in [sunday.tomorrow().unwrap(), FIRST_MONDAY.yesterday().unwrap(), Date::MIN, Date::MAX] {
            assert!(Week::containing(outside).is_err(), "{outside}");
        }
        assert_eq!((last.next(), last.since(last), Week::from_index(3).since(last)), (last, 0, 0));
    }

    #[test]
    fn an_epoch_holds_its_26_weeks() {
        let epoch = Week::from_index(2970).epoch();
        assert!((0..Epoch::WEEKS).all(|offset| epoch.week(offset).epoch() == epoch));
        assert_ne!(epoch.week(Epoch::WEEKS).epoch(), epoch);
    }
}

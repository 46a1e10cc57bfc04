// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which weeks are open for reports.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use stipple_catalog::{Definition, Week, WeekError};

use crate::problem::Problem;
use crate::sums::Accepted;

/// A week ends up to 14 hours earlier east of UTC; the rest of the day is for clocks that are a little fast.
const TOLERANCE: SignedDuration = SignedDuration::from_hours(24);

/// The open weeks at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// the oldest week that is open
    pub oldest: Week,
    /// the first week that is not over yet
    pub unfinished: Week,
}

impl Window {
    /// The weeks that are over somewhere on earth, back to `late_weeks` before the current week in UTC.
    pub fn at(now: Timestamp, late_weeks: u16) -> Result<Self, WeekError> {
        let week = |time| Week::containing(TimeZone::UTC.to_datetime(time).date());
        let current = week(now)?;
        let unfinished = week(now.saturating_add(TOLERANCE).unwrap_or(Timestamp::MAX))?;
        Ok(Self { oldest: Week::from_index(current.index().saturating_sub(late_weeks)), unfinished })
    }

    /// The window with every week before `closed_before` closed for good.
    pub fn closed_before(self, closed_before: Week) -> Self {
        Self { oldest: self.oldest.max(closed_before), ..self }
    }

    /// Whether a week is open.
    pub fn admit(self, week: Week) -> Result<(), Problem> {
        if self.oldest > self.unfinished {
            // The clock stands before weeks that are closed already: it is wrong, or was. Nothing can be judged by it.
            Err(Problem::StoreUnavailable)
        } else if week < self.oldest {
            Err(Problem::Late)
        } else if week >= self.unfinished {
            Err(Problem::Early)
        } else {
            Ok(())
        }
    }

    /// The reports of open weeks, by week and id.
    pub fn admitted(self, reports: &[Accepted]) -> Vec<&Accepted> {
        let mut admitted: Vec<&Accepted> = reports.iter().filter(|report| self.admit(report.week).is_ok()).collect();
        admitted.sort_unstable_by_key(|report| (report.week, report.id));
        admitted
    }
}

/// Whether a metric may have been collected on any day of a week.
pub(crate) fn collected_in(definition: &Definition, week: Week) -> Result<(), Problem> {
    let monday = week.monday();
    let sunday = monday.saturating_add(jiff::Span::new().days(6));
    if monday > definition.expires || sunday < definition.introduced { Err(Problem::ExpiredMetric) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(now: &str, week: &str) -> Result<(), Problem> {
        Window::at(now.parse().unwrap(), 4).unwrap().admit(week.parse().unwrap())
    }

    #[test]
    fn a_week_opens_when_it_ends_in_the_east_and_closes_after_the_late_weeks() {
        // 2026-W48 is the week of Monday 2026-11-23; Kiritimati (UTC+14) leaves it on Sunday at 10:00 UTC.
        assert_eq!(admits("2026-11-29T10:00:00Z", "2026-W48"), Ok(()));
        assert_eq!(admits("2026-11-28T23:59:59Z", "2026-W48"), Err(Problem::Early));
        assert_eq!(admits("2026-11-30T00:00:00Z", "2026-W49"), Err(Problem::Early));
        assert_eq!(admits("2027-01-03T23:59:59Z", "2026-W49"), Ok(()));
        assert_eq!(admits("2027-01-03T23:59:59Z", "2026-W48"), Err(Problem::Late));
    }

    #[test]
    fn a_closed_week_stays_closed() {
        let window = Window::at("2026-12-10T00:00:00Z".parse().unwrap(), 4).unwrap();
        let week: Week = "2026-W47".parse().unwrap();
        assert_eq!(window.admit(week), Ok(()));
        assert_eq!(window.closed_before(week.next()).admit(week), Err(Problem::Late));
    }
}

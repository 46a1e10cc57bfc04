// SPDX-License-Identifier: MIT OR Apache-2.0
//! A run of weeks.

use std::fmt;
use std::str::FromStr;

use stipple_catalog::Week;

/// The weeks that an estimate is of. Written as `2026-W30..2026-W55`, or as one week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// the first week with a report
    pub first: Week,
    /// the last week with a report
    pub last: Week,
}

impl Span {
    /// Whether a week is one of them.
    #[must_use]
    pub fn holds(self, week: Week) -> bool {
        (self.first..=self.last).contains(&week)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { self.first.fmt(f) } else { f.pad(&format!("{}..{}", self.first, self.last)) }
    }
}

/// A text that names no weeks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} names no weeks: one is written 2026-W30, several 2026-W30..2026-W42 with the first before the last")]
pub struct SpanError(String);

impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Self, SpanError> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) if first <= last => Ok(Self { first, last }),
            _ => Err(SpanError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_they_are_written() {
        for text in ["2026-W30", "2026-W30..2026-W55", "2026-W53..2027-W02"] {
            assert_eq!(text.parse::<Span>().map(|span| span.to_string()).unwrap_or_default(), text);
        }
        for bad in ["", "..", "2026", "2026-W31..2026-W30", "2026-W30..", "2026-W30..2026-W31..2026-W32"] {
            assert!(bad.parse::<Span>().is_err(), "{bad}");
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an answer means for a report, whichever way it came.

use std::time::Duration;

use jiff::fmt::rfc2822;

use super::Delivery;

/// A try that failed for a reason that may pass.
pub(super) struct Failed {
    pub reason: String,
    pub retry_after: Option<Duration>,
}

impl Failed {
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), retry_after: None }
    }

    /// With what every cause says: "error sending request" alone helps nobody. The URL is public but long.
    pub fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut reason = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            reason = format!("{reason}: {error}");
            cause = error.source();
        }
        Self::because(reason)
    }
}

/// What the aggregator, or somebody on the way to it, says about a report.
pub(super) struct Answer {
    pub status: u16,
    /// it is a problem document, hence the aggregator's
    pub problem: bool,
    pub retry_after: Option<Duration>,
}

impl Answer {
    /// Reads the headers that matter; `header` finds one by its name in lower case.
    pub fn read<'a>(status: u16, header: impl Fn(&str) -> Option<&'a str>) -> Self {
        Self {
            status,
            problem: header("content-type") == Some("application/problem+json"),
            retry_after: header("retry-after").and_then(|wish| wait(wish, header("date"))),
        }
    }

    /// Whether the report is counted, or refused for good by the aggregator itself. A proxy's or a captive portal's page is no
    /// such answer: the report is paid for and must not be lost to it.
    pub fn verdict(self) -> Result<Delivery, Failed> {
        match self.status {
            204 => Ok(Delivery::Counted),
            status @ (400 | 413 | 415 | 422) if self.problem => Ok(Delivery::Refused(status)),
            status => Err(Failed { reason: format!("status {status}"), retry_after: self.retry_after }),
        }
    }
}

/// The longest wish that is granted.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// `Retry-After`: seconds, or a date. A date is measured from the answer's own `Date`, so that no two clocks are compared.
fn wait(wish: &str, date: Option<&str>) -> Option<Duration> {
    let seconds = if let Ok(seconds) = wish.parse() {
        seconds
    } else {
        let (then, now) = (rfc2822::parse(wish).ok()?, rfc2822::parse(date?).ok()?);
        u64::try_from(then.timestamp().as_second() - now.timestamp().as_second()).unwrap_or(0)
    };
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_seconds_or_a_date_and_has_a_limit() {
        let date = Some("Thu, 26 Nov 2026 09:00:00 GMT");
        let seconds = |wish, date| wait(wish, date).map(|wait| wait.as_secs());
        assert_eq!(seconds("7", None), Some(7));
        assert_eq!(seconds("86400", None), Some(3600));
        assert_eq!(seconds("Thu, 26 Nov 2026 09:00:07 GMT", date), Some(7));
        assert_eq!(seconds("Fri, 27 Nov 2026 09:00:00 GMT", date), Some(3600));
        assert_eq!(seconds("Thu, 26 Nov 2026 08:00:00 GMT", date), Some(0));
        for (wish, date) in [
            ("Thu, 26 Nov 2026 09:00:07 GMT", None),
            ("Mon, 26 Nov 2026 09:00:07 GMT", date),
            ("-1", date),
            ("soon", date),
            ("", date),
        ] {
            assert_eq!(seconds(wish, date), None, "{wish}");
        }
    }

    #[test]
    fn only_the_aggregator_refuses_for_good() {
        let verdict = |status, problem| Answer { status, problem, retry_after: None }.verdict().ok();
        for status in [400, 413, 415, 422] {
            assert_eq!(verdict(status, true), Some(Delivery::Refused(status)));
            assert_eq!(verdict(status, false), None);
        }
        assert_eq!(verdict(204, false), Some(Delivery::Counted));
        for status in [200, 301, 401, 403, 404, 405, 407, 425, 429, 500, 503] {
            assert_eq!(verdict(status, true), None, "{status}");
        }
    }
}

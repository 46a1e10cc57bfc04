// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the window knows, and how news changes it. No GTK, no bus.

use serde::{Deserialize, Serialize};
use zbus::Type;

/// `org.stipple.Metrics1.Status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Status {
    pub consent: String,
    pub hold: String,
    pub agreed_version: String,
    pub catalogue: String,
    pub catalogue_hash: String,
    pub metrics: u32,
    pub opted_out: Vec<String>,
    pub server: String,
    pub week: String,
    pub waiting: u32,
    pub dropped: Vec<(String, u64)>,
}

/// A row of `org.stipple.Metrics1.Tallies`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Tally {
    pub metric: String,
    pub title: String,
    pub week: String,
    pub value: String,
}

/// A row of `org.stipple.Metrics1.Preview` and `Sent`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Type)]
pub struct Report {
    pub metric: String,
    pub week: String,
    pub epsilon: f64,
    pub value: String,
    pub outcome: String,
    pub send_after: String,
    pub bytes: String,
}

/// A line of the ledger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Type)]
pub struct Spend {
    pub metric: String,
    pub week: String,
    pub epsilon: f64,
}

/// `org.stipple.Metrics1.Budget`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Type)]
pub struct Budget {
    pub first: String,
    pub last: String,
    pub cap: f64,
    pub spent: f64,
    pub spends: Vec<Spend>,
}

/// What polkit lets only the computer's users read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    pub tallies: Vec<Tally>,
    pub reports: Vec<Report>,
    pub budget: Budget,
}

/// One look at the recorder. `records` may be withheld, with a reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    pub status: Status,
    pub records: Result<Records, String>,
}

/// What the bus has to tell.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// No recorder answers: a heading and a sentence.
    Absent(&'static str, String),
    /// The recorder as it is now.
    Present(Box<Snapshot>),
    /// The user's answer was taken.
    Taken(bool),
    /// The user's answer was not taken; why.
    Refused(String),
}

/// What the window shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// Nothing is known yet.
    Starting,
    /// There is no recorder.
    Absent,
    /// The question, unanswered.
    Question,
    /// The answer, and what follows from it.
    Answer { on: bool },
}

/// Everything that the window knows.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub absence: Option<(&'static str, String)>,
    pub snapshot: Option<Snapshot>,
}

impl State {
    /// Takes news in. Returns what to tell the user in passing.
    pub fn take(&mut self, news: News) -> Option<String> {
        match news {
            News::Absent(title, reason) => {
                self.absence = Some((title, reason));
                self.snapshot = None;
            }
            News::Present(snapshot) => {
                self.absence = None;
                self.snapshot = Some(*snapshot);
            }
            // The recorder signals the change, and the window looks again.
            News::Taken(_) => {}
            News::Refused(reason) => return Some(reason),
        }
        None
    }

    /// The page to show.
    pub fn page(&self) -> Page {
        match &self.snapshot {
            Some(Snapshot { status, .. }) => match (status.consent.as_str(), status.hold.as_str()) {
                ("on", "") => Page::Answer { on: true },
                ("unset", "") | ("on", "text-changed") => Page::Question,
                _ => Page::Answer { on: false },
            },
            None if self.absence.is_some() => Page::Absent,
            None => Page::Starting,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn present(consent: &str) -> News {
        let status = Status { consent: consent.to_owned(), ..Status::default() };
        News::Present(Box::new(Snapshot { status, records: Ok(Records::default()) }))
    }

    #[test]
    fn the_page_follows_the_recorder() {
        let mut state = State::default();
        assert_eq!(state.page(), Page::Starting);
        let absent = || News::Absent("Gone", String::new());
        for (news, page) in [
            (absent(), Page::Absent),
            (present("unset"), Page::Question),
            (present("on"), Page::Answer { on: true }),
            (present("off"), Page::Answer { on: false }),
            (absent(), Page::Absent),
            (present("on"), Page::Answer { on: true }),
        ] {
            assert_eq!(state.take(news), None);
            assert_eq!(state.page(), page);
        }
    }

    #[test]
    fn a_changed_text_asks_again_and_a_lock_does_not() {
        let held = |consent: &str, hold: &str| {
            let status = Status { consent: consent.to_owned(), hold: hold.to_owned(), ..Status::default() };
            News::Present(Box::new(Snapshot { status, records: Ok(Records::default()) }))
        };
        let mut state = State::default();
        for (news, page) in [
            (held("on", "text-changed"), Page::Question),
            (held("on", "locked"), Page::Answer { on: false }),
            (held("unset", "locked"), Page::Answer { on: false }),
        ] {
            state.take(news);
            assert_eq!(state.page(), page);
        }
    }

    #[test]
    fn a_refusal_is_told_and_changes_nothing() {
        let mut state = State::default();
        state.take(present("unset"));
        assert_eq!(state.take(News::Refused("no".to_owned())).as_deref(), Some("no"));
        assert_eq!(state.page(), Page::Question);
    }

    #[test]
    fn an_answer_of_a_newer_recorder_is_not_taken_for_a_yes() {
        let mut state = State::default();
        state.take(present("paused"));
        assert_eq!(state.page(), Page::Answer { on: false });
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Everything that the window says which depends on what it knows.

use zbus::fdo;

use crate::state::{Budget, News, Report, Status, Tally};

pub const SWITCHED_OFF: &str = "Nothing is recorded while metrics are off";

/// Under the question.
pub fn question(status: &Status) -> String {
    format!(
        "To see which hardware and which settings are in use, this computer can send a few coarse answers every half-year. \
         Each is randomised here before it leaves, so that no report shows for certain what is true of this computer. \
         Nothing is recorded or sent unless you agree, and you can change your mind here at any time.\n\n\
         {}: {}, sent to {}",
        status.catalogue,
        number(status.metrics as usize, "metric"),
        status.server
    )
}

/// Under the switch.
pub fn answer(on: bool, status: &Status) -> String {
    if on {
        format!("On: randomised reports go to {}. Switching off deletes what was recorded.", status.server)
    } else if status.hold == "locked" {
        "Off: this computer's administrator has switched metrics off".to_owned()
    } else {
        "Off: nothing is recorded or sent".to_owned()
    }
}

/// What a tally amounts to.
pub fn tally(row: &Tally) -> &str {
    if row.value.is_empty() { "Nothing yet" } else { &row.value }
}

/// A metric by its title, or by its id when there is none.
pub fn title<'a>(metric: &'a str, tallies: &'a [Tally]) -> &'a str {
    let known = tallies.iter().find(|row| row.metric == metric).map(|row| row.title.as_str());
    known.filter(|title| !title.is_empty()).unwrap_or(metric)
}

/// A report in a line: week, state, cost.
pub fn report(row: &Report) -> String {
    let outcome = match row.outcome.as_str() {
        "scheduled" => "not drawn yet",
        "waiting" => "drawn, waiting to be sent",
        "refused" => "refused by the server",
        other => other,
    };
    format!("Week {}, {outcome}, ε {}", row.week, row.epsilon)
}

/// The true value behind a report.
pub fn truth(row: &Report) -> (&'static str, &str) {
    match row.outcome.as_str() {
        "scheduled" => ("True value so far", if row.value.is_empty() { "Nothing yet" } else { &row.value }),
        "waiting" => ("True value", &row.value),
        _ => ("True value", "Forgotten"),
    }
}

/// The bytes of a report in groups of eight, four to a line.
pub fn bytes(row: &Report) -> String {
    if row.bytes.is_empty() {
        return "Drawn when the week is over".to_owned();
    }
    let mut text = String::new();
    for (index, digit) in row.bytes.chars().enumerate() {
        match index {
            0 => {}
            _ if index % 32 == 0 => text.push('\n'),
            _ if index % 8 == 0 => text.push(' '),
            _ => {}
        }
        text.push(digit);
    }
    text
}

/// The order in which reports are of interest: what leaves next, what comes after, what is past.
pub fn urgency(row: &Report) -> usize {
    ["waiting", "scheduled", "sent"].iter().position(|outcome| *outcome == row.outcome).unwrap_or(3)
}

/// The budget in a line and its explanation; `None` before it is drawn.
pub fn budget(budget: &Budget) -> Option<(String, String)> {
    (budget.cap > 0.0).then(|| {
        let spent = format!("ε {} of {} spent", budget.spent, budget.cap);
        let reports = number(budget.spends.len(), "report");
        (spent, format!("Weeks {} to {}, {reports}", budget.first, budget.last))
    })
}

/// How full the meter is, from 0 to 1.
pub fn fraction(budget: &Budget) -> f64 {
    if budget.cap > 0.0 { (budget.spent / budget.cap).clamp(0.0, 1.0) } else { 0.0 }
}

fn number(count: usize, thing: &str) -> String {
    match count {
        0 => format!("no {thing}s"),
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}

/// Why there is no recorder.
pub fn absence(error: &zbus::Error) -> News {
    let missing = |error: &fdo::Error| {
        matches!(error, fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) | fdo::Error::NoReply(_))
    };
    match error {
        zbus::Error::FDO(error) if missing(error) => News::Absent(
            "The Recorder Is Not Running",
            "Nothing is recorded or sent. This page continues by itself once the recorder runs.".to_owned(),
        ),
        _ => News::Absent("The Recorder Does Not Answer", format!("It says: {error}.")),
    }
}

/// Why there is no bus.
pub fn no_bus(error: &zbus::Error) -> News {
    News::Absent("The Message Bus Cannot Be Reached", format!("It is tried again every few seconds: {error}."))
}

/// Whether an error means that the caller may not.
fn forbidden(error: &zbus::Error) -> bool {
    matches!(error, zbus::Error::FDO(error) if matches!(**error, fdo::Error::AuthFailed(_) | fdo::Error::AccessDenied(_)))
}

/// Why the records cannot be shown.
pub fn unreadable(error: &zbus::Error) -> String {
    if forbidden(error) {
        "Shown only to users who are logged in at this computer".to_owned()
    } else {
        format!("Cannot be read: {error}")
    }
}

/// Why an answer was not taken.
pub fn refusal(error: &zbus::Error) -> String {
    if forbidden(error) {
        "Not changed: an administrator must allow it".to_owned()
    } else {
        format!("Not changed: {error}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Spend;

    fn row(outcome: &str, value: &str, bytes: &str) -> Report {
        Report {
            metric: "hardware.ram-class".to_owned(),
            week: "2026-W49".to_owned(),
            epsilon: 1.0,
            value: value.to_owned(),
            outcome: outcome.to_owned(),
            send_after: String::new(),
            bytes: bytes.to_owned(),
        }
    }

    #[test]
    fn reports_say_week_state_and_cost() {
        assert_eq!(report(&row("waiting", "", "")), "Week 2026-W49, drawn, waiting to be sent, ε 1");
        assert_eq!(report(&row("scheduled", "", "")), "Week 2026-W49, not drawn yet, ε 1");
        assert_eq!(report(&row("sent", "", "")), "Week 2026-W49, sent, ε 1");
    }

    #[test]
    fn the_truth_is_forgotten_once_its_report_has_left() {
        assert_eq!(truth(&row("scheduled", "", "")), ("True value so far", "Nothing yet"));
        assert_eq!(truth(&row("waiting", "4-8 GiB", "00")), ("True value", "4-8 GiB"));
        assert_eq!(truth(&row("sent", "forgotten", "00")), ("True value", "Forgotten"));
    }

    #[test]
    fn every_byte_is_shown_once_in_its_place() {
        let hex = (0..64).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        let shown = bytes(&row("waiting", "", &hex));
        assert_eq!(shown.lines().count(), 4);
        assert_eq!(shown.lines().next(), Some("00010203 04050607 08090a0b 0c0d0e0f"));
        assert_eq!(shown.replace(['\n', ' '], ""), hex);
        assert_eq!(bytes(&row("scheduled", "", "")), "Drawn when the week is over");
    }

    #[test]
    fn what_leaves_next_comes_first() {
        let mut rows = ["refused", "sent", "scheduled", "waiting"].map(|outcome| row(outcome, "", ""));
        rows.sort_by_key(urgency);
        assert_eq!(rows.map(|row| row.outcome), ["waiting", "scheduled", "sent", "refused"]);
    }

    #[test]
    fn the_budget_is_silent_until_it_is_drawn() {
        let mut drawn = Budget { first: "2026-W36".into(), last: "2027-W08".into(), ..Budget::default() };
        assert_eq!(budget(&drawn), None);
        assert!(fraction(&drawn).abs() < f64::EPSILON);
        (drawn.cap, drawn.spent) = (4.0, 1.5);
        drawn.spends.push(Spend { metric: "hardware.ram-class".into(), week: "2026-W49".into(), epsilon: 1.5 });
        let (spent, weeks) = budget(&drawn).unwrap();
        assert_eq!((spent.as_str(), weeks.as_str()), ("ε 1.5 of 4 spent", "Weeks 2026-W36 to 2027-W08, 1 report"));
        assert!((fraction(&drawn) - 0.375).abs() < 1e-9);
    }

    #[test]
    fn a_metric_without_a_title_goes_by_its_id() {
        let tallies = [Tally { metric: "a".into(), title: "Memory".into(), ..Tally::default() }];
        assert_eq!(title("a", &tallies), "Memory");
        assert_eq!(title("b", &tallies), "b");
        assert_eq!(tally(&tallies[0]), "Nothing yet");
    }

    #[test]
    fn a_missing_recorder_and_a_refusal_are_told_apart() {
        let missing: zbus::Error = zbus::fdo::Error::ServiceUnknown(String::new()).into();
        let refused: zbus::Error = zbus::fdo::Error::AuthFailed(String::new()).into();
        assert!(matches!(absence(&missing), News::Absent("The Recorder Is Not Running", _)));
        assert!(matches!(absence(&refused), News::Absent("The Recorder Does Not Answer", _)));
        assert!(matches!(no_bus(&refused), News::Absent("The Message Bus Cannot Be Reached", _)));
        assert_eq!(refusal(&refused), "Not changed: an administrator must allow it");
        assert!(unreadable(&refused).starts_with("Shown only"));
    }

    #[test]
    fn the_state_is_said_in_words() {
        let status = Status { server: "https://example.org".into(), metrics: 1, ..Status::default() };
        assert!(answer(true, &status).starts_with("On: randomised reports go to https://example.org."));
        assert_eq!(answer(false, &status), "Off: nothing is recorded or sent");
        assert!(question(&status).ends_with(": 1 metric, sent to https://example.org"));
    }
}

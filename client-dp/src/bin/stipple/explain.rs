// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple metrics explain`: one metric, and its randomisation, in plain words.

use std::fmt::Write as _;

use stipple_client_dp::{Draw, ExplainRow, Form};

use crate::paint::Paint;
use crate::table::{paragraph, table};

/// The whole page.
pub fn words(row: &ExplainRow, paint: Paint) -> String {
    let metric = &row.metric;
    let mut text = format!("{}: {}\n\n", paint.strong(&metric.metric), metric.title);
    let mut line = |label: &str, said: &str| text += &paragraph(&format!("{label:<11}"), said);
    line("Asks", &metric.question);
    line("Category", &category(row));
    line("Recorded", &recorded(row));
    line("Answers", &answers(row));
    line("Approved", &format!("{} ({})", metric.approval, row.owner));
    line("Collected", &format!("from {} to {}", row.introduced, metric.expires));
    line("Definition", &row.definition);
    line("Costs", &format!("epsilon {} of the half-year's budget, if it is drawn", metric.epsilon));
    line("Drawn", &drawn(row));
    if !row.value.is_empty() {
        line("This week", &format!("so far: {} (never sent as it is)", row.value));
    }
    let _ = write!(text, "\n{} ({})\n\n", paint.strong("What the randomisation does to your answer"), metric.mechanism);
    text += &randomisation(row);
    text.push('\n');
    text += &paragraph("", &bound(row));
    text
}

fn category(row: &ExplainRow) -> String {
    let on = if row.metric.on { "recorded when metrics are on" } else { "switched off by you, so not recorded" };
    format!("{}; {on}", row.metric.category)
}

fn recorded(row: &ExplainRow) -> String {
    let what = match row.aggregate.as_str() {
        "last" => "the last value of the week",
        "any" => "whether anything happened in the week",
        "count" => "how often it happened in the week",
        "sum" => "the sum of the week",
        "maximum" => "the largest value of the week",
        "distinct" => "which different values occurred in the week, not how often",
        "duration" => "for how long in the week",
        other => other,
    };
    let event = |event: &stipple_client_dp::EventRow| match event.payload.as_str() {
        "" => format!("{} (its content is not looked at)", event.id),
        payload => format!("{} (D-Bus type {payload})", event.id),
    };
    let events: Vec<String> = row.events.iter().map(event).collect();
    format!("{what}, from {} {}", if events.len() == 1 { "the event" } else { "the events" }, events.join(", "))
}

fn answers(row: &ExplainRow) -> String {
    let list = row.answers.join(", ");
    match row.channel.form {
        Form::Items | Form::Bucket => format!(
            "any of these, up to {}; more are cut down to {} at random before anything else: {list}",
            row.most, row.most
        ),
        Form::Bit | Form::Number => format!("a number from 0 to {}; more is {}", row.most, row.most),
        Form::Answer | Form::Answers | Form::Point => format!("one of these, and nothing else: {list}"),
    }
}

fn drawn(row: &ExplainRow) -> String {
    let week = &row.week;
    match row.draw {
        Draw::None => "not yet: the draw is made when metrics are switched on".to_owned(),
        Draw::Undrawn => "not in this half-year: no report of it leaves this computer".to_owned(),
        Draw::Waiting if row.metric.on => format!("for {week}: one report, of that week"),
        Draw::Waiting => format!("for {week}: one report, as if nothing had happened, because it is switched off"),
        Draw::Reported => format!("for {week}: its report is made (see stipple preview and stipple sent)"),
        Draw::Forfeited => {
            format!("for {week}, of which no report is made: not the whole week was observed, or the metric changed")
        }
    }
}

fn randomisation(row: &ExplainRow) -> String {
    let channel = &row.channel;
    let (p, q) = (chance(channel.p_true), chance(channel.p_false));
    let (count, names) = (row.answers.len(), channel.names);
    // Their own answer where there is one: it concerns them more than any other.
    let own = |answer: &&String| **answer == row.value;
    let mine = row.answers.iter().find(own).or(row.answers.first()).map_or("", String::as_str);
    let said = match channel.form {
        Form::Answer => format!(
            "Your computer throws dice, and the report names one answer. If your answer is {mine}, it says {mine} with \
             probability {p}, and {} with probability {q}.",
            others(row, mine)
        ),
        Form::Answers => format!(
            "Your computer throws dice, and the report names {names} of the {count} answers. If your answer is {mine}, {mine} \
             is among them with probability {p}, and each other answer with probability {q}."
        ),
        Form::Point => format!(
            "Your computer throws dice, and the report is a number that fits many of the {count} answers at once. If your \
             answer is {mine}, the number fits {mine} with probability {p}, and each other answer with probability {q}."
        ),
        Form::Items => format!(
            "Your computer throws dice, and the report names {}. Each item that you have is named with probability {p}, and each \
             one that you do not have with probability {q}, however many you have.",
            if names == 1 { "one item, or a blank".to_owned() } else { format!("{names} things, items or blanks") }
        ),
        Form::Bucket => format!(
            "Your computer throws dice, and the report is the name of a bucket, into which many of the {count} items fall by \
             chance. It fits each item that you have with probability {p}, and each one that you do not have with probability \
             {q}, however many you have."
        ),
        Form::Bit | Form::Number => return numbers(row),
    };
    paragraph("", &said)
}

/// The answers beside one's own.
fn others(row: &ExplainRow, mine: &str) -> String {
    let others: Vec<&String> = row.answers.iter().filter(|answer| *answer != mine).collect();
    match others[..] {
        [other] => other.clone(),
        _ => format!("each of the {} other answers", others.len()),
    }
}

/// For a number: everything that the report can say, equal chances in a row together.
fn numbers(row: &ExplainRow) -> String {
    let channel = &row.channel;
    let mine: usize = row.value.parse().unwrap_or(channel.rows.len() / 2);
    let Some(chances) = channel.rows.get(mine) else { return String::new() };
    let head = paragraph("", &format!("Your computer throws dice. If your number is {mine}, the report says:"));
    let printed: Vec<(&str, String)> =
        channel.says.iter().zip(chances).map(|(said, &p)| (said.as_str(), chance(p))).collect();
    let span = |run: &[(&str, String)]| match run {
        [(first, _), .., (last, _)] => format!("{first} to {last}"),
        _ => run.iter().map(|(only, _)| *only).collect(),
    };
    let cells = printed.chunk_by(|(_, p), (_, q)| p == q).map(|run| vec![span(run), run[0].1.clone()]);
    format!("{head}\n{}", table(&["report", "probability of each"], cells, ""))
}

fn bound(row: &ExplainRow) -> String {
    let (ratio, epsilon) = (format!("{:.2}", row.channel.ratio), row.metric.epsilon);
    let what = match row.channel.form {
        Form::Answer | Form::Answers | Form::Point => "any answer of yours",
        Form::Items | Form::Bucket => "what you have",
        Form::Bit | Form::Number => "any number of yours",
    };
    format!(
        "Whoever sees the report, the server included, can raise or lower their odds about {what} by at most a factor \
         e^epsilon = e^{epsilon} = {ratio}: odds of 1 to 1 become {ratio} to 1 at most. That holds whatever else they know."
    )
}

/// A probability to three significant digits.
pub fn chance(p: f64) -> String {
    let zeroes = if p > 0.0 { (-p.log10()).floor().clamp(0.0, 12.0) } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 12")]
    let digits = zeroes as usize + 3;
    format!("{p:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_have_three_digits() {
        let said = [0.5, 0.2136, 0.0786, 0.001_234_5, 1.0, 0.0].map(chance);
        assert_eq!(said, ["0.500", "0.214", "0.0786", "0.00123", "1.000", "0.000"]);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple`: the user's command. See, switch on, switch off.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;
use serde_json::json;
use stipple_client_dp::dbus::{Bus, MetricsProxy, StatusRow};
use stipple_client_dp::{BudgetRow, MetricRow, ReportRow};
use zbus::Connection;

/// See what this computer records and sends, and switch it on or off.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example: stipple preview\n\n\
    Exit codes: 0 done, 1 failed, 2 wrong usage or unknown metric, 3 the recorder is not running, 4 not allowed, \
    5 switched off by an administrator."
)]
struct Arguments {
    /// The bus of the recorder: system, session, or a D-Bus address.
    #[arg(long, default_value = "system", global = true)]
    bus: Bus,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Subcommand)]
enum Command {
    /// Whether metrics are on, and where reports go.
    #[command(after_help = "Example: stipple status --json | jq .consent")]
    Status,
    /// Say yes to the text that `stipple enable --text` prints: record, and send randomised reports.
    #[command(after_help = "Example: stipple enable --text | less")]
    Enable {
        /// Print the text that a yes agrees to, and change nothing.
        #[arg(long)]
        text: bool,
    },
    /// Say no: stop, and delete everything recorded. Only the spent budget is kept.
    #[command(after_help = "Example: stipple disable")]
    Disable,
    /// What this week's events amount to, before randomisation.
    #[command(after_help = "Example: stipple show --json | jq '.[].value'")]
    Show,
    /// What will be sent and when: the true value beside the exact bytes. Looking changes nothing.
    #[command(after_help = "Example: stipple preview")]
    Preview,
    /// What was sent, byte for byte.
    #[command(after_help = "Example: stipple sent --json | jq '.[].bytes'")]
    Sent,
    /// How much of this half-year's privacy budget is spent.
    #[command(after_help = "Example: stipple budget")]
    Budget,
    /// Every metric: what it asks, what it costs, and whether it is on.
    #[command(after_help = "Example: stipple metrics")]
    Metrics,
    /// Switch a metric, or a whole category, off. Nobody can tell from the reports that it is off.
    #[command(after_help = "Example: stipple opt-out usage")]
    OptOut {
        /// A metric's id, or hardware, settings, usage, performance or problems.
        name: String,
    },
    /// Switch a metric, or a whole category, on again.
    #[command(after_help = "Example: stipple opt-in usage.applications")]
    OptIn {
        /// A metric's id, or hardware, settings, usage, performance or problems.
        name: String,
    },
    /// Delete everything recorded and not yet sent, and the list of what was sent. The answer and the spent budget stay.
    #[command(after_help = "Example: stipple erase")]
    Erase,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.bus.builder().build().await {
        Ok(connection) => run(&connection, &arguments).await.map_err(|error| explain(&error)),
        Err(error) => Err((3, format!("the bus {} cannot be reached: {error}", arguments.bus))),
    };
    match outcome {
        Ok(text) => {
            // A reader that went away has seen enough.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err((code, text)) => {
            eprintln!("stipple: {text}");
            ExitCode::from(code)
        }
    }
}

/// An exit code and a sentence for a failed call.
fn explain(error: &zbus::Error) -> (u8, String) {
    let name = match error {
        zbus::Error::MethodError(name, _, _) => name.as_str(),
        zbus::Error::FDO(inner) => match **inner {
            zbus::fdo::Error::ServiceUnknown(_) | zbus::fdo::Error::NameHasNoOwner(_) => SERVICE_UNKNOWN,
            zbus::fdo::Error::AuthFailed(_) => AUTH_FAILED,
            _ => "",
        },
        _ => "",
    };
    match name {
        SERVICE_UNKNOWN | "org.freedesktop.DBus.Error.NameHasNoOwner" => {
            (3, "the recorder is not running on this bus; start it with: systemctl start stipple-recorderd".to_owned())
        }
        AUTH_FAILED => (4, format!("not allowed: {}", said(error))),
        "org.stipple.Metrics1.Error.Locked" => (5, said(error)),
        "org.stipple.Metrics1.Error.UnknownName" | "org.stipple.Metrics1.Error.CategoryOff" => (2, said(error)),
        _ => (1, said(error)),
    }
}

/// What the recorder says about a failure, without the error's name.
fn said(error: &zbus::Error) -> String {
    match error {
        zbus::Error::MethodError(_, Some(text), _) => text.clone(),
        other => other.to_string(),
    }
}

const SERVICE_UNKNOWN: &str = "org.freedesktop.DBus.Error.ServiceUnknown";
const AUTH_FAILED: &str = "org.freedesktop.DBus.Error.AuthFailed";

async fn run(connection: &Connection, arguments: &Arguments) -> zbus::Result<String> {
    let metrics = MetricsProxy::new(connection).await?;
    let json = arguments.json;
    let done = |fact: serde_json::Value, sentence: String| if json { format!("{fact}\n") } else { sentence };
    Ok(match &arguments.command {
        Command::Status => render(json, &metrics.status().await?, status)?,
        Command::Enable { text: true } => {
            let (text, version) = (metrics.consent_text().await?, metrics.consent_version().await?);
            if json { format!("{}\n", json!({ "text": text, "version": version })) } else { text }
        }
        Command::Enable { text: false } => {
            metrics.set_consent(true, &metrics.consent_version().await?).await?;
            let sentence = "Metrics are on. See what will be sent with: stipple preview\n";
            done(json!({ "enabled": true }), sentence.to_owned())
        }
        Command::Disable => {
            metrics.set_consent(false, "").await?;
            let sentence = "Metrics are off. Everything recorded has been deleted; only the spent budget is kept.\n";
            done(json!({ "enabled": false }), sentence.to_owned())
        }
        Command::Show => render(json, &metrics.tallies().await?, |rows| {
            let cells = rows.iter().map(|row| vec![row.metric.clone(), row.week.clone(), row.value.clone()]);
            table(
                &["metric", "week", "value (never sent as it is)"],
                cells,
                "Nothing is recorded while metrics are off.",
            )
        })?,
        Command::Preview => render(json, &metrics.preview().await?, |rows| {
            reports(rows, "Nothing will be sent while metrics are off.")
        })?,
        Command::Sent => render(json, &metrics.sent().await?, |rows| reports(rows, "Nothing was sent."))?,
        Command::Budget => render(json, &metrics.budget().await?, budget)?,
        Command::Metrics => render(json, &metrics.metrics().await?, |rows| catalogue(rows))?,
        Command::OptOut { name } => {
            metrics.opt_out(name).await?;
            let sentence = format!(
                "{name} is off: it is not recorded any more, and its reports say what they say when nothing happens.\n\
                 A report that is drawn already is still sent; stipple erase withdraws it.\n"
            );
            done(json!({ "opted_out": name }), sentence)
        }
        Command::OptIn { name } => {
            metrics.opt_in(name).await?;
            done(json!({ "opted_in": name }), format!("{name} is on.\n"))
        }
        Command::Erase => {
            metrics.erase().await?;
            done(json!({ "erased": true }), "Everything recorded and drawn has been deleted.\n".to_owned())
        }
    })
}

fn status(status: &StatusRow) -> String {
    let answer = match status.hold.as_str() {
        "locked" => "switched off by this computer's administrator".to_owned(),
        "text-changed" => {
            "paused: the text that you agreed to has changed. Read it with: stipple enable --text".to_owned()
        }
        _ => status.consent.clone(),
    };
    let mut text = format!(
        "Metrics are {answer}.\n\nCatalogue  {} ({} metrics)\nHash       {}\nServer     {}\nWeek       {}\n\
         Waiting    {} reports drawn and not yet sent\n",
        status.catalogue, status.metrics, status.catalogue_hash, status.server, status.week, status.waiting,
    );
    if !status.opted_out.is_empty() {
        let _ = writeln!(text, "Opted out  {}", status.opted_out.join(", "));
    }
    for (reason, events) in &status.dropped {
        let _ = writeln!(text, "Dropped    {events} events: {reason}");
    }
    text
}

fn reports(rows: &[ReportRow], empty: &str) -> String {
    let cells = rows.iter().map(|row| {
        let (epsilon, outcome) = (row.epsilon.to_string(), row.outcome.name().to_owned());
        let (metric, week, when) = (row.metric.clone(), row.week.clone(), row.send_after.clone());
        vec![metric, week, epsilon, outcome, when, row.value.clone(), row.bytes.clone()]
    });
    table(&["metric", "week", "epsilon", "report", "not before", "true value", "exact bytes"], cells, empty)
}

fn budget(budget: &BudgetRow) -> String {
    let mut text = format!("{} to {}: {} of {} spent\n", budget.first, budget.last, budget.spent, budget.cap);
    if !budget.spends.is_empty() {
        let cells = budget.spends.iter().map(|row| vec![row.metric.clone(), row.week.clone(), row.epsilon.to_string()]);
        text += &table(&["metric", "week", "epsilon"], cells, "");
    }
    text
}

fn catalogue(rows: &[MetricRow]) -> String {
    let cells = rows.iter().map(|row| {
        let on = if row.on { "on" } else { "off" };
        let (metric, epsilon, mechanism) = (row.metric.clone(), row.epsilon.to_string(), row.mechanism.clone());
        vec![metric, on.to_owned(), epsilon, mechanism, row.question.clone()]
    });
    table(&["metric", "", "epsilon", "randomised by", "question"], cells, "The catalogue has no metric for today.")
}

fn render<T: Serialize>(json: bool, data: &T, human: impl FnOnce(&T) -> String) -> zbus::Result<String> {
    if !json {
        return Ok(human(data));
    }
    let text = serde_json::to_string_pretty(data).map_err(|error| zbus::Error::Failure(error.to_string()))?;
    Ok(text + "\n")
}

/// Columns that line up, the last one ragged.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>, empty: &str) -> String {
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return format!("{empty}\n");
    }
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let width = |column: usize| rows.iter().chain([&head]).map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in [&head].into_iter().chain(&rows) {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text
}

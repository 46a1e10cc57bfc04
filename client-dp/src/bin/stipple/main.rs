// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple`: the user's command. See, understand, take away, switch on, switch off.

mod doctor;
mod explain;
mod export;
mod paint;
mod table;

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use serde::Serialize;
use serde_json::json;
use stipple_client_dp::cli::{Command, MetricsCommand, Stipple};
use stipple_client_dp::dbus::{MetricsProxy, StatusRow};
use stipple_client_dp::{BudgetRow, MetricRow, ReportRow};

use crate::paint::Paint;
use crate::table::table;

/// Why the command failed: the exit code, and a sentence.
struct Failure(u8, String);

impl From<zbus::Error> for Failure {
    fn from(error: zbus::Error) -> Self {
        let name = match &error {
            zbus::Error::MethodError(name, _, _) => name.as_str(),
            zbus::Error::FDO(inner) => match **inner {
                zbus::fdo::Error::ServiceUnknown(_) | zbus::fdo::Error::NameHasNoOwner(_) => SERVICE_UNKNOWN,
                zbus::fdo::Error::AuthFailed(_) => AUTH_FAILED,
                _ => "",
            },
            _ => "",
        };
        match name {
            SERVICE_UNKNOWN | "org.freedesktop.DBus.Error.NameHasNoOwner" => Self(
                UNREACHABLE,
                "the recorder is not running on this bus; start it with: systemctl start stipple-recorderd".to_owned(),
            ),
            AUTH_FAILED => Self(4, format!("not allowed: {}", said(&error))),
            "org.stipple.Metrics1.Error.Locked" => Self(5, said(&error)),
            "org.stipple.Metrics1.Error.UnknownName" | "org.stipple.Metrics1.Error.CategoryOff" => {
                Self(2, said(&error))
            }
            _ => Self(1, said(&error)),
        }
    }
}

/// The exit code without a recorder.
const UNREACHABLE: u8 = 3;
const SERVICE_UNKNOWN: &str = "org.freedesktop.DBus.Error.ServiceUnknown";
const AUTH_FAILED: &str = "org.freedesktop.DBus.Error.AuthFailed";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Stipple::parse();
    let outcome = match (arguments.bus.builder().build().await, &arguments.command) {
        (connection, Command::Doctor) => Ok(doctor::run(connection, &arguments).await),
        (Ok(connection), _) => run(&connection, &arguments).await.map(|text| (0, text)),
        (Err(error), _) => Err(Failure(UNREACHABLE, format!("the bus {} cannot be reached: {error}", arguments.bus))),
    };
    let (code, text) = match outcome {
        Ok(done) => done,
        Err(Failure(code, text)) => {
            eprintln!("stipple: {text}");
            return ExitCode::from(code);
        }
    };
    // A reader that went away has seen enough.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::from(code)
}

/// What the recorder says about a failure, without the error's name.
fn said(error: &zbus::Error) -> String {
    match error {
        zbus::Error::MethodError(_, Some(text), _) => text.clone(),
        other => other.to_string(),
    }
}

async fn run(connection: &zbus::Connection, arguments: &Stipple) -> Result<String, Failure> {
    let metrics = MetricsProxy::new(connection).await?;
    let (json, paint) = (arguments.json, Paint::new(arguments.color));
    let done = |fact: serde_json::Value, sentence: String| if json { format!("{fact}\n") } else { sentence };
    Ok(match &arguments.command {
        Command::Status => render(json, &metrics.status().await?, |row| status(row, paint))?,
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
        Command::Metrics { what: None } => render(json, &metrics.metrics().await?, |rows| catalogue(rows, paint))?,
        Command::Metrics { what: Some(MetricsCommand::Explain { id }) } => {
            render(json, &metrics.explain(id).await?, |row| explain::words(row, paint))?
        }
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
        Command::Export { output, force } => {
            let document = render(true, &export::Document::read(&metrics).await?, |_| String::new())?;
            match output {
                None => document,
                Some(path) => {
                    export::write(path, &document, *force)?;
                    done(json!({ "written": path }), format!("Written to {}.\n", path.display()))
                }
            }
        }
        // It must not need a bus.
        Command::Doctor => String::new(),
    })
}

fn status(status: &StatusRow, paint: Paint) -> String {
    let answer = match (status.hold.as_str(), status.consent.as_str()) {
        ("locked", _) => paint.warn("switched off by this computer's administrator"),
        ("text-changed", _) => {
            let paused = paint.warn("paused");
            format!("{paused}: the text that you agreed to has changed. Read it with: stipple enable --text")
        }
        (_, "on") => paint.good("on"),
        (_, other) => paint.strong(other),
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

fn catalogue(rows: &[MetricRow], paint: Paint) -> String {
    let cells = rows.iter().map(|row| {
        let on = if row.on { "on" } else { "off" };
        let (metric, epsilon, mechanism) = (row.metric.clone(), row.epsilon.to_string(), row.mechanism.clone());
        vec![metric, on.to_owned(), epsilon, mechanism, row.question.clone()]
    });
    let head = ["metric", "", "epsilon", "randomised by", "question"];
    let painted = |cell: &str| match cell.trim_end() {
        "on" => paint.good(cell),
        "off" => paint.warn(cell),
        _ => cell.to_owned(),
    };
    table::painted(&head, cells, "The catalogue has no metric for today.", painted)
}

fn render<T: Serialize>(json: bool, data: &T, human: impl FnOnce(&T) -> String) -> Result<String, Failure> {
    if !json {
        return Ok(human(data));
    }
    let text = serde_json::to_string_pretty(data).map_err(|error| Failure(1, error.to_string()))?;
    Ok(text + "\n")
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple`: the user's command. See, switch on, switch off.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use serde::Serialize;
use stipple_client_dp::dbus::{Bus, EventRecorderServerProxy, MetricsProxy};
use zbus::Connection;

/// See what this computer records and sends, and switch it on or off.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example: stipple preview\n\n\
    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 the recorder is not running, 4 not allowed."
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

#[derive(Clone, Copy, Subcommand)]
enum Command {
    /// Whether metrics are on, and where reports go.
    Status,
    /// Say yes: record, and send randomised reports.
    Enable,
    /// Say no: stop, and delete everything recorded. Only the spent budget is kept.
    Disable,
    /// What this week's events amount to, before randomisation.
    Show,
    /// What will be sent and when: the true value beside the exact bytes. Looking changes nothing.
    Preview,
    /// How much of this half-year's privacy budget is spent.
    Budget,
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
        AUTH_FAILED => (4, format!("not allowed: {error}")),
        _ => (1, error.to_string()),
    }
}

const SERVICE_UNKNOWN: &str = "org.freedesktop.DBus.Error.ServiceUnknown";
const AUTH_FAILED: &str = "org.freedesktop.DBus.Error.AuthFailed";

async fn run(connection: &Connection, arguments: &Arguments) -> zbus::Result<String> {
    let metrics = MetricsProxy::new(connection).await?;
    let json = arguments.json;
    match arguments.command {
        Command::Status => render(json, &metrics.status().await?, |status| {
            let mut text = format!(
                "Metrics are {}.\n\nCatalogue  {} ({} metrics)\nHash       {}\nServer     {}\nWeek       {}\nWaiting    {} reports drawn and not yet sent\n",
                status.consent,
                status.catalogue,
                status.metrics,
                status.catalogue_hash,
                status.server,
                status.week,
                status.waiting,
            );
            for (reason, events) in &status.dropped {
                let _ = writeln!(text, "Dropped    {events} events: {reason}");
            }
            text
        }),
        Command::Enable => switch(connection, true, json).await,
        Command::Disable => switch(connection, false, json).await,
        Command::Show => render(json, &metrics.tallies().await?, |rows| {
            let cells = rows.iter().map(|row| vec![row.metric.clone(), row.week.clone(), row.value.clone()]);
            table(
                &["metric", "week", "value (never sent as it is)"],
                cells,
                "Nothing is recorded while metrics are off.",
            )
        }),
        Command::Preview => render(json, &metrics.preview().await?, |rows| {
            let cells = rows.iter().map(|row| {
                let epsilon = row.epsilon.to_string();
                vec![
                    row.metric.clone(),
                    row.week.clone(),
                    epsilon,
                    row.outcome.clone(),
                    row.value.clone(),
                    row.bytes.clone(),
                ]
            });
            let head = ["metric", "week", "epsilon", "report", "true value", "exact bytes"];
            table(&head, cells, "Nothing will be sent while metrics are off.")
        }),
        Command::Budget => render(json, &metrics.budget().await?, |budget| {
            let mut text = format!("{} to {}: {} of {} spent\n", budget.first, budget.last, budget.spent, budget.cap);
            if !budget.spends.is_empty() {
                let cells = budget
                    .spends
                    .iter()
                    .map(|(metric, week, cost)| vec![metric.clone(), week.clone(), cost.to_string()]);
                text += &table(&["metric", "week", "epsilon"], cells, "");
            }
            text
        }),
    }
}

async fn switch(connection: &Connection, on: bool, json: bool) -> zbus::Result<String> {
    EventRecorderServerProxy::new(connection).await?.set_enabled(on).await?;
    let sentence = if on {
        "Metrics are on. See what will be sent with: stipple preview\n"
    } else {
        "Metrics are off. Everything recorded has been deleted; only the spent budget is kept.\n"
    };
    Ok(if json { format!("{}\n", serde_json::json!({ "enabled": on })) } else { sentence.to_owned() })
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

// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-aggregator`: serves the intake, counts what waits in a queue, exports the counts, and looks after the store.

mod drain;
mod operate;
#[cfg(test)]
mod pages_tests;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use jiff::Timestamp;
use stipple_aggregator::{Address, LogFormat, Server, Settings, SettingsError, Unknown, export};
use stipple_catalog::{Catalogue, Clock};
use tokio::signal::unix::{SignalKind, signal};

/// Count noised reports, each exactly once, and keep nothing but sums.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  stipple-aggregator serve --store counts.sqlite\n  \
    stipple-aggregator export --store counts.sqlite --out counts/\n\n\
    Exit codes: 0 done, 1 failed or something is wrong, 2 wrong usage."
)]
struct Arguments {
    /// The configuration file [default: /etc/stipple/aggregator.toml if it is there].
    #[arg(long, value_name = "FILE", global = true, env = "STIPPLE_CONFIG", hide_env_values = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Take reports in until SIGTERM or SIGINT. Works without any option: loopback, a store in the current folder.
    #[command(after_help = "Prints `listening on http://ADDRESS` once it answers. Example:\n  \
        stipple-aggregator serve --listen 127.0.0.1:0 --store counts.sqlite --phase testing --now 2026-12-01T12:00:00Z")]
    Serve(Box<ServeOptions>),
    /// Print the configuration that `serve` would have, without passwords, or what is wrong with it.
    #[command(after_help = "Example:\n  stipple-aggregator check-config --config /etc/stipple/aggregator.toml")]
    CheckConfig(Box<Settings>),
    /// Write the counts dataset: counts.csv, catalogue.json and manifest.json. The store may be being served.
    #[command(after_help = "Example:\n  stipple-aggregator export --store counts.sqlite --out counts/")]
    Export(ExportOptions),
    #[command(flatten)]
    Operate(operate::Command),
    /// Count what waits in a queue, until SIGTERM or SIGINT. Any number of these may share a queue and a PostgreSQL store.
    #[command(after_help = "Example:\n  \
        stipple-aggregator count --queue redis://queue.example/ --store postgresql://counter@db.example/stipple")]
    Count(drain::CountOptions),
    /// Show what waits in a queue, and whether anything was lost: exit code 1 if so.
    #[command(after_help = "Example:\n  stipple-aggregator queue-status --queue redis://queue.example/ --json")]
    QueueStatus(drain::QueueStatusOptions),
}

/// What every command that uses a store takes.
#[derive(Args, Default)]
struct Common {
    /// The store: a path, sqlite:PATH or postgresql://USER@HOST/DATABASE [default: the configured one].
    #[arg(long, env = "STIPPLE_STORE", hide_env_values = true)]
    store: Option<Address>,
    /// The catalogue's folder [default: the configured one].
    #[arg(long, env = "STIPPLE_CATALOG", hide_env_values = true)]
    catalog: Option<PathBuf>,
}

#[derive(Args)]
struct ServeOptions {
    #[command(flatten)]
    settings: Settings,
    /// The time at which a drill starts (RFC 3339).
    #[arg(long)]
    now: Option<Timestamp>,
}

#[derive(Args)]
struct ExportOptions {
    #[command(flatten)]
    common: Common,
    /// The folder to write to; it is made when it is not there.
    #[arg(long)]
    out: PathBuf,
    /// Leave out counts that the catalogue no longer explains, instead of refusing.
    #[arg(long)]
    skip_unknown: bool,
    /// Print the manifest.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let Arguments { config, command } = Arguments::parse();
    let outcome = match command {
        Command::Serve(options) => Settings::load(options.settings, config.as_deref())
            .map_err(Into::into)
            .and_then(|settings| serve(&settings, options.now))
            .map(|()| ExitCode::SUCCESS),
        Command::CheckConfig(asked) => check_config(*asked, config.as_deref()).map(|()| ExitCode::SUCCESS),
        Command::Export(options) => write_dataset(options, config.as_deref()).map(|()| ExitCode::SUCCESS),
        Command::Count(options) => options.run(config.as_deref()),
        Command::QueueStatus(options) => options.run(config.as_deref()),
        Command::Operate(command) => command.run(config.as_deref()),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("stipple-aggregator: {error:#}");
        ExitCode::FAILURE
    })
}

/// The level and the place are fixed: no environment variable can make a library log what is sent.
fn start_log(format: LogFormat) {
    let log = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_max_level(tracing::Level::INFO)
        .with_target(false);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

impl Common {
    fn asked(self) -> Settings {
        let mut asked = Settings::default();
        (asked.store, asked.catalog) = (self.store, self.catalog);
        asked
    }

    fn settings(self, file: Option<&Path>) -> Result<Settings, SettingsError> {
        Settings::load(self.asked(), file)
    }
}

#[tokio::main]
async fn serve(settings: &Settings, now: Option<Timestamp>) -> anyhow::Result<()> {
    start_log(settings.log.unwrap_or_default());
    let clock = Clock::system(settings.phase.unwrap_or_default(), now)
        .unwrap_or_else(|error| Arguments::command().error(clap::error::ErrorKind::ArgumentConflict, error).exit());
    let catalogue = Arc::new(Catalogue::load(&settings.catalog())?);
    // Before the line that scripts wait for, so that a signal right after it is not lost.
    let shutdown = shutdown()?;
    let server = Server::bind(settings.config(catalogue, clock)).await?;
    let mut out = std::io::stdout();
    // Whoever closed our output does not wait for the line.
    let _ = writeln!(out, "listening on http://{}", server.address()).and_then(|()| out.flush());
    Ok(server.run(shutdown).await?)
}

/// Resolves at SIGTERM or SIGINT.
fn shutdown() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn check_config(asked: Settings, file: Option<&Path>) -> anyhow::Result<()> {
    let settings = Settings::load(asked, file)?;
    print!("{}", toml::to_string(&settings)?);
    Catalogue::load(&settings.catalog())?;
    Ok(())
}

fn write_dataset(options: ExportOptions, file: Option<&Path>) -> anyhow::Result<()> {
    let settings = options.common.settings(file)?;
    let catalogue = Catalogue::load(&settings.catalog())?;
    let unknown = if options.skip_unknown { Unknown::Skip } else { Unknown::Refuse };
    let dataset = export(&settings.store(), &catalogue, &options.out, unknown)?;
    let mut out = std::io::stdout();
    let _ = if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&dataset)?)
    } else {
        let (reports, metrics, folder) = (dataset.reports, dataset.metrics.len(), options.out.display());
        writeln!(out, "{reports} reports of {metrics} metrics written to {folder}")
    };
    Ok(())
}

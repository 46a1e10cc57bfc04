// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-aggregator`: serves the intake and exports the counts.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use jiff::{SignedDuration, Timestamp};
use stipple_aggregator::{Address, Config, KeyPolicy, Server, Unknown, export};
use stipple_catalog::{Catalogue, Clock, Phase, default_folder};
use tokio::signal::unix::{SignalKind, signal};

/// Count noised reports, each exactly once, and keep nothing but sums.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  stipple-aggregator serve --store counts.sqlite\n  \
    stipple-aggregator export --store counts.sqlite --out counts/\n\n\
    Exit codes: 0 done, 1 failed, 2 wrong usage."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Take reports in until SIGTERM or SIGINT. Works without any option: loopback, a store in the current folder.
    #[command(after_help = "Prints `listening on http://ADDRESS` once it answers. Example:\n  \
        stipple-aggregator serve --listen 127.0.0.1:0 --store counts.sqlite --phase testing --now 2026-12-01T12:00:00Z")]
    Serve(ServeOptions),
    /// Write the counts dataset: counts.csv and manifest.json. The store may be being served.
    #[command(after_help = "Example:\n  stipple-aggregator export --store counts.sqlite --out counts/")]
    Export(ExportOptions),
}

#[derive(Args)]
struct Common {
    /// The store: a path, sqlite:PATH or postgresql://USER@HOST/DATABASE [default: counts.sqlite in $STATE_DIRECTORY, else
    /// ./stipple-counts.sqlite].
    #[arg(long, env = "STIPPLE_STORE", hide_env_values = true)]
    store: Option<Address>,
    /// The catalogue's folder [default: $STIPPLE_CATALOG, else the installed one, else catalog/metrics].
    #[arg(long)]
    catalog: Option<PathBuf>,
}

#[derive(Args)]
struct ServeOptions {
    #[command(flatten)]
    common: Common,
    /// The address to listen on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8470")]
    listen: SocketAddr,
    /// For real, or a drill. A store belongs to one of the two.
    #[arg(long, value_enum, default_value = "production")]
    phase: Phase,
    /// The time at which a drill starts (RFC 3339).
    #[arg(long)]
    now: Option<Timestamp>,
    /// How many weeks before the current one still count.
    #[arg(long, value_name = "N", default_value_t = 4)]
    late_weeks: u16,
    /// Be an Oblivious HTTP gateway, with its keys in this folder; they are made when there are none.
    #[arg(long, value_name = "DIR")]
    ohttp_keys_dir: Option<PathBuf>,
    /// How many days a key of the gateway is shown to clients.
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    ohttp_rotation: u16,
    /// How many days a key still opens requests after that; then it is destroyed.
    #[arg(long, value_name = "DAYS", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..))]
    ohttp_overlap: u16,
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
    // The level and the place are fixed: no environment variable can make a library log what is sent.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_max_level(tracing::Level::INFO)
        .with_target(false)
        .init();
    let outcome = match Arguments::parse().command {
        Command::Serve(options) => serve(&options),
        Command::Export(options) => write_dataset(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stipple-aggregator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

impl Common {
    fn store(&self) -> Address {
        self.store.clone().unwrap_or_else(|| match std::env::var_os("STATE_DIRECTORY") {
            // systemd may name several, separated by colons.
            Some(folders) => {
                Address::Sqlite(std::env::split_paths(&folders).next().unwrap_or_default().join("counts.sqlite"))
            }
            None => Address::Sqlite("stipple-counts.sqlite".into()),
        })
    }

    fn catalogue(&self) -> anyhow::Result<Catalogue> {
        Ok(Catalogue::load(&self.catalog.clone().unwrap_or_else(default_folder))?)
    }
}

#[tokio::main]
async fn serve(options: &ServeOptions) -> anyhow::Result<()> {
    let clock = Clock::system(options.phase, options.now)
        .unwrap_or_else(|error| Arguments::command().error(clap::error::ErrorKind::ArgumentConflict, error).exit());
    let mut config = Config::new(options.common.store(), Arc::new(options.common.catalogue()?), clock);
    config.listen = options.listen;
    config.phase = options.phase;
    config.late_weeks = options.late_weeks;
    let days = |days: u16| SignedDuration::from_hours(24 * i64::from(days));
    config.ohttp = options.ohttp_keys_dir.clone().map(|folder| KeyPolicy {
        folder,
        rotation: days(options.ohttp_rotation),
        overlap: days(options.ohttp_overlap),
    });
    // Before the line that scripts wait for, so that a signal right after it is not lost.
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let server = Server::bind(config).await?;
    let mut out = std::io::stdout();
    // Whoever closed our output does not wait for the line.
    let _ = writeln!(out, "listening on http://{}", server.address()).and_then(|()| out.flush());
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    Ok(server.run(shutdown).await?)
}

fn write_dataset(options: &ExportOptions) -> anyhow::Result<()> {
    let catalogue = options.common.catalogue()?;
    let unknown = if options.skip_unknown { Unknown::Skip } else { Unknown::Refuse };
    let dataset = export(&options.common.store(), &catalogue, &options.out, unknown)?;
    let mut out = std::io::stdout();
    let _ = if options.json {
        writeln!(out, "{}", serde_json::to_string_pretty(&dataset)?)
    } else {
        let (reports, metrics, folder) = (dataset.reports, dataset.metrics.len(), options.out.display());
        writeln!(out, "{reports} reports of {metrics} metrics written to {folder}")
    };
    Ok(())
}

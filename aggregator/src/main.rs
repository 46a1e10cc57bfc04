// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-aggregator`: serves the intake, counts what waits in a queue, and exports the counts.

use std::io::{IsTerminal as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use jiff::Timestamp;
use stipple_aggregator::{Address, Config, QueueAddress, Server, Unknown, Worker, WorkerConfig, export, queue_status};
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
    /// Count what waits in a queue, until SIGTERM or SIGINT. Any number of these may share a queue and a PostgreSQL store.
    #[command(after_help = "Example:\n  \
        stipple-aggregator count --queue redis://queue.example/ --store postgresql://counter@db.example/stipple")]
    Count(CountOptions),
    /// Show what waits in a queue, and whether anything was lost: exit code 1 if so.
    #[command(after_help = "Example:\n  stipple-aggregator queue-status --queue redis://queue.example/ --json")]
    QueueStatus(QueueStatusOptions),
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
    /// Append to this queue instead of counting: redis://HOST/ or redis+unix:///PATH. The store is not opened then.
    #[arg(long, env = "STIPPLE_QUEUE", hide_env_values = true, value_name = "URL")]
    queue: Option<QueueAddress>,
    /// Acknowledge a report only when this many replicas of the queue have it too.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "queue")]
    queue_replicas: u32,
}

#[derive(Args)]
struct QueueOptions {
    /// The queue: redis://HOST/ or redis+unix:///PATH.
    #[arg(long, env = "STIPPLE_QUEUE", hide_env_values = true, value_name = "URL")]
    queue: QueueAddress,
    /// For real, or a drill. Each has a queue of its own.
    #[arg(long, value_enum, default_value = "production")]
    phase: Phase,
}

#[derive(Args)]
struct CountOptions {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    queue: QueueOptions,
    /// Take over what another worker was given and has not counted for this many seconds.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = clap::value_parser!(u32).range(1..))]
    reclaim_after: u32,
}

#[derive(Args)]
struct QueueStatusOptions {
    #[command(flatten)]
    queue: QueueOptions,
    /// Print JSON.
    #[arg(long)]
    json: bool,
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
        Command::Count(options) => count(&options),
        Command::QueueStatus(options) => show_queue(&options),
    };
    match outcome {
        Ok(code) => code,
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
async fn serve(options: &ServeOptions) -> anyhow::Result<ExitCode> {
    let clock = Clock::system(options.phase, options.now)
        .unwrap_or_else(|error| Arguments::command().error(clap::error::ErrorKind::ArgumentConflict, error).exit());
    let mut config = Config::new(options.common.store(), Arc::new(options.common.catalogue()?), clock);
    config.listen = options.listen;
    config.phase = options.phase;
    config.late_weeks = options.late_weeks;
    config.queue.clone_from(&options.queue);
    config.queue_replicas = options.queue_replicas;
    // Before the line that scripts wait for, so that a signal right after it is not lost.
    let shutdown = shutdown()?;
    let server = Server::bind(config).await?;
    let mut out = std::io::stdout();
    // Whoever closed our output does not wait for the line.
    let _ = writeln!(out, "listening on http://{}", server.address()).and_then(|()| out.flush());
    server.run(shutdown).await?;
    Ok(ExitCode::SUCCESS)
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

#[tokio::main]
async fn count(options: &CountOptions) -> anyhow::Result<ExitCode> {
    let CountOptions { common, queue, reclaim_after } = options;
    let mut config = WorkerConfig::new(queue.queue.clone(), common.store(), Arc::new(common.catalogue()?));
    config.phase = queue.phase;
    config.reclaim_after = Duration::from_secs(u64::from(*reclaim_after));
    let (stop, stopped) = mpsc::channel();
    let shutdown = shutdown()?;
    let working = tokio::task::spawn_blocking(move || Worker::open(config).map(|worker| worker.run(&stopped)));
    tokio::pin!(working);
    tokio::select! {
        ended = &mut working => ended??,
        () = shutdown => {
            drop(stop);
            working.await??;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show_queue(options: &QueueStatusOptions) -> anyhow::Result<ExitCode> {
    let status = queue_status(&options.queue.queue, options.queue.phase)?;
    let mut out = std::io::stdout();
    let _ = if options.json { writeln!(out, "{}", serde_json::to_string(&status)?) } else { write!(out, "{status}") };
    Ok(if status.has_losses() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn write_dataset(options: &ExportOptions) -> anyhow::Result<ExitCode> {
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
    Ok(ExitCode::SUCCESS)
}

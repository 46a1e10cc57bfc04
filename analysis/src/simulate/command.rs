// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-analysis simulate`.

use std::io::{self, IsTerminal as _, Write as _};
use std::num::NonZero;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};
use stipple_catalog::{Catalogue, CatalogueError, default_folder};

use super::{Simulation, SourceError, TooManyEpsilons, Way, output};
use crate::output::WriteError;

/// What to simulate.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    stipple-analysis simulate --catalog catalog/metrics --clients 20000\n  \
    stipple-analysis simulate --catalog catalog/metrics --clients 1000000000 --by-count --json\n  \
    stipple-analysis simulate --clients 100000 --by-count --scenario drift.toml --out target/simulated\n\n\
    By client, every report is randomised, encoded, decoded and counted. By count, the counts of all cells are drawn \
    directly; their joint law is exactly the same for every mechanism. What files may hold: docs/simulating.md.")]
pub struct SimulateArguments {
    /// The catalogue [default: STIPPLE_CATALOG, else the installed one].
    #[arg(long)]
    catalog: Option<PathBuf>,
    /// How many workstations.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    clients: u64,
    /// Draw the counts directly instead of every client.
    #[arg(long)]
    by_count: bool,
    /// The same seed gives the same counts, whatever the number of threads.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Simulate so many times, each with fresh clients, and score all together.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    repeat: u64,
    /// What is true: a TOML file of shares [default: shares after Zipf's law].
    #[arg(long)]
    truth: Option<PathBuf>,
    /// What happens: a TOML file of drift, seasons, non-response, poisoning and changed definitions.
    #[arg(long)]
    scenario: Option<PathBuf>,
    /// Write the counts (of the last repetition) into this folder, as `estimate` reads them.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Print truth beside estimate for every value, too.
    #[arg(long)]
    values: bool,
    /// Print JSON instead of tables.
    #[arg(long)]
    json: bool,
    /// Threads to use [default: all cores].
    #[arg(long)]
    threads: Option<NonZero<usize>>,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Epsilons(#[from] TooManyEpsilons),
    #[error(transparent)]
    Output(#[from] WriteError),
}

/// Runs `simulate`; what went wrong is told on standard error.
#[must_use]
pub fn simulate_command(arguments: &SimulateArguments) -> ExitCode {
    match run(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("stipple-analysis: {failure}");
            ExitCode::from(if matches!(failure, Failure::Output(_)) { 2 } else { 1 })
        }
    }
}

fn run(arguments: &SimulateArguments) -> Result<(), Failure> {
    let start = Instant::now();
    let catalogue = Catalogue::load(&arguments.catalog.clone().unwrap_or_else(default_folder))?;
    let (truth, scenario) = (arguments.truth.as_deref(), arguments.scenario.as_deref());
    let simulation = Simulation::new(&catalogue, truth, scenario, arguments.seed)?;
    let way = if arguments.by_count { Way::ByCount } else { Way::ByClient };
    let threads = arguments.threads.or_else(|| std::thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let bar = progress(if arguments.by_count { arguments.repeat } else { arguments.clients * arguments.repeat });
    let mut last = None;
    let tick = |done| bar.inc(done);
    let scores = simulation.scores(way, arguments.clients, arguments.repeat, threads, &tick, |dataset| {
        if arguments.by_count {
            bar.inc(1);
        }
        last = Some(dataset);
    })?;
    bar.finish_and_clear();
    if let (Some(folder), Some(dataset)) = (&arguments.out, &last) {
        output::write_dataset(dataset, &catalogue, folder)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let mut stdout = io::stdout().lock();
    let printed = if arguments.json {
        output::json(&scores, seconds, &mut stdout)
    } else {
        output::table(&scores, arguments.values, seconds, &mut stdout)
    };
    // A reader of our output that went away is no fault of the simulation.
    let _ = printed.and_then(|()| stdout.flush());
    Ok(())
}

/// On a terminal only.
fn progress(steps: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(steps);
    if let Ok(style) = ProgressStyle::with_template("{wide_bar} {human_pos}/{human_len} {eta}") {
        bar.set_style(style);
    }
    bar
}

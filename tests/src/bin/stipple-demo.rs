// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-demo`: from a D-Bus event to a published estimate.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use stipple_tests::demo::{self, Options};

/// Run the whole of Stipple: a bus, a real recorder, an aggregator, and a population that reports to it.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example: stipple-demo --clients 5000 --seed 7\n\n\
    Exit codes: 0 every report sent was counted, 1 failed, 2 wrong usage."
)]
struct Arguments {
    /// How many workstations to simulate.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    clients: u64,
    /// The seed of the simulation.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Repeat with this many successive seeds, each in a folder of its own.
    #[arg(long, default_value_t = 1)]
    repeat: u64,
    /// The catalogue.
    #[arg(long, default_value = "catalog/metrics")]
    catalog: PathBuf,
    /// The population's shares.
    #[arg(long, default_value = "tests/data/population.toml")]
    population: PathBuf,
    /// Where the artefacts go.
    #[arg(long, default_value = "target/demo")]
    out: PathBuf,
    /// Leave out the real recorder, so that the same seed gives the same counts.
    #[arg(long)]
    population_only: bool,
    /// Kill the aggregator with SIGKILL this many times on the way.
    #[arg(long, default_value_t = 0)]
    kill: u32,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let seeds = arguments.seed..arguments.seed.saturating_add(arguments.repeat);
    let runs = seeds.map(|seed| Options {
        clients: arguments.clients,
        seed,
        catalog: arguments.catalog.clone(),
        population: arguments.population.clone(),
        out: if arguments.repeat == 1 { arguments.out.clone() } else { arguments.out.join(format!("seed-{seed}")) },
        with_recorder: !arguments.population_only,
        kills: arguments.kill,
    });
    match demo::run_all(runs, &arguments.out) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stipple-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

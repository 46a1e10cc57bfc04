// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-analysis`: estimates and reports from a counts dataset.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use stipple_analysis::audit::{AuditArguments, audit_command};
use stipple_analysis::simulate::{SimulateArguments, simulate_command};
use stipple_analysis::{Dataset, DatasetError, Estimates, Level, Options, WriteError};
use stipple_catalog::{Catalogue, CatalogueError, default_folder};

/// Estimates with error bounds from the noised counts that a Stipple aggregator exports.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  \
    stipple-analysis estimate --counts target/demo --catalog catalog/metrics --out target/demo\n  \
    stipple-analysis report --counts target/demo --catalog catalog/metrics --out report.html\n\n\
    Exit codes: 0 done, 1 faults in the counts or the catalogue, 2 wrong usage or an output that cannot be written."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Args)]
struct Input {
    /// The folder with counts.csv and manifest.json.
    #[arg(long)]
    counts: PathBuf,
    /// The catalogue that the counts were collected under [default: STIPPLE_CATALOG, else the installed one].
    #[arg(long)]
    catalog: Option<PathBuf>,
    /// The confidence level of the intervals.
    #[arg(long, default_value = "0.95")]
    level: Level,
}

#[derive(Subcommand)]
enum Command {
    /// Write estimates.csv, estimates.json and estimates.parquet, and print a table.
    Estimate {
        #[command(flatten)]
        input: Input,
        /// The folder to write into; it is made if need be.
        #[arg(long)]
        out: PathBuf,
        /// Estimate every week apart instead of all weeks together.
        #[arg(long)]
        by_week: bool,
        /// Print JSON instead of the table.
        #[arg(long)]
        json: bool,
    },
    /// Write one self-contained HTML page for people.
    Report {
        #[command(flatten)]
        input: Input,
        /// The page to write.
        #[arg(long)]
        out: PathBuf,
    },
    /// Send a whole population through the catalogue, and show truth beside estimate.
    Simulate(SimulateArguments),
    /// Bound from below how much a mechanism, or anybody's client, gives away.
    Audit(AuditArguments),
}

/// What ends the program, by exit code.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    #[error(transparent)]
    Output(#[from] WriteError),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Estimate { input, out, by_week, json } => estimate(&input, &out, by_week, json),
        Command::Report { input, out } => report(&input, &out),
        Command::Simulate(arguments) => return simulate_command(&arguments),
        Command::Audit(arguments) => return audit_command(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("stipple-analysis: {failure}");
            ExitCode::from(if matches!(failure, Failure::Output(_)) { 2 } else { 1 })
        }
    }
}

fn load(input: &Input) -> Result<(Dataset, Catalogue), Failure> {
    let catalogue = Catalogue::load(&input.catalog.clone().unwrap_or_else(default_folder))?;
    let dataset = Dataset::load(&input.counts, &catalogue)?;
    Ok((dataset, catalogue))
}

fn estimate(input: &Input, out: &Path, by_week: bool, as_json: bool) -> Result<(), Failure> {
    let (dataset, catalogue) = load(input)?;
    let estimates = stipple_analysis::estimate(&dataset, &catalogue, Options { level: input.level, by_week });
    note_missing(&estimates);
    stipple_analysis::write_all(&estimates, out)?;
    let mut stdout = io::stdout().lock();
    let printed = if as_json {
        stipple_analysis::json(&estimates, &mut stdout)
    } else {
        stipple_analysis::write_table(&estimates, &mut stdout)
    };
    // The files are written; a reader of our output that went away takes nothing from that.
    let _ = printed.and_then(|()| stdout.flush());
    Ok(())
}

fn report(input: &Input, out: &Path) -> Result<(), Failure> {
    let (dataset, catalogue) = load(input)?;
    let options = Options { level: input.level, by_week: false };
    let estimates = stipple_analysis::estimate(&dataset, &catalogue, options);
    note_missing(&estimates);
    stipple_analysis::write_report(&dataset, &estimates, out)?;
    let _ = writeln!(io::stdout(), "{}", out.display()); // the page is written, whoever reads this
    Ok(())
}

fn note_missing(estimates: &Estimates<'_>) {
    if !estimates.without_reports.is_empty() {
        eprintln!("stipple-analysis: no report yet, left out: {}", estimates.without_reports.join(", "));
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-analysis`: estimates and reports from a counts dataset.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use stipple_analysis::{Dataset, DatasetError, Estimates, Level, Options, Span, WriteError};
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
    /// Only these weeks, as 2026-W30..2026-W42 or one week [default: all].
    #[arg(long)]
    weeks: Option<Span>,
    /// The share of reporters whose lies the poisoning margin supposes.
    #[arg(long, default_value = "0.001", value_parser = fraction)]
    liars: f64,
    /// The delta of the central guarantee, which holds if the reports are really shuffled.
    #[arg(long, default_value = "1e-8", value_parser = fraction)]
    delta: f64,
}

impl Input {
    const fn options(&self, by_week: bool) -> Options {
        let delta = Some(self.delta);
        Options { level: self.level, by_week, span: self.weeks, liars: self.liars, delta }
    }
}

fn fraction(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "a share from 0 to 1 is wanted, such as 0.001".to_owned())
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
    let estimates = stipple_analysis::estimate(&dataset, &catalogue, input.options(by_week));
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
    let estimates = stipple_analysis::estimate(&dataset, &catalogue, input.options(false));
    note_missing(&estimates);
    stipple_analysis::write_report(&dataset, &estimates, out)?;
    let _ = writeln!(io::stdout(), "{}", out.display()); // the page is written, whoever reads this
    Ok(())
}

fn note_missing(estimates: &Estimates<'_>) {
    if !estimates.without_reports.is_empty() {
        eprintln!("stipple-analysis: no report yet, left out: {}", estimates.without_reports.join(", "));
    }
    // Week by week there can be a thousand of them.
    for few in estimates.too_few.iter().take(5) {
        eprintln!("stipple-analysis: {few}");
    }
    if let Some(more) = estimates.too_few.len().checked_sub(5).filter(|&more| more > 0) {
        eprintln!("stipple-analysis: and {more} more with too few reports; pool more weeks");
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-analysis`: estimates and reports from a counts dataset.

#[cfg(test)]
mod pages_tests;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use stipple_analysis::audit::{AuditArguments, audit_command};
use stipple_analysis::simulate::{SimulateArguments, simulate_command};
use stipple_analysis::{
    CompareArguments, Dataset, DatasetError, Estimates, Level, Options, PlanArguments, PlanningError, Span, TooFew,
    WriteError, run_compare, run_plan,
};
use stipple_catalog::{Catalogue, CatalogueError, default_folder};

/// Estimates with error bounds from the noised counts that a Stipple aggregator exports.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  \
    stipple-analysis estimate --counts target/demo --catalog catalog/metrics --out target/demo\n  \
    stipple-analysis report --counts target/demo --catalog catalog/metrics --out report.html\n  \
    stipple-analysis change --counts target/demo --from 2026-W30..2026-W42 --to 2026-W43..2027-W02\n  \
    stipple-analysis compare --domain 1000 --epsilon 1\n  \
    stipple-analysis plan --catalog catalog/metrics --workstations 1000000 --budgets 2,4,8\n\n\
    Exit codes: 0 done, 1 faults in the counts or the catalogue, 2 wrong usage or an output that cannot be written."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What is read, and how sure to be.
#[derive(Args)]
struct Source {
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

#[derive(Args)]
struct Input {
    #[command(flatten)]
    source: Source,
    /// Only these weeks, as 2026-W30..2026-W42 or one week [default: all].
    #[arg(long)]
    weeks: Option<Span>,
    /// The share of reporters whose lies the poisoning margin supposes.
    #[arg(long, default_value = "0.001", value_parser = fraction)]
    liars: f64,
    /// The delta of the central guarantee, which holds if the reports are really shuffled.
    #[arg(long, default_value = "1e-8", value_parser = fraction)]
    delta: f64,
    /// Rounds of the bootstrap that gives consistent estimates intervals of their own, such as 200 [default: none].
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    bootstrap: u32,
}

impl Input {
    const fn options(&self, by_week: bool) -> Options {
        let (delta, bootstrap) = (Some(self.delta), self.bootstrap);
        Options { level: self.source.level, by_week, span: self.weeks, liars: self.liars, delta, bootstrap }
    }
}

fn fraction(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..=1.0).contains(number));
    number.ok_or_else(|| "a share from 0 to 1 is wanted, such as 0.001".to_owned())
}

#[derive(Subcommand)]
enum Command {
    /// Write estimates.csv, estimates.json, estimates.parquet and quantiles.csv, and print a table.
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
    /// Compare two spans of weeks: differences and ratios with intervals, and a test of each.
    Change {
        #[command(flatten)]
        input: Source,
        /// The weeks before, as 2026-W30..2026-W42 or one week.
        #[arg(long)]
        from: Span,
        /// The weeks after.
        #[arg(long)]
        to: Span,
        /// Print JSON instead of the table.
        #[arg(long)]
        json: bool,
    },
    /// Draw a line through the weeks of every value, and test whether it rises or falls.
    Trend {
        #[command(flatten)]
        input: Source,
        /// Only these weeks [default: all].
        #[arg(long)]
        weeks: Option<Span>,
        /// Print JSON instead of the table.
        #[arg(long)]
        json: bool,
    },
    /// Send a whole population through the catalogue, and show truth beside estimate.
    Simulate(SimulateArguments),
    /// Bound from below how much a mechanism, or anybody's client, gives away.
    Audit(AuditArguments),
    /// Show mechanisms side by side: error, bytes and what they cost the server.
    Compare(CompareArguments),
    /// Show what a collection would tell, before anything is collected.
    Plan(Box<PlanArguments>),
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
    #[error(transparent)]
    Planning(#[from] PlanningError),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Estimate { input, out, by_week, json } => estimate(&input, &out, by_week, json),
        Command::Report { input, out } => report(&input, &out),
        Command::Change { input, from, to, json } => change(&input, [from, to], json),
        Command::Trend { input, weeks, json } => trend(&input, weeks, json),
        Command::Simulate(arguments) => return simulate_command(&arguments),
        Command::Audit(arguments) => return audit_command(&arguments),
        Command::Compare(arguments) => run_compare(&arguments, &mut io::stdout().lock()).map_err(Failure::from),
        Command::Plan(arguments) => run_plan(&arguments, &mut io::stdout().lock()).map_err(Failure::from),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("stipple-analysis: {failure}");
            ExitCode::from(match failure {
                Failure::Output(_) => 2,
                Failure::Planning(error) => error.exit_code(),
                Failure::Dataset(_) | Failure::Catalogue(_) => 1,
            })
        }
    }
}

fn load(input: &Source) -> Result<(Dataset, Catalogue), Failure> {
    let catalogue = Catalogue::load(&input.catalog.clone().unwrap_or_else(default_folder))?;
    let dataset = Dataset::load(&input.counts, &catalogue)?;
    Ok((dataset, catalogue))
}

fn estimate(input: &Input, out: &Path, by_week: bool, as_json: bool) -> Result<(), Failure> {
    let (dataset, catalogue) = load(&input.source)?;
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
    let (dataset, catalogue) = load(&input.source)?;
    let estimates = stipple_analysis::estimate(&dataset, &catalogue, input.options(false));
    note_missing(&estimates);
    stipple_analysis::write_report(&dataset, &estimates, out)?;
    let _ = writeln!(io::stdout(), "{}", out.display()); // the page is written, whoever reads this
    Ok(())
}

fn change(input: &Source, spans: [Span; 2], as_json: bool) -> Result<(), Failure> {
    let (dataset, catalogue) = load(input)?;
    let changes = stipple_analysis::change(&dataset, &catalogue, spans, input.level);
    note_few(&changes.too_few);
    print(as_json.then_some(&changes.rows), |out| stipple_analysis::write_changes(&changes, &catalogue, out));
    Ok(())
}

fn trend(input: &Source, weeks: Option<Span>, as_json: bool) -> Result<(), Failure> {
    let (dataset, catalogue) = load(input)?;
    let trends = stipple_analysis::trends(&dataset, &catalogue, weeks, input.level);
    print(as_json.then_some(&trends), |out| stipple_analysis::write_trends(&trends, &catalogue, out));
    Ok(())
}

/// Prints rows as JSON, or a table. A reader of our output that went away is no fault.
fn print<T: Serialize>(rows: Option<&Vec<T>>, table: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
    let mut stdout = io::stdout().lock();
    let _ = match rows {
        Some(rows) => {
            serde_json::to_writer_pretty(&mut stdout, rows).map_err(io::Error::from).and_then(|()| writeln!(stdout))
        }
        None => table(&mut stdout),
    };
}

fn note_missing(estimates: &Estimates<'_>) {
    if !estimates.without_reports.is_empty() {
        eprintln!("stipple-analysis: no report yet, left out: {}", estimates.without_reports.join(", "));
    }
    note_few(&estimates.too_few);
}

/// Week by week there can be a thousand of them.
fn note_few(too_few: &[TooFew<'_>]) {
    for few in too_few.iter().take(5) {
        eprintln!("stipple-analysis: {few}");
    }
    if too_few.len() > 5 {
        eprintln!("stipple-analysis: and {} more with too few reports; pool more weeks", too_few.len() - 5);
    }
}

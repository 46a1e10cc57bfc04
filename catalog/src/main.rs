// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-catalog`: checks a catalogue and lists what it collects.

#[cfg(test)]
mod pages_tests;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use jiff::civil::Date;
use serde_json::json;
use stipple_catalog::{Catalogue, CatalogueError, Clock, Definition, Phase};

/// Check a Stipple catalogue, or list what it collects.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example: stipple-catalog check catalog/metrics\n\n\
    Exit codes: 0 in order, 1 faults found, 2 wrong usage or unreadable."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Refuse a catalogue with faults; each is named with file, line and remedy.
    Check {
        /// The catalogue's folder.
        folder: PathBuf,
        /// The day on which expiry is judged, instead of today.
        #[arg(long)]
        today: Option<Date>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the metrics: domain size, mechanism, epsilon, payload bytes, definition hash.
    List {
        /// The catalogue's folder.
        folder: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Check { folder, today, json } => {
            let today = today.or_else(|| Clock::system(Phase::Production, None).ok().map(|clock| clock.today()));
            check(&Catalogue::check(&folder, today.unwrap_or(Date::MIN)), json)
        }
        Command::List { folder, json } => match Catalogue::load(&folder) {
            Ok(catalogue) => list(&catalogue, json),
            Err(error) => return fail(&error),
        },
    };
    match outcome {
        Ok(code) => code,
        // The reader of our output went away: nothing is left to say.
        Err(_) => ExitCode::SUCCESS,
    }
}

fn fail(error: &CatalogueError) -> ExitCode {
    eprintln!("stipple-catalog: {error}");
    ExitCode::from(if matches!(error, CatalogueError::Faulty(_)) { 1 } else { 2 })
}

fn check(checked: &Result<Catalogue, CatalogueError>, as_json: bool) -> std::io::Result<ExitCode> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    match checked {
        Ok(catalogue) if as_json => {
            writeln!(
                out,
                "{}",
                json!({ "metrics": catalogue.definitions().len(), "hash": catalogue.hash(), "findings": [] })
            )?;
        }
        Ok(catalogue) => {
            let (n, hash) = (catalogue.definitions().len(), catalogue.hash());
            writeln!(out, "{}: {n} metrics in order, catalogue hash {hash}", catalogue.title)?;
        }
        Err(CatalogueError::Faulty(findings)) if as_json => {
            writeln!(out, "{}", json!({ "findings": findings }))?;
            return Ok(ExitCode::from(1));
        }
        Err(error) => return Ok(fail(error)),
    }
    Ok(ExitCode::SUCCESS)
}

fn list(catalogue: &Catalogue, as_json: bool) -> std::io::Result<ExitCode> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    if as_json {
        let metrics: Vec<_> = catalogue.definitions().iter().map(as_value).collect();
        writeln!(out, "{}", json!({ "title": catalogue.title, "hash": catalogue.hash(), "metrics": metrics }))?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "{:<28} {:>6}  {:<20} {:>7} {:>5}  definition", "metric", "values", "mechanism", "epsilon", "bytes")?;
    for d in catalogue.definitions() {
        let (size, name, bytes) = (d.domain.size(), d.mechanism_name, d.payload_len());
        writeln!(out, "{:<28} {size:>6}  {name:<20} {:>7} {bytes:>5}  {}", d.id, d.epsilon, d.hash)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn as_value(d: &Definition) -> serde_json::Value {
    json!({
        "id": d.id, "title": d.title, "question": d.question, "category": d.category.name(), "owner": d.owner,
        "approval": d.approval, "introduced": d.introduced.to_string(), "expires": d.expires.to_string(),
        "epsilon": d.epsilon, "mechanism": d.mechanism_name.to_string(), "payload_bytes": d.payload_len(),
        "labels": d.domain.labels(), "definition": d.hash.to_string(),
    })
}

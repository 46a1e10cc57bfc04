// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-bench`: measures Stipple beside a reference, both in one run, and writes the ratios.
//!
//! A ratio says how many times the reference's rate Stipple reaches. Rates on their own say more about the machine.

mod analysis;
mod encoding;
mod intake;
mod load;
mod mechanisms;
mod overload;
#[allow(clippy::unwrap_used, dead_code, reason = "shared with the tests of the aggregator")]
#[path = "../../aggregator/tests/support/postgres.rs"]
mod postgres;
mod program;
mod queue;
mod recorder;
#[allow(clippy::unwrap_used, dead_code, reason = "shared with the tests of the aggregator")]
#[path = "../../aggregator/tests/support/redis.rs"]
mod redis_server;
mod row;
mod sample;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stipple_catalog::{Catalogue, default_folder};

use crate::row::Row;

/// Measure Stipple beside references and write the ratios.
#[derive(Parser)]
#[command(name = "stipple-bench", version, after_help = "Example: cargo run --release -p stipple-benches -- --quick")]
struct Arguments {
    /// A smoke test: the same code, too few rounds for figures.
    #[arg(long)]
    quick: bool,
    /// The catalogue's folder [default: $STIPPLE_CATALOG, else the installed one, else catalog/metrics].
    #[arg(long)]
    catalog: Option<PathBuf>,
    /// The folder for ratios.json and, while it runs, the store.
    #[arg(long, default_value = "target/bench")]
    out: PathBuf,
    /// One part only; `overload` takes ten minutes and runs only when it is asked for.
    #[arg(long, value_parser = ["mechanisms", "recorder", "intake", "queue", "analysis", "overload"])]
    only: Option<String>,
    /// For how many seconds the overload lasts [default: 600, with --quick 5].
    #[arg(long)]
    seconds: Option<u64>,
    /// Keep-alive connections of the load generator.
    #[arg(long, default_value_t = 768)]
    connections: usize,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    allow_connections()?;
    let folder = arguments.catalog.unwrap_or_else(default_folder);
    let catalogue = Catalogue::load(&folder)?;
    std::fs::create_dir_all(&arguments.out).with_context(|| format!("cannot make {}", arguments.out.display()))?;
    let wanted = |part: &str| arguments.only.as_deref().is_none_or(|only| only == part);
    let mut rows = Vec::new();
    if wanted("mechanisms") {
        rows.extend(encoding::measure(&catalogue, arguments.quick)?);
        rows.extend(mechanisms::measure(arguments.quick)?);
    }
    if wanted("recorder") {
        rows.extend(recorder::measure(&folder, &arguments.out, arguments.quick)?);
    }
    if wanted("queue") {
        rows.extend(queue::measure(Catalogue::load(&folder)?, &arguments.out, arguments.connections, arguments.quick)?);
    }
    if arguments.only.as_deref() == Some("overload") {
        let time = Duration::from_secs(arguments.seconds.unwrap_or(if arguments.quick { 5 } else { 600 }));
        rows.extend(overload::measure(Catalogue::load(&folder)?, &folder, &arguments.out, time, arguments.quick)?);
    }
    if wanted("intake") {
        rows.extend(intake::measure(catalogue, &arguments.out, arguments.connections, arguments.quick)?);
    }
    if wanted("analysis") {
        rows.extend(analysis::measure(&folder, &arguments.out, arguments.quick)?);
    }
    print(&rows);
    let path = arguments.out.join("ratios.json");
    std::fs::write(&path, serde_json::to_string_pretty(&rows)? + "\n")
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("written to {}", path.display());
    Ok(())
}

/// Both ends of every connection are files, and a shell often allows 1024.
fn allow_connections() -> anyhow::Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .context("cannot raise the limit of open files")
}

fn print(rows: &[Row]) {
    println!("{:<41} {:>12} {:>12} {:>7} {:>6}  reference", "per second", "ours", "reference", "ratio", "goal");
    for row in rows {
        println!(
            "{:<41} {:>12.0} {:>12.0} {:>7.2} {:>6.2}  {}",
            row.name, row.ours, row.reference, row.ratio, row.goal, row.reference_name
        );
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-audit`: how much the real recorder gives away, measured from outside.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use stipple_tests::audit::{self, Finding};

/// Record over D-Bus, read what leaves the upload socket, and bound epsilon from below.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example: stipple-audit --reports 20000 hardware.boot-mode\n\n\
    Exit codes: 0 every bound lies above half of the stated epsilon and not above it, 1 one does not, or failed, \
    2 wrong usage."
)]
struct Arguments {
    /// The metrics to audit.
    #[arg(default_values = ["hardware.boot-mode", "hardware.ram-class", "hardware.gpu-driver", "problems.app-crashes"])]
    metrics: Vec<String>,
    /// How many reports of each metric to read, of both values together.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(100..=10_000_000))]
    reports: u32,
    /// The chance with which each bound holds.
    #[arg(long, default_value_t = 0.95)]
    confidence: f64,
    /// Test another epsilon than the one that the catalogue states: a lower one shows that the audit notices.
    #[arg(long)]
    claim: Option<f64>,
    /// The catalogue.
    #[arg(long, default_value = "catalog/metrics")]
    catalog: PathBuf,
    /// Where audit.json goes.
    #[arg(long, default_value = "target/audit")]
    out: PathBuf,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("stipple-audit: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let mut findings = Vec::new();
    for metric in &arguments.metrics {
        let bar = ProgressBar::new(arguments.reports.into());
        bar.set_style(ProgressStyle::with_template("{prefix:28} {wide_bar} {pos}/{len} {eta}")?);
        bar.set_prefix(metric.clone());
        let heard = audit::listen(&arguments.catalog, metric, arguments.reports as usize, |n| bar.inc(n))?;
        bar.finish_and_clear();
        findings.push(heard.test(arguments.claim.unwrap_or(heard.epsilon), arguments.confidence)?);
    }
    print(&findings);
    std::fs::create_dir_all(&arguments.out)?;
    let path = arguments.out.join("audit.json");
    std::fs::write(&path, serde_json::to_string_pretty(&findings)? + "\n")
        .with_context(|| format!("cannot write {}", path.display()))?;
    println!("\nwritten to {}", path.display());
    Ok(findings.iter().all(Finding::supports))
}

fn print(findings: &[Finding]) {
    println!(
        "{:<24} {:<20} {:>8} {:>12} {:>8} {:>8}  verdict",
        "metric", "mechanism", "reports", "hits", "bound", "stated"
    );
    for finding in findings {
        let hits = format!("{}:{}", finding.hits[0], finding.hits[1]);
        let verdict = match finding {
            finding if finding.refutes() => "REFUTED",
            finding if finding.supports() => "holds",
            _ => "too weak to say",
        };
        println!(
            "{:<24} {:<20} {:>8} {hits:>12} {:>8.3} {:>8.3}  {verdict}",
            finding.metric, finding.mechanism, finding.reports, finding.lower, finding.claimed
        );
    }
}

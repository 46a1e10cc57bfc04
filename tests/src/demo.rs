// SPDX-License-Identifier: MIT OR Apache-2.0
//! The demonstration: every program of Stipple, joined end to end.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use stipple_catalog::{Catalogue, Epoch};
use stipple_client_dp::uploader::{Patience, Uploader};
use tokio::task::JoinSet;

use crate::outcome::{self, Summary, TruthSums};
use crate::population::Population;
use crate::processes::{Aggregator, program, run};
use crate::recorder::{self, Drill};
use crate::workstations::{live, noon};

/// Workstations under way at once, as the server sees them.
const AT_ONCE: usize = 64;

/// What to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// simulated workstations
    pub clients: u64,
    /// the simulation's seed
    pub seed: u64,
    /// the catalogue's folder
    pub catalog: PathBuf,
    /// the population's file
    pub population: PathBuf,
    /// where the artefacts go
    pub out: PathBuf,
    /// whether a real recorder takes part
    pub with_recorder: bool,
    /// how often to kill the aggregator on the way
    pub kills: u32,
}

/// Runs one or more demonstrations; of several, the figures are added up in `out/summary.json`.
///
/// # Errors
/// When anything fails, or a report that was sent is not counted.
pub fn run_all(runs: impl Iterator<Item = Options>, out: &Path) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start")?;
    let mut total = Summary::default();
    for options in runs {
        total.add(&runtime.block_on(demonstrate(&options))?);
    }
    if total.seeds.len() > 1 {
        write_json(&out.join("summary.json"), &total)?;
        let (n, pairs, coverage) = (total.seeds.len(), total.pairs, total.coverage());
        println!("{n} seeds: {} of {pairs} intervals hold the truth ({coverage:.2} %)", total.covered_95);
    }
    Ok(())
}

/// Runs one demonstration and writes its artefacts.
///
/// # Errors
/// When anything fails, or a report that was sent is not counted.
pub async fn demonstrate(options: &Options) -> anyhow::Result<Summary> {
    let begun = Instant::now();
    let catalogue = Arc::new(Catalogue::load(&options.catalog)?);
    let population = Population::load(&options.population, &catalogue)?;
    let work = options.out.join("work");
    if work.exists() {
        fs::remove_dir_all(&work).context("cannot clear the work folder of an earlier run")?;
    }
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    let work = fs::canonicalize(&work)?;

    let epoch = first_whole_epoch(&catalogue)?;
    let aggregator = start_aggregator(options, &work, epoch)?;
    let drill = if options.with_recorder {
        println!("One real recorder on a private bus, a real client recording every kind of event to it ...");
        Some(recorder::drill(&work, &options.catalog, &aggregator.url, epoch).await?)
    } else {
        None
    };
    let (truth, mut sent) = populate(options, &catalogue, &population, epoch, &aggregator).await?;
    sent += drill.as_ref().map_or(0, |drill| drill.sent);
    let restarts = aggregator.restarts();
    aggregator.stop()?;
    analyse(options, &work)?;
    check_leaks(options, &work, drill.as_ref())?;
    let summary = Summary { reports_sent: sent, clients: options.clients, restarts, ..Summary::default() };
    conclude(options, &catalogue, &truth, summary, begun)
}

/// The first epoch of which every week lies within every metric's life.
fn first_whole_epoch(catalogue: &Catalogue) -> anyhow::Result<Epoch> {
    let introduced = catalogue.definitions().iter().map(|definition| definition.introduced).max();
    let week = stipple_catalog::Week::containing(introduced.context("the catalogue is empty")?)?;
    Ok(Epoch::from_index(week.epoch().index() + 1))
}

fn start_aggregator(options: &Options, work: &Path, epoch: Epoch) -> anyhow::Result<Aggregator> {
    let argument = |path: &Path| path.display().to_string();
    let now = noon(epoch.week(Epoch::WEEKS), 1)?.to_string();
    let store = work.join("server");
    fs::create_dir_all(&store)?;
    let arguments = [
        "--store".to_owned(),
        argument(&store.join("counts.sqlite")),
        "--catalog".to_owned(),
        argument(&options.catalog),
        "--phase".to_owned(),
        "testing".to_owned(),
        "--now".to_owned(),
        now,
        "--late-weeks".to_owned(),
        Epoch::WEEKS.to_string(),
    ];
    Aggregator::start(&arguments, &store.join("aggregator.log"))
}

/// Takes the population through the epoch. Returns the sums of its true values, and the reports that were acknowledged.
async fn populate(
    options: &Options,
    catalogue: &Arc<Catalogue>,
    population: &Population,
    epoch: Epoch,
    aggregator: &Aggregator,
) -> anyhow::Result<(TruthSums, u64)> {
    println!("{} workstations report to {} ...", options.clients, aggregator.url);
    let patience = Patience { tries: 20, first_pause: Duration::from_millis(50), timeout: Duration::from_secs(30) };
    let uploader = Uploader::with_idle_connections(&aggregator.url, patience, AT_ONCE)?;
    let bar = progress(options.clients)?;
    let kill_every = options.clients / (u64::from(options.kills) + 1);
    let (mut truths, mut sent, mut done, mut killed) = (TruthSums::default(), 0, 0, 0);
    let mut under_way: JoinSet<anyhow::Result<u64>> = JoinSet::new();
    for number in 0..options.clients {
        if under_way.len() >= AT_ONCE {
            sent += finished(&mut under_way, &bar).await?;
            done += 1;
        }
        if killed < options.kills && done >= kill_every * (u64::from(killed) + 1) {
            aggregator.kill()?;
            killed += 1;
        }
        let (truth, rng) = population.workstation(catalogue, options.seed, number);
        truths.add(&truth);
        let (catalogue, uploader) = (catalogue.clone(), uploader.clone());
        under_way.spawn(async move { live(catalogue, epoch, &truth, rng, &uploader).await });
    }
    while !under_way.is_empty() {
        sent += finished(&mut under_way, &bar).await?;
    }
    bar.finish();
    Ok((truths, sent))
}

async fn finished(under_way: &mut JoinSet<anyhow::Result<u64>>, bar: &ProgressBar) -> anyhow::Result<u64> {
    let sent = under_way.join_next().await.context("a workstation is under way")???;
    bar.inc(1);
    Ok(sent)
}

fn progress(clients: u64) -> anyhow::Result<ProgressBar> {
    let style = "{bar:40} {pos}/{len} workstations, {per_sec}, {eta} left";
    Ok(ProgressBar::new(clients).with_style(ProgressStyle::with_template(style)?))
}

/// Exports, estimates and reports, as their user would.
fn analyse(options: &Options, work: &Path) -> anyhow::Result<()> {
    let store = work.join("server/counts.sqlite");
    let (out, catalog) = (&options.out, &options.catalog);
    let mut export = Command::new(program("stipple-aggregator")?);
    run(export.arg("export").arg("--store").arg(store).arg("--catalog").arg(catalog).arg("--out").arg(out))?;
    let analysis = program("stipple-analysis")?;
    let mut estimate = Command::new(&analysis);
    run(estimate.arg("estimate").arg("--counts").arg(out).arg("--catalog").arg(catalog).arg("--out").arg(out))?;
    let mut report = Command::new(&analysis);
    let page = out.join("report.html");
    run(report.arg("report").arg("--counts").arg(out).arg("--catalog").arg(catalog).arg("--out").arg(page))?;
    Ok(())
}

/// Searches the server's files and the export for what the real recorder was told.
fn check_leaks(options: &Options, work: &Path, drill: Option<&Drill>) -> anyhow::Result<()> {
    let Some(drill) = drill else { return Ok(()) };
    let mut search = crate::leaks::search(&work.join("server"), &drill.recorded)?;
    for file in ["counts.csv", "manifest.json", "estimates.csv", "estimates.json", "report.html"] {
        search.file(&options.out.join(file), &drill.recorded)?;
    }
    ensure!(search.files.is_empty(), "recorded bytes were found in {:?}", search.files);
    ensure!(drill.left_behind.is_empty(), "after `stipple disable` bytes are left in {:?}", drill.left_behind);
    println!(
        "Searched {} bytes of database, log, export and report for {} recorded byte strings of the real recorder, and \
         its own state after `stipple disable`: none found.",
        search.bytes,
        drill.recorded.len()
    );
    Ok(())
}

fn conclude(
    options: &Options,
    catalogue: &Catalogue,
    truth: &TruthSums,
    mut summary: Summary,
    begun: Instant,
) -> anyhow::Result<Summary> {
    let out = &options.out;
    let truth = truth.shares(catalogue);
    let estimates = outcome::estimates(&out.join("estimates.json"))?;
    let mut csv = String::from("metric,value,truth\n");
    for ((metric, value), share) in &truth {
        let _ = writeln!(csv, "{metric},\"{value}\",{share}"); // writing to a String cannot fail
    }
    fs::write(out.join("truth.csv"), csv)?;
    for estimate in &estimates {
        if let Some(&truth) = truth.get(&(estimate.metric.clone(), estimate.value.clone())) {
            summary.pairs += 1;
            summary.covered_95 += u64::from(outcome::covers(estimate, truth));
        }
    }
    let manifest: serde_json::Value = serde_json::from_slice(&fs::read(out.join("manifest.json"))?)?;
    summary.reports_counted = manifest["reports"].as_u64().context("manifest.json has the number of reports")?;
    summary.seeds = vec![options.seed];
    summary.seconds = begun.elapsed().as_secs_f64();
    write_json(&out.join("summary.json"), &summary)?;

    println!("\n{}", outcome::table(catalogue, &truth, &estimates));
    let (covered, pairs, coverage) = (summary.covered_95, summary.pairs, summary.coverage());
    println!("{covered} of {pairs} intervals hold the truth ({coverage:.1} %)");
    println!("{} reports sent, {} counted, {:.1} s", summary.reports_sent, summary.reports_counted, summary.seconds);
    println!("The report for people: {}", fs::canonicalize(out.join("report.html"))?.display());
    ensure!(summary.reports_sent == summary.reports_counted, "not every report that was sent was counted");
    Ok(summary)
}

fn write_json<T: serde::Serialize>(file: &Path, data: &T) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(data)? + "\n";
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

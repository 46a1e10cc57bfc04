// SPDX-License-Identifier: MIT OR Apache-2.0
//! The commands of an operator.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use stipple_aggregator::{RATE_FACTOR, check, forget, forgettable, import, purge, stored_phase, verify};
use stipple_catalog::{Catalogue, Phase, Week};

use crate::Common;

/// What looks after a store.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Delete everything in a store of the phase testing. A store that counts for real is refused.
    #[command(after_help = "Example:\n  stipple-aggregator purge --store drill.sqlite --phase testing --yes")]
    Purge(PurgeOptions),
    /// Delete the sums of old weeks, for instance once their dataset is published. The weeks must be closed.
    #[command(after_help = "Example:\n  stipple-aggregator retention --store counts.sqlite --before 2026-W01 --yes")]
    Retention(RetentionOptions),
    /// Add a counts dataset to a store: the counts of another server, or of an older store.
    #[command(after_help = "Example:\n  stipple-aggregator import --store counts.sqlite counts/")]
    Import(ImportOptions),
    /// Read all of a store, print what it holds, and say what is wrong with it. It may be being served.
    #[command(after_help = "Example:\n  stipple-aggregator verify --store counts.sqlite")]
    Verify(Common),
    /// Look whether the counts can be those of honest senders, and whether there are many more than usual. Exit code 1 on an alarm.
    #[command(after_help = "Example:\n  stipple-aggregator check --store counts.sqlite")]
    Check(CheckOptions),
}

#[derive(Args)]
pub(crate) struct CheckOptions {
    #[command(flatten)]
    common: Common,
    /// How many times the median of earlier weeks is too many reports.
    #[arg(long, value_name = "FACTOR", default_value_t = RATE_FACTOR)]
    rate_factor: f64,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(crate) struct PurgeOptions {
    #[command(flatten)]
    common: Common,
    /// Say it: only what was counted in drills can be purged.
    #[arg(long, value_enum)]
    phase: Phase,
    /// Do it.
    #[arg(long)]
    yes: bool,
}

#[derive(Args)]
pub(crate) struct RetentionOptions {
    #[command(flatten)]
    common: Common,
    /// The first week that stays, as 2026-W01.
    #[arg(long, value_name = "WEEK")]
    before: Week,
    /// Do it.
    #[arg(long)]
    yes: bool,
}

#[derive(Args)]
pub(crate) struct ImportOptions {
    #[command(flatten)]
    common: Common,
    /// The folder that an export has written.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl Command {
    /// Runs the command under a configuration file.
    pub(crate) fn run(self, config: Option<&Path>) -> anyhow::Result<ExitCode> {
        match self {
            Self::Purge(options) => run_purge(options, config),
            Self::Retention(options) => run_retention(options, config),
            Self::Import(options) => run_import(options, config),
            Self::Verify(common) => run_verify(common, config),
            Self::Check(options) => run_check(options, config),
        }
    }
}

fn say(text: &str) {
    // Whoever closed our output does not want to know.
    let _ = writeln!(std::io::stdout(), "{text}");
}

fn run_purge(PurgeOptions { common, phase, yes }: PurgeOptions, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let store = common.settings(config)?.store();
    if phase == Phase::Production {
        bail!("only --phase testing can be purged; see `stipple-aggregator retention` for old weeks");
    }
    let found = stored_phase(&store)?;
    if found != phase.name() {
        bail!("the store {store} belongs to the phase {found} and is not purged");
    }
    if !yes {
        bail!("this deletes everything in {store}: say --yes to do it");
    }
    say(&format!("{} reports deleted from {store}", purge(&store)?));
    Ok(ExitCode::SUCCESS)
}

fn run_retention(
    RetentionOptions { common, before, yes }: RetentionOptions,
    config: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let store = common.settings(config)?.store();
    if !yes {
        let (series, reports) = forgettable(&store, before)?;
        bail!(
            "this deletes the sums of {reports} reports ({series} pairs of a metric and a week) before {before} from {store}: \
             export them first, then say --yes"
        );
    }
    say(&format!("the sums of {} reports before {before} deleted from {store}", forget(&store, before)?));
    Ok(ExitCode::SUCCESS)
}

fn run_import(ImportOptions { common, folder }: ImportOptions, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let settings = common.settings(config)?;
    let store = settings.store();
    let added = import(&store, &Catalogue::load(&settings.catalog())?, &folder)?;
    say(&format!("{} reports of {} pairs of a metric and a week added to {store}", added.reports, added.series));
    Ok(ExitCode::SUCCESS)
}

fn run_verify(common: Common, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let settings = common.settings(config)?;
    let verdict = verify(&settings.store(), &Catalogue::load(&settings.catalog())?)?;
    say(&format!("store      {}", settings.store()));
    say(&format!("phase      {}", verdict.phase));
    say(&format!("open from  {}\n", verdict.open_from));
    say(&format!("{:<32} {:<9} {:>12}", "metric", "week", "reports"));
    for (metric, week, reports) in &verdict.series {
        say(&format!("{metric:<32} {week:<9} {reports:>12}"));
    }
    for (week, ids) in &verdict.ids {
        say(&format!("{:<32} {week:<9} {ids:>12}", "(ids)"));
    }
    let faults = verdict.faults.len();
    if faults == 0 {
        say("\nnothing is wrong");
        return Ok(ExitCode::SUCCESS);
    }
    say("");
    verdict.faults.iter().for_each(|fault| say(&format!("wrong: {fault}")));
    bail!("{faults} things are wrong: keep a copy of the store before anything else, and see docs/aggregator.md")
}

fn run_check(options: CheckOptions, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let CheckOptions { common, rate_factor, json } = options;
    let settings = common.settings(config)?;
    let checked = check(&settings.store(), &Catalogue::load(&settings.catalog())?, rate_factor)?;
    if json {
        say(&serde_json::to_string_pretty(&checked)?);
    } else {
        say(&format!("{:<32} {:<9} {:>12} {:>9} {:>7}", "metric", "week", "reports", "p", "rate"));
        for week in &checked {
            let rate = week.rate.map(|rate| format!("{rate:.2}")).unwrap_or_default();
            let alarm = match (week.noise_alarm, week.rate_alarm) {
                (false, false) => "",
                (true, false) => "  not from honest senders",
                (false, true) => "  more than usual",
                (true, true) => "  not from honest senders, more than usual",
            };
            let (metric, week, reports, p) = (&week.metric, week.week, week.reports, week.p);
            say(&format!("{metric:<32} {week:<9} {reports:>12} {p:>9.2e} {rate:>7}{alarm}"));
        }
    }
    let alarms = checked.iter().filter(|week| week.noise_alarm || week.rate_alarm).count();
    if alarms == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    bail!("{alarms} pairs of a metric and a week raise an alarm: see docs/aggregator.md before you publish them")
}

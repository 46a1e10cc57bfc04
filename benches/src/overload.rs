// SPDX-License-Identifier: MIT OR Apache-2.0
//! Overload: the real program is offered twice what it can take for minutes. Its memory stays flat, and what it acknowledged is what
//! it counted.
//!
//! Two crowds at once. Workstations send single reports on a schedule, whatever the answers are, over more connections than the
//! server takes and several requests ahead on each: what cannot be sent in its moment is dropped, as by somebody who finds no
//! connection. Relays send the largest batches all at the same moment, more than may wait, so that the server has to shed.
//! Whoever loses a connection sends what was not answered again; whoever is shed drops it.

mod senders;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::SignedDuration;
use stipple_aggregator::{Address, Unknown, export};
use stipple_catalog::{Catalogue, Week};

use self::senders::{Crowd, RELAY_BATCH, RELAYS, Tally, offer};
use crate::intake::Setting;
use crate::load::Load;
use crate::program::{Program, beside, memory, resident};
use crate::row::Row;

/// Times the capacity.
const OVERLOAD: f64 = 2.0;
/// MiB
const PEAK: f64 = 128.0;
/// How much more memory the last quarter may take than the second.
const GROWTH: f64 = 1.1;
/// A shorter run ends before the caches of the server are full.
const STEADY: Duration = Duration::from_mins(1);
/// Weeks that a server has open by default; each has ids of its own to remember.
const OPEN_WEEKS: u16 = 4;
/// Connections that measure the capacity.
const CAPACITY_CONNECTIONS: usize = 768;

/// Measures the capacity, offers twice as much for `time`, and checks every count.
pub fn measure(
    catalogue: Catalogue,
    catalog: &Path,
    out: &Path,
    time: Duration,
    quick: bool,
) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir_in(out).context("cannot make a folder for the store")?;
    let store = folder.path().join("counts.sqlite");
    let mut setting = Setting::new(catalogue)?;
    let (server, line) = Program::start(&mut program(&setting, catalog, &store)?)?;
    let address =
        line.trim_end().strip_prefix("listening on http://").context("the server does not say where it is")?;
    let address = address.parse()?;

    let sample = setting.reports(if quick { 4_000 } else { 60_000 })?;
    let load = Load::new(sample.iter().map(|report| &report[..]), "");
    let capacity = setting.load.block_on(load.send(address, CAPACITY_CONNECTIONS))?.rate;
    println!("{capacity:.0} reports a second are its capacity, {:.1} MiB after that", resident(server.id())?);

    let first = setting.week.index();
    let open = (first..first + OPEN_WEEKS).map(|week| setting.reports_of(Week::from_index(week), 500));
    let samples = open.collect::<anyhow::Result<Vec<_>>>()?.concat();
    let crowd = Crowd { address, samples, rate: OVERLOAD * capacity, time };
    let (tally, over) = (Arc::new(Tally::default()), AtomicBool::new(false));
    let memories = std::thread::scope(|scope| {
        let watching = scope.spawn(|| watch(server.id(), &tally, &over));
        let offered = setting.load.block_on(offer(Arc::new(crowd), tally.clone()));
        over.store(true, Ordering::Relaxed);
        let memories = watching.join().map_err(|_| anyhow::anyhow!("the memory was not watched"))?;
        offered.and(memories)
    })?;
    println!("{tally}");

    server.terminate()?;
    let counts = folder.path().join("counts");
    let counted = export(&Address::from(store), &setting.catalogue, &counts, Unknown::Refuse)?.reports;
    let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
    let acknowledged = get(&tally.acknowledged) + (RELAYS * RELAY_BATCH + sample.len()) as u64;
    ensure!(counted == acknowledged, "{counted} reports counted, {acknowledged} acknowledged");
    ensure!(get(&tally.shed) > 0, "nothing was shed: that was no overload");

    let rate = |count: &AtomicU64| vec![get(count) as f64 / time.as_secs_f64()];
    let peak = memories.iter().copied().fold(0.0, f64::max);
    // What comes after are the answers that were due.
    let during = &memories[..memories.len().min(usize::try_from(time.as_secs())?)];
    let (second, last) = (quarter(during, 1), quarter(during, 3));
    println!("memory: {peak:.1} MiB at most, {second:.1} in the second quarter, {last:.1} in the last");
    ensure!(peak < PEAK, "{peak:.1} MiB are more than {PEAK}");
    ensure!(last < GROWTH * second || time < STEADY, "the memory grows: from {second:.1} to {last:.1} MiB");
    let name = format!("overload of {} s: fit in a GiB, the peak", time.as_secs());
    Ok(vec![
        memory(name, "128 MiB each", peak, PEAK),
        memory("  the last quarter's median", "the second's", last, second * GROWTH),
        Row::new(
            "  single reports offered".into(),
            "its capacity",
            OVERLOAD * 0.99,
            rate(&tally.offered),
            vec![capacity],
        ),
    ])
}

/// The server, on one core: the other one is the crowd's.
fn program(setting: &Setting, catalog: &Path, store: &Path) -> anyhow::Result<Command> {
    // So late that the week of the reports is the oldest that is open.
    let now = setting.now + SignedDuration::from_hours(i64::from(OPEN_WEEKS - 1) * 7 * 24);
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", "0"]).arg(beside("stipple-aggregator", "stipple-aggregator")?);
    command.args(["serve", "--phase", "testing", "--listen", "127.0.0.1:0", "--now"]).arg(now.to_string());
    command.arg("--catalog").arg(catalog).arg("--store").arg(store);
    // A configuration of this machine has no say.
    for name in std::env::vars_os().map(|(name, _)| name).filter(|name| name.to_string_lossy().starts_with("STIPPLE_"))
    {
        command.env_remove(name);
    }
    Ok(command)
}

/// The resident memory of a process in MiB, every second until it is over.
fn watch(process: u32, tally: &Tally, over: &AtomicBool) -> anyhow::Result<Vec<f64>> {
    let mut memories = Vec::new();
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_secs(1));
        memories.push(resident(process)?);
        if memories.len() % 60 == 0 {
            println!("{} s: {:.1} MiB; {tally}", memories.len(), memories[memories.len() - 1]);
        }
    }
    Ok(memories)
}

/// The median of a quarter, from 0 to 3.
fn quarter(memories: &[f64], number: usize) -> f64 {
    let mut part = memories[memories.len() * number / 4..memories.len() * (number + 1) / 4].to_vec();
    part.sort_by(f64::total_cmp);
    part.get(part.len() / 2).copied().unwrap_or(f64::NAN)
}

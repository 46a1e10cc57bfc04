// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-analysis` as a child process: a billion workstations simulated, and a full release estimated.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::row::Row;

const BOUND: &str = "the bound that we set ourselves";
/// The faster of the two Python peers at 1,000 values for unary encoding (44,000) and subset selection (54,000), encoding alone, on one core of
/// another machine (LDP.md, section 5.1).
const PEER: &str = "multi-freq-ldpy's subset selection";
const PEER_RATE: f64 = 54_000.0;

/// What a child process took.
struct Taken {
    seconds: f64,
    megabytes: f64,
}

/// Rows of seconds allowed by seconds taken, and of megabytes. (Decoding K = 2^20 counts stands with the mechanisms.)
pub fn measure(catalogue: &Path, out: &Path, quick: bool) -> anyhow::Result<Vec<Row>> {
    let rounds = if quick { 1 } else { 5 };
    let clients = if quick { "1000000" } else { "1000000000" };
    let simulated = runs(rounds, || {
        let mut command = program()?;
        command.args(["simulate", "--by-count", "--json", "--clients", clients, "--catalog"]).arg(catalogue);
        Ok(command)
    })?;
    let (release, folder) = (out.join("release"), out.join("release/counts"));
    // By client: each sends one report of a dictionary of 1,000, through its own draw, randomiser, wire format and back.
    let single = out.join("single");
    metrics(&single, 1, 1_000)?;
    let senders = if quick { 20_000_u32 } else { 2_000_000 };
    let by_client = runs(rounds, || {
        let mut command = program()?;
        command.args(["simulate", "--json", "--clients", &senders.to_string()]);
        command.arg("--catalog").arg(single.join("catalogue"));
        Ok(command)
    })?;
    std::fs::remove_dir_all(&single).with_context(|| format!("cannot remove {}", single.display()))?;
    metrics(&release, 60, if quick { 1_000 } else { 100_000 })?;
    let mut command = program()?;
    command.args(["simulate", "--by-count", "--clients", "1000000"]).arg("--catalog").arg(release.join("catalogue"));
    run(command.arg("--out").arg(&folder))?;
    let estimated = runs(rounds, || {
        let mut command = program()?;
        command.arg("estimate").arg("--counts").arg(&folder).arg("--catalog").arg(release.join("catalogue"));
        command.arg("--out").arg(release.join("estimates"));
        Ok(command)
    })?;
    std::fs::remove_dir_all(&release).with_context(|| format!("cannot remove {}", release.display()))?;
    let row = |name: &str, bound: f64, ours: Vec<f64>| {
        Row::new(name.to_owned(), BOUND, 1.0, ours.into_iter().map(|taken: f64| bound / taken).collect(), vec![1.0])
    };
    let seconds = |taken: &[Taken]| taken.iter().map(|taken| taken.seconds).collect();
    let megabytes = |taken: &[Taken]| taken.iter().map(|taken| taken.megabytes).collect();
    let rates = by_client.iter().map(|taken| f64::from(senders) / taken.seconds).collect();
    Ok(vec![
        Row::new("simulate by client, 1,000 values".into(), PEER, 10.0, rates, vec![PEER_RATE]),
        row("simulate 1e9 workstations by count within 5 s", 5.0, seconds(&simulated)),
        row("estimate 60 metrics, one of 1e5, within 2 s", 2.0, seconds(&estimated)),
        row("the same within 500 MB", 500.0, megabytes(&estimated)),
    ])
}

/// The program beside this one.
fn program() -> anyhow::Result<Command> {
    let path = std::env::current_exe()?.with_file_name("stipple-analysis");
    ensure!(path.is_file(), "{} is missing: cargo build --release -p stipple-analysis", path.display());
    Ok(Command::new(path))
}

fn runs(rounds: u32, mut command: impl FnMut() -> anyhow::Result<Command>) -> anyhow::Result<Vec<Taken>> {
    (0..rounds).map(|_| run(&mut command()?)).collect()
}

/// Runs a program to its end, with an eye on its peak memory.
fn run(command: &mut Command) -> anyhow::Result<Taken> {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn()?;
    let mut megabytes = 0.0_f64;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        megabytes = megabytes.max(peak(&child).unwrap_or(0.0));
        std::thread::sleep(Duration::from_millis(2));
    };
    ensure!(status.success(), "{command:?} failed: {status}");
    Ok(Taken { seconds: start.elapsed().as_secs_f64(), megabytes })
}

/// The kernel's high-water mark of a process that still runs, in MB of 10^6 bytes.
fn peak(child: &Child) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

/// A catalogue of so many metrics of the usual kinds, the first with a dictionary of so many values.
fn metrics(folder: &Path, count: usize, values: usize) -> anyhow::Result<()> {
    let catalogue: PathBuf = folder.join("catalogue");
    std::fs::create_dir_all(&catalogue).with_context(|| format!("cannot make {}", catalogue.display()))?;
    std::fs::write(
        catalogue.join("catalogue.toml"),
        "title = \"Full release\"\nepsilon_epoch = 4.0\nepsilon_cap = 2.0\n",
    )?;
    for number in 0..count {
        let (mechanism, size) = match number {
            0 => ("projective-geometry", values),
            1..20 => ("randomised-response", 4 + number % 3),
            _ => ("subset-selection", 8 + number / 2),
        };
        let mut labels = String::new();
        for value in 2..size {
            write!(labels, "\"value {value}\", ")?;
        }
        let text = format!(
            "id = \"usage.metric-{number:02}\"\ntitle = \"Metric {number}\"\nquestion = \"Which value?\"\ncategory = \"usage\"\n\
             owner = \"Benches\"\napproval = \"https://example.org/approved\"\nintroduced = 2026-01-01\nexpires = 2027-01-01\n\
             epsilon = 1.0\nmechanism = \"{mechanism}\"\n[domain]\nkind = \"symbol\"\nvalues = [{labels}]\nother = true\nnone = true\n\
             [tally]\naggregate = \"last\"\n[[tally.events]]\nid = \"e5c3b310-f454-5a19-914c-76516fb270d6\"\npayload = \"s\"\n"
        );
        std::fs::write(catalogue.join(format!("usage.metric-{number:02}.toml")), text)?;
    }
    Ok(())
}

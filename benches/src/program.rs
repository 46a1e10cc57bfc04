// SPDX-License-Identifier: MIT OR Apache-2.0
//! A program under test, as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

use crate::row::Row;

/// A child that is killed when it is dropped.
pub struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    /// Starts a program; returns it with its first line.
    pub fn start(command: &mut Command) -> anyhow::Result<(Self, String)> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut program = Self(child.with_context(|| format!("cannot start {command:?}"))?);
        let mut line = String::new();
        BufReader::new(program.0.stdout.take().context("the program has no output")?).read_line(&mut line)?;
        ensure!(!line.is_empty(), "{command:?} ended at once");
        Ok((program, line))
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// SIGTERM; waits for a good end.
    pub fn terminate(mut self) -> anyhow::Result<()> {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.0), rustix::process::Signal::TERM)?;
        let status = self.0.wait()?;
        ensure!(status.success(), "the program under test ended badly: {status}");
        Ok(())
    }
}

/// The resident memory of a process in MiB.
pub fn resident(process: u32) -> anyhow::Result<f64> {
    Ok(status(Path::new(&format!("/proc/{process}")), "VmRSS:")? as f64 / 1024.0)
}

/// How often the threads of a process have gone to sleep: once more whenever one was woken.
fn sleeps(process: u32) -> anyhow::Result<u64> {
    let mut sum = 0;
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        sum += status(&thread?.path(), "voluntary_ctxt_switches:")?;
    }
    Ok(sum)
}

/// How many seconds go by before a process is woken, at most `longest`.
pub fn undisturbed(process: u32, longest: Duration) -> anyhow::Result<f64> {
    let (before, start) = (sleeps(process)?, Instant::now());
    while start.elapsed() < longest && sleeps(process)? == before {
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(start.elapsed().min(longest).as_secs_f64())
}

/// A number of a process's or thread's status.
fn status(process: &Path, name: &str) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(process.join("status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

/// Memory as a rate: how many fit into a GiB.
pub fn memory(name: impl Into<String>, reference: &'static str, ours: f64, allowed: f64) -> Row {
    Row::new(name.into(), reference, 1.0, vec![1024.0 / ours], vec![1024.0 / allowed])
}

/// A program of the workspace, built beside this one.
pub fn beside(name: &str, package: &str) -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    ensure!(program.is_file(), "{name} is not built: run `cargo build --release -p {package}`");
    Ok(program)
}

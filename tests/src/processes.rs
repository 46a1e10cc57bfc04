// SPDX-License-Identifier: MIT OR Apache-2.0
//! The real programs as child processes: they are found beside the demonstration's own binary.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};

/// The path of a program of this workspace.
///
/// # Errors
/// When it has not been built.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot find the demonstration's own binary")?;
    // Tests live one folder deeper, in deps/.
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.with_context(|| format!("{name} is not built: run `cargo build` first"))
}

/// Runs a program to its end and returns what it printed.
///
/// # Errors
/// With the program's own words when it fails.
pub fn run(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {}\n{words}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A child that is killed when it is dropped.
#[derive(Debug)]
pub struct Service(Child);

impl Service {
    /// Starts a program whose standard output begins with a line that says it is ready. Its standard error is appended
    /// to a log. Returns the line.
    ///
    /// # Errors
    /// When the program cannot be started or ends before it is ready.
    pub fn start(command: &mut Command, log: &Path) -> anyhow::Result<(Self, String)> {
        let log = File::options().create(true).append(true).open(log).context("cannot open the log")?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {command:?}"))?;
        let stdout = child.stdout.take().context("the child has no output")?;
        let mut service = Self(child);
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            // The receiver may have given up by now.
            let _ = sender.send(BufReader::new(stdout).read_line(&mut line).map(|_| line));
        });
        let patience = Duration::from_secs(30);
        let line = receiver.recv_timeout(patience).with_context(|| format!("{command:?} did not become ready"))??;
        if line.is_empty() {
            bail!("{command:?} ended at once: {}", service.0.wait()?);
        }
        Ok((service, line.trim_end().to_owned()))
    }

    /// Asks the program to end and waits until it has.
    ///
    /// # Errors
    /// When it does not end in time or fails.
    pub fn stop(mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.0), Signal::TERM)?;
        let deadline = Instant::now() + Duration::from_secs(30);
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait()? {
                ensure!(status.success(), "a program ended with {status}");
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("a program did not end when asked to")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A private message bus.
///
/// # Errors
/// When `dbus-daemon` is not installed or does not start.
pub fn private_bus(folder: &Path) -> anyhow::Result<(Service, String)> {
    let config = folder.join("bus.conf");
    let socket = folder.join("bus");
    let text = format!(
        "<busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
         <policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/>\
         <allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>",
        socket.display()
    );
    std::fs::write(&config, text)?;
    let mut command = Command::new("dbus-daemon");
    command.arg("--nofork").arg("--print-address").arg(format!("--config-file={}", config.display()));
    Service::start(&mut command, &folder.join("bus.log"))
}

/// The aggregator, started again whenever it dies, as systemd would.
#[derive(Debug)]
pub struct Aggregator {
    /// `http://ADDRESS`
    pub url: String,
    running: Arc<Mutex<Option<Service>>>,
    stopping: Arc<AtomicBool>,
    restarts: Arc<AtomicU32>,
    supervisor: Option<JoinHandle<()>>,
}

impl Aggregator {
    /// Starts the aggregator on a free port with `arguments` behind `serve --listen ADDRESS`.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(arguments: &[String], log: &Path) -> anyhow::Result<Self> {
        let binary = program("stipple-aggregator")?;
        let serve = |listen: &str| {
            let mut command = Command::new(&binary);
            command.args(["serve", "--listen", listen]).args(arguments);
            command
        };
        let (service, line) = Service::start(&mut serve("127.0.0.1:0"), log)?;
        let url = line.strip_prefix("listening on ").context("the aggregator says where it listens")?.to_owned();
        let address = url.trim_start_matches("http://").to_owned();
        let mut again = serve(&address);
        let running = Arc::new(Mutex::new(Some(service)));
        let stopping = Arc::new(AtomicBool::new(false));
        let restarts = Arc::new(AtomicU32::new(0));
        let supervisor = std::thread::spawn({
            let (running, stopping, restarts, log) =
                (running.clone(), stopping.clone(), restarts.clone(), log.to_owned());
            move || supervise(&running, &stopping, &restarts, &mut again, &log)
        });
        Ok(Self { url, running, stopping, restarts, supervisor: Some(supervisor) })
    }

    /// Kills the process with SIGKILL; it is started again.
    ///
    /// # Errors
    /// When there is no process to kill.
    pub fn kill(&self) -> anyhow::Result<()> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let service = running.as_ref().context("the aggregator is not running")?;
        Ok(kill_process(Pid::from_child(&service.0), Signal::KILL)?)
    }

    /// How often it had to be started again.
    #[must_use]
    pub fn restarts(&self) -> u32 {
        self.restarts.load(Ordering::SeqCst)
    }

    /// Ends the aggregator in good order.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(mut self) -> anyhow::Result<()> {
        self.end_supervision();
        let service = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        service.map_or(Ok(()), Service::stop)
    }

    fn end_supervision(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        if let Some(supervisor) = self.supervisor.take() {
            let _ = supervisor.join();
        }
    }
}

impl Drop for Aggregator {
    fn drop(&mut self) {
        self.end_supervision();
    }
}

fn supervise(
    running: &Mutex<Option<Service>>,
    stopping: &AtomicBool,
    restarts: &AtomicU32,
    again: &mut Command,
    log: &Path,
) {
    while !stopping.load(Ordering::SeqCst) {
        {
            let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
            let ended = running.as_mut().is_none_or(|service| matches!(service.0.try_wait(), Ok(Some(_))));
            if ended {
                restarts.fetch_add(1, Ordering::SeqCst);
                *running = Service::start(again, log).ok().map(|(service, _)| service);
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

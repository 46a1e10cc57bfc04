// SPDX-License-Identifier: MIT OR Apache-2.0
//! A corner of the machine: a private bus, the real recorder on it, the real command, and GLib's `gdbus`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The moment at which recorders start unless a test says otherwise: a Tuesday in 2027-W17, the first week of an epoch, so
/// that no slot has passed and a yes always leaves some to preview.
pub const NOW: &str = "2027-04-27T10:00:00Z";
const RECORDER: &str = env!("CARGO_BIN_EXE_stipple-recorderd");
const COMMAND: &str = env!("CARGO_BIN_EXE_stipple");

const BUS_CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path=SOCKET</listen>
  <policy context="default"><allow user="*"/><allow send_destination="*"/><allow eavesdrop="true"/><allow own="*"/></policy>
</busconfig>"#;

/// A private bus and a folder for everything.
pub struct Corner {
    folder: tempfile::TempDir,
    pub address: String,
    bus: Child,
}

impl Corner {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("bus");
        let config = folder.path().join("bus.conf");
        std::fs::write(&config, BUS_CONFIG.replace("SOCKET", &socket.display().to_string())).unwrap();
        std::fs::create_dir(folder.path().join("state")).unwrap();
        let mut bus = Command::new("timeout")
            .args(["600", "dbus-daemon", "--nofork", "--nopidfile", "--print-address", "--config-file"])
            .arg(&config)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon is installed");
        first_line(&mut bus);
        Self { address: format!("unix:path={}", socket.display()), folder, bus }
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A recorder's command line on this bus, with the repository's catalogue; its probes find what a test puts into `system`.
    pub fn command(&self) -> Command {
        self.command_on(&self.address)
    }

    /// The same on a bus by another name; `system` is this one too, with polkit in force.
    pub fn command_on(&self, bus: &str) -> Command {
        self.command_with(bus, &Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog/metrics"))
    }

    /// The same with another catalogue.
    pub fn command_with(&self, bus: &str, catalogue: &Path) -> Command {
        let mut command = Command::new(RECORDER);
        command.env("DBUS_SYSTEM_BUS_ADDRESS", &self.address).args([
            "--bus",
            bus,
            "--phase",
            "testing",
            "--send-window",
            "0",
        ]);
        command.arg("--state-dir").arg(self.state()).arg("--catalog").arg(catalogue);
        command.arg("--probe-root").arg(self.path("system"));
        command.arg("--lock").arg(self.path("disabled"));
        command
    }

    /// A recorder that is ready, and whose reports go nowhere.
    pub fn recorder(&self) -> Recorder {
        self.recorder_at(NOW, "http://127.0.0.1:9")
    }

    pub fn recorder_at(&self, now: &str, server: &str) -> Recorder {
        let mut command = self.command();
        command.args(["--now", now, "--server", server]);
        Recorder::start(command)
    }

    /// A recorder that the user has said yes to.
    pub fn enabled(&self) -> Recorder {
        let recorder = self.recorder();
        self.stipple_ok(&["enable"]);
        recorder
    }

    /// An unmodified GLib client's call: what it prints, or its error.
    pub fn gdbus(&self, method: &str, arguments: &[&str]) -> Result<String, String> {
        self.gdbus_on("/com/endlessm/Metrics", method, arguments)
    }

    pub fn gdbus_on(&self, path: &str, method: &str, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new("gdbus");
        command.env("DBUS_SYSTEM_BUS_ADDRESS", &self.address);
        command.args(["call", "--system", "-d", "com.endlessm.Metrics", "-o", path, "-m", method]);
        let output = command.arg("--").args(arguments).output().expect("gdbus is installed");
        if output.status.success() { Ok(stdout(&output)) } else { Err(stderr(&output)) }
    }

    /// A call on the recorder's interface.
    pub fn record(&self, method: &str, arguments: &[&str]) -> Result<String, String> {
        self.gdbus(&format!("com.endlessm.Metrics.EventRecorderServer.{method}"), arguments)
    }

    pub fn stipple(&self, arguments: &[&str]) -> Output {
        self.stipple_on(&self.address, arguments)
    }

    pub fn stipple_on(&self, bus: &str, arguments: &[&str]) -> Output {
        let mut command = Command::new(COMMAND);
        command.env("DBUS_SYSTEM_BUS_ADDRESS", &self.address).args(["--bus", bus]).args(arguments).output().unwrap()
    }

    pub fn stipple_ok(&self, arguments: &[&str]) -> String {
        let output = self.stipple(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        stdout(&output)
    }

    pub fn json(&self, verb: &str) -> Value {
        serde_json::from_str(&self.stipple_ok(&[verb, "--json"])).unwrap()
    }

    /// How many calls and events were dropped for a reason.
    pub fn dropped(&self, reason: &str) -> u64 {
        let status = self.json("status");
        let rows = status["dropped"].as_array().unwrap().iter();
        rows.filter(|row| row[0] == reason).map(|row| row[1].as_u64().unwrap()).sum()
    }

    /// What the owner sees of a metric this week.
    pub fn tally(&self, metric: &str) -> String {
        let tallies = self.json("show");
        let row = tallies.as_array().unwrap().iter().find(|row| row["metric"] == metric).unwrap();
        row["value"].as_str().unwrap().to_owned()
    }

    /// Waits, briefly, for something that the recorder does on its own.
    pub fn until<T>(&self, what: &str, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_secs(15);
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            assert!(Instant::now() < deadline, "never saw {what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub async fn connect(&self) -> zbus::Connection {
        zbus::connection::Builder::address(self.address.as_str()).build().await.unwrap()
    }
}

impl Drop for Corner {
    fn drop(&mut self) {
        terminate(&self.bus);
        let _ = self.bus.wait();
    }
}

/// A running recorder; it is killed when the test ends.
pub struct Recorder(Child);

impl Recorder {
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let line = first_line(&mut child);
        assert_eq!(line, "serving com.endlessm.Metrics\n", "{command:?}");
        Self(child)
    }

    /// Asks it to end, and waits.
    pub fn stop(mut self) -> ExitStatus {
        terminate(&self.0);
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the recorder does not end on SIGTERM");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it at once, as a crash would.
    pub fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs a recorder that must refuse to start: its exit code and what it says.
pub fn refusal(mut command: Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    (output.status.code(), stderr(&output))
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub fn terminate(child: &Child) {
    // It may have ended already.
    let _ = rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::TERM);
}

/// The first line that a program prints, within a reasonable time.
fn first_line(child: &mut Child) -> String {
    let (sender, receiver) = std::sync::mpsc::channel();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = output.read_line(&mut line);
        sender.send(line)
    });
    receiver.recv_timeout(Duration::from_secs(20)).expect("the program says that it is ready")
}

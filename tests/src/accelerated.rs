// SPDX-License-Identifier: MIT OR Apache-2.0
//! The recorder as it is installed, in time that the test moves: libfaketime puts the moment that stands in a file before
//! its clock. Its reports leave through the upload socket and stop there.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};

use anyhow::Context as _;
use jiff::Timestamp;
use stipple_catalog::{Definition, REPORT_LEN};
use stipple_ldp::Epsilon;
use toml::Table;
use toml::value::Datetime;
use zbus::Connection;

use crate::processes::{Service, private_bus, program};

/// Where Debian and Fedora put it, with the name of the processor in between.
const LIBRARIES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
];

/// How many reports of a definition an epoch can pay for, when its budget is as large as a budget can be.
#[must_use]
pub fn copies(definition: &Definition) -> usize {
    (Epsilon::MAX.micros() / definition.epsilon.micros()) as usize
}

/// Writes a catalogue of [`copies`] of one metric, which all listen to its events and differ in their ids only, so that a
/// recorder makes as many independent reports of it in each half-year.
///
/// # Errors
/// When the metric's file cannot be read or the catalogue not be written.
pub fn exhibit(catalog: &Path, definition: &Definition, folder: &Path) -> anyhow::Result<()> {
    let path = catalog.join(format!("{}.toml", definition.id));
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut metric: Table = text.parse()?;
    let mut set = |key: &str, value: toml::Value| metric.insert(key.to_owned(), value);
    set("introduced", "2001-01-01".parse::<Datetime>()?.into());
    set("expires", "2090-12-31".parse::<Datetime>()?.into());
    set("approval", "https://example.org/an-audit".into());
    std::fs::create_dir(folder)?;
    let budget = Epsilon::MAX.micros() / 1_000_000;
    let head = format!("title = \"An audit\"\nepsilon_epoch = {budget}.0\nepsilon_cap = {budget}.0\n");
    std::fs::write(folder.join("catalogue.toml"), head)?;
    for copy in 0..copies(definition) {
        let id = format!("{}-copy-{copy}", definition.id);
        metric.insert("id".to_owned(), id.as_str().into());
        std::fs::write(folder.join(format!("{id}.toml")), toml::to_string(&metric)?)?;
    }
    Ok(())
}

/// A private bus, a clock and a socket.
#[derive(Debug)]
pub struct Stage {
    folder: PathBuf,
    catalog: PathBuf,
    _bus: Service,
    address: String,
    socket: PathBuf,
    /// the 64 bytes of each report that has arrived at the socket
    pub reports: Receiver<[u8; REPORT_LEN]>,
}

impl Stage {
    /// Sets the stage in a folder for recorders of a catalogue.
    ///
    /// # Errors
    /// When the bus does not start.
    pub fn new(folder: &Path, catalog: &Path) -> anyhow::Result<Self> {
        let (bus, address) = private_bus(folder)?;
        let address = address.split(',').next().unwrap_or_default().to_owned();
        let socket = folder.join("upload.sock");
        let listener = UnixListener::bind(&socket)?;
        let (sender, reports) = channel();
        std::thread::spawn(move || accept(&listener, &sender));
        Ok(Self { folder: folder.to_owned(), catalog: catalog.to_owned(), _bus: bus, address, socket, reports })
    }

    /// Starts a recorder without a past.
    ///
    /// # Errors
    /// When libfaketime or the recorder is missing, or it does not start.
    pub fn recorder(&self, now: Timestamp) -> anyhow::Result<Service> {
        let library = LIBRARIES.iter().find(|path| Path::new(path).is_file());
        let library = library.context("libfaketime is not installed: run scripts/setup")?;
        self.set_clock(now)?;
        let (state, system) = (self.folder.join("state"), self.folder.join("system"));
        if state.is_dir() {
            std::fs::remove_dir_all(&state)?;
        }
        std::fs::create_dir(&state)?;
        let mut command = Command::new(program("stipple-recorderd")?);
        command.args(["--bus", &self.address, "--send-window", "0", "--upload-socket"]).arg(&self.socket);
        command.arg("--state-dir").arg(state).arg("--catalog").arg(&self.catalog);
        // Probes find nothing: what is recorded comes over the bus.
        command.arg("--probe-root").arg(&system).arg("--lock").arg(system.join("disabled"));
        command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", self.clock()).env("TZ", "UTC");
        command.envs([("FAKETIME_NO_CACHE", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"), ("NO_FAKE_STAT", "1")]);
        Ok(Service::start(&mut command, &self.folder.join("recorder.log"))?.0)
    }

    fn clock(&self) -> PathBuf {
        self.folder.join("clock")
    }

    /// Moves the recorder's clock, where it stands still.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn set_clock(&self, now: Timestamp) -> anyhow::Result<()> {
        let new = self.folder.join("clock.new");
        std::fs::write(&new, now.strftime("%Y-%m-%d %H:%M:%S\n").to_string())?;
        Ok(std::fs::rename(new, self.clock())?)
    }

    /// A new caller.
    ///
    /// # Errors
    /// When the bus cannot be used.
    pub async fn connect(&self) -> anyhow::Result<Connection> {
        Ok(zbus::connection::Builder::address(self.address.as_str()).build().await?)
    }
}

/// Takes reports and answers as the uploader does, each after it stands in the channel.
fn accept(listener: &UnixListener, sender: &Sender<[u8; REPORT_LEN]>) {
    for mut stream in listener.incoming().map_while(Result::ok) {
        let mut report = [0; REPORT_LEN];
        if stream.read_exact(&mut report).is_ok() && sender.send(report).is_ok() {
            // A recorder that has been stopped meanwhile sends it again, which the count of reports shows.
            let _ = stream.write_all(b"counted\n");
        }
    }
}

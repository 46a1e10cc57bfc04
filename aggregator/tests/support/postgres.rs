// SPDX-License-Identifier: MIT OR Apache-2.0
//! A PostgreSQL server of a test's own: a fresh cluster on a Unix socket, gone at the end.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running server.
pub struct PostgresServer {
    folder: TempDir,
    process: Option<Child>,
}

impl PostgresServer {
    /// Makes a cluster and starts it.
    pub fn start() -> Self {
        // A socket's path has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("stipple-pg-").tempdir_in("/tmp").unwrap();
        if let Some(user) = other_user() {
            let chown = Command::new("chown").arg(user).arg(folder.path()).status().unwrap();
            assert!(chown.success());
        }
        let mut server = Self { folder, process: None };
        let mut initdb = server.command("initdb");
        initdb.args(["--auth=trust", "--username=stipple", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        let made = initdb.arg("--pgdata").arg(server.data()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        server.restart();
        server
    }

    /// Starts the server, again after [`Self::kill`]: it refuses while a child of the one before is still at work.
    pub fn restart(&mut self) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while !self.answers() {
            assert!(Instant::now() < deadline, "{}", self.log());
            if self.process.as_mut().is_none_or(|process| process.try_wait().unwrap().is_some()) {
                let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
                let mut postgres = self.command("postgres");
                postgres.arg("-D").arg(self.data()).arg("-k").arg(self.folder.path());
                postgres.args(["-c", "listen_addresses=", "-c", "shared_buffers=32MB"]);
                self.process = Some(postgres.stdout(Stdio::null()).stderr(log).spawn().unwrap());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn answers(&self) -> bool {
        self.sql("SELECT 1").is_ok_and(|answer| answer == "1")
    }

    /// SIGKILL to the server; returns when its children, which follow, are gone as well.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        let at_work = || {
            let processes = std::fs::read_dir("/proc").unwrap().flatten();
            // Every process of a server works in its data directory.
            let mut folders = processes.filter_map(|process| std::fs::read_link(process.path().join("cwd")).ok());
            folders.any(|folder| folder == self.data())
        };
        let deadline = Instant::now() + Duration::from_mins(1);
        while at_work() {
            assert!(Instant::now() < deadline, "the server's children stay");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The store's address.
    pub fn address(&self) -> String {
        format!("postgresql:///postgres?host={}&user=stipple", self.folder.path().display())
    }

    /// What a statement prints, unaligned and without headers; the server's words on an error.
    pub fn sql(&self, statement: &str) -> Result<String, String> {
        let mut psql = Command::new(program("psql"));
        psql.args(["-XqtA", "-U", "stipple", "-d", "postgres", "-c", statement]).arg("-h").arg(self.folder.path());
        let output = psql.output().unwrap();
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap().trim_end().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// Everything that a dump shows.
    pub fn dump(&self) -> String {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let mut dump = Command::new(program("pg_dump"));
            let output = dump.args(["-U", "stipple", "-h"]).arg(self.folder.path()).arg("postgres").output().unwrap();
            if output.status.success() {
                return String::from_utf8(output.stdout).unwrap();
            }
            // A table that is dropped between its listing and its lock fails it.
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(said.contains("does not exist") && Instant::now() < deadline, "{said}");
        }
    }

    /// Whether the bytes stand in a file of the databases, once everything is written there.
    pub fn tables_hold(&self, bytes: &[u8]) -> bool {
        self.sql("CHECKPOINT").unwrap();
        let files = |folder: PathBuf| std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files(self.data().join("base")).flat_map(files).any(|file| {
            // The server removes files meanwhile.
            std::fs::read(file).is_ok_and(|content| content.windows(bytes.len()).any(|window| window == bytes))
        })
    }

    /// What the server has logged since its last start.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A program of the server, as a user whom PostgreSQL accepts, that dies with the test.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        if let Some(user) = other_user() {
            command.args(["--reuid", user, "--regid", user, "--clear-groups"]);
        }
        command.arg("--").arg(program(name)).current_dir(self.folder.path());
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let troubles =
                log.lines().filter(|line| ["ERROR", "FATAL", "PANIC"].iter().any(|word| line.contains(word)));
            eprintln!("the server says:\n{}", troubles.collect::<Vec<_>>().join("\n"));
        }
        if let Some(mut process) = self.process.take() {
            // Immediate: nobody needs the data any more.
            let _ = rustix::process::kill_process(
                rustix::process::Pid::from_child(&process),
                rustix::process::Signal::QUIT,
            );
            let _ = process.wait();
        }
    }
}

/// PostgreSQL refuses to run as root.
fn other_user() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some("postgres")
}

/// Debian keeps the server's programs out of the PATH, one folder a version.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut debian: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    debian.sort();
    let found = debian.into_iter().rev().chain(std::env::split_paths(&path)).map(|folder| folder.join(name));
    found.into_iter().find(|path| Path::is_file(path)).unwrap_or_else(|| panic!("{name} is missing: run scripts/setup"))
}

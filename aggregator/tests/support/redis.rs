// SPDX-License-Identifier: MIT OR Apache-2.0
//! A Redis server of a test's own: on a Unix socket, with a folder of its own, gone at the end.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// What the queue asks for.
pub const DURABLE: [&str; 6] = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];

/// A running server.
pub struct RedisServer {
    folder: TempDir,
    options: Vec<String>,
    process: Option<Child>,
}

impl RedisServer {
    /// Starts one that keeps what it confirms.
    pub fn start() -> Self {
        Self::start_with(&DURABLE)
    }

    pub fn start_with(options: &[&str]) -> Self {
        // A socket's path has at most 107 bytes.
        let folder = tempfile::Builder::new().prefix("stipple-redis-").tempdir_in("/tmp").unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = Self { folder, options, process: None };
        server.restart();
        server
    }

    /// Starts the server again after [`Self::kill`].
    pub fn restart(&mut self) {
        let _ = std::fs::remove_file(self.socket());
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program()).args(["--port", "0"]);
        command.arg("--unixsocket").arg(self.socket()).arg("--dir").arg(self.data()).args(&self.options);
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        self.process = Some(command.current_dir(self.data()).stdout(log).stderr(Stdio::null()).spawn().unwrap());
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.try_ask(&["PING"]).is_none_or(|answer| answer != "PONG") {
            assert!(Instant::now() < deadline, "{}", std::fs::read_to_string(self.folder.path().join("log")).unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    pub fn address(&self) -> String {
        address_of(&self.socket())
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    /// Where the server's files lie.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What a command answers, as text.
    pub fn ask(&self, command: &[&str]) -> String {
        self.try_ask(command).unwrap_or_else(|| panic!("no answer to {command:?}"))
    }

    fn try_ask(&self, command: &[&str]) -> Option<String> {
        let client = redis::Client::open(self.address()).unwrap();
        let mut connection = client.get_connection().ok()?;
        let (name, arguments) = command.split_first().unwrap();
        let answer: redis::Value = redis::cmd(name).arg(arguments).query(&mut connection).ok()?;
        Some(redis::from_redis_value(answer.clone()).unwrap_or_else(|_| format!("{answer:?}")))
    }
}

pub fn address_of(socket: &Path) -> String {
    format!("redis+unix://{}", socket.display())
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
    }
}

/// Redis, or Valkey where a distribution has only that.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]).collect();
    let programs = ["redis-server", "valkey-server"].into_iter();
    let found =
        programs.flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("redis-server and valkey-server are missing: run scripts/setup"))
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! What the tests share: a small catalogue, a server in this process or the real program, and a bare HTTP/1.1 client.

#![allow(dead_code, reason = "every test program uses a part of it")]

/// Each of these on every kind of store.
#[macro_export]
macro_rules! on_every_store {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name(&super::Place::new()); })*
        }
        mod postgres {
            $(#[test] fn $name() { super::$name(&super::Place::with_postgres()); })*
        }
    };
}

mod postgres;
pub mod proxy;
pub mod redis;
mod worker;

use std::collections::BTreeMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::ChaCha20Rng;
use rand::{Rng as _, SeedableRng as _};
use stipple_aggregator::{Address, Config, QueueAddress, QueueStatus, Server};
use stipple_catalog::{Catalogue, Clock, Phase, REPORT_LEN, Report, ReportId, Week};
use stipple_ldp::{TrueValue, Value};
use tempfile::TempDir;
use tokio::sync::oneshot;

use self::redis::RedisServer;
pub use self::worker::Worker;
pub use postgres::PostgresServer;

/// A Thursday in 2026-W50: open are W46 to W49.
pub const NOW: &str = "2026-12-10T12:00:00Z";

const COLOUR: &str = r#"
mechanism = "subset-selection"
[domain]
kind = "symbol"
values = ["red", "green", "blue", "amber", "violet", "cyan"]
other = true
none = true
[tally]
aggregate = "last"
"#;
const SHADE: &str = r#"
mechanism = "randomised-response"
[domain]
kind = "symbol"
values = ["dark", "light"]
other = true
none = true
[tally]
aggregate = "last"
"#;
const TOOLS: &str = r#"
mechanism = "collision"
[domain]
kind = "set"
values = ["awl", "bit", "cap", "die", "eye", "fan", "gin", "hob", "ink", "jig", "key", "lap"]
most = 3
other = true
[tally]
aggregate = "distinct"
"#;
const FALLS: &str = r#"
mechanism = "truncated-geometric"
[domain]
kind = "count"
most = 5
[tally]
aggregate = "count"
"#;
const EVENT: &str = "[[tally.events]]\nid = \"49d0451a-f706-4f50-81d2-70cc0ec923a4\"\npayload = \"s\"\n";

/// The metrics of [`Place::new`], and how each behaves.
pub const METRICS: [(&str, &str); 4] =
    [("settings.colour", COLOUR), ("settings.shade", SHADE), ("usage.tools", TOOLS), ("problems.falls", FALLS)];

/// A folder with a catalogue and room for a store; gone at the end.
pub struct Place {
    /// what counts from the queue into the store
    pub worker: Option<Worker>,
    /// the queue between intake and store, if any
    pub redis: Option<RedisServer>,
    pub folder: TempDir,
    pub catalogue: Arc<Catalogue>,
    /// where the store is; `None` for a file in the folder
    pub postgres: Option<PostgresServer>,
    /// the store's address while somebody else has the server
    pub address: Option<String>,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_catalogue(&folder.path().join("catalogue"), 1.0);
        let catalogue = Arc::new(Catalogue::load(&folder.path().join("catalogue")).unwrap());
        Self { worker: None, redis: None, folder, catalogue, postgres: None, address: None }
    }

    /// A place whose store is a PostgreSQL server of its own.
    pub fn with_postgres() -> Self {
        Self { postgres: Some(PostgresServer::start()), ..Self::new() }
    }

    /// The ids of a week, in hexadecimal digits, in the order of their rows on the disk; none while rows bear the marks of several
    /// transactions.
    pub fn ids_as_they_lie(&self, of: &str) -> Vec<String> {
        let table = format!("seen_{}", week(of).index());
        if let Some(server) = &self.postgres {
            let sql = format!("SELECT count(DISTINCT xmin::text) FROM stipple.{table}");
            if server.sql(&sql).unwrap() != "1" {
                return Vec::new();
            }
            let rows = server.sql(&format!("SELECT id FROM stipple.{table} ORDER BY ctid")).unwrap();
            return rows.lines().map(|id| id.replace('-', "")).collect();
        }
        let conn = rusqlite::Connection::open(self.file()).unwrap();
        let fresh: u32 =
            conn.query_row(&format!("SELECT count(*) FROM fresh_{}", week(of).index()), [], |row| row.get(0)).unwrap();
        let mut rows = conn.prepare(&format!("SELECT lower(hex(id)) FROM {table}")).unwrap();
        let rows = rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
        if fresh > 0 { Vec::new() } else { rows }
    }

    /// The place with a queue before its store, and nobody to count from it.
    pub fn with_queue(self) -> Self {
        Self { redis: Some(RedisServer::start()), ..self }
    }

    /// The place with a queue before its store, and a worker.
    pub fn drained(self) -> Self {
        let place = self.with_queue();
        Self { worker: Some(Worker::start(&place)), ..place }
    }

    pub fn queue(&self) -> Option<QueueAddress> {
        self.redis.as_ref().map(|server| server.address().parse().unwrap())
    }

    pub fn queue_status(&self) -> QueueStatus {
        stipple_aggregator::queue_status(&self.queue().unwrap(), Phase::Testing).unwrap()
    }

    /// Waits until everything in the queue is counted and every week that intakes have closed is closed in the store.
    pub fn settle(&self) {
        if self.redis.is_none() {
            return;
        }
        wait_for("the queue is drained", || {
            let status = self.queue_status();
            status.appended == status.drained && status.open_from == status.store_open_from
        });
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The SQLite file.
    pub fn file(&self) -> PathBuf {
        self.path("counts.sqlite")
    }

    pub fn store(&self) -> Address {
        self.postgres.as_ref().map_or_else(|| self.file().into(), |server| server.address().parse().unwrap())
    }

    /// The store as the program is told it.
    pub fn store_text(&self) -> String {
        let store = self.postgres.as_ref().map(PostgresServer::address).or_else(|| self.address.clone());
        store.unwrap_or_else(|| "sqlite:counts.sqlite".to_owned())
    }

    /// How many of these reports' ids the store, its journal or the export shows.
    pub fn known(&self, reports: &[[u8; REPORT_LEN]]) -> usize {
        self.settle();
        let shown = self.postgres.as_ref().map(|server| server.dump().replace('-', "")).unwrap_or_default();
        let digits = |report| stipple_catalog::hex(id_of(report));
        let in_files = |report| self.postgres.is_none() && self.holds(id_of(report));
        reports.iter().filter(|report| shown.contains(&digits(report)) || in_files(report)).count()
    }

    pub fn clock() -> Clock {
        Clock::manual(NOW.parse().unwrap())
    }

    /// A configuration for a drill on a free port.
    pub fn config(&self, clock: &Clock) -> Config {
        let mut config = Config::new(self.store(), self.catalogue.clone(), clock.clone());
        config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.phase = Phase::Testing;
        config.queue = self.queue();
        config
    }

    pub fn export(&self) -> (String, serde_json::Value) {
        self.settle();
        let out = self.path("out");
        stipple_aggregator::export(&self.store(), &self.catalogue, &out, stipple_aggregator::Unknown::Refuse).unwrap();
        let manifest = std::fs::read(out.join("manifest.json")).unwrap();
        (std::fs::read_to_string(out.join("counts.csv")).unwrap(), serde_json::from_slice(&manifest).unwrap())
    }

    /// Whether the bytes stand in any file beside the catalogue (database, journal, export).
    pub fn holds(&self, bytes: &[u8]) -> bool {
        folder_holds(self.folder.path(), bytes)
    }
}

/// Whether the bytes stand in any file of a folder, beside the catalogue.
pub fn folder_holds(folder: &Path, bytes: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            !path.ends_with("catalogue") && folder_holds(&path, bytes)
        } else {
            // A file may go while it is looked for.
            std::fs::read(&path).is_ok_and(|text| contains(&text, bytes))
        }
    })
}

/// Waits for a condition, with a deadline that a loaded machine meets.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(2);
    while !condition() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

pub fn contains(text: &[u8], bytes: &[u8]) -> bool {
    text.windows(bytes.len()).any(|window| window == bytes)
}

pub fn write_catalogue(folder: &Path, epsilon: f64) {
    std::fs::create_dir_all(folder).unwrap();
    let head = "title = \"Small\"\nepsilon_epoch = 4.0\nepsilon_cap = 2.0\n";
    std::fs::write(folder.join("catalogue.toml"), head).unwrap();
    for (id, body) in METRICS {
        let category = id.split('.').next().unwrap();
        let head = format!(
            "id = \"{id}\"\ntitle = \"T\"\nquestion = \"Q?\"\ncategory = \"{category}\"\nowner = \"O\"\n\
             approval = \"https://example.org/1\"\nintroduced = 2026-11-16\nexpires = 2027-01-08\nepsilon = {epsilon:.1}"
        );
        std::fs::write(folder.join(format!("{id}.toml")), format!("{head}{body}{EVENT}")).unwrap();
    }
}

pub fn week(text: &str) -> Week {
    text.parse().unwrap()
}

/// Encoded reports of every metric in turn, with their ids, drawn from a seed.
pub fn reports(catalogue: &Catalogue, week: Week, seed: u64, n: usize) -> Vec<[u8; REPORT_LEN]> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let made = catalogue.definitions().iter().cycle().take(n).map(|definition| {
        let value = match definition.id.as_str() {
            "usage.tools" => Value::Set(vec![1, 4]),
            "problems.falls" => Value::Count(2),
            _ => Value::Symbol(1),
        };
        let response = definition.mechanism.randomise(&TrueValue::new(value), &mut rng).unwrap();
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        Report { id: ReportId(id), definition, week, response }.encode().unwrap()
    });
    made.collect()
}

pub fn id_of(report: &[u8; REPORT_LEN]) -> &[u8] {
    &report[1..17]
}

/// The dataset that a set of reports must give.
pub fn expected(catalogue: &Catalogue, sent: &[[u8; REPORT_LEN]]) -> String {
    let mut series = BTreeMap::new();
    for bytes in sent {
        let report = Report::decode(bytes, catalogue).unwrap();
        let mechanism = &report.definition.mechanism;
        let (reports, cells) = series
            .entry((&report.definition.id, report.definition.hash, report.week))
            .or_insert_with(|| (0, vec![0; mechanism.cells()]));
        *reports += 1;
        mechanism.accumulate(&report.response, |cell| cells[cell] += 1).unwrap();
    }
    let rows = series.iter().flat_map(|((id, hash, week), (reports, cells))| {
        let line = move |(cell, count)| format!("{id},{hash},{week},{reports},{cell},{count}\n");
        cells.iter().enumerate().map(line)
    });
    std::iter::once("metric,definition,week,reports,cell,count\n".to_owned()).chain(rows).collect()
}

/// Posts over a connection, and again on a new one whenever it breaks, until every report is acknowledged.
pub fn post_stubbornly(
    stream: &mut Option<TcpStream>,
    address: SocketAddr,
    share: &[[u8; REPORT_LEN]],
    acknowledged: &AtomicUsize,
) {
    for report in share {
        let mut attempt = || -> std::io::Result<u16> {
            if stream.is_none() {
                let fresh = TcpStream::connect(address)?;
                fresh.set_read_timeout(Some(Duration::from_secs(20)))?;
                *stream = Some(fresh);
            }
            let open = stream.as_mut().unwrap();
            let head = b"POST /v1/reports HTTP/1.1\r\nHost: t\r\nContent-Length: 64\r\n\r\n";
            let outcome = open.write_all(&[&head[..], report].concat()).and_then(|()| answer(open));
            if outcome.is_err() {
                *stream = None;
            }
            outcome.map(|answer| answer.status)
        };
        let deadline = Instant::now() + Duration::from_mins(2);
        while !matches!(attempt(), Ok(204)) {
            assert!(Instant::now() < deadline, "the server does not come back");
            std::thread::sleep(Duration::from_millis(2)); // the server is away
        }
        acknowledged.fetch_add(1, Ordering::SeqCst);
    }
}

/// A server in this process.
pub struct Running {
    pub address: SocketAddr,
    pub metrics: Option<SocketAddr>,
    stop: oneshot::Sender<()>,
    thread: std::thread::JoinHandle<Result<(), stipple_aggregator::ServeError>>,
}

impl Running {
    pub fn start(config: Config) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let server = runtime.block_on(Server::bind(config)).unwrap();
        let (address, metrics) = (server.address(), server.metrics_address());
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            runtime.block_on(server.run(async {
                let _ = stopped.await;
            }))
        });
        Self { address, metrics, stop, thread }
    }

    pub fn post(&self, body: &[u8]) -> Answer {
        request(self.address, "POST", "/v1/reports", &[], body).unwrap()
    }

    pub fn stop(self) {
        self.stop.send(()).unwrap();
        self.thread.join().unwrap().unwrap();
    }
}

/// An HTTP answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// The name of the problem that the answer is, whose form is checked.
    pub fn problem(&self) -> String {
        assert!(self.head.to_lowercase().contains("content-type: application/problem+json"), "{self:?}");
        let document: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(document["status"], self.status);
        assert!(document["title"].is_string() && document["detail"].is_string(), "{document}");
        document["type"].as_str().unwrap().strip_prefix("urn:stipple:problem:").unwrap().to_owned()
    }
}

/// One request on a connection of its own.
pub fn request(to: SocketAddr, method: &str, path: &str, headers: &[&str], body: &[u8]) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let length = body.len();
    let first = format!("{method} {path} HTTP/1.1");
    let own = ["Host: t".to_owned(), format!("Content-Length: {length}")];
    let lines: Vec<&str> = [first.as_str(), &own[0], &own[1]].into_iter().chain(headers.iter().copied()).collect();
    let head = lines.join("\r\n") + "\r\n\r\n";
    stream.write_all(&[head.as_bytes(), body].concat())?;
    answer(&mut stream)
}

/// Reads one answer.
pub fn answer(stream: &mut TcpStream) -> io::Result<Answer> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap();
    let lower = head.to_lowercase();
    let length = lower.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Answer { status, head, body })
}

/// The real program, serving.
pub struct Program {
    pub child: Child,
    pub address: SocketAddr,
    /// what it logs, read all the time: a server whose pipe is full would stand still
    log: Option<std::thread::JoinHandle<Vec<u8>>>,
}

impl Program {
    pub fn command(place: &Place) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stipple-aggregator"));
        command
            .current_dir(place.folder.path())
            .env_remove("STATE_DIRECTORY")
            .env_remove("STIPPLE_STORE")
            .env_remove("STIPPLE_QUEUE")
            .env("STIPPLE_CATALOG", "catalogue");
        command
    }

    /// How it is started in a drill.
    pub fn serve(place: &Place, listen: SocketAddr) -> Command {
        let mut command = Self::command(place);
        command.args(["serve", "--phase", "testing", "--now", NOW, "--store", &place.store_text()]);
        if let Some(server) = &place.redis {
            command.args(["--queue", &server.address()]);
        }
        command.arg("--listen").arg(listen.to_string());
        command
    }

    /// Starts it in a drill; `listen` lets it come back to the same port.
    pub fn start(place: &Place, listen: SocketAddr) -> Self {
        Self::attach(Self::serve(place, listen).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Waits for the line that says where it listens.
    pub fn attach(child: Child) -> Self {
        Self::listening(child).unwrap_or_else(|ended| panic!("{:?}", ended.wait_with_output()))
    }

    /// The same, or the child when it ends without that line.
    pub fn listening(mut child: Child) -> Result<Self, Child> {
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://");
        match address.and_then(|address| address.parse().ok()) {
            Some(address) => {
                let log = child.stderr.take().map(|mut stderr| {
                    std::thread::spawn(move || {
                        let mut log = Vec::new();
                        stderr.read_to_end(&mut log).unwrap();
                        log
                    })
                });
                Ok(Self { child, address, log })
            }
            None => Err(child),
        }
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM; returns the status and what it printed after its first line.
    pub fn terminate(self) -> Output {
        terminate(&self.child);
        let mut output = self.child.wait_with_output().unwrap();
        output.stderr = self.log.map(|log| log.join().unwrap()).unwrap_or_default();
        output
    }
}

/// SIGTERM.
fn terminate(child: &Child) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), rustix::process::Signal::TERM).unwrap();
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Durable intake: beside a handler that does nothing, on both stores, one by one and in batches, all in one run.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use rustix::time::{ClockId, clock_gettime};
use stipple_aggregator::{Address, Config, QueueAddress, Server, Unknown, export};
use stipple_catalog::{Catalogue, Clock, Phase, REPORT_LEN, Week};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::load::{Load, Taken};
use crate::postgres::PostgresServer;
use crate::row::Row;
use crate::sample;

/// Connections beside those that are asked for: how much fewer requests in flight cost.
const FEW: usize = 256;
const BARE: &str = "bare axum handler: reads the body, answers 204";
/// What durability, deduplication and counting may cost.
const GOAL: f64 = 0.6;
/// What a server of its own for the store may cost.
const GOAL_POSTGRES: f64 = 0.6;
/// Seconds within which 99 of 100 reports are to be answered.
const P99: f64 = 0.05;
/// Reports per second and core, in batches of 1000.
const PER_CORE: f64 = 500_000.0;
pub(crate) const BATCH: usize = 1000;
/// The most events per second that the existing stack was measured at end to end, in requests of 10 and of 1000 events
/// (RECORDER.md, section 6; on another machine of two cores).
const EXISTING: [f64; 2] = [640.0, 1850.0];
const GOAL_EXISTING: f64 = 50.0;

/// What every measurement here needs.
pub(crate) struct Setting {
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) now: Timestamp,
    pub(crate) week: Week,
    servers: Runtime,
    pub(crate) load: Runtime,
    rng: ChaCha20Rng,
}

/// A server under test.
pub(crate) struct Subject {
    pub(crate) address: SocketAddr,
    metrics: SocketAddr,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<(), stipple_aggregator::ServeError>>,
    store: Address,
}

/// Measures rounds of all servers in turn; ends by checking that what was acknowledged was counted.
pub fn measure(catalogue: Catalogue, out: &Path, connections: usize, quick: bool) -> anyhow::Result<Vec<Row>> {
    let (rounds, each) = if quick { (1, 2_000) } else { (7, 40_000) };
    let folder = tempfile::tempdir_in(out).context("cannot make a folder for the store")?;
    let postgres = PostgresServer::start();
    let mut setting = Setting::new(catalogue)?;
    let bare = setting.start_bare()?;
    let sqlite = setting.start(folder.path().join("counts.sqlite").into())?;
    let database = setting.start(postgres.address().parse()?)?;

    let crowds = if connections == FEW { vec![FEW] } else { vec![FEW, connections] };
    let subjects = [bare, sqlite.address, database.address];
    let mut taken: Vec<[Vec<Taken>; 3]> = crowds.iter().map(|_| Default::default()).collect();
    let mut groups = vec![[0.0; 3]; crowds.len()];
    // The first round warms all up and is not counted.
    for round in 0..=rounds {
        for ((&connections, taken), groups) in crowds.iter().zip(&mut taken).zip(&mut groups) {
            let before = transactions(sqlite.metrics)?;
            let reports = setting.reports(each)?;
            for (address, taken) in subjects.into_iter().zip(taken) {
                let load = Load::new(reports.iter().map(|report| &report[..]), "");
                let one = setting.load.block_on(load.send(address, connections))?;
                if round > 0 {
                    taken.push(one);
                }
            }
            let after = transactions(sqlite.metrics)?;
            groups.iter_mut().zip(after).zip(before).for_each(|((sum, after), before)| *sum += after - before);
        }
    }
    let counted = [setting.stop(sqlite, folder.path())?, setting.stop(database, folder.path())?];
    let sent = (rounds + 1) * each * crowds.len();
    ensure!(counted == [sent as u64; 2], "{counted:?} reports counted, not what was acknowledged");
    let mut rows = Vec::new();
    for ((connections, taken), [transactions, reports, seconds]) in crowds.into_iter().zip(taken).zip(groups) {
        println!(
            "SQLite, {connections} connections: {:.0} reports in a transaction of {:.1} ms",
            reports / transactions,
            1000.0 * seconds / transactions
        );
        let rates = |n: usize| taken[n].iter().map(|taken| taken.rate).collect::<Vec<_>>();
        let prompt = taken[1].iter().map(|taken| taken.p99.recip()).collect();
        let name = |what: &str| format!("{what}, {connections} connections");
        let end_to_end = format!("end to end, a report a request, {connections}");
        let existing = "the existing stack, 10 events a request";
        rows.extend([
            Row::new(name("durable intake"), BARE, GOAL, rates(1), rates(0)),
            Row::new("  its p99 (one by seconds)".into(), "50 ms", 1.0, prompt, vec![P99.recip()]),
            Row::new(name("intake, PostgreSQL"), "the same, embedded SQLite", GOAL_POSTGRES, rates(2), rates(1)),
            Row::new(end_to_end, existing, GOAL_EXISTING, rates(1), vec![EXISTING[0]]),
        ]);
    }
    let (by_wall, by_cpu) = setting.batches(folder.path(), quick)?.into_iter().unzip();
    rows.extend([
        Row::new(
            "end to end, batches of 1000".into(),
            "the existing stack, 1000 events a request",
            GOAL_EXISTING,
            by_wall,
            vec![EXISTING[1]],
        ),
        Row::new("  by the second of the server's CPU".into(), "goal", 1.0, by_cpu, vec![PER_CORE]),
    ]);
    Ok(rows)
}

impl Setting {
    pub(crate) fn new(catalogue: Catalogue) -> anyhow::Result<Self> {
        // A moment, and a week open then in which every metric that is collected latest is collected.
        let day = catalogue.definitions().iter().map(|d| d.introduced).max().context("the catalogue is empty")?;
        let week = Week::containing(day)?.next();
        Ok(Self {
            catalogue: Arc::new(catalogue),
            now: TimeZone::UTC.to_timestamp(week.next().monday().at(12, 0, 0, 0))?,
            week,
            // Servers have a runtime as they have in their program; the load has a thread of its own.
            servers: Builder::new_multi_thread().enable_all().build()?,
            load: Builder::new_current_thread().enable_all().build()?,
            rng: ChaCha20Rng::seed_from_u64(2),
        })
    }

    pub(crate) fn reports(&mut self, n: usize) -> anyhow::Result<Vec<[u8; REPORT_LEN]>> {
        self.reports_of(self.week, n)
    }

    pub(crate) fn reports_of(&mut self, week: Week, n: usize) -> anyhow::Result<Vec<[u8; REPORT_LEN]>> {
        let active: Vec<_> = self.catalogue.definitions().iter().filter(|d| d.is_active(week.monday())).collect();
        active.iter().cycle().take(n).map(|d| sample::report(d, week, &mut self.rng)).collect()
    }

    fn start_bare(&self) -> anyhow::Result<SocketAddr> {
        let listener = self.servers.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
        let address = listener.local_addr()?;
        let router = Router::new().route("/v1/reports", post(async |_body: Bytes| StatusCode::NO_CONTENT));
        self.servers.spawn(async move { axum::serve(listener, router).await });
        Ok(address)
    }

    fn start(&self, store: Address) -> anyhow::Result<Subject> {
        self.start_before(store, None)
    }

    /// A server that counts into a store, or leaves that to the workers of a queue.
    pub(crate) fn start_before(&self, store: Address, queue: Option<QueueAddress>) -> anyhow::Result<Subject> {
        let mut config = Config::new(store.clone(), self.catalogue.clone(), Clock::manual(self.now));
        config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.phase = Phase::Testing;
        config.queue = queue;
        config.metrics = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        let server = self.servers.block_on(Server::bind(config))?;
        let (address, metrics) = (server.address(), server.metrics_address().context("the server tells no metrics")?);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = self.servers.spawn(server.run(async {
            let _ = stopped.await;
        }));
        Ok(Subject { address, metrics, stop, running, store })
    }

    /// Stops a server; returns how many reports it has counted.
    fn stop(&self, subject: Subject, folder: &Path) -> anyhow::Result<u64> {
        let store = self.end(subject)?;
        Ok(export(&store, &self.catalogue, &folder.join("counts"), Unknown::Refuse)?.reports)
    }

    /// Stops a server; returns its store.
    pub(crate) fn end(&self, subject: Subject) -> anyhow::Result<Address> {
        let _ = subject.stop.send(());
        self.servers.block_on(subject.running)??;
        Ok(subject.store)
    }

    /// Batches: reports per second, and per second of the server's CPU time.
    fn batches(&mut self, folder: &Path, quick: bool) -> anyhow::Result<Vec<(f64, f64)>> {
        let (rounds, each) = if quick { (1, 10) } else { (5, 400) };
        let server = self.start(folder.join("batches.sqlite").into())?;
        let mut rates = Vec::new();
        for _ in 0..rounds {
            let reports = self.reports(each * BATCH)?;
            let batches = reports.chunks(BATCH).map(<[_]>::as_flattened);
            let load = Load::new(batches, "Content-Type: application/vnd.stipple.reports\r\n");
            let before = server_cpu_seconds();
            let taken = self.load.block_on(load.send(server.address, 16))?;
            rates.push((taken.rate * BATCH as f64, reports.len() as f64 / (server_cpu_seconds() - before)));
        }
        let counted = self.stop(server, folder)?;
        ensure!(counted == (rounds * each * BATCH) as u64, "{counted} reports counted, not what was acknowledged");
        Ok(rates)
    }
}

/// What a server says of its transactions: how many, the reports in them, the seconds that they took.
fn transactions(metrics: SocketAddr) -> anyhow::Result<[f64; 3]> {
    let mut stream = TcpStream::connect(metrics)?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: loopback\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let value = |name: &str| -> anyhow::Result<f64> {
        let line = text.lines().find_map(|line| line.strip_prefix("stipple_transaction_")?.strip_prefix(name));
        Ok(line.context("the server's metrics lack its transactions")?.trim().parse()?)
    };
    Ok([value("reports_count ")?, value("reports_sum ")?, value("seconds_sum ")?])
}

/// The CPU time of this process without this thread's, which the load runs on.
fn server_cpu_seconds() -> f64 {
    let seconds = |clock| {
        let time = clock_gettime(clock);
        time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
    };
    seconds(ClockId::ProcessCPUTime) - seconds(ClockId::ThreadCPUTime)
}

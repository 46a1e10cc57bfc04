// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faults by the hundred, and senders that try again: what was acknowledged is what is counted, to the report.
//!
//! `STIPPLE_FAULTS=2000 cargo test -p stipple-aggregator --test faults` for more of them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use stipple_catalog::REPORT_LEN;
use support::proxy::CuttingProxy;
use support::redis::{DURABLE, RedisServer};
use support::{Place, PostgresServer, Program, Worker, expected, post_stubbornly, reports, week};

const SENDERS: u64 = 6;

/// What a run has gone through.
#[derive(Debug, Default)]
struct Faults {
    kills: usize,
    worker_kills: usize,
    queue_kills: usize,
    database_kills: usize,
    full_disks: usize,
}

/// A queue between intake and store, and who counts from it. Both ends reach it through a proxy that cuts.
struct Queue {
    server: RedisServer,
    proxy: CuttingProxy,
    workers: Vec<Worker>,
}

impl Queue {
    fn start(place: &Place, workers: usize) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = RedisServer::start_with(&[&DURABLE[..], &["--port", &port.to_string()]].concat());
        let proxy = CuttingProxy::start(SocketAddr::from(([127, 0, 0, 1], port)), 10);
        let mut queue = Self { server, proxy, workers: Vec::new() };
        queue.workers = (0..workers).map(|_| queue.worker(place)).collect();
        queue
    }

    fn address(&self) -> String {
        format!("redis://{}/", self.proxy.address())
    }

    fn worker(&self, place: &Place) -> Worker {
        Worker::start_with(place, &self.address(), &[])
    }

    /// SIGKILL to a worker, another one in its place; and to the server now and then, which comes back to its file.
    fn suffer(&mut self, place: &Place, faults: &mut Faults) {
        let chosen = faults.kills % self.workers.len();
        self.workers[chosen] = self.worker(place);
        faults.worker_kills += 1;
        if faults.kills % 3 == 1 {
            self.server.kill();
            self.server.restart();
            faults.queue_kills += 1;
        }
    }
}

fn wanted() -> usize {
    std::env::var("STIPPLE_FAULTS").map_or(200, |number| number.parse().unwrap())
}

/// Senders that make and send reports until they are told to stop; each is sent until it is acknowledged.
fn send_until(
    stop: &AtomicBool,
    place: &Place,
    to: SocketAddr,
    seed: u64,
    acknowledged: &Mutex<Vec<[u8; REPORT_LEN]>>,
) {
    let (mut stream, count) = (None::<TcpStream>, AtomicUsize::new(0));
    let weeks = ["2026-W47", "2026-W48", "2026-W49"];
    for (n, week_of) in (0..).zip(weeks.iter().cycle()) {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let share = reports(&place.catalogue, week(week_of), seed * 1_000_000 + n, 8);
        post_stubbornly(&mut stream, to, &share, &count);
        acknowledged.lock().unwrap().extend(share);
    }
}

fn start(place: &Place, listen: SocketAddr, queue: Option<&Queue>, file_limit: Option<u32>) -> Program {
    let mut program = Program::serve(place, listen);
    if let Some(queue) = queue {
        program.args(["--queue", &queue.address()]);
    }
    if let Some(blocks) = file_limit {
        // No file may grow beyond the limit: as a full disk, whoever runs the test.
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -f $0 && trap '' XFSZ && exec \"$@\"", &blocks.to_string()]);
        shell.arg(program.get_program()).args(program.get_args()).current_dir(place.folder.path());
        shell.env_remove("STATE_DIRECTORY").env("STIPPLE_CATALOG", "catalogue");
        program = shell;
    }
    program.stdout(Stdio::piped()).stderr(Stdio::null());
    loop {
        // Its first connection to the queue may be cut; then it is started again, as its unit does.
        match Program::listening(program.spawn().unwrap()) {
            Ok(program) => return program,
            Err(ended) => assert!(queue.is_some(), "{:?}", ended.wait_with_output()),
        }
    }
}

/// Lets faults happen to servers and connections until there are enough, then checks every count. With workers, a queue stands
/// between intake and store.
fn survive(mut place: Place, workers: usize) {
    let (wanted, mut rng) = (wanted(), ChaCha20Rng::seed_from_u64(8));
    let mut postgres = place.postgres.take();
    let store = postgres.as_ref().map_or("sqlite:counts.sqlite".to_owned(), PostgresServer::address);
    place.address = Some(store);
    let mut queue = (workers > 0).then(|| Queue::start(&place, workers));
    let mut program = start(&place, SocketAddr::from(([127, 0, 0, 1], 0)), queue.as_ref(), None);
    let address = program.address;
    let proxy = CuttingProxy::start(address, 9);
    let (stop, acknowledged, mut faults) = (AtomicBool::new(false), Mutex::new(Vec::new()), Faults::default());
    std::thread::scope(|scope| {
        for seed in 0..SENDERS {
            let (place, stop, acknowledged, to) = (&place, &stop, &acknowledged, proxy.address());
            scope.spawn(move || send_until(stop, place, to, seed, acknowledged));
        }
        let mut happened = 0;
        while happened < wanted || faults.kills < 10 || queue.is_some() && faults.queue_kills < 10 {
            std::thread::sleep(Duration::from_millis(rng.random_range(5..150)));
            program.kill();
            faults.kills += 1;
            let full = postgres.is_none() && queue.is_none() && faults.kills % 4 == 0;
            if faults.kills % 8 == 5
                && let Some(server) = &mut postgres
            {
                server.kill();
                server.restart();
                faults.database_kills += 1;
            }
            if let Some(queue) = &mut queue {
                queue.suffer(&place, &mut faults);
            }
            faults.full_disks += usize::from(full);
            // Some room, so that it fills up while it runs.
            let blocks = || u32::try_from(std::fs::metadata(place.file()).unwrap().len() / 512).unwrap() + 400;
            program = start(&place, address, queue.as_ref(), full.then(blocks));
            let killed = faults.kills + faults.worker_kills + faults.queue_kills + faults.database_kills;
            happened = killed + faults.full_disks + proxy.cuts() + queue.as_ref().map_or(0, |queue| queue.proxy.cuts());
        }
        program.kill();
        program = start(&place, address, queue.as_ref(), None);
        stop.store(true, Ordering::SeqCst);
    });
    let cuts = proxy.cuts();
    assert!(program.terminate().status.success());
    place.postgres = postgres;
    let acknowledged = acknowledged.into_inner().unwrap();
    println!("{} reports acknowledged, {cuts} connections cut, {faults:?}", acknowledged.len());
    assert!(cuts >= 20 && faults.kills >= 10 && acknowledged.len() > 200, "too little happened");
    if let Some(queue) = queue {
        println!("{} connections to the queue cut", queue.proxy.cuts());
        assert!(queue.proxy.cuts() >= 10, "too little happened");
        place.redis = Some(queue.server);
        // Killed as well: what they were given, another one takes over.
        drop(queue.workers);
        place.worker = Some(Worker::start(&place));
    }
    assert_eq!(place.export().0, expected(&place.catalogue, &acknowledged));
    if place.redis.is_some() {
        let status = place.queue_status();
        println!("{status}");
        assert!(!status.has_losses() && status.appended >= acknowledged.len() as u64, "{status}");
    }
}

#[test]
fn sqlite_counts_what_it_acknowledged_under_faults() {
    survive(Place::new(), 0);
}

#[test]
fn postgres_counts_what_it_acknowledged_under_faults() {
    survive(Place::with_postgres(), 0);
}

#[test]
fn what_is_acknowledged_into_redis_is_counted_into_sqlite_under_faults() {
    survive(Place::new(), 1);
}

#[test]
fn what_is_acknowledged_into_redis_is_counted_into_postgres_under_faults() {
    survive(Place::with_postgres(), 2);
}

/// The limit of the test above is real: a server that may not write answers 503, and serves again once it may.
#[test]
fn a_disk_without_room_refuses_until_there_is_some() {
    let place = Place::new();
    let mut program = start(&place, SocketAddr::from(([127, 0, 0, 1], 0)), None, Some(400));
    let sent = reports(&place.catalogue, week("2026-W48"), 77, 4000);
    let post = |program: &Program, report: &[u8]| {
        support::request(program.address, "POST", "/v1/reports", &[], report).unwrap()
    };
    let refused = sent.iter().position(|report| post(&program, report).status == 503).expect("200 kB were enough");
    assert_eq!(post(&program, &sent[refused]).problem(), "store-unavailable");
    program.kill();
    let program = Program::start(&place, SocketAddr::from(([127, 0, 0, 1], 0)));
    for report in &sent[..=refused] {
        assert_eq!(post(&program, report).status, 204);
    }
    assert!(program.terminate().status.success());
    assert_eq!(place.export().0, expected(&place.catalogue, &sent[..=refused]));
}

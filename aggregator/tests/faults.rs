// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faults by the hundred, and senders that try again: what was acknowledged is what is counted, to the report.
//!
//! `STIPPLE_FAULTS=2000 cargo test -p stipple-aggregator --test faults` for more of them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::net::{SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use stipple_catalog::REPORT_LEN;
use support::proxy::CuttingProxy;
use support::{Place, PostgresServer, Program, expected, post_stubbornly, reports, week};

const SENDERS: u64 = 6;

/// What a run has gone through.
#[derive(Debug, Default)]
struct Faults {
    kills: usize,
    database_kills: usize,
    full_disks: usize,
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

fn start(place: &Place, listen: SocketAddr, file_limit: Option<u32>) -> Program {
    let Some(blocks) = file_limit else { return Program::start(place, listen) };
    // No file may grow beyond the limit: as a full disk, whoever runs the test.
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f $0 && trap '' XFSZ && exec \"$@\"", &blocks.to_string()]);
    let program = Program::serve(place, listen);
    shell.arg(program.get_program()).args(program.get_args()).current_dir(place.folder.path());
    shell
        .env_remove("STATE_DIRECTORY")
        .env("STIPPLE_CATALOG", "catalogue")
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    Program::attach(shell.spawn().unwrap())
}

/// Lets faults happen to servers and connections until there are enough, then checks every count.
fn survive(mut place: Place) {
    let (wanted, mut rng) = (wanted(), ChaCha20Rng::seed_from_u64(8));
    let mut program = start(&place, SocketAddr::from(([127, 0, 0, 1], 0)), None);
    let address = program.address;
    let proxy = CuttingProxy::start(address, 9);
    let (stop, acknowledged, mut faults) = (AtomicBool::new(false), Mutex::new(Vec::new()), Faults::default());
    let mut postgres = place.postgres.take();
    let store = postgres.as_ref().map_or("sqlite:counts.sqlite".to_owned(), PostgresServer::address);
    place.address = Some(store);
    std::thread::scope(|scope| {
        for seed in 0..SENDERS {
            let (place, stop, acknowledged, to) = (&place, &stop, &acknowledged, proxy.address());
            scope.spawn(move || send_until(stop, place, to, seed, acknowledged));
        }
        let mut happened = 0;
        while happened < wanted || faults.kills < 10 {
            std::thread::sleep(Duration::from_millis(rng.random_range(5..150)));
            program.kill();
            faults.kills += 1;
            let full = postgres.is_none() && faults.kills % 4 == 0;
            if faults.kills % 8 == 5
                && let Some(server) = &mut postgres
            {
                server.kill();
                server.restart();
                faults.database_kills += 1;
            }
            faults.full_disks += usize::from(full);
            // Some room, so that it fills up while it runs.
            let blocks = || u32::try_from(std::fs::metadata(place.file()).unwrap().len() / 512).unwrap() + 400;
            program = start(&place, address, full.then(blocks));
            happened = faults.kills + faults.database_kills + faults.full_disks + proxy.cuts();
        }
        program.kill();
        program = start(&place, address, None);
        stop.store(true, Ordering::SeqCst);
    });
    let cuts = proxy.cuts();
    assert!(program.terminate().status.success());
    place.postgres = postgres;
    let acknowledged = acknowledged.into_inner().unwrap();
    println!("{} reports acknowledged, {cuts} connections cut, {faults:?}", acknowledged.len());
    assert!(cuts >= 20 && faults.kills >= 10 && acknowledged.len() > 200, "too little happened");
    assert_eq!(place.export().0, expected(&place.catalogue, &acknowledged));
}

#[test]
fn sqlite_counts_what_it_acknowledged_under_faults() {
    survive(Place::new());
}

#[test]
fn postgres_counts_what_it_acknowledged_under_faults() {
    survive(Place::with_postgres());
}

/// The limit of the test above is real: a server that may not write answers 503, and serves again once it may.
#[test]
fn a_disk_without_room_refuses_until_there_is_some() {
    let place = Place::new();
    let mut program = start(&place, SocketAddr::from(([127, 0, 0, 1], 0)), Some(400));
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

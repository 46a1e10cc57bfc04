// SPDX-License-Identifier: MIT OR Apache-2.0
//! What only a queue can get wrong: workers and servers that go away, entries that are stuck, lost or left behind.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicUsize, Ordering};

use stipple_aggregator::{Config, Server};
use stipple_catalog::REPORT_LEN;
use support::redis::{DURABLE, RedisServer, address_of};
use support::{Place, Program, Running, Worker, folder_holds, id_of, post_stubbornly, reports, wait_for, week};

const STREAM: &str = "stipple:{testing}:reports";
const LATER: &str = "2026-12-24T12:00:00Z";

fn redis(place: &Place) -> &RedisServer {
    place.redis.as_ref().unwrap()
}

fn refusal(config: Config) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Server::bind(config)).err().unwrap().to_string()
}

/// Appends each report as an entry of its own.
fn append(place: &Place, sent: &[[u8; REPORT_LEN]]) {
    let server = Running::start(place.config(&Place::clock()));
    for report in sent {
        assert_eq!(server.post(report).status, 204);
    }
    server.stop();
}

/// Appends reports as one entry.
fn post_batch(server: &Running, batch: &[[u8; REPORT_LEN]]) {
    let headers = ["Content-Type: application/vnd.stipple.reports"];
    let answer = support::request(server.address, "POST", "/v1/reports", &headers, batch.as_flattened()).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// `queue-status --json` and whether its exit code says that all is well.
fn queue_status(place: &Place) -> (bool, serde_json::Value) {
    let mut command = Program::command(place);
    command.args(["queue-status", "--json", "--phase", "testing", "--queue", &redis(place).address()]);
    let output = command.output().unwrap();
    (output.status.success(), serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn a_report_that_is_acknowledged_waits_for_a_worker_in_an_order_that_tells_nothing() {
    let place = Place::new().with_queue();
    let server = Running::start(place.config(&Place::clock()));
    let mut sent = reports(&place.catalogue, week("2026-W48"), 1, 200);
    sent.sort_unstable();
    sent.reverse();
    post_batch(&server, &sent);
    server.stop();
    let (well, status) = queue_status(&place);
    assert!(well);
    let expected = serde_json::json!({
        "appended": 200, "drained": 0, "waiting": 1, "pending": 0, "lost": 0, "late": 0, "consumers": 0,
    });
    assert_eq!(status, expected);
    let client = ::redis::Client::open(redis(&place).address()).unwrap();
    let entries: Vec<(String, Vec<Vec<u8>>)> =
        ::redis::cmd("XRANGE").arg(&[STREAM, "-", "+"]).query(&mut client.get_connection().unwrap()).unwrap();
    sent.reverse();
    assert_eq!(entries[0].1[3], sent.as_flattened(), "not sorted by id");
    let worker = Worker::start(&place);
    assert_eq!(place.export().1["reports"], 200);
    assert!(worker.terminate());
    // Who leaves in good order is gone at once.
    assert_eq!(queue_status(&place).1["consumers"], 0);
}

#[test]
fn a_server_that_could_lose_reports_is_refused_with_what_to_set() {
    let mut place = Place::new();
    for (options, fault) in [
        (&["--appendonly", "no", "--save", ""][..], "appendonly is no and must be yes"),
        (&["--appendonly", "yes", "--save", ""], "appendfsync is everysec and must be always"),
        (&[&DURABLE[..4], &["--save", "60 1"]].concat(), "save is 60 1 and must be \"\""),
        (&[&DURABLE[..], &["--no-appendfsync-on-rewrite", "yes"]].concat(), "no-appendfsync-on-rewrite is yes"),
        (&[&DURABLE[..], &["--maxmemory-policy", "allkeys-lru"]].concat(), "maxmemory-policy is allkeys-lru"),
    ] {
        place.redis = Some(RedisServer::start_with(options));
        let message = refusal(place.config(&Place::clock()));
        assert!(message.contains(fault) && message.contains("CONFIG SET"), "{message}");
        let output = Program::command(&place)
            .args(["count", "--phase", "testing", "--store", &place.store_text(), "--queue"])
            .arg(redis(&place).address())
            .output()
            .unwrap();
        assert!(!output.status.success() && support::contains(&output.stderr, fault.as_bytes()), "{output:?}");
    }
}

#[test]
fn a_server_that_hides_its_settings_is_used_with_a_warning() {
    let place = Place::new().with_queue();
    redis(&place).ask(&["ACL", "SETUSER", "default", "-config"]);
    let mut program = Program::start(&place, SocketAddr::from(([127, 0, 0, 1], 0)));
    let sent = reports(&place.catalogue, week("2026-W48"), 2, 1);
    assert_eq!(support::request(program.address, "POST", "/v1/reports", &[], &sent[0]).unwrap().status, 204);
    assert!(program.child.try_wait().unwrap().is_none());
    let output = program.terminate();
    assert!(support::contains(&output.stderr, b"does not show its settings"), "{output:?}");
}

#[test]
fn a_server_that_is_not_there_is_named_without_the_password() {
    let place = Place::new();
    let mut config = place.config(&Place::clock());
    config.queue = Some("redis://counter:hunter2@127.0.0.1:1/".parse().unwrap());
    let message = refusal(config);
    assert!(message.contains("redis://127.0.0.1:1/") && !message.contains("hunter2"), "{message}");
}

#[test]
fn a_clock_before_a_closed_week_is_refused() {
    let place = Place::new().with_queue();
    let clock = Place::clock();
    Running::start(place.config(&clock)).stop();
    clock.set("2026-10-01T00:00:00Z".parse().unwrap());
    let message = refusal(place.config(&clock));
    assert!(message.contains("2026-W46") && message.contains("2026-W40"), "{message}");
}

#[test]
fn kill_9_of_workers_loses_nothing_and_doubles_nothing() {
    let place = Place::with_postgres().with_queue();
    let sent = reports(&place.catalogue, week("2026-W48"), 3, 80_000);
    let server = Running::start(place.config(&Place::clock()));
    sent.chunks(500).for_each(|batch| post_batch(&server, batch));
    server.stop();
    let at_work = |_| {
        let before = place.queue_status();
        let worker = Worker::start(&place);
        wait_for("it has begun", || {
            let status = place.queue_status();
            (status.pending, status.drained) != (before.pending, before.drained)
        });
        drop(worker);
        place.queue_status().pending > 0
    };
    assert_eq!((0..4).map(at_work).filter(|at_work| *at_work).count(), 4, "a worker was killed at rest");
    let worker = Worker::start(&place);
    assert_eq!(place.export().1["reports"], 80_000);
    wait_for("those that are gone are forgotten", || place.queue_status().consumers == 1);
    let (well, status) = queue_status(&place);
    assert!(well && status["lost"] == 0 && status["waiting"] == 0 && status["pending"] == 0, "{status}");
    assert!(worker.terminate());
}

#[test]
fn what_a_dead_worker_was_given_and_had_committed_is_taken_over_and_counted_once() {
    let mut place = Place::new().drained();
    let sent = reports(&place.catalogue, week("2026-W48"), 4, 50);
    append(&place, &sent);
    place.settle();
    // As after a crash between commit and settling: the entry is there again, and another consumer has it.
    place.worker = None;
    append(&place, &sent);
    let read = ["XREADGROUP", "GROUP", "count", "dead", "COUNT", "20", "STREAMS", STREAM, ">"];
    redis(&place).ask(&read);
    assert_eq!(place.queue_status().pending, 20);
    place.worker = Some(Worker::start(&place));
    assert_eq!(place.export().1["reports"], 50);
    let status = place.queue_status();
    assert_eq!((status.appended, status.drained, status.waiting, status.late), (100, 100, 0, 0));
}

#[test]
fn kill_9_of_the_server_loses_nothing_acknowledged() {
    let mut place = Place::new().with_queue();
    let sent = reports(&place.catalogue, week("2026-W48"), 5, 1200);
    let program = Program::start(&place, SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut worker = Worker::start(&place);
    let acknowledged = AtomicUsize::new(0);
    let address = program.address;
    let server = place.redis.as_mut().unwrap();
    std::thread::scope(|scope| {
        for share in sent.chunks(300) {
            scope.spawn(|| post_stubbornly(&mut None, address, share, &acknowledged));
        }
        for kill in 1..=3 {
            wait_for("a part is acknowledged", || acknowledged.load(Ordering::SeqCst) >= kill * 300);
            server.kill();
            if kill == 2 {
                // Nobody counts for a while: all lies in the file.
                worker = Worker::start_with(&Place::new(), "redis://127.0.0.1:1/", &[]);
            }
            server.restart();
        }
    });
    drop(worker);
    assert_eq!(acknowledged.into_inner(), 1200);
    place.worker = Some(Worker::start(&place));
    assert_eq!(place.export().1["reports"], 1200);
    assert!(queue_status(&place).0);
    assert!(program.terminate().status.success());
}

#[test]
fn two_workers_share_a_queue_and_a_store() {
    let mut place = Place::with_postgres().with_queue();
    let sent = reports(&place.catalogue, week("2026-W48"), 6, 4000);
    append(&place, &sent[..3000]);
    append(&place, &sent[2000..]);
    let mut workers: Vec<Worker> = [(); 2].map(|()| Worker::start(&place)).into();
    assert_eq!(place.export().1["reports"], 4000);
    wait_for("both are there", || place.queue_status().consumers == 2);
    let status = place.queue_status();
    assert_eq!((status.appended, status.drained, status.lost, status.late), (5000, 5000, 0, 0));
    // One alone goes on.
    assert!(workers.pop().unwrap().terminate());
    append(&place, &reports(&place.catalogue, week("2026-W48"), 7, 100));
    assert_eq!(place.export().1["reports"], 4100);
    place.worker = workers.pop();
}

#[test]
fn a_store_that_goes_away_stops_nobody_for_good() {
    let mut place = Place::with_postgres().drained();
    append(&place, &reports(&place.catalogue, week("2026-W48"), 8, 40));
    place.settle();
    place.postgres.as_mut().unwrap().kill();
    append(&place, &reports(&place.catalogue, week("2026-W48"), 9, 40));
    wait_for("the worker tries", || place.worker.as_ref().unwrap().log().contains("trying again"));
    assert_eq!(place.queue_status().drained, 40);
    place.postgres.as_mut().unwrap().restart();
    assert_eq!(place.export().1["reports"], 80);
}

#[test]
fn a_trimmed_stream_is_seen() {
    let place = Place::new().with_queue();
    append(&place, &reports(&place.catalogue, week("2026-W48"), 10, 30));
    assert!(queue_status(&place).0);
    redis(&place).ask(&["XTRIM", STREAM, "MAXLEN", "18"]);
    let (well, status) = queue_status(&place);
    assert!(!well);
    assert_eq!((&status["appended"], &status["waiting"], &status["lost"]), (&30.into(), &18.into(), &12.into()));
    let worker = Worker::start(&place);
    wait_for("the worker says so", || worker.log().contains("12 entries are missing"));
    wait_for("the rest is counted", || place.queue_status().drained == 18);
    assert!(!queue_status(&place).0);
    // The text says the same.
    let mut command = Program::command(&place);
    let output =
        command.args(["queue-status", "--phase", "testing", "--queue", &redis(&place).address()]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!output.status.success() && text.contains("entries lost                12"), "{text}");
}

/// What Prometheus is told.
fn scrape(server: &Running) -> String {
    let answer = support::request(server.metrics.unwrap(), "GET", "/metrics", &[], b"").unwrap();
    String::from_utf8(answer.body).unwrap()
}

#[test]
fn the_metrics_of_an_intake_tell_of_its_queue_and_of_no_store() {
    let mut place = Place::new().with_queue();
    append(&place, &reports(&place.catalogue, week("2026-W48"), 21, 30));
    redis(&place).ask(&["XTRIM", STREAM, "MAXLEN", "18"]);
    let mut config = place.config(&Place::clock());
    config.metrics = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let server = Running::start(config.clone());
    let text = scrape(&server);
    for line in [
        "stipple_queue_readable 1",
        "stipple_queue_entries_waiting 18",
        "stipple_queue_entries_lost 12",
        "stipple_queue_reports_late 0",
        "stipple_queue_workers 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
    }
    assert!(!text.contains("stipple_store_readable") && !text.contains("stipple_ids"), "{text}");
    server.stop();
    // A queue that is away shows as such, and nothing is made up about what it holds.
    let server = Running::start(config);
    place.redis.as_mut().unwrap().kill();
    let text = scrape(&server);
    assert!(text.contains("\nstipple_queue_readable 0\n") && !text.contains("stipple_queue_entries"), "{text}");
    place.redis.as_mut().unwrap().restart();
    server.stop();
}

#[test]
fn a_server_that_comes_back_empty_is_seen() {
    let place = Place::new().drained();
    let program = Program::start(&place, SocketAddr::from(([127, 0, 0, 1], 0)));
    let sent = reports(&place.catalogue, week("2026-W48"), 11, 20);
    let post = |report| support::request(program.address, "POST", "/v1/reports", &[], report).unwrap().status;
    assert!(sent[..15].iter().all(|report| post(report) == 204));
    place.settle();
    redis(&place).ask(&["FLUSHALL"]);
    assert!(sent[15..].iter().all(|report| post(report) == 204));
    wait_for("what came after is counted", || place.queue_status().drained == 5);
    // Nobody can know that the worker had counted them.
    assert_eq!(place.queue_status().lost, 15);
    let output = program.terminate();
    assert!(support::contains(&output.stderr, b"up to 15 acknowledged reports"), "{output:?}");
    assert!(!queue_status(&place).0);
}

/// A server that others can follow, on a port of its own, and its port.
fn primary() -> (RedisServer, String) {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string();
    (RedisServer::start_with(&[&DURABLE[..], &["--port", &port]].concat()), port)
}

#[test]
fn with_replicas_asked_for_a_report_is_acknowledged_when_they_have_it() {
    let (primary, port) = primary();
    let place = Place { redis: Some(primary), ..Place::new() };
    let mut config = place.config(&Place::clock());
    config.queue_replicas = 1;
    let server = Running::start(config);
    let sent = reports(&place.catalogue, week("2026-W48"), 12, 100);
    assert_eq!(server.post(&sent[0]).problem(), "store-unavailable");
    let replica = RedisServer::start_with(&[&DURABLE[..], &["--replicaof", &format!("127.0.0.1 {port}")]].concat());
    wait_for("the replica follows", || server.post(&sent[0]).status == 204);
    for report in &sent {
        assert_eq!(server.post(report).status, 204);
    }
    server.stop();
    assert!(replica.ask(&["INFO", "replication"]).contains("role:slave"));
}

#[test]
fn fail_over_to_a_replica_loses_nothing_acknowledged() {
    let (mut primary, port) = primary();
    let replica = RedisServer::start_with(&[&DURABLE[..], &["--replicaof", &format!("127.0.0.1 {port}")]].concat());
    let place = Place::new();
    // The address leads to whoever is primary.
    let current = place.path("current");
    symlink(primary.socket(), &current).unwrap();
    let queue = address_of(&current);
    let mut command = Program::command(&place);
    command.args(["serve", "--phase", "testing", "--now", support::NOW, "--listen", "127.0.0.1:0"]);
    command.args(["--queue", &queue, "--queue-replicas", "1"]).stdout(std::process::Stdio::piped());
    let mut program = Program::attach(command.stderr(std::process::Stdio::piped()).spawn().unwrap());
    let worker = Worker::start_with(&place, &queue, &[]);
    let sent = reports(&place.catalogue, week("2026-W48"), 13, 800);
    let acknowledged = AtomicUsize::new(0);
    let address = program.address;
    let before = std::thread::scope(|scope| {
        for share in sent.chunks(200) {
            let acknowledged = &acknowledged;
            scope.spawn(move || {
                // Until the primary dies; then nobody is acknowledged any more.
                for report in share {
                    let answer = support::request(address, "POST", "/v1/reports", &[], report);
                    if !answer.is_ok_and(|answer| answer.status == 204) && acknowledged.load(Ordering::SeqCst) > 300 {
                        break;
                    }
                    acknowledged.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        wait_for("a part is acknowledged", || acknowledged.load(Ordering::SeqCst) > 300);
        primary.kill();
        acknowledged.load(Ordering::SeqCst)
    });
    assert!(before < 800);
    program.kill();
    replica.ask(&["REPLICAOF", "NO", "ONE"]);
    std::fs::remove_file(&current).unwrap();
    symlink(replica.socket(), &current).unwrap();
    let place = Place { redis: Some(replica), worker: Some(worker), ..place };
    let counted = place.export().1["reports"].as_u64().unwrap();
    assert!(counted >= acknowledged.into_inner() as u64, "{counted}");
    assert!(queue_status(&place).0);
}

#[test]
fn an_entry_that_the_catalogue_cannot_read_stays_until_one_can() {
    let mut place = Place::new().with_queue();
    let sent = reports(&place.catalogue, week("2026-W48"), 14, 40);
    append(&place, &sent[..39]);
    // A worker that knows another definition of everything, then one that knows ours.
    support::write_catalogue(&place.path("other/catalogue"), 2.0);
    let other = place.path("other/catalogue");
    let stale = Worker::start_with(&place, &redis(&place).address(), &["--catalog", other.to_str().unwrap()]);
    wait_for("it is said", || stale.log().contains("cannot be read with this catalogue"));
    assert!(!sent.iter().any(|report| stale.log().contains(&stipple_catalog::hex(id_of(report)))));
    let status = place.queue_status();
    assert_eq!((status.waiting, status.drained, status.lost), (39, 0, 0));
    assert!(stale.terminate());
    place.worker = Some(Worker::start(&place));
    assert_eq!(place.export().1["reports"], 39);
    // What nobody can read stops nobody.
    redis(&place).ask(&["XADD", STREAM, "*", "reports", "no report"]);
    append(&place, &sent[39..]);
    wait_for("the next is counted", || place.queue_status().drained == 40);
    let status = place.queue_status();
    assert_eq!((status.waiting, status.pending), (1, 1));
}

#[test]
fn a_report_that_waits_keeps_its_week_open() {
    let mut place = Place::new().with_queue();
    let clock = Place::clock();
    let old = reports(&place.catalogue, week("2026-W47"), 15, 20);
    let new = reports(&place.catalogue, week("2026-W49"), 16, 20);
    let server = Running::start(place.config(&clock));
    assert!(old.iter().all(|report| server.post(report).status == 204));
    // Months on, still nobody has counted.
    clock.set(LATER.parse().unwrap());
    assert_eq!(server.post(&old[0]).problem(), "late");
    assert!(new.iter().all(|report| server.post(report).status == 204));
    place.worker = Some(Worker::start(&place));
    assert_eq!(place.export().1["reports"], 40);
    assert_eq!(place.known(&old), 0, "an id outlives its week");
    // The intakes agree on what is closed, whatever their clocks say.
    clock.set(support::NOW.parse().unwrap());
    assert_eq!(server.post(&old[0]).problem(), "late");
    server.stop();
    assert!(queue_status(&place).0);
}

#[test]
fn a_report_whose_week_the_store_has_closed_is_seen() {
    let place = Place::new();
    let clock = Place::clock();
    clock.set(LATER.parse().unwrap());
    // Somebody counts into the store directly.
    Running::start(place.config(&clock)).stop();
    let place = place.with_queue();
    append(&place, &reports(&place.catalogue, week("2026-W47"), 17, 5));
    append(&place, &reports(&place.catalogue, week("2026-W49"), 18, 5));
    let worker = Worker::start(&place);
    wait_for("all is drained", || place.queue_status().drained == 10);
    let (well, status) = queue_status(&place);
    assert!(!well && status["late"] == 5, "{status}");
    wait_for("it is said", || worker.log().contains("5 acknowledged reports were not counted"));
}

#[test]
fn nothing_of_a_report_stays_in_the_files_of_the_server() {
    let mut place = Place::new().with_queue();
    let sent = reports(&place.catalogue, week("2026-W48"), 19, 200);
    append(&place, &sent);
    let data = redis(&place).data();
    assert!(sent.iter().all(|report| folder_holds(&data, report)), "the search finds nothing");
    place.worker = Some(Worker::start(&place));
    place.settle();
    wait_for("ids and reports are gone", || {
        !sent.iter().any(|report| folder_holds(&data, id_of(report)) || folder_holds(&data, &report[25..]))
    });
    // And again.
    let sent = reports(&place.catalogue, week("2026-W48"), 20, 50);
    append(&place, &sent);
    place.settle();
    wait_for("ids and reports are gone", || !sent.iter().any(|report| folder_holds(&data, id_of(report))));
    assert_eq!(place.export().1["reports"], 250);
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every refusal, as a client sees it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use stipple_catalog::Catalogue;
use support::{Answer, Place, Running, contains, id_of, reports, request, week, write_catalogue};

fn assert_refused(answer: &Answer, status: u16, name: &str, sent: &[u8]) {
    assert_eq!((answer.status, answer.problem().as_str()), (status, name));
    assert!(!answer.head.to_lowercase().contains("server:") && !answer.head.to_lowercase().contains("set-cookie"));
    // Nothing that was sent comes back, raw or in hexadecimal.
    for echoed in sent.chunks(4).filter(|chunk| chunk.len() == 4 && chunk.iter().all(|&byte| byte > 0)) {
        assert!(!contains(&answer.body, echoed), "{answer:?}");
        assert!(!contains(&answer.body, stipple_catalog::hex(echoed).as_bytes()), "{answer:?}");
    }
}

#[test]
fn what_is_no_report_is_refused() {
    let place = Place::new();
    let server = Running::start(place.config(&Place::clock()));
    let good = reports(&place.catalogue, week("2026-W48"), 1, 4);
    let colour = good[1]; // the metrics come in the order of their ids
    let with = |at: usize, byte: u8| {
        let mut bytes = colour;
        bytes[at] = byte;
        bytes.to_vec()
    };
    let cases = [
        (Vec::new(), 400, "malformed"),
        (colour[..63].to_vec(), 400, "malformed"),
        ([&colour[..], &[7]].concat(), 400, "malformed"),
        (with(0, 2), 400, "malformed"),
        (with(63, 1), 400, "malformed"),
        (with(43, 0xff), 400, "malformed"), // a mask with too many bits
        (vec![b'A'; 129], 413, "too-large"),
        (with(17, colour[17] ^ 1), 422, "unknown-metric"),
        (with(25, colour[25] ^ 1), 422, "stale-definition"),
    ];
    for (body, status, name) in cases {
        assert_refused(&server.post(&body), status, name, &body);
    }
    let coded = request(server.address, "POST", "/v1/reports", &["Content-Encoding: gzip"], &colour).unwrap();
    assert_refused(&coded, 415, "content-coding", &colour);
    server.stop();
    assert_eq!(place.export().1["reports"], 0);
}

#[test]
fn weeks_are_open_when_they_are_over_and_until_their_window_closes() {
    let place = Place::new();
    let clock = Place::clock();
    let server = Running::start(place.config(&clock));
    let refuse = |week_text: &str, status: u16, name: &str| {
        let report = reports(&place.catalogue, week(week_text), 2, 1)[0];
        assert_refused(&server.post(&report), status, name, &report);
    };
    refuse("2026-W45", 422, "late");
    refuse("2026-W46", 422, "expired-metric"); // open, but the metrics were introduced on the Monday after
    refuse("2026-W50", 425, "early");
    clock.set("2027-01-21T12:00:00Z".parse().unwrap());
    refuse("2027-W02", 422, "expired-metric");
    // The last day of collection, 2027-01-08, lies in this week.
    assert_eq!(server.post(&reports(&place.catalogue, week("2027-W01"), 3, 1)[0]).status, 204);
    server.stop();
}

#[test]
fn other_addresses_and_methods_are_problems_too() {
    let place = Place::new();
    let server = Running::start(place.config(&Place::clock()));
    let ask = |method, path| request(server.address, method, path, &[], b"").unwrap();
    assert_refused(&ask("GET", "/secret-path"), 404, "not-found", b"secret-path");
    let refused = ask("PUT", "/v1/reports");
    assert_refused(&refused, 405, "method-not-allowed", b"");
    assert!(refused.head.to_lowercase().contains("allow: post"), "{refused:?}");
    assert_eq!(ask("GET", "/healthz").status, 200);
    assert_eq!(ask("GET", "/readyz").status, 200);
    let page: serde_json::Value = serde_json::from_slice(&ask("GET", "/v1/catalog").body).unwrap();
    assert_eq!(page["hash"], place.catalogue.hash());
    assert_eq!(page["epsilon_epoch"], 4.0);
    assert_eq!(page["definitions"][1]["id"], "settings.colour");
    server.stop();
}

#[test]
fn a_body_without_a_length_is_limited_too() {
    let place = Place::new();
    let server = Running::start(place.config(&Place::clock()));
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(b"POST /v1/reports HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    for _ in 0..3 {
        stream.write_all(format!("40\r\n{}\r\n", "A".repeat(64)).as_bytes()).unwrap();
    }
    let refused = support::answer(&mut stream).unwrap();
    assert_refused(&refused, 413, "too-large", b"AAAA");
    // In chunks, one report is a report.
    let report = reports(&place.catalogue, week("2026-W48"), 4, 1)[0];
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(b"POST /v1/reports HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    for half in report.chunks(32) {
        stream.write_all(&[b"20\r\n", half, b"\r\n"].concat()).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(support::answer(&mut stream).unwrap().status, 204);
    server.stop();
}

#[test]
fn a_slow_sender_is_cut_off_and_others_are_served() {
    let place = Place::new();
    let mut config = place.config(&Place::clock());
    config.limits.head_time = Duration::from_millis(300);
    config.limits.body_time = Duration::from_millis(300);
    let server = Running::start(config);
    let half_head = "POST /v1/reports HTTP/1.1\r\nHos";
    let half_body = "POST /v1/reports HTTP/1.1\r\nHost: t\r\nContent-Length: 64\r\n\r\nhalf";
    for begun in [half_head, half_body] {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(begun.as_bytes()).unwrap();
        let report = reports(&place.catalogue, week("2026-W48"), begun.len() as u64, 1)[0];
        assert_eq!(server.post(&report).status, 204);
        let (start, mut rest) = (Instant::now(), Vec::new());
        // The end of the connection: no success, whatever else was said.
        let _ = stream.read_to_end(&mut rest);
        assert!(start.elapsed() < Duration::from_secs(10) && !contains(&rest, b" 20"), "{rest:?}");
    }
    server.stop();
}

#[test]
fn a_full_queue_is_answered_503_and_the_report_counts_later() {
    let place = Place::new();
    let mut config = place.config(&Place::clock());
    config.limits.queue = 1;
    let server = Running::start(config);
    let sent = reports(&place.catalogue, week("2026-W48"), 5, 12);
    // Another program holds the store for longer than the writer waits for it.
    let holder = rusqlite::Connection::open(place.file()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let start = Instant::now();
    let (answers, times): (Vec<Answer>, Vec<Duration>) = std::thread::scope(|scope| {
        let post = |report| (server.post(report), start.elapsed());
        let senders: Vec<_> = sent.iter().map(|report| scope.spawn(move || post(&report[..]))).collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).unzip()
    });
    // The writer has one and the queue another; the rest is refused at once and waits for nobody.
    let at_once = times.iter().filter(|time| **time < Duration::from_millis(800)).count();
    assert!(at_once >= 8, "{times:?}");
    for (answer, report) in answers.iter().zip(&sent) {
        assert_refused(answer, 503, "store-unavailable", id_of(report));
        assert!(answer.head.to_lowercase().contains("retry-after: "), "{answer:?}");
    }
    assert_eq!(request(server.address, "GET", "/readyz", &[], b"").unwrap().status, 503);
    assert_eq!(request(server.address, "GET", "/healthz", &[], b"").unwrap().status, 200);
    holder.execute_batch("ROLLBACK").unwrap();
    for report in &sent {
        assert_eq!(server.post(report).status, 204);
    }
    server.stop();
    assert_eq!(place.export().1["reports"], 12);
}

#[test]
fn a_report_of_another_catalogue_is_stale() {
    let place = Place::new();
    let server = Running::start(place.config(&Place::clock()));
    let other = place.path("other/catalogue");
    write_catalogue(&other, 2.0);
    let report = reports(&Catalogue::load(&other).unwrap(), week("2026-W48"), 6, 1)[0];
    assert_refused(&server.post(&report), 422, "stale-definition", &report);
    server.stop();
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Requests of a stock recorder, encoded by GLib itself.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::io::Write as _;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha512};
use stipple_aggregator::REPORT_EVENT;
use stipple_catalog::{REPORT_LEN, hex};
use support::{Answer, Place, Running, id_of, reports, request, week};

/// Encodes a request with these reports as events, payloads wrapped once more where asked, and `others` events of other kinds.
fn encode(reports: &[[u8; REPORT_LEN]], wrapped: bool, others: usize) -> Vec<u8> {
    const SCRIPT: &str = r#"
import json, sys
from gi.repository import GLib
made = json.load(sys.stdin)
def payload(bytes_):
    value = GLib.Variant("ay", bytes(bytes_))
    return GLib.Variant("v", value) if made["wrapped"] else value
singular = [(made["event"], "12 (bookworm)", 5, payload(report)) for report in made["reports"]]
singular += [([n] * 16, "12", n, GLib.Variant("(sau)", ("secret-argument", [n] * n)) if n % 2 else None) for n in range(made["others"])]
aggregate = [([n] * 16, "12", "2026-11-22", n, GLib.Variant("s", "org.gnome.App")) for n in range(made["others"])]
body = GLib.Variant("(xxsa{ss}ya(aysxmv)a(ayssumv))", (1, 2, "unknown", {"city": "y"}, 0, singular, aggregate))
sys.stdout.buffer.write(body.get_data_as_bytes().get_data())
"#;
    let reports: Vec<&[u8]> = reports.iter().map(|report| &report[..]).collect();
    let made = serde_json::json!({ "event": REPORT_EVENT, "reports": reports, "wrapped": wrapped, "others": others })
        .to_string();
    // The system's interpreter: it has GLib's bindings.
    let mut python = Command::new("/usr/bin/python3");
    let mut python = python.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    python.stdin.take().unwrap().write_all(made.as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(body).unwrap();
    packed.finish().unwrap()
}

fn put(server: &Running, body: &[u8], sent: &[u8], headers: &[&str]) -> Answer {
    request(server.address, "PUT", &format!("/3/{}", hex(&Sha512::digest(body))), headers, sent).unwrap()
}

const GZIP: &str = "X-Endless-Content-Encoding: gzip";

#[test]
fn reports_in_events_are_counted_and_other_events_are_discarded() {
    let place = Place::new();
    let server = Running::start(place.config(&Place::clock()));
    let sent = reports(&place.catalogue, week("2026-W48"), 31, 120);
    let late = reports(&place.catalogue, week("2026-W45"), 32, 1);
    for (n, (share, others)) in sent.chunks(40).zip([0, 3, 60]).enumerate() {
        let body = encode(&[share, &late].concat(), n == 1, others);
        let answers = [put(&server, &body, &gzip(&body), &[GZIP]), put(&server, &body, &body, &[])];
        for answer in answers {
            assert_eq!(answer.status, 200, "{answer:?}");
            let outcome: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(outcome, serde_json::json!({ "counted": 40, "refused": 1, "discarded": 2 * others }));
        }
    }
    server.stop();
    assert_eq!(place.export().1["reports"], 120);
    assert!(!place.holds(b"secret-argument") && !place.holds(b"org.gnome.App"), "an event was kept");
}

#[test]
fn what_is_no_request_is_refused_and_not_echoed() {
    let place = Place::new();
    let server = Running::start(place.config(&Place::clock()));
    let sent = reports(&place.catalogue, week("2026-W48"), 33, 2);
    let body = encode(&sent, false, 1);
    let cut = &body[..body.len() - 1];
    for answer in [
        put(&server, b"another body", &body, &[]),
        put(&server, &body, &gzip(&body)[1..], &[GZIP]),
        put(&server, cut, cut, &[]),
        put(&server, b"", b"", &[]),
    ] {
        assert_eq!(answer.problem(), "not-a-request");
        assert!(!support::contains(&answer.body, id_of(&sent[0])));
    }
    assert_eq!(put(&server, &body, &body, &["X-Endless-Content-Encoding: br"]).problem(), "content-coding");
    assert_eq!(put(&server, &body, &vec![0; 300_000], &[]).problem(), "too-large");
    server.stop();
    assert_eq!(place.export().1["reports"], 0);
}

/// 200 MB of zeros in 194 kB.
#[test]
fn a_gzip_bomb_is_refused_before_it_unfolds() {
    let place = Place::new();
    let server = Running::start(place.config(&Place::clock()));
    let bomb = gzip(&vec![0; 200_000_000]);
    assert!((180_000..210_000).contains(&bomb.len()), "{}", bomb.len());
    peak_memory();
    let before = peak_memory();
    for _ in 0..20 {
        assert_eq!(put(&server, b"", &bomb, &[GZIP]).problem(), "too-large");
    }
    let grown = peak_memory() - before;
    assert!(grown < 32 * 1024, "the bombs took {grown} KiB");
    server.stop();
}

/// The most memory that this process has had, in KiB, since the last call.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    // 5 resets the peak to what is in use.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

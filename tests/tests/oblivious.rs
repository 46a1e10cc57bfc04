// SPDX-License-Identifier: MIT OR Apache-2.0
//! A report's way through the real `stipple-upload`, a relay and the real aggregator's gateway into the store.
#![allow(clippy::unwrap_used, reason = "a helper of tests")]

#[path = "../../client-dp/tests/support/program.rs"]
mod program;
#[path = "../../client-dp/tests/support/reports.rs"]
mod reports;
#[path = "../../client-dp/tests/support/server.rs"]
#[allow(dead_code, reason = "every test program uses a part of it")]
mod server;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use server::{Request, Server};
use stipple_catalog::Week;
use stipple_tests::leaks;
use stipple_tests::processes::{Aggregator, program as path_of, run};
use stipple_tests::workstations::noon;

/// The workstation's address, as the relay tells it to the gateway: it must not, and it must not matter.
const WORKSTATION: &str = "203.0.113.7";

/// One exchange over a connection of its own; returns the whole answer.
fn exchange(address: &str, head: &str, body: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("{head}\r\nHost: gateway\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

fn relay(gateway: &str) -> Server {
    let gateway = gateway.to_owned();
    Server::answering(move |_, request: &Request| {
        let head = format!("POST /ohttp HTTP/1.1\r\nContent-Type: message/ohttp-req\r\nX-Forwarded-For: {WORKSTATION}");
        exchange(&gateway, &head, &request.body)
    })
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

fn counted(store: &Path, catalogue: &Path, out: &Path) -> u64 {
    let mut export = Command::new(path_of("stipple-aggregator").unwrap());
    export.arg("export").arg("--store").arg(store).arg("--catalog").arg(catalogue).arg("--out").arg(out).arg("--json");
    let manifest: serde_json::Value = serde_json::from_str(&run(&mut export).unwrap()).unwrap();
    manifest["reports"].as_u64().unwrap()
}

#[test]
fn the_relay_learns_no_report_and_the_gateway_no_address() {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog/metrics");
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| path(name).display().to_string();

    let made = reports::reports();
    let week = Week::from_index(u16::from_le_bytes([made[0].bytes()[41], made[0].bytes()[42]]));
    let same_week = made.iter().filter(|report| report.bytes()[41..43] == made[0].bytes()[41..43]);
    let bytes: Vec<Vec<u8>> = same_week.map(|report| report.bytes().to_vec()).collect();
    let now = noon(week.next(), 2).unwrap().to_string();
    let arguments = ["--store", &text("counts.sqlite"), "--catalog", catalogue.to_str().unwrap(), "--phase", "testing"];
    let gateway = ["--now", &now, "--ohttp-keys-dir", &text("keys")];
    let arguments: Vec<String> = arguments.iter().chain(&gateway).map(|&argument| argument.to_owned()).collect();
    let aggregator = Aggregator::start(&arguments, &path("log")).unwrap();
    let address = aggregator.url.trim_start_matches("http://").to_owned();
    let keys = exchange(&address, "GET /ohttp-keys HTTP/1.1", b"");
    let start = keys.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    std::fs::write(path("pinned"), &keys[start..]).unwrap();

    let relay = relay(&address);
    let upload_with = |keys: &str, report: &[u8]| {
        let mut upload = program::command(path_of("stipple-upload").unwrap());
        // The uploader is not told where the gateway is, and the server's name leads nowhere.
        upload.args(["--server", "https://stipple.example", "--relay", &relay.url, "--ohttp-keys", keys]);
        program::run(&mut upload, report)
    };
    let upload = |report: &[u8]| upload_with(&text("pinned"), report);
    assert_eq!(upload(&bytes[0]), "counted");
    assert_eq!(counted(&path("counts.sqlite"), &catalogue, &path("out")), 1);
    // Again, and whatever else is due: the same report counts once.
    for report in bytes.iter().chain(&bytes) {
        assert_eq!(upload(report), "counted");
    }
    assert_eq!(upload_with(&format!("{}/ohttp-keys", aggregator.url), &bytes[0]), "counted");
    // A report of nobody is refused by the gateway itself, which the relay cannot tell from a count.
    assert_eq!(upload(&[0; 64]), "refused 400");
    // The relay sends everything again.
    for request in relay.requests() {
        exchange(&address, "POST /ohttp HTTP/1.1\r\nContent-Type: message/ohttp-req", &request.body);
    }
    assert_eq!(counted(&path("counts.sqlite"), &catalogue, &path("again")), bytes.len() as u64);

    let seen = relay.requests();
    assert_eq!(seen.len(), 2 * bytes.len() + 3);
    for request in &seen {
        assert_eq!(request.body.len(), seen[0].body.len());
        for report in &bytes {
            assert!(!holds(&request.body, report) && !holds(&request.body, &report[1..17]), "the relay saw a report");
        }
    }
    aggregator.stop().unwrap();
    let needles: Vec<Vec<u8>> = bytes.into_iter().chain([WORKSTATION.into()]).collect();
    assert!(leaks::search(folder.path(), &needles).unwrap().files.is_empty());
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is seen from outside: the OpenAPI document, the metrics and their dashboard, the log, overload.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use ohttp::ClientRequest;
use serde_json::Value;
use sha2::{Digest as _, Sha512};
use stipple_aggregator::KeyPolicy;
use support::{Answer, NOW, Place, Program, Running, answer, id_of, reports, request, week};

const BATCH: &str = "Content-Type: application/vnd.stipple.reports";

fn with_metrics(place: &Place) -> Running {
    let mut config = place.config(&Place::clock());
    config.metrics = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    Running::start(config)
}

fn get(address: SocketAddr, path: &str) -> Answer {
    request(address, "GET", path, &[], b"").unwrap()
}

/// Whether a JSON value has the shape of one of the document's schemas: the keywords that the document uses.
fn fits(document: &Value, schema: &Value, value: &Value) -> bool {
    if let Some(name) = schema["$ref"].as_str() {
        return fits(document, document.pointer(name.strip_prefix('#').unwrap()).unwrap(), value);
    }
    match schema["type"].as_str().unwrap() {
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "number" => value.is_number(),
        "array" => value.as_array().unwrap().iter().all(|item| fits(document, &schema["items"], item)),
        "object" => {
            let (fields, properties) = (value.as_object().unwrap(), schema["properties"].as_object().unwrap());
            assert_eq!(schema["additionalProperties"], false);
            schema["required"].as_array().unwrap().iter().all(|name| fields.contains_key(name.as_str().unwrap()))
                && fields
                    .iter()
                    .all(|(name, field)| properties.get(name).is_some_and(|property| fits(document, property, field)))
        }
        other => panic!("{other}"),
    }
}

/// Every answer that the document names is provoked, and nothing else is answered.
#[test]
fn the_openapi_document_is_what_the_server_answers() {
    let document: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    let place = Place::new();
    let mut config = place.config(&Place::clock());
    let day = SignedDuration::from_hours(24);
    config.ohttp = Some(KeyPolicy { folder: place.path("keys"), rotation: day, overlap: day });
    let server = Running::start(config);
    let good = reports(&place.catalogue, week("2026-W48"), 41, 5);
    let late = reports(&place.catalogue, week("2026-W45"), 42, 1)[0];
    let early = reports(&place.catalogue, week("2026-W50"), 43, 1)[0];
    // The emptiest request of a stock recorder: two numbers, a text, and no events; the last bytes say where parts end.
    let carried = [&[0; 24][..], &[24, 17, 17]].concat();
    let sum: [u8; 64] = Sha512::digest(&carried).into();
    let carry = format!("/3/{}", stipple_catalog::hex(&sum));
    let keys = get(server.address, "/ohttp-keys").body;
    let (sealed, _) = ClientRequest::from_encoded_config_list(&keys).unwrap().encapsulate(b"hello").unwrap();
    let is_sealed = "Content-Type: message/ohttp-req";
    let requests: [(&str, &str, &[&str], &[u8]); 19] = [
        ("GET", "/ohttp-keys", &[], b""),
        ("POST", "/ohttp", &[is_sealed], &sealed),
        ("POST", "/ohttp", &[is_sealed], b"hello"),
        ("POST", "/ohttp", &[is_sealed], &[0; 2000]),
        ("POST", "/ohttp", &[], &sealed),
        ("PUT", &carry, &[], &carried),
        ("PUT", &carry, &[], b"hello"),
        ("PUT", &carry, &[], &vec![0; 300_000]),
        ("PUT", &carry, &["Content-Encoding: gzip"], &carried),
        ("POST", "/v1/reports", &[], &good[0]),
        ("POST", "/v1/reports", &[BATCH], good[..3].as_flattened()),
        ("POST", "/v1/reports", &[], b"hello"),
        ("POST", "/v1/reports", &[], &[0; 200]),
        ("POST", "/v1/reports", &["Content-Encoding: gzip"], &good[0]),
        ("POST", "/v1/reports", &[], &late),
        ("POST", "/v1/reports", &[], &early),
        ("GET", "/v1/catalog", &[], b""),
        ("GET", "/healthz", &[], b""),
        ("GET", "/readyz", &[], b""),
    ];
    let mut seen = BTreeSet::new();
    let mut check = |method: &str, path: &str, answer: &Answer| {
        let path = if path.starts_with("/3/") { "/3/{sha512}" } else { path };
        let operation = &document["paths"][path][method.to_lowercase()];
        let response = &operation["responses"][answer.status.to_string()];
        assert!(response.is_object(), "{method} {path} answers {} and does not say so", answer.status);
        if let Some(content) = response["content"].as_object() {
            let (kind, content) = content.iter().next().unwrap();
            assert!(answer.head.to_lowercase().contains(&format!("content-type: {kind}")), "{answer:?}");
            if !kind.ends_with("json") {
                assert!(!answer.body.is_empty(), "{method} {path}");
                seen.insert(format!("{method} {path} {}", answer.status));
                return;
            }
            let body = serde_json::from_slice(&answer.body).unwrap();
            assert!(fits(&document, &content["schema"], &body), "{method} {path}: {body}");
            if let Some(name) = body["type"].as_str().and_then(|name| name.strip_prefix("urn:stipple:problem:")) {
                assert!(response["description"].as_str().unwrap().contains(name), "{method} {path}: {name}");
            }
        } else {
            assert!(answer.body.is_empty(), "{method} {path}");
        }
        for header in response["headers"].as_object().into_iter().flatten() {
            assert!(answer.head.to_lowercase().contains(&format!("{}: ", header.0.to_lowercase())), "{answer:?}");
        }
        seen.insert(format!("{method} {path} {}", answer.status));
    };
    for (method, path, headers, body) in requests {
        check(method, path, &request(server.address, method, path, headers, body).unwrap());
    }
    // A store that cannot be written to, for a moment.
    let blocker = rusqlite::Connection::open(place.file()).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    check("POST", "/v1/reports", &server.post(&good[4]));
    check("GET", "/readyz", &get(server.address, "/readyz"));
    check("PUT", &carry, &request(server.address, "PUT", &carry, &[], &carried).unwrap());
    drop(blocker);
    server.stop();
    let documented: BTreeSet<String> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| methods.as_object().unwrap().iter().map(move |method| (path, method)))
        .flat_map(|(path, (method, operation))| {
            let statuses = operation["responses"].as_object().unwrap().keys();
            statuses.map(move |status| format!("{} {path} {status}", method.to_uppercase()))
        })
        .collect();
    assert_eq!(seen, documented);
}

/// The router tells nobody its routes, so its source does.
#[test]
fn every_route_is_documented() {
    let document: Value = serde_json::from_str(include_str!("../../docs/openapi.json")).unwrap();
    let mut routes = BTreeSet::new();
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap() {
        let path = entry.unwrap().path();
        // The metrics have a listener of their own.
        if path.is_file() && !path.ends_with("metrics.rs") {
            let source = std::fs::read_to_string(path).unwrap();
            routes.extend(source.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
    let documented: BTreeSet<String> = document["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(routes, documented);
}

#[test]
fn metrics_count_what_happens_on_a_listener_of_their_own() {
    let place = Place::new();
    let server = with_metrics(&place);
    let sent = reports(&place.catalogue, week("2026-W48"), 44, 30);
    for report in sent[..10].iter().chain(&sent[..2]) {
        assert_eq!(server.post(report).status, 204);
    }
    let mut batch = sent.clone();
    batch[0][0] = 9;
    assert_eq!(request(server.address, "POST", "/v1/reports", &[BATCH], batch.as_flattened()).unwrap().status, 200);
    assert_eq!(server.post(b"?").status, 400);
    assert_eq!(server.post(&[0; 300]).status, 413);
    let scraped = get(server.metrics.unwrap(), "/metrics");
    assert_eq!(scraped.status, 200);
    assert!(scraped.head.to_lowercase().contains("content-type: text/plain; version=0.0.4"), "{}", scraped.head);
    let text = String::from_utf8(scraped.body).unwrap();
    for line in [
        "stipple_reports_accepted_total 41",
        "stipple_reports_refused_total{problem=\"malformed\"} 2",
        "stipple_reports_refused_total{problem=\"too-large\"} 1",
        "stipple_batches_total 1",
        "stipple_transaction_reports_count 13",
        "stipple_transaction_reports_sum 41",
        "stipple_transaction_seconds_count 13",
        "stipple_store_errors_total 0",
        "stipple_reports_waiting 0",
        "stipple_store_readable 1",
        "stipple_open_weeks 1",
        "stipple_alarms{kind=\"noise\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}:\n{text}");
    }
    let value = |name: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name}: {text}")).parse().unwrap()
    };
    assert!((30.0..=60.0).contains(&value("stipple_ids")), "{text}");
    assert!((1e6..1e9).contains(&value("process_resident_memory_bytes")), "{text}");
    // The only labels are the name of a problem, the kind of an alarm and the bounds of a histogram.
    for line in text.lines().filter(|line| line.contains('{')) {
        let label = line.split(['{', '=']).nth(1).unwrap();
        assert!(["problem", "kind", "le"].contains(&label) && line.matches('=').count() == 1, "{line}");
    }
    // The public listener has none, and this one nothing else.
    assert_eq!(get(server.address, "/metrics").problem(), "not-found");
    assert_eq!(get(server.metrics.unwrap(), "/v1/catalog").problem(), "not-found");
    server.stop();
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    // One that counts, and one before a queue.
    let scraped = [Place::new(), Place::new().with_queue()].map(|place| {
        let server = with_metrics(&place);
        assert_eq!(server.post(b"?").status, 400);
        let text = String::from_utf8(get(server.metrics.unwrap(), "/metrics").body).unwrap();
        server.stop();
        text
    });
    let text = scraped.concat();
    let exported: BTreeSet<&str> =
        text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(['{', ' ']).next().unwrap()).collect();
    let source = include_str!("../../packaging/grafana/stipple-aggregator.json");
    let dashboard: Value = serde_json::from_str(source).unwrap();
    let mut asked = BTreeSet::new();
    for target in dashboard["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap())
    {
        let query = target["expr"].as_str().unwrap();
        let words = query.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        let names: Vec<&str> = words.filter(|w| w.starts_with("stipple_") || w.starts_with("process_")).collect();
        assert!(!names.is_empty(), "{query}");
        for name in names {
            assert!(exported.contains(name), "{query}: there is no {name}");
            asked.insert(name.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count"));
        }
    }
    // And it leaves none out.
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
    assert_eq!(kinds.collect::<BTreeSet<_>>(), asked);
}

#[test]
fn bodies_beyond_the_limit_are_refused_before_they_are_read() {
    let place = Place::new();
    let mut config = place.config(&Place::clock());
    config.limits.batch = 100;
    config.limits.body_bytes = 4 * 6400 + 64;
    config.limits.body_time = Duration::from_mins(5);
    let server = Running::start(config);
    let report = reports(&place.catalogue, week("2026-W48"), 45, 1)[0];
    // The server asks for the body once there is room for it, with the status 100.
    let begin = || {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(2))).unwrap();
        let head = format!(
            "POST /v1/reports HTTP/1.1\r\nHost: t\r\n{BATCH}\r\nContent-Length: 6400\r\nExpect: 100-continue\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let first = answer(&mut stream).unwrap();
        (stream, first)
    };
    let take = || {
        let (stream, first) = begin();
        assert_eq!(first.status, 100, "{first:?}");
        stream
    };
    let refuse = || {
        let (_, refused) = begin();
        assert_eq!((refused.status, refused.problem().as_str()), (503, "overloaded"));
        assert!(refused.head.to_lowercase().contains("retry-after: 5"), "{refused:?}");
    };
    let mut slow: Vec<TcpStream> = (0..4).map(|_| take()).collect();
    refuse();
    // There is room for one single report still.
    assert_eq!(server.post(&report).status, 204);
    // Whoever ends gives the room back ...
    slow[0].write_all(&[report; 100].concat()).unwrap();
    assert_eq!(answer(&mut slow[0]).unwrap().status, 200);
    let deadline = Instant::now() + Duration::from_mins(1);
    let wait_for_room = || loop {
        let (stream, first) = begin();
        if first.status == 100 {
            return stream;
        }
        assert!(Instant::now() < deadline, "the room does not come back");
    };
    slow.push(wait_for_room());
    refuse();
    // ... and so does whoever goes away.
    slow[1].shutdown(std::net::Shutdown::Both).unwrap();
    slow.push(wait_for_room());
    drop(slow);
    server.stop();
}

/// 800 senders that each begin a full batch and then wait.
#[test]
fn memory_stays_small_under_all_connections() {
    let place = Place::new();
    let program = Program::start(&place, SocketAddr::from(([127, 0, 0, 1], 0)));
    let memory = || -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", program.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    };
    let before = memory();
    let head = format!("POST /v1/reports HTTP/1.1\r\nHost: t\r\n{BATCH}\r\nContent-Length: 262144\r\n\r\n");
    let part = [head.into_bytes(), vec![7; 200_000]].concat();
    let senders = (0..800).map(|_| {
        let mut stream = TcpStream::connect(program.address).unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
        // Most are answered 503 and do not get it all off.
        let _ = stream.write_all(&part);
        stream
    });
    let mut most = 0;
    let senders: Vec<TcpStream> = senders.inspect(|_| most = most.max(memory())).collect();
    most = most.max(memory());
    assert!(most < before + 80 * 1024, "{before} kB became {most} kB");
    drop(senders);
    assert!(program.terminate().status.success());
}

#[test]
fn the_log_is_json_when_asked_and_names_no_address() {
    let place = Place::new();
    let mut command = Program::command(&place);
    let arguments = ["serve", "--phase", "testing", "--now", NOW, "--store", "counts.sqlite", "--log", "json"];
    command.args(arguments).args(["--listen", "127.84.113.9:0", "--metrics", "127.0.0.1:0"]);
    let program = Program::attach(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let sent = reports(&place.catalogue, week("2026-W48"), 46, 5);
    let blocker = rusqlite::Connection::open(place.file()).unwrap();
    blocker.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(request(program.address, "POST", "/v1/reports", &[], &sent[0]).unwrap().status, 503);
    drop(blocker);
    for report in &sent {
        assert_eq!(request(program.address, "POST", "/v1/reports", &[], report).unwrap().status, 204);
        assert_eq!(request(program.address, "POST", "/v1/reports", &[], &report[1..]).unwrap().status, 400);
    }
    let output = program.terminate();
    let log = String::from_utf8(output.stderr).unwrap();
    let mut messages = Vec::new();
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(entry["timestamp"].is_string() && entry["level"].is_string(), "{line}");
        messages.push(entry["message"].as_str().unwrap().to_owned());
    }
    assert!(messages.iter().any(|message| message.starts_with("nothing was counted")), "{log}");
    assert!(messages.last().unwrap().contains("stopped"), "{log}");
    assert!(!log.contains("127.84.113.9"), "{log}");
    for report in &sent {
        assert!(!log.contains(&stipple_catalog::hex(id_of(report))));
    }
}

/// The whole way of a check: counts of liars are added to a store, and the command finds them.
#[test]
fn check_prints_and_fails_on_what_honest_senders_could_not_have_sent() {
    let place = Place::new();
    let server = Running::start(place.config(&Place::clock()));
    for report in reports(&place.catalogue, week("2026-W48"), 47, 400) {
        assert_eq!(server.post(&report).status, 204);
    }
    server.stop();
    let run = |arguments: &[&str]| {
        let output = Program::command(&place).args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (code, said) = run(&["check", "--store", "counts.sqlite"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.lines().count() == 5 && said.contains("settings.shade"), "{said}");
    // Everyone says the same: the mechanism would have changed the answer of many.
    let all_the_same = "UPDATE counts SET count = 0 WHERE metric = 'settings.shade';
         UPDATE counts SET count = 100 WHERE metric = 'settings.shade' AND cell = 2";
    rusqlite::Connection::open(place.file()).unwrap().execute_batch(all_the_same).unwrap();
    let (code, said) = run(&["check", "--store", "counts.sqlite"]);
    assert_eq!(code, Some(1), "{said}");
    let line = said.lines().find(|line| line.contains("settings.shade")).unwrap();
    assert!(line.contains("not from honest senders"), "{said}");
    let output = Program::command(&place).args(["check", "--store", "counts.sqlite", "--json"]).output().unwrap();
    let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
    let alarms: Vec<&Value> = checked.as_array().unwrap().iter().filter(|week| week["noise_alarm"] == true).collect();
    assert_eq!((alarms.len(), &alarms[0]["metric"]), (1, &"settings.shade".into()));
    assert!(alarms[0]["p"].as_f64().unwrap() < 1e-6);
    let server = with_metrics(&place);
    let text = String::from_utf8(get(server.metrics.unwrap(), "/metrics").body).unwrap();
    assert!(text.contains("stipple_alarms{kind=\"noise\"} 1"), "{text}");
    server.stop();
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The Oblivious HTTP gateway: sealed reports count like open ones, keys come and go, and no bytes upset it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::io::Cursor;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bhttp::{Message, Mode};
use jiff::{SignedDuration, Timestamp};
use ohttp::{ClientRequest, ClientResponse, KeyConfig};
use proptest::prelude::*;
use stipple_aggregator::{Config, KeyPolicy, ServeError, Server};
use stipple_catalog::Clock;
use support::{Answer, NOW, Place, Running, contains, reports, request, week};

const DAY: SignedDuration = SignedDuration::from_hours(24);

fn config(place: &Place, clock: &Clock) -> Config {
    let mut config = place.config(clock);
    config.metrics = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    config.ohttp = Some(KeyPolicy { folder: place.path("keys"), rotation: DAY * 7, overlap: DAY * 3 });
    config
}

fn day(n: i32) -> Timestamp {
    NOW.parse::<Timestamp>().unwrap() + DAY * n
}

fn keys(server: SocketAddr) -> Vec<u8> {
    let answer = request(server, "GET", "/ohttp-keys", &[], b"").unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.head.to_lowercase().contains("content-type: application/ohttp-keys"));
    answer.body
}

/// The id of the only key of a list.
fn only_id(list: &[u8]) -> u8 {
    let configs = KeyConfig::decode_list(list).unwrap();
    assert_eq!(configs.len(), 1, "every client uses the same key");
    configs[0].encode().unwrap()[0]
}

fn key_files(place: &Place) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(place.path("keys")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn seal(keys: &[u8], plain: &[u8]) -> (Vec<u8>, ClientResponse) {
    ClientRequest::from_encoded_config_list(keys).unwrap().encapsulate(plain).unwrap()
}

fn binary(method: &str, path: &str, headers: &[(&str, &str)], content: &[u8]) -> Vec<u8> {
    let bytes = |text: &str| text.as_bytes().to_vec();
    let mut message = Message::request(bytes(method), bytes("https"), bytes("stipple.example"), bytes(path));
    for (name, value) in headers {
        message.put_header(*name, *value);
    }
    message.write_content(content);
    let mut plain = Vec::new();
    message.write_bhttp(Mode::KnownLength, &mut plain).unwrap();
    plain
}

fn post_sealed(server: SocketAddr, sealed: &[u8]) -> Answer {
    request(server, "POST", "/ohttp", &["Content-Type: message/ohttp-req"], sealed).unwrap()
}

/// The inner answer, and how long the outer one is.
fn open(answer: &Answer, opener: ClientResponse) -> (u16, Vec<u8>, usize) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.to_lowercase().contains("content-type: message/ohttp-res"), "{answer:?}");
    let plain = opener.decapsulate(&answer.body).unwrap();
    let message = Message::read_bhttp(&mut Cursor::new(&plain[..])).unwrap();
    (message.control().status().unwrap().code(), message.content().to_vec(), answer.body.len())
}

fn ask(server: SocketAddr, keys: &[u8], plain: &[u8]) -> (u16, Vec<u8>, usize) {
    let (sealed, opener) = seal(keys, plain);
    open(&post_sealed(server, &sealed), opener)
}

/// The name of a problem that was sealed.
fn problem(content: &[u8]) -> String {
    let document: serde_json::Value = serde_json::from_slice(content).unwrap();
    document["type"].as_str().unwrap().strip_prefix("urn:stipple:problem:").unwrap().to_owned()
}

/// What the gateway says in the open about a request that it cannot open: RFC 9458 section 5.3.
fn assert_wrong_key(answer: &Answer) {
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.head.to_lowercase().contains("content-type: application/problem+json"), "{answer:?}");
    let document: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(document["type"], "https://iana.org/assignments/http-problem-types#ohttp-key");
}

#[test]
fn a_sealed_report_is_counted_once_however_it_comes_again() {
    let place = Place::new();
    let server = Running::start(config(&place, &Place::clock()));
    let keys = keys(server.address);
    let report = reports(&place.catalogue, week("2026-W48"), 1, 1)[0];
    let plain = binary("POST", "/v1/reports", &[], &report);
    let (sealed, opener) = seal(&keys, &plain);
    assert_eq!(open(&post_sealed(server.address, &sealed), opener).0, 204);
    // A relay that replays the sealed bytes, a client that seals the report anew, and one that comes directly.
    for _ in 0..3 {
        assert_eq!(post_sealed(server.address, &sealed).status, 200);
    }
    assert_eq!(ask(server.address, &keys, &plain).0, 204);
    assert_eq!(server.post(&report).status, 204);
    server.stop();
    assert_eq!(place.export().1["reports"], 1);
}

#[test]
fn every_inner_answer_is_sealed_and_has_one_length() {
    let place = Place::new();
    let server = Running::start(config(&place, &Place::clock()));
    let keys = keys(server.address);
    let report = reports(&place.catalogue, week("2026-W48"), 1, 1)[0];
    let late = reports(&place.catalogue, week("2026-W45"), 1, 1)[0];
    let (counted, content, length) = ask(server.address, &keys, &binary("POST", "/v1/reports", &[], &report));
    assert!(counted == 204 && content.is_empty());
    for (plain, status, name) in [
        (binary("POST", "/v1/reports", &[], &late), 422, "late"),
        (binary("POST", "/v1/reports", &[], &report[1..]), 400, "malformed"),
        (binary("POST", "/v1/reports", &[], &[7; 200]), 413, "too-large"),
        (binary("POST", "/v1/reports", &[("content-encoding", "gzip")], &report), 415, "content-coding"),
        (binary("GET", "/v1/reports", &[], b""), 405, "method-not-allowed"),
        (binary("POST", "/ohttp", &[("content-type", "message/ohttp-req")], &report), 404, "not-found"),
        (binary("GET", "/readyz", &[], b""), 404, "not-found"),
        (binary("", "/v1/reports", &[], &report), 400, "not-http"),
        (binary("POST", "no path", &[], &report), 400, "not-http"),
        (binary("POST", "/v1/reports", &[("a b", "c")], &report), 400, "not-http"),
        (b"POST /v1/reports HTTP/1.1\r\n\r\n".to_vec(), 400, "not-http"),
        (vec![1, 0x40, 200], 400, "not-http"), // a response
        (Vec::new(), 400, "not-http"),
    ] {
        let (answered, content, outer) = ask(server.address, &keys, &plain);
        assert_eq!((answered, problem(&content).as_str()), (status, name));
        assert_eq!(outer, length, "the relay can tell {name} from a counted report");
    }
    server.stop();
    assert_eq!(place.export().1["reports"], 1);
}

#[test]
fn what_cannot_be_opened_is_refused_in_the_open() {
    let place = Place::new();
    let server = Running::start(config(&place, &Place::clock()));
    let good = keys(server.address);
    let report = reports(&place.catalogue, week("2026-W48"), 1, 1)[0];
    let (sealed, _) = seal(&good, &binary("POST", "/v1/reports", &[], &report));
    let elsewhere = KeyConfig::derive(
        only_id(&good),
        ohttp::hpke::Kem::X25519Sha256,
        vec![ohttp::SymmetricSuite::new(ohttp::hpke::Kdf::HkdfSha256, ohttp::hpke::Aead::Aes128Gcm)],
        &[1; 32],
    );
    let elsewhere = KeyConfig::encode_list(&[elsewhere.unwrap()]).unwrap();
    assert_wrong_key(&post_sealed(server.address, &seal(&elsewhere, b"x").0));
    for at in [0, 1, 3, 5, 7, sealed.len() - 1] {
        let mut bent = sealed.clone();
        bent[at] ^= 0x40;
        assert_wrong_key(&post_sealed(server.address, &bent));
    }
    let refused = |headers: &[&str], body: &[u8]| {
        let answer = request(server.address, "POST", "/ohttp", headers, body).unwrap();
        (answer.status, answer.problem())
    };
    let kind = "Content-Type: message/ohttp-req";
    assert_eq!(refused(&[kind], &[1; 1025]), (413, "too-large".into()));
    assert_eq!(refused(&[], &sealed), (415, "media-type".into()));
    assert_eq!(refused(&["Content-Type: application/octet-stream"], &sealed), (415, "media-type".into()));
    assert_eq!(refused(&[kind, "Content-Encoding: gzip"], &sealed), (415, "content-coding".into()));
    // Sealed, and no request.
    let (nonsense, opener) = seal(&good, b"GET / HTTP/1.1");
    assert_eq!(open(&post_sealed(server.address, &nonsense), opener).0, 400);
    // The metrics have seen it all.
    let scraped = request(server.metrics.unwrap(), "GET", "/metrics", &[], b"").unwrap();
    let text = String::from_utf8(scraped.body).unwrap();
    let told: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("stipple_reports_refused_total")).collect();
    let expected = [("content-coding", 1), ("media-type", 2), ("not-http", 1), ("ohttp-key", 7), ("too-large", 1)];
    assert_eq!(told, expected.map(|(problem, times)| format!("{{problem=\"{problem}\"}} {times}")));
    server.stop();
    assert_eq!(place.export().1["reports"], 0);
}

#[test]
fn without_keys_there_is_no_gateway() {
    let place = Place::new();
    let server = Running::start(place.config(&Place::clock()));
    for (method, path) in [("GET", "/ohttp-keys"), ("POST", "/ohttp")] {
        let answer = request(server.address, method, path, &[], b"").unwrap();
        assert_eq!((answer.status, answer.problem().as_str()), (404, "not-found"));
    }
    server.stop();
}

#[test]
fn keys_rotate_with_an_overlap_and_then_their_bytes_are_gone() {
    let place = Place::new();
    let clock = Place::clock();
    let server = Running::start(config(&place, &clock));
    let first = keys(server.address);
    let first_file = key_files(&place)[0].clone();
    let secret = std::fs::read(&first_file).unwrap();
    assert_eq!((secret.len(), key_files(&place).len()), (32, 1));
    assert_eq!(std::fs::metadata(&first_file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(place.path("keys")).unwrap().permissions().mode() & 0o777, 0o700);
    assert!(!contains(&first, &secret));
    // A second name for the same blocks shows what happens to them.
    let shadow = place.path("shadow");
    std::fs::hard_link(&first_file, &shadow).unwrap();

    clock.set(day(7) - SignedDuration::from_secs(1));
    assert_eq!(keys(server.address), first);
    clock.set(day(7));
    let second = keys(server.address);
    assert_eq!(only_id(&second), only_id(&first) + 1);
    let plain = |seed| {
        let report = reports(&place.catalogue, week("2026-W49"), seed, 1)[0];
        binary("POST", "/v1/reports", &[], &report)
    };
    clock.set(day(10) - SignedDuration::from_secs(1));
    assert_eq!(ask(server.address, &first, &plain(1)).0, 204);
    assert_eq!(ask(server.address, &second, &plain(2)).0, 204);
    clock.set(day(10));
    assert_wrong_key(&post_sealed(server.address, &seal(&first, &plain(3)).0));
    assert_eq!(ask(server.address, &second, &plain(3)).0, 204);
    assert!(!first_file.exists() && !place.holds(&secret));
    assert_eq!(std::fs::read(shadow).unwrap(), [0; 32]);

    // Keys outlive a restart ...
    server.stop();
    let server = Running::start(config(&place, &clock));
    assert_eq!(keys(server.address), second);
    server.stop();
    // ... but not a long absence.
    clock.set(day(40));
    let server = Running::start(config(&place, &clock));
    assert_eq!((only_id(&keys(server.address)), key_files(&place).len()), (only_id(&second) + 1, 1));
    server.stop();
}

#[test]
fn a_key_is_destroyed_also_when_nobody_asks() {
    let place = Place::new();
    let clock = Place::clock();
    let server = Running::start(config(&place, &clock));
    let first = key_files(&place)[0].clone();
    clock.set(day(10));
    let deadline = Instant::now() + Duration::from_mins(1);
    while first.exists() {
        assert!(Instant::now() < deadline, "the first key is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
    server.stop();
}

#[test]
fn servers_that_share_a_folder_use_the_same_keys() {
    let place = Place::new();
    let clock = Place::clock();
    let other_store = |mut config: Config| {
        config.store = place.path("other.sqlite").into();
        config
    };
    let one = Running::start(config(&place, &clock));
    let two = Running::start(other_store(config(&place, &clock)));
    for n in [0, 7, 14] {
        clock.set(day(n));
        assert_eq!(keys(one.address), keys(two.address), "day {n}");
    }
    one.stop();
    two.stop();
}

#[test]
fn keys_that_are_no_secret_or_no_keys_stop_the_start() {
    for (name, mode, length, words) in [
        ("2026-12-10T12:00:00Z-1.key", 0o640, 32, "can be read by others"),
        ("2026-12-10T12:00:00Z-1.key", 0o600, 31, "is no key of this gateway"),
        ("2026-12-10T12:00:00Z-256.key", 0o600, 32, "is no key of this gateway"),
        ("old.key", 0o600, 32, "is no key of this gateway"),
    ] {
        let place = Place::new();
        std::fs::create_dir(place.path("keys")).unwrap();
        let file = place.path("keys").join(name);
        std::fs::write(&file, vec![1; length]).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let Err(error) = runtime.block_on(Server::bind(config(&place, &Place::clock()))) else { panic!("{name}") };
        assert!(matches!(error, ServeError::Keys(_)) && error.to_string().contains(words), "{error}");
        assert_eq!(std::fs::read(&file).unwrap(), vec![1; length]);
    }
}

#[test]
fn whatever_comes_is_answered_and_nothing_of_it_is_kept() {
    let place = Place::new();
    let server = Running::start(config(&place, &Place::clock()));
    let keys = keys(server.address);
    let report = reports(&place.catalogue, week("2026-W48"), 1, 1)[0];
    let plain = binary("POST", "/v1/reports", &[], &report);
    let (sealed, _) = seal(&keys, &plain);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    });

    // Sealed bytes that are arbitrary, cut short, or changed in a bit.
    let bytes = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..1024),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map({
            let header = sealed[..7].to_vec();
            move |rest| [&header[..], &rest].concat()
        }),
        (0..sealed.len()).prop_map({
            let sealed = sealed.clone();
            move |length| sealed[..length].to_vec()
        }),
        (0..sealed.len() * 8).prop_map({
            let sealed = sealed.clone();
            move |bit| {
                let mut bent = sealed.clone();
                bent[bit / 8] ^= 1 << (bit % 8);
                bent
            }
        }),
    ];
    runner
        .run(&bytes, |bytes| {
            assert_wrong_key(&post_sealed(server.address, &bytes));
            Ok(())
        })
        .unwrap();

    // The same inside a good seal. A change in the authority, in a length that keeps its sense, or in padding may still be
    // a report: it is then counted, once.
    let inner = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..512),
        (0..plain.len()).prop_map({
            let plain = plain.clone();
            move |length| plain[..length].to_vec()
        }),
        (0..plain.len() * 8).prop_map({
            let plain = plain.clone();
            move |bit| {
                let mut bent = plain.clone();
                bent[bit / 8] ^= 1 << (bit % 8);
                bent
            }
        }),
    ];
    runner
        .run(&inner, |inner| {
            let (status, content, _) = ask(server.address, &keys, &inner);
            prop_assert!(status == 204 || !problem(&content).is_empty());
            Ok(())
        })
        .unwrap();
    assert_eq!(ask(server.address, &keys, &plain).0, 204, "the server still counts");
    server.stop();
    assert!(!place.holds(&sealed[7..]) && !place.holds(&report));
}

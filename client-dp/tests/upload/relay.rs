// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reports through an Oblivious HTTP relay that does its work, refuses it, or plays the gateway.

use std::io::Cursor;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use bhttp::{Message, Mode};
use ohttp::hpke::{Aead, Kdf, Kem};
use ohttp::{KeyConfig, SymmetricSuite};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use stipple_client_dp::uploader::{Delivery, Patience, Relay, UploadError, Uploader};
use tempfile::TempDir;

use crate::program;
use crate::reports::reports;
use crate::server::{Request, Server, nobody};

/// The server behind the gateway. It resolves nowhere: whoever tries to reach it directly fails.
const TARGET: &str = "https://stipple.example";
const PATIENCE: Patience =
    Patience { tries: 3, first_pause: Duration::from_millis(20), timeout: Duration::from_mins(1) };

#[derive(Clone, Copy, Debug)]
enum Reply {
    /// by the relay: status line and headers
    Outer(&'static str),
    /// by the gateway, sealed: status and headers
    Inner(u16, &'static [(&'static str, &'static str)]),
}

const COUNTED: Reply = Reply::Inner(204, &[]);
const PROBLEM: (&str, &str) = ("content-type", "application/problem+json");

fn key(id: u8) -> KeyConfig {
    let suites = vec![SymmetricSuite::new(Kdf::HkdfSha256, Aead::Aes128Gcm)];
    KeyConfig::derive(id, Kem::X25519Sha256, suites, &[id; 32]).unwrap()
}

fn key_list(id: u8) -> Vec<u8> {
    KeyConfig::encode_list(&[key(id)]).unwrap()
}

fn whole(head: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// What the gateway answers, with the key that it has.
fn gateway(id: u8, request: &Request, status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let Ok((_, seal)) = ohttp::Server::new(key(id)).unwrap().decapsulate(&request.body) else {
        let kind = "https://iana.org/assignments/http-problem-types#ohttp-key";
        let document = format!("{{\"type\":\"{kind}\",\"status\":400}}");
        return whole("400 Bad Request\r\nContent-Type: application/problem+json", document.as_bytes());
    };
    let mut message = Message::response(status.try_into().unwrap());
    for (name, value) in headers {
        message.put_header(*name, *value);
    }
    let mut plain = Vec::new();
    message.write_bhttp(Mode::KnownLength, &mut plain).unwrap();
    whole("200 OK\r\nContent-Type: message/ohttp-res", &seal.encapsulate(&plain).unwrap())
}

/// A relay before a gateway with the key 1: the first requests are answered as told, every later one is counted.
fn relay(replies: &'static [Reply]) -> Server {
    Server::answering(move |n, request| match replies.get(n).copied().unwrap_or(COUNTED) {
        Reply::Outer(head) => whole(head, b""),
        Reply::Inner(status, headers) => gateway(1, request, status, headers),
    })
}

struct Pin(TempDir);

impl Pin {
    fn new(list: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("keys"), list).unwrap();
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("keys")
    }
}

async fn deliver(relay: &Server, keys: &str) -> Result<Delivery, UploadError> {
    let relay = Relay::new(&relay.url, TARGET, keys).unwrap();
    let uploader = Uploader::through(relay, PATIENCE).unwrap();
    uploader.deliver(&reports()[0], &mut ChaCha20Rng::seed_from_u64(1)).await
}

async fn deliver_pinned(relay: &Server) -> Result<Delivery, UploadError> {
    deliver(relay, Pin::new(&key_list(1)).path().to_str().unwrap()).await
}

/// Every request is sealed anew, has one length, and holds the same report.
fn sealed_reports(relay: &Server, times: usize) {
    let requests = relay.requests();
    assert_eq!(requests.len(), times);
    for (n, request) in requests.iter().enumerate() {
        assert!(request.head.contains("content-type: message/ohttp-req"), "{}", request.head);
        assert!(!request.head.contains("stipple.example"), "{}", request.head);
        assert_eq!(request.body.len(), requests[0].body.len());
        assert!(n == 0 || request.body != requests[n - 1].body, "the relay can tell a repeated report");
        let (plain, _) = ohttp::Server::new(key(1)).unwrap().decapsulate(&request.body).unwrap();
        let message = Message::read_bhttp(&mut Cursor::new(&plain[..])).unwrap();
        assert!(message.content() == reports()[0].bytes());
    }
}

/// Not even a 204 of the relay counts a report, and no problem of its own refuses one.
#[tokio::test]
async fn only_a_sealed_answer_decides() {
    const REPLIES: [&[Reply]; 9] = [
        &[Reply::Outer("204 No Content")],
        &[Reply::Outer("200 OK")],
        &[Reply::Outer("200 OK\r\nContent-Type: message/ohttp-res")],
        &[Reply::Outer("400 Bad Request\r\nContent-Type: application/problem+json")],
        &[Reply::Outer("422 Unprocessable Content\r\nContent-Type: application/problem+json")],
        &[Reply::Outer("403 Forbidden")],
        &[Reply::Outer("302 Found\r\nLocation: /elsewhere")],
        &[Reply::Inner(422, &[("content-type", "text/html")])],
        &[Reply::Inner(425, &[PROBLEM])],
    ];
    for replies in REPLIES {
        let relay = relay(replies);
        assert_eq!(deliver_pinned(&relay).await.unwrap(), Delivery::Counted, "{replies:?}");
        sealed_reports(&relay, 2);
    }
}

#[tokio::test]
async fn a_sealed_refusal_is_final() {
    const REPLIES: [(&[Reply], u16); 4] = [
        (&[Reply::Inner(400, &[PROBLEM])], 400),
        (&[Reply::Inner(413, &[PROBLEM])], 413),
        (&[Reply::Inner(415, &[PROBLEM])], 415),
        (&[Reply::Inner(422, &[PROBLEM])], 422),
    ];
    for (replies, status) in REPLIES {
        let relay = relay(replies);
        assert_eq!(deliver_pinned(&relay).await.unwrap(), Delivery::Refused(status));
        sealed_reports(&relay, 1);
    }
}

#[tokio::test]
async fn both_the_relay_and_the_gateway_may_ask_for_time() {
    const REPLIES: [&[Reply]; 3] = [
        &[Reply::Inner(503, &[("retry-after", "1")])],
        &[Reply::Outer("429 Too Many Requests\r\nRetry-After: 1")],
        &[Reply::Outer(
            "503 Service Unavailable\r\nDate: Thu, 26 Nov 2026 09:00:00 GMT\r\nRetry-After: Thu, 26 Nov 2026 09:00:01 GMT",
        )],
    ];
    for replies in REPLIES {
        let relay = relay(replies);
        let start = std::time::Instant::now();
        assert_eq!(deliver_pinned(&relay).await.unwrap(), Delivery::Counted);
        assert!(start.elapsed() >= Duration::from_secs(1), "came back after {:?}", start.elapsed());
        sealed_reports(&relay, 2);
    }
}

/// The gateway has rotated: a pinned key is told about, a fetched one is fetched anew.
#[tokio::test]
async fn a_key_that_is_over_is_named_or_fetched_again() {
    let relay = relay(&[]);
    let pin = Pin::new(&key_list(2));
    let error = deliver(&relay, pin.path().to_str().unwrap()).await.unwrap_err().to_string();
    assert!(error.contains("is the gateway's key still the current one?"), "{error}");
    assert_eq!(relay.requests().len(), 3);

    let keys = Server::answering(|n, _| {
        let list = key_list(if n == 0 { 2 } else { 1 });
        whole("200 OK\r\nContent-Type: application/ohttp-keys", &list)
    });
    let relay = self::relay(&[]);
    assert_eq!(deliver(&relay, &format!("{}/ohttp-keys", keys.url)).await.unwrap(), Delivery::Counted);
    assert_eq!((keys.requests().len(), relay.requests().len()), (2, 2));
    assert!(keys.requests()[0].head.starts_with("get /ohttp-keys "), "{:?}", keys.requests()[0]);
}

/// Without a key nothing is sent, to nobody.
#[tokio::test]
async fn keys_that_cannot_be_used_send_nothing() {
    const LISTS: [(&str, &[u8]); 3] = [
        ("200 OK\r\nContent-Type: text/html", b"<html>"),
        ("200 OK\r\nContent-Type: application/ohttp-keys", b"<html>"),
        ("404 Not Found", b""),
    ];
    for (head, body) in LISTS {
        let (keys, relay) = (Server::answering(move |_, _| whole(head, body)), relay(&[]));
        assert!(matches!(deliver(&relay, &keys.url).await, Err(UploadError::Unreachable { tries: 3, .. })));
        assert!(relay.requests().is_empty());
    }
    let endless = Server::answering(|_, _| whole("200 OK\r\nContent-Type: application/ohttp-keys", &vec![0; 20_000]));
    let error = deliver(&relay(&[]), &endless.url).await.unwrap_err().to_string();
    assert!(error.contains("more than 16384 bytes"), "{error}");
}

/// A relay without keys, or keys without a relay, must not end in a direct request that shows the address.
#[test]
fn half_a_setting_sends_nothing() {
    let (server, pin) = (Server::start(&[]), Pin::new(&key_list(1)));
    let garbage = Pin::new(b"<html>");
    let (good, bad) = (pin.path(), garbage.path());
    let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());
    let nowhere = nobody();
    let relay = nowhere.as_str();
    for (settings, code, words) in [
        (vec![("STIPPLE_RELAY", relay)], 2, "--ohttp-keys"),
        (vec![("STIPPLE_OHTTP_KEYS", good)], 2, "--relay"),
        (vec![("STIPPLE_RELAY", ""), ("STIPPLE_OHTTP_KEYS", good)], 1, "is no server address"),
        (vec![("STIPPLE_RELAY", "relay.example"), ("STIPPLE_OHTTP_KEYS", good)], 1, "is no server address"),
        (vec![("STIPPLE_RELAY", relay), ("STIPPLE_OHTTP_KEYS", "/nonexistent")], 1, "/ohttp-keys"),
        (vec![("STIPPLE_RELAY", relay), ("STIPPLE_OHTTP_KEYS", bad)], 1, "holds no key of a gateway"),
    ] {
        let mut upload = program::command(env!("CARGO_BIN_EXE_stipple-upload"));
        upload.env("STIPPLE_SERVER", &server.url).envs(settings.clone());
        let output = upload.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{settings:?}: {said}");
        assert!(said.contains(words), "{settings:?}: {said}");
    }
    assert!(server.requests().is_empty());
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The uploader against servers that are gone, slow, busy, strict or somewhere else.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod courier;
#[path = "../support/program.rs"]
mod program;
mod proxies;
mod relay;
#[path = "../support/reports.rs"]
mod reports;
#[path = "../support/server.rs"]
mod server;
mod tls;

use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use reports::reports;
use server::{ACCEPTED, Answer, Server, nobody};
use stipple_client_dp::uploader::{Delivery, Patience, UploadError, Uploader};

const PATIENCE: Patience =
    Patience { tries: 3, first_pause: Duration::from_millis(20), timeout: Duration::from_millis(400) };

async fn deliver(url: &str) -> Result<Delivery, UploadError> {
    let uploader = Uploader::new(url, PATIENCE).unwrap();
    uploader.deliver(&reports()[0], &mut ChaCha20Rng::seed_from_u64(1)).await
}

fn all_the_same(server: &Server, times: usize) {
    let requests = server.requests();
    assert_eq!(requests.len(), times);
    assert!(requests.iter().all(|request| request.body == reports()[0].bytes() && request.head == requests[0].head));
}

#[tokio::test]
async fn a_report_is_delivered_once() {
    let server = Server::start(&[ACCEPTED]);
    assert_eq!(deliver(&server.url).await.unwrap(), Delivery::Counted);
    all_the_same(&server, 1);
}

/// A captive portal's page, a proxy's refusal, an early clock: the report is paid for and stays.
#[tokio::test]
async fn an_answer_that_is_not_the_aggregators_loses_no_report() {
    for answer in [
        "200 OK",
        "202 Accepted",
        "400 Bad Request",
        "403 Forbidden",
        "404 Not Found",
        "407 Proxy Authentication Required",
        "422 Unprocessable Content\r\nContent-Type: text/html",
        "425 Too Early\r\nContent-Type: application/problem+json",
        "403 Forbidden\r\nContent-Type: application/problem+json",
    ] {
        let server = Server::start(&[Answer::Head(answer)]);
        assert_eq!(deliver(&server.url).await.unwrap(), Delivery::Counted, "{answer}");
        all_the_same(&server, 2);
    }
}

#[tokio::test]
async fn an_unreachable_server_is_tried_and_named_without_the_content() {
    let error = deliver(&nobody()).await.unwrap_err();
    assert!(matches!(error, UploadError::Unreachable { tries: 3, .. }), "{error}");
    assert!(error.to_string().contains("after 3 tries") && error.to_string().contains("waits for the next time"));
}

#[tokio::test]
async fn a_slow_server_is_given_up_in_time() {
    let server = Server::start(&[Answer::Silence; 9]);
    let start = Instant::now();
    assert!(matches!(deliver(&server.url).await, Err(UploadError::Unreachable { tries: 3, .. })));
    assert!(start.elapsed() < 3 * PATIENCE.timeout + Duration::from_secs(1), "took {:?}", start.elapsed());
    all_the_same(&server, 3);
}

#[tokio::test]
async fn a_server_that_answers_at_last_counts_the_same_bytes() {
    let server = Server::start(&[Answer::Silence, Answer::Head("500 Internal Server Error"), ACCEPTED]);
    assert_eq!(deliver(&server.url).await.unwrap(), Delivery::Counted);
    all_the_same(&server, 3);
}

#[tokio::test]
async fn a_busy_server_is_given_the_time_it_asks_for() {
    for busy in ["503 Service Unavailable\r\nRetry-After: 1", "429 Too Many Requests\r\nRetry-After: 1"] {
        let server = Server::start(&[Answer::Head(busy)]);
        let start = Instant::now();
        assert_eq!(deliver(&server.url).await.unwrap(), Delivery::Counted);
        assert!(start.elapsed() >= Duration::from_secs(1), "came back after {:?}", start.elapsed());
        all_the_same(&server, 2);
    }
}

#[tokio::test]
async fn a_refusal_is_final() {
    for (answer, status) in [
        ("400 Bad Request\r\nContent-Type: application/problem+json", 400),
        ("413 Content Too Large\r\nContent-Type: application/problem+json", 413),
        ("415 Unsupported Media Type\r\nContent-Type: application/problem+json", 415),
        ("422 Unprocessable Content\r\nContent-Type: application/problem+json", 422),
    ] {
        let server = Server::start(&[Answer::Head(answer)]);
        assert_eq!(deliver(&server.url).await.unwrap(), Delivery::Refused(status));
        all_the_same(&server, 1);
    }
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    let elsewhere = Server::start(&[]);
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let answer = format!("{status}\r\nLocation: {}/v1/reports", elsewhere.url);
        let server = Server::start(&[Answer::Head(String::leak(answer)); 3]);
        assert!(matches!(deliver(&server.url).await, Err(UploadError::Unreachable { .. })));
        all_the_same(&server, 3);
    }
    assert!(elsewhere.requests().is_empty());
}

#[tokio::test]
async fn cookies_are_neither_kept_nor_sent_and_no_connection_is_used_twice() {
    let server = Server::start(&[Answer::Head("503 Service Unavailable\r\nSet-Cookie: id=1; Path=/")]);
    let uploader = Uploader::new(&server.url, PATIENCE).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for report in &reports() {
        assert_eq!(uploader.deliver(report, &mut rng).await.unwrap(), Delivery::Counted);
    }
    // The server reads one request from each connection: all of them arrived, so each had its own.
    assert_eq!(server.requests().len(), reports().len() + 1);
    for request in server.requests() {
        let names: Vec<&str> = request.head.lines().skip(1).filter_map(|line| Some(line.split_once(':')?.0)).collect();
        assert!(
            names.iter().all(|name| ["accept", "content-length", "content-type", "host"].contains(name)),
            "{names:?}"
        );
    }
}

#[tokio::test]
async fn a_prefix_in_the_address_is_kept() {
    for (suffix, path) in [("", "/v1/reports"), ("/", "/v1/reports"), ("/a", "/a/v1/reports"), ("/a/", "/a/v1/reports")]
    {
        let server = Server::start(&[]);
        deliver(&format!("{}{suffix}", server.url)).await.unwrap();
        assert!(server.requests()[0].head.starts_with(&format!("post {path} ")), "{suffix}");
    }
    for wrong in ["", "example.org", "ftp://example.org", "unix:/run/x", "http://"] {
        assert!(matches!(Uploader::new(wrong, PATIENCE), Err(UploadError::Address(_))), "{wrong}");
    }
}

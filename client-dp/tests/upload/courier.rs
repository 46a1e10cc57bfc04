// SPDX-License-Identifier: MIT OR Apache-2.0
//! The recorder's side of the socket with the real `stipple-upload`, started for each connection as systemd does.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use stipple_client_dp::courier::Courier;
use stipple_client_dp::uploader::{Delivery, UploadError};

use crate::reports::reports;
use crate::server::{ACCEPTED, Answer, Server};

/// Accepts connections as a socket unit with `Accept=yes`, each the standard input and output of a process of its own.
fn socket_unit(path: &Path, server: &str) {
    let (listener, server) = (UnixListener::bind(path).unwrap(), server.to_owned());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let output = stream.unwrap();
            let input = output.try_clone().unwrap();
            let mut upload = Command::new(env!("CARGO_BIN_EXE_stipple-upload"));
            upload.args(["--server", &server]).stdin(Stdio::from(OwnedFd::from(input)));
            let mut child = upload.stdout(Stdio::from(OwnedFd::from(output))).spawn().unwrap();
            std::thread::spawn(move || child.wait());
        }
    });
}

async fn deliver(server: &Server) -> Result<Delivery, UploadError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("upload.sock");
    socket_unit(&path, &server.url);
    Courier::Socket(path).deliver(&reports()[0]).await
}

#[tokio::test]
async fn a_report_passes_through_the_socket_byte_for_byte() {
    let server = Server::start(&[ACCEPTED]);
    assert_eq!(deliver(&server).await.unwrap(), Delivery::Counted);
    let requests = server.requests();
    assert!(requests.len() == 1 && requests[0].body == reports()[0].bytes());
}

#[tokio::test]
async fn a_refusal_passes_back() {
    let server = Server::start(&[Answer::Head("422 Unprocessable Content\r\nContent-Type: application/problem+json")]);
    assert_eq!(deliver(&server).await.unwrap(), Delivery::Refused(422));
}

#[tokio::test]
async fn without_an_uploader_the_report_waits_and_the_error_says_what_to_start() {
    let courier = Courier::Socket("/nonexistent/upload.sock".into());
    let error = courier.deliver(&reports()[0]).await.unwrap_err();
    assert!(error.to_string().contains("is stipple-upload.socket running?"), "{error}");
}

#[tokio::test]
async fn a_program_is_started_for_a_report_and_gets_nothing_else() {
    let server = Server::start(&[ACCEPTED]);
    let program = env!("CARGO_BIN_EXE_stipple-upload").into();
    let courier = Courier::Program { program, server: server.url.clone() };
    assert_eq!(courier.deliver(&reports()[0]).await.unwrap(), Delivery::Counted);
    let requests = server.requests();
    assert!(requests.len() == 1 && requests[0].body == reports()[0].bytes());
}

#[tokio::test]
async fn a_program_that_cannot_be_started_or_says_nothing_loses_no_report() {
    for (program, reason) in [("/nonexistent/stipple-upload", "No such file"), ("/bin/false", "")] {
        let courier = Courier::Program { program: program.into(), server: "http://127.0.0.1:9".to_owned() };
        let error = courier.deliver(&reports()[0]).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("the uploader {program} could not be used ({reason}")), "{error}");
    }
    let nowhere = Courier::beside("metrics.example").unwrap_err();
    assert_eq!(nowhere.to_string(), "\"metrics.example\" is no server address: write http(s)://HOST[:PORT]");
}

/// A no while the server is silent: the recorder hangs up, and the uploader does not try again.
#[tokio::test]
async fn hanging_up_stops_the_uploader() {
    let server = Server::start(&[Answer::Head("500 Internal Server Error")]);
    let given_up = tokio::time::timeout(Duration::from_millis(700), deliver(&server)).await;
    assert!(given_up.is_err(), "the first pause is two seconds, of which at least one is waited");
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(server.requests().len(), 1, "a second try came after the recorder had hung up");
}

#[test]
fn less_than_a_report_is_no_report() {
    let mut upload = Command::new(env!("CARGO_BIN_EXE_stipple-upload"));
    let output = upload.stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no report of 64 bytes came"));
}

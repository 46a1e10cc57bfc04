// SPDX-License-Identifier: MIT OR Apache-2.0
//! A small HTTP server on loopback that keeps every request as it came and answers as told.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request: its head in lower case, and its body.
#[derive(Clone, Debug)]
pub struct Request {
    pub head: String,
    pub body: Vec<u8>,
}

/// What to answer: the status line and the headers, or nothing at all until the client gives up.
#[derive(Clone, Copy, Debug)]
pub enum Answer {
    Head(&'static str),
    Silence,
}

pub const ACCEPTED: Answer = Answer::Head("204 No Content");

/// The server; it ends with the test's process.
pub struct Server {
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers the first requests as `answers` say, in order, and accepts every later one.
    pub fn start(answers: &[Answer]) -> Self {
        let answers = answers.to_vec();
        Self::answering(move |n, _| match answers.get(n).copied().unwrap_or(ACCEPTED) {
            Answer::Head(head) => format!("HTTP/1.1 {head}\r\nContent-Length: 0\r\n\r\n").into_bytes(),
            Answer::Silence => {
                std::thread::sleep(Duration::from_mins(1));
                Vec::new()
            }
        })
    }

    /// Answers the nth request with the bytes that `answer` makes.
    pub fn answering(answer: impl Fn(usize, &Request) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer) = (requests.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for (n, mut stream) in listener.incoming().map_while(Result::ok).enumerate() {
                let (kept, answer) = (kept.clone(), answer.clone());
                std::thread::spawn(move || {
                    let Some(request) = read(&mut stream) else { return };
                    kept.lock().unwrap().push(request.clone());
                    let _ = stream.write_all(&answer(n, &request));
                });
            }
        });
        Self { url, requests }
    }

    /// Every request so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// A server address at which nobody listens.
pub fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn read(stream: &mut TcpStream) -> Option<Request> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let n = stream.read(&mut chunk).ok().filter(|&n| n > 0)?;
        bytes.extend_from_slice(&chunk[..n]);
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        if bytes.len() >= end + 4 + length {
            return Some(Request { head, body: bytes[end + 4..].to_vec() });
        }
    }
}

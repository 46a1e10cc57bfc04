// SPDX-License-Identifier: MIT OR Apache-2.0
//! The load generator: keep-alive connections that each send one report per request and wait for its answer.
//!
//! It is bare on purpose (one write, one read, no HTTP library), so that the machine's cores are left to the servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// How a load was taken.
#[derive(Clone, Copy)]
pub struct Taken {
    /// requests per second
    pub rate: f64,
    /// the time, in seconds, within which 99 of 100 were answered
    pub p99: f64,
}

/// Requests that are made and not yet sent.
pub struct Load {
    requests: Vec<Vec<u8>>,
    next: AtomicUsize,
}

impl Load {
    /// A request for each of these bodies.
    pub fn new<'a>(bodies: impl IntoIterator<Item = &'a [u8]>, headers: &str) -> Arc<Self> {
        let request = |body: &[u8]| {
            let length = body.len();
            let head =
                format!("POST /v1/reports HTTP/1.1\r\nHost: loopback\r\n{headers}Content-Length: {length}\r\n\r\n");
            [head.as_bytes(), body].concat()
        };
        Arc::new(Self { requests: bodies.into_iter().map(request).collect(), next: AtomicUsize::new(0) })
    }

    /// Sends every request once over `connections` connections, which are open before the clock starts.
    pub async fn send(self: Arc<Self>, address: SocketAddr, connections: usize) -> anyhow::Result<Taken> {
        let mut streams = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await.context("cannot connect to the server under test")?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let start = Instant::now();
        let senders: Vec<_> = streams.into_iter().map(|stream| tokio::spawn(self.clone().drain(stream))).collect();
        let mut times = Vec::with_capacity(self.requests.len());
        for sender in senders {
            times.extend(sender.await??);
        }
        let rate = self.requests.len() as f64 / start.elapsed().as_secs_f64();
        times.sort_unstable();
        let p99 = times.get(times.len() * 99 / 100).copied().unwrap_or_default();
        Ok(Taken { rate, p99: p99.as_secs_f64() })
    }

    /// Sends what is left, one after the other; returns how long each answer took.
    async fn drain(self: Arc<Self>, mut stream: TcpStream) -> anyhow::Result<Vec<Duration>> {
        let (mut answer, mut times) = ([0; 1024], Vec::new());
        while let Some(request) = self.requests.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            let start = Instant::now();
            stream.write_all(request).await?;
            let mut read = 0;
            while !whole(&answer[..read]) {
                let more = stream.read(&mut answer[read..]).await?;
                ensure!(more > 0, "the server closed a connection");
                read += more;
            }
            ensure!(answer.starts_with(b"HTTP/1.1 20"), "the server refused a report");
            times.push(start.elapsed());
        }
        Ok(times)
    }
}

/// Whether an answer is there with its body. Ours are a 204, or JSON that ends with the list of refusals.
fn whole(answer: &[u8]) -> bool {
    answer.ends_with(b"\r\n\r\n") && answer.starts_with(b"HTTP/1.1 204") || answer.ends_with(b"]}")
}

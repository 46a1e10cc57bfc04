// SPDX-License-Identifier: MIT OR Apache-2.0
//! The load generator: keep-alive connections that each send one report per request and wait for its answer.
//!
//! It is bare on purpose (one write, one read, no HTTP library), so that the machine's cores are left to the servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use stipple_catalog::REPORT_LEN;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const HEAD: &str = "POST /v1/reports HTTP/1.1\r\nHost: loopback\r\nContent-Length: 64\r\n\r\n";

/// Reports that are made and not yet sent.
pub struct Load {
    requests: Vec<Vec<u8>>,
    next: AtomicUsize,
}

impl Load {
    /// A load of encoded reports.
    pub fn new(reports: &[[u8; REPORT_LEN]]) -> Arc<Self> {
        let requests = reports.iter().map(|report| [HEAD.as_bytes(), report].concat()).collect();
        Arc::new(Self { requests, next: AtomicUsize::new(0) })
    }

    /// Sends every report once over `connections` connections, which are open before the clock starts. Returns reports
    /// per second.
    pub async fn send(self: Arc<Self>, address: SocketAddr, connections: usize) -> anyhow::Result<f64> {
        let mut streams = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await.context("cannot connect to the server under test")?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let start = Instant::now();
        let senders: Vec<_> = streams.into_iter().map(|stream| tokio::spawn(self.clone().drain(stream))).collect();
        for sender in senders {
            sender.await??;
        }
        Ok(self.requests.len() as f64 / start.elapsed().as_secs_f64())
    }

    async fn drain(self: Arc<Self>, mut stream: TcpStream) -> anyhow::Result<()> {
        let mut answer = [0; 1024];
        while let Some(request) = self.requests.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            stream.write_all(request).await?;
            let mut read = 0;
            while !answer[..read].ends_with(b"\r\n\r\n") {
                let more = stream.read(&mut answer[read..]).await?;
                ensure!(more > 0, "the server closed a connection");
                read += more;
            }
            ensure!(answer.starts_with(b"HTTP/1.1 204 "), "the server refused a report");
        }
        Ok(())
    }
}

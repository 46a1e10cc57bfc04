// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who offers more than is taken: workstations by schedule, relays in bursts.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rand::rngs::ChaCha20Rng;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use stipple_catalog::REPORT_LEN;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

/// More than the 800 connections that the server takes.
const WORKSTATIONS: usize = 1000;
/// Requests ahead on one connection.
const AHEAD: usize = 16;
/// How often a workstation looks at its schedule.
const TICK: Duration = Duration::from_millis(100);
/// Relays send at the same moment, this often.
const BURST: Duration = Duration::from_secs(2);
/// How many relays there are: together they send four times the reports that may wait.
pub const RELAYS: usize = 64;
/// Reports of the largest batch that the server takes.
pub const RELAY_BATCH: usize = 4096;

type Report = [u8; REPORT_LEN];

/// What is offered.
pub struct Crowd {
    /// to whom
    pub address: SocketAddr,
    /// reports of every metric and open week; only their ids are made anew
    pub samples: Vec<Report>,
    /// single reports a second
    pub rate: f64,
    /// for how long
    pub time: Duration,
}

/// No sender draws from the stream of another, nor of [`crate::intake::Setting`]: an id would come twice.
const SEEDS: (u64, u64) = (1 << 32, 1 << 33);

/// What became of it, in single reports but for the batches.
#[derive(Default)]
pub struct Tally {
    /// due by the schedule
    pub offered: AtomicU64,
    /// answered 204
    pub acknowledged: AtomicU64,
    /// reports and batches answered 503 with `Retry-After`
    pub shed: AtomicU64,
    /// not sent: no connection had room in their moment
    dropped: AtomicU64,
    /// batches answered 200, most of them again
    batches: AtomicU64,
    /// connections lost with answers due; what was not answered is sent again
    lost: AtomicU64,
    /// connections refused
    refused: AtomicU64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let get = |count: &AtomicU64| count.load(Ordering::Relaxed);
        write!(
            f,
            "{} reports offered, {} acknowledged, {} not taken; {} batches acknowledged; {} requests shed; \
             {} connections lost, {} refused",
            get(&self.offered),
            get(&self.acknowledged),
            get(&self.dropped),
            get(&self.batches),
            get(&self.shed),
            get(&self.lost),
            get(&self.refused)
        )
    }
}

fn add(count: &AtomicU64, n: usize) {
    count.fetch_add(n as u64, Ordering::Relaxed);
}

/// Offers everything until the time is over and every request that was sent is answered.
pub async fn offer(crowd: Arc<Crowd>, tally: Arc<Tally>) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut senders = JoinSet::new();
    // Relays first, so that they have a connection.
    for seed in 0..RELAYS as u64 {
        senders.spawn(relay(crowd.clone(), tally.clone(), start, seed));
    }
    sleep(TICK).await;
    for seed in 0..WORKSTATIONS as u64 {
        senders.spawn(Workstation::new(crowd.clone(), tally.clone(), start, seed).send());
    }
    while let Some(ended) = senders.join_next().await {
        ended??;
    }
    Ok(())
}

/// A connection that sends single reports ahead of their answers.
struct Workstation {
    crowd: Arc<Crowd>,
    tally: Arc<Tally>,
    start: Instant,
    rng: ChaCha20Rng,
    /// due by the schedule so far
    due: usize,
    /// sent and not answered, in their order
    waiting: VecDeque<Report>,
}

impl Workstation {
    fn new(crowd: Arc<Crowd>, tally: Arc<Tally>, start: Instant, seed: u64) -> Self {
        Self { crowd, tally, start, rng: ChaCha20Rng::seed_from_u64(SEEDS.0 + seed), due: 0, waiting: VecDeque::new() }
    }

    fn is_over(&self) -> bool {
        self.start.elapsed() >= self.crowd.time
    }

    async fn send(mut self) -> anyhow::Result<()> {
        while !(self.is_over() && self.waiting.is_empty()) {
            match TcpStream::connect(self.crowd.address).await {
                Ok(stream) => self.converse(stream).await?,
                Err(_) => add(&self.tally.refused, 1),
            }
            sleep(TICK).await;
        }
        // What was due since the last look.
        self.new_reports(&mut 0);
        Ok(())
    }

    /// Sends until the connection has done its share or is lost.
    async fn converse(&mut self, mut stream: TcpStream) -> anyhow::Result<()> {
        let mut left = self.rng.random_range(100..2000_usize);
        let again: Vec<u8> = self.waiting.iter().flat_map(request).collect();
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut answers, mut read) = ([0; 8192], 0);
        let mut alive = stream.write_all(&again).await.is_ok();
        while alive && !(self.waiting.is_empty() && (left == 0 || self.is_over())) {
            tokio::select! {
                more = stream.read(&mut answers[read..]) => match more {
                    Ok(more @ 1..) => {
                        read += more;
                        let taken = self.take(&answers[..read])?;
                        answers.copy_within(taken..read, 0);
                        read -= taken;
                    }
                    _ => alive = false,
                },
                _ = ticks.tick() => {
                    let new = self.new_reports(&mut left);
                    // Little enough for the socket's buffer.
                    alive = new.is_empty() || stream.write_all(&new).await.is_ok();
                }
            }
        }
        add(&self.tally.lost, usize::from(!self.waiting.is_empty()));
        Ok(())
    }

    /// Requests for what is due now, as far as there is room; the rest is dropped.
    fn new_reports(&mut self, left: &mut usize) -> Vec<u8> {
        let time = self.start.elapsed().min(self.crowd.time).as_secs_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "far below 2^52")]
        let due = (time * self.crowd.rate / WORKSTATIONS as f64) as usize;
        let new = due - self.due;
        self.due = due;
        let sent = new.min(AHEAD.saturating_sub(self.waiting.len())).min(*left);
        *left -= sent;
        add(&self.tally.offered, new);
        add(&self.tally.dropped, new - sent);
        let reports: Vec<Report> = (0..sent).map(|_| self.crowd.report(&mut self.rng)).collect();
        self.waiting.extend(&reports);
        reports.iter().flat_map(request).collect()
    }

    /// Takes the answers that are whole; returns how many bytes they have.
    fn take(&mut self, answers: &[u8]) -> anyhow::Result<usize> {
        let mut taken = 0;
        while let Some((status, length)) = first(&answers[taken..])? {
            self.waiting.pop_front().context("an answer that nobody has asked for")?;
            match status {
                204 => add(&self.tally.acknowledged, 1),
                503 => add(&self.tally.shed, 1),
                _ => bail!("a good report was answered {status}"),
            }
            taken += length;
        }
        Ok(taken)
    }
}

/// Sends the same batch in every burst, and after the last until it is acknowledged.
async fn relay(crowd: Arc<Crowd>, tally: Arc<Tally>, start: Instant, seed: u64) -> anyhow::Result<()> {
    let mut rng = ChaCha20Rng::seed_from_u64(SEEDS.1 + seed);
    let batch: Vec<u8> = (0..RELAY_BATCH).flat_map(|_| crowd.report(&mut rng)).collect();
    let head = format!(
        "POST /v1/reports HTTP/1.1\r\nHost: loopback\r\nContent-Type: application/vnd.stipple.reports\r\n\
         Content-Length: {}\r\n\r\n",
        batch.len()
    );
    let request = [head.into_bytes(), batch].concat();
    let mut bursts = interval(BURST);
    let (mut stream, mut status) = (None, 0);
    while start.elapsed() < crowd.time || status != 200 {
        bursts.tick().await;
        let connected = match stream.take() {
            Some(open) => Ok(open),
            None => TcpStream::connect(crowd.address).await,
        };
        let Ok(mut connected) = connected else {
            add(&tally.refused, 1);
            continue;
        };
        let Some((answered, whole)) = exchange(&mut connected, &request).await? else {
            status = 0;
            add(&tally.lost, 1);
            continue;
        };
        status = answered;
        match status {
            200 => add(&tally.batches, 1),
            503 => add(&tally.shed, 1),
            _ => bail!("a good batch was answered {status}"),
        }
        // After a refusal without reading the server closes.
        stream = whole.then_some(connected);
    }
    Ok(())
}

/// Sends a request and reads its answer, which may come before the request is off. Returns its status, and whether the request was
/// sent whole; nothing when the connection is lost.
async fn exchange(stream: &mut TcpStream, request: &[u8]) -> anyhow::Result<Option<(u16, bool)>> {
    let (mut reading, mut writing) = stream.split();
    let read = async {
        let (mut answer, mut read) = ([0; 4096], 0);
        loop {
            match reading.read(&mut answer[read..]).await {
                Ok(more @ 1..) => read += more,
                _ => return Ok(None),
            }
            if let Some((status, _)) = first(&answer[..read])? {
                return anyhow::Ok(Some(status));
            }
        }
    };
    tokio::pin!(read);
    let whole = tokio::select! {
        answer = &mut read => return Ok(answer?.map(|status| (status, false))),
        written = writing.write_all(request) => written.is_ok(),
    };
    Ok(read.await?.map(|status| (status, whole)))
}

impl Crowd {
    /// A sample under an id of its own.
    fn report(&self, rng: &mut ChaCha20Rng) -> Report {
        let mut report = self.samples[rng.random_range(0..self.samples.len())];
        rng.fill_bytes(&mut report[1..17]);
        report
    }
}

fn request(report: &Report) -> Vec<u8> {
    let head = format!("POST /v1/reports HTTP/1.1\r\nHost: loopback\r\nContent-Length: {REPORT_LEN}\r\n\r\n");
    [head.as_bytes(), report].concat()
}

/// The status and length of the first answer, when it is whole. One that sheds says when to try again.
fn first(answers: &[u8]) -> anyhow::Result<Option<(u16, usize)>> {
    let Some(end) = answers.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&answers[..end])?.to_lowercase();
    let status = head.split(' ').nth(1).context("an answer without a status")?.parse()?;
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
    ensure!(status != 503 || field("retry-after: ").is_some(), "shed without a Retry-After");
    let body = field("content-length: ").map_or(Ok(0), str::parse::<usize>)?;
    let length = end + 4 + body;
    Ok((answers.len() >= length).then_some((status, length)))
}

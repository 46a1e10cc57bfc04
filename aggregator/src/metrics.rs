// SPDX-License-Identifier: MIT OR Apache-2.0
//! What Prometheus is told, on a listener of its own. No label says anything of a sender: there is the name of a problem, and the
//! kind of an alarm.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use stipple_catalog::{Catalogue, Phase};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::check::{RATE_FACTOR, check};
use crate::intake::Refusal;
use crate::problem::Problem;
use crate::queue::{QueueAddress, QueueStatus, queue_status};
use crate::store::{self, Address, StoreError};

const SIZES: [f64; 8] = [1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16_384.0];
const SECONDS: [f64; 9] = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0];
/// How old what was read from the store may be: reading it costs.
const FRESH: Duration = Duration::from_mins(1);

/// The counters of one server.
#[derive(Default)]
pub(crate) struct Metrics(Mutex<Numbers>);

#[derive(Default)]
struct Numbers {
    accepted: u64,
    refused: BTreeMap<&'static str, u64>,
    batches: u64,
    store_errors: u64,
    sizes: Histogram<8>,
    seconds: Histogram<9>,
}

struct Histogram<const N: usize> {
    /// how many were at most as large as each bound
    buckets: [u64; N],
    count: u64,
    sum: f64,
}

impl Metrics {
    fn with<T>(&self, work: impl FnOnce(&mut Numbers) -> T) -> T {
        // Numbers stay usable whoever panicked while adding one.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reports that were acknowledged, counted now or before.
    pub fn accepted(&self, reports: usize) {
        self.with(|numbers| numbers.accepted += reports as u64);
    }

    /// A report or a request for counting that was refused.
    pub fn refused(&self, problem: &'static str) {
        self.with(|numbers| *numbers.refused.entry(problem).or_default() += 1);
    }

    /// An outcome, if it is a refusal.
    pub fn note<T>(&self, outcome: Result<T, Refusal>) -> Result<T, Refusal> {
        outcome.inspect_err(|refusal| {
            if let Refusal::Problem(problem) = refusal {
                self.refused(problem.name());
            }
        })
    }

    /// A batch of a relay.
    pub fn batch(&self) {
        self.with(|numbers| numbers.batches += 1);
    }

    /// A transaction that counted reports.
    pub fn transaction(&self, reports: usize, took: Duration) {
        self.with(|numbers| {
            numbers.sizes.add(&SIZES, reports as f64);
            numbers.seconds.add(&SECONDS, took.as_secs_f64());
        });
    }

    /// A failure of the store, or of the queue before it.
    pub fn store_error(&self) {
        self.with(|numbers| numbers.store_errors += 1);
    }
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self { buckets: [0; N], count: 0, sum: 0.0 }
    }
}

impl<const N: usize> Histogram<N> {
    fn add(&mut self, bounds: &[f64; N], value: f64) {
        for (bucket, bound) in self.buckets.iter_mut().zip(bounds) {
            *bucket += u64::from(value <= *bound);
        }
        self.count += 1;
        self.sum += value;
    }
}

/// What answers a scrape.
pub(crate) struct Scrape {
    pub metrics: Arc<Metrics>,
    /// the places of reports that may wait, and how many there are
    pub places: (Arc<Semaphore>, usize),
    pub behind: Behind,
    pub catalogue: Arc<Catalogue>,
    pub census: tokio::sync::Mutex<Option<(Instant, Census)>>,
}

/// What a server writes to. One with a queue has no store.
#[derive(Clone)]
pub(crate) enum Behind {
    Store(Address),
    Queue(QueueAddress, Phase),
}

/// What is read from there.
#[derive(Clone, Copy)]
pub(crate) enum Census {
    Store(Stock),
    Queue(QueueStatus),
}

/// What is read from a store.
#[derive(Clone, Copy)]
pub(crate) struct Stock {
    open_weeks: usize,
    ids: u64,
    noise_alarms: usize,
    rate_alarms: usize,
}

impl Behind {
    /// `None` when it cannot be read.
    fn census(&self, catalogue: &Catalogue) -> Option<Census> {
        match self {
            Self::Store(store) => Stock::take(store, catalogue).ok().map(Census::Store),
            Self::Queue(queue, phase) => queue_status(queue, *phase).ok().map(Census::Queue),
        }
    }

    /// The metric that says whether it can be read.
    const fn readable(&self) -> (&'static str, &'static str) {
        match self {
            Self::Store(_) => ("stipple_store_readable", "Whether the store could be read."),
            Self::Queue(..) => ("stipple_queue_readable", "Whether the queue could be read."),
        }
    }
}

impl Stock {
    fn take(store: &Address, catalogue: &Catalogue) -> Result<Self, StoreError> {
        let ids = store::open_to_read(store)?.ids()?;
        let checked = check(store, catalogue, RATE_FACTOR)?;
        Ok(Self {
            open_weeks: ids.len(),
            ids: ids.iter().map(|(_, ids)| ids).sum(),
            noise_alarms: checked.iter().filter(|week| week.noise_alarm).count(),
            rate_alarms: checked.iter().filter(|week| week.rate_alarm).count(),
        })
    }
}

/// `GET /metrics` and nothing else.
pub(crate) fn router(scrape: Scrape) -> Router {
    let router = Router::new().route("/metrics", get(answer)).with_state(Arc::new(scrape));
    router.fallback(async || Problem::NotFound).method_not_allowed_fallback(async || Problem::MethodNotAllowed)
}

async fn answer(State(scrape): State<Arc<Scrape>>) -> impl IntoResponse {
    let census = scrape.census().await;
    let (places, all) = (&scrape.places.0, scrape.places.1);
    let waiting = all.saturating_sub(places.available_permits());
    let text = scrape.metrics.with(|numbers| render(numbers, waiting, &scrape.behind, census));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text)
}

impl Scrape {
    /// `None` when nothing can be read.
    async fn census(&self) -> Option<Census> {
        let mut last = self.census.lock().await;
        if last.is_none_or(|(taken, _)| taken.elapsed() > FRESH) {
            let (behind, catalogue) = (self.behind.clone(), self.catalogue.clone());
            // A store blocks, and so does a queue.
            let taken = spawn_blocking(move || behind.census(&catalogue)).await;
            *last = taken.ok().flatten().map(|census| (Instant::now(), census));
        }
        last.map(|(_, census)| census)
    }
}

/// Prometheus' text format.
#[derive(Default)]
struct Text(String);

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}"); // writing to a String cannot fail
    }

    fn line(&mut self, name: &str, value: impl std::fmt::Display) {
        let _ = writeln!(self.0, "{name} {value}"); // likewise
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, kind, help);
        self.line(name, value);
    }

    fn histogram<const N: usize>(&mut self, name: &str, help: &str, bounds: &[f64; N], histogram: &Histogram<N>) {
        self.head(name, "histogram", help);
        for (bound, bucket) in bounds.iter().zip(histogram.buckets) {
            self.line(&format!("{name}_bucket{{le=\"{bound}\"}}"), bucket);
        }
        self.line(&format!("{name}_bucket{{le=\"+Inf\"}}"), histogram.count);
        self.line(&format!("{name}_sum"), histogram.sum);
        self.line(&format!("{name}_count"), histogram.count);
    }
}

fn render(numbers: &Numbers, waiting: usize, behind: &Behind, census: Option<Census>) -> String {
    let mut text = Text::default();
    let accepted = "Reports acknowledged, counted now or before.";
    text.one("stipple_reports_accepted_total", "counter", accepted, numbers.accepted);
    text.head("stipple_reports_refused_total", "counter", "Reports and requests for counting refused.");
    for (problem, count) in &numbers.refused {
        text.line(&format!("stipple_reports_refused_total{{problem=\"{problem}\"}}"), count);
    }
    text.one("stipple_batches_total", "counter", "Batches of relays counted.", numbers.batches);
    text.one("stipple_reports_waiting", "gauge", "Reports that wait to be counted.", waiting);
    text.one("stipple_store_errors_total", "counter", "Failures of the store or the queue.", numbers.store_errors);
    text.histogram("stipple_transaction_reports", "Reports in a transaction.", &SIZES, &numbers.sizes);
    text.histogram("stipple_transaction_seconds", "Time of a transaction.", &SECONDS, &numbers.seconds);
    let (readable, help) = behind.readable();
    text.one(readable, "gauge", help, u8::from(census.is_some()));
    match census {
        Some(Census::Store(stock)) => {
            text.one("stipple_open_weeks", "gauge", "Weeks of which ids are kept.", stock.open_weeks);
            text.one("stipple_ids", "gauge", "Ids kept, up to a minute ago.", stock.ids);
            text.head("stipple_alarms", "gauge", "Pairs of a metric and a week that raise an alarm.");
            text.line("stipple_alarms{kind=\"noise\"}", stock.noise_alarms);
            text.line("stipple_alarms{kind=\"rate\"}", stock.rate_alarms);
        }
        Some(Census::Queue(queue)) => {
            text.one("stipple_queue_entries_waiting", "gauge", "Entries that wait for a worker.", queue.waiting);
            text.one("stipple_queue_entries_lost", "gauge", "Entries neither drained nor there.", queue.lost);
            let late = "Acknowledged reports whose week the store had closed.";
            text.one("stipple_queue_reports_late", "gauge", late, queue.late);
            text.one(
                "stipple_queue_workers",
                "gauge",
                "Workers that are there, or were until lately.",
                queue.consumers,
            );
        }
        None => {}
    }
    if let Some(bytes) = resident_memory() {
        text.one("process_resident_memory_bytes", "gauge", "Memory of the process.", bytes);
    }
    text.0
}

/// What Linux says.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_count_everything_up_to_their_bound() {
        let metrics = Metrics::default();
        metrics.transaction(1, Duration::from_millis(2));
        metrics.transaction(5, Duration::from_secs(20));
        let store = Behind::Store(std::path::PathBuf::from("gone.sqlite").into());
        let text = metrics.with(|numbers| render(numbers, 3, &store, None));
        for line in [
            "stipple_transaction_reports_bucket{le=\"1\"} 1",
            "stipple_transaction_reports_bucket{le=\"4\"} 1",
            "stipple_transaction_reports_bucket{le=\"16\"} 2",
            "stipple_transaction_reports_sum 6",
            "stipple_transaction_seconds_bucket{le=\"0.001\"} 0",
            "stipple_transaction_seconds_bucket{le=\"0.003\"} 1",
            "stipple_transaction_seconds_bucket{le=\"10\"} 1",
            "stipple_transaction_seconds_bucket{le=\"+Inf\"} 2",
            "stipple_reports_waiting 3",
            "stipple_store_readable 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }
}

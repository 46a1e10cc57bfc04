// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one writer: a thread that owns the store and commits everything that waits as one transaction (group commit).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use stipple_catalog::{Catalogue, Clock};
use tokio::sync::oneshot;

use crate::problem::Problem;
use crate::store::Store;
use crate::sums::Accepted;
use crate::window::Window;

/// The most reports of one transaction.
const BATCH: usize = 4096;
/// The journal holds small transactions, hence single reports, until it is emptied: after this much quiet ...
const QUIET: Duration = Duration::from_secs(1);
/// ... and at the latest after this long without any.
const JOURNAL_LIFE: Duration = Duration::from_secs(30);

type Answer = oneshot::Sender<Result<(), Problem>>;

enum Task {
    Count(Accepted, Answer),
    /// Is the store writable?
    Probe(Answer),
}

/// The way to the writer; clones lead to the same one. It stops when the last is gone, after finishing what it was given.
#[derive(Clone)]
pub(crate) struct Counter(SyncSender<Task>);

impl Counter {
    /// Counts a report; returns once it is durable, or was before.
    pub async fn count(&self, report: Accepted) -> Result<(), Problem> {
        self.ask(|answer| Task::Count(report, answer)).await
    }

    /// Whether the store can be written to now.
    pub async fn probe(&self) -> Result<(), Problem> {
        self.ask(Task::Probe).await
    }

    async fn ask(&self, task: impl FnOnce(Answer) -> Task) -> Result<(), Problem> {
        let (answer, outcome) = oneshot::channel();
        match self.0.try_send(task(answer)) {
            Ok(()) => outcome.await.unwrap_or(Err(Problem::StoreUnavailable)),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(Problem::StoreUnavailable),
        }
    }
}

/// What the writer works with.
pub(crate) struct Writer {
    pub store: Store,
    pub catalogue: Arc<Catalogue>,
    pub clock: Clock,
    pub late_weeks: u16,
}

impl Writer {
    /// Starts the thread. The receiver resolves when it ends, for whatever reason.
    pub fn start(self, queue: usize) -> std::io::Result<(Counter, JoinHandle<()>, oneshot::Receiver<()>)> {
        let (sender, tasks) = sync_channel(queue);
        let (ended, end) = oneshot::channel();
        let thread = std::thread::Builder::new().name("counter".into()).spawn(move || {
            let _ended: oneshot::Sender<()> = ended;
            self.run(&tasks);
        })?;
        Ok((Counter(sender), thread, end))
    }

    fn run(mut self, tasks: &Receiver<Task>) {
        let mut journal = Journal::default();
        // A week may have closed while nobody served.
        self.settle(Vec::new(), &mut journal);
        loop {
            match tasks.recv_timeout(QUIET) {
                Ok(first) => {
                    let batch = std::iter::once(first).chain(tasks.try_iter().take(BATCH - 1)).collect();
                    self.settle(batch, &mut journal);
                    if journal.used_since.is_some_and(|since| since.elapsed() > JOURNAL_LIFE) {
                        journal.empty(&self.store);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    if self.week_has_closed(&journal) {
                        self.settle(Vec::new(), &mut journal);
                    }
                    journal.empty(&self.store);
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        journal.empty(&self.store);
    }

    fn week_has_closed(&self, journal: &Journal) -> bool {
        Window::at(self.clock.now(), self.late_weeks).is_ok_and(|window| journal.settled != Some(window.oldest))
    }

    /// Makes a batch durable, then answers everyone in it.
    fn settle(&mut self, batch: Vec<Task>, journal: &mut Journal) {
        let reports: Vec<Accepted> = batch
            .iter()
            .filter_map(|task| if let Task::Count(report, _) = task { Some(*report) } else { None })
            .collect();
        let probed = if reports.len() < batch.len() { self.store.probe() } else { Ok(()) };
        let probed = probed.map_err(|error| unavailable(&error));
        let counted = match Window::at(self.clock.now(), self.late_weeks) {
            Err(error) => Err(unavailable(&error)),
            Ok(asked) => match self.store.count(&self.catalogue, asked, &reports) {
                Err(error) => Err(unavailable(&error)),
                Ok((window, closed)) => {
                    journal.written();
                    journal.settled = Some(asked.oldest);
                    if closed {
                        tracing::info!("closed every week before {}", window.oldest);
                        journal.empty(&self.store);
                    }
                    Ok(window)
                }
            },
        };
        for task in batch {
            // Whoever went away meanwhile will ask again under the same id.
            let _ = match task {
                Task::Count(report, answer) => answer.send(counted.and_then(|window| window.admit(report.week))),
                Task::Probe(answer) => answer.send(probed),
            };
        }
    }
}

/// Errors of SQLite and of the clock name no value that was sent.
fn unavailable(error: &dyn std::error::Error) -> Problem {
    tracing::error!("nothing was counted: {error}");
    Problem::StoreUnavailable
}

/// What the journal may still hold.
#[derive(Default)]
struct Journal {
    used_since: Option<Instant>,
    /// the oldest open week when the last batch was settled
    settled: Option<stipple_catalog::Week>,
}

impl Journal {
    fn written(&mut self) {
        self.used_since.get_or_insert_with(Instant::now);
    }

    fn empty(&mut self, store: &Store) {
        if self.used_since.is_none() {
            return;
        }
        match store.empty_journal() {
            Ok(true) => self.used_since = None,
            Ok(false) => {} // an export reads: next time
            Err(error) => tracing::error!("the journal could not be emptied: {error}"),
        }
    }
}

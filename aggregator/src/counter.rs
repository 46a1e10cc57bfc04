// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one writer: a thread that owns the store, or the queue before it, and commits everything that waits as one transaction (group commit).

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Instant;

use stipple_catalog::{Catalogue, Clock};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::journal::{Journal, QUIET};
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::store::{Sink, StoreError};
use crate::sums::Accepted;
use crate::window::Window;

/// A transaction is full with this many reports; one more batch, or some more entries of a queue, may be begun before.
pub(crate) const FULL: usize = 16_384;

/// A batch of reports that waits to be counted; an empty one asks whether the store can be written to.
struct Task {
    reports: Vec<Accepted>,
    answer: oneshot::Sender<Result<Window, Problem>>,
    /// given back when the answer is given
    places: OwnedSemaphorePermit,
}

/// The way to the writer; clones lead to the same one. It stops when the last is gone, after finishing what it was given.
#[derive(Clone)]
pub(crate) struct Counter {
    tasks: Sender<Task>,
    /// one for each report that may wait
    places: Arc<Semaphore>,
}

impl Counter {
    /// Counts reports in one transaction; returns once all of open weeks are durable, or were before. The window says which
    /// weeks those are.
    pub async fn count(&self, reports: Vec<Accepted>) -> Result<Window, Problem> {
        let places = u32::try_from(reports.len().max(1)).map_err(|_| Problem::TooLarge)?;
        let places = self.places.clone().try_acquire_many_owned(places).map_err(|_| Problem::StoreUnavailable)?;
        let (answer, outcome) = oneshot::channel();
        let task = Task { reports, answer, places };
        self.tasks.send(task).map_err(|_| Problem::StoreUnavailable)?;
        outcome.await.unwrap_or(Err(Problem::StoreUnavailable))
    }

    /// The places of reports that may wait.
    pub fn places(&self) -> Arc<Semaphore> {
        self.places.clone()
    }

    /// Whether the store can be written to now.
    pub async fn probe(&self) -> Result<(), Problem> {
        self.count(Vec::new()).await.map(drop)
    }
}

/// What the writer works with.
pub(crate) struct Writer {
    /// a store, or a queue before one
    pub store: Box<dyn Sink>,
    pub catalogue: Arc<Catalogue>,
    pub clock: Clock,
    pub late_weeks: u16,
    pub metrics: Arc<Metrics>,
}

impl Writer {
    /// Starts the thread, for which up to `queue` reports may wait. The receiver resolves when it ends, for whatever reason.
    pub fn start(self, queue: usize) -> std::io::Result<(Counter, JoinHandle<()>, oneshot::Receiver<()>)> {
        let (sender, tasks) = channel();
        let (ended, end) = oneshot::channel();
        let thread = std::thread::Builder::new().name("counter".into()).spawn(move || {
            let _ended: oneshot::Sender<()> = ended;
            self.run(&tasks);
        })?;
        Ok((Counter { tasks: sender, places: Arc::new(Semaphore::new(queue)) }, thread, end))
    }

    fn run(mut self, tasks: &Receiver<Task>) {
        let mut journal = Journal::found();
        // A week may have closed while nobody served.
        self.settle(Vec::new(), &mut journal);
        loop {
            match tasks.recv_timeout(QUIET) {
                Ok(first) => {
                    self.settle(fill(first, tasks), &mut journal);
                    journal.empty_when_old(&mut *self.store);
                }
                Err(RecvTimeoutError::Timeout) => {
                    if self.week_has_closed(&journal) {
                        self.settle(Vec::new(), &mut journal);
                    }
                    journal.empty(&mut *self.store, true);
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        journal.finish(&mut *self.store);
    }

    fn week_has_closed(&self, journal: &Journal) -> bool {
        Window::at(self.clock.now(), self.late_weeks).is_ok_and(|window| journal.settled != Some(window.oldest))
    }

    /// Makes every report of these tasks durable, then answers everyone.
    fn settle(&mut self, tasks: Vec<Task>, journal: &mut Journal) {
        let probed = if tasks.iter().any(|task| task.reports.is_empty()) { self.store.probe() } else { Ok(()) };
        let probed = probed.map_err(|error| self.failed(&error));
        let counted = self.count(&tasks, journal);
        for Task { reports, answer, places } in tasks {
            // Before the answer, so that whoever has it finds the place free.
            drop(places);
            let outcome = if reports.is_empty() { probed.and(counted) } else { counted };
            // Whoever went away meanwhile will ask again under the same id.
            let _ = answer.send(outcome);
        }
    }

    fn failed(&self, error: &StoreError) -> Problem {
        self.metrics.store_error();
        unavailable(error)
    }

    fn count(&mut self, tasks: &[Task], journal: &mut Journal) -> Result<Window, Problem> {
        let asked = Window::at(self.clock.now(), self.late_weeks).map_err(|error| unavailable(&error))?;
        let reports: Vec<Accepted> = tasks.iter().flat_map(|task| &task.reports).copied().collect();
        let began = Instant::now();
        let counted = self.store.count(&self.catalogue, asked, &reports);
        let (window, closed) = counted.map_err(|error| self.failed(&error))?;
        if !reports.is_empty() {
            self.metrics.transaction(reports.len(), began.elapsed());
        }
        journal.counted(&mut *self.store, window, closed, reports.len());
        journal.settled = Some(asked.oldest);
        Ok(window)
    }
}

/// The first task and those that wait behind it, up to a full transaction.
fn fill(first: Task, tasks: &Receiver<Task>) -> Vec<Task> {
    let mut reports = first.reports.len();
    let mut batch = vec![first];
    while reports < FULL {
        let Ok(next) = tasks.try_recv() else { break };
        reports += next.reports.len();
        batch.push(next);
    }
    batch
}

/// Errors of the stores and of the clock name no value that was sent.
fn unavailable(error: &dyn std::error::Error) -> Problem {
    tracing::error!("nothing was counted: {error}");
    Problem::StoreUnavailable
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! A worker: drains a queue into a store, until it is stopped, whatever goes away meanwhile.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rand::rngs::{ChaCha20Rng, SysRng};
use rand::{RngExt as _, SeedableRng as _};
use stipple_catalog::{Catalogue, Phase, REPORT_LEN, Report, Week};

use crate::counter::FULL;
use crate::journal::Journal;
use crate::queue::{Drain, Entry, QueueAddress, Settled};
use crate::server::ServeError;
use crate::store::{self, Address, Store, StoreError};
use crate::sums::Accepted;
use crate::window::Window;

/// The first pause after a failure, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(30));

/// Everything that a worker is made from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerConfig {
    /// where the reports wait
    pub queue: QueueAddress,
    /// where the counts lie
    pub store: Address,
    /// what is counted
    pub catalogue: Arc<Catalogue>,
    /// for real, or a drill
    pub phase: Phase,
    /// after how long another worker's unsettled entries are taken over
    pub reclaim_after: Duration,
}

impl WorkerConfig {
    /// For real; what another worker has left is taken over after a minute.
    #[must_use]
    pub fn new(queue: QueueAddress, store: impl Into<Address>, catalogue: Arc<Catalogue>) -> Self {
        let (phase, reclaim_after) = (Phase::Production, Duration::from_mins(1));
        Self { queue, store: store.into(), catalogue, phase, reclaim_after }
    }
}

/// A worker that is connected to both ends. It blocks, and is not to be used on a thread of an async runtime.
pub struct Worker {
    queue: Drain,
    store: Box<dyn Store>,
    catalogue: Arc<Catalogue>,
    /// what was read and is not settled yet
    held: Vec<Entry>,
    journal: Journal,
    random: ChaCha20Rng,
    /// losses that were logged
    told: u64,
}

impl Worker {
    /// Connects to the queue and opens the store.
    ///
    /// # Errors
    /// [`ServeError`].
    pub fn open(config: WorkerConfig) -> Result<Self, ServeError> {
        let WorkerConfig { queue, store, catalogue, phase, reclaim_after } = config;
        let mut random = ChaCha20Rng::try_from_rng(&mut SysRng).map_err(|_| ServeError::Randomness)?;
        let name = stipple_catalog::hex(&random.random::<[u8; 8]>());
        let queue = Drain::open(queue, phase, name, reclaim_after).map_err(StoreError::from)?;
        let opened = store::open(&store, phase, None)?;
        tracing::info!("phase {}, counting from {} into {store}", phase.name(), queue.address());
        let (held, journal) = (Vec::new(), Journal::found());
        Ok(Self { queue, store: opened, catalogue, held, journal, random, told: 0 })
    }

    /// Counts until `stop` gets a message or loses its sender. What is held then was counted, or stays for other workers.
    pub fn run(mut self, stop: &Receiver<()>) {
        let mut pause = Duration::ZERO;
        // With a jitter, so that workers who lost the same server do not come back all at once.
        while goes_on(stop, pause.mul_f64(self.random.random_range(0.5..1.0))) {
            pause = match self.turn() {
                Ok(()) => Duration::ZERO,
                Err(error) => {
                    tracing::error!("{error}; trying again, what waits stays in the queue");
                    (pause * 2).clamp(PAUSES.0, PAUSES.1)
                }
            };
        }
        self.journal.finish(&mut *self.store);
        if let Err(error) = self.queue.leave() {
            tracing::warn!("{error}");
        }
        tracing::info!("stopped");
    }

    /// Reads, counts and settles; after a failure, goes on with what is held. Every step may be done twice.
    fn turn(&mut self) -> Result<(), StoreError> {
        if self.held.is_empty() {
            self.held = self.queue.next(FULL)?;
        }
        if self.held.is_empty() {
            return self.rest();
        }
        let settled = self.count()?;
        let late = self.queue.settle(&settled)?;
        self.held.clear();
        if late > 0 {
            tracing::error!("{late} acknowledged reports were not counted: the store had closed their week");
        }
        self.journal.empty_when_old(&mut *self.store);
        Ok(self.queue.forget(false)?)
    }

    /// What is to be done when nothing waits.
    fn rest(&mut self) -> Result<(), StoreError> {
        let open = self.queue.open_from()?;
        if self.journal.settled != Some(open) {
            self.commit(open, &[])?;
        }
        self.journal.empty(&mut *self.store, true);
        self.queue.forget(true)?;
        let status = self.queue.status()?;
        if status.lost > self.told {
            tracing::error!("{} entries are missing from the queue: what they held is lost", status.lost);
        }
        self.told = status.lost;
        Ok(())
    }

    /// Counts what is held. Returns the entries that are done with; one that this catalogue cannot read stays pending.
    fn count(&mut self) -> Result<Vec<Settled>, StoreError> {
        let open = self.queue.open_from()?;
        let catalogue = self.catalogue.clone();
        let (mut reports, mut done, mut unreadable) = (Vec::new(), Vec::new(), (0, 0));
        for entry in &self.held {
            let (read, faults) = decode(&catalogue, entry);
            if faults == 0 {
                let entry = Settled { id: entry.id.clone(), reports: read.len(), late: 0 };
                done.push((entry, reports.len()..reports.len() + read.len()));
            } else {
                unreadable = (unreadable.0 + 1, unreadable.1 + faults);
            }
            reports.extend(read);
        }
        if unreadable.0 > 0 {
            let (entries, faults) = unreadable;
            tracing::error!(
                "{faults} reports in {entries} entries cannot be read with this catalogue: the entries stay in the queue, \
                 and their weeks open, until a worker has the catalogue of the intakes"
            );
        }
        let window = self.commit(open, &reports)?;
        for (entry, range) in &mut done {
            entry.late = reports[range.clone()].iter().filter(|report| window.admit(report.week).is_err()).count();
        }
        Ok(done.into_iter().map(|(entry, _)| entry).collect())
    }

    /// Counts in one transaction, after closing every week before `open`.
    fn commit(&mut self, open: Week, reports: &[Accepted]) -> Result<Window, StoreError> {
        // Which weeks are over was judged by the intake, whose clock may be ahead of ours: so no clock is asked here.
        let asked = Window { oldest: open, unfinished: Week::from_index(u16::MAX) };
        let (window, closed) = self.store.count(&self.catalogue, asked, reports)?;
        self.journal.counted(&mut *self.store, window, closed, reports.len());
        if self.journal.settled != Some(open) {
            self.queue.closed(open)?;
            self.journal.settled = Some(open);
        }
        Ok(window)
    }
}

/// The reports of an entry, and how many more it has that this catalogue cannot read.
fn decode(catalogue: &Catalogue, entry: &Entry) -> (Vec<Accepted>, usize) {
    let (reports, rest) = entry.bytes.as_chunks::<REPORT_LEN>();
    let read: Vec<Accepted> =
        reports.iter().filter_map(|bytes| Report::decode(bytes, catalogue).ok()).map(|r| Accepted::from(&r)).collect();
    let strange = usize::from(!rest.is_empty() || reports.is_empty());
    let faults = reports.len() - read.len() + strange;
    (read, faults)
}

/// Waits, and says whether to go on after that.
fn goes_on(stop: &Receiver<()>, pause: Duration) -> bool {
    matches!(stop.recv_timeout(pause), Err(RecvTimeoutError::Timeout))
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Uploads: one at a time, whoever asks, and none goes on with a report that is due no longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::RngExt as _;
use tokio::sync::{Mutex, Notify};

use super::daemon::{Daemon, DaemonError, warn_of};
use crate::entropy;
use crate::outbox::Outgoing;
use crate::uploader::Delivery;

/// What calls and ticks have to know of each other's uploads.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    /// held while an upload is under way: how the last one failed
    under_way: Mutex<Option<String>>,
    /// the same for whoever looks meanwhile; empty when it did not fail
    trouble: Mutex<String>,
    /// how many uploads have begun
    begun: AtomicU64,
    /// tells an upload under way that its report may be due no longer
    changed: Notify,
}

impl Uploads {
    /// Why the last upload failed; empty when it did not.
    pub async fn trouble(&self) -> String {
        self.trouble.lock().await.clone()
    }

    /// Has the upload under way look again whether its report is due: the owner may have forbidden it.
    pub fn interrupt(&self) {
        self.changed.notify_waiters();
    }
}

impl Daemon {
    /// Sends what is due, unless that is being done: in the background, so that a slow server holds up neither the bus nor the
    /// end.
    pub(super) fn upload_in_background(self: &Arc<Self>) {
        if self.uploads.under_way.try_lock().is_ok() {
            let daemon = self.clone();
            tokio::spawn(async move { warn_of(daemon.upload().await) });
        }
    }

    /// Turns finished weeks into reports and delivers those whose moment has come, with a random pause between two so that
    /// their times do not link them. Returns how many were counted. However many ask at once, two uploads answer them all: the
    /// one under way, and one that begins after they asked.
    ///
    /// # Errors
    /// [`DaemonError`]; what was not delivered waits.
    pub async fn upload(&self) -> Result<usize, DaemonError> {
        let begun = self.uploads.begun.load(Ordering::SeqCst);
        let mut last = self.uploads.under_way.lock().await;
        if self.uploads.begun.load(Ordering::SeqCst) > begun {
            return last.clone().map_or(Ok(0), |failure| Err(DaemonError::OtherUpload(failure)));
        }
        self.uploads.begun.fetch_add(1, Ordering::SeqCst);
        let outcome = self.upload_now().await;
        *last = outcome.as_ref().err().map(ToString::to_string);
        *self.uploads.trouble.lock().await = last.clone().unwrap_or_default();
        outcome
    }

    async fn upload_now(&self) -> Result<usize, DaemonError> {
        // What timers measured of a week comes before its report.
        self.slice_timers().await?;
        self.workstation.lock().await.advance(&mut entropy::generator()?)?;
        let (mut counted, mut first) = (0, true);
        loop {
            if !std::mem::take(&mut first) {
                tokio::time::sleep(self.options.longest_pause.mul_f64(entropy::generator()?.random())).await;
            }
            let due = self.workstation.lock().await.due()?;
            let Some(report) = due.first() else { return Ok(counted) };
            let Some(delivery) = self.deliver(report).await? else { return Ok(counted) };
            if let Delivery::Refused(status) = delivery {
                tracing::warn!("the server refused a report for good (status {status})");
            }
            counted += usize::from(delivery == Delivery::Counted);
            self.workstation.lock().await.settle(report.id(), delivery == Delivery::Counted)?;
        }
    }

    /// Delivers one report, unless it ceases to be due before it is counted.
    async fn deliver(&self, report: &Outgoing) -> Result<Option<Delivery>, DaemonError> {
        let mut delivery = std::pin::pin!(self.options.courier.deliver(report));
        loop {
            let mut changed = std::pin::pin!(self.uploads.changed.notified());
            // Listening begins before the look: a no in between is not missed.
            changed.as_mut().enable();
            if !self.workstation.lock().await.due()?.contains(report) {
                return Ok(None);
            }
            tokio::select! {
                delivery = &mut delivery => return Ok(Some(delivery?)),
                () = changed => {}
            }
        }
    }
}

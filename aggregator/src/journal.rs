// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a store's journal may still hold, and when it is emptied.

use std::time::{Duration, Instant};

use stipple_catalog::Week;

use crate::store::Sink;
use crate::window::Window;

/// A journal holds small transactions, hence single reports, until it is emptied: after this much quiet ...
pub(crate) const QUIET: Duration = Duration::from_secs(1);
/// ... and at the latest after this long without any.
const LIFE: Duration = Duration::from_secs(30);

/// What the journal may still hold.
pub(crate) struct Journal {
    used_since: Option<Instant>,
    /// the oldest open week when the last batch was settled
    pub settled: Option<Week>,
}

impl Journal {
    /// A journal in which an earlier process may have left something.
    pub fn found() -> Self {
        Self { used_since: Some(Instant::now()), settled: None }
    }

    fn written(&mut self) {
        self.used_since.get_or_insert_with(Instant::now);
    }

    pub fn empty(&mut self, store: &mut dyn Sink, quiet: bool) {
        if self.used_since.is_none() {
            return;
        }
        match store.tidy(quiet) {
            Ok(true) => self.used_since = None,
            Ok(false) => {} // somebody reads: next time
            Err(error) => tracing::error!("the store could not be tidied: {error}"),
        }
    }

    /// After a transaction that counted `reports` reports, and closed every week before `window` if it `closed` any.
    pub fn counted(&mut self, store: &mut dyn Sink, window: Window, closed: bool, reports: usize) {
        if closed || reports > 0 {
            self.written();
        }
        if closed {
            tracing::info!("closed every week before {}", window.oldest);
            self.empty(store, false);
        }
    }

    pub fn empty_when_old(&mut self, store: &mut dyn Sink) {
        if self.used_since.is_some_and(|since| since.elapsed() > LIFE) {
            self.empty(store, false);
        }
    }

    /// Empties it before the end: a step at a time, and no longer than whoever stops us waits.
    pub fn finish(&mut self, store: &mut dyn Sink) {
        let deadline = Instant::now() + QUIET;
        while self.used_since.is_some() && Instant::now() < deadline {
            self.empty(store, true);
        }
    }
}

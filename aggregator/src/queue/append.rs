// SPDX-License-Identifier: MIT OR Apache-2.0
//! The intake's side: everything that waits becomes one entry of the stream.

use stipple_catalog::{Catalogue, Phase, Report, Week, WireError};

use super::QueueError;
use super::address::QueueAddress;
use super::connection::Server;
use crate::store::{Sink, StoreError};
use crate::sums::Accepted;
use crate::window::Window;

const APPEND: &str = include_str!("append.lua");
/// How long replicas may take to confirm.
const REPLICA_MILLIS: u32 = 2000;

/// A queue to append to.
pub(crate) struct Appender {
    server: Server,
    /// how many replicas must have an entry before it is confirmed
    replicas: u32,
    /// the oldest open week when last looked
    open: Week,
    /// the most reports and entries that the server said were appended, and that replicas have confirmed
    seen: (u64, u64),
}

impl Appender {
    /// Connects, refusing a server that could lose what it confirms and a clock that stands before a closed week.
    pub fn open(address: QueueAddress, phase: Phase, replicas: u32, now: Week) -> Result<Self, QueueError> {
        let mut appender =
            Self { server: Server::open(address, phase)?, replicas, open: Week::from_index(0), seen: (0, 0) };
        appender.open = appender.open_week()?;
        if now < appender.open {
            let (queue, open_from) = (appender.server.address().clone(), appender.open);
            return Err(QueueError::ClockBehind { queue, open_from, now });
        }
        Ok(appender)
    }

    fn open_week(&mut self) -> Result<Week, QueueError> {
        let open: Option<u16> =
            self.server.with(|connection, keys| redis::cmd("HGET").arg(&keys.sums).arg("open").query(connection))?;
        Ok(Week::from_index(open.unwrap_or_default()))
    }

    /// Appends an entry and waits for the replicas. Returns the oldest open week before; when that is later than `oldest`,
    /// nothing was appended.
    fn append(&mut self, oldest: Week, bytes: &[u8], reports: usize) -> Result<Week, QueueError> {
        let (seen, replicas) = (self.seen, self.replicas);
        let ((open, appended, entries, forgotten), confirmed) = self.server.with(|connection, keys| {
            let mut call = keys.script(APPEND);
            call.arg(oldest.index()).arg(bytes).arg(reports).arg(seen.0).arg(seen.1);
            let answer: (u16, u64, u64, u64) = call.query(connection)?;
            let mut wait = redis::cmd("WAIT");
            wait.arg(replicas).arg(REPLICA_MILLIS);
            let confirmed = if replicas > 0 { wait.query(connection)? } else { 0 };
            Ok((answer, confirmed))
        })?;
        let queue = self.server.address();
        if forgotten > 0 {
            tracing::error!(
                "the queue {queue} has gone back: up to {forgotten} acknowledged reports that nobody had counted are lost"
            );
        }
        if confirmed < replicas {
            return Err(QueueError::TooFewReplicas { queue: queue.clone(), confirmed, asked: replicas });
        }
        if open <= oldest.index() {
            self.seen = (appended, entries);
        }
        Ok(Week::from_index(open))
    }
}

impl Sink for Appender {
    fn count(
        &mut self,
        catalogue: &Catalogue,
        window: Window,
        reports: &[Accepted],
    ) -> Result<(Window, bool), StoreError> {
        let mut window = window;
        loop {
            window = window.closed_before(self.open);
            // By week and id: in which order they came is gone.
            let admitted = window.admitted(reports);
            let bytes = encode(catalogue, &admitted).map_err(QueueError::from)?;
            let before = self.append(window.oldest, &bytes, admitted.len())?;
            self.open = before.max(window.oldest);
            if before <= window.oldest {
                return Ok((window, before < window.oldest));
            }
        }
    }

    fn probe(&mut self) -> Result<(), StoreError> {
        self.append(self.open, &[], 0)?;
        Ok(())
    }

    fn tidy(&mut self, _quiet: bool) -> Result<bool, StoreError> {
        Ok(true) // the workers do
    }

    fn open_from(&mut self) -> Result<Week, StoreError> {
        Ok(self.open_week()?)
    }
}

fn encode(catalogue: &Catalogue, reports: &[&Accepted]) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::with_capacity(reports.len() * stipple_catalog::REPORT_LEN);
    for report in reports {
        let definition = catalogue.by_key(report.metric).ok_or(WireError::UnknownMetric)?;
        let report = Report { id: report.id, definition, week: report.week, response: report.response };
        bytes.extend(report.encode()?);
    }
    Ok(bytes)
}

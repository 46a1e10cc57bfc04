// SPDX-License-Identifier: MIT OR Apache-2.0
//! The worker's side: reads entries, gives back what others left, removes what was committed.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use redis::{Connection, RedisResult};
use stipple_catalog::{Phase, REPORT_LEN, Week};

use super::address::QueueAddress;
use super::connection::Server;
use super::{GROUP, Keys, QueueError, REPORTS};

const SETTLE: &str = include_str!("settle.lua");
const OPEN: &str = include_str!("open.lua");
const ATTEND: &str = include_str!("attend.lua");
/// Entries in one answer. An entry can hold 20 000 reports: 1.3 MB.
const ENTRIES: usize = 32;
/// How long an empty queue is waited at.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often the file of the server is rewritten at most, so that it forgets what was counted: when it is quiet, and under load.
const REWRITE_AFTER: (Duration, Duration) = (Duration::from_secs(5), Duration::from_mins(5));

/// Entries by id; one that was deleted meanwhile has no fields.
type Answer = Vec<(String, Option<HashMap<String, Vec<u8>>>)>;

/// An entry of the stream.
pub(crate) struct Entry {
    pub id: String,
    /// what it holds: reports of 64 bytes, unless somebody else has written it
    pub bytes: Vec<u8>,
}

impl Entry {
    pub fn reports(&self) -> usize {
        self.bytes.len() / REPORT_LEN
    }
}

/// An entry that the store has committed.
pub(crate) struct Settled {
    pub id: String,
    pub reports: usize,
    /// how many of them were of a closed week
    pub late: usize,
}

/// A queue to drain.
pub(crate) struct Drain {
    server: Server,
    /// this worker's name in the group
    consumer: String,
    reclaim_after: Duration,
    /// how far the search for what others left has come, and when it last began
    cursor: String,
    searched: Option<Instant>,
    rewriting: Rewriting,
}

/// Whether the file of the server is rewritten.
struct Rewriting {
    /// the drained entries that will be gone from the file when it is done
    asked: Option<u64>,
    last: Instant,
    /// the server does not let this user ask
    refused: bool,
}

impl Drain {
    pub fn open(
        address: QueueAddress,
        phase: Phase,
        consumer: String,
        reclaim_after: Duration,
    ) -> Result<Self, QueueError> {
        let server = Server::open(address, phase)?;
        let rewriting = Rewriting { asked: None, last: Instant::now(), refused: false };
        Ok(Self { server, consumer, reclaim_after, cursor: "0-0".into(), searched: None, rewriting })
    }

    pub const fn address(&self) -> &QueueAddress {
        self.server.address()
    }

    /// The next entries, about as many as hold `full` reports: those that another worker has left for too long, else new ones.
    /// None after a moment without any.
    pub fn next(&mut self, full: usize) -> Result<Vec<Entry>, QueueError> {
        if self.searched.is_none_or(|begun| begun.elapsed() >= self.reclaim_after / 2) {
            let left = self.reclaim(full)?;
            if !left.is_empty() {
                return Ok(left);
            }
        }
        let consumer = &self.consumer;
        self.server.with(|connection, keys| {
            let mut entries = read(connection, keys, consumer, Some(PATIENCE))?;
            let mut reports: usize = entries.iter().map(Entry::reports).sum();
            let mut more = !entries.is_empty();
            while more && reports < full {
                let next = read(connection, keys, consumer, None)?;
                more = !next.is_empty();
                reports += next.iter().map(Entry::reports).sum::<usize>();
                entries.extend(next);
            }
            Ok(entries)
        })
    }

    /// Takes over entries that were delivered long ago and never settled, a part at a time.
    fn reclaim(&mut self, full: usize) -> Result<Vec<Entry>, QueueError> {
        let (consumer, idle) = (&self.consumer, millis(self.reclaim_after));
        let mut cursor = std::mem::replace(&mut self.cursor, "0-0".into());
        let (entries, cursor) = self.server.with(|connection, keys| {
            let (mut entries, mut reports) = (Vec::new(), 0);
            loop {
                let mut claim = redis::cmd("XAUTOCLAIM");
                claim.arg(&keys.stream).arg(GROUP).arg(consumer).arg(idle).arg(&cursor).arg("COUNT").arg(ENTRIES);
                let (next, claimed, _deleted): (String, Answer, Vec<String>) = claim.query(connection)?;
                cursor = next;
                let claimed = opened(claimed);
                reports += claimed.iter().map(Entry::reports).sum::<usize>();
                entries.extend(claimed);
                if cursor == "0-0" || reports >= full {
                    break;
                }
            }
            attend(connection, keys, consumer, (2 * idle, 4 * idle))?;
            Ok((entries, cursor))
        })?;
        if cursor == "0-0" {
            self.searched = Some(Instant::now());
        }
        self.cursor = cursor;
        Ok(entries)
    }

    /// The oldest week that any entry may hold, now or later. The store may close those before it.
    pub fn open_from(&mut self) -> Result<Week, QueueError> {
        let open: u16 = self.server.with(|connection, keys| keys.script(OPEN).query(connection))?;
        Ok(Week::from_index(open))
    }

    /// Notes for others that the store has closed every week before this one.
    pub fn closed(&mut self, oldest: Week) -> Result<(), QueueError> {
        self.server.with(|connection, keys| {
            redis::cmd("HSET").arg(&keys.sums).arg("closed").arg(oldest.index()).exec(connection)
        })
    }

    /// Removes what the store has committed. Returns how many reports were too late to be counted.
    pub fn settle(&mut self, entries: &[Settled]) -> Result<usize, QueueError> {
        self.server.with(|connection, keys| {
            let mut settle = keys.script(SETTLE);
            settle.arg(GROUP);
            for entry in entries {
                settle.arg(&entry.id).arg(entry.reports).arg(entry.late);
            }
            settle.query(connection)
        })
    }

    /// Leaves the group, unless entries are pending: others will take those over.
    pub fn leave(&mut self) -> Result<(), QueueError> {
        let consumer = &self.consumer;
        let idle = millis(self.reclaim_after);
        self.server.with(|connection, keys| attend(connection, keys, consumer, (0, 4 * idle)))
    }

    /// The file of the server still holds what was removed, until it is rewritten: asks for that when it is quiet, and every few
    /// minutes when it is not.
    pub fn forget(&mut self, quiet: bool) -> Result<(), QueueError> {
        let patience = if quiet { REWRITE_AFTER.0 } else { REWRITE_AFTER.1 };
        if self.rewriting.refused || self.rewriting.last.elapsed() < patience {
            return Ok(());
        }
        let asked = self.rewriting.asked;
        match self.server.with(|connection, keys| Ok(rewrite(connection, keys, asked).map_err(Box::new)))? {
            Ok(asked) => self.rewriting.asked = asked,
            Err(error) if error.is_io_error() => return Err(self.server.failed(&error)),
            Err(error) => {
                self.rewriting.refused = true;
                tracing::warn!(
                    "the queue {} does not let its file be rewritten ({}): let the server do it (auto-aof-rewrite), \
                     or its file keeps reports that were counted",
                    self.server.address(),
                    super::error::words(&error)
                );
            }
        }
        self.rewriting.last = Instant::now();
        Ok(())
    }

    /// What the queue holds and held.
    pub fn status(&mut self) -> Result<super::QueueStatus, QueueError> {
        self.server.with(super::status::read)
    }
}

/// Asks for a rewrite of the file when entries were drained since the last, and notes one that has ended. Returns the drained
/// entries that will be gone when it is done.
fn rewrite(connection: &mut Connection, keys: &Keys, asked: Option<u64>) -> RedisResult<Option<u64>> {
    let (drained, rewritten): (Option<u64>, Option<u64>) =
        redis::cmd("HMGET").arg(&keys.sums).arg("drained_entries").arg("rewritten").query(connection)?;
    let drained = drained.unwrap_or_default();
    if drained <= rewritten.unwrap_or_default() {
        return Ok(None);
    }
    match (asked, rewrite_status(connection)?) {
        (_, Rewrite::Running) => return Ok(asked),
        (Some(gone), Rewrite::Done) => {
            redis::cmd("HSET").arg(&keys.sums).arg("rewritten").arg(gone).exec(connection)?;
            return Ok(None);
        }
        (Some(_), Rewrite::Failed) => {
            tracing::error!("the queue cannot rewrite its file, which keeps counted reports until it can: see its log");
        }
        (None, _) => {}
    }
    match redis::cmd("BGREWRITEAOF").exec(connection) {
        // Another worker was faster.
        Err(error) if error.detail().is_some_and(|detail| detail.contains("in progress")) => Ok(None),
        asked => asked.map(|()| Some(drained)),
    }
}

enum Rewrite {
    Running,
    Done,
    Failed,
}

fn rewrite_status(connection: &mut Connection) -> RedisResult<Rewrite> {
    let told: String = redis::cmd("INFO").arg("persistence").query(connection)?;
    let says = |line: &str| told.lines().any(|told| told == line);
    Ok(if says("aof_rewrite_in_progress:1") || says("aof_rewrite_scheduled:1") {
        Rewrite::Running
    } else if says("aof_last_bgrewrite_status:ok") {
        Rewrite::Done
    } else {
        Rewrite::Failed
    })
}

/// Says that this consumer is there, and removes those that have gone.
fn attend(connection: &mut Connection, keys: &Keys, consumer: &str, patience: (u64, u64)) -> RedisResult<()> {
    keys.script(ATTEND).arg(GROUP).arg(consumer).arg(patience.0).arg(patience.1).exec(connection)
}

/// Entries that nobody has been given yet.
fn read(
    connection: &mut Connection,
    keys: &Keys,
    consumer: &str,
    patience: Option<Duration>,
) -> RedisResult<Vec<Entry>> {
    let mut read = redis::cmd("XREADGROUP");
    read.arg("GROUP").arg(GROUP).arg(consumer).arg("COUNT").arg(ENTRIES);
    if let Some(patience) = patience {
        read.arg("BLOCK").arg(millis(patience));
    }
    let answer: Option<Vec<(String, Answer)>> = read.arg("STREAMS").arg(&keys.stream).arg(">").query(connection)?;
    Ok(answer.into_iter().flatten().flat_map(|(_, entries)| opened(entries)).collect())
}

fn opened(answer: Answer) -> Vec<Entry> {
    let open = |(id, fields): (String, Option<HashMap<String, Vec<u8>>>)| {
        Some(Entry { id, bytes: fields?.remove(REPORTS).unwrap_or_default() })
    };
    answer.into_iter().filter_map(open).collect()
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! A connection that is made when it is needed, checked whenever it is made, and given up when it fails.

use redis::{Connection, RedisError, RedisResult};
use stipple_catalog::Phase;

use super::address::QueueAddress;
use super::error::{QueueError, words};
use super::{GROUP, Keys};

/// Without these the server could lose what it has confirmed; a snapshot would keep what was counted.
const NEEDED: [(&str, &str); 4] =
    [("appendonly", "yes"), ("appendfsync", "always"), ("no-appendfsync-on-rewrite", "no"), ("save", "")];

/// The server of a queue.
pub(super) struct Server {
    address: QueueAddress,
    keys: Keys,
    /// `None` after a failure: the next use connects again
    connection: Option<Connection>,
}

impl Server {
    pub fn open(address: QueueAddress, phase: Phase) -> Result<Self, QueueError> {
        let mut server = Self { address, keys: Keys::of(phase), connection: None };
        server.with(|_, _| Ok(()))?;
        Ok(server)
    }

    pub const fn address(&self) -> &QueueAddress {
        &self.address
    }

    /// Does something with the connection.
    pub fn with<T>(&mut self, work: impl FnOnce(&mut Connection, &Keys) -> RedisResult<T>) -> Result<T, QueueError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        // After an error an answer may still be on its way: the connection ends here.
        let done = work(&mut connection, &self.keys).map_err(|error| self.failed(&error))?;
        self.connection = Some(connection);
        Ok(done)
    }

    pub fn failed(&self, error: &RedisError) -> QueueError {
        QueueError::Failed { queue: self.address.clone(), reason: words(error) }
    }

    fn connect(&self) -> Result<Connection, QueueError> {
        let unreachable =
            |error: RedisError| QueueError::Unreachable { queue: self.address.clone(), reason: words(&error) };
        let mut connection = self.address.connect().map_err(unreachable)?;
        // Also when connecting again: another server may have taken over.
        match faults(&mut connection) {
            Ok(faults) if faults.is_empty() => {}
            Ok(faults) => {
                return Err(QueueError::NotDurable { queue: self.address.clone(), faults: faults.join(", ") });
            }
            Err(error) if error.is_io_error() => return Err(unreachable(error)),
            Err(error) => tracing::warn!(
                "the queue {} does not show its settings ({}): see yourself that it has appendonly yes, \
                 appendfsync always, no-appendfsync-on-rewrite no, save \"\" and no eviction",
                self.address,
                words(&error)
            ),
        }
        join_group(&mut connection, &self.keys).map_err(|error| self.failed(&error))?;
        Ok(connection)
    }
}

/// What is wrong with the server's settings.
fn faults(connection: &mut Connection) -> RedisResult<Vec<String>> {
    let mut get = |setting: &str| -> RedisResult<String> {
        let answer: Vec<String> = redis::cmd("CONFIG").arg("GET").arg(setting).query(connection)?;
        Ok(answer.into_iter().nth(1).unwrap_or_default())
    };
    let mut faults = Vec::new();
    for (setting, needed) in NEEDED {
        let found = get(setting)?;
        if found != needed {
            let quoted = if needed.is_empty() { "\"\"" } else { needed };
            faults.push(format!("{setting} is {found} and must be {quoted}"));
        }
    }
    let policy = get("maxmemory-policy")?;
    if policy.starts_with("allkeys") {
        faults.push(format!("maxmemory-policy is {policy} and must be noeviction"));
    }
    Ok(faults)
}

/// Makes the consumer group, from the stream's first entry on, where it is not there.
fn join_group(connection: &mut Connection, keys: &Keys) -> RedisResult<()> {
    let mut make = redis::cmd("XGROUP");
    make.arg("CREATE").arg(&keys.stream).arg(GROUP).arg("0").arg("MKSTREAM");
    match make.exec(connection) {
        Err(error) if error.code() != Some("BUSYGROUP") => return Err(error),
        _ => {}
    }
    // What the file of this server still holds is not known.
    redis::cmd("HDEL").arg(&keys.sums).arg("rewritten").exec(connection)
}

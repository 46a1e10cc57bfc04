// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which queue.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use redis::{Client, Connection, ConnectionAddr, IntoConnectionInfo as _, RedisResult};
use serde::{Deserialize, Serialize, Serializer};

const CONNECT_TIME: Duration = Duration::from_secs(5);
/// Longer than anything that the server is asked to wait for.
const ANSWER_TIME: Duration = Duration::from_secs(15);

/// The address of a queue: `redis://HOST/` or `redis+unix:///PATH`. Its debug and display forms leave the password out.
#[derive(Clone, Deserialize)]
#[serde(try_from = "String")]
pub struct QueueAddress(Arc<Client>);

impl TryFrom<String> for QueueAddress {
    type Error = QueueAddressError;

    fn try_from(text: String) -> Result<Self, QueueAddressError> {
        text.parse()
    }
}

/// Without its password, as [`fmt::Display`] shows it.
impl Serialize for QueueAddress {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A text that names no queue. It may hold a password and is not repeated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueueAddressError {
    /// Not an address of Redis.
    #[error("the queue's address cannot be read: write redis://HOST/, redis://HOST:PORT/ or redis+unix:///PATH")]
    Unreadable,
    /// Encryption was asked for.
    #[error(
        "TLS to the queue is not supported: use a local socket, a private network or a tunnel, and write redis://HOST/"
    )]
    Tls,
}

impl FromStr for QueueAddress {
    type Err = QueueAddressError;

    fn from_str(text: &str) -> Result<Self, QueueAddressError> {
        if text.starts_with("rediss://") || text.starts_with("valkeys://") {
            return Err(QueueAddressError::Tls);
        }
        let info = text.into_connection_info().map_err(|_| QueueAddressError::Unreadable)?;
        Client::open(info).map(|client| Self(Arc::new(client))).map_err(|_| QueueAddressError::Unreadable)
    }
}

impl QueueAddress {
    pub(super) fn connect(&self) -> RedisResult<Connection> {
        let connection = self.0.get_connection_with_timeout(CONNECT_TIME)?;
        connection.set_read_timeout(Some(ANSWER_TIME))?;
        connection.set_write_timeout(Some(ANSWER_TIME))?;
        Ok(connection)
    }
}

impl fmt::Display for QueueAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get_connection_info().addr() {
            ConnectionAddr::Unix(path) => write!(f, "redis+unix://{}", path.display()),
            address => write!(f, "redis://{address}/"),
        }
    }
}

impl fmt::Debug for QueueAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QueueAddress({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_without_a_password() {
        let shown = |text: &str| text.parse::<QueueAddress>().unwrap().to_string();
        assert_eq!(shown("redis://me:hunter2@queue.example/"), "redis://queue.example:6379/");
        assert_eq!(shown("valkey://queue.example:7000/"), "redis://queue.example:7000/");
        assert_eq!(shown("redis+unix:///run/q.sock?pass=hunter2"), "redis+unix:///run/q.sock");
        let debug = format!("{:?}", "redis://me:hunter2@queue.example/".parse::<QueueAddress>());
        assert!(!debug.contains("hunter2"), "{debug}");
    }

    #[test]
    fn other_texts_are_refused_and_not_repeated() {
        let error = |text: &str| text.parse::<QueueAddress>().unwrap_err();
        assert_eq!(error("rediss://queue/"), QueueAddressError::Tls);
        assert_eq!(error("postgresql://me:hunter2@queue/"), QueueAddressError::Unreadable);
        assert_eq!(error("queue"), QueueAddressError::Unreadable);
    }
}

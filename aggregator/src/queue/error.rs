// SPDX-License-Identifier: MIT OR Apache-2.0
//! Why a queue cannot be used.

use redis::{ErrorKind, RedisError};
use stipple_catalog::Week;

use super::address::QueueAddress;

/// A queue that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The server does not answer, or lets nobody in.
    #[error("cannot connect to the queue {queue}: {reason}; is the server running, and may this user log in?")]
    Unreachable {
        /// the queue
        queue: QueueAddress,
        /// why
        reason: String,
    },
    /// The server could lose what it has confirmed, or would keep what was counted.
    #[error(
        "the queue {queue} is not set up to keep reports safe: {faults}; \
         set that in its configuration (or with CONFIG SET) and try again"
    )]
    NotDurable {
        /// the queue
        queue: QueueAddress,
        /// each setting, as it is and as it has to be
        faults: String,
    },
    /// Fewer replicas than asked for have confirmed.
    #[error(
        "the queue {queue} has {confirmed} replicas that confirm in time and {asked} are asked for: \
         start them, or lower --queue-replicas"
    )]
    TooFewReplicas {
        /// the queue
        queue: QueueAddress,
        /// how many confirmed
        confirmed: u32,
        /// how many must
        asked: u32,
    },
    /// The clock stands before a week that the queue has closed.
    #[error(
        "the queue {queue} has closed every week before {open_from}, yet the clock says {now}: \
         set the clock right (or --now in a drill), or name a new queue with --queue"
    )]
    ClockBehind {
        /// the queue
        queue: QueueAddress,
        /// the oldest open week
        open_from: Week,
        /// the current week
        now: Week,
    },
    /// A report cannot be written as bytes.
    #[error("a report cannot be written to the queue: {0}")]
    Encode(#[from] stipple_catalog::WireError),
    /// A command failed. It may have been carried out; doing it again is right either way.
    #[error("the queue {queue} failed: {reason}")]
    Failed {
        /// the queue
        queue: QueueAddress,
        /// why, in the words of the server
        reason: String,
    },
}

/// What the server or the library says, without what may repeat a value.
pub(super) fn words(error: &RedisError) -> String {
    match error.kind() {
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => format!("unexpected answer ({})", error.category()),
        ErrorKind::Io => error.to_string(),
        _ => {
            let code = error.code().unwrap_or_else(|| error.category());
            let detail = error.detail().unwrap_or_default();
            // An unknown command is repeated with its arguments.
            let detail = detail.split(", with args").next().unwrap_or_default();
            format!("{code} {detail}").trim_end().to_owned()
        }
    }
}

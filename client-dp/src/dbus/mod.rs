// SPDX-License-Identifier: MIT OR Apache-2.0
//! The recorder on the bus: today's interface for applications, and the owner's own view.

mod authority;
mod daemon;
mod metrics;
mod proxies;
mod quota;
#[allow(
    unused_variables,
    clippy::unused_self,
    clippy::too_many_arguments,
    reason = "the interface decides the arguments and their names"
)]
mod recorder;
mod shared;
mod timers;
mod uploads;

use std::fmt;
use std::str::FromStr;

use zbus::connection;

pub use authority::Authority;
pub use daemon::{Daemon, DaemonError, Options};
pub use metrics::StatusRow;
pub use proxies::{AggregateTimerProxy, EventRecorderServerProxy, MetricsProxy};

/// The recorder's name on the bus, as libeosmetrics looks for it.
pub const RECORDER_NAME: &str = "com.endlessm.Metrics";
/// The recorder's object.
pub const RECORDER_PATH: &str = "/com/endlessm/Metrics";
/// The name of the owner's view.
pub const METRICS_NAME: &str = "org.stipple.Metrics1";
/// The object of the owner's view.
pub const METRICS_PATH: &str = "/org/stipple/Metrics1";

/// Which bus to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bus {
    /// The system bus; changes are subject to polkit.
    System,
    /// The session bus, which belongs to its user.
    Session,
    /// A bus at a D-Bus address.
    Address(String),
}

impl FromStr for Bus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "system" => Ok(Self::System),
            "session" => Ok(Self::Session),
            address if address.contains(':') => Ok(Self::Address(address.to_owned())),
            other => {
                Err(format!("{other:?} is no bus: write system, session or an address such as unix:path=/run/bus"))
            }
        }
    }
}

impl fmt::Display for Bus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::System => "system",
            Self::Session => "session",
            Self::Address(address) => address,
        })
    }
}

impl Bus {
    /// A connection to be built.
    pub fn builder(&self) -> connection::Builder<'static> {
        match self {
            Self::System => connection::Builder::system(),
            Self::Session => connection::Builder::session(),
            Self::Address(address) => connection::Builder::address(address.as_str()),
        }
    }
}

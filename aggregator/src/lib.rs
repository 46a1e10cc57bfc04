// SPDX-License-Identifier: MIT OR Apache-2.0
//! Takes noised reports in over HTTP, counts each exactly once, and exports the counts dataset.
//!
//! The way of a report: [`Server`] accepts the connection, `intake` checks the 64 bytes, `counter` puts every report that
//! waits into one transaction, `store` makes it durable, and only then is the sender answered. What remains are sums.
//! With a `queue`, the writer appends to it instead, and any number of [`Worker`]s drain it into the store.
//! `docs/protocol.md` describes the endpoint and the dataset for other implementations.

mod check;
mod compat;
mod counter;
mod export;
#[cfg(fuzzing)]
pub mod fuzzing;
mod gvariant;
mod import;
mod intake;
mod journal;
mod maintain;
mod metrics;
mod ohttp;
mod problem;
mod queue;
mod server;
mod settings;
mod status;
mod store;
mod sums;
mod window;
mod worker;

pub use check::{ALARM, Checked, RATE_FACTOR, check};
pub use compat::REPORT_EVENT;
pub use export::{ExportError, Exported, Unknown, export};
pub use import::{ImportError, Imported, import};
pub use maintain::{Verdict, forget, forgettable, purge, stored_phase, verify};
pub use ohttp::{KeyError, KeyPolicy};
pub use problem::Problem;
pub use queue::{QueueAddress, QueueAddressError, QueueError, QueueStatus, queue_status};
pub use server::{Config, Limits, ServeError, Server, serve};
pub use settings::{LimitSettings, LogFormat, Settings, SettingsError};
pub use store::{Address, AddressError, StoreError};
pub use worker::{Worker, WorkerConfig};

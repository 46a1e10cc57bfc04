// SPDX-License-Identifier: MIT OR Apache-2.0
//! The real recorder and the real command on a private bus, called by unmodified GLib clients.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod command;
mod contract;
mod corner;
mod crashes;
mod drill;
mod interface;
mod owner;
mod polkit;
mod quotas;
mod recording;
#[path = "../support/server.rs"]
mod server;
#[expect(clippy::needless_pass_by_value, clippy::unused_self, reason = "an interface decides its arguments")]
mod session;
mod timers;
mod trouble;

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The real recorder and the real command on a private bus, called by unmodified GLib clients.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

mod command;
mod contract;
mod corner;
mod drill;
mod interface;
mod polkit;
mod recording;
#[path = "../support/server.rs"]
mod server;
mod timers;
mod trouble;

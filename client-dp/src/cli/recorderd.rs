// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line of `stipple-recorderd`.

use std::path::PathBuf;

use clap::Parser;
use jiff::Timestamp;
use stipple_catalog::Phase;

use crate::dbus::Bus;

/// Record desktop metrics and send them under local differential privacy. Off until the user says yes.
#[derive(Debug, Parser)]
#[command(
    name = "stipple-recorderd",
    version,
    after_help = "Example: stipple-recorderd --bus session --state-dir /tmp/stipple --catalog \
    catalog/metrics --server http://127.0.0.1:8470\n\nExit codes: 0 stopped by a signal, 1 failed, 2 wrong usage."
)]
pub struct Recorderd {
    /// The bus to serve: system, session, or a D-Bus address. On the system bus, polkit guards every change.
    #[arg(long, default_value = "system")]
    pub bus: Bus,
    /// Where the state is kept. Nothing is written before the user's yes.
    #[arg(long, env = "STATE_DIRECTORY", default_value = "/var/lib/stipple")]
    pub state_dir: PathBuf,
    /// While this file exists, nothing is recorded or sent, whatever the user answers.
    #[arg(long, default_value = "/etc/stipple/disabled")]
    pub lock: PathBuf,
    /// The catalogue of metrics [default: the installed one].
    #[arg(long)]
    pub catalog: Option<PathBuf>,
    /// The aggregator.
    #[arg(long, default_value = "http://127.0.0.1:8470")]
    pub server: String,
    /// Hand reports to the uploader behind this socket [default: start the stipple-upload beside this program for each
    /// report]; --server is then only shown.
    #[arg(long, value_name = "PATH")]
    pub upload_socket: Option<PathBuf>,
    /// Send each report at a random moment within this many seconds after its week [default: six days].
    #[arg(long, default_value_t = 6 * 24 * 3600)]
    pub send_window: u64,
    /// production, or testing for drills.
    #[arg(long, value_enum, default_value_t)]
    pub phase: Phase,
    /// Start the clock at this moment (drills only).
    #[arg(long, value_name = "RFC3339")]
    pub now: Option<Timestamp>,
    /// How many events a caller may record a second, once its burst of 1000 is used up; a user's programs together four
    /// times that.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub events_per_second: u32,
    /// The root of the system that the probes read.
    #[arg(long, default_value = "/", hide = true)]
    pub probe_root: PathBuf,
}

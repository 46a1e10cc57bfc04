// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-recorderd`: records over the standard D-Bus interface, and sends randomised reports only.

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser;
use jiff::Timestamp;
use stipple_catalog::{Catalogue, Clock, Phase, default_folder};
use stipple_client_dp::Workstation;
use stipple_client_dp::courier::Courier;
use stipple_client_dp::dbus::{Bus, Daemon, Options};
use stipple_client_dp::uploader::{Patience, Uploader};
use tokio::signal::unix::{SignalKind, signal};

/// Record desktop metrics and send them under local differential privacy. Off until the user says yes.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example: stipple-recorderd --bus session --state-dir /tmp/stipple --catalog \
    catalog/metrics --server http://127.0.0.1:8470\n\nExit codes: 0 stopped by a signal, 1 failed, 2 wrong usage."
)]
struct Arguments {
    /// The bus to serve: system, session, or a D-Bus address. On the system bus, polkit guards every change.
    #[arg(long, default_value = "system")]
    bus: Bus,
    /// Where the state is kept. Nothing is written before the user's yes.
    #[arg(long, env = "STATE_DIRECTORY", default_value = "/var/lib/stipple")]
    state_dir: PathBuf,
    /// While this file exists, nothing is recorded or sent, whatever the user answers.
    #[arg(long, default_value = "/etc/stipple/disabled")]
    lock: PathBuf,
    /// The catalogue of metrics [default: the installed one].
    #[arg(long)]
    catalog: Option<PathBuf>,
    /// The aggregator.
    #[arg(long, default_value = "http://127.0.0.1:8470")]
    server: String,
    /// Hand reports to the uploader behind this socket instead of sending them; --server is then only shown.
    #[arg(long, value_name = "PATH")]
    upload_socket: Option<PathBuf>,
    /// Send each report at a random moment within this many seconds after its week [default: six days].
    #[arg(long, default_value_t = 6 * 24 * 3600)]
    send_window: u64,
    /// production, or testing for drills.
    #[arg(long, value_enum, default_value_t)]
    phase: Phase,
    /// Start the clock at this moment (drills only).
    #[arg(long, value_name = "RFC3339")]
    now: Option<Timestamp>,
    /// How many events a caller may record a second, once its burst of 1000 is used up; a user's programs together four
    /// times that.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    events_per_second: u32,
    /// The root of the system that the probes read.
    #[arg(long, default_value = "/", hide = true)]
    probe_root: PathBuf,
}

/// Between two reports that are due at once; shorter if the sending window is.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

fn main() -> ExitCode {
    // Not adjustable: a more talkative library underneath could print what passes through it.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_max_level(tracing::Level::INFO)
        .without_time()
        .init();
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stipple-recorderd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let catalogue = Catalogue::load(&arguments.catalog.unwrap_or_else(default_folder))?;
    let clock = Clock::system(arguments.phase, arguments.now)?;
    let window = Duration::from_secs(arguments.send_window);
    let workstation =
        Workstation::open(&arguments.state_dir, Arc::new(catalogue), clock, window)?.with_lock(arguments.lock);
    let courier = match arguments.upload_socket {
        Some(path) => Courier::Socket(path),
        None => Courier::Direct(Uploader::new(&arguments.server, Patience::default())?),
    };
    let options = Options {
        bus: arguments.bus,
        courier,
        server: arguments.server,
        longest_pause: window.min(LONGEST_PAUSE),
        root: arguments.probe_root,
        events_per_second: arguments.events_per_second,
    };
    let daemon = Daemon::new(workstation, options);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(async {
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        // Scripts wait for this line. A reader that went away is no reason to stop.
        let ready = || drop(writeln!(std::io::stdout(), "serving {}", stipple_client_dp::dbus::RECORDER_NAME));
        daemon.serve(stop, ready).await.map_err(anyhow::Error::from)
    })
}

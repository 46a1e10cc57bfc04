// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-recorderd`: records over the standard D-Bus interface, and sends randomised reports only.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::Parser as _;
use stipple_catalog::{Catalogue, Clock, default_folder};
use stipple_client_dp::Workstation;
use stipple_client_dp::cli::Recorderd as Arguments;
use stipple_client_dp::courier::Courier;
use stipple_client_dp::dbus::{Daemon, Options};
use tokio::signal::unix::{SignalKind, signal};

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
        None => Courier::beside(&arguments.server)?,
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

// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-session-helper`: tells the recorder, once, what only the user's own session knows, and ends.
//!
//! A timer of the user's systemd runs it every hour. It keeps nothing, and it asks nothing unless metrics are on.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use stipple_client_dp::cli::SessionHelper as Arguments;
use stipple_client_dp::dbus::EventRecorderServerProxy;
use stipple_client_dp::session;

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stipple-session-helper: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    runtime.block_on(async {
        let bus = arguments.bus.builder().build().await.context("cannot reach the recorder's bus")?;
        let recorder = EventRecorderServerProxy::new(&bus).await?;
        if !recorder.enabled().await.context("no recorder answers: is stipple-recorderd running?")? {
            return Ok(());
        }
        let session = arguments.session.builder().build().await.context("cannot reach the session's bus")?;
        let user = rustix::process::getuid().as_raw();
        for (event, payload) in session::observe(&session).await {
            recorder.record_singular_event(user, &event, 0, true, &payload).await?;
        }
        Ok(())
    })
}

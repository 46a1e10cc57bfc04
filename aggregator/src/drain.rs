// SPDX-License-Identifier: MIT OR Apache-2.0
//! The commands of a queue: count what waits in it, and show it.

use std::io::Write as _;
use std::num::NonZeroU32;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use stipple_aggregator::{QueueAddress, Settings, Worker, WorkerConfig, queue_status};
use stipple_catalog::{Catalogue, Phase};

use crate::{Common, shutdown, start_log};

#[derive(Args)]
struct QueueOptions {
    /// The queue: redis://HOST/ or redis+unix:///PATH [default: the configured one].
    #[arg(long, env = "STIPPLE_QUEUE", hide_env_values = true, value_name = "URL")]
    queue: Option<QueueAddress>,
    /// For real, or a drill. Each has a queue of its own [default: the configured one, else production].
    #[arg(long, value_enum, env = "STIPPLE_PHASE", hide_env_values = true)]
    phase: Option<Phase>,
}

/// What `count` takes.
#[derive(Args)]
pub(crate) struct CountOptions {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    queue: QueueOptions,
    /// Take over what another worker was given and has not counted for this many seconds.
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    reclaim_after: NonZeroU32,
}

/// What `queue-status` takes.
#[derive(Args)]
pub(crate) struct QueueStatusOptions {
    #[command(flatten)]
    queue: QueueOptions,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl QueueOptions {
    fn settings(self, common: Common, file: Option<&Path>) -> anyhow::Result<(Settings, QueueAddress, Phase)> {
        let mut asked = common.asked();
        (asked.queue, asked.phase) = (self.queue, self.phase);
        let settings = Settings::load(asked, file)?;
        let queue = settings.queue.clone().context("there is no queue: name one with --queue redis://HOST/")?;
        let phase = settings.phase.unwrap_or_default();
        Ok((settings, queue, phase))
    }
}

impl CountOptions {
    /// Counts until SIGTERM or SIGINT.
    #[tokio::main]
    pub(crate) async fn run(self, file: Option<&Path>) -> anyhow::Result<ExitCode> {
        let (settings, queue, phase) = self.queue.settings(self.common, file)?;
        start_log(settings.log.unwrap_or_default());
        let catalogue = Arc::new(Catalogue::load(&settings.catalog())?);
        let mut config = WorkerConfig::new(queue, settings.store(), catalogue);
        config.phase = phase;
        config.reclaim_after = Duration::from_secs(self.reclaim_after.get().into());
        let (stop, stopped) = mpsc::channel();
        let shutdown = shutdown()?;
        let working = tokio::task::spawn_blocking(move || Worker::open(config).map(|worker| worker.run(&stopped)));
        tokio::pin!(working);
        tokio::select! {
            ended = &mut working => ended??,
            () = shutdown => {
                drop(stop);
                working.await??;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl QueueStatusOptions {
    /// Prints the status; exit code 1 when something was lost.
    pub(crate) fn run(self, file: Option<&Path>) -> anyhow::Result<ExitCode> {
        let (_, queue, phase) = self.queue.settings(Common::default(), file)?;
        let status = queue_status(&queue, phase)?;
        let mut out = std::io::stdout();
        // Whoever closed our output does not wait for it.
        let _ = if self.json { writeln!(out, "{}", serde_json::to_string(&status)?) } else { write!(out, "{status}") };
        Ok(if status.has_losses() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

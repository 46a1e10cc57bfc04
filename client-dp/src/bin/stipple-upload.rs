// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-upload`: sends one report and ends. It knows no tally, no ledger and no bus.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use stipple_client_dp::cli::Upload as Arguments;
use stipple_client_dp::courier::carry;
use stipple_client_dp::entropy;
use stipple_client_dp::uploader::{Patience, Relay, Uploader};

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stipple-upload: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let uploader = match (&arguments.relay, &arguments.ohttp_keys) {
        (Some(relay), Some(keys)) => {
            Uploader::through(Relay::new(relay, &arguments.server, keys)?, Patience::default())
        }
        // Neither: each requires the other, lest a forgotten one show this machine's address.
        _ => Uploader::new(&arguments.server, Patience::default()),
    }?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    let carried = runtime.block_on(async {
        let mut rng = entropy::generator()?;
        carry(&uploader, tokio::io::stdin(), tokio::io::stdout(), &mut rng).await.context("no report of 64 bytes came")
    });
    // Standard input may still be waited for in a thread of its own.
    runtime.shutdown_background();
    carried
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-upload`: sends one report and ends. It knows no tally, no ledger and no bus.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser;
use stipple_client_dp::courier::carry;
use stipple_client_dp::entropy;
use stipple_client_dp::uploader::{Patience, Relay, Uploader};

/// Send one randomised report of 64 bytes from standard input; print what became of it.
#[derive(Parser)]
#[command(
    version,
    after_help = "systemd starts it for each connection to stipple-upload.socket. Whoever closes its input has changed their \
    mind: it stops without an answer.\n\nProxies are taken from HTTPS_PROXY, HTTP_PROXY, ALL_PROXY (http://, socks5h://) and \
    NO_PROXY, trusted authorities from the system or SSL_CERT_FILE.\n\nExample: (cat report; sleep 60) | stipple-upload \
    --server http://127.0.0.1:8470\n\nExit codes: 0 answered (counted, refused or later), 1 no report was read, or a setting \
    cannot be used, 2 wrong usage."
)]
struct Arguments {
    /// The aggregator.
    #[arg(long, env = "STIPPLE_SERVER", default_value = "http://127.0.0.1:8470")]
    server: String,
    /// An Oblivious HTTP relay. It sees this machine's address and not the report; the server the other way round.
    #[arg(long, env = "STIPPLE_RELAY", value_name = "URL", requires = "ohttp_keys")]
    relay: Option<String>,
    /// The key configuration of the server's gateway: a file, or the address to fetch it from.
    #[arg(long, env = "STIPPLE_OHTTP_KEYS", value_name = "FILE|URL", requires = "relay")]
    ohttp_keys: Option<String>,
}

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

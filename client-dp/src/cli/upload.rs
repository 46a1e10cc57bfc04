// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line of `stipple-upload`.

use clap::Parser;

/// Send one randomised report of 64 bytes from standard input; print what became of it.
#[derive(Debug, Parser)]
#[command(
    name = "stipple-upload",
    version,
    after_help = "systemd starts it for each connection to stipple-upload.socket.\n\nExample: stipple-upload --server \
    http://127.0.0.1:8470 <report\n\nExit codes: 0 answered (counted, refused or later), 1 no report was read, 2 wrong usage."
)]
pub struct Upload {
    /// The aggregator.
    #[arg(long, env = "STIPPLE_SERVER", default_value = "http://127.0.0.1:8470")]
    pub server: String,
}

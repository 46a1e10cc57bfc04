// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line of `stipple-upload`.

use clap::Parser;

/// Send one randomised report of 64 bytes from standard input; print what became of it.
#[derive(Debug, Parser)]
#[command(
    name = "stipple-upload",
    version,
    after_help = "systemd starts it for each connection to stipple-upload.socket. Whoever closes its input has changed their \
    mind: it stops without an answer.\n\nProxies are taken from HTTPS_PROXY, HTTP_PROXY, ALL_PROXY (http://, socks5h://) and \
    NO_PROXY, trusted authorities from the system or SSL_CERT_FILE.\n\nExample: (cat report; sleep 60) | stipple-upload \
    --server http://127.0.0.1:8470\n\nExit codes: 0 answered (counted, refused or later), 1 no report was read, or a setting \
    cannot be used, 2 wrong usage."
)]
pub struct Upload {
    /// The aggregator.
    #[arg(long, env = "STIPPLE_SERVER", default_value = "http://127.0.0.1:8470")]
    pub server: String,
    /// An Oblivious HTTP relay. It sees this machine's address and not the report; the server the other way round.
    #[arg(long, env = "STIPPLE_RELAY", value_name = "URL", requires = "ohttp_keys")]
    pub relay: Option<String>,
    /// The key configuration of the server's gateway: a file, or the address to fetch it from.
    #[arg(long, env = "STIPPLE_OHTTP_KEYS", value_name = "FILE|URL", requires = "relay")]
    pub ohttp_keys: Option<String>,
}

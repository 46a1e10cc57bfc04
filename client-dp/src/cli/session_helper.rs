// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line of `stipple-session-helper`.

use clap::Parser;

use crate::dbus::Bus;

/// Record the session's settings and running applications, if metrics are on. Only listed answers are kept.
#[derive(Debug, Parser)]
#[command(
    name = "stipple-session-helper",
    version,
    after_help = "Exit codes: 0 done, or metrics are off; 1 failed; 2 wrong usage."
)]
pub struct SessionHelper {
    /// The recorder's bus: system, session, or a D-Bus address.
    #[arg(long, default_value = "system")]
    pub bus: Bus,
    /// The user's bus, with the desktop portal and the user's systemd.
    #[arg(long, default_value = "session")]
    pub session: Bus,
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command line of `stipple`.

use std::path::PathBuf;

use clap::{ColorChoice, Parser, Subcommand};

use crate::dbus::Bus;

/// See what this computer records and sends, and switch it on or off.
#[derive(Debug, Parser)]
#[command(
    name = "stipple",
    version,
    after_help = "Example: stipple preview\n\n\
    Exit codes: 0 done, 1 failed, 2 wrong usage or unknown metric, 3 the recorder is not running, 4 not allowed, \
    5 switched off by an administrator."
)]
pub struct Stipple {
    /// The bus of the recorder: system, session, or a D-Bus address.
    #[arg(long, default_value = "system", global = true)]
    pub bus: Bus,
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// Colours; auto: on a terminal, unless NO_COLOR is set.
    #[arg(long, value_enum, default_value_t, global = true)]
    pub color: ColorChoice,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `stipple` does.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Whether metrics are on, and where reports go.
    #[command(after_help = "Example: stipple status --json | jq .consent")]
    Status,
    /// Say yes to the text that `stipple enable --text` prints: record, and send randomised reports.
    #[command(after_help = "Example: stipple enable --text | less")]
    Enable {
        /// Print the text that a yes agrees to, and change nothing.
        #[arg(long)]
        text: bool,
    },
    /// Say no: stop, and delete everything recorded. Only the spent budget is kept.
    #[command(after_help = "Example: stipple disable")]
    Disable,
    /// What this week's events amount to, before randomisation.
    #[command(after_help = "Example: stipple show --json | jq '.[].value'")]
    Show,
    /// What will be sent and when: the true value beside the exact bytes. Looking changes nothing.
    #[command(after_help = "Example: stipple preview")]
    Preview,
    /// What was sent, byte for byte.
    #[command(after_help = "Example: stipple sent --json | jq '.[].bytes'")]
    Sent,
    /// How much of this half-year's privacy budget is spent.
    #[command(after_help = "Example: stipple budget")]
    Budget,
    /// Every metric: what it asks, what it costs, and whether it is on.
    #[command(
        after_help = "Example: stipple metrics explain hardware.cpu-vendor",
        args_conflicts_with_subcommands = true
    )]
    Metrics {
        /// The list without it.
        #[command(subcommand)]
        what: Option<MetricsCommand>,
    },
    /// Switch a metric, or a whole category, off. Nobody can tell from the reports that it is off.
    #[command(after_help = "Example: stipple opt-out usage")]
    OptOut {
        /// A metric's id, or hardware, settings, usage, performance or problems.
        name: String,
    },
    /// Switch a metric, or a whole category, on again.
    #[command(after_help = "Example: stipple opt-in usage.applications")]
    OptIn {
        /// A metric's id, or hardware, settings, usage, performance or problems.
        name: String,
    },
    /// Delete everything recorded and not yet sent, and the list of what was sent. The answer and the spent budget stay.
    #[command(after_help = "Example: stipple erase")]
    Erase,
    /// Everything that this computer holds about you, as one JSON document.
    #[command(after_help = "Example: stipple export --output my-metrics.json")]
    Export {
        /// Write it to this file, which only you can read, and not to the terminal.
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Replace the file if it is there.
        #[arg(long, requires = "output")]
        force: bool,
    },
    /// Look for what can be wrong, and say what to do. It changes nothing and asks nobody but the recorder.
    #[command(after_help = "Example: stipple doctor

Exit codes: 0 nothing has failed, 1 something has, 3 no recorder answers.")]
    Doctor,
}

/// What `stipple metrics` does beside listing.
#[derive(Clone, Debug, Subcommand)]
pub enum MetricsCommand {
    /// One metric in plain words: what is asked and recorded, when it is reported, and what the randomisation does to your answer.
    #[command(after_help = "Example: stipple metrics explain hardware.cpu-vendor")]
    Explain {
        /// The metric's id, as stipple metrics lists it.
        id: String,
    },
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple-settings`: the window in which a user says yes or no, and sees what is recorded and what is sent.

mod bus;
mod state;
mod widgets;
mod window;
mod words;

use adw::prelude::*;
use clap::Parser;
use gtk::{gio, glib};

use bus::Bus;

const APPLICATION: &str = "org.stipple.Settings";

/// Choose whether this computer shares metrics, and see what it records and sends.
#[derive(Parser)]
#[command(version, after_help = "Example: stipple-settings --bus unix:path=/tmp/stipple/bus")]
struct Arguments {
    /// The bus of the recorder: system, session, or a D-Bus address.
    #[arg(long, default_value = "system")]
    bus: Bus,
}

fn main() -> glib::ExitCode {
    let bus = Arguments::parse().bus;
    // A second window of the system's recorder raises the first; a window of another bus is another window.
    let flags = if bus == Bus::System { gio::ApplicationFlags::default() } else { gio::ApplicationFlags::NON_UNIQUE };
    let application = adw::Application::builder().application_id(APPLICATION).flags(flags).build();
    application.set_accels_for_action("window.close", &["<Control>w", "<Control>q"]);
    application.set_accels_for_action("win.refresh", &["F5", "<Control>r"]);
    application.connect_activate(move |application| match application.active_window() {
        Some(window) => window.present(),
        None => window::open(application, bus.clone()),
    });
    application.run_with_args::<&str>(&[])
}

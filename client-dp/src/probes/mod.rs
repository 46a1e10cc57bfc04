// SPDX-License-Identifier: MIT OR Apache-2.0
//! Instrumentation: each probe reads one fact of the real system and records it as an event, like any application.
//!
//! A probe looks at files below a root directory, and a pure function makes a value of their text. A file that cannot be read, or
//! says nothing, records nothing: the week's value stays `none`.

mod access_control;
mod boot;
mod camera;
mod counters;
mod cpu_count;
mod cpu_level;
mod cpu_vendor;
mod disk_encryption;
mod disk_used;
mod display_manager;
mod fingerprint;
mod firmware;
mod flatpaks;
mod form_factor;
mod gpu;
mod keyboard_layout;
mod locale;
#[cfg(test)]
mod machine_tests;
mod manager;
mod monitors;
mod peripherals;
mod pressure;
mod printers;
mod ram;
mod root_filesystem;
mod storage;
mod swap;
mod system;
mod tpm;
mod uptime;
mod virtualisation;

use std::path::Path;

use zbus::wire::Variant;

pub(crate) use locale::normal as normal_locale;
pub use manager::Manager;
pub use system::System;

use crate::event::Event;
use crate::workstation::{Workstation, WorkstationError};

/// What a probe found: the payloads of its event.
type Found = Vec<Variant<'static>>;

/// One payload, or none.
fn found(payload: Option<Variant<'static>>) -> Found {
    payload.into_iter().collect()
}

/// A probe: the event that it records, and how it looks.
struct Probe {
    event: [u8; 16],
    look: fn(System<'_>) -> Found,
}

const PROBES: [Probe; 33] = [
    cpu_vendor::PROBE,
    cpu_level::PROBE,
    cpu_count::CORES,
    cpu_count::THREADS,
    ram::SIZE,
    gpu::VENDOR,
    gpu::DRIVER,
    storage::PROBE,
    root_filesystem::PROBE,
    disk_encryption::PROBE,
    firmware::BOOT_MODE,
    firmware::SECURE_BOOT,
    tpm::PROBE,
    form_factor::PROBE,
    virtualisation::PROBE,
    camera::PROBE,
    fingerprint::PROBE,
    printers::PROBE,
    monitors::COUNT,
    monitors::LINES,
    peripherals::PROBE,
    locale::PROBE,
    keyboard_layout::PROBE,
    display_manager::PROBE,
    access_control::PROBE,
    flatpaks::PROBE,
    uptime::PROBE,
    ram::USED,
    swap::KIND,
    swap::USED,
    disk_used::PROBE,
    pressure::MEMORY,
    pressure::IO,
];

/// Runs every probe on a system and records what they find, with what its systemd says.
///
/// # Errors
/// [`WorkstationError`] when the state cannot be written.
pub fn run(workstation: &mut Workstation, system: System<'_>, manager: Manager) -> Result<(), WorkstationError> {
    if !workstation.is_on()? {
        return Ok(());
    }
    let mut found: Vec<([u8; 16], Variant<'static>)> = Vec::new();
    for probe in &PROBES {
        found.extend((probe.look)(system).into_iter().map(|payload| (probe.event, payload)));
    }
    found.extend(manager.failed_units.map(|number| (manager::FAILED_UNITS, Variant::from(number))));
    let events: Vec<_> = found.iter().map(|(id, payload)| Event::singular(*id, Some(payload))).collect();
    workstation.record_each(&events)?;
    let Some(folder) = workstation.folder.as_deref() else { return Ok(()) };
    match boot::look(system, folder, manager.startup) {
        Ok(news) => record_news(workstation, &news),
        Err(error) => {
            tracing::warn!("the record of this start could not be written: {error}");
            Ok(())
        }
    }
}

fn record_news(workstation: &mut Workstation, news: &boot::News) -> Result<(), WorkstationError> {
    let startup = news.startup.map(Variant::from);
    let mut events: Vec<_> =
        news.events.iter().map(|&(id, times)| Event { id, payload: None, times, seconds: 0 }).collect();
    events.extend(startup.as_ref().map(|startup| Event::singular(boot::STARTUP_FINISHED, Some(startup))));
    workstation.record_each(&events)
}

/// Notes that the recorder was told to stop, so that the next start knows that this one ended properly.
pub fn end(workstation: &Workstation) {
    if let Some(folder) = &workstation.folder
        && let Err(error) = boot::end(folder)
    {
        tracing::warn!("the end of this start could not be noted: {error}");
    }
}

/// Deletes what the probes keep beside the state; part of a no.
pub(crate) fn forget(folder: &Path) -> std::io::Result<()> {
    boot::forget(folder)
}

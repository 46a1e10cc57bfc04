// SPDX-License-Identifier: MIT OR Apache-2.0
//! Instrumentation: each probe reads one fact of the real system and records it as an event, like any application.

mod cpu_vendor;
mod ram;
mod root_filesystem;

use std::path::Path;

use zbus::wire::Variant;

use crate::event::Event;
use crate::workstation::{Workstation, WorkstationError};

/// A probe: the event it records, the file it reads, and how it reads it.
struct Probe {
    event: [u8; 16],
    file: &'static str,
    read: fn(&str) -> Option<Variant<'static>>,
}

const PROBES: [Probe; 3] = [cpu_vendor::PROBE, ram::PROBE, root_filesystem::PROBE];

/// Runs every probe on the system whose root is `root` and records what they find. A file that cannot be read, or says
/// nothing, records nothing: the week's value stays `none`.
///
/// # Errors
/// [`WorkstationError`] when the state cannot be written.
pub fn run(workstation: &mut Workstation, root: &Path) -> Result<(), WorkstationError> {
    if !workstation.is_on()? {
        return Ok(());
    }
    for probe in &PROBES {
        let found = std::fs::read_to_string(root.join(probe.file)).ok().and_then(|text| (probe.read)(&text));
        if let Some(payload) = found {
            workstation.record(&Event::singular(probe.event, Some(&payload)))?;
        }
    }
    Ok(())
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many Flatpak applications are installed for everybody, from the names in `/var/lib/flatpak/app`. They are counted,
//! not kept.

use zbus::wire::Variant;

use super::system::System;
use super::{Found, Probe, found};

/// The event `flatpaks` of catalog/metrics/EVENTS.md.
pub(super) const PROBE: Probe = Probe { event: 0x0a84_ee63_037a_53ca_a222_543d_86e2_9709_u128.to_be_bytes(), look };

fn look(system: System<'_>) -> Found {
    let number = u32::try_from(system.names("var/lib/flatpak/app").len()).ok();
    found(number.filter(|_| system.has("var/lib")).map(Variant::from))
}

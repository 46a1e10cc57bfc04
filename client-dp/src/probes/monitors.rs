// SPDX-License-Identifier: MIT OR Apache-2.0
//! The monitors, from `/sys/class/drm/card*-*/{status,modes}`: how many, and how many lines the tallest has.
//!
//! The scale is not there: the compositor keeps it.

use zbus::wire::Variant;

use super::system::System;
use super::{Found, Probe, found};

/// The event `monitors` of catalog/metrics/EVENTS.md.
pub(super) const COUNT: Probe =
    Probe { event: 0x501d_41d8_7cf8_58b6_a669_b06a_6534_7fba_u128.to_be_bytes(), look: count };
/// The event `display-lines` of catalog/metrics/EVENTS.md.
pub(super) const LINES: Probe =
    Probe { event: 0x71a0_f007_90c7_57a7_8313_4053_177d_98e8_u128.to_be_bytes(), look: tallest };

const DRM: &str = "sys/class/drm";

/// The connectors that have a monitor. A write-back connector shows nothing to anybody.
fn connected(system: System<'_>) -> Vec<String> {
    let is = |name: &String| system.line(&format!("{DRM}/{name}/status")).as_deref() == Some("connected");
    system.names(DRM).into_iter().filter(|name| !name.contains("Writeback")).filter(is).collect()
}

fn count(system: System<'_>) -> Found {
    let number = u32::try_from(connected(system).len()).ok();
    found(number.filter(|_| system.has(DRM)).map(Variant::from))
}

fn tallest(system: System<'_>) -> Found {
    let modes = connected(system).into_iter().filter_map(|name| system.text(&format!("{DRM}/{name}/modes")));
    found(modes.filter_map(|modes| lines(&modes)).max().map(Variant::from))
}

/// The lines of the preferred mode, which stands first: `1920x1080`, or `1920x1080i`. A monitor on its side has its own lines.
fn lines(modes: &str) -> Option<u32> {
    let (_, lines) = modes.lines().next()?.split_once('x')?;
    lines.trim_end_matches('i').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preferred_mode_stands_first() {
        assert_eq!(lines("2560x1440\n1920x1080\n"), Some(1440));
        assert_eq!(lines("1920x1080i\n"), Some(1080));
        assert_eq!(lines(""), None);
    }
}

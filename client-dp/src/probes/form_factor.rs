// SPDX-License-Identifier: MIT OR Apache-2.0
//! The computer's form, from `/sys/class/dmi/id/chassis_type` or the device tree's `chassis-type`.

use zbus::wire::Variant;

use super::system::System;
use super::{Found, Probe, found};

/// The event `form-factor` of catalog/metrics/EVENTS.md.
pub(super) const PROBE: Probe = Probe { event: 0x749f_ea60_9f27_55d6_bf6f_2d73_32ed_b531_u128.to_be_bytes(), look };

fn look(system: System<'_>) -> Found {
    let form = if let Some(number) = system.line("sys/class/dmi/id/chassis_type") {
        number.parse().ok().map(from_smbios)
    } else if system.has("sys/firmware/devicetree/base") {
        Some(from_device_tree(&system.line("sys/firmware/devicetree/base/chassis-type").unwrap_or_default()))
    } else {
        None
    };
    found(form.map(Variant::from))
}

/// SMBIOS Reference Specification 3.7 (DSP0134), section 7.4.1, "System Enclosure or Chassis Types".
fn from_smbios(number: u8) -> &'static str {
    match number {
        3..=7 => "Desktop",
        8..=10 | 14 => "Laptop",
        11 => "Handheld",
        13 => "All in one",
        17 | 23 | 25 | 28 | 29 => "Server",
        30 => "Tablet",
        31 | 32 => "Convertible",
        34..=36 => "Mini PC",
        _ => "unknown",
    }
}

/// Devicetree Specification 0.4, section 2.3 and 3.2: the root's `chassis-type`. Boards seldom state one.
fn from_device_tree(kind: &str) -> &'static str {
    match kind.trim_end_matches('\0') {
        "desktop" => "Desktop",
        "laptop" => "Laptop",
        "handset" | "watch" => "Handheld",
        "server" => "Server",
        "tablet" => "Tablet",
        "convertible" => "Convertible",
        "" | "embedded" => "Board",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_lead_to_the_same_forms() {
        assert_eq!(
            [3, 9, 10, 13, 31, 35].map(from_smbios),
            ["Desktop", "Laptop", "Laptop", "All in one", "Convertible", "Mini PC"]
        );
        assert_eq!([0, 1, 2, 255].map(from_smbios), ["unknown"; 4]);
        assert_eq!(["laptop\0", "", "tablet"].map(from_device_tree), ["Laptop", "Board", "Tablet"]);
    }
}

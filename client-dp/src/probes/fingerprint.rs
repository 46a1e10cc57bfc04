// SPDX-License-Identifier: MIT OR Apache-2.0
//! The maker of the fingerprint reader, from the USB ids in `/sys/bus/usb/devices`.
//!
//! The ids cover the readers that libfprint knows (<https://fprint.freedesktop.org/supported-devices.html>). Some makers use
//! the same vendor id for touchpads and touchscreens: there the products' range counts too.

use zbus::wire::Variant;

use super::system::System;
use super::{Found, Probe, found};

/// The event `fingerprint-reader` of catalog/metrics/EVENTS.md.
pub(super) const PROBE: Probe = Probe { event: 0x9845_4f99_1c84_593d_83ec_33c0_a8bc_3544_u128.to_be_bytes(), look };

/// Vendor id, first and last product id, maker.
const READERS: [(u16, u16, u16, &str); 14] = [
    (0x27c6, 0x5000, 0x6fff, "Goodix"),
    (0x06cb, 0x0081, 0x01ff, "Synaptics"),
    (0x138a, 0x0000, 0xffff, "Validity"),
    (0x04f3, 0x0903, 0x0907, "Elan"),
    (0x04f3, 0x0c00, 0x0cff, "Elan"),
    (0x08ff, 0x1600, 0x5fff, "AuthenTec"),
    (0x147e, 0x1000, 0x3fff, "UPEK"),
    (0x0483, 0x2015, 0x2016, "UPEK"),
    (0x1c7a, 0x0300, 0x0fff, "Egis"),
    (0x10a5, 0x9000, 0xffff, "FPC"),
    (0x2808, 0x9000, 0xffff, "FocalTech"),
    (0x0bda, 0x5811, 0x5816, "Realtek"),
    (0x298d, 0x1010, 0x2fff, "NEXT"),
    (0x045e, 0x00bb, 0x00bd, "DigitalPersona"),
];

fn look(system: System<'_>) -> Found {
    const DEVICES: &str = "sys/bus/usb/devices";
    if !system.has(DEVICES) {
        return Vec::new();
    }
    let id = |device: &str, name: &str| {
        let text = system.line(&format!("{DEVICES}/{device}/{name}"))?;
        u16::from_str_radix(&text, 16).ok()
    };
    let mut devices = system.names(DEVICES).into_iter();
    let reader = devices.find_map(|device| maker(id(&device, "idVendor")?, id(&device, "idProduct")?));
    found(Some(Variant::from(reader.unwrap_or("absent"))))
}

fn maker(vendor: u16, product: u16) -> Option<&'static str> {
    let known = READERS.iter().find(|(v, first, last, _)| *v == vendor && (*first..=*last).contains(&product));
    known.map(|&(.., maker)| maker)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_told_from_other_devices_of_their_makers() {
        assert_eq!(maker(0x06cb, 0x00bd), Some("Synaptics"));
        assert_eq!(maker(0x06cb, 0x7813), None, "a touchscreen");
        assert_eq!(maker(0x27c6, 0x609c), Some("Goodix"));
        assert_eq!(maker(0x04f3, 0x0c4b), Some("Elan"));
        assert_eq!(maker(0x04f3, 0x2234), None, "a touchscreen");
        assert_eq!(maker(0x046d, 0xc52b), None, "a mouse");
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Kinds of devices that a desktop has to support, from `/sys/class/{bluetooth,net}` and `/proc/bus/input/devices`.

use std::collections::BTreeSet;

use zbus::wire::Variant;

use super::system::System;
use super::{Found, Probe};

/// The event `peripheral` of catalog/metrics/EVENTS.md; one for each kind.
pub(super) const PROBE: Probe = Probe { event: 0x0943_1165_89f5_5632_a3ed_72ca_1d30_b0f6_u128.to_be_bytes(), look };

/// Of linux/input-event-codes.h.
const INPUT_PROP_POINTER: usize = 0x00;
const INPUT_PROP_DIRECT: usize = 0x01;
const ABS_MT_POSITION_X: usize = 0x35;
const BTN_SOUTH: usize = 0x130;
const BTN_TOOL_PEN: usize = 0x140;
const BTN_TOOL_FINGER: usize = 0x145;

fn look(system: System<'_>) -> Found {
    let mut kinds = BTreeSet::new();
    if system.names("sys/class/bluetooth").iter().any(|name| name.starts_with("hci")) {
        kinds.insert("bluetooth");
    }
    for name in system.names("sys/class/net") {
        if system.has(&format!("sys/class/net/{name}/phy80211")) {
            kinds.insert("wi-fi");
        } else if name.starts_with("ww") {
            kinds.insert("mobile-broadband");
        }
    }
    if let Some(devices) = system.text("proc/bus/input/devices") {
        kinds.extend(devices.split("\n\n").filter_map(input_kind));
    }
    kinds.into_iter().map(Variant::from).collect()
}

/// The kind of one input device, by what it can do.
fn input_kind(device: &str) -> Option<&'static str> {
    let can = |map: &str, bit| bitmap_has(device, map, bit);
    if can("KEY", BTN_TOOL_PEN) {
        Some("pen-tablet")
    } else if can("PROP", INPUT_PROP_DIRECT) && can("ABS", ABS_MT_POSITION_X) {
        Some("touchscreen")
    } else if can("PROP", INPUT_PROP_POINTER) && can("KEY", BTN_TOOL_FINGER) {
        Some("touchpad")
    } else {
        can("KEY", BTN_SOUTH).then_some("gamepad")
    }
}

/// Whether a bit is set in a line such as `B: KEY=e520 10000 0 0 0 0`: words of 64 bits in hexadecimal, the highest first.
fn bitmap_has(device: &str, map: &str, bit: usize) -> bool {
    let words = device.lines().find_map(|line| line.strip_prefix("B: ")?.strip_prefix(map)?.strip_prefix('='));
    let word = words.and_then(|words| words.split_whitespace().rev().nth(bit / 64));
    word.and_then(|word| u64::from_str_radix(word, 16).ok()).is_some_and(|word| word >> (bit % 64) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_known_by_what_they_can_do() {
        let touchpad = "N: Name=\"SynPS/2 Synaptics TouchPad\"\nB: PROP=5\nB: EV=b\n\
                        B: KEY=e520 10000 0 0 0 0\nB: ABS=660800011000003\n";
        let touchscreen = "N: Name=\"ELAN Touchscreen\"\nB: PROP=2\nB: KEY=400 0 0 0 0 0\nB: ABS=260800000000003\n";
        let pen = "N: Name=\"Wacom Intuos S Pen\"\nB: PROP=1\nB: KEY=1c03 70000 0 0 0 0\nB: ABS=1000d000003\n";
        let gamepad = "N: Name=\"Xbox Controller\"\nB: PROP=0\nB: KEY=7cdb000000000000 0 0 0 0\nB: ABS=3003f\n";
        let keyboard = "N: Name=\"AT Translated Set 2 keyboard\"\nB: PROP=0\n\
                        B: KEY=402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe\n";
        let kinds = [touchpad, touchscreen, pen, gamepad, keyboard].map(input_kind);
        assert_eq!(kinds, [Some("touchpad"), Some("touchscreen"), Some("pen-tablet"), Some("gamepad"), None]);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The keyboard layout that the system starts with: `/etc/vconsole.conf` (vconsole.conf(5)), Debian's `/etc/default/keyboard`, or
//! the file that systemd-localed writes for X11.

use zbus::wire::Variant;

use super::system::{System, assigned};
use super::{Found, Probe, found};

/// The event `keyboard-layout` of catalog/metrics/EVENTS.md.
pub(super) const PROBE: Probe = Probe { event: 0x7401_2af9_43e7_5ad4_aaeb_f904_fe1a_75ba_u128.to_be_bytes(), look };

fn look(system: System<'_>) -> Found {
    let in_file = |path: &str, layout: fn(&str) -> Option<&str>| {
        system.text(path).as_deref().and_then(layout).map(|layout| Variant::from(layout.to_owned()))
    };
    found(
        in_file("etc/X11/xorg.conf.d/00-keyboard.conf", from_x11)
            .or_else(|| in_file("etc/default/keyboard", from_console))
            .or_else(|| in_file("etc/vconsole.conf", from_console)),
    )
}

/// The first of the layouts in `Option "XkbLayout" "de,us"`.
fn from_x11(text: &str) -> Option<&str> {
    let line = text.lines().map(str::trim).find(|line| line.starts_with("Option") && line.contains("\"XkbLayout\""))?;
    line.split('"').nth(3).and_then(first)
}

/// X11's name where it is given, else the console's, without the variant: `de-nodeadkeys` is `de`.
fn from_console(text: &str) -> Option<&str> {
    let keymap = || assigned(text, "KEYMAP")?.split(['-', '_']).next();
    assigned(text, "XKBLAYOUT").or_else(keymap).and_then(first)
}

fn first(layouts: &str) -> Option<&str> {
    layouts.split(',').next().filter(|layout| !layout.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_layout_counts_without_its_variant() {
        assert_eq!(from_console("KEYMAP=de-nodeadkeys\nFONT=eurlatgr\n"), Some("de"));
        assert_eq!(from_console("KEYMAP=\"us\"\nXKBLAYOUT=\"fr,us\"\n"), Some("fr"));
        assert_eq!(from_console("FONT=eurlatgr\n"), None);
        let x11 = "Section \"InputClass\"\n        Option \"XkbLayout\" \"cz,us\"\nEndSection\n";
        assert_eq!(from_x11(x11), Some("cz"));
        assert_eq!(from_x11("Section \"InputClass\"\nOption \"XkbLayout\" \"\"\n"), None);
    }
}

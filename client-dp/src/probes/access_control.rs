// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mandatory access control: SELinux's mode from `/sys/fs/selinux/enforce`, else whether AppArmor is on.

use zbus::wire::Variant;

use super::system::System;
use super::{Found, Probe, found};

/// The event `access-control` of catalog/metrics/EVENTS.md.
pub(super) const PROBE: Probe = Probe { event: 0x2be8_cff4_0906_515e_960b_2d21_1c96_5ab4_u128.to_be_bytes(), look };

fn look(system: System<'_>) -> Found {
    let enforce = system.line("sys/fs/selinux/enforce");
    let apparmor = system.line("sys/module/apparmor/parameters/enabled");
    found(system.has("sys/kernel").then(|| Variant::from(mode(enforce.as_deref(), apparmor.as_deref()))))
}

fn mode(enforce: Option<&str>, apparmor: Option<&str>) -> &'static str {
    match (enforce, apparmor) {
        (Some("1"), _) => "SELinux enforcing",
        (Some(_), _) => "SELinux permissive",
        (None, Some("Y")) => "AppArmor",
        (None, _) => "off",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selinux_goes_before_apparmor() {
        assert_eq!(mode(Some("1"), Some("N")), "SELinux enforcing");
        assert_eq!(mode(Some("0"), None), "SELinux permissive");
        assert_eq!(mode(None, Some("Y")), "AppArmor");
        assert_eq!(mode(None, Some("N")), "off");
    }
}

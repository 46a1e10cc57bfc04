// SPDX-License-Identifier: MIT OR Apache-2.0
//! How the firmware starts the system, and whether secure boot is on, from `/sys/firmware`
//! (Documentation/filesystems/efivarfs.rst).

use zbus::wire::Variant;

use super::system::System;
use super::{Found, Probe, found};

/// The event `boot-mode` of catalog/metrics/EVENTS.md.
pub(super) const BOOT_MODE: Probe =
    Probe { event: 0x7eae_59ad_031e_58cb_8205_d1b4_5d1e_b37d_u128.to_be_bytes(), look: boot_mode };
/// The event `secure-boot` of catalog/metrics/EVENTS.md.
pub(super) const SECURE_BOOT: Probe =
    Probe { event: 0x7850_9176_29c8_5ff3_9161_b3a8_6df8_4c2b_u128.to_be_bytes(), look: secure_boot };

/// The variable in the namespace of EFI's global variables (UEFI Specification 2.10, section 3.3).
const VARIABLE: &str = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";

fn boot_mode(system: System<'_>) -> Found {
    let modes = [("efi", "UEFI"), ("devicetree", "Device tree"), ("acpi", "BIOS")];
    let mode = modes.into_iter().find(|(folder, _)| system.has(&format!("sys/firmware/{folder}")));
    found(mode.map(|(_, mode)| Variant::from(mode)))
}

fn secure_boot(system: System<'_>) -> Found {
    let known = system.has("sys/firmware");
    found(known.then(|| Variant::from(state(system.bytes(VARIABLE).as_deref()))))
}

/// Four bytes of attributes, then the value.
fn state(variable: Option<&[u8]>) -> &'static str {
    match variable {
        Some([_, _, _, _, 1]) => "on",
        Some([_, _, _, _, 0]) => "off",
        _ => "unsupported",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_follows_the_attributes() {
        assert_eq!(state(Some(&[6, 0, 0, 0, 1])), "on");
        assert_eq!(state(Some(&[6, 0, 0, 0, 0])), "off");
        assert_eq!(state(Some(&[1])), "unsupported");
        assert_eq!(state(None), "unsupported");
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The processor's vendor, from `/proc/cpuinfo`: the vendor id on x86, the implementer code on ARM.

use zbus::wire::Variant;

use super::system::{System, field};
use super::{Found, Probe, found};

/// The event `cpu-vendor` of catalog/metrics/EVENTS.md.
pub(super) const PROBE: Probe = Probe { event: 0xe5c3_b310_f454_5a19_914c_7651_6fb2_70d6_u128.to_be_bytes(), look };

fn look(system: System<'_>) -> Found {
    found(system.text("proc/cpuinfo").as_deref().and_then(vendor).map(|vendor| Variant::from(vendor.to_owned())))
}

fn vendor(cpuinfo: &str) -> Option<&str> {
    field(cpuinfo, "vendor_id").or_else(|| field(cpuinfo, "CPU implementer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x86_and_arm_name_their_vendors() {
        let amd = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel name\t: AMD Ryzen 7\n";
        let arm = "processor\t: 0\nBogoMIPS\t: 108.00\nCPU implementer\t: 0x41\nCPU architecture: 8\n";
        assert_eq!(vendor(amd), Some("AuthenticAMD"));
        assert_eq!(vendor(arm), Some("0x41"));
        assert_eq!(vendor("processor : 0\n"), None);
    }
}

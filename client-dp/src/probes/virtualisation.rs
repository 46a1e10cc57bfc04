// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether the system runs in a virtual machine, and whose: the names in `/sys/class/dmi/id`, `/sys/hypervisor/type`, and the
//! processor's flag `hypervisor`.

use zbus::wire::Variant;

use super::system::{System, field};
use super::{Found, Probe, found};

/// The event `virtualisation` of catalog/metrics/EVENTS.md.
pub(super) const PROBE: Probe = Probe { event: 0x8286_2898_f12c_5efc_9690_69fe_b6ec_e875_u128.to_be_bytes(), look };

fn look(system: System<'_>) -> Found {
    let Some(cpuinfo) = system.text("proc/cpuinfo") else { return Vec::new() };
    let guest = field(&cpuinfo, "flags").is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor"));
    let line = |path| system.line(path).unwrap_or_default();
    let names =
        [line("sys/class/dmi/id/sys_vendor"), line("sys/class/dmi/id/product_name"), line("sys/hypervisor/type")];
    found(Some(Variant::from(machine(&names, guest))))
}

/// Vendor, product and hypervisor as the firmware and the kernel spell them (systemd's src/basic/virt.c has the same list).
fn machine([vendor, product, hypervisor]: &[String; 3], guest: bool) -> &'static str {
    match (vendor.as_str(), product.as_str(), hypervisor.as_str()) {
        ("QEMU" | "Amazon EC2" | "Google", _, _) if guest || vendor == "QEMU" => "KVM",
        (_, "KVM" | "KVM Virtual Machine", _) => "KVM",
        ("innotek GmbH", _, _) | (_, "VirtualBox", _) => "VirtualBox",
        ("VMware, Inc." | "VMW", _, _) => "VMware",
        ("Microsoft Corporation", "Virtual Machine", _) => "Hyper-V",
        ("Parallels Software International Inc." | "Parallels International GmbH.", _, _) => "Parallels",
        ("Xen", _, _) | (_, _, "xen") => "Xen",
        _ if guest => "unknown",
        _ => "Physical",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hypervisors_are_known_by_their_names_and_machines_by_having_none() {
        let known =
            |vendor: &str, product: &str, guest| machine(&[vendor.into(), product.into(), String::new()], guest);
        assert_eq!(known("QEMU", "Standard PC (Q35 + ICH9, 2009)", true), "KVM");
        assert_eq!(known("innotek GmbH", "VirtualBox", true), "VirtualBox");
        assert_eq!(known("VMware, Inc.", "VMware Virtual Platform", true), "VMware");
        assert_eq!(known("Microsoft Corporation", "Virtual Machine", true), "Hyper-V");
        assert_eq!(known("Microsoft Corporation", "Surface Laptop 4", false), "Physical");
        assert_eq!(known("Google", "Eve", false), "Physical", "a Chromebook");
        assert_eq!(known("", "", true), "unknown");
    }
}

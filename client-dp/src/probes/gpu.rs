// SPDX-License-Identifier: MIT OR Apache-2.0
//! The graphics cards: their makers and their kernel drivers, from `/sys/class/drm/card*/device/uevent`.

use std::collections::BTreeSet;

use zbus::wire::Variant;

use super::system::{System, assigned};
use super::{Found, Probe, found};

/// The event `gpu-vendor` of catalog/metrics/EVENTS.md.
pub(super) const VENDOR: Probe = Probe {
    event: 0x73fc_e658_1997_59c1_9beb_eee0_e240_6df2_u128.to_be_bytes(),
    look: |system| found(makers(&cards(system)).map(Variant::from)),
};
/// The event `gpu-driver` of catalog/metrics/EVENTS.md; one for each driver.
pub(super) const DRIVER: Probe =
    Probe { event: 0x92e7_5a48_ffa4_575b_8151_879f_fb5f_4415_u128.to_be_bytes(), look: drivers };

/// The `uevent` text of each card; connectors (`card0-DP-1`) are not cards.
fn cards(system: System<'_>) -> Vec<String> {
    let names = system.names("sys/class/drm").into_iter().filter(|name| is_card(name));
    names.filter_map(|card| system.text(&format!("sys/class/drm/{card}/device/uevent"))).collect()
}

fn is_card(name: &str) -> bool {
    name.strip_prefix("card").is_some_and(|number| number.parse::<u32>().is_ok())
}

fn drivers(system: System<'_>) -> Found {
    let drivers: BTreeSet<String> =
        cards(system).iter().filter_map(|card| assigned(card, "DRIVER").map(str::to_owned)).collect();
    drivers.into_iter().map(Variant::from).collect()
}

/// The makers, each once, in the order of the alphabet.
fn makers(cards: &[String]) -> Option<String> {
    let makers: BTreeSet<&str> = cards.iter().map(|card| maker(card)).collect();
    (!makers.is_empty()).then(|| makers.into_iter().collect::<Vec<_>>().join(" + "))
}

/// The maker by the PCI vendor id; cards on no PCI bus by their driver.
fn maker(card: &str) -> &'static str {
    let vendor = assigned(card, "PCI_ID").and_then(|id| id.split(':').next());
    match (vendor, assigned(card, "DRIVER")) {
        (Some("8086"), _) => "Intel",
        (Some("1002"), _) => "AMD",
        (Some("10DE"), _) => "Nvidia",
        (Some("102B"), _) => "Matrox",
        (Some("1A03"), _) => "ASPEED",
        (Some("1234" | "1414" | "15AD" | "1AF4" | "1B36" | "80EE"), _) | (None, Some("virtio_gpu" | "hyperv_drm")) => {
            "Virtual"
        }
        (None, Some("msm_dpu" | "msm_mdp" | "msm_mdss" | "msm" | "adreno")) => "Qualcomm",
        (None, Some("panfrost" | "panthor" | "lima" | "mali-dp" | "hdlcd")) => "ARM",
        (None, Some("vc4-drm" | "v3d")) => "Broadcom",
        (None, Some("asahi" | "apple-drm")) => "Apple",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_maker_is_named_once() {
        let card = |driver: &str, id: &str| format!("DRIVER={driver}\nPCI_CLASS=30000\nPCI_ID={id}\n");
        let (xe, amd, nvidia) = (card("i915", "8086:9A49"), card("amdgpu", "1002:73BF"), card("nvidia", "10DE:1F95"));
        assert_eq!(makers(&[nvidia.clone(), xe]).as_deref(), Some("Intel + Nvidia"));
        assert_eq!(makers(&[amd.clone(), amd]).as_deref(), Some("AMD"));
        assert_eq!(makers(&[card("virtio-pci", "1AF4:1050")]).as_deref(), Some("Virtual"));
        assert_eq!(makers(&["DRIVER=vc4-drm\nOF_NAME=gpu\n".to_owned()]).as_deref(), Some("Broadcom"));
        assert_eq!(makers(&["DRIVER=something\n".to_owned()]).as_deref(), Some("unknown"));
        assert_eq!(makers(&[]), None);
    }

    #[test]
    fn connectors_and_render_nodes_are_no_cards() {
        assert_eq!(
            ["card0", "card12", "card0-DP-1", "renderD128", "version"].map(is_card),
            [true, true, false, false, false]
        );
    }
}

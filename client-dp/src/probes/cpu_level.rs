// SPDX-License-Identifier: MIT OR Apache-2.0
//! The processor's microarchitecture level, from the flags in `/proc/cpuinfo`.
//!
//! The levels are those of the x86-64 psABI, section 3.1.1, "Processor Architecture", table 3.1. The kernel calls LZCNT
//! `abm`, SSE3 `pni`, CMPXCHG16B `cx16`; OSXSAVE shows as `xsave` once the kernel uses it.

use zbus::wire::Variant;

use super::system::{System, field};
use super::{Found, Probe, found};

/// The event `cpu-level` of catalog/metrics/EVENTS.md.
pub(super) const PROBE: Probe = Probe { event: 0xb6e2_0b1d_f5b1_5e42_ac12_5288_d22b_c35b_u128.to_be_bytes(), look };

const V2: &str = "cx16 lahf_lm popcnt pni ssse3 sse4_1 sse4_2";
const V3: &str = "avx avx2 bmi1 bmi2 f16c fma abm movbe xsave";
const V4: &str = "avx512f avx512bw avx512cd avx512dq avx512vl";

fn look(system: System<'_>) -> Found {
    found(system.text("proc/cpuinfo").as_deref().and_then(level).map(Variant::from))
}

fn level(cpuinfo: &str) -> Option<&'static str> {
    if let Some(flags) = field(cpuinfo, "flags") {
        let has = |needed: &str| needed.split(' ').all(|flag| flags.split(' ').any(|f| f == flag));
        return Some(match (has("lm"), has(V2), has(V3), has(V4)) {
            (false, ..) => "i686",
            (true, false, ..) => "x86-64-v1",
            (true, true, false, _) => "x86-64-v2",
            (true, true, true, false) => "x86-64-v3",
            (true, true, true, true) => "x86-64-v4",
        });
    }
    match field(cpuinfo, "CPU architecture") {
        Some("8" | "AArch64") => Some("AArch64"),
        Some(_) => Some("ARM, 32 bits"),
        None => field(cpuinfo, "isa").map(|_| "RISC-V"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_needs_all_flags_of_it_and_of_those_below() {
        let flags = |flags: &[&str]| level(&format!("processor : 0\nflags\t\t: fpu {}\n", flags.join(" ")));
        assert_eq!(flags(&["sse2"]), Some("i686"));
        assert_eq!(flags(&["lm", "sse2"]), Some("x86-64-v1"));
        assert_eq!(flags(&["lm", V2]), Some("x86-64-v2"));
        assert_eq!(flags(&["lm", V2, V3]), Some("x86-64-v3"));
        assert_eq!(flags(&["lm", V2, V3, V4]), Some("x86-64-v4"));
        for missing in [V2, V3, V4].into_iter().flat_map(|level| level.split(' ')) {
            let rest = [V2, V3, V4].join(" ").replace(&format!("{missing} "), "").replace(&format!(" {missing}"), "");
            assert_ne!(flags(&["lm", &rest]), Some("x86-64-v4"), "without {missing}");
        }
    }

    #[test]
    fn other_architectures_have_one_level() {
        assert_eq!(level("CPU implementer\t: 0x41\nCPU architecture: 8\n"), Some("AArch64"));
        assert_eq!(level("CPU architecture: 7\n"), Some("ARM, 32 bits"));
        assert_eq!(level("hart\t: 0\nisa\t: rv64imafdc\n"), Some("RISC-V"));
        assert_eq!(level(""), None);
    }
}

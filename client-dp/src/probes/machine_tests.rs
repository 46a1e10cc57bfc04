// SPDX-License-Identifier: MIT OR Apache-2.0
//! All probes on recorded machines, from their files to the catalogue's answers.
//!
//! `tests/machines/` has the files that probes read, in the kernel's and systemd's formats, as a desktop, a laptop, a virtual
//! machine and a board with an ARM processor show them. Names, numbers and ids in them are made up or reserved for examples.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use stipple_catalog::{Catalogue, Clock, Phase};

use super::{Manager, PROBES, System, end, run};
use crate::Workstation;

static CATALOGUE: LazyLock<Arc<Catalogue>> =
    LazyLock::new(|| Arc::new(Catalogue::load(&here().join("../catalog/metrics")).unwrap()));

fn here() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// A workstation with a state of its own that said yes.
fn workstation(folder: &Path) -> Workstation {
    let clock = Clock::system(Phase::Testing, Some("2027-04-27T10:00:00Z".parse().unwrap())).unwrap();
    let mut workstation = Workstation::open(folder, CATALOGUE.clone(), clock, Duration::ZERO).unwrap();
    workstation.enable(&mut ChaCha20Rng::seed_from_u64(4)).unwrap();
    workstation
}

fn tallies(workstation: &Workstation) -> BTreeMap<String, String> {
    workstation.tallies().unwrap().into_iter().map(|row| (row.metric, row.value)).collect()
}

/// What the probes make of a recorded machine. How full the disk is is this machine's.
fn answers(machine: &str) -> BTreeMap<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let mut workstation = workstation(folder.path());
    run(&mut workstation, System::at(&here().join("tests/machines").join(machine)), Manager::default()).unwrap();
    tallies(&workstation)
}

fn expect(machine: &str, expected: &[(&str, &str)]) {
    let answers = answers(machine);
    for (metric, value) in expected {
        assert_eq!(answers.get(*metric).map(String::as_str), Some(*value), "{machine}: {metric}");
    }
}

#[test]
fn a_desktop() {
    expect(
        "desktop",
        &[
            ("hardware.cpu-vendor", "AMD"),
            ("hardware.cpu-level", "x86-64-v3"),
            ("hardware.cpu-cores", "7-8"),
            ("hardware.cpu-threads", "13-16"),
            ("hardware.ram-class", "24-32 GiB"),
            ("hardware.gpu-vendor", "Nvidia"),
            ("hardware.gpu-driver", "nvidia"),
            ("hardware.storage", "Hard disk + NVMe"),
            ("hardware.root-filesystem", "Btrfs"),
            ("hardware.disk-encryption", "no"),
            ("hardware.boot-mode", "UEFI"),
            ("hardware.secure-boot", "off"),
            ("hardware.tpm", "2.0"),
            ("hardware.form-factor", "Desktop"),
            ("hardware.virtualisation", "Physical"),
            ("hardware.camera", "no"),
            ("hardware.fingerprint-reader", "absent"),
            ("hardware.printers", "1"),
            ("hardware.monitors", "2"),
            ("hardware.display-lines", "1440-2159"),
            ("hardware.peripherals", "gamepad"),
            ("hardware.swap", "zram"),
            ("settings.locale", "en_US"),
            ("settings.keyboard-layout", "us"),
            ("settings.display-manager", "GDM"),
            ("settings.access-control", "SELinux enforcing"),
            ("usage.flatpaks", "1-4"),
            ("usage.uptime", "under 1 day"),
            ("performance.memory-used", "25-49 %"),
            ("performance.swap-used", "under 25 %"),
            ("performance.memory-pressure", "under 1 %"),
            ("performance.io-pressure", "under 1 %"),
        ],
    );
}

#[test]
fn a_laptop() {
    expect(
        "laptop",
        &[
            ("hardware.cpu-vendor", "Intel"),
            ("hardware.cpu-level", "x86-64-v4"),
            ("hardware.cpu-cores", "3-4"),
            ("hardware.cpu-threads", "5-8"),
            ("hardware.ram-class", "8-16 GiB"),
            ("hardware.gpu-vendor", "Intel + Nvidia"),
            ("hardware.gpu-driver", "i915, nouveau"),
            ("hardware.storage", "NVMe"),
            ("hardware.root-filesystem", "Ext4"),
            ("hardware.disk-encryption", "yes"),
            ("hardware.boot-mode", "UEFI"),
            ("hardware.secure-boot", "on"),
            ("hardware.form-factor", "Laptop"),
            ("hardware.virtualisation", "Physical"),
            ("hardware.camera", "yes"),
            ("hardware.fingerprint-reader", "Synaptics"),
            ("hardware.printers", "0"),
            ("hardware.monitors", "1"),
            ("hardware.display-lines", "1080-1439"),
            ("settings.locale", "de_DE"),
            ("settings.keyboard-layout", "de"),
            ("settings.display-manager", "SDDM"),
            ("settings.access-control", "SELinux permissive"),
            ("usage.uptime", "3-6 days"),
            ("performance.memory-used", "75-89 %"),
            ("performance.swap-used", "50-74 %"),
            ("performance.memory-pressure", "5-9 %"),
            ("performance.io-pressure", "10-24 %"),
        ],
    );
    let answers = answers("laptop");
    let mut peripherals: Vec<&str> = answers["hardware.peripherals"].split(", ").collect();
    peripherals.sort_unstable();
    assert_eq!(peripherals, ["bluetooth", "mobile-broadband", "touchpad", "touchscreen", "wi-fi"]);
}

#[test]
fn a_virtual_machine() {
    expect(
        "guest",
        &[
            ("hardware.cpu-level", "x86-64-v2"),
            ("hardware.cpu-cores", "2"),
            ("hardware.gpu-vendor", "Virtual"),
            ("hardware.gpu-driver", "virtio-pci"),
            ("hardware.storage", "Virtual"),
            ("hardware.root-filesystem", "Xfs"),
            ("hardware.boot-mode", "BIOS"),
            ("hardware.secure-boot", "unsupported"),
            ("hardware.tpm", "absent"),
            ("hardware.form-factor", "other"),
            ("hardware.virtualisation", "KVM"),
            ("hardware.display-lines", "under 1080"),
            ("hardware.peripherals", "none"),
            ("hardware.swap", "absent"),
            ("settings.locale", "C"),
            ("settings.keyboard-layout", "gb"),
            ("settings.display-manager", "absent"),
            ("settings.access-control", "AppArmor"),
            ("performance.swap-used", "none"),
            ("performance.memory-pressure", "none"),
        ],
    );
}

#[test]
fn a_board() {
    expect(
        "board",
        &[
            ("hardware.cpu-vendor", "ARM"),
            ("hardware.cpu-level", "AArch64"),
            ("hardware.cpu-cores", "3-4"),
            ("hardware.gpu-vendor", "Broadcom"),
            ("hardware.gpu-driver", "vc4-drm, v3d"),
            ("hardware.storage", "Flash card"),
            ("hardware.boot-mode", "Device tree"),
            ("hardware.form-factor", "Board"),
            ("hardware.virtualisation", "Physical"),
            ("hardware.camera", "no"),
            ("hardware.display-lines", "2160 or more"),
            ("hardware.monitors", "1"),
            ("hardware.swap", "file"),
            ("settings.locale", "fr_FR"),
            ("settings.keyboard-layout", "fr"),
            ("settings.display-manager", "LightDM"),
            ("settings.access-control", "off"),
            ("usage.uptime", "30 days or more"),
        ],
    );
}

/// Every text that a probe gives on a recorded machine is in the catalogue's dictionary, or known not to be.
#[test]
fn probes_and_dictionaries_spell_alike() {
    let others = ["desktop", "laptop", "guest", "board"].into_iter().flat_map(|machine| {
        let other = answers(machine).into_iter().filter(|(_, value)| value.split(", ").any(|item| item == "other"));
        other.map(move |(metric, _)| (machine, metric)).collect::<Vec<_>>()
    });
    assert_eq!(others.collect::<Vec<_>>(), [("guest", "hardware.form-factor".to_owned())]);
    for probe in &PROBES {
        assert!(CATALOGUE.listens_for(probe.event), "no metric listens for {:02x?}", probe.event);
    }
}

/// Whatever this machine is, no probe fails on it.
#[test]
fn this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let mut workstation = workstation(folder.path());
    run(&mut workstation, System::at(Path::new("/")), Manager::default()).unwrap();
    let answers = tallies(&workstation);
    assert_ne!(answers["hardware.cpu-level"], "none");
    assert_ne!(answers["hardware.ram-class"], "none");
    assert_ne!(answers["performance.disk-used"], "none");
}

/// The laptop's own counters, before and after a yes, a restart of the recorder, a restart of the laptop, and a no.
#[test]
fn what_grows_is_counted_once_and_a_no_forgets_it() {
    let (folder, machine) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let put = |path: &str, text: &str| {
        let path = machine.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let started = |boot: &str, kills: u32, failed: u32, tainted: u32| {
        put("proc/sys/kernel/random/boot_id", &format!("5f3c0d6e-0f1b-4c0a-a8a2-d0b2a6f0c1{boot}\n"));
        put("proc/vmstat", &format!("oom_kill {kills}\n"));
        put("sys/power/suspend_stats/fail", &format!("{failed}\n"));
        put("proc/sys/kernel/tainted", &format!("{tainted}\n"));
    };
    let metrics = ["problems.oom-kills", "problems.app-crashes", "problems.unclean-shutdown", "usage.starts"];
    let look = |workstation: &mut Workstation| {
        run(workstation, System::at(machine.path()), Manager::default()).unwrap();
        let answers = tallies(workstation);
        metrics.map(|metric| answers[metric].clone())
    };
    let mut first = workstation(folder.path());
    started("11", 2, 3, 512);
    assert_eq!(look(&mut first), ["0", "0", "no", "0"], "what was before the yes does not count");
    started("11", 3, 4, 512);
    put("var/lib/systemd/coredump/core.gjs.1000.5f3c0d6e0f1b4c0aa8a2d0b2a6f0c111.42.1767225600000000.zst", "");
    assert_eq!(look(&mut first), ["1", "1", "no", "0"]);
    assert_eq!(look(&mut first), ["1", "1", "no", "0"], "once");
    assert_eq!(tallies(&first)["problems.suspend-failures"], "yes");
    assert_eq!(tallies(&first)["problems.kernel-warnings"], "no", "it was before the yes");

    end(&first);
    drop(first);
    let mut again = Workstation::open(
        folder.path(),
        CATALOGUE.clone(),
        Clock::system(Phase::Testing, Some("2027-04-27T11:00:00Z".parse().unwrap())).unwrap(),
        Duration::ZERO,
    )
    .unwrap();
    assert_eq!(look(&mut again), ["1", "1", "no", "0"], "a restart of the recorder is none of the system");
    end(&again);
    started("22", 0, 0, 0);
    assert_eq!(look(&mut again), ["1", "1", "no", "1"], "shut down properly");
    started("33", 1, 0, 128);
    assert_eq!(look(&mut again), ["2", "1", "yes", "2-4"], "nobody said goodbye");
    assert_eq!(tallies(&again)["problems.kernel-warnings"], "yes");

    assert!(folder.path().join("boot.json").exists());
    again.disable().unwrap();
    assert!(!folder.path().join("boot.json").exists(), "a no forgets what was counted");
    run(&mut again, System::at(machine.path()), Manager::default()).unwrap();
    assert!(!folder.path().join("boot.json").exists(), "and nothing is written after it");
}

/// Whatever forgets or pauses: what was counted is gone from the disk, what grows meanwhile is nobody's business, nothing is
/// counted twice, and what grows after the next look counts again.
#[test]
fn an_erasure_a_lock_and_a_changed_text_forget_the_start_and_count_nothing_twice() {
    type Pause = fn(&mut Workstation, &Path);
    type Resume = fn(&mut Workstation, &Path);
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let pauses: [(&str, Pause, Resume); 3] = [
        ("erase", |workstation, _| workstation.erase().unwrap(), |_, _| ()),
        (
            "lock",
            |workstation, lock| {
                std::fs::write(lock, "").unwrap();
                workstation.advance(&mut ChaCha20Rng::seed_from_u64(6)).unwrap();
            },
            |_, lock| std::fs::remove_file(lock).unwrap(),
        ),
        (
            "text",
            |workstation, _| workstation.consent_version = "a newer text".to_owned(),
            |workstation, _| workstation.enable(&mut ChaCha20Rng::seed_from_u64(7)).unwrap(),
        ),
    ];
    for (name, pause, resume) in pauses {
        let (folder, machine) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let administrators = machine.path().join("lock");
        let started = |boot: &str, kills: u32| {
            std::fs::create_dir_all(machine.path().join("proc/sys/kernel/random")).unwrap();
            let id = format!("5f3c0d6e-0f1b-4c0a-a8a2-d0b2a6f0c1{boot}\n");
            std::fs::write(machine.path().join("proc/sys/kernel/random/boot_id"), id).unwrap();
            std::fs::write(machine.path().join("proc/vmstat"), format!("oom_kill {kills}\n")).unwrap();
        };
        let look = |workstation: &mut Workstation| {
            run(workstation, System::at(machine.path()), Manager::default()).unwrap();
            let answers = tallies(workstation);
            ["problems.oom-kills", "usage.starts"].map(|metric| answers.get(metric).cloned().unwrap_or_default())
        };
        let mut workstation = workstation(folder.path()).with_lock(administrators.clone());
        started("11", 1);
        look(&mut workstation);
        started("11", 3);
        assert_eq!(look(&mut workstation), ["2", "0"], "{name}");
        pause(&mut workstation, &administrators);
        if name != "text" {
            assert!(!folder.path().join("boot.json").exists(), "{name}");
        }
        // Another start and a kill, while nothing may be recorded; after an erasure, before the next look.
        started("22", 1);
        resume(&mut workstation, &administrators);
        let before = tallies(&workstation)["problems.oom-kills"].clone();
        assert_eq!(look(&mut workstation), [before.as_str(), "0"], "{name}: what went by is not counted");
        assert_eq!(look(&mut workstation), [before.as_str(), "0"], "{name}: nor later");
        started("22", 2);
        let after = look(&mut workstation);
        assert_ne!(after[0], before, "{name}: what comes now is");
        workstation.advance(&mut rng).unwrap();
    }
}

/// What systemd says is recorded once for each start.
#[test]
fn a_start_is_timed_once_a_start() {
    let (folder, machine) = (tempfile::tempdir().unwrap(), here().join("tests/machines/laptop"));
    let mut workstation = workstation(folder.path());
    let manager = |total| Manager { startup: Some((0, 0, 0, 0, total, total)), failed_units: Some(2) };
    run(&mut workstation, System::at(&machine), manager(25_000_000)).unwrap();
    run(&mut workstation, System::at(&machine), manager(61_000_000)).unwrap();
    let answers = tallies(&workstation);
    assert_eq!(answers["performance.boot-time"], "20-30 s");
    assert_eq!(answers["problems.failed-units"], "2");
}

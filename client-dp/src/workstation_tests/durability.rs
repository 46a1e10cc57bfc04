// SPDX-License-Identifier: MIT OR Apache-2.0
//! Crashes and full disks: payment and report are one, the same bytes go out again, and what was there stays.

use std::path::Path;

use stipple_catalog::Epoch;

use super::{EPOCH, Rig, catalogue, event_id, open, start_of, state_file};
use crate::event::Event;
use crate::{Workstation, WorkstationError};

/// What a power cut leaves: the files as they are at this moment.
fn power_cut(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
    }
    copy
}

/// A workstation whose next advance makes its first report.
fn before_the_first_report() -> Rig {
    let mut rig = Rig::new(8);
    rig.clock.set(start_of(EPOCH.week(0)).saturating_sub(jiff::SignedDuration::from_hours(1)).unwrap());
    rig.enable().unwrap();
    rig.go_to(EPOCH.week(0));
    let first = rig.slots().into_iter().filter(|slot| slot.0 == EPOCH.index()).map(|slot| slot.2).min().unwrap();
    rig.go_to(first);
    rig.clock.set(start_of(first.next()));
    rig
}

#[test]
fn a_failure_between_payment_and_report_leaves_neither() {
    for broken in [
        "CREATE TRIGGER broken BEFORE INSERT ON outbox BEGIN SELECT RAISE(ABORT, 'broken'); END",
        "CREATE TRIGGER broken BEFORE INSERT ON spend BEGIN SELECT RAISE(ABORT, 'broken'); END",
        "CREATE TRIGGER broken BEFORE UPDATE ON slot BEGIN SELECT RAISE(ABORT, 'broken'); END",
    ] {
        let mut rig = before_the_first_report();
        rig.execute(broken);
        assert!(rig.advance().unwrap_err().to_string().contains("broken"));
        assert_eq!(rig.count("SELECT (SELECT count(*) FROM spend) + (SELECT count(*) FROM outbox)"), 0, "{broken}");
        assert!(rig.workstation.due().unwrap().is_empty());
        rig.execute("DROP TRIGGER broken");
        rig.advance().unwrap();
        assert!(rig.count("SELECT count(*) FROM outbox") >= 1);
        assert_eq!(rig.count("SELECT count(*) FROM spend"), rig.count("SELECT count(*) FROM outbox"));
    }
}

#[test]
fn after_a_crash_the_same_bytes_go_out_under_the_same_id() {
    let folder = tempfile::tempdir().unwrap();
    let (mut rig, due) = Rig::with_reports(folder.path(), 11);
    let wreck = power_cut(folder.path());
    let mut again = open(wreck.path(), &rig.clock).unwrap();
    again.advance(&mut rig.rng).unwrap();
    assert_eq!(again.due().unwrap(), due);

    // Settled on one side of the crash only: it is sent again, and the id makes the second one harmless.
    again.settle(due[0].id(), true).unwrap();
    assert_eq!(again.due().unwrap(), due[1..]);
    drop(again);
    assert_eq!(open(wreck.path(), &rig.clock).unwrap().due().unwrap(), due[1..]);
}

#[test]
fn a_settled_report_is_not_sent_again_and_its_tally_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let (mut rig, due) = Rig::with_reports(folder.path(), 12);
    for (number, report) in due.iter().enumerate() {
        rig.workstation.settle(report.id(), number > 0).unwrap();
        // A late second answer changes nothing.
        rig.workstation.settle(report.id(), number == 0).unwrap();
    }
    rig.advance().unwrap();
    assert!(rig.workstation.due().unwrap().is_empty());
    assert_eq!(rig.count("SELECT count(*) FROM outbox WHERE outcome = 'refused'"), 1);
    assert_eq!(rig.count("SELECT count(*) FROM tally"), 0);
}

/// A metric with a dictionary that fills several pages of the database.
fn roomy() -> (std::sync::Arc<stipple_catalog::Catalogue>, Vec<String>) {
    let items: Vec<String> = (0..1500).map(|n| format!("org.example.Item{n}")).collect();
    let quoted: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
    let domain = format!("kind = \"set\"\nmost = 20\nother = true\nvalues = [{}]", quoted.join(", "));
    let row = ("usage.items", 1, 1.0, "collision", String::leak(domain) as &str, "distinct:s");
    (catalogue(&[row], 4.0), items)
}

#[test]
fn a_full_disk_is_said_clearly_and_loses_nothing() {
    let (catalogue, items) = roomy();
    let mut rig = Rig::with(catalogue, 1);
    rig.enable().unwrap();
    let pages = rig.count("PRAGMA page_count");
    rig.execute(&format!("PRAGMA max_page_count = {}", pages + 1));
    let record = |workstation: &mut Workstation, item: &str| {
        let payload = item.to_owned().into();
        workstation.record(&Event::singular(event_id(1), Some(&payload)))
    };
    let kept = items.iter().position(|item| record(&mut rig.workstation, item).is_err()).expect("the disk fills up");
    assert!(kept > 50);
    let error = record(&mut rig.workstation, &items[kept]).unwrap_err();
    assert!(matches!(error, WorkstationError::State(_)), "{error}");
    assert!(error.to_string().contains("if the disk is full, make room: what was in it is kept"), "{error}");
    assert_eq!(rig.tally("usage.items"), items[..kept].join(", "));

    rig.execute(&format!("PRAGMA max_page_count = {}", pages + 100));
    record(&mut rig.workstation, &items[kept]).unwrap();
    assert_eq!(rig.tally("usage.items"), items[..=kept].join(", "));
}

#[test]
fn a_yes_that_cannot_be_written_is_no_yes() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::on_disk(folder.path(), 1);
    rig.enable().unwrap();
    rig.workstation.disable().unwrap();
    rig.go_to(EPOCH.week(26));
    rig.execute("CREATE TRIGGER full BEFORE INSERT ON slot BEGIN SELECT RAISE(ABORT, 'no room'); END");
    assert!(rig.enable().unwrap_err().to_string().contains("no room"));
    assert!(!rig.workstation.is_on().unwrap());
    rig.execute("DROP TRIGGER full");
    rig.enable().unwrap();
    assert!(rig.workstation.is_on().unwrap());
}

#[test]
fn a_directory_that_is_not_there_is_said_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let mut rig = Rig::on_disk(&missing, 1);
    let error = rig.enable().unwrap_err().to_string();
    assert!(error.contains("missing/stipple.sqlite") && error.contains("check that the directory exists"), "{error}");
    assert!(!rig.workstation.is_on().unwrap());
    assert!(!missing.exists());
    // Made later, it is used.
    std::fs::create_dir(&missing).unwrap();
    rig.enable().unwrap();
    assert!(state_file(&missing).exists());
}

#[test]
fn only_the_recorders_user_reads_the_files() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::on_disk(folder.path(), 1);
    rig.enable().unwrap();
    rig.record(1, "Cobalt");
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
    assert!(files.len() >= 2, "there is a write-ahead log");
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", file.path().display());
    }
}

#[test]
fn a_slot_that_fails_holds_up_no_other_and_keeps_its_tally() {
    let mut rig = Rig::new(1);
    rig.clock.set(start_of(EPOCH.week(0)).saturating_sub(jiff::SignedDuration::from_hours(24)).unwrap());
    rig.enable().unwrap();
    rig.go_to(EPOCH.week(0));
    let slots: Vec<_> = rig.slots().into_iter().filter(|slot| slot.0 == EPOCH.index()).collect();
    let (_, first, _) = slots.iter().min_by_key(|slot| slot.2).unwrap();
    rig.execute(&format!(
        "CREATE TRIGGER stuck BEFORE INSERT ON outbox WHEN NEW.metric = '{first}' BEGIN SELECT RAISE(ABORT, 'stuck'); END"
    ));
    let mut failed = 0;
    for offset in 1..=Epoch::WEEKS {
        rig.clock.set(start_of(EPOCH.week(offset)));
        failed += u32::from(rig.advance().is_err());
    }
    assert!(failed > 0);
    assert_eq!(rig.workstation.due().unwrap().len(), slots.len() - 1);
    assert_eq!(rig.count(&format!("SELECT count(*) FROM spend WHERE metric = '{first}'")), 0);
}

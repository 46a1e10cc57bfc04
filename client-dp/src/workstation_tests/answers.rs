// SPDX-License-Identifier: MIT OR Apache-2.0
//! The user's answer and an administrator's: versions of the text, opt-outs, the lock, erasure, and restored copies.

use super::erasure::anywhere;
use super::{EPOCH, Rig, open, start_of, state_file};
use crate::{Consent, Hold, MARKER_NAME, Outcome, WorkstationError};

#[test]
fn a_no_before_any_yes_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::on_disk(folder.path(), 1);
    rig.workstation.disable().unwrap();
    rig.record(1, "Cobalt");
    let again = open(folder.path(), &rig.clock).unwrap();
    assert_eq!(again.consent().unwrap(), Consent::Off);
    assert_eq!(rig.count("SELECT (SELECT count(*) FROM epoch) + (SELECT count(*) FROM tally)"), 0);
}

#[test]
fn a_changed_text_pauses_until_it_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    let (mut rig, due) = Rig::with_reports(folder.path(), 1);
    let agreed = rig.workstation.agreed_version().unwrap();
    assert_eq!(agreed, crate::consent_version());
    "another text".clone_into(&mut rig.workstation.consent_version);
    assert_eq!(rig.workstation.consent().unwrap(), Consent::On);
    assert_eq!(rig.workstation.hold().unwrap(), Some(Hold::NewText));
    let before = rig.count("SELECT (SELECT count(*) FROM spend) + (SELECT count(*) FROM tally)");
    rig.record(1, "Cobalt");
    rig.clock.set(start_of(EPOCH.week(40)));
    rig.advance().unwrap();
    assert!(rig.workstation.due().unwrap().is_empty() && rig.workstation.preview().unwrap().is_empty());
    assert!(rig.count("SELECT (SELECT count(*) FROM spend) + (SELECT count(*) FROM tally)") <= before);
    assert_eq!(rig.count("SELECT max(epoch) FROM epoch"), i64::from(EPOCH.index()) + 1, "no epoch is drawn");
    // What was drawn under the former text waits for the answer: a yes sends it unchanged, a no deletes it.
    rig.enable().unwrap();
    assert_eq!(rig.workstation.agreed_version().unwrap(), "another text");
    assert!(due.iter().all(|report| rig.workstation.due().unwrap().contains(report)));
    rig.workstation.disable().unwrap();
    assert_eq!(rig.workstation.agreed_version().unwrap(), "");
    assert!(due.iter().all(|report| !anywhere(folder.path(), report.bytes())));
}

#[test]
fn an_administrators_lock_wins_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let lock = folder.path().join("disabled");
    let state = tempfile::tempdir().unwrap();
    let (mut rig, due) = Rig::with_reports(state.path(), 1);
    rig.record(6, 0x1234_5678_9abc_u64);
    rig.workstation.lock = Some(lock.clone());
    assert!(rig.workstation.is_on().unwrap());
    std::fs::write(&lock, "").unwrap();
    assert_eq!(rig.workstation.hold().unwrap(), Some(Hold::Locked));
    assert!(rig.workstation.due().unwrap().is_empty());
    rig.advance().unwrap();
    assert!(due.iter().all(|report| !anywhere(state.path(), report.bytes())));
    assert!(!anywhere(state.path(), &[0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc]));
    assert!(matches!(rig.enable(), Err(WorkstationError::Locked)));
    rig.workstation.disable().unwrap();
    std::fs::remove_file(&lock).unwrap();
    assert_eq!(rig.workstation.consent().unwrap(), Consent::Off, "a no is taken under a lock");
    rig.enable().unwrap();
    // The user's yes outlives a lock.
    std::fs::write(&lock, "").unwrap();
    rig.advance().unwrap();
    std::fs::remove_file(&lock).unwrap();
    assert!(rig.workstation.is_on().unwrap());
}

#[test]
fn an_opted_out_metric_is_answered_as_if_nothing_had_happened_at_the_same_cost() {
    // Twice the same life, once with everything opted out of before its first event.
    for seed in 0..20 {
        let (mut plain, mut out) = (Rig::new(seed), Rig::new(seed));
        for rig in [&mut plain, &mut out] {
            rig.clock.set(start_of(EPOCH.week(0)).saturating_sub(jiff::SignedDuration::from_hours(24)).unwrap());
            rig.enable().unwrap();
        }
        for category in crate::CATEGORIES.iter().map(|category| category.name()) {
            let known = out.workstation.catalogue().categories().iter().any(|known| known.name() == category);
            assert_eq!(out.workstation.set_opted_out(category, true).is_ok(), known, "{category}");
        }
        out.record(1, "Cobalt");
        out.record(6, 12_u64);
        for rig in [&mut plain, &mut out] {
            rig.live_through_the_epoch();
        }
        assert!(out.workstation.tallies().unwrap().is_empty());
        // The same randomness over an empty week gives the same reports: the opt-out is not in them.
        assert_eq!(plain.workstation.due().unwrap(), out.workstation.due().unwrap(), "seed {seed}");
        assert_eq!(plain.workstation.budget().unwrap(), out.workstation.budget().unwrap());
        assert!(!out.workstation.due().unwrap().is_empty());
    }
}

#[test]
fn opting_out_deletes_what_was_recorded_and_names_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::on_disk(folder.path(), 1);
    rig.enable().unwrap();
    rig.record(6, 0x1234_5678_9abc_u64);
    rig.record(1, "Cobalt");
    rig.workstation.set_opted_out("usage", true).unwrap();
    assert!(!anywhere(folder.path(), &[0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc]));
    assert_eq!(rig.tally("settings.colour"), "Cobalt");
    rig.record(6, 5_u64);
    assert_eq!(rig.count("SELECT count(*) FROM tally WHERE metric = 'usage.bytes'"), 0);
    let error = rig.workstation.set_opted_out("usage.bytes", false).unwrap_err();
    assert!(matches!(error, WorkstationError::CategoryOff { .. }), "{error}");
    let error = rig.workstation.set_opted_out("usage.nonsense", true).unwrap_err();
    assert!(matches!(error, WorkstationError::UnknownName(_)), "{error}");
    rig.workstation.set_opted_out("usage", false).unwrap();
    rig.record(6, 5_u64);
    assert_eq!(rig.tally("usage.bytes"), "1-9");
    let metrics = rig.workstation.metrics().unwrap();
    assert!(metrics.iter().all(|row| row.on) && metrics.len() == 12);
}

/// Found by the 27,262nd random history: a catalogue without the metric was installed while its category was switched off.
#[test]
fn opting_out_of_a_category_deletes_what_another_catalogue_recorded_in_it() {
    let mut rig = Rig::new(1);
    rig.enable().unwrap();
    rig.execute("INSERT INTO tally (metric, week, key, number) VALUES ('usage.news', 2600, 1, 1), ('usages', 2600, 1, 1)");
    rig.workstation.set_opted_out("usage", true).unwrap();
    assert_eq!(rig.count("SELECT count(*) FROM tally WHERE metric = 'usage.news'"), 0);
    assert_eq!(rig.count("SELECT count(*) FROM tally WHERE metric = 'usages'"), 1);
}

#[test]
fn erasing_keeps_the_answer_and_the_ledger_only() {
    let folder = tempfile::tempdir().unwrap();
    let (mut rig, due) = Rig::with_reports(folder.path(), 3);
    rig.record(6, 0x1234_5678_9abc_u64);
    let spent = rig.count("SELECT sum(epsilon_micros) FROM spend");
    rig.workstation.settle(due[0].id(), true).unwrap();
    assert_eq!(rig.workstation.sent().unwrap()[0].outcome, Outcome::Sent);
    rig.workstation.erase().unwrap();
    assert!(due.iter().all(|report| !anywhere(folder.path(), report.bytes())));
    assert!(!anywhere(folder.path(), &[0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc]));
    assert!(rig.workstation.is_on().unwrap() && rig.workstation.sent().unwrap().is_empty());
    assert_eq!(rig.count("SELECT sum(epsilon_micros) FROM spend"), spent);
    rig.advance().unwrap();
    assert!(rig.workstation.due().unwrap().is_empty(), "nothing is drawn again");
}

#[test]
fn a_restored_older_state_spends_nothing_more_in_its_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::on_disk(folder.path(), 11);
    rig.clock.set(start_of(EPOCH.week(0)).saturating_sub(jiff::SignedDuration::from_hours(24)).unwrap());
    rig.enable().unwrap();
    rig.go_to(EPOCH.week(0));
    rig.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    let copy = std::fs::read(state_file(folder.path())).unwrap();
    rig.go_to(EPOCH.week(13));
    let spent = rig.count("SELECT count(*) FROM spend");
    assert!(spent > 0, "the copy lacks what was spent since");
    for restored in [true, false] {
        rig.workstation = open(tempfile::tempdir().unwrap().path(), &rig.clock).unwrap();
        // Restored, or deleted altogether.
        if restored {
            std::fs::write(state_file(folder.path()), &copy).unwrap();
        } else {
            std::fs::remove_file(state_file(folder.path())).unwrap();
        }
        rig.workstation = open(folder.path(), &rig.clock).unwrap();
        rig.enable().unwrap();
        for offset in 14..=26 {
            rig.go_to(EPOCH.week(offset));
        }
        assert_eq!(rig.count(&format!("SELECT count(*) FROM spend WHERE epoch = {}", EPOCH.index())), 0);
        rig.clock.set(start_of(EPOCH.week(13)));
    }
    assert!(folder.path().join(MARKER_NAME).exists());
}

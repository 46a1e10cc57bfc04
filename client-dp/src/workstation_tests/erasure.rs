// SPDX-License-Identifier: MIT OR Apache-2.0
//! Off means off: a search for bytes in every file of the state's folder.

use std::path::Path;

use super::{EPOCH, Rig, open, start_of};

/// Whether bytes stand in any file of a folder: database, write-ahead log or shared memory.
pub(super) fn anywhere(folder: &Path, needle: &[u8]) -> bool {
    std::fs::read_dir(folder).unwrap().any(|file| {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle)
    })
}

/// A sum that SQLite writes as these six bytes, so that the tally itself can be searched for.
const MARKED: u64 = 0x1234_5678_9abc;
const MARKED_BYTES: [u8; 6] = [0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc];

#[test]
fn after_a_no_nothing_recorded_and_nothing_reported_is_in_any_file() {
    for seed in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let (mut rig, due) = Rig::with_reports(folder.path(), seed);
        rig.record(1, "Cobalt");
        rig.record(1, "a-private-word");
        rig.record(6, MARKED);
        rig.record(99, "xyzzy-of-nobody");
        // The search sees what is there.
        assert!(due.iter().all(|report| anywhere(folder.path(), report.bytes())));
        assert!(anywhere(folder.path(), &MARKED_BYTES) && anywhere(folder.path(), b"unknown event"));
        let spent = rig.count("SELECT sum(epsilon_micros) FROM spend");
        assert!(spent > 0);

        rig.workstation.disable().unwrap();
        let check = || {
            for text in ["Cobalt", "a-private-word", "xyzzy-of-nobody", "unknown event"] {
                assert!(!anywhere(folder.path(), text.as_bytes()), "{text}");
            }
            assert!(!anywhere(folder.path(), &MARKED_BYTES), "a tally");
            for report in &due {
                assert!(!anywhere(folder.path(), report.bytes()), "a report");
                assert!(!anywhere(folder.path(), &report.id().0), "a report's id");
                assert!(!anywhere(folder.path(), &report.bytes()[1..43]), "a part of a report");
            }
        };
        check();
        assert_eq!(rig.count("SELECT sum(epsilon_micros) FROM spend"), spent, "the spent budget stays");
        drop(rig.workstation);
        check();
        let again = open(folder.path(), &rig.clock).unwrap();
        assert_eq!(again.budget().unwrap().spends.len(), 0, "the present epoch has spent nothing");
        rig.clock.set(start_of(EPOCH.week(25)));
        check();
    }
}

#[test]
fn a_recorded_text_is_in_no_file_at_any_time() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::on_disk(folder.path(), 1);
    rig.enable().unwrap();
    for text in ["Cobalt", "a-private-word"] {
        rig.record(1, text);
        rig.record(8, text);
        assert!(!anywhere(folder.path(), text.as_bytes()), "{text}");
    }
}

#[test]
fn a_tally_is_gone_once_its_report_was_counted_or_its_week_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::on_disk(folder.path(), 1);
    rig.enable().unwrap();
    rig.record(6, MARKED);
    rig.live_through_the_epoch();
    for report in rig.workstation.due().unwrap() {
        rig.workstation.settle(report.id(), true).unwrap();
    }
    assert_eq!(rig.count("SELECT count(*) FROM tally"), 0);
}

#[test]
fn a_no_answers_every_question_with_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut rig, due) = Rig::with_reports(folder.path(), 2);
    rig.workstation.disable().unwrap();
    assert!(rig.workstation.due().unwrap().is_empty() && rig.workstation.preview().unwrap().is_empty());
    assert!(rig.workstation.tallies().unwrap().is_empty());
    rig.workstation.settle(due[0].id(), true).unwrap();
    // A later yes brings nothing back.
    rig.enable().unwrap();
    assert!(rig.workstation.due().unwrap().is_empty());
    assert!(rig.workstation.preview().unwrap().iter().all(|row| row.outcome == crate::Outcome::Scheduled));
}

#[test]
fn a_no_that_cannot_be_written_holds_and_is_finished_later() {
    let folder = tempfile::tempdir().unwrap();
    let (mut rig, _) = Rig::with_reports(folder.path(), 1);
    rig.record(6, MARKED);
    rig.execute(
        "CREATE TRIGGER full BEFORE UPDATE OF consent ON workstation BEGIN SELECT RAISE(ABORT, 'no room'); END",
    );
    assert!(rig.workstation.disable().unwrap_err().to_string().contains("no room"));
    assert!(!rig.workstation.is_on().unwrap());
    assert!(rig.workstation.due().unwrap().is_empty());
    rig.record(6, 1_u64);
    assert_eq!(rig.count("SELECT number FROM tally WHERE metric = 'usage.bytes' AND number > 9"), 0x1234_5678_9abc);
    assert!(rig.advance().is_err(), "it is tried again");
    rig.execute("DROP TRIGGER full");
    rig.advance().unwrap();
    assert!(!anywhere(folder.path(), &MARKED_BYTES));
    assert_eq!(rig.count("SELECT consent FROM workstation"), 0);
}

#[test]
fn a_no_that_a_crash_cut_short_is_finished_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::on_disk(folder.path(), 1);
    rig.enable().unwrap();
    rig.execute("PRAGMA wal_checkpoint(TRUNCATE); PRAGMA wal_autocheckpoint = 0");
    rig.record(6, MARKED);
    // The transaction of the no, without the cleaning behind it, and then the power fails.
    rig.execute("UPDATE workstation SET consent = 0; DELETE FROM tally; DELETE FROM outbox; DELETE FROM dropped;");
    let crashed = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        std::fs::copy(file.path(), crashed.path().join(file.file_name())).unwrap();
    }
    assert!(anywhere(crashed.path(), &MARKED_BYTES), "the log still holds the tally");
    drop(open(crashed.path(), &rig.clock).unwrap());
    assert!(!anywhere(crashed.path(), &MARKED_BYTES));
}

#[test]
fn a_reader_that_keeps_old_bytes_alive_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::on_disk(folder.path(), 1);
    rig.enable().unwrap();
    rig.record(6, MARKED);
    let reader = rusqlite::Connection::open(super::state_file(folder.path())).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM tally;").unwrap();
    let error = rig.workstation.disable().unwrap_err().to_string();
    assert!(error.contains("another program has the state open"), "{error}");
    assert!(!rig.workstation.is_on().unwrap());
    drop(reader);
    rig.advance().unwrap();
    assert!(!anywhere(folder.path(), &MARKED_BYTES));
}

#[test]
fn an_erasure_that_a_reader_holds_up_has_forgotten_the_start_and_is_finished_later() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::on_disk(folder.path(), 1);
    rig.enable().unwrap();
    rig.record(6, MARKED);
    let start = folder.path().join("boot.json");
    std::fs::write(&start, "{}").unwrap();
    let reader = rusqlite::Connection::open(super::state_file(folder.path())).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM tally;").unwrap();
    let error = rig.workstation.erase().unwrap_err().to_string();
    assert!(error.contains("another program has the state open"), "{error}");
    assert!(!start.exists());
    drop(reader);
    rig.advance().unwrap();
    assert!(!anywhere(folder.path(), &MARKED_BYTES));
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! From an event to a tally, for every aggregate and kind of domain; and what is not kept.

use zbus::wire::Variant;

use super::{EPOCH, Rig, state_file};
use crate::Consent;

fn enabled() -> Rig {
    let mut rig = Rig::new(1);
    rig.enable().unwrap();
    rig
}

#[test]
fn consent_is_unset_until_it_is_answered() {
    let mut rig = Rig::new(1);
    assert_eq!(rig.workstation.consent().unwrap(), Consent::Unset);
    rig.workstation.disable().unwrap();
    assert_eq!(rig.workstation.consent().unwrap(), Consent::Off);
    rig.enable().unwrap();
    assert_eq!(rig.workstation.consent().unwrap(), Consent::On);
    rig.workstation.disable().unwrap();
    assert_eq!(rig.workstation.consent().unwrap(), Consent::Off);
    rig.enable().unwrap();
    assert_eq!(rig.workstation.consent().unwrap(), Consent::On);
}

#[test]
fn without_a_yes_nothing_is_recorded_and_no_file_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::on_disk(folder.path(), 1);
    for offset in 0..30 {
        rig.record(1, "Cobalt");
        rig.record(99, "unknown");
        rig.go_to(EPOCH.week(offset));
    }
    assert!(rig.workstation.tallies().unwrap().is_empty() && rig.workstation.preview().unwrap().is_empty());
    assert!(rig.workstation.due().unwrap().is_empty() && rig.workstation.dropped().unwrap().is_empty());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);

    rig.enable().unwrap();
    assert!(state_file(folder.path()).exists());
    rig.workstation.disable().unwrap();
    rig.record(1, "Cobalt");
    rig.record(99, "unknown");
    assert_eq!(rig.count("SELECT (SELECT count(*) FROM tally) + (SELECT count(*) FROM dropped)"), 0);
}

#[test]
fn a_week_without_events_says_none_or_nothing() {
    let rig = enabled();
    let quiet: Vec<_> = rig.workstation.tallies().unwrap().into_iter().map(|t| (t.metric, t.value)).collect();
    let expected = [
        ("hardware.fans", "0"),
        ("hardware.peak", "none"),
        ("hardware.size", "none"),
        ("problems.crashes", "0"),
        ("problems.falls", "0"),
        ("problems.seen", "no"),
        ("settings.colour", "none"),
        ("settings.features", "none"),
        ("usage.bytes", "0"),
        ("usage.pages", "0"),
        ("usage.things", "none"),
        ("usage.time", "0"),
    ];
    assert_eq!(quiet, expected.map(|(metric, value)| (metric.to_owned(), value.to_owned())));
}

#[test]
fn the_last_symbol_counts_with_its_aliases_and_other() {
    let mut rig = enabled();
    for (recorded, tallied) in
        [("Emerald", "Emerald"), ("Cobalt", "Cobalt"), ("scarlet", "Crimson"), ("a private word", "other")]
    {
        rig.record(1, recorded);
        assert_eq!(rig.tally("settings.colour"), tallied);
    }
    // The reserved labels are no values of the dictionary.
    rig.record(1, "Cobalt");
    rig.record(1, "none");
    assert_eq!(rig.tally("settings.colour"), "other");
    assert_eq!(rig.count("SELECT count(*) FROM tally"), 1);
}

#[test]
fn numbers_fall_into_buckets_last_maximum_count_sum_and_duration() {
    let mut rig = enabled();
    for (recorded, tallied) in [(12_u64, "10 or more"), (0, "0"), (9, "1-9")] {
        rig.record(3, recorded);
        assert_eq!(rig.tally("hardware.size"), tallied);
    }
    for (recorded, tallied) in [(0_u32, "0"), (12, "10 or more"), (3, "10 or more")] {
        rig.record(4, ("ignored", recorded));
        assert_eq!(rig.tally("hardware.peak"), tallied);
    }
    rig.record_times(5, None, 9, 0);
    assert_eq!(rig.tally("problems.falls"), "1-9");
    rig.record(5, "an ignored payload");
    assert_eq!(rig.tally("problems.falls"), "10 or more");
    rig.record(6, 4_u64);
    assert_eq!(rig.tally("usage.bytes"), "1-9");
    rig.record_times(6, Some(&Variant::from(3_u64)), 2, 0);
    assert_eq!(rig.tally("usage.bytes"), "10 or more");
    rig.record_times(7, None, 1, 6);
    assert_eq!(rig.tally("usage.time"), "1-9");
    rig.record_times(7, None, 0, 6);
    assert_eq!(rig.tally("usage.time"), "10 or more");
}

#[test]
fn counts_are_capped_and_never_wrap() {
    let mut rig = enabled();
    rig.record_times(10, None, 2, 0);
    assert_eq!(rig.tally("problems.crashes"), "2");
    rig.record_times(10, None, u64::MAX, 0);
    rig.record_times(10, None, u64::MAX, 0);
    assert_eq!(rig.tally("problems.crashes"), "5");
    rig.record(11, 4_i32);
    rig.record(11, -7_i32);
    rig.record(11, 3_i32);
    assert_eq!(rig.tally("usage.pages"), "7");
    rig.record(12, 3_u8);
    rig.record(12, 2_u8);
    assert_eq!(rig.tally("hardware.fans"), "3");
    rig.record(6, u64::MAX);
    rig.record(6, u64::MAX);
    assert_eq!(rig.tally("usage.bytes"), "10 or more");
}

#[test]
fn any_is_yes_once_something_was_seen() {
    let mut rig = enabled();
    rig.record_times(2, None, 0, 0);
    assert_eq!(rig.tally("problems.seen"), "no");
    rig.record_times(2, None, 1, 0);
    assert_eq!(rig.tally("problems.seen"), "yes");
}

#[test]
fn sets_hold_each_item_once_and_may_exceed_their_bound_until_reported() {
    let mut rig = enabled();
    for item in ["org.B.desktop", "org.A", "org.B", "com.secret.App", "org.D.desktop"] {
        rig.record(8, item);
    }
    assert_eq!(rig.tally("usage.things"), "org.A, org.B, org.D, other");
    // Without `other`, an unknown item leaves the set as it is.
    rig.record(9, "reader");
    rig.record(9, "an unheard-of feature");
    assert_eq!(rig.tally("settings.features"), "reader");
}

#[test]
fn what_a_tally_says_already_is_not_written_again() {
    let mut rig = enabled();
    let written = |rig: &Rig| rig.workstation.connection().unwrap().total_changes();
    // The last colour, a set of things, and whether a problem was seen.
    for (event, say) in [(1, "Cobalt"), (8, "org.A"), (8, "org.B.desktop")] {
        rig.record(event, say);
        let before = written(&rig);
        rig.record(event, say);
        assert_eq!(written(&rig), before, "{say} again");
    }
    rig.record_times(2, None, 1, 0);
    let before = written(&rig);
    rig.record_times(2, None, 5, 0);
    assert_eq!(written(&rig), before, "it was seen already");
    rig.record(1, "Emerald");
    assert!(written(&rig) > before);
    rig.record(1, "Cobalt");
    assert_eq!((rig.tally("settings.colour"), rig.tally("usage.things")), ("Cobalt".into(), "org.A, org.B".into()));
}

#[test]
fn a_new_week_begins_with_empty_tallies() {
    let mut rig = enabled();
    rig.record(1, "Cobalt");
    rig.go_to(EPOCH.week(1));
    assert_eq!(rig.tally("settings.colour"), "none");
}

#[test]
fn a_clock_that_runs_backwards_goes_on_with_the_latest_week() {
    let mut rig = enabled();
    rig.go_to(EPOCH.week(3));
    rig.record(1, "Cobalt");
    rig.go_to(EPOCH.week(1));
    assert_eq!(rig.tally("settings.colour"), "Cobalt");
    rig.record(1, "Emerald");
    assert_eq!(rig.tally("settings.colour"), "Emerald");
    assert_eq!(rig.count("SELECT count(DISTINCT week) FROM tally"), 1);
}

#[test]
fn unknown_events_and_shapes_are_counted_dropped_and_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::on_disk(folder.path(), 1);
    rig.enable().unwrap();
    rig.record(99, "xyzzy-of-nobody");
    rig.record(99, "xyzzy-of-nobody");
    rig.record(1, 5_u32);
    rig.record_times(1, None, 1, 0);
    rig.record(4, (7_u32, "xyzzy-of-nobody"));
    // Later slices of a timer are no events of their own.
    rig.record_times(99, None, 0, 900);
    rig.record_times(1, None, 0, 900);
    let dropped = [("unknown event".to_owned(), 2), ("unknown shape".to_owned(), 3)];
    assert_eq!(rig.workstation.dropped().unwrap(), dropped);
    assert_eq!(rig.count("SELECT count(*) FROM tally"), 0);
    assert!(!super::erasure::anywhere(folder.path(), b"xyzzy-of-nobody"));
    assert!(!super::erasure::anywhere(folder.path(), &super::event_id(99)));
}

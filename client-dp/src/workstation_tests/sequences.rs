// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sequences, and time that runs over the end of a week.

use jiff::SignedDuration;
use zbus::wire::Variant;

use super::{EPOCH, Rig, event_id, start_of};
use crate::event::Event;

const SECOND: i64 = 1_000_000_000;

/// Tuesday morning of the first week.
fn on_a_tuesday() -> Rig {
    let mut rig = Rig::new(1);
    rig.enable().unwrap();
    rig.clock.set(start_of(EPOCH.week(0)).saturating_add(SignedDuration::from_hours(33)).unwrap());
    rig
}

fn sequence(rig: &mut Rig, event: u8, entries: &[(i64, Option<&Variant<'_>>)]) {
    rig.workstation.record_sequence(event_id(event), entries).unwrap();
}

#[test]
fn every_entry_counts_with_its_own_payload() {
    let mut rig = on_a_tuesday();
    let numbers: Vec<Variant<'_>> = [2_u64, 3, 4].map(Variant::from).into();
    let entries: Vec<_> = numbers.iter().map(|number| (0, Some(number))).collect();
    sequence(&mut rig, 6, &entries);
    assert_eq!(rig.count("SELECT number FROM tally WHERE metric = 'usage.bytes'"), 9, "a sum");
    sequence(&mut rig, 3, &entries);
    assert_eq!(rig.count("SELECT number FROM tally WHERE metric = 'hardware.size'"), 4, "the last");
    sequence(&mut rig, 5, &[(0, None), (SECOND, None), (2 * SECOND, None)]);
    assert_eq!(rig.count("SELECT number FROM tally WHERE metric = 'problems.falls'"), 3, "a count");
    sequence(&mut rig, 2, &[(0, None)]);
    assert_eq!(rig.tally("problems.seen"), "yes");
    let peaks: Vec<Variant<'_>> = [4_u32, 12, 3].map(|peak| Variant::from(("", peak))).into();
    sequence(&mut rig, 4, &peaks.iter().map(|peak| (0, Some(peak))).collect::<Vec<_>>());
    assert_eq!(rig.count("SELECT number FROM tally WHERE metric = 'hardware.peak'"), 12, "the maximum");
    let (a, b) = (Variant::from("org.A"), Variant::Variant(Box::new(Variant::from("org.B.desktop"))));
    sequence(&mut rig, 8, &[(0, Some(&a)), (1, Some(&b)), (2, None)]);
    assert_eq!(rig.tally("usage.things"), "org.A, org.B", "distinct values");
    sequence(&mut rig, 8, &[]);
    assert!(rig.workstation.dropped().unwrap().is_empty());
}

#[test]
fn a_sequence_lasts_from_its_first_entry_to_its_last_whatever_lies_between() {
    let mut rig = on_a_tuesday();
    let seconds = |rig: &Rig| rig.count("SELECT number FROM tally WHERE metric = 'usage.time'");
    let payload = Variant::from("ignored");
    sequence(&mut rig, 7, &[(5, None), (3 * SECOND, Some(&payload)), (7 * SECOND + 5, None)]);
    assert_eq!(seconds(&rig), 7);
    // Times that run wild between the two add nothing.
    sequence(&mut rig, 7, &[(0, None), (i64::MAX, None), (i64::MIN, None), (SECOND, None)]);
    assert_eq!(seconds(&rig), 8);
    sequence(&mut rig, 7, &[(SECOND, None), (0, None)]);
    sequence(&mut rig, 7, &[(SECOND, None)]);
    assert_eq!(seconds(&rig), 8);
}

#[test]
fn a_week_gets_no_more_of_a_sequence_than_has_passed_of_it() {
    let mut rig = on_a_tuesday();
    sequence(&mut rig, 7, &[(i64::MIN, None), (i64::MAX, None)]);
    assert_eq!(rig.count("SELECT number FROM tally WHERE metric = 'usage.time'"), 33 * 3600);
}

#[test]
fn a_sequence_that_says_nothing_is_one_dropped_event() {
    let mut rig = on_a_tuesday();
    let wrong = Variant::from(1_u8);
    sequence(&mut rig, 99, &[(0, None), (1, None), (2, None)]);
    sequence(&mut rig, 8, &[(0, Some(&wrong)), (1, None)]);
    let dropped = [("unknown event".to_owned(), 1), ("unknown shape".to_owned(), 1)];
    assert_eq!(rig.workstation.dropped().unwrap(), dropped);
}

#[test]
fn an_ended_week_takes_its_part_until_it_is_closed() {
    let mut rig = on_a_tuesday();
    rig.clock.set(start_of(EPOCH.week(1)));
    let part = Event { id: event_id(7), payload: None, times: 1, seconds: 6 };
    rig.workstation.record_in(&[(Some(EPOCH.week(0)), part)]).unwrap();
    rig.workstation.record_in(&[(Some(EPOCH.week(1)), part)]).unwrap();
    let of = |rig: &Rig, week: u16| {
        let week = EPOCH.week(week).index();
        rig.count(&format!("SELECT coalesce(sum(number), 0) FROM tally WHERE metric = 'usage.time' AND week = {week}"))
    };
    assert_eq!((of(&rig, 0), of(&rig, 1)), (6, 6));
    rig.advance().unwrap();
    let closed = of(&rig, 0);
    rig.workstation.record_in(&[(Some(EPOCH.week(0)), part)]).unwrap();
    assert_eq!((of(&rig, 0), of(&rig, 1)), (closed, 6));
}

#[test]
fn what_is_left_of_a_week_ends_at_its_last_midnight() {
    let rig = on_a_tuesday();
    let (week, rest) = rig.workstation.rest_of_week().unwrap();
    assert_eq!((week, rest.as_secs()), (EPOCH.week(0), (7 * 24 - 33) * 3600));
}

#[test]
fn a_clock_that_was_corrected_makes_no_later_week() {
    let mut rig = on_a_tuesday();
    let part = Event { id: event_id(7), payload: None, times: 1, seconds: 6 };
    rig.workstation.record_in(&[(Some(EPOCH.week(5)), part)]).unwrap();
    assert_eq!(rig.count("SELECT count(DISTINCT week) FROM tally"), 1);
    let week = rig.count("SELECT week FROM tally WHERE metric = 'usage.time'");
    assert_eq!(week, i64::from(EPOCH.week(0).index()));
}

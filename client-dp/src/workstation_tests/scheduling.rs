// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rotating panel: within the budget, uniform over the weeks, drawn once, and always answered.

use std::collections::BTreeMap;

use stipple_catalog::Epoch;

use crate::schedule::Draw;

use super::{CATALOGUE, EPOCH, Rig, start_of};
use crate::REPORT_WINDOW_WEEKS;

#[test]
fn draws_fit_the_budget_and_weeks_are_uniform() {
    let mut weeks = [0_u32; Epoch::WEEKS as usize];
    let mut drawn: BTreeMap<String, u32> = BTreeMap::new();
    for seed in 0..2000 {
        let mut rig = Rig::new(seed);
        rig.enable().unwrap();
        let slots = rig.slots();
        let micros: u32 = slots.iter().map(|(_, id, _)| CATALOGUE.get(id).unwrap().epsilon.micros()).sum();
        assert!(micros <= CATALOGUE.epsilon_epoch.micros(), "seed {seed} drew {micros} millionths");
        // What is left is too little for anything that was not drawn, so the budget is used.
        let left = CATALOGUE.epsilon_epoch.micros() - micros;
        let fits = |d: &&stipple_catalog::Definition| d.epsilon.micros() <= left;
        assert!(CATALOGUE.definitions().iter().filter(fits).all(|d| slots.iter().any(|(_, id, _)| *id == d.id)));
        for (epoch, metric, week) in slots {
            assert_eq!(epoch, week.epoch().index());
            weeks[usize::from(week.index() % Epoch::WEEKS)] += 1;
            *drawn.entry(metric).or_default() += 1;
        }
    }
    let mean = f64::from(weeks.iter().sum::<u32>()) / weeks.len() as f64;
    let chi_squared: f64 = weeks.iter().map(|&n| (f64::from(n) - mean).powi(2) / mean).sum();
    // The 99.99 % quantile of chi-squared with 25 degrees of freedom.
    assert!(chi_squared < 60.14, "chi-squared {chi_squared} over {weeks:?}");
    assert_eq!(drawn.len(), CATALOGUE.definitions().len(), "every metric has its chance");
}

#[test]
fn an_epoch_is_drawn_once_whatever_the_user_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::on_disk(folder.path(), 3);
    rig.enable().unwrap();
    let first = rig.slots();
    assert!(!first.is_empty());
    for day in 1..40 {
        rig.workstation.disable().unwrap();
        rig.clock.set(start_of(EPOCH.week(0)).saturating_add(jiff::SignedDuration::from_hours(24 * day)).unwrap());
        rig.enable().unwrap();
        rig.workstation = super::open(folder.path(), &rig.clock).unwrap();
        rig.advance().unwrap();
        assert_eq!(rig.slots(), first);
    }
    rig.go_to(EPOCH.week(Epoch::WEEKS));
    assert!(rig.slots().len() > first.len(), "the next epoch has its own draw");
    rig.go_to(EPOCH.week(2));
    assert_eq!(rig.slots().iter().filter(|slot| slot.0 == EPOCH.index()).count(), first.len());
}

#[test]
fn a_report_is_made_of_every_slot_also_when_nothing_happened() {
    for seed in 0..200 {
        let mut rig = Rig::new(seed);
        rig.clock.set(start_of(EPOCH.week(0)).saturating_sub(jiff::SignedDuration::from_hours(1)).unwrap());
        rig.enable().unwrap();
        rig.go_to(EPOCH.week(0));
        let slots: Vec<_> = rig.slots().into_iter().filter(|slot| slot.0 == EPOCH.index()).collect();
        for offset in 0..Epoch::WEEKS {
            rig.go_to(EPOCH.week(offset));
            let over = slots.iter().filter(|slot| slot.2 < EPOCH.week(offset)).count();
            assert_eq!(rig.workstation.due().unwrap().len(), over, "seed {seed}, week {offset}");
        }
        rig.go_to(EPOCH.week(Epoch::WEEKS));
        assert_eq!(rig.workstation.due().unwrap().len(), slots.len());
    }
}

#[test]
fn a_week_is_reported_only_when_wholly_observed_and_in_time() {
    let (mut forfeited, mut reported) = (0, 0);
    for seed in 0..100 {
        let mut rig = Rig::new(seed);
        rig.go_to(EPOCH.week(10));
        rig.enable().unwrap();
        // Switched off until late in the epoch: a slot up to then, or older than the server takes, is forfeited.
        rig.workstation.disable().unwrap();
        rig.clock.set(start_of(EPOCH.week(12)));
        rig.enable().unwrap();
        rig.go_to(EPOCH.week(22));
        for (_, metric, week) in rig.slots() {
            let sent = rig
                .workstation
                .preview()
                .unwrap()
                .into_iter()
                .any(|p| p.metric == metric && p.outcome == crate::Outcome::Waiting);
            let in_time =
                week > EPOCH.week(12) && week < EPOCH.week(22) && EPOCH.week(22).since(week) <= REPORT_WINDOW_WEEKS;
            assert_eq!(sent, in_time, "seed {seed}: {metric} in {week}");
            forfeited += u32::from(!in_time);
            reported += u32::from(in_time);
        }
    }
    assert!(forfeited > 0 && reported > 0);
}

#[test]
fn a_report_waits_for_a_random_moment_of_its_window() {
    let window = std::time::Duration::from_hours(6 * 24);
    let mut moments = Vec::new();
    for seed in 0..200 {
        let mut rig = Rig::new(seed);
        rig.workstation = crate::Workstation::in_memory(CATALOGUE.clone(), rig.clock.clone(), window).unwrap();
        rig.enable().unwrap();
        rig.live_through_the_epoch();
        let connection = rig.workstation.connection().unwrap();
        for entry in crate::outbox::all(connection).unwrap() {
            let wait = entry.send_after.duration_since(start_of(entry.week.next())).as_secs();
            assert!((0..=6 * 24 * 3600).contains(&wait));
            moments.push(wait);
        }
    }
    moments.sort_unstable();
    let median = moments[moments.len() / 2];
    assert!((2 * 24 * 3600..4 * 24 * 3600).contains(&median), "the median wait is {median} s");
}

/// A week that was half over at the yes is not reported, so nothing is announced of it.
#[test]
fn the_preview_promises_no_report_of_a_week_that_is_not_wholly_observed() {
    let mut passed_over = 0;
    for seed in 0..40 {
        let mut rig = Rig::new(seed);
        rig.enable().unwrap();
        let week = rig.clock.week().unwrap();
        let shown: Vec<String> = rig.workstation.preview().unwrap().into_iter().map(|row| row.week).collect();
        assert!(!shown.contains(&week.to_string()), "{shown:?}");
        for slot in rig.workstation.slots().unwrap() {
            let row = rig.workstation.explain(&slot.metric).unwrap();
            let expected = if slot.week > week { Draw::Waiting } else { Draw::Forfeited };
            assert_eq!((row.draw, row.week), (expected, slot.week.to_string()));
            passed_over += usize::from(expected == Draw::Forfeited);
        }
        rig.workstation.erase().unwrap();
        assert!(rig.workstation.preview().unwrap().iter().all(|row| row.week != week.to_string()));
    }
    assert!(passed_over > 0, "no slot was drawn for the week of the yes: try more seeds");
}

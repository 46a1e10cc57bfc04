// SPDX-License-Identifier: MIT OR Apache-2.0
//! A clock that leaps: doubted at first, believed when it lasts. And a drill's clock, which never meets a real budget.

use std::time::Duration;

use jiff::SignedDuration;
use stipple_catalog::{Clock, Epoch, Phase};

use super::{CATALOGUE, EPOCH, Rig, start_of};
use crate::{StateError, Workstation, WorkstationError};

/// More than an epoch ahead, years beyond [`EPOCH`].
const FAR: Epoch = Epoch::from_index(142);

#[test]
fn a_leap_and_return_costs_neither_reports_nor_tallies() {
    let mut rig = Rig::new(3);
    rig.clock.set(start_of(EPOCH.week(0)).saturating_sub(SignedDuration::from_hours(24)).unwrap());
    rig.enable().unwrap();
    rig.go_to(EPOCH.week(0));
    let slots = rig.slots().into_iter().filter(|slot| slot.0 == EPOCH.index()).count();
    rig.record(1, "Cobalt");
    rig.go_to(FAR.week(9));
    assert_eq!(rig.tally("settings.colour"), "Cobalt", "the accepted week goes on");
    rig.record(1, "Emerald");
    rig.go_to(EPOCH.week(0));
    assert_eq!(rig.tally("settings.colour"), "Cobalt", "what a doubted clock recorded is dropped");
    rig.live_through_the_epoch();
    assert_eq!(rig.workstation.due().unwrap().len(), slots);
    assert_eq!(rig.count("SELECT count(*) FROM epoch WHERE epoch > 120"), 0, "nothing was drawn ahead");
}

#[test]
fn a_leap_that_lasts_a_day_is_believed() {
    let mut rig = Rig::new(4);
    rig.enable().unwrap();
    let there = start_of(FAR.week(9));
    rig.go_to(FAR.week(9));
    let drawn = format!("SELECT count(*) FROM epoch WHERE epoch = {}", FAR.index());
    assert_eq!(rig.count(&drawn), 0);
    rig.clock.set(there.saturating_add(SignedDuration::from_hours(23)).unwrap());
    rig.advance().unwrap();
    assert_eq!(rig.count(&drawn), 0);
    rig.clock.set(there.saturating_add(SignedDuration::from_hours(24)).unwrap());
    rig.advance().unwrap();
    assert_eq!(rig.count(&drawn), 1);
    rig.record(1, "Emerald");
    assert_eq!(rig.tally("settings.colour"), "Emerald");
}

#[test]
fn a_yes_under_a_doubted_clock_draws_nothing_ahead() {
    let mut rig = Rig::new(5);
    rig.enable().unwrap();
    rig.workstation.disable().unwrap();
    rig.clock.set(start_of(FAR.week(0)));
    rig.enable().unwrap();
    assert_eq!(rig.count(&format!("SELECT count(*) FROM epoch WHERE epoch >= {}", FAR.index())), 0);
}

#[test]
fn a_drill_does_not_touch_a_real_state_nor_a_real_run_a_drills() {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::on_disk(folder.path(), 1);
    rig.enable().unwrap();
    drop(rig);
    let before = std::fs::read(super::state_file(folder.path())).unwrap();
    let real = Clock::system(Phase::Production, None).unwrap();
    let refused = Workstation::open(folder.path(), CATALOGUE.clone(), real, Duration::ZERO).unwrap_err();
    assert!(matches!(&refused, WorkstationError::State(StateError::Phase { found, .. }) if found == "testing"));
    assert!(refused.to_string().contains("--phase testing"), "{refused}");
    assert!(std::fs::read(super::state_file(folder.path())).unwrap() == before, "the file was written to");
}

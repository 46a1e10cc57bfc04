// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random lives of a workstation. After every step: no epoch over its cap, each metric paid and drawn at most once an epoch,
//! one report for each payment, and nothing of the past ever rewritten.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use rand::RngExt;
use stipple_catalog::Week;

use super::{EPOCH, Rig, open, start_of};

/// What has been seen once must stay so.
#[derive(Default)]
struct Witness {
    spends: BTreeMap<(u16, String), (u32, u16)>,
    slots: BTreeMap<(u16, String), Week>,
    reports: BTreeMap<(u16, String), Vec<u8>>,
}

impl Witness {
    fn check(&mut self, rig: &Rig, story: &str) {
        let Some(connection) = rig.workstation.connection() else { return };
        let mut statement = connection.prepare_cached("SELECT epoch, metric, epsilon_micros, week FROM spend").unwrap();
        let rows = statement.query_map([], |r| Ok(((r.get(0)?, r.get(1)?), (r.get(2)?, r.get(3)?)))).unwrap();
        let spends: BTreeMap<(u16, String), (u32, u16)> = rows.map(Result::unwrap).collect();
        for (key, cost) in &self.spends {
            assert_eq!(spends.get(key), Some(cost), "a payment changed or vanished: {story}");
        }
        let mut sums = BTreeMap::<u16, u32>::new();
        for ((epoch, metric), (micros, week)) in &spends {
            *sums.entry(*epoch).or_default() += micros;
            assert_eq!(Week::from_index(*week).epoch().index(), *epoch, "{metric}: {story}");
        }
        assert!(sums.values().all(|&sum| sum <= 4_000_000), "over the cap {sums:?}: {story}");
        self.spends = spends;
        for (epoch, metric, week) in rig.slots() {
            let before = *self.slots.entry((epoch, metric)).or_insert(week);
            assert_eq!(before, week, "drawn again: {story}");
        }
        for entry in crate::outbox::all(connection).unwrap() {
            let key = (entry.week.epoch().index(), entry.metric);
            assert!(self.spends.contains_key(&key), "a report was not paid for: {story}");
            let bytes = entry.outgoing.bytes().to_vec();
            let before = self.reports.entry(key).or_insert_with(|| bytes.clone());
            assert_eq!(*before, bytes, "a second draw: {story}");
        }
    }
}

/// One random step; returns its name for the story.
fn step(rig: &mut Rig, on_disk: Option<&std::path::Path>) -> String {
    let choice = rig.rng.random_range(0..24_u32);
    match choice {
        0 => {
            rig.enable().unwrap();
            "enable".to_owned()
        }
        1 => {
            rig.workstation.disable().unwrap();
            "disable".to_owned()
        }
        2 | 3 => {
            let event = rig.rng.random_range(1..14);
            let payload = if event == 3 { zbus::wire::Variant::from(7_u64) } else { "Cobalt".into() };
            rig.record(event, payload);
            format!("record {event}")
        }
        4 => {
            for report in rig.workstation.due().unwrap() {
                let counted = rig.rng.random_bool(0.8);
                rig.workstation.settle(report.id(), counted).unwrap();
            }
            "settle".to_owned()
        }
        5 => {
            if let Some(folder) = on_disk {
                rig.workstation = open(folder, &rig.clock).unwrap();
            }
            "reopen".to_owned()
        }
        6 => jump(rig, -3 * 365, 0),
        7 => jump(rig, 0, 2 * 365),
        8 => jump(rig, 0, 200),
        _ => {
            let story = jump(rig, 0, 10);
            rig.advance().unwrap();
            story + " and advance"
        }
    }
}

fn jump(rig: &mut Rig, from: i64, to: i64) -> String {
    let days = rig.rng.random_range(from..=to);
    let there = rig.clock.now().saturating_add(SignedDuration::from_hours(24 * days)).unwrap();
    // Neither before the metrics were introduced nor beyond any week.
    let range = start_of(Week::from_index(1700))..start_of(Week::from_index(6000));
    rig.clock.set(there.clamp(range.start, range.end));
    format!("{days} days")
}

/// Lives one life and returns how much it reported.
fn live(mut rig: Rig, steps: u32, seed: u64, on_disk: Option<&std::path::Path>) -> usize {
    let mut witness = Witness::default();
    let mut story = format!("seed {seed}");
    for _ in 0..steps {
        story += ", ";
        story += &step(&mut rig, on_disk);
        witness.check(&rig, &story);
    }
    witness.reports.len()
}

#[test]
fn no_history_spends_more_than_the_budget() {
    let reports: usize = (0..2000).map(|seed| live(Rig::new(seed), 80, seed, None)).sum();
    assert!(reports > 2000, "the histories must reach the ledger: {reports} reports");
}

#[test]
fn no_history_with_restarts_spends_more_than_the_budget() {
    let mut reports = 0;
    for seed in 0..40 {
        let folder = tempfile::tempdir().unwrap();
        reports += live(Rig::on_disk(folder.path(), seed), 60, seed, Some(folder.path()));
    }
    assert!(reports > 20, "the histories must reach the ledger: {reports} reports");
}

#[test]
fn the_ledger_refuses_a_second_payment_and_one_over_the_cap() {
    let mut rig = Rig::new(5);
    rig.enable().unwrap();
    let catalogue = rig.workstation.catalogue().clone();
    rig.execute("DELETE FROM slot");
    // All twelve metrics in one week, which no draw would do.
    for definition in catalogue.definitions() {
        let (hash, week) = (stipple_catalog::hex(&definition.hash.0), EPOCH.week(1).index());
        rig.execute(&format!(
            "INSERT INTO slot (epoch, metric, definition, week) VALUES ({}, '{}', x'{hash}', {week})",
            EPOCH.index(),
            definition.id
        ));
    }
    rig.clock.set(start_of(EPOCH.week(2)));
    let refusal = rig.advance().unwrap_err().to_string();
    assert!(refusal.contains("would exceed the epoch's privacy budget"), "{refusal}");
    assert!(rig.count("SELECT sum(epsilon_micros) FROM spend") <= 4_000_000);
    assert_eq!(rig.count("SELECT count(*) FROM spend"), rig.count("SELECT count(*) FROM outbox"));

    rig.execute("DELETE FROM slot WHERE outcome = 'waiting'; UPDATE slot SET outcome = 'waiting'");
    let before = rig.count("SELECT count(*) FROM outbox");
    let refusal = rig.advance().unwrap_err().to_string();
    assert!(refusal.contains("privacy budget") || refusal.contains("paid for in this epoch already"), "{refusal}");
    assert_eq!(rig.count("SELECT count(*) FROM outbox"), before);
}

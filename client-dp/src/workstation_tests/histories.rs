// SPDX-License-Identifier: MIT OR Apache-2.0
//! Random lives of a workstation: answers, opt-outs, locks, changed texts, erasures, restarts, crashes within a transaction,
//! restored older copies, clocks that jump by years, time zones, catalogue upgrades. After every step: no epoch over its
//! cap, each metric paid and drawn at most once an epoch, one report for each payment, nothing of the past ever rewritten,
//! a look that changes nothing, and off is off. `STIPPLE_HISTORIES` says how many lives, 120 unless told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use jiff::SignedDuration;
use jiff::tz::{Offset, TimeZone};
use rand::RngExt;
use stipple_catalog::{Catalogue, Week};

use super::{BUCKETS, CATALOGUE, EPOCH, METRICS, Rig, Row, catalogue, open, start_of, state_file};
use crate::{Consent, Outcome, Workstation, consent};

/// The catalogue of a later release: one metric gone, one defined otherwise, one new, and a smaller budget.
static UPGRADE: LazyLock<Arc<Catalogue>> = LazyLock::new(|| {
    let mut rows: Vec<Row> = METRICS.to_vec();
    rows.remove(0);
    rows[4].2 = 2.0;
    rows.push(("usage.news", 13, 1.0, "subset-selection", BUCKETS, "count:"));
    catalogue(&rows, 3.0)
});

/// What has been seen once must stay so.
#[derive(Default)]
struct Witness {
    spends: BTreeMap<(u16, String), (u32, u16)>,
    slots: BTreeMap<(u16, String), Week>,
    reports: BTreeMap<(u16, String), Vec<u8>>,
    /// a copy of the state was restored: it may have forgotten lines, not rewritten them
    restored: bool,
}

impl Witness {
    fn check(&mut self, rig: &Rig, story: &str) {
        let Some(connection) = rig.workstation.connection() else { return };
        let mut statement = connection.prepare_cached("SELECT epoch, metric, epsilon_micros, week FROM spend").unwrap();
        let rows = statement.query_map([], |r| Ok(((r.get(0)?, r.get(1)?), (r.get(2)?, r.get(3)?)))).unwrap();
        let spends: BTreeMap<(u16, String), (u32, u16)> = rows.map(Result::unwrap).collect();
        for (key, cost) in &self.spends {
            let now = spends.get(key);
            assert!(now == Some(cost) || (now.is_none() && self.restored), "a payment changed or vanished: {story}");
        }
        self.spends.extend(spends);
        let mut sums = BTreeMap::<u16, u32>::new();
        for ((epoch, metric), (micros, week)) in &self.spends {
            *sums.entry(*epoch).or_default() += micros;
            assert_eq!(Week::from_index(*week).epoch().index(), *epoch, "{metric}: {story}");
        }
        assert!(sums.values().all(|&sum| sum <= 4_000_000), "over the cap {sums:?}: {story}");
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

/// Everything that a look must leave as it is, as numbers of rows: epoch, slot, spend, outbox, tally, dropped, opt-out.
fn fingerprint(rig: &Rig) -> [i64; 7] {
    let connection = rig.workstation.connection().unwrap();
    let counts = "SELECT (SELECT count(*) FROM epoch), (SELECT count(*) FROM slot), (SELECT count(*) FROM spend),
        (SELECT count(*) FROM outbox), (SELECT count(*) FROM tally), (SELECT count(*) FROM dropped),
        (SELECT count(*) FROM opt_out)";
    let mut statement = connection.prepare_cached(counts).unwrap();
    statement
        .query_row([], |r| Ok([r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?, r.get(6)?]))
        .unwrap()
}

/// Looks at everything: a look changes nothing, shows no other bytes than the outbox has, and shows nothing while off.
fn look(rig: &Rig, story: &str) {
    let workstation = &rig.workstation;
    let Some(connection) = workstation.connection() else {
        assert!(workstation.preview().unwrap().is_empty() && workstation.due().unwrap().is_empty(), "{story}");
        return;
    };
    let before = fingerprint(rig);
    let (first, second) = (workstation.preview().unwrap(), workstation.preview().unwrap());
    assert_eq!(first, second, "{story}");
    let known: Vec<String> =
        crate::outbox::all(connection).unwrap().iter().map(|e| stipple_catalog::hex(e.outgoing.bytes())).collect();
    for row in first.iter().filter(|row| row.outcome == Outcome::Waiting) {
        assert!(known.contains(&row.bytes), "a preview of other bytes: {story}");
    }
    let (tallies, due) = (workstation.tallies().unwrap(), workstation.due().unwrap());
    workstation.sent().unwrap();
    workstation.budget().unwrap();
    assert_eq!(fingerprint(rig), before, "a look changed something: {story}");
    if !workstation.is_on().unwrap() {
        assert!(first.is_empty() && tallies.is_empty() && due.is_empty(), "off is not off: {story}");
    }
    if workstation.consent().unwrap() != Consent::On {
        assert_eq!(before[3..6], [0, 0, 0], "something is kept without a yes: {story}");
    }
    let out = workstation.opted_out().unwrap();
    let mut recorded = connection.prepare_cached("SELECT DISTINCT metric FROM tally").unwrap();
    for metric in recorded.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap) {
        let off = workstation.catalogue().get(&metric).is_some_and(|definition| consent::is_out(definition, &out));
        assert!(!off, "{metric} is recorded although it is off: {story}");
    }
}

/// Where a life on a file lives, with what can be copied and restored.
struct Ground<'f> {
    folder: &'f Path,
    lock: PathBuf,
    copy: Option<Vec<u8>>,
}

/// A restart: what is not in the state is forgotten.
fn restart(rig: &mut Rig, ground: Option<&Ground<'_>>) {
    let catalogue = rig.workstation.catalogue().clone();
    let version = rig.workstation.consent_version.clone();
    let fresh = Workstation::in_memory(catalogue.clone(), rig.clock.clone(), super::Duration::ZERO).unwrap();
    let mut old = std::mem::replace(&mut rig.workstation, fresh);
    if let Some(ground) = ground {
        drop(old);
        rig.workstation = open(ground.folder, &rig.clock).unwrap().with_lock(ground.lock.clone());
    } else {
        rig.workstation.state = old.state.take();
    }
    rig.workstation.catalogue = catalogue;
    rig.workstation.consent_version = version;
}

/// One random step; returns its name for the story.
fn step(rig: &mut Rig, ground: Option<&mut Ground<'_>>, witness: &mut Witness) -> String {
    let choice = rig.rng.random_range(0..34_u32);
    match choice {
        0 | 1 => {
            let locked = rig.workstation.is_locked();
            assert_eq!(rig.enable().is_err(), locked);
            "enable".to_owned()
        }
        2 => {
            rig.workstation.disable().unwrap();
            "disable".to_owned()
        }
        3..=6 => {
            let event = rig.rng.random_range(1..15);
            let payload = if event == 3 { zbus::wire::Variant::from(7_u64) } else { "Cobalt".into() };
            let kept = |rig: &Rig| rig.workstation.connection().map(|_| fingerprint(rig));
            let before = kept(rig);
            rig.record(event, payload);
            assert!(rig.workstation.is_on().unwrap() || kept(rig) == before, "recorded while off");
            format!("record {event}")
        }
        7 => {
            for report in rig.workstation.due().unwrap() {
                let counted = rig.rng.random_bool(0.8);
                rig.workstation.settle(report.id(), counted).unwrap();
            }
            "settle".to_owned()
        }
        8 => {
            restart(rig, ground.as_deref());
            "restart".to_owned()
        }
        9 | 10 => crash(rig, ground.as_deref()),
        11 => {
            rig.workstation.erase().unwrap();
            "erase".to_owned()
        }
        12 | 13 => {
            let names = ["usage", "hardware", "problems.crashes", "usage.things"];
            let (name, out) = (names[rig.rng.random_range(0..names.len())], rig.rng.random_bool(0.5));
            // Refused where the category is off.
            let refused = rig.workstation.set_opted_out(name, out).is_err();
            format!("{name} out: {out}, refused: {refused}")
        }
        14 => {
            let version = ["a", "b"][rig.rng.random_range(0..2)];
            version.clone_into(&mut rig.workstation.consent_version);
            format!("text {version}")
        }
        15 => {
            rig.workstation.catalogue = if rig.rng.random_bool(0.5) { CATALOGUE.clone() } else { UPGRADE.clone() };
            format!("a catalogue of {:?}", rig.workstation.catalogue().epsilon_epoch)
        }
        16 => {
            let hours = rig.rng.random_range(-12..=14);
            let zone = TimeZone::fixed(Offset::constant(hours));
            rig.workstation.clock = rig.clock.clone().in_zone(zone);
            format!("{hours} hours east")
        }
        17 => jump(rig, -3 * 365, 0),
        18 => jump(rig, 0, 2 * 365),
        19 => jump(rig, 0, 200),
        20 | 21 => match ground {
            Some(ground) => on_the_ground(rig, ground, witness),
            None => "nothing".to_owned(),
        },
        _ => {
            let story = jump(rig, 0, 10);
            rig.advance().unwrap();
            story + " and advance"
        }
    }
}

/// A failure in the middle of a transaction, and then a restart.
fn crash(rig: &mut Rig, ground: Option<&Ground<'_>>) -> String {
    if rig.workstation.connection().is_none() {
        return "no crash".to_owned();
    }
    let places = ["INSERT ON main.outbox", "INSERT ON main.spend", "UPDATE ON main.slot", "INSERT ON main.slot"];
    let place = places[rig.rng.random_range(0..places.len())];
    rig.execute(&format!("CREATE TEMP TRIGGER crash BEFORE {place} BEGIN SELECT RAISE(ABORT, 'crash'); END"));
    let days = jump(rig, 0, 30);
    let outcome = if rig.rng.random_bool(0.5) { rig.enable() } else { rig.advance() };
    if let Err(error) = outcome {
        assert!(error.to_string().contains("crash") || rig.workstation.is_locked(), "{error}");
    }
    rig.execute("DROP TRIGGER temp.crash");
    restart(rig, ground);
    format!("{days}, crash at {place}")
}

/// What takes files: the administrator's lock, a copy of the state, and its restoration.
fn on_the_ground(rig: &mut Rig, ground: &mut Ground<'_>, witness: &mut Witness) -> String {
    let file = state_file(ground.folder);
    match rig.rng.random_range(0..4_u32) {
        0 => {
            std::fs::write(&ground.lock, "").unwrap();
            rig.advance().unwrap();
            "lock".to_owned()
        }
        1 => {
            let _ = std::fs::remove_file(&ground.lock);
            "unlock".to_owned()
        }
        2 if file.exists() => {
            rig.execute("PRAGMA wal_checkpoint(TRUNCATE)");
            ground.copy = std::fs::read(&file).ok();
            "copy".to_owned()
        }
        3 if ground.copy.is_some() => {
            let clock = rig.clock.clone();
            rig.workstation = Workstation::in_memory(CATALOGUE.clone(), clock, super::Duration::ZERO).unwrap();
            std::fs::write(&file, ground.copy.as_deref().unwrap_or_default()).unwrap();
            restart(rig, Some(ground));
            witness.restored = true;
            "restore".to_owned()
        }
        _ => "nothing".to_owned(),
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
fn live(mut rig: Rig, steps: u32, seed: u64, mut ground: Option<Ground<'_>>) -> usize {
    let mut witness = Witness::default();
    let mut story = format!("seed {seed}");
    for _ in 0..steps {
        story += ", ";
        story += &step(&mut rig, ground.as_mut(), &mut witness);
        witness.check(&rig, &story);
        look(&rig, &story);
    }
    witness.reports.len()
}

/// How many lives in memory are lived.
fn histories() -> u64 {
    std::env::var("STIPPLE_HISTORIES").ok().and_then(|text| text.parse().ok()).unwrap_or(120)
}

#[test]
fn no_history_spends_more_than_the_budget() {
    let lives = histories();
    let reports: usize = (0..lives).map(|seed| live(Rig::new(seed), 60, seed, None)).sum();
    assert!(reports as u64 > lives / 4, "the histories must reach the ledger: {reports} reports");
}

#[test]
fn no_history_on_a_file_with_restored_copies_spends_more_than_the_budget() {
    let lives = (histories() / 20).max(20);
    let mut reports = 0;
    for seed in 0..lives {
        let folder = tempfile::tempdir().unwrap();
        let etc = tempfile::tempdir().unwrap();
        let lock = etc.path().join("disabled");
        let mut rig = Rig::on_disk(folder.path(), seed);
        rig.workstation.lock = Some(lock.clone());
        let ground = Ground { folder: folder.path(), lock, copy: None };
        reports += live(rig, 80, seed, Some(ground));
    }
    assert!(reports as u64 > lives / 4, "the histories must reach the ledger: {reports} reports");
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

// SPDX-License-Identifier: MIT OR Apache-2.0
//! What every store must do: what was acknowledged is counted exactly once, and nothing else stays.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stipple_aggregator::{ExportError, Unknown, export};
use stipple_catalog::Catalogue;
use support::{
    Place, Program, Running, contains, expected, id_of, post_stubbornly, reports, request, wait_for, week,
    write_catalogue,
};

/// Each of these on every kind of store, directly and behind a queue.
macro_rules! everywhere {
    ($($name:ident),* $(,)?) => {
        on_every_store! { $($name),* }
        mod queue_and_sqlite {
            $(#[test] fn $name() { super::$name(&super::Place::new().drained()); })*
        }
        mod queue_and_postgres {
            $(#[test] fn $name() { super::$name(&super::Place::with_postgres().drained()); })*
        }
    };
}

everywhere! {
    two_reports_of_a_sender_lie_no_closer_than_those_of_strangers,
    a_batch_is_counted_whole_and_names_what_it_refuses,
    reports_become_support_counts_once_however_often_they_come,
    an_empty_store_exports_an_empty_dataset,
    counts_that_the_catalogue_cannot_explain_are_refused_or_left_out,
    kill_9_loses_nothing_acknowledged_and_doubles_nothing,
    a_stop_answers_what_it_has_begun,
    a_closed_week_leaves_sums_and_no_id,
    a_week_that_closes_in_the_quiet_leaves_no_id,
    no_address_and_nothing_of_a_report_is_kept_or_printed,
}

fn reports_become_support_counts_once_however_often_they_come(place: &Place) {
    let server = Running::start(place.config(&Place::clock()));
    let sent =
        [reports(&place.catalogue, week("2026-W47"), 1, 100), reports(&place.catalogue, week("2026-W48"), 2, 60)];
    let sent = sent.concat();
    for report in sent.iter().chain(&sent).chain(&sent[..10]) {
        let answer = server.post(report);
        assert_eq!((answer.status, answer.body.len()), (204, 0));
    }
    let (while_served, _) = place.export();
    server.stop();
    let (csv, manifest) = place.export();
    assert_eq!(csv, expected(&place.catalogue, &sent));
    assert_eq!(while_served, csv);
    assert_eq!(manifest["reports"], 160);
    assert_eq!(manifest["weeks"], serde_json::json!({ "first": "2026-W47", "last": "2026-W48" }));
    assert_eq!(manifest["metrics"][0]["id"], "problems.falls");
    assert_eq!((&manifest["metrics"][0]["weeks"], &manifest["metrics"][0]["reports"]), (&2.into(), &40.into()));
    assert_eq!((&manifest["phase"], &manifest["version"]), (&"testing".into(), &1.into()));
    assert_eq!(manifest["catalogue_hash"], place.catalogue.hash());
    assert_eq!(manifest["files"][0]["rows"], csv.lines().count() - 1);
    let sum = std::process::Command::new("sha256sum").arg(place.path("out/counts.csv")).output().unwrap();
    assert!(sum.stdout.starts_with(manifest["files"][0]["sha256"].as_str().unwrap().as_bytes()));
}

fn a_batch_is_counted_whole_and_names_what_it_refuses(place: &Place) {
    let mut config = place.config(&Place::clock());
    config.limits.batch = 1000;
    let server = Running::start(config);
    let post = |body: &[u8]| {
        request(server.address, "POST", "/v1/reports", &["Content-Type: application/vnd.stipple.reports"], body)
            .unwrap()
    };
    let sent = reports(&place.catalogue, week("2026-W48"), 21, 997);
    let mut damaged = sent[0];
    damaged[0] = 9;
    let [late, early] = ["2026-W45", "2026-W50"].map(|w| reports(&place.catalogue, week(w), 22, 1)[0]);
    let batch = [&[damaged, late][..], &sent, &[early]].concat();
    let answer = post(batch.as_flattened());
    assert_eq!(answer.status, 200, "{answer:?}");
    let outcome: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let refused = serde_json::json!([
        { "index": 0, "problem": "malformed" },
        { "index": 1, "problem": "late" },
        { "index": 999, "problem": "early" },
    ]);
    assert_eq!(outcome, serde_json::json!({ "counted": 997, "refused": refused }));
    // Again, and one by one: nothing counts twice.
    assert_eq!(post(batch.as_flattened()).status, 200);
    assert_eq!(server.post(&sent[5]).status, 204);
    assert_eq!(post(&[]).problem(), "malformed");
    assert_eq!(post(&batch.as_flattened()[1..]).problem(), "malformed");
    assert_eq!(post([&batch[..], &batch[..1]].concat().as_flattened()).problem(), "too-large");
    server.stop();
    assert_eq!(place.export().0, expected(&place.catalogue, &sent));
}

/// Tries to link: senders send two reports each, one right after the other; then the store is quiet, and whoever steals it looks how
/// near to each other the two ids lie, in the order of the rows as they are on the disk.
fn two_reports_of_a_sender_lie_no_closer_than_those_of_strangers(place: &Place) {
    const SENDERS: usize = 400;
    const NEAR: usize = 8;
    let server = Running::start(place.config(&Place::clock()));
    let sent = reports(&place.catalogue, week("2026-W48"), 41, 2 * SENDERS);
    for report in &sent {
        assert_eq!(server.post(report).status, 204);
    }
    let near = |order: &[String]| {
        let rank: BTreeMap<&str, usize> = order.iter().enumerate().map(|(rank, id)| (id.as_str(), rank)).collect();
        let place = |report| rank[stipple_catalog::hex(id_of(report)).as_str()];
        sent.chunks(2).filter(|pair| place(&pair[0]).abs_diff(place(&pair[1])) <= NEAR).count()
    };
    // The order of arrival would show every pair.
    assert_eq!(near(&sent.iter().map(|report| stipple_catalog::hex(id_of(report))).collect::<Vec<_>>()), SENDERS);
    let deadline = Instant::now() + Duration::from_mins(1);
    let order = loop {
        let order = place.ids_as_they_lie("2026-W48");
        if order.len() == sent.len() {
            break order;
        }
        assert!(Instant::now() < deadline, "{} ids of {} are where they belong", order.len(), sent.len());
        std::thread::sleep(Duration::from_millis(100));
    };
    server.stop();
    // Strangers: of two random places among n, the share 2 * NEAR / n is that near. Beyond five standard deviations, chance is out.
    let chance = 2.0 * NEAR as f64 / sent.len() as f64;
    let most = SENDERS as f64 * chance + 5.0 * (SENDERS as f64 * chance).sqrt();
    assert!((near(&order) as f64) < most, "{} pairs of {SENDERS} lie near each other", near(&order));
}

fn an_empty_store_exports_an_empty_dataset(place: &Place) {
    Running::start(place.config(&Place::clock())).stop();
    let (csv, manifest) = place.export();
    assert_eq!(csv, "metric,definition,week,reports,cell,count\n");
    assert!(manifest["weeks"].is_null() && manifest["reports"] == 0);
}

fn counts_that_the_catalogue_cannot_explain_are_refused_or_left_out(place: &Place) {
    let server = Running::start(place.config(&Place::clock()));
    assert_eq!(server.post(&reports(&place.catalogue, week("2026-W48"), 3, 1)[0]).status, 204);
    server.stop();
    write_catalogue(&place.path("other/catalogue"), 2.0);
    let other = Catalogue::load(&place.path("other/catalogue")).unwrap();
    place.settle();
    let out = place.path("out");
    let refusal = export(&place.store(), &other, &out, Unknown::Refuse).unwrap_err();
    assert!(matches!(&refusal, ExportError::Unknown { metric, .. } if metric == "problems.falls"), "{refusal}");
    assert!(!out.exists());
    assert_eq!(export(&place.store(), &other, &out, Unknown::Skip).unwrap().reports, 0);
}

fn kill_9_loses_nothing_acknowledged_and_doubles_nothing(place: &Place) {
    const KILLS: usize = 5;
    let sent = reports(&place.catalogue, week("2026-W48"), 4, 3000);
    let mut program = Program::start(place, SocketAddr::from(([127, 0, 0, 1], 0)));
    let address = program.address;
    let acknowledged = AtomicUsize::new(0);
    let (mut kills_in_flight, mut store_at_kills) = (0, Vec::new());
    std::thread::scope(|scope| {
        let senders: Vec<_> = sent
            .chunks(375)
            .map(|share| scope.spawn(|| post_stubbornly(&mut None, address, share, &acknowledged)))
            .collect();
        for kill in 1..=KILLS {
            while acknowledged.load(Ordering::SeqCst) < kill * sent.len() / (KILLS + 1) {
                std::thread::yield_now();
            }
            kills_in_flight += usize::from(senders.iter().any(|sender| !sender.is_finished()));
            let before = acknowledged.load(Ordering::SeqCst);
            program.kill();
            // Every other time the next server itself finds the journal that was left.
            if kill % 2 == 1 {
                store_at_kills.push((before as u64, place.export().1["reports"].as_u64().unwrap()));
            }
            program = Program::start(place, address);
        }
    });
    // Every kill hit senders at work, and what was acknowledged by then was in the store.
    assert_eq!(kills_in_flight, KILLS);
    assert!(store_at_kills.iter().all(|(before, counted)| before <= counted), "{store_at_kills:?}");
    let output = program.terminate();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(acknowledged.into_inner(), sent.len());
    assert_eq!(place.export().0, expected(&place.catalogue, &sent));
}

fn a_stop_answers_what_it_has_begun(place: &Place) {
    let sent = reports(&place.catalogue, week("2026-W48"), 5, 400);
    let server = Running::start(place.config(&Place::clock()));
    let address = server.address;
    let acknowledged: usize = std::thread::scope(|scope| {
        let senders: Vec<_> = sent
            .chunks(100)
            .map(|share| {
                let counts =
                    |report| matches!(request(address, "POST", "/v1/reports", &[], report), Ok(a) if a.status == 204);
                scope.spawn(move || share.iter().take_while(|report| counts(&report[..])).count())
            })
            .collect();
        server.stop();
        senders.into_iter().map(|sender| sender.join().unwrap()).sum()
    });
    assert_eq!(place.export().1["reports"], acknowledged);
}

#[test]
fn a_full_disk_refuses_and_the_same_report_counts_once_there_is_room() {
    let place = Place::new();
    let sent = reports(&place.catalogue, week("2026-W48"), 6, 600);
    let mut config = place.config(&Place::clock());
    config.limits.store_pages = Some(8);
    let server = Running::start(config);
    let refused = sent.iter().position(|report| server.post(report).status == 503).expect("8 pages were enough");
    assert_eq!(server.post(&sent[refused]).problem(), "store-unavailable");
    assert_eq!(place.export().0, expected(&place.catalogue, &sent[..refused]), "a refusal has changed a count");
    server.stop();
    let server = Running::start(place.config(&Place::clock()));
    for report in sent[..=refused].iter().chain(&sent[refused..]) {
        assert_eq!(server.post(report).status, 204);
    }
    server.stop();
    assert_eq!(place.export().0, expected(&place.catalogue, &sent));
}

fn a_closed_week_leaves_sums_and_no_id(place: &Place) {
    let clock = Place::clock();
    let old = reports(&place.catalogue, week("2026-W47"), 7, 900);
    let new = reports(&place.catalogue, week("2026-W49"), 8, 900);
    let server = Running::start(place.config(&clock));
    for report in old.iter().zip(&new).flat_map(|(a, b)| [a, b]) {
        assert_eq!(server.post(report).status, 204);
    }
    assert_eq!((place.known(&old[..1]), place.known(&new[..1])), (1, 1), "the search does not find ids");
    // A week on, W47 is closed. The next report finds that out, and a late one changes nothing.
    clock.set("2026-12-24T12:00:00Z".parse().unwrap());
    assert_eq!(server.post(&old[0]).problem(), "late");
    assert_eq!(server.post(&new[0]).status, 204);
    assert_eq!(place.known(&old), 0, "an id outlives its week");
    // Once closed, a week stays closed, also when the clock goes back.
    clock.set(support::NOW.parse().unwrap());
    assert_eq!(server.post(&old[0]).problem(), "late");
    clock.set("2026-12-24T12:00:00Z".parse().unwrap());
    server.stop();
    assert_eq!(place.known(&new[..1]), 1);
    assert_eq!(place.export().0, expected(&place.catalogue, &[old, new.clone()].concat()));
    // A week that ends while nobody serves is closed at the next start, without any report.
    clock.set("2027-01-18T12:00:00Z".parse().unwrap());
    Running::start(place.config(&clock)).stop();
    assert_eq!(place.known(&new), 0, "an id outlives its week");
}

fn a_week_that_closes_in_the_quiet_leaves_no_id(place: &Place) {
    let clock = Place::clock();
    let sent = reports(&place.catalogue, week("2026-W47"), 11, 100);
    let server = Running::start(place.config(&clock));
    for report in &sent {
        assert_eq!(server.post(report).status, 204);
    }
    assert_eq!(place.known(&sent), 100);
    if place.postgres.is_none() {
        let journal = place.path("counts.sqlite-wal");
        wait_for("the journal is empty", || std::fs::metadata(&journal).unwrap().len() == 0);
    }
    clock.set("2026-12-24T12:00:00Z".parse().unwrap());
    wait_for("the ids are gone", || place.known(&sent) == 0);
    server.stop();
    assert_eq!(place.export().0, expected(&place.catalogue, &sent));
}

/// The journal shows single transactions, hence single reports, until it is emptied.
#[test]
fn the_journal_is_emptied_when_all_is_quiet() {
    let place = Place::new();
    let server = Running::start(place.config(&Place::clock()));
    assert_eq!(server.post(&reports(&place.catalogue, week("2026-W48"), 9, 1)[0]).status, 204);
    let journal = place.path("counts.sqlite-wal");
    assert!(std::fs::metadata(&journal).unwrap().len() > 0);
    wait_for("the journal is empty", || std::fs::metadata(&journal).unwrap().len() == 0);
    server.stop();
}

fn no_address_and_nothing_of_a_report_is_kept_or_printed(place: &Place) {
    // An address of loopback that stands in nothing else.
    let mut program = Program::start(place, SocketAddr::from(([127, 84, 113, 9], 0)));
    let sent = reports(&place.catalogue, week("2026-W48"), 10, 50);
    for report in &sent {
        assert_eq!(request(program.address, "POST", "/v1/reports", &[], report).unwrap().status, 204);
        let _ = request(program.address, "POST", "/v1/reports", &[], &report[1..]).unwrap();
    }
    let mut stdout = program.child.stdout.take().unwrap();
    let mut output = program.terminate();
    std::io::Read::read_to_end(&mut stdout, &mut output.stdout).unwrap();
    place.export();
    let peers = [&b"127.84.113.9"[..], &[127, 84, 113, 9], &[9, 113, 84, 127]];
    for secret in peers {
        assert!(!place.holds(secret) && !contains(&output.stdout, secret) && !contains(&output.stderr, secret));
    }
    // The ids may stand in the database until the week closes; a report as it came never does.
    assert_eq!(place.known(&sent), sent.len());
    for report in &sent {
        assert!(!place.holds(&report[25..]), "a report is kept");
        let id = stipple_catalog::hex(id_of(report));
        assert!(!contains(&output.stderr, id_of(report)) && !contains(&output.stderr, id.as_bytes()));
    }
    assert_eq!(output.stdout, b"", "nothing is printed after the first line");
}

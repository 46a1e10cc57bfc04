// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an operator does: purge, retention, import, verify, the configuration.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::path::Path;
use std::process::Output;

use sha2::{Digest as _, Sha256};
use stipple_aggregator::{ImportError, StoreError, forget, import, purge, verify};
use stipple_catalog::hex;
use support::{Place, PostgresServer, Program, Running, reports, week};

on_every_store! {
    a_purge_leaves_nothing_of_a_drill_and_the_server_goes_on,
    a_production_store_is_not_purged,
    retention_deletes_closed_weeks_and_nothing_else,
    a_dataset_is_added_once,
    verify_finds_what_no_program_would_write,
}

fn store(place: &Place) -> String {
    place.postgres.as_ref().map_or("counts.sqlite".to_owned(), PostgresServer::address)
}

fn run(place: &Place, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Program::command(place).args(arguments).output().unwrap();
    let Output { status, stdout, stderr } = output;
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

/// Runs SQL on the store behind the program's back.
fn tamper(place: &Place, sql: &str) {
    match &place.postgres {
        Some(server) => drop(server.sql(&sql.replace('$', "stipple.")).unwrap()),
        None => rusqlite::Connection::open(place.file()).unwrap().execute_batch(&sql.replace('$', "")).unwrap(),
    }
}

/// Whether the bytes stand in the store's files. The write-ahead log of PostgreSQL keeps everything for a while and is left out.
fn in_files(place: &Place, bytes: &[u8]) -> bool {
    place.postgres.as_ref().map_or_else(|| place.holds(bytes), |server| server.tables_hold(bytes))
}

fn a_purge_leaves_nothing_of_a_drill_and_the_server_goes_on(place: &Place) {
    let server = Running::start(place.config(&Place::clock()));
    let sent = reports(&place.catalogue, week("2026-W48"), 31, 700);
    for report in &sent {
        assert_eq!(server.post(report).status, 204);
    }
    // Sums that are found when they stand somewhere: SQLite and PostgreSQL both write big-endian or little-endian integers.
    let number = 0x0123_4567_89ab_cdef_i64;
    tamper(place, &format!("UPDATE $counts SET count = {number} WHERE metric = 'settings.colour' AND cell = 0"));
    let counts = [number.to_be_bytes(), number.to_le_bytes()];
    let hash = place.catalogue.get("settings.colour").unwrap().hash.0;
    let metrics = ["settings.colour", "settings.shade", "usage.tools", "problems.falls"];
    // The server may be writing its tables anew just then: from one file to another, of which a search can miss both.
    support::wait_for("the search finds counts", || counts.iter().any(|count| in_files(place, count)));
    support::wait_for("the search finds metrics", || in_files(place, metrics[0].as_bytes()) && in_files(place, &hash));
    assert!(place.known(&sent[..1]) == 1, "the search does not find ids");

    let asks = run(place, &["purge", "--store", &store(place), "--phase", "testing"]);
    assert_eq!(asks.0, Some(1));
    assert!(asks.1.contains("--yes"), "{}", asks.1);
    let (code, said) = run(place, &["purge", "--store", &store(place), "--phase", "testing", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("700 reports deleted"), "{said}");

    assert_eq!(place.known(&sent), 0, "an id outlives the purge");
    for report in sent.iter().step_by(100) {
        assert!(!in_files(place, support::id_of(report)), "an id outlives the purge");
    }
    for bytes in metrics.iter().map(|metric| metric.as_bytes()).chain(counts.iter().map(|count| &count[..])) {
        assert!(!in_files(place, bytes), "{bytes:?} outlives the purge");
    }
    assert!(!in_files(place, &hash), "a definition outlives the purge");
    // The server that counts into it notices at the next report, and goes on from nothing.
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while server.post(&sent[0]).status != 204 {
        assert!(std::time::Instant::now() < deadline, "the server does not go on");
    }
    assert_eq!(server.post(&sent[1]).status, 204);
    assert_eq!(server.post(&sent[1]).status, 204);
    server.stop();
    assert_eq!(place.export().1["reports"], 2);
}

fn a_production_store_is_not_purged(place: &Place) {
    let mut config = place.config(&Place::clock());
    config.phase = stipple_catalog::Phase::Production;
    let server = Running::start(config);
    assert_eq!(server.post(&reports(&place.catalogue, week("2026-W48"), 32, 1)[0]).status, 204);
    server.stop();
    for phase in ["testing", "production"] {
        let (code, said) = run(place, &["purge", "--store", &store(place), "--phase", phase, "--yes"]);
        assert_eq!(code, Some(1), "{said}");
    }
    let refusal = purge(&place.store()).unwrap_err();
    assert!(matches!(refusal, StoreError::WrongPhase { .. }), "{refusal}");
    assert_eq!(place.export().1["reports"], 1);
    // What is not there is not made.
    assert_eq!(run(place, &["purge", "--store", "nothing.sqlite", "--phase", "testing", "--yes"]).0, Some(1));
    assert!(!place.path("nothing.sqlite").exists());
}

fn retention_deletes_closed_weeks_and_nothing_else(place: &Place) {
    let clock = Place::clock();
    let server = Running::start(place.config(&clock));
    let old = reports(&place.catalogue, week("2026-W47"), 33, 40);
    let new = reports(&place.catalogue, week("2026-W49"), 34, 40);
    for report in old.iter().chain(&new) {
        assert_eq!(server.post(report).status, 204);
    }
    let refusal = forget(&place.store(), week("2026-W48")).unwrap_err();
    assert!(matches!(refusal, StoreError::Open { open_from, .. } if open_from == week("2026-W46")), "{refusal}");
    clock.set("2026-12-24T12:00:00Z".parse().unwrap());
    assert_eq!(server.post(&new[0]).status, 204);
    server.stop();
    let number = 0x0123_4567_89ab_cdef_i64;
    let open = week("2026-W48").index();
    tamper(
        place,
        &format!("UPDATE $received SET reports = {number} WHERE week < {open} AND metric = 'settings.shade'"),
    );
    let found = || [number.to_be_bytes(), number.to_le_bytes()].iter().any(|count| in_files(place, count));
    assert!(found(), "the search does not find sums");

    let asked = ["retention", "--store", &store(place), "--before", "2026-W48"];
    let (code, said) = run(place, &asked);
    assert_eq!(code, Some(1));
    let reports = number + 30;
    assert!(said.contains(&format!("{reports} reports (4 pairs")) && said.contains("--yes"), "{said}");
    // What would be refused is refused before anybody says yes.
    let (code, said) = run(place, &["retention", "--store", &store(place), "--before", "2026-W49"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("2026-W48") && !said.contains("--yes"), "{said}");
    let (code, said) = run(place, &[&asked[..], &["--yes"]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(!found(), "a sum outlives its week");
    let (_, manifest) = place.export();
    assert_eq!(manifest["reports"], 40);
    assert_eq!(manifest["weeks"]["first"], "2026-W49");
    assert_eq!(forget(&place.store(), week("2026-W48")).unwrap(), 0);
}

fn a_dataset_is_added_once(place: &Place) {
    let other = Place::new();
    let counted = |place: &Place, seed, n| {
        let server = Running::start(place.config(&Place::clock()));
        for report in reports(&place.catalogue, week("2026-W48"), seed, n) {
            assert_eq!(server.post(&report).status, 204);
        }
        server.stop();
    };
    counted(&other, 35, 80);
    counted(place, 36, 40);
    let (theirs, manifest) = other.export();
    let (ours, _) = place.export();
    let dataset = other.path("out");
    let (code, said) = run(place, &["import", "--store", &store(place), dataset.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("80 reports of 4 pairs"), "{said}");
    let (both, merged) = place.export();
    let row = |csv: &str, n: usize| -> Vec<u64> {
        csv.lines().nth(n).unwrap().split(',').skip(3).map(|field| field.parse().unwrap()).collect()
    };
    for n in 1..ours.lines().count() {
        let [ours, theirs, both] = [&ours, &theirs, &both].map(|csv| row(csv, n));
        assert_eq!((ours[0] + theirs[0], ours[2] + theirs[2]), (both[0], both[2]), "line {n}");
    }
    // Once; also within a dataset of a third store, and the store's own counts.
    let again = |place: &Place, folder: &Path| import(&place.store(), &place.catalogue, folder).unwrap_err();
    assert!(matches!(again(place, &dataset), ImportError::Already { origin, .. } if manifest["sources"][0] == origin));
    assert_eq!(merged["sources"].as_array().unwrap().len(), 2);
    assert!(matches!(again(place, &place.path("out")), ImportError::Already { .. }));
    assert!(matches!(again(&other, &place.path("out")), ImportError::Already { .. }));
    assert_eq!(place.export().0, both);
    assert!(verify(&place.store(), &place.catalogue).unwrap().faults.is_empty());

    // A dataset that was changed, of another phase, or of another catalogue, is refused.
    let third = Place::new();
    let csv = std::fs::read_to_string(dataset.join("counts.csv")).unwrap();
    let rewrite = |csv: &str, change: &dyn Fn(&mut serde_json::Value)| {
        let mut manifest = manifest.clone();
        let digest: [u8; 32] = Sha256::digest(csv).into();
        manifest["files"][0]["sha256"] = hex(&digest).into();
        change(&mut manifest);
        std::fs::write(dataset.join("counts.csv"), csv).unwrap();
        std::fs::write(dataset.join("manifest.json"), manifest.to_string()).unwrap();
        import(&third.store(), &third.catalogue, &dataset).map_err(|error| error.to_string())
    };
    let refused = |outcome: Result<_, String>, words: &str| {
        let message = outcome.err().unwrap();
        assert!(message.contains(words), "{message}");
        assert!(!third.file().exists() || third.export().1["reports"] == 0, "{words}");
    };
    refused(rewrite(&csv, &|manifest| manifest["files"][0]["sha256"] = "00".into()), "checksum");
    refused(rewrite(&csv, &|manifest| manifest["reports"] = 81.into()), "number of reports");
    refused(rewrite(&csv, &|manifest| manifest["version"] = 2.into()), "version 1");
    let second = csv.lines().nth(2).unwrap();
    refused(rewrite(&csv.replace(&format!("{second}\n"), ""), &|_| ()), "counts.csv:3: a cell is missing");
    let too_many = csv.lines().nth(1).unwrap().rsplit_once(',').unwrap().0.to_owned() + ",99";
    refused(rewrite(&csv.replace(csv.lines().nth(1).unwrap(), &too_many), &|_| ()), "counts.csv:2: the count");
    let hash = third.catalogue.get("settings.shade").unwrap().hash.to_string();
    refused(rewrite(&csv.replace(&hash, &hash.replace(&hash[..1], "x")), &|_| ()), "the definition is no hash");
    let other_hash = "0".repeat(32);
    refused(rewrite(&csv.replace(&hash, &other_hash), &|_| ()), "settings.shade under definition 0000");
    Running::start(third.config(&Place::clock())).stop();
    refused(rewrite(&csv, &|manifest| manifest["phase"] = "production".into()), "belongs to the phase testing");
    // An older exporter named no source: the checksum is one.
    let unnamed = |manifest: &mut serde_json::Value| manifest["sources"] = serde_json::json!([]);
    assert_eq!(rewrite(&csv, &unnamed).unwrap().reports, 80);
    refused_twice(&rewrite(&csv, &unnamed));
    assert_eq!(third.export().0, csv);
}

fn refused_twice(outcome: &Result<stipple_aggregator::Imported, String>) {
    assert!(outcome.as_ref().err().unwrap().contains("already"), "{outcome:?}");
}

fn verify_finds_what_no_program_would_write(place: &Place) {
    let server = Running::start(place.config(&Place::clock()));
    for report in reports(&place.catalogue, week("2026-W48"), 37, 400) {
        assert_eq!(server.post(&report).status, 204);
    }
    server.stop();
    let asked = ["verify", "--store", &store(place)];
    let (code, said) = run(place, &asked);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("settings.colour") && said.contains("nothing is wrong"), "{said}");
    for (damage, repair, words) in [
        (
            "UPDATE $counts SET count = count + 101 WHERE metric = 'usage.tools' AND cell = 1",
            "UPDATE $counts SET count = count - 101 WHERE metric = 'usage.tools' AND cell = 1",
            "more than the 100 reports",
        ),
        (
            "UPDATE $counts SET count = count + 1 WHERE metric = 'settings.colour' AND cell = 1",
            "UPDATE $counts SET count = count - 1 WHERE metric = 'settings.colour' AND cell = 1",
            "add up to",
        ),
        (
            "UPDATE $received SET reports = 0 WHERE metric = 'settings.shade'",
            "UPDATE $received SET reports = 100 WHERE metric = 'settings.shade'",
            "no reports",
        ),
        (
            "UPDATE $received SET week = week + 1 WHERE metric = 'settings.shade'",
            "UPDATE $received SET week = week - 1 WHERE metric = 'settings.shade'",
            "4 cells are counted of metrics and weeks that have no reports",
        ),
        (
            "UPDATE $meta SET value = '60000' WHERE key = 'open_from'",
            "UPDATE $meta SET value = '2900' WHERE key = 'open_from'",
            "2026-W48 is closed, and its ids are still there",
        ),
        (
            "UPDATE $meta SET value = 'drill' WHERE key = 'phase'",
            "UPDATE $meta SET value = 'testing' WHERE key = 'phase'",
            "neither production nor testing",
        ),
    ] {
        tamper(place, damage);
        let (code, said) = run(place, &asked);
        assert_eq!(code, Some(1), "{damage}: {said}");
        assert!(said.contains(words), "{damage}: {said}");
        tamper(place, repair);
        let (code, said) = run(place, &asked);
        assert_eq!(code, Some(0), "{repair}: {said}");
    }
}

#[test]
fn the_dataset_carries_definitions_whose_hashes_can_be_computed() {
    let place = Place::new();
    Running::start(place.config(&Place::clock())).stop();
    let (_, manifest) = place.export();
    let text = std::fs::read_to_string(place.path("out/catalogue.json")).unwrap();
    let digest: [u8; 32] = Sha256::digest(&text).into();
    assert_eq!(manifest["files"][1]["name"], "catalogue.json");
    assert_eq!(manifest["files"][1]["sha256"], hex(&digest));
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    for definition in document["definitions"].as_array().unwrap() {
        let digest: [u8; 32] = Sha256::digest(definition["canonical"].as_str().unwrap()).into();
        assert_eq!(definition["definition"], hex(&digest[..16]));
    }
    assert_eq!(document["definitions"].as_array().unwrap().len(), 4);
}

#[test]
fn migrations_that_were_released_are_never_edited() {
    let released = [
        ("sqlite/0001.sql", "8758b93fcbc681798eeac5901ce3aae7176f2e9229a010fb44f93e51859cc233"),
        ("sqlite/0002.sql", "760314b549a227a30ade7f6ca15fd20ec88f8b8c91c5a1ecb5383a55f705173a"),
        ("postgres/0001.sql", "6b9db3b326fa272886a315547619ecbd3075687f08b0539dde17abf318634ab3"),
        ("postgres/0002.sql", "e559f9ac6fb5e3f8c3d5613a55238fae12cf1241e6201e3e35698f3e408588a1"),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/migrations");
    for (name, sum) in released {
        let digest: [u8; 32] = Sha256::digest(std::fs::read(folder.join(name)).unwrap()).into();
        assert_eq!(hex(&digest), sum, "{name} was edited: write a new migration instead");
    }
    let files = |kind: &str| std::fs::read_dir(folder.join(kind)).unwrap().count();
    assert_eq!(files("sqlite") + files("postgres"), released.len(), "add the new migration's checksum here");
}

#[test]
fn the_command_line_wins_over_the_environment_over_the_file() {
    let place = Place::new();
    let file = place.path("a.toml");
    let text = "listen = \"127.0.0.1:1\"\nlate_weeks = 1\nstore = \"postgresql://me:hunter2@db.example/x\"\n\
         [limits]\nbatch = 1\nqueue = 11\n";
    std::fs::write(&file, text).unwrap();
    let output = Program::command(&place)
        .args(["check-config", "--config", "a.toml", "--late-weeks", "3"])
        .envs([("STIPPLE_LATE_WEEKS", "2"), ("STIPPLE_LISTEN", "127.0.0.1:2"), ("STIPPLE_LIMITS_BATCH", "7")])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    for line in ["listen = \"127.0.0.1:2\"", "late_weeks = 3", "batch = 7", "queue = 11", "connections = 800"] {
        assert!(said.lines().any(|said| said == line), "{line}: {said}");
    }
    assert!(said.contains("db.example/x") && !said.contains("hunter2"), "{said}");
    std::fs::write(&file, "\nlate_weeks = \"many\"\n").unwrap();
    let (code, said) = run(&place, &["check-config", "--config", "a.toml"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("a.toml:2: "), "{said}");
    let (code, said) = run(&place, &["serve", "--config", "a.toml"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("a.toml:2: "), "{said}");
    assert_eq!(run(&place, &["check-config", "--limit-batch", "0"]).0, Some(2));
    let (code, said) = run(&place, &["verify", "--config", "nowhere.toml"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("nowhere.toml") && said.contains("--config"), "{said}");
}

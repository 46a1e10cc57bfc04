// SPDX-License-Identifier: MIT OR Apache-2.0
//! Stores that are refused, and the program's messages and exit codes.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::path::Path;
use std::process::Output;

use rusqlite::Connection;
use stipple_aggregator::{ServeError, Server, StoreError};
use support::{NOW, Place, Program, Running, reports, week};

fn run(place: &Place, arguments: &[&str]) -> Output {
    Program::command(place).args(arguments).output().unwrap()
}

/// Runs both commands on a store and expects a message on each that names the file and says these words.
fn assert_refused(place: &Place, path: &Path, words: &[&str]) {
    let before = std::fs::read(path).unwrap();
    let store = path.to_str().unwrap();
    let serve = ["serve", "--listen", "127.0.0.1:0", "--phase", "testing", "--now", NOW, "--store", store];
    for arguments in [&serve[..], &["export", "--out", "out", "--store", store]] {
        let output = run(place, arguments);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.contains(store) && words.iter().all(|word| message.contains(word)), "{message}");
        assert!(std::fs::read(path).unwrap() == before, "the file was changed");
    }
}

#[test]
fn what_is_not_our_store_is_left_alone() {
    let place = Place::new();
    let text = place.path("letter.txt");
    std::fs::write(&text, "Dear all, ".repeat(1000)).unwrap();
    assert_refused(&place, &text, &["is not a Stipple store", "--store"]);
    let other = place.path("other.sqlite");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE addresses (name TEXT)").unwrap();
    assert_refused(&place, &other, &["is not a Stipple store", "--store"]);
}

#[test]
fn a_store_of_a_newer_program_is_refused() {
    let place = Place::new();
    Running::start(place.config(&Place::clock())).stop();
    Connection::open(place.file()).unwrap().pragma_update(None, "user_version", 7).unwrap();
    assert_refused(&place, &place.file(), &["schema version 7", "install the version that wrote it"]);
}

#[test]
fn a_damaged_store_is_refused_and_kept() {
    let place = Place::new();
    let server = Running::start(place.config(&Place::clock()));
    for report in reports(&place.catalogue, week("2026-W48"), 1, 600) {
        assert_eq!(server.post(&report).status, 204);
    }
    server.stop();
    let mut bytes = std::fs::read(place.file()).unwrap();
    // Everything after the first page, where the tables are listed.
    bytes[4096..].iter_mut().for_each(|byte| *byte = byte.wrapping_mul(31).wrapping_add(17));
    std::fs::write(place.file(), &bytes).unwrap();
    assert_refused(&place, &place.file(), &["damaged", "backup"]);
}

#[test]
fn a_store_belongs_to_one_phase() {
    let place = Place::new();
    Running::start(place.config(&Place::clock())).stop();
    let output = run(&place, &["serve", "--listen", "127.0.0.1:0", "--store", "counts.sqlite"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("belongs to the phase testing, not production"), "{message}");
}

#[test]
fn a_clock_before_a_closed_week_is_refused() {
    let place = Place::new();
    let clock = Place::clock();
    Running::start(place.config(&clock)).stop();
    clock.set("2026-10-01T00:00:00Z".parse().unwrap());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let refusal = runtime.block_on(Server::bind(place.config(&clock))).err().unwrap().to_string();
    assert!(refusal.contains("2026-W46") && refusal.contains("2026-W40"), "{refusal}");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let place = Place::new();
    let path = place.path("nowhere/counts.sqlite");
    let mut config = place.config(&Place::clock());
    config.store = path.into();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let error = runtime.block_on(Server::bind(config)).err().unwrap();
    assert!(matches!(error, ServeError::Store(StoreError::Unopenable { .. })), "{error}");
    assert!(error.to_string().contains("nowhere/counts.sqlite"), "{error}");
}

#[test]
fn serve_works_without_options_and_stops_on_sigterm() {
    let place = Place::new();
    let state = place.path("state");
    std::fs::create_dir(&state).unwrap();
    let child = Program::command(&place)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .env("STATE_DIRECTORY", &state)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let program = Program::attach(child);
    assert_eq!(support::request(program.address, "GET", "/readyz", &[], b"").unwrap().status, 200);
    assert!(program.terminate().status.success());
    assert!(state.join("counts.sqlite").is_file());
}

#[test]
fn usage_errors_exit_2() {
    let place = Place::new();
    for arguments in [
        &["serve", "--now", NOW][..],
        &["serve", "--listen", "nowhere"],
        &["serve", "--store", "mysql://db/counts"],
        &["export"],
        &[],
    ] {
        let output = run(&place, arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?} {output:?}");
    }
    let help = run(&place, &["serve", "--help"]);
    assert!(help.status.success() && String::from_utf8(help.stdout).unwrap().contains("Example:"));
}

#[test]
fn a_taken_address_and_a_faulty_catalogue_are_explained() {
    let place = Place::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(&place, &["serve", "--listen", &address]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(message.contains(&address) && message.contains("--listen"), "{message}");
    std::fs::write(place.path("catalogue/settings.shade.toml"), "id = 7\n").unwrap();
    let output = run(&place, &["serve", "--listen", "127.0.0.1:0"]);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(message.contains("settings.shade.toml:1"), "{message}");
}

#[test]
fn the_program_exports_and_prints_the_manifest() {
    let place = Place::new();
    let server = Running::start(place.config(&Place::clock()));
    assert_eq!(server.post(&reports(&place.catalogue, week("2026-W48"), 2, 1)[0]).status, 204);
    let output = run(&place, &["export", "--store", "counts.sqlite", "--out", "data/counts", "--json"]);
    server.stop();
    assert!(output.status.success(), "{output:?}");
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let written = std::fs::read(place.path("data/counts/manifest.json")).unwrap();
    assert_eq!(printed, serde_json::from_slice::<serde_json::Value>(&written).unwrap());
    assert_eq!(printed["reports"], 1);
    let names: Vec<_> = std::fs::read_dir(place.path("data/counts")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
}

#[test]
fn every_column_is_documented_as_public_or_private() {
    let place = Place::new();
    let server = Running::start(place.config(&Place::clock()));
    assert_eq!(server.post(&reports(&place.catalogue, week("2026-W48"), 1, 1)[0]).status, 204);
    server.stop();
    let conn = Connection::open(place.file()).unwrap();
    let mut tables = conn.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'table'").unwrap();
    let tables = tables.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    let tables: Vec<(String, String)> = tables.collect::<Result<_, _>>().unwrap();
    assert_eq!(tables.len(), 6, "{tables:?}");
    for (table, sql) in &tables {
        let mut columns = conn.prepare(&format!("SELECT name FROM pragma_table_info('{table}')")).unwrap();
        for column in columns.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap) {
            let line = sql.lines().find(|line| line.trim_start().starts_with(&format!("{column} "))).unwrap();
            assert!(line.contains("-- public: ") || line.contains("-- private: "), "{table}: {line}");
        }
    }
}

/// As when a new server is started before the old one has ended.
#[test]
fn two_servers_on_one_file_count_each_report_once() {
    let place = Place::new();
    let servers = [(); 2].map(|()| Running::start(place.config(&Place::clock())));
    let sent = reports(&place.catalogue, week("2026-W48"), 51, 200);
    for (n, report) in sent.iter().enumerate() {
        assert_eq!(servers[n % 2].post(report).status, 204);
        assert_eq!(servers[(n + 1) % 2].post(report).status, 204);
    }
    for report in &sent {
        for server in &servers {
            assert_eq!(server.post(report).status, 204);
        }
    }
    servers.into_iter().for_each(Running::stop);
    assert_eq!(place.export().1["reports"], sent.len());
}

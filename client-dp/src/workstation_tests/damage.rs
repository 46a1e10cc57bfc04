// SPDX-License-Identifier: MIT OR Apache-2.0
//! State files that cannot be used: each is named for what it is, and stays as it was, byte for byte.

use std::path::Path;

use rand::{Rng, SeedableRng};
use rusqlite::Connection;

use super::{Rig, open, state_file};
use crate::{StateError, WorkstationError};

/// Opens the state, expects a refusal and an untouched folder, and returns the refusal.
fn refused(folder: &Path) -> StateError {
    let path = state_file(folder);
    let before = std::fs::read(&path).unwrap();
    let clock = stipple_catalog::Clock::manual(super::start_of(super::EPOCH.week(0)));
    let error = open(folder, &clock).map(drop).expect_err("the state must be refused");
    assert_eq!(std::fs::read(&path).unwrap(), before, "the file was touched");
    let names = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
    let beside: Vec<_> = names.filter(|name| name != crate::FILE_NAME && name != crate::MARKER_NAME).collect();
    assert!(beside.is_empty(), "left beside it: {beside:?}");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    match error {
        WorkstationError::State(error) => error,
        other => panic!("{other}"),
    }
}

/// A folder with a healthy state of some size, closed.
fn healthy() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut rig = Rig::on_disk(folder.path(), 1);
    rig.enable().unwrap();
    rig.record(1, "Cobalt");
    drop(rig);
    folder
}

#[test]
fn random_bytes_are_damage() {
    let folder = tempfile::tempdir().unwrap();
    let mut noise = vec![0; 20_000];
    rand::rngs::ChaCha20Rng::seed_from_u64(1).fill_bytes(&mut noise);
    std::fs::write(state_file(folder.path()), noise).unwrap();
    let error = refused(folder.path());
    assert!(matches!(error, StateError::Damaged { .. }), "{error}");
    assert!(error.to_string().contains("wait for the next half-year"), "{error}");
}

#[test]
fn every_truncation_is_damage_the_empty_file_too() {
    let whole = std::fs::read(state_file(healthy().path())).unwrap();
    for length in [0, 1, 15, 99, 100, 2000, 4096, 8192, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(state_file(folder.path()), &whole[..length]).unwrap();
        let error = refused(folder.path());
        assert!(matches!(error, StateError::Damaged { .. }), "{length} bytes: {error}");
    }
}

#[test]
fn an_overwritten_page_is_damage() {
    let folder = healthy();
    let mut bytes = std::fs::read(state_file(folder.path())).unwrap();
    let page = bytes.len() / 2 / 4096 * 4096;
    bytes[page..page + 4096].fill(0xA5);
    std::fs::write(state_file(folder.path()), bytes).unwrap();
    let error = refused(folder.path());
    assert!(matches!(error, StateError::Damaged { .. }), "{error}");
}

#[test]
fn another_programs_database_is_foreign() {
    for sql in [
        "CREATE TABLE bookmarks (url TEXT)",
        "PRAGMA application_id = 1701602669; CREATE TABLE tally (x)",
        "PRAGMA application_id = 1701602669",
    ] {
        let folder = tempfile::tempdir().unwrap();
        Connection::open(state_file(folder.path())).unwrap().execute_batch(sql).unwrap();
        let error = refused(folder.path());
        assert!(matches!(error, StateError::Foreign { .. }), "{sql}: {error}");
    }
}

#[test]
fn a_newer_programs_state_is_named_with_both_versions() {
    let folder = healthy();
    Connection::open(state_file(folder.path())).unwrap().pragma_update(None, "user_version", 7).unwrap();
    let error = refused(folder.path());
    assert!(matches!(error, StateError::Newer { found: 7, known: 2, .. }), "{error}");
}

#[test]
fn a_folder_in_the_files_place_is_unusable() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(state_file(folder.path())).unwrap();
    let clock = stipple_catalog::Clock::manual(super::start_of(super::EPOCH.week(0)));
    let error = open(folder.path(), &clock).unwrap_err();
    assert!(matches!(error, WorkstationError::State(StateError::Unusable { .. })), "{error}");
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes as a report, and any payload under a header that every check lets pass: no panic, and what is accepted encodes to
//! the same bytes and counts in cells that exist.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use stipple_catalog::{Catalogue, REPORT_LEN, Report};

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalog/metrics");
    Catalogue::load(folder.as_ref()).expect("the shipped catalogue is valid")
});

fn check(bytes: &[u8]) {
    let Ok(report) = Report::decode(bytes, &CATALOGUE) else { return };
    assert_eq!(report.encode().expect("what was decoded can be encoded"), bytes);
    let mechanism = &report.definition.mechanism;
    let mut cells = vec![0_u32; mechanism.cells()];
    mechanism.accumulate(&report.response, |cell| cells[cell] += 1).expect("what was decoded can be counted");
    assert!(cells.iter().all(|&count| count <= 1));
}

fuzz_target!(|data: &[u8]| {
    check(data);
    let Some((&choice, rest)) = data.split_first() else { return };
    let definitions = CATALOGUE.definitions();
    let definition = &definitions[usize::from(choice) % definitions.len()];
    let mut bytes = [0; REPORT_LEN];
    bytes[0] = 1;
    bytes[17..25].copy_from_slice(&definition.key.0);
    bytes[25..41].copy_from_slice(&definition.hash.0);
    let payload = &rest[..rest.len().min(definition.payload_len())];
    bytes[43..43 + payload.len()].copy_from_slice(payload);
    check(&bytes);
});

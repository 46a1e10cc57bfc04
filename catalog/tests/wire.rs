// SPDX-License-Identifier: MIT OR Apache-2.0
//! The 64 bytes of a report: there and back, written out, and what is refused.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::sync::LazyLock;

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use stipple_catalog::{
    Catalogue, Definition, Domain, MAX_PAYLOAD, MetricKey, REPORT_LEN, Report, ReportId, Week, WireError, hex,
};
use stipple_ldp::{ResponseError, TrueValue, Value};
use support::shipped;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::load(&shipped()).unwrap());

fn largest(d: &Definition) -> TrueValue {
    let last = u32::try_from(d.domain.size() - 1).unwrap();
    TrueValue::new(match &d.domain {
        Domain::Symbol(_) | Domain::Buckets(_) => Value::Symbol(last),
        Domain::Count { .. } => Value::Count(last),
        Domain::Set { most, .. } => Value::Set((0..most.get()).collect()),
    })
}

fn report(d: &Definition, seed: u64) -> Report<'_> {
    let response = d.mechanism.randomise(&largest(d), &mut ChaCha20Rng::seed_from_u64(seed)).unwrap();
    let week = Week::from_index(u16::try_from(seed % 65_536).unwrap());
    Report { id: ReportId(u128::from(seed).to_be_bytes()), definition: d, week, response }
}

#[test]
fn reports_of_every_shipped_metric_go_there_and_back() {
    for d in CATALOGUE.definitions() {
        for seed in [0, 1, 2, 65_535, 0x1234_5678_9abc] {
            let sent = report(d, seed);
            let bytes = sent.encode().unwrap();
            assert_eq!(bytes.len(), REPORT_LEN);
            assert!(bytes[43 + d.payload_len()..].iter().all(|&byte| byte == 0));
            let read = Report::decode(&bytes, &CATALOGUE).unwrap();
            assert!(read == sent, "{}", d.id);
            assert_eq!(read.encode().unwrap(), bytes);
        }
    }
    assert_eq!(MAX_PAYLOAD, 21);
}

/// One report in full, in the terms of docs/protocol.md, for a second implementation to check itself. The week 2970 is
/// 2026-W50 (0x0b9a); a set of the values 1 and 3 of usage.applications under seed 0xbeef may be answered by bucket 7.
#[test]
fn a_report_is_as_the_documentation_writes_it() {
    let golden = concat!(
        "01",                                 // version
        "000102030405060708090a0b0c0d0e0f",   // report id
        "c2b733739297abeb",                   // first 8 bytes of SHA-256("usage.applications")
        "b34d5d062702f6eeda941953f6b77c2e",   // definition: tests/golden/definitions.txt
        "9a0b",                               // week 2970, little endian
        "efbe",                               // payload: the seed 0xbeef, little endian,
        "0700",                               // and the bucket 7
        "0000000000000000000000000000000000", // padding
    );
    let bytes = unhex(golden);
    let read = Report::decode(&bytes, &CATALOGUE).unwrap();
    assert_eq!(read.definition.id, "usage.applications");
    assert_eq!(read.id.0, std::array::from_fn(|i| u8::try_from(i).unwrap()));
    assert_eq!((read.week.index(), read.week.to_string().as_str()), (2970, "2026-W50"));
    assert_eq!(hex(&read.definition.mechanism.encode(&read.response).unwrap()), "efbe0700");
    assert_eq!(hex(&read.encode().unwrap()), golden);
    // hex is written, and read, by two hands.
    assert_eq!(MetricKey::of("usage.applications").0, bytes[17..25]);
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn refusal(bytes: &[u8]) -> Option<WireError> {
    Report::decode(bytes, &CATALOGUE).err()
}

#[test]
fn only_64_bytes_are_a_report() {
    let mut long = report(&CATALOGUE.definitions()[0], 1).encode().unwrap().to_vec();
    long.resize(200, 0);
    for length in 0..=200 {
        let expected = (length != REPORT_LEN).then_some(WireError::Length);
        assert_eq!(refusal(&long[..length]), expected, "{length}");
    }
}

#[test]
fn every_field_is_refused_for_its_own_reason() {
    for d in CATALOGUE.definitions() {
        let good = report(d, 7).encode().unwrap();
        let with = |at: usize, byte: u8| {
            let mut bytes = good;
            bytes[at] = byte;
            refusal(&bytes)
        };
        let flipped = |at: usize| with(at, !good[at]);
        for version in (0..=255).filter(|&version| version != 1) {
            assert_eq!(with(0, version), Some(WireError::Version));
        }
        for at in 1..17 {
            assert_eq!(flipped(at), None, "every id is one");
        }
        for at in 17..25 {
            assert_eq!(flipped(at), Some(WireError::UnknownMetric), "{at}");
        }
        for at in 25..41 {
            assert_eq!(flipped(at), Some(WireError::StaleDefinition), "{at}");
        }
        for at in 41..43 {
            assert_eq!(flipped(at), None, "the time is another's to judge");
        }
        for at in 43 + d.payload_len()..REPORT_LEN {
            assert_eq!(with(at, 0x80), Some(WireError::Padding), "{}: {at}", d.id);
        }
    }
    // A definition of another metric is stale, too.
    let (one, two) = (&CATALOGUE.definitions()[0], &CATALOGUE.definitions()[1]);
    let mut mixed = report(one, 7).encode().unwrap();
    mixed[25..41].copy_from_slice(&two.hash.0);
    assert_eq!(refusal(&mixed), Some(WireError::StaleDefinition));
}

#[test]
fn payloads_that_no_honest_client_sends_are_refused() {
    let with = |id: &str, payload: &[u8]| {
        let mut bytes = report(CATALOGUE.get(id).unwrap(), 7).encode().unwrap();
        bytes[43..43 + payload.len()].copy_from_slice(payload);
        refusal(&bytes)
    };
    let range = Some(WireError::Payload(ResponseError::OutOfRange));
    let weight = Some(WireError::Payload(ResponseError::WrongMaskWeight));
    assert_eq!(with("problems.oom-kills", &[4]), None);
    assert_eq!(with("problems.oom-kills", &[5]), range, "a symbol beyond the last");
    assert_eq!(with("problems.app-crashes", &[10]), None);
    assert_eq!(with("problems.app-crashes", &[11]), range, "a count beyond the cap");
    for mask in [[0, 0], [0xff, 0x07], [0x00, 0x08], [0xff, 0xff]] {
        assert_eq!(with("hardware.cpu-vendor", &mask), weight, "{mask:?}");
    }
    assert_eq!(with("usage.applications", &[0, 0, 0xff, 0xff]), range, "a bucket beyond the last");
    // A response of another mechanism does not encode.
    let (crashes, cpu) =
        (CATALOGUE.get("problems.app-crashes").unwrap(), CATALOGUE.get("hardware.cpu-vendor").unwrap());
    let mixed = Report { definition: cpu, ..report(crashes, 7) };
    assert_eq!(mixed.encode().err(), Some(WireError::Payload(ResponseError::WrongKind)));
}

#[test]
fn a_refusal_says_nothing_of_the_content() {
    let mut bytes = report(&CATALOGUE.definitions()[0], 7).encode().unwrap();
    bytes[17..25].copy_from_slice(b"SECRETSS");
    let said = format!("{:?} {}", refusal(&bytes), refusal(&bytes).unwrap());
    assert!(!said.contains("SECRET") && !said.contains(&hex(b"SECRETSS")), "{said}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn no_bytes_of_any_length_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let refused = refusal(&bytes);
        prop_assert_eq!(refused == Some(WireError::Length), bytes.len() != REPORT_LEN);
    }

    /// Under the heads of true metrics, so that every payload and padding is reached; what is accepted encodes to the same.
    #[test]
    fn no_64_bytes_panic_and_what_is_read_is_written_again(
        noise: [u8; 32], tail: [u8; MAX_PAYLOAD], metric: prop::sample::Index, week: u16, clean: bool,
    ) {
        let d = metric.get(CATALOGUE.definitions());
        let mut bytes = [0; REPORT_LEN];
        bytes[0] = 1;
        bytes[1..17].copy_from_slice(&noise[..16]);
        bytes[17..25].copy_from_slice(&d.key.0);
        bytes[25..41].copy_from_slice(&d.hash.0);
        bytes[41..43].copy_from_slice(&week.to_le_bytes());
        let kept = if clean { d.payload_len() } else { MAX_PAYLOAD };
        bytes[43..43 + kept].copy_from_slice(&tail[..kept]);
        match Report::decode(&bytes, &CATALOGUE) {
            Ok(read) => prop_assert_eq!(read.encode().unwrap(), bytes),
            Err(refused) => prop_assert!(matches!(refused, WireError::Padding | WireError::Payload(_)), "{}", refused),
        }
    }

    #[test]
    fn reading_undoes_writing(metric: prop::sample::Index, seed: u64) {
        let sent = report(metric.get(CATALOGUE.definitions()), seed);
        let read = Report::decode(&sent.encode().unwrap(), &CATALOGUE).unwrap();
        prop_assert!(read == sent && read.response == sent.response && read.week == sent.week && read.id == sent.id);
    }
}

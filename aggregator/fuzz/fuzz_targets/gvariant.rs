// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes as a stock recorder's request: no panic, and what is found lies in the body.

#![no_main]

use libfuzzer_sys::fuzz_target;
use stipple_aggregator::REPORT_EVENT;

fuzz_target!(|data: &[u8]| {
    let found = stipple_aggregator::fuzzing::events(data, &REPORT_EVENT);
    assert!(found.is_none_or(|(payloads, others)| payloads.len() + others <= data.len()));
});

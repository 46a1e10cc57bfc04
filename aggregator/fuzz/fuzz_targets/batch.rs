// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any body as a batch: no panic, and every report of it is either counted or named.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let (reports, counted, refused) = stipple_aggregator::fuzzing::batch(data);
    assert_eq!(reports, counted + refused);
});

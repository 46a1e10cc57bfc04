// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes to the gateway, sealed and not: no panic.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    stipple_aggregator::fuzzing::open_sealed(data);
    stipple_aggregator::fuzzing::read_inner(data);
});

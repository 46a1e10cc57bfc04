// SPDX-License-Identifier: MIT OR Apache-2.0
//! Any bytes as a packed body, and any body packed: no panic, never more than the limit, and what was packed comes back.

#![no_main]

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use stipple_aggregator::fuzzing::unpack;

fuzz_target!(|data: &[u8]| {
    assert!(unpack(data).is_none_or(|body| body.len() <= 1024 * 1024));
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(data).expect("memory takes everything");
    assert_eq!(unpack(&packed.finish().expect("memory takes everything")).as_deref(), Some(data));
});

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reports to send.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use stipple_catalog::{Catalogue, Clock, Epoch};
use stipple_client_dp::{Outgoing, Workstation};

/// What a workstation has to send after half a year: only a workstation makes reports.
pub fn reports() -> Vec<Outgoing> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog/metrics");
    let clock = Clock::manual("2026-11-24T00:00:00Z".parse().unwrap());
    let catalogue = Arc::new(Catalogue::load(&folder).unwrap());
    let mut workstation = Workstation::in_memory(catalogue, clock.clone(), Duration::ZERO).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(7);
    workstation.enable(&mut rng).unwrap();
    let first = Epoch::from_index(clock.week().unwrap().epoch().index() + 1);
    for offset in 0..=Epoch::WEEKS {
        clock.set(TimeZone::UTC.to_timestamp(first.week(offset).monday().at(0, 0, 0, 0)).unwrap());
        workstation.advance(&mut rng).unwrap();
    }
    workstation.due().unwrap()
}

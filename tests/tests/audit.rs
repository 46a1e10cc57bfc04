// SPDX-License-Identifier: MIT OR Apache-2.0
//! The audit of the real recorder, small; `make audit` reads 20,000 reports of each metric.
//!
//! The recorder's randomness is the operating system's, so no seed can be fixed. Of a true claim, the bound exceeds epsilon
//! with a chance below 1 in 10,000 by its confidence, and falls below half of it where an estimate is 4.5 standard errors low.
#![allow(clippy::unwrap_used, reason = "a helper of tests")]

use std::path::Path;

use stipple_tests::audit::{Heard, listen};

const SURE: f64 = 0.9999;

fn heard(metric: &str, reports: usize) -> Heard {
    let catalog = Path::new(env!("CARGO_MANIFEST_DIR")).join("../catalog/metrics");
    listen(&catalog, metric, reports, |_| {}).unwrap()
}

/// The half-year's draw, the ledger, the outbox and the courier stand between the event and the socket; none of them may add
/// to what the mechanism gives away.
#[test]
fn what_leaves_the_recorder_bears_the_stated_epsilon_out() {
    for metric in ["hardware.boot-mode", "hardware.ram-class"] {
        let heard = heard(metric, 6000);
        let (finding, sure) = (heard.test(heard.epsilon, 0.95).unwrap(), heard.test(heard.epsilon, SURE).unwrap());
        println!("{finding:?}");
        assert!(finding.lower > heard.epsilon / 2.0, "{finding:?}");
        assert!(!sure.refutes(), "{sure:?}");
    }
}

/// A planted fault: a recorder that spends 2 is audited against a claim of 1.
#[test]
fn a_recorder_that_gives_away_more_than_stated_is_caught() {
    let heard = heard("settings.locale", 3000);
    assert!(heard.epsilon > 1.9);
    let finding = heard.test(1.0, SURE).unwrap();
    println!("{finding:?}");
    assert!(finding.refutes() && !finding.supports(), "{finding:?}");
}

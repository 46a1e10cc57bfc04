// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a publication tells about one reporter, if somebody has shuffled the reports: the central (epsilon, delta).

use std::collections::HashMap;

use stipple_catalog::Definition;
use stipple_ldp::accounting::shuffle::quick_epsilon;

/// The central guarantee: whoever reads the counts learns no more about one reporter than this, and the chance that the epsilon does not
/// hold is at most delta. It supposes that each report came from another reporter and that nobody knows which from whom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Central {
    /// an upper bound, at most the epsilon of one report
    pub epsilon: f64,
    /// the delta that it holds at
    pub delta: f64,
}

/// The usual delta: less than one in the number of workstations that there could be.
pub const DELTA: f64 = 1e-8;

/// The central epsilons that are known already: the numeric bound takes milliseconds. Reports are rounded down to two digits, which finds more
/// of them and can only raise the bound.
#[derive(Default)]
pub(crate) struct Bounds<'c> {
    known: HashMap<(&'c str, u64), f64>,
}

impl<'c> Bounds<'c> {
    /// The guarantee for a definition and a number of reports.
    pub(crate) fn central(&mut self, definition: &'c Definition, reports: u64, delta: f64) -> Central {
        let reports = two_digits(reports);
        let local = f64::from(definition.epsilon);
        let epsilon = *self.known.entry((&definition.id, reports)).or_insert_with(|| {
            // Out of the bound's range: what one report costs alone.
            quick_epsilon(&definition.mechanism, reports, delta).unwrap_or(local).min(local)
        });
        Central { epsilon, delta }
    }
}

/// The number with all but its first two digits set to 0.
fn two_digits(n: u64) -> u64 {
    let unit = 10_u64.pow(n.checked_ilog10().unwrap_or(0).saturating_sub(1));
    n / unit * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_are_kept() {
        assert_eq!([0, 7, 10, 99, 101, 1999, 123_456].map(two_digits), [0, 7, 10, 99, 100, 1900, 120_000]);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! One line of `ratios.json`.

use serde::Serialize;

/// A measurement of ours beside a reference, both as rates per second.
#[derive(Debug, Serialize)]
pub struct Row {
    /// what was measured
    pub name: String,
    /// our rate
    pub ours: f64,
    /// the reference's rate
    pub reference: f64,
    /// what the reference is
    pub reference_name: &'static str,
    /// ours by the reference's
    pub ratio: f64,
    /// the ratio that we want at least
    pub goal: f64,
}

impl Row {
    /// A row from the rates of all rounds: their medians.
    pub fn new(name: String, reference_name: &'static str, goal: f64, ours: Vec<f64>, reference: Vec<f64>) -> Self {
        let (ours, reference) = (median(ours), median(reference));
        Self { name, ours, reference, reference_name, ratio: ours / reference, goal }
    }
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    let middle = rates.len() / 2;
    if rates.len() % 2 == 1 { rates[middle] } else { f64::midpoint(rates[middle - 1], rates[middle]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_slow_round_does_not_move_the_ratio() {
        let row = Row::new("x".into(), "y", 0.6, vec![3.0, 0.1, 3.0], vec![2.0, 6.0, 1.0, 2.0]);
        assert!((row.ratio - 1.5).abs() < 1e-12, "{row:?}");
    }
}

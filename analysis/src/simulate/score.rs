// SPDX-License-Identifier: MIT OR Apache-2.0
//! How good the estimates were: truth beside estimate, coverage, bias and squared error beside what theory says.

use serde::Serialize;
use stipple_catalog::Definition;
use stipple_ldp::{Debias, Mechanism, minimax_variance};

use super::population::Population;
use crate::estimate::MetricEstimate;

/// What the simulations of one metric add up to. Estimates are shares, or the mean of a count.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Score {
    /// the metric's id
    pub metric: String,
    /// its mechanism
    pub mechanism: String,
    /// what one report costs
    pub epsilon: f64,
    /// the reports that were counted, of all repetitions together
    pub reports: u64,
    /// pairs of a truth and an estimate: one for each value, or for the mean, and repetition
    pub pairs: u64,
    /// how many of these have a 95 % interval that holds the truth
    pub covered_95: u64,
    /// the mean of estimate minus truth over all pairs; of a symbol's shares it is 0 where they add up to 1 by construction
    pub bias: f64,
    /// of the values' mean errors over the repetitions, the greatest in its standard errors
    pub bias_z: f64,
    /// the mean of the squared errors
    pub mse: f64,
    /// the same from the closed form of the variance
    pub mse_theory: f64,
    /// the least that any mechanism of this epsilon attains for a symbol at the uniform distribution; none for sets and counts
    pub mse_minimax: Option<f64>,
    /// truth beside estimate, of the last repetition
    pub values: Vec<Pair>,
}

/// A truth beside its estimate.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Pair {
    /// the value whose share it is, or `mean`
    pub value: String,
    /// what is true of the population
    pub truth: f64,
    /// the unbiased estimate
    pub estimate: f64,
    /// the 95 % interval's lower end
    pub lower: f64,
    /// its upper end
    pub upper: f64,
}

/// Adds up the repetitions of one metric.
pub(super) struct Scoring {
    truth: Vec<f64>,
    /// n Var of each estimate
    variance: Vec<f64>,
    least: Option<f64>,
    /// for each value, the sum of its errors
    errors: Vec<f64>,
    /// for each value, the sum of the variances of these errors
    expected: Vec<f64>,
    squares: f64,
    minimax: f64,
    score: Score,
}

impl Scoring {
    pub fn new(definition: &Definition, population: &Population) -> Self {
        let mechanism = &definition.mechanism;
        let shares = population.shares(mechanism.values());
        let (truth, variance) = match mechanism.debias() {
            Debias::Shares(support) => {
                let variance = shares.iter().map(|&share| support.variance(share)).collect();
                (shares, variance)
            }
            Debias::Mean { unbiased } => {
                let mean: f64 = (0_u32..).zip(&shares).map(|(x, share)| f64::from(x) * share).sum();
                let outputs = mechanism.output_chances(&shares).unwrap_or_default();
                let centre: f64 = outputs.iter().zip(&unbiased).map(|(p, phi)| p * phi).sum();
                let variance = outputs.iter().zip(&unbiased).map(|(p, phi)| p * (phi - centre).powi(2)).sum();
                (vec![mean], vec![variance])
            }
        };
        let values = truth.len();
        let is_symbol = mechanism.design().is_some();
        let size = u32::try_from(mechanism.values()).unwrap_or(u32::MAX);
        Self {
            least: is_symbol.then(|| minimax_variance(size, mechanism.weights().ratio())),
            truth,
            variance,
            errors: vec![0.0; values],
            expected: vec![0.0; values],
            squares: 0.0,
            minimax: 0.0,
            score: Score::of(definition, mechanism),
        }
    }

    pub fn add(&mut self, estimate: &MetricEstimate<'_>) {
        let reports = estimate.reports as f64;
        self.score.reports += estimate.reports;
        self.score.values.clear();
        for (place, value) in estimate.values.iter().enumerate() {
            let truth = self.truth[place];
            let error = value.estimate - truth;
            let (lower, upper) = (value.interval.lower, value.interval.upper);
            // A sum of shares that is 0 or 1 by construction carries rounding.
            let is_covered = (lower - 1e-12..=upper + 1e-12).contains(&truth);
            self.score.pairs += 1;
            self.score.covered_95 += u64::from(is_covered);
            self.errors[place] += error;
            self.expected[place] += self.variance[place] / reports;
            self.squares += error * error;
            self.minimax += self.least.unwrap_or(0.0) / reports;
            let pair = Pair { value: value.value.clone(), truth, estimate: value.estimate, lower, upper };
            self.score.values.push(pair);
        }
    }

    pub fn finish(mut self) -> Score {
        let pairs = self.score.pairs.max(1) as f64;
        let z = |(error, expected): (&f64, &f64)| if *expected > 0.0 { error.abs() / expected.sqrt() } else { 0.0 };
        self.score.bias = self.errors.iter().sum::<f64>() / pairs;
        self.score.bias_z = self.errors.iter().zip(&self.expected).map(z).fold(0.0, f64::max);
        self.score.mse = self.squares / pairs;
        self.score.mse_theory = self.expected.iter().sum::<f64>() / pairs;
        self.score.mse_minimax = self.least.map(|_| self.minimax / pairs);
        self.score
    }
}

impl Score {
    fn of(definition: &Definition, mechanism: &Mechanism) -> Self {
        Self {
            metric: definition.id.clone(),
            mechanism: mechanism.name().to_owned(),
            epsilon: definition.epsilon.into(),
            reports: 0,
            pairs: 0,
            covered_95: 0,
            bias: 0.0,
            bias_z: 0.0,
            mse: 0.0,
            mse_theory: 0.0,
            mse_minimax: None,
            values: Vec::new(),
        }
    }
}

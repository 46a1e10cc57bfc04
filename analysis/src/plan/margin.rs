// SPDX-License-Identifier: MIT OR Apache-2.0
//! The margin to expect: half the width of an interval around an estimate that has not been made yet.

use serde::Serialize;
use stipple_ldp::{Debias, Mechanism, Question};

use crate::interval::Level;

/// Margins at typical truths. Of shares, in shares (0.01 is a percentage point); of a mean, in counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Margins {
    /// of a value that nobody holds; of a mean when every count is 0
    pub nobody: f64,
    /// of a value when all are equally frequent; of a mean when all counts are
    pub uniform: f64,
    /// of a value that half of all hold; of a mean when half of the counts are 0 and half are the bound
    pub half: f64,
}

/// `n Var` of an estimate at those truths, people drawn at random.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Errors {
    nobody: f64,
    uniform: f64,
    half: f64,
    /// the largest number that can be estimated: 1 for shares
    pub most: f64,
}

impl Errors {
    pub fn of(mechanism: &Mechanism, question: Question) -> Self {
        let equal = match question {
            Question::Symbols(d) => 1.0 / f64::from(d.get()),
            Question::Sets(d, m) => f64::from(m.get()) / f64::from(d.get()),
            Question::Mean(_) => 0.0,
        };
        match mechanism.debias() {
            Debias::Shares(support) => Self {
                nobody: support.variance(0.0),
                uniform: support.variance(equal),
                half: support.variance(0.5),
                most: 1.0,
            },
            Debias::Mean { .. } => {
                let noise = mechanism.noise_variances();
                let (counts, most) = (noise.len() as f64, (noise.len() - 1) as f64);
                let end = |x: usize| noise.get(x).copied().unwrap_or(0.0);
                Self {
                    nobody: end(0),
                    // The variance of a uniform count from 0 to m is m (m + 2) / 12.
                    uniform: noise.iter().sum::<f64>() / counts + most * (most + 2.0) / 12.0,
                    half: f64::midpoint(end(0), end(noise.len() - 1)) + most * most / 4.0,
                    most,
                }
            }
        }
    }

    /// `z sqrt(n Var / n)`: infinite without a report.
    pub fn margins(&self, reports: f64, level: Level) -> Margins {
        let margin = |variance: f64| level.normal_quantile() * (variance / reports).sqrt();
        Margins { nobody: margin(self.nobody), uniform: margin(self.uniform), half: margin(self.half) }
    }

    /// The reports with which the greatest of the margins is `margin`, which is in parts of the largest number.
    pub fn reports_for(&self, margin: f64, level: Level) -> f64 {
        let worst = self.nobody.max(self.uniform).max(self.half);
        worst * (level.normal_quantile() / (margin * self.most)).powi(2)
    }

    /// The margin at equal frequencies, in parts of the largest number.
    pub fn relative(&self, reports: f64, level: Level) -> f64 {
        self.margins(reports, level).uniform / self.most
    }
}

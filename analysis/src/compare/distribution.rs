// SPDX-License-Identifier: MIT OR Apache-2.0
//! How true values may be distributed, and the error that a mechanism has there.

use std::fmt;

use clap::ValueEnum;
use stipple_ldp::{Debias, Mechanism, Question, Support};

/// A distribution of true values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Distribution {
    /// Every value is as frequent as any other; of sets, every item is in as many.
    Uniform,
    /// The value number v, from 0, has a weight of 1/(v + 1); an item of sets at most every set.
    Zipf,
    /// Everybody holds the first value, and nothing else; for a mean, the count 0.
    One,
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Uniform => "uniform",
            Self::Zipf => "Zipf",
            Self::One => "all the same",
        })
    }
}

impl Distribution {
    /// The average over all values of `n Var` at the value's share; for a mean, its `n Var`.
    pub(super) fn variance(self, mechanism: &Mechanism, question: Question) -> f64 {
        match mechanism.debias() {
            Debias::Shares(support) => self.of_shares(support, question),
            Debias::Mean { .. } => self.of_mean(&mechanism.noise_variances()),
        }
    }

    /// The average over all values of [`Support::variance`].
    pub(super) fn of_shares(self, support: Support, question: Question) -> f64 {
        let shares = self.shares(question);
        shares.iter().map(|&share| support.variance(share)).sum::<f64>() / shares.len() as f64
    }

    /// `n Var` of a mean: the noise at each count, averaged, and the spread of the counts themselves.
    pub(super) fn of_mean(self, noise: &[f64]) -> f64 {
        let law = self.law(noise.len());
        let moment = |power: i32| (0..).zip(&law).map(|(x, p)| p * f64::from(x).powi(power)).sum::<f64>();
        law.iter().zip(noise).map(|(p, noise)| p * noise).sum::<f64>() + moment(2) - moment(1).powi(2)
    }

    /// The share of each value, or the share of sets that hold each item.
    fn shares(self, question: Question) -> Vec<f64> {
        match question {
            Question::Symbols(d) => self.law(d.get() as usize),
            Question::Sets(d, m) => {
                let items = if self == Self::One { 1.0 } else { f64::from(m.get()) };
                self.law(d.get() as usize).into_iter().map(|weight| (items * weight).min(1.0)).collect()
            }
            Question::Mean(m) => self.law(m.get() as usize + 1),
        }
    }

    fn law(self, values: usize) -> Vec<f64> {
        let weight = |v: usize| match self {
            Self::Uniform => 1.0,
            Self::Zipf => 1.0 / (v as f64 + 1.0),
            Self::One => f64::from(u8::from(v == 0)),
        };
        let total: f64 = (0..values).map(weight).sum();
        (0..values).map(|v| weight(v) / total).collect()
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Expectation maximisation: the shares under which the messages that came are most likely.
//!
//! It needs the count of every *message*, so it is the maximum-likelihood estimate for randomised response, projective
//! geometry response, the square wave and the truncated geometric; the support counts of a mask or of hashed reports
//! are not such counts.
//!
//! A step replaces each share by the expected number of its holders, `f_v <- f_v sum_m P(m|v) y_m / (n P(m))` with
//! `P(m) = sum_v P(m|v) f_v`; the likelihood never falls (Agrawal and Aggarwal, PODS 2001; ElSalamouny and Palamidessi,
//! EuroS&P 2020, as iterative Bayesian update).

use crate::design::Channel;

/// A channel's matrix P(m|v), as its products with vectors. Rows (values) total 1.
pub trait Likelihood {
    /// The number of values.
    fn values(&self) -> usize;

    /// `P(m) = sum_v P(m|v) f_v` for every message.
    fn messages(&self, shares: &[f64]) -> Vec<f64>;

    /// `sum_m P(m|v) w_m` for every value, from one weight for each message.
    fn back(&self, weights: &[f64]) -> Vec<f64>;
}

/// The matrix itself: a row of message chances for each value.
impl Likelihood for [Vec<f64>] {
    fn values(&self) -> usize {
        self.len()
    }

    fn messages(&self, shares: &[f64]) -> Vec<f64> {
        let mut chances = vec![0.0; self.first().map_or(0, Vec::len)];
        for (row, share) in self.iter().zip(shares) {
            chances.iter_mut().zip(row).for_each(|(chance, p)| *chance += p * share);
        }
        chances
    }

    fn back(&self, weights: &[f64]) -> Vec<f64> {
        self.iter().map(|row| row.iter().zip(weights).map(|(p, w)| p * w).sum()).collect()
    }
}

/// A two-weight channel, whose matrix is never written out: `P(m|v) = B/W + (A - B)/W [m in the block of v]`, so that
/// both products are block sums.
#[derive(Clone, Debug)]
pub struct TwoWeight<F, G> {
    values: usize,
    outside: f64,
    excess: f64,
    over_values: F,
    over_messages: G,
}

impl<F: Fn(&[f64]) -> Vec<f64>, G: Fn(&[f64]) -> Vec<f64>> TwoWeight<F, G> {
    /// The channel over a number of values. `over_values` takes one number for each value and gives every message the
    /// sum over the values in whose block it is; `over_messages` takes one for each message and gives every value the
    /// sum over its block.
    pub fn new(channel: &Channel, values: usize, over_values: F, over_messages: G) -> Self {
        let total = channel.total() as f64;
        let outside = channel.weights.outside() as f64 / total;
        Self { values, outside, excess: channel.weights.inside() as f64 / total - outside, over_values, over_messages }
    }

    fn with_common_part(&self, mut block_sums: Vec<f64>, all: &[f64]) -> Vec<f64> {
        let common = self.outside * all.iter().sum::<f64>();
        for sum in &mut block_sums {
            *sum = common + self.excess * *sum;
        }
        block_sums
    }
}

impl<F: Fn(&[f64]) -> Vec<f64>, G: Fn(&[f64]) -> Vec<f64>> Likelihood for TwoWeight<F, G> {
    fn values(&self) -> usize {
        self.values
    }

    fn messages(&self, shares: &[f64]) -> Vec<f64> {
        self.with_common_part((self.over_values)(shares), shares)
    }

    fn back(&self, weights: &[f64]) -> Vec<f64> {
        self.with_common_part((self.over_messages)(weights), weights)
    }
}

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stopping {
    /// after a step that raised the log likelihood by less, in nats; positive
    pub gain: f64,
    /// after so many steps at the latest
    pub steps: u32,
}

impl Default for Stopping {
    /// A gain of 0.001 nats, which no test could tell from nothing, and 10,000 steps. Many steps beyond it fit the
    /// noise of smooth data (Li et al., SIGMOD 2020, stop the square wave at `0.001 e^epsilon`).
    fn default() -> Self {
        Self { gain: 1e-3, steps: 10_000 }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Fit {
    /// one share for each value, non-negative, with the sum 1
    pub shares: Vec<f64>,
    /// `sum_m y_m ln P(m)` at these shares, nats
    pub log_likelihood: f64,
    /// steps taken
    pub steps: u32,
}

/// The maximum-likelihood shares, from the uniform start, given the count of every message (those missing are 0).
/// Without any report the uniform shares. A message with no chance under any value tells nothing and is left out.
#[must_use]
pub fn em<L: Likelihood + ?Sized>(counts: &[u64], channel: &L, stopping: Stopping) -> Fit {
    climb(counts, channel, stopping, |_| ())
}

/// EM with smoothing: after each step every share becomes the (1/4, 1/2, 1/4) mean of itself and its neighbours, at the
/// ends of those that exist (Li et al., SIGMOD 2020, section 5.5). For values in an order, whose shares are known to
/// change slowly; it rounds off whatever is spiky. The likelihood may fall, and then the shares before that step are
/// returned.
#[must_use]
pub fn ems<L: Likelihood + ?Sized>(counts: &[u64], channel: &L, stopping: Stopping) -> Fit {
    climb(counts, channel, stopping, smooth)
}

fn climb<L: Likelihood + ?Sized>(counts: &[u64], channel: &L, stopping: Stopping, finish: impl Fn(&mut [f64])) -> Fit {
    let values = channel.values();
    let shares = vec![1.0 / values as f64; values];
    let mut chances = channel.messages(&shares);
    let mut fit = Fit { log_likelihood: log_likelihood(counts, &chances), shares, steps: 0 };
    while fit.steps < stopping.steps {
        let mut shares = step(counts, channel, &fit.shares, &chances);
        finish(&mut shares);
        normalise(&mut shares);
        chances = channel.messages(&shares);
        let reached = log_likelihood(counts, &chances);
        let gain = reached - fit.log_likelihood;
        if gain < 0.0 {
            break;
        }
        fit = Fit { shares, log_likelihood: reached, steps: fit.steps + 1 };
        if gain < stopping.gain {
            break;
        }
    }
    fit
}

fn step<L: Likelihood + ?Sized>(counts: &[u64], channel: &L, shares: &[f64], chances: &[f64]) -> Vec<f64> {
    let count = |m: usize| counts.get(m).copied().unwrap_or(0) as f64;
    let weight = |(m, &chance): (usize, &f64)| if chance > 0.0 { count(m) / chance } else { 0.0 };
    let weights: Vec<f64> = chances.iter().enumerate().map(weight).collect();
    channel.back(&weights).iter().zip(shares).map(|(expected, share)| expected * share).collect()
}

/// `sum_m y_m ln P(m)` over the messages that have a chance.
fn log_likelihood(counts: &[u64], chances: &[f64]) -> f64 {
    let possible = counts.iter().zip(chances).filter(|(count, chance)| **count > 0 && **chance > 0.0);
    possible.map(|(&count, chance)| count as f64 * chance.ln()).sum()
}

fn smooth(shares: &mut [f64]) {
    let before = shares.to_vec();
    for (v, share) in shares.iter_mut().enumerate() {
        let neighbours = [v.checked_sub(1), v.checked_add(1)].into_iter().flatten();
        let (sum, weight) = neighbours
            .filter_map(|neighbour| before.get(neighbour))
            .fold((0.5 * before[v], 0.5), |(sum, weight), neighbour| (sum + 0.25 * neighbour, weight + 0.25));
        *share = sum / weight;
    }
}

/// Divides by the sum; uniform if that is 0, which happens when no report came.
fn normalise(shares: &mut [f64]) {
    let (sum, uniform) = (shares.iter().sum::<f64>(), 1.0 / shares.len() as f64);
    for share in shares.iter_mut() {
        *share = if sum > 0.0 { *share / sum } else { uniform };
    }
}

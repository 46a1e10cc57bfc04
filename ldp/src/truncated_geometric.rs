// SPDX-License-Identifier: MIT OR Apache-2.0
//! Truncated geometric (discrete Laplace) noise on a count from 0 to m.
//!
//! Ghosh, Roughgarden and Sundararajan (STOC 2009): add two-sided geometric noise, then clamp to the range. Locally any
//! count may become any other, so the decay is `alpha = e^(-epsilon/m)` per step.
//!
//! # The channel in integers
//! Let `E_k`, k = 0..m, be whole numbers falling from `E_0 = A` to `E_m = B` with `E_k ~ B e^(epsilon (m-k)/m)`. An inner
//! output y weighs `c_|y-x| = E_|y-x| - E_(|y-x|+1)`; the outputs 0 and m weigh the whole tail, `E_x` and `E_(m-x)`. The
//! sums telescope: every row totals `E_0 + E_1`. The greatest ratio stands at the ends, `E_0 / E_m = A/B`; the constructor
//! checks every column.

use crate::domain::Bound;
use crate::epsilon::{Epsilon, Weights, exp_floor};
use crate::error::ParameterError;

/// Truncated geometric noise with its integer channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TruncatedGeometric {
    /// `E_0 > E_1 > ... > E_m`.
    tails: Vec<u64>,
}

impl TruncatedGeometric {
    /// The channel for counts up to `bound`.
    ///
    /// # Errors
    /// [`ParameterError::TooFine`] when epsilon is so small, or the bound so large, that the rounded weights would exceed
    /// A/B somewhere.
    pub fn new(bound: Bound, epsilon: Epsilon) -> Result<Self, ParameterError> {
        let m = u128::from(bound.get());
        let tails = (0..=m).map(|k| exp_floor(u128::from(epsilon.micros()) * (m - k), 1_000_000 * m)).collect();
        let channel = Self { tails };
        let (a, b) = (u128::from(channel.tails[0]), u128::from(channel.tails[bound.get() as usize]));
        let within = |y: u32| {
            let column = (0..=bound.get()).map(|x| u128::from(channel.weight(x, y)));
            let (least, most) = column.fold((u128::MAX, 0), |(least, most), w| (least.min(w), most.max(w)));
            most * b <= least * a
        };
        let sound = channel.tails.is_sorted_by(|more, less| more > less) && (0..=bound.get()).all(within);
        if sound { Ok(channel) } else { Err(ParameterError::TooFine { epsilon, bound: bound.get() }) }
    }

    /// m, the largest count.
    #[must_use]
    pub fn bound(&self) -> u32 {
        u32::try_from(self.tails.len() - 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn weights(&self) -> Weights {
        let (inside, outside) = (self.tails[0], self.tails[self.tails.len() - 1]);
        Weights { inside, outside }
    }

    /// The total weight of every row.
    pub(crate) fn total(&self) -> u128 {
        u128::from(self.tails[0]) + u128::from(self.tails[1])
    }

    /// The weight of output y for the count x; both at most m.
    pub(crate) fn weight(&self, x: u32, y: u32) -> u64 {
        let m = self.bound();
        if y == 0 {
            self.tails[x as usize]
        } else if y == m {
            self.tails[(m - x) as usize]
        } else {
            let distance = x.abs_diff(y) as usize;
            self.tails[distance] - self.tails[distance + 1]
        }
    }

    /// The output that a uniform integer below the total selects. It adds up every weight, so that its work does not depend
    /// on the result.
    pub(crate) fn encode(&self, x: u32, uniform: u128) -> u32 {
        let mut cumulative = 0_u128;
        let mut output = 0;
        for y in 0..self.bound() {
            cumulative += u128::from(self.weight(x, y));
            output += u32::from(uniform >= cumulative);
        }
        output
    }

    /// phi(y), the unbiased estimate of the count from one output: y inside, `-alpha/(1-alpha)` at 0 and
    /// `m + alpha/(1-alpha)` at m, because a clamped tail of a geometric law is memoryless. The integer channel follows the
    /// law to `2^-32`, and the bias stays below `1e-5` (tested by enumeration).
    #[must_use]
    pub fn unbiased(&self) -> Vec<f64> {
        let m = self.bound();
        let alpha = (self.tails[m as usize] as f64 / self.tails[0] as f64).powf(1.0 / f64::from(m));
        let overshoot = alpha / (1.0 - alpha);
        let mut phi: Vec<f64> = (0..=m).map(f64::from).collect();
        phi[0] = -overshoot;
        phi[m as usize] = f64::from(m) + overshoot;
        phi
    }
}

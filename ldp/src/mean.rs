// SPDX-License-Identifier: MIT OR Apache-2.0
//! Means of a count from 0 to m: one bit, and the hybrid of one bit and a piecewise window.
//!
//! One bit (Ding, Kulkarni and Yekhanin, NeurIPS 2017; on \[-1, 1\] it is Duchi, Jordan and Wainwright, JASA 2018): round x/m to 0 or
//! 1 at random, then randomised response. In integers the bit is 1 with weight `xA + (m - x)B` of `m(A + B)`.
//!
//! The piecewise mechanism (Wang et al., ICDE 2019, section III-B) reports a window that moves with the value; in units of the
//! input range it reaches `e^(-epsilon/2)/2` to either side, and on whole numbers it is the square wave's channel with another
//! width. Its variance grows with the distance from the middle while one bit's falls, so the hybrid (section III-C) takes one bit with the
//! chance `D B / W`, the window's blanket mass, and the window otherwise: then the variance is the same for every count. On a continuous
//! line that chance is the paper's `e^(-epsilon/2)`. The choice is drawn without looking at the
//! value and is told by the output's range, so the loss is that of either part: `ln(A/B)`.

use rand::CryptoRng;

use crate::domain::Bound;
use crate::epsilon::{Epsilon, Weights, exp_floor};
use crate::sampling::uniform_below;
use crate::window::Window;

/// The one-bit mean with its integer channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneBitMean {
    pub(crate) bound: u32,
    pub(crate) weights: Weights,
}

impl OneBitMean {
    /// The channel for counts from 0 to m.
    #[must_use]
    pub const fn new(bound: Bound, weights: Weights) -> Self {
        Self { bound: bound.get(), weights }
    }

    /// `m(A + B)`, the total weight of every row.
    pub(crate) fn total(&self) -> u128 {
        let Weights { inside, outside } = self.weights;
        u128::from(self.bound) * (u128::from(inside) + u128::from(outside))
    }

    /// The weight of the bit 1 for the count x.
    fn one(&self, x: u32) -> u128 {
        let Weights { inside, outside } = self.weights;
        u128::from(x) * u128::from(inside) + u128::from(self.bound - x) * u128::from(outside)
    }

    pub(crate) fn encode(&self, x: u32, uniform: u128) -> u64 {
        u64::from(uniform < self.one(x))
    }

    /// phi(bit) = `m (bit (A + B) - B) / (A - B)`.
    pub(crate) fn unbiased(&self) -> [f64; 2] {
        let (a, b) = (self.weights.inside() as f64, self.weights.outside() as f64);
        [0.0, 1.0].map(|bit| f64::from(self.bound) * (bit * (a + b) - b) / (a - b))
    }

    pub(crate) fn chances(&self, x: u32) -> [f64; 2] {
        let one = self.one(x) as f64 / self.total() as f64;
        [1.0 - one, one]
    }
}

/// The hybrid mean with its integer channels. Outputs below D are the window's, the last two one bit's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HybridMean {
    pub(crate) window: Window,
    pub(crate) one_bit: OneBitMean,
    /// the chance of one bit, in parts of `2^32`
    pub(crate) one_bit_parts: u64,
}

impl HybridMean {
    /// The channel for counts from 0 to m.
    #[must_use]
    pub fn new(bound: Bound, epsilon: Epsilon) -> Self {
        // 2^64 by floor(2^32 e^(epsilon/2)) is 2^32 e^(-epsilon/2), at most 2^32.
        let root = u128::from(exp_floor(epsilon.micros().into(), 2_000_000));
        let reach = u64::try_from((1 << 64) / root).unwrap_or(Weights::UNIT);
        let half = (u64::from(bound.get()) + 1) * reach / (2 * Weights::UNIT);
        let weights = epsilon.weights();
        let window = Window::new(bound.get(), half, weights);
        let parts = u128::from(window.channel.messages) * u128::from(weights.outside) * u128::from(Weights::UNIT)
            / window.channel.total();
        let one_bit_parts = u64::try_from(parts).unwrap_or(Weights::UNIT);
        Self { window, one_bit: OneBitMean::new(bound, weights), one_bit_parts }
    }

    pub(crate) fn randomise<R: CryptoRng + ?Sized>(&self, x: u32, rng: &mut R) -> u64 {
        // Both draws are made whatever the first says.
        let coin = uniform_below(rng, Weights::UNIT.into());
        if coin < self.one_bit_parts.into() {
            self.window.channel.messages + self.one_bit.encode(x, uniform_below(rng, self.one_bit.total()))
        } else {
            self.window.encode(x, uniform_below(rng, self.window.channel.total()))
        }
    }

    pub(crate) fn outputs(&self) -> u64 {
        self.window.channel.messages + 2
    }

    pub(crate) fn unbiased(&self) -> Vec<f64> {
        let mut phi = self.window.unbiased();
        phi.extend(self.one_bit.unbiased());
        phi
    }

    pub(crate) fn chances(&self, x: u32) -> Vec<f64> {
        let one_bit = self.one_bit_parts as f64 / Weights::UNIT as f64;
        let window = (0..self.window.channel.messages).map(|y| (1.0 - one_bit) * self.window.chance(x, y));
        window.chain(self.one_bit.chances(x).map(|p| one_bit * p)).collect()
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The two-weight channel behind every mechanism, and the balanced block design among them.
//!
//! There are K messages; each value has r of them as its *block*. A message of the value's block has weight A, any other B, so
//! every row totals `W = rA + (K - r)B` and `epsilon = ln(A/B)`. In a *balanced* design any two blocks share lambda messages,
//! and error, amplification by shuffling, poisoning and linkability are closed forms of (K, r, lambda, A, B) (Park, Nam and Lee,
//! arXiv 2305.01261, 2023, section III; LDP.md section 2.1).

use crate::epsilon::Weights;
use crate::support::Support;

/// A channel with K messages, of which each value has r in its block. Every product of this crate's channels stays under `2^124`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// K, the number of messages
    pub messages: u64,
    /// r, the number of messages in each value's block: 1 to K - 1
    pub block: u64,
    /// A and B
    pub weights: Weights,
}

impl Channel {
    /// W, the total weight of every row of the channel.
    #[must_use]
    pub fn total(&self) -> u128 {
        let (a, b) = (u128::from(self.weights.inside()), u128::from(self.weights.outside()));
        u128::from(self.block) * a + u128::from(self.messages - self.block) * b
    }

    /// Splits a uniform integer below [`Self::total`] into the index of a message within the value's block (`Ok`) or
    /// outside of it (`Err`).
    pub(crate) fn pick(&self, uniform: u128) -> Result<u64, u64> {
        let (a, b) = (self.weights.inside(), self.weights.outside());
        let inside = u128::from(self.block) * u128::from(a);
        // Which division is made depends on the public total alone.
        let narrow = u64::try_from(self.total()).is_ok();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "narrow numbers fit, and both quotients are below K, a u64"
        )]
        let index = |part: u128, weight: u64| {
            if narrow { part as u64 / weight } else { (part / u128::from(weight)) as u64 }
        };
        if uniform < inside { Ok(index(uniform, a)) } else { Err(index(uniform - inside, b)) }
    }

    /// `P_t = rA / W`: the chance that a report lies in its sender's block.
    #[must_use]
    pub fn p_true(&self) -> f64 {
        self.block as f64 * self.weights.inside() as f64 / self.total() as f64
    }

    /// gamma = `K B / W`: the chance that a report is drawn from the part of the channel that all values have in common, its
    /// *privacy blanket* (Balle, Bell, Gascon and Nissim, CRYPTO 2019).
    #[must_use]
    pub fn blanket_mass(&self) -> f64 {
        self.messages as f64 * self.weights.outside() as f64 / self.total() as f64
    }
}

/// A balanced block design (K, r, lambda) with its weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockDesign {
    /// K, r, A and B
    pub channel: Channel,
    /// lambda, the number of messages that any two blocks share
    pub shared: u64,
}

impl BlockDesign {
    pub(crate) const fn new(messages: u64, block: u64, shared: u64, weights: Weights) -> Self {
        Self { channel: Channel { messages, block, weights }, shared }
    }

    /// `P_t = rA / W` and `P_f = (lambda A + (r - lambda) B) / W`.
    #[must_use]
    pub fn support(&self) -> Support {
        let Channel { block, weights, .. } = self.channel;
        let (a, b) = (weights.inside() as f64, weights.outside() as f64);
        let (block, shared) = (block as f64, self.shared as f64);
        let p_false = (shared * a + (block - shared) * b) / self.channel.total() as f64;
        Support { p_true: self.channel.p_true(), p_false }
    }
}

/// The blocks of a design, enumerated: what a mechanism adds to the numbers (K, r, lambda).
pub(crate) trait Blocks {
    fn design(&self) -> &BlockDesign;

    /// The `index`-th of the r messages in a value's block.
    fn inside(&self, value: u32, index: u64) -> u64;

    /// The `index`-th of the K - r messages outside of it.
    fn outside(&self, value: u32, index: u64) -> u64;

    /// The `index`-th of all K messages.
    fn message(&self, index: u64) -> u64;

    /// The message that a uniform integer below the total weight selects.
    fn encode(&self, value: u32, uniform: u128) -> u64 {
        match self.design().channel.pick(uniform) {
            Ok(index) => self.inside(value, index),
            Err(index) => self.outside(value, index),
        }
    }
}

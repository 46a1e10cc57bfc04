// SPDX-License-Identifier: MIT OR Apache-2.0
//! The balanced block design behind randomised response and subset selection.
//!
//! K messages; each value belongs to r of them (its block); each pair of values shares lambda of them. A message in the
//! value's block has weight A, any other B, so a row's total is `W = rA + (K - r)B` and `epsilon = ln(A/B)` (Park, Nam and
//! Lee, arXiv 2305.01261, 2023, section III; LDP.md section 2.1).

use crate::epsilon::Weights;

/// The parameters (K, r, lambda) with their weights. Every product below stays under `2^124` for the designs of this crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BlockDesign {
    pub messages: u64,
    pub block: u64,
    pub shared: u64,
    pub weights: Weights,
}

impl BlockDesign {
    /// W, the total weight of every row of the channel.
    pub fn total(&self) -> u128 {
        let (a, b) = (u128::from(self.weights.inside()), u128::from(self.weights.outside()));
        u128::from(self.block) * a + u128::from(self.messages - self.block) * b
    }

    /// Splits a uniform integer below [`Self::total`] into the index of a message within the value's block (`Ok`) or
    /// outside of it (`Err`).
    pub fn pick(&self, uniform: u128) -> Result<u64, u64> {
        let (a, b) = (u128::from(self.weights.inside()), u128::from(self.weights.outside()));
        let inside = u128::from(self.block) * a;
        // Both quotients are below K, which is a u64.
        #[expect(clippy::cast_possible_truncation, reason = "bounded by the number of messages")]
        if uniform < inside { Ok((uniform / a) as u64) } else { Err(((uniform - inside) / b) as u64) }
    }

    /// (P_t, P_f): the chance that a report supports a value, for its holder and for anybody else.
    pub fn support(&self) -> (f64, f64) {
        let (a, b) = (self.weights.inside() as f64, self.weights.outside() as f64);
        let (block, shared, total) = (self.block as f64, self.shared as f64, self.total() as f64);
        (block * a / total, (shared * a + (block - shared) * b) / total)
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Randomised response over d values: keep the symbol with weight A, name any other with weight B.
//!
//! Warner (JASA 1965) for d = 2; k-ary (GRR) after Kairouz, Bonawitz and Ramage (ICML 2016). It is the block design
//! (K, r, lambda) = (d, 1, 0).

use crate::design::BlockDesign;
use crate::domain::DomainSize;
use crate::epsilon::Weights;

/// Randomised response with its integer channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RandomisedResponse {
    pub(crate) design: BlockDesign,
}

impl RandomisedResponse {
    /// The channel over `domain` values with the given weights.
    #[must_use]
    pub fn new(domain: DomainSize, weights: Weights) -> Self {
        Self { design: BlockDesign::new(domain.get().into(), 1, 0, weights) }
    }

    /// The message that a uniform integer below the total weight selects; `value < d`.
    pub(crate) fn encode(&self, value: u32, uniform: u128) -> u32 {
        let symbol = match self.design.channel.pick(uniform) {
            Ok(_) => u64::from(value),
            Err(other) => other + u64::from(other >= u64::from(value)),
        };
        u32::try_from(symbol).unwrap_or(u32::MAX)
    }
}

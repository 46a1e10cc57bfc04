// SPDX-License-Identifier: MIT OR Apache-2.0
//! Randomised response over d values: keep the symbol with weight A, name any other with weight B.
//!
//! Warner (JASA 1965) for d = 2; k-ary (GRR) after Kairouz, Bonawitz and Ramage (ICML 2016). It is the block design
//! (K, r, lambda) = (d, 1, 0).

use crate::design::{BlockDesign, Blocks};
use crate::domain::DomainSize;
use crate::epsilon::Weights;
use crate::support::Support;

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

    /// (P_t, P_f).
    #[must_use]
    pub fn support(&self) -> Support {
        self.design.support()
    }
}

impl Blocks for RandomisedResponse {
    fn design(&self) -> &BlockDesign {
        &self.design
    }

    fn inside(&self, value: u32, _index: u64) -> u64 {
        value.into()
    }

    fn outside(&self, value: u32, index: u64) -> u64 {
        index + u64::from(index >= value.into())
    }

    fn message(&self, index: u64) -> u64 {
        index
    }
}

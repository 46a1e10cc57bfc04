// SPDX-License-Identifier: MIT OR Apache-2.0
//! Subset selection: report w of the d values as a bit mask, with weight A if the true one is among them, else B.
//!
//! Ye and Barg (IEEE Transactions on Information Theory 2018) and Wang et al. (arXiv 1607.08025, 2016): it attains the
//! minimax error, constant included. It is the block design K = C(d,w), r = C(d-1,w-1), lambda = C(d-2,w-2); w = 1 is
//! randomised response.

use crate::combinations::{binomial, unrank};
use crate::design::{BlockDesign, Blocks};
use crate::domain::DomainSize;
use crate::epsilon::Weights;
use crate::error::ParameterError;

/// Subset selection with its integer channel; the mask is a `u64`, so d is at most 64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubsetSelection {
    pub(crate) design: BlockDesign,
    pub(crate) domain: u32,
    pub(crate) subset: u32,
}

impl SubsetSelection {
    /// The channel with the subset size of least variance.
    ///
    /// # Errors
    /// [`ParameterError::MaskTooWide`] for more than 64 values.
    pub fn new(domain: DomainSize, weights: Weights) -> Result<Self, ParameterError> {
        let d = domain.get();
        if d > 64 {
            return Err(ParameterError::MaskTooWide(d));
        }
        let w = best_subset(d, weights.ratio());
        let choose = |n: u32, k: Option<u32>| k.map_or(0, |k| binomial(n, k));
        let design = BlockDesign::new(binomial(d, w), binomial(d - 1, w - 1), choose(d - 2, w.checked_sub(2)), weights);
        Ok(Self { design, domain: d, subset: w })
    }

    /// w, the number of values in every report.
    #[must_use]
    pub const fn subset_size(&self) -> u32 {
        self.subset
    }
}

impl Blocks for SubsetSelection {
    fn design(&self) -> &BlockDesign {
        &self.design
    }

    fn inside(&self, value: u32, index: u64) -> u64 {
        insert(unrank(index, self.domain - 1, self.subset - 1), value) | 1 << value
    }

    fn outside(&self, value: u32, index: u64) -> u64 {
        insert(unrank(index, self.domain - 1, self.subset), value)
    }

    fn message(&self, index: u64) -> u64 {
        unrank(index, self.domain, self.subset)
    }
}

/// A mask with a clear bit put in at a place.
fn insert(others: u64, place: u32) -> u64 {
    let below = (1_u64 << place) - 1;
    (others & below) | ((others & !below) << 1)
}

/// The w of 1 to d/2 with the least variance at the uniform distribution, the smallest on a tie:
/// `n Var ~ (wa + d - w)^2 / (w (d - w))` (LDP.md section 2.1). Only IEEE basic operations, so every machine agrees.
pub(crate) fn best_subset(domain: u32, ratio: f64) -> u32 {
    let d = f64::from(domain);
    let variance = |w: u32| {
        let w = f64::from(w);
        let spread = w * ratio + d - w;
        spread * spread / (w * (d - w))
    };
    (1..=(domain / 2).max(1)).fold(1, |best, w| if variance(w) < variance(best) { w } else { best })
}

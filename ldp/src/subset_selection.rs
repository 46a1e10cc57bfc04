// SPDX-License-Identifier: MIT OR Apache-2.0
//! Subset selection: report w of the d values as a bit mask, with weight A if the true one is among them, else B.
//!
//! Ye and Barg (IEEE Transactions on Information Theory 2018) and Wang et al. (arXiv 1607.08025, 2016): it attains the
//! minimax error, constant included. It is the block design K = C(d,w), r = C(d-1,w-1), lambda = C(d-2,w-2); w = 1 is
//! randomised response.

use crate::design::BlockDesign;
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

    /// The mask that a uniform integer below the total weight selects; `value < d`.
    pub(crate) fn encode(&self, value: u32, uniform: u128) -> u64 {
        let (others, own) = match self.design.channel.pick(uniform) {
            Ok(index) => (unrank(index, self.domain - 1, self.subset - 1), 1 << value),
            Err(index) => (unrank(index, self.domain - 1, self.subset), 0),
        };
        // `others` counts the values without the true one: open a gap at its place.
        let below = (1_u64 << value) - 1;
        (others & below) | ((others & !below) << 1) | own
    }
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

/// C(n, k) for n up to 64, exact in 64 bits.
fn binomial(n: u32, k: u32) -> u64 {
    let product = (0..u128::from(k)).fold(1_u128, |c, i| c * (u128::from(n) - i) / (i + 1));
    u64::try_from(product).unwrap_or(u64::MAX)
}

/// The `index`-th k-subset of n positions in colexicographic order, as a mask. It visits every position, so that its work
/// does not depend on the result.
fn unrank(index: u64, n: u32, k: u32) -> u64 {
    let (mut left, mut rest, mut mask) = (k, index, 0_u64);
    for position in (0..n).rev() {
        let without = if left == 0 { u64::MAX } else { binomial(position, left) };
        if rest >= without {
            rest -= without;
            left -= 1;
            mask |= 1 << position;
        }
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn unrank_lists_every_subset_once() {
        for (n, k) in [(1, 0), (1, 1), (5, 2), (9, 4), (12, 12)] {
            let masks: BTreeSet<u64> = (0..binomial(n, k)).map(|i| unrank(i, n, k)).collect();
            assert_eq!(masks.len() as u64, binomial(n, k));
            assert!(masks.iter().all(|m| m.count_ones() == k && *m < 1 << n));
        }
    }

    #[test]
    fn binomials_are_exact_at_the_edge() {
        assert_eq!(binomial(64, 32), 1_832_624_140_942_590_534);
        assert_eq!(binomial(5, 6), 0);
        assert_eq!(binomial(7, 0), 1);
    }
}

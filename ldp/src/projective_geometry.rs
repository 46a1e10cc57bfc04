// SPDX-License-Identifier: MIT OR Apache-2.0
//! Projective geometry response: large dictionaries with reports of two or three bytes and one counter increment each.
//!
//! Feldman, Nelson, Nguyen and Talwar (ICML 2022, section 3). Values and messages are the points of the projective space over
//! the prime field F_q in t coordinates; a message is in a value's block when the two are orthogonal. It is the block design
//! `(K, r, lambda) = ((q^t - 1)/(q - 1), (q^(t-1) - 1)/(q - 1), (q^(t-2) - 1)/(q - 1))`.
//!
//! A point is written as a number whose t digits in base q are its coordinates. A message is scaled so that its *highest*
//! non-zero digit is 1, a value so that its *lowest* is: then the digit of a message at the place p of a value's 1 follows from
//! the others without a division in the field, and it can be the highest only where it is known anyway.
//!
//! The server adds up the K messages; the space's `block_sums` sums them over every value's block.

use crate::design::{BlockDesign, Blocks};
use crate::domain::DomainSize;
use crate::epsilon::Weights;
use crate::error::ParameterError;
use crate::projective_space::Space;

/// Projective geometry response with its integer channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectiveGeometry {
    pub(crate) design: BlockDesign,
    pub(crate) domain: u32,
    pub(crate) space: Space,
}

impl ProjectiveGeometry {
    /// The channel over `domain` values, with the prime q and the t of least variance at the uniform distribution. Only IEEE
    /// basic operations decide, so every machine agrees.
    ///
    /// # Errors
    /// [`ParameterError::TooManyMessages`] when no space with at most 2^24 points holds the domain.
    pub fn new(domain: DomainSize, weights: Weights) -> Result<Self, ParameterError> {
        let d = u64::from(domain.get());
        let share = 1.0 / f64::from(domain.get());
        let mut best: Option<(f64, BlockDesign, Space)> = None;
        // A prime lies between d and 2d (Chebyshev 1852), and the line over it holds the domain: larger ones only lose.
        for q in (2..=2 * d).filter(|&q| is_prime(q)) {
            let Some(space) = Space::holding(d, q) else { continue };
            let design = space.design(weights);
            let variance = design.support().variance(share);
            if best.as_ref().is_none_or(|(least, ..)| variance < *least) {
                best = Some((variance, design, space));
            }
        }
        let (_, design, space) = best.ok_or(ParameterError::TooManyMessages(domain.get()))?;
        Ok(Self { design, domain: domain.get(), space })
    }

    /// The channel over `domain` values in a geometry of one's own choice: t coordinates over the field of the prime q.
    ///
    /// # Errors
    /// [`ParameterError::NoSuchSpace`] unless q is a prime below 2^18, and the space has as many points as the domain has values but at
    /// most 2^24.
    pub fn over(domain: DomainSize, (q, t): (u64, u32), weights: Weights) -> Result<Self, ParameterError> {
        let space = Space::new(q, t).filter(|_| is_prime(q));
        let space = space.filter(|space| space.points() >= domain.get().into());
        let space = space.ok_or(ParameterError::NoSuchSpace { q, t, domain: domain.get() })?;
        Ok(Self { design: space.design(weights), domain: domain.get(), space })
    }

    /// The same geometry with other weights: for the permanent answers of a memoised metric, whose geometry should suit its reports.
    #[must_use]
    pub fn with_weights(mut self, weights: Weights) -> Self {
        self.design = self.space.design(weights);
        self
    }

    /// (q, t): the field's size and the number of coordinates.
    #[must_use]
    pub fn space(&self) -> (u64, u32) {
        (self.space.q(), self.space.t())
    }

    /// C_v for every value, from the K message counts.
    pub(crate) fn support_counts(&self, messages: &[u64]) -> Vec<u64> {
        self.space.block_sums(messages, self.domain as usize)
    }
}

impl Blocks for ProjectiveGeometry {
    fn design(&self) -> &BlockDesign {
        &self.design
    }

    fn inside(&self, value: u32, index: u64) -> u64 {
        self.space.orthogonal(value.into(), index)
    }

    fn outside(&self, value: u32, index: u64) -> u64 {
        self.space.oblique(value.into(), index)
    }

    fn message(&self, index: u64) -> u64 {
        index
    }
}

fn is_prime(n: u64) -> bool {
    n >= 2 && (2..=n.isqrt()).all(|factor| !n.is_multiple_of(factor))
}

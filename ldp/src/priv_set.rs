// SPDX-License-Identifier: MIT OR Apache-2.0
//! PrivSet: randomise a whole set of at most m items, for dictionaries small enough for a bit mask.
//!
//! Wang et al. (INFOCOM 2018): report k of the items, a selection that meets the set with weight A, any other with B. Sets smaller
//! than m are filled up with m items of their own that mean nothing, so every set has m of `e = d + m` items and every row the total
//! `W = A (C(e,k) - C(e-m,k)) + B C(e-m,k)`; the size is protected too. Better than [`crate::Collision`] when d/m is small.

use crate::combinations::{binomial, unrank};
use crate::design::Channel;
use crate::domain::{Bound, DomainSize};
use crate::epsilon::Weights;
use crate::error::ParameterError;
use crate::support::Support;

/// PrivSet with its integer channel; the mask is a `u64`, so d + m is at most 64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivSet {
    pub(crate) channel: Channel,
    pub(crate) domain: u32,
    pub(crate) bound: u32,
    pub(crate) subset: u32,
}

impl PrivSet {
    /// The mechanism with the k of least variance for an item that nobody holds.
    ///
    /// # Errors
    /// [`ParameterError::BoundOverDomain`], or [`ParameterError::SetMaskTooWide`] when d + m exceeds 64.
    pub fn new(domain: DomainSize, bound: Bound, weights: Weights) -> Result<Self, ParameterError> {
        let (d, m) = (domain.get(), bound.get());
        if m >= d {
            return Err(ParameterError::BoundOverDomain { bound: m, domain: d });
        }
        if d + m > 64 {
            return Err(ParameterError::SetMaskTooWide { domain: d, bound: m });
        }
        let with = |k| Self::with_subset(d, m, k, weights);
        let variance = |s: &Self| s.support().variance(0.0);
        // From k = d + 1 on every selection meets the set.
        Ok((2..=d).map(with).fold(with(1), |best, next| if variance(&next) < variance(&best) { next } else { best }))
    }

    fn with_subset(domain: u32, bound: u32, subset: u32, weights: Weights) -> Self {
        let messages = binomial(domain + bound, subset);
        let channel = Channel { messages, block: messages - binomial(domain, subset), weights };
        Self { channel, domain, bound, subset }
    }

    /// k, the number of items in every report.
    #[must_use]
    pub const fn subset_size(&self) -> u32 {
        self.subset
    }

    /// m, the most items that one workstation's set has.
    #[must_use]
    pub const fn bound(&self) -> u32 {
        self.bound
    }

    /// The chance that an item is in the report, held or not: `A C(e-1,k-1) / W`, and less for those selections that contain the item but
    /// miss the set.
    pub(crate) fn support(&self) -> Support {
        let (a, b) = (self.channel.weights.inside() as f64, self.channel.weights.outside() as f64);
        let containing = binomial(self.domain + self.bound - 1, self.subset - 1) as f64;
        let missing = binomial(self.domain - 1, self.subset - 1) as f64;
        let total = self.channel.total() as f64;
        Support { p_true: a * containing / total, p_false: (a * (containing - missing) + b * missing) / total }
    }

    /// The total variation between two sets without a common item, which no pair exceeds: the selections that meet the one only.
    pub(crate) fn variation(&self) -> f64 {
        let Channel { weights, .. } = self.channel;
        let apart = binomial(self.domain, self.subset) - binomial(self.domain - self.bound, self.subset);
        apart as f64 * (weights.inside() - weights.outside()) as f64 / self.channel.total() as f64
    }

    /// The mask that a uniform integer below the total weight selects for a set of distinct items.
    pub(crate) fn encode(&self, items: &[u32], uniform: u128) -> u64 {
        let fill = self.domain..self.domain + self.bound - u32::try_from(items.len()).unwrap_or(self.bound);
        let set = items.iter().copied().chain(fill).fold(0_u64, |set, item| set | 1 << item);
        let (mut index, first) = match self.channel.pick(uniform) {
            Ok(index) => (index, 1),
            Err(index) => (index, 0),
        };
        // Selections with j items of the set, for j = 1, 2, ... or for j = 0 alone, one block after the other.
        let mut met = first;
        for j in first..self.bound.min(self.subset) {
            let size = binomial(self.bound, j).saturating_mul(binomial(self.domain, self.subset - j));
            let beyond = first > 0 && met == j && index >= size;
            index -= if beyond { size } else { 0 };
            met += u32::from(beyond);
        }
        let others = binomial(self.domain, self.subset - met);
        let (own, other) =
            (unrank(index / others, self.bound, met), unrank(index % others, self.domain, self.subset - met));
        scatter(own, set) | scatter(other, !set)
    }
}

/// Spreads the low bits of `bits` over the places of `places`, lowest first.
fn scatter(bits: u64, places: u64) -> u64 {
    let (mut bits, mut spread) = (bits, 0);
    for place in 0..64 {
        let here = places >> place & 1;
        spread |= (bits & here) << place;
        bits >>= here;
    }
    spread
}

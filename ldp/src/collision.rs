// SPDX-License-Identifier: MIT OR Apache-2.0
//! Collision: randomise a whole set of at most m items at once.
//!
//! A public hash sends the d items into l buckets; the report names one bucket, an occupied one with weight A. Wang et al.
//! (IJCAI 2021); Wheel (PVLDB 13(8), 2020) is its continuous twin. The loss is `ln(A/B)` for the whole set, whatever its
//! size up to m: no padding is needed and the size is protected too. The time that a larger set takes to hash is not: who
//! can time the draw itself, which happens at another moment than the sending, can tell a large set from a small one.
//!
//! # The public seed pool
//! Every report draws one of 65,536 seeds afresh; a seed is never kept by a workstation. The hash of item v under seed s is
//! `mix(s * 2^32 + v) >> 32`, scaled to l buckets by multiply-shift, where `mix` is the finaliser of SplitMix64 (Steele,
//! Lea and Flood, OOPSLA 2014) after adding its golden-ratio increment. It is no secret: any second implementation must give
//! the same buckets.

use rand::CryptoRng;

use crate::design::BlockDesign;
use crate::domain::{Bound, DomainSize};
use crate::epsilon::Weights;
use crate::error::ParameterError;
use crate::sampling::{uniform_below, uniform_below_wide};
use crate::support::Support;
use crate::value::Message;

/// The collision mechanism with its integer weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collision {
    pub(crate) domain: u32,
    pub(crate) bound: u32,
    pub(crate) buckets: u32,
    pub(crate) weights: Weights,
}

impl Collision {
    /// The mechanism with the number of buckets l of least variance for an item that nobody holds. The search climbs from the paper's
    /// near-optimal `floor(m A/B) + 2m - 1`; only IEEE basic operations decide, so every machine agrees.
    ///
    /// # Errors
    /// [`ParameterError::BoundOverDomain`] or [`ParameterError::TooManyBuckets`].
    pub fn new(domain: DomainSize, bound: Bound, epsilon: crate::Epsilon) -> Result<Self, ParameterError> {
        let weights = epsilon.weights();
        let m = u128::from(bound.get());
        if bound.get() >= domain.get() {
            return Err(ParameterError::BoundOverDomain { bound: bound.get(), domain: domain.get() });
        }
        let start = m * u128::from(weights.inside()) / u128::from(weights.outside()) + 2 * m - 1;
        let too_many = |buckets| ParameterError::TooManyBuckets { epsilon, bound: bound.get(), buckets };
        let buckets = u16::try_from(start).map_err(|_| too_many(start))?;
        let with = |buckets| Self { domain: domain.get(), bound: bound.get(), buckets, weights };
        let variance = |buckets| with(buckets).support().variance(0.0);
        let mut buckets = u32::from(buckets);
        while variance(buckets + 1) < variance(buckets) {
            buckets += 1;
        }
        if buckets > u16::MAX.into() { Err(too_many(buckets.into())) } else { Ok(with(buckets)) }
    }

    /// l, the number of buckets.
    #[must_use]
    pub const fn buckets(&self) -> u32 {
        self.buckets
    }

    /// m, the most items that one workstation's set has.
    #[must_use]
    pub const fn bound(&self) -> u32 {
        self.bound
    }

    /// The bucket of an item under a seed.
    #[must_use]
    pub fn bucket(&self, seed: u16, item: u32) -> u16 {
        let hash = mix(u64::from(seed) << 32 | u64::from(item)) >> 32;
        // hash < 2^32 and l < 2^16, so the product's high half is below l.
        #[expect(clippy::cast_possible_truncation, reason = "below l, which is at most 65535")]
        let bucket = (hash * u64::from(self.buckets) >> 32) as u16;
        bucket
    }

    /// (P_t, P_f) over the random seed: `A / Omega` with `Omega = mA + (l - m)B`, and `1 / l`.
    pub(crate) fn support(&self) -> Support {
        let p_true = self.weights.inside() as f64 / self.omega() as f64;
        Support { p_true, p_false: 1.0 / f64::from(self.buckets) }
    }

    /// The design whose pairs of values are this mechanism's worst pairs of sets under any seed: l buckets, m of them
    /// occupied, none in common. `B/Omega` is a minorant under every seed, so a report's chance under a set is u times
    /// `B/Omega`, with u in \[1, A/B\] and a mean that depends on nothing. Splitting u to the ends of its interval with
    /// its mean kept raises every convex function, and so does pairing the high u of one set with the low u of the other.
    pub(crate) fn disjoint_sets(&self) -> BlockDesign {
        BlockDesign::new(self.buckets.into(), self.bound.into(), 0, self.weights)
    }

    pub(crate) fn randomise<R: CryptoRng + ?Sized>(&self, items: &[u32], rng: &mut R) -> Message {
        // The seed is drawn before the set is looked at, so it says nothing about it.
        #[expect(clippy::cast_possible_truncation, reason = "below 65536")]
        let seed = uniform_below(rng, 1 << 16) as u16;
        let occupied = self.occupied(seed, items);
        let uniform = uniform_below_wide(rng, self.row_total(occupied.len()));
        Message::Hashed { seed, bucket: self.encode(&occupied, uniform) }
    }

    /// The distinct buckets that a set occupies, in increasing order.
    pub(crate) fn occupied(&self, seed: u16, items: &[u32]) -> Vec<u16> {
        let mut buckets: Vec<u16> = items.iter().map(|&item| self.bucket(seed, item)).collect();
        buckets.sort_unstable();
        buckets.dedup();
        buckets
    }

    /// The total weight of a row with c occupied buckets, scaled by l - c so that every weight is an integer:
    /// `Omega (l - c)`. An occupied bucket weighs `A (l - c)`, any other `Omega - cA`, which lies between B and A times it.
    pub(crate) fn row_total(&self, occupied: usize) -> u128 {
        self.omega() * self.free(occupied)
    }

    /// The bucket that a uniform integer below [`Self::row_total`] selects.
    pub(crate) fn encode(&self, occupied: &[u16], uniform: u128) -> u16 {
        let (a, free) = (u128::from(self.weights.inside()), self.free(occupied.len()));
        let inside = occupied.len() as u128 * a * free;
        if uniform < inside {
            let index = usize::try_from(uniform / (a * free)).unwrap_or(usize::MAX);
            return occupied[index];
        }
        let each = self.omega() - occupied.len() as u128 * a;
        #[expect(clippy::cast_possible_truncation, reason = "below l, which is at most 65535")]
        let index = ((uniform - inside) / each) as u16;
        // Step over the occupied buckets, which are in increasing order.
        occupied.iter().fold(index, |bucket, &taken| bucket + u16::from(taken <= bucket))
    }

    fn omega(&self) -> u128 {
        let (a, b) = (u128::from(self.weights.inside()), u128::from(self.weights.outside()));
        u128::from(self.bound) * a + u128::from(self.buckets - self.bound) * b
    }

    fn free(&self, occupied: usize) -> u128 {
        u128::from(self.buckets) - occupied as u128
    }

    #[cfg(test)]
    pub(crate) fn for_enumeration(domain: u32, bound: u32, buckets: u32, weights: Weights) -> Self {
        Self { domain, bound, buckets, weights }
    }
}

const fn mix(x: u64) -> u64 {
    let mut z = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mix_is_splitmix64() {
        // The first outputs of SplitMix64 seeded with 0, as published with xoshiro (Blackman and Vigna).
        assert_eq!(mix(0), 0xE220_A839_7B1D_CDAF);
        assert_eq!(mix(0x9E37_79B9_7F4A_7C15), 0x6E78_9E6A_A1B9_65F4);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Many coins at once: exact Bernoulli draws, 64 to a word.
//!
//! A coin shows heads when a uniform 64-bit integer lies below its threshold t, so its chance is exactly `t / 2^64`. The
//! comparison goes from the most significant bit down and is over at the first bit that differs. One word of random bits takes
//! the comparison of 64 coins one bit further; after [`LEVELS`] of them the coins that are still open, one in a word on average,
//! each draw the rest of their integer alone.

use rand::Rng;

/// Bits that 64 coins compare together.
pub(super) const LEVELS: u32 = 6;

/// A coin whose chance of heads is a whole number of `2^-64`, below 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Coin {
    threshold: u64,
}

impl Coin {
    /// The coin whose chance is the greatest multiple of `2^-64` up to `chance`, from 0 to `1 - 2^-64`. It is `chance` itself
    /// from `2^-11` upwards, where every `f64` is such a multiple.
    pub fn new(chance: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates at both ends")]
        Self { threshold: (chance * 2_f64.powi(64)) as u64 }
    }

    /// The chance of heads, `t / 2^64`, rounded to the nearest `f64`.
    pub fn chance(self) -> f64 {
        self.threshold as f64 / 2_f64.powi(64)
    }

    /// One toss.
    pub fn toss<R: Rng + ?Sized>(self, rng: &mut R) -> bool {
        rng.next_u64() < self.threshold
    }

    /// Overwrites every bit with a toss of its own.
    pub fn fill<R: Rng + ?Sized>(self, words: &mut [u64], rng: &mut R) {
        for word in words {
            *word = self.toss_64(rng);
        }
    }

    /// 64 tosses, one in each bit.
    pub fn toss_64<R: Rng + ?Sized>(self, rng: &mut R) -> u64 {
        let (mut heads, mut open) = (0, u64::MAX);
        // Where the threshold has only zeros left, an open coin's integer is not below it: tails, without further bits.
        let last = (u64::BITS - LEVELS).max(self.threshold.trailing_zeros());
        for level in (last..u64::BITS).rev() {
            let digit = (self.threshold >> level & 1).wrapping_neg();
            let bits = rng.next_u64();
            heads |= open & digit & !bits;
            open &= !(digit ^ bits);
        }
        // The rest ends in zeros, so a whole random word compares with it as its upper bits do.
        let rest = self.threshold << LEVELS;
        while rest != 0 && open != 0 {
            let coin = open & open.wrapping_neg();
            open ^= coin;
            if rng.next_u64() < rest {
                heads |= coin;
            }
        }
        heads
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;
    use statrs::distribution::{Binomial, DiscreteCDF};

    #[test]
    fn a_chance_is_a_multiple_of_two_to_the_minus_64() {
        for chance in [0.0, 0.25, 0.5, 1.0 / 3.0, 0.731_058_578_630_004_9, 1.0 - f64::EPSILON] {
            assert_eq!(Coin::new(chance).chance().to_bits(), chance.to_bits());
        }
        assert_eq!(Coin::new(1.0).threshold, u64::MAX);
        assert_eq!(Coin::new(-0.5).threshold, 0);
    }

    /// The thresholds need no level, one level, all levels, and all levels with a rest: the exact two-sided binomial test at
    /// significance 1e-6 for the total, and for each of the 64 lanes at 1e-6 / 64.
    #[test]
    fn heads_come_with_the_stated_chance_in_every_lane() {
        let mut rng = ChaCha20Rng::seed_from_u64(20);
        for chance in [0.0, 0.5, 0.328_125, 1.0 / 3.0, 0.268_941_421_369_995_1, 0.004, 0.99] {
            let coin = Coin::new(chance);
            let mut words = vec![0; 2_003];
            coin.fill(&mut words, &mut rng);
            let unlikely = |trials: u64, heads: u64, significance: f64| {
                let law = Binomial::new(chance, trials).unwrap();
                let tail = law.cdf(heads).min(if heads == 0 { 1.0 } else { law.sf(heads - 1) });
                tail < significance / 2.0
            };
            let total: u64 = words.iter().map(|w| u64::from(w.count_ones())).sum();
            assert!(!unlikely(64 * 2_003, total, 1e-6), "{chance}: {total}");
            for lane in 0..64 {
                let heads: u64 = words.iter().map(|w| w >> lane & 1).sum();
                assert!(!unlikely(2_003, heads, 1e-6 / 64.0), "{chance}, lane {lane}: {heads}");
            }
        }
    }
}

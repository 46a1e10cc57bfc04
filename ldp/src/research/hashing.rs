// SPDX-License-Identifier: MIT OR Apache-2.0
//! Local hashing: a random hash function of the sender's own, and randomised response on the bucket.
//!
//! Wang, Blocki, Li and Jha (USENIX Security 2017).

use rand::{CryptoRng, Rng};

use super::oracle::{FrequencyOracle, PureOracle, check, shares, weight_share};
use crate::design::BlockDesign;
use crate::domain::DomainSize;
use crate::epsilon::Epsilon;
use crate::error::{ParameterError, ResponseError, ValueError};
use crate::sampling::uniform_below;
use crate::support::Support;

/// A hash function of values into g buckets: `floor(g u / 2^32)`, where u is the upper half of `(multiplier v + offset) mod 2^64`.
///
/// For uniform multiplier and offset, u is exactly uniform and any two values' are independent, since keys of at most
/// `64 - 32 + 1` bits and 32 bits of the result fit the word (multiply-add-shift: Dietzfelbinger, STACS 1996; Thorup,
/// arXiv 1504.06804, 2015). A bucket's chance is `1/g` up to `2^-32`; three values' buckets are not independent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MultiplyShift {
    /// any 64 bits
    pub multiplier: u64,
    /// any 64 bits
    pub offset: u64,
}

impl MultiplyShift {
    /// A uniformly random function.
    pub fn draw<R: Rng + ?Sized>(rng: &mut R) -> Self {
        Self { multiplier: rng.next_u64(), offset: rng.next_u64() }
    }

    /// The bucket of a value, below `buckets`.
    #[must_use]
    pub const fn bucket(self, value: u32, buckets: u32) -> u32 {
        let upper = self.multiplier.wrapping_mul(value as u64).wrapping_add(self.offset) >> 32;
        (upper * buckets as u64 >> 32) as u32
    }

    /// Adds 1 to the counts of all values 0, 1, .. in one bucket. The bucket is an interval of u, so that each value costs one
    /// addition and one comparison: a loop that compilers turn into vector instructions.
    fn count_bucket(self, bucket: u32, buckets: u32, counts: &mut [u32]) {
        let start = |bucket: u64| (bucket << 32).div_ceil(buckets.into());
        let first = start(bucket.into());
        #[expect(clippy::cast_possible_truncation, reason = "at most 2^31, as there are two buckets or more")]
        let width = (start(u64::from(bucket) + 1) - first) as u32;
        let mut hash = self.offset.wrapping_sub(first << 32);
        for count in counts {
            let upper = (hash >> 32) as u32;
            *count += u32::from(upper < width);
            hash = hash.wrapping_add(self.multiplier);
        }
    }
}

/// Reports that are counted in 32 bits before they are added up in 64.
const FLUSH: u32 = 1 << 16;

/// Local hashing with g buckets, in the integer channel of randomised response.
///
/// `P_t = A / (A + (g-1)B)`, `P_f = 1/g`; `n Var = (a+g-1)^2 / ((a-1)^2 (g-1))` at f = 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalHashing {
    domain: DomainSize,
    buckets: u32,
    design: BlockDesign,
}

/// A hash function and a randomised bucket under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HashedReport {
    /// the public part
    pub hash: MultiplyShift,
    /// below g
    pub bucket: u32,
}

impl LocalHashing {
    /// Local hashing with a given number of buckets.
    ///
    /// # Errors
    /// [`ParameterError::Buckets`] for fewer than 2.
    pub fn new(domain: DomainSize, epsilon: Epsilon, buckets: u32) -> Result<Self, ParameterError> {
        if buckets < 2 {
            return Err(ParameterError::Buckets(buckets));
        }
        Ok(Self::with_buckets(domain, epsilon, buckets))
    }

    fn with_buckets(domain: DomainSize, epsilon: Epsilon, buckets: u32) -> Self {
        Self { domain, buckets, design: BlockDesign::new(buckets.into(), 1, 0, epsilon.weights()) }
    }

    /// Binary local hashing (BLH): g = 2.
    #[must_use]
    pub fn binary(domain: DomainSize, epsilon: Epsilon) -> Self {
        Self::with_buckets(domain, epsilon, 2)
    }

    /// Optimised local hashing (OLH): `g = round(a) + 1`, of least variance for a rare value among whole numbers near the
    /// paper's `a + 1`.
    #[must_use]
    pub fn optimised(domain: DomainSize, epsilon: Epsilon) -> Self {
        Self::with_buckets(domain, epsilon, rounded_buckets(epsilon))
    }

    /// The g of least variance for a value of share 1/d, which is smaller than OLH's in small dictionaries.
    #[must_use]
    pub fn least_variance(domain: DomainSize, epsilon: Epsilon) -> Self {
        let (a, share) = (epsilon.weights().ratio(), 1.0 / f64::from(domain.get()));
        let variance = |g: u32| hashing_support(a, g).variance(share);
        let best =
            (2..=rounded_buckets(epsilon) + 1).fold(2, |best, g| if variance(g) < variance(best) { g } else { best });
        Self::with_buckets(domain, epsilon, best)
    }

    /// g, the number of buckets.
    #[must_use]
    pub const fn buckets(&self) -> u32 {
        self.buckets
    }
}

fn rounded_buckets(epsilon: Epsilon) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to e^16 < 2^24")]
    let a = f64::from(epsilon).exp().round() as u32;
    a + 1
}

fn hashing_support(a: f64, buckets: u32) -> Support {
    let g = f64::from(buckets);
    Support { p_true: a / (a + g - 1.0), p_false: 1.0 / g }
}

impl FrequencyOracle for LocalHashing {
    type Report = HashedReport;
    type Cell = u64;

    fn domain(&self) -> u32 {
        self.domain.get()
    }

    fn randomise<R: CryptoRng + ?Sized>(&self, value: u32, rng: &mut R) -> Result<HashedReport, ValueError> {
        check(value, self.domain())?;
        let hash = MultiplyShift::draw(rng);
        let own = hash.bucket(value, self.buckets);
        let bucket = match self.design.channel.pick(uniform_below(rng, self.design.channel.total())) {
            Ok(_) => own,
            #[expect(clippy::cast_possible_truncation, reason = "below g")]
            Err(other) => other as u32 + u32::from(other >= own.into()),
        };
        Ok(HashedReport { hash, bucket })
    }

    fn likelihood(&self, value: u32, report: &HashedReport) -> f64 {
        weight_share(self.design.channel, report.hash.bucket(value, self.buckets) == report.bucket)
    }

    fn aggregate<'a>(&self, reports: impl IntoIterator<Item = &'a HashedReport>) -> Result<Vec<u64>, ResponseError> {
        let mut counts = vec![0_u64; self.cells()];
        let mut recent = vec![0_u32; self.cells()];
        let mut held = 0_u32;
        let mut flush = |recent: &mut [u32]| {
            counts.iter_mut().zip(recent).for_each(|(count, recent)| *count += u64::from(std::mem::take(recent)));
        };
        for report in reports {
            if report.bucket >= self.buckets {
                return Err(ResponseError::OutOfRange);
            }
            if held == FLUSH {
                flush(&mut recent);
                held = 0;
            }
            report.hash.count_bucket(report.bucket, self.buckets, &mut recent);
            held += 1;
        }
        flush(&mut recent);
        Ok(counts)
    }

    fn estimate(&self, cells: &[u64], reports: u64) -> Vec<f64> {
        shares(self, cells, reports)
    }

    fn variance(&self, share: f64) -> f64 {
        self.support().variance(share)
    }
}

impl PureOracle for LocalHashing {
    fn support(&self) -> Support {
        hashing_support(self.design.channel.weights.ratio(), self.buckets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;

    /// The interval walk against the hash itself, for buckets that divide 2^32 and do not; and step by step over the ends of
    /// the intervals.
    #[test]
    fn the_walk_counts_the_values_of_the_bucket() {
        let mut rng = ChaCha20Rng::seed_from_u64(22);
        for buckets in [2, 3, 4, 7, 56, 8_886_112] {
            for domain in [2, 7, 8, 9, 1000] {
                let drawn = MultiplyShift::draw(&mut rng);
                let near = |end: u64| MultiplyShift { multiplier: 1 << 32, offset: (end - 4) << 32 };
                let ends = [1 << 32, (1 << 32) / u64::from(buckets), (2 << 32) / u64::from(buckets)].map(near);
                for hash in [drawn].into_iter().chain(ends) {
                    for bucket in [hash.bucket(0, buckets), hash.bucket(domain - 1, buckets), 0, buckets - 1] {
                        let mut counts = vec![0; domain as usize];
                        hash.count_bucket(bucket, buckets, &mut counts);
                        let expected: Vec<u32> =
                            (0..domain).map(|v| u32::from(hash.bucket(v, buckets) == bucket)).collect();
                        assert_eq!(counts, expected, "g={buckets} d={domain} bucket={bucket} {hash:?}");
                    }
                }
            }
        }
    }

    /// The theorem that the hash rests on, exhausted in a word of 8 bits: keys of 4 bits, the upper 5 bits of the result,
    /// and the condition that bounds them, 4 + 5 - 1 <= 8. One bit more of the result and it fails.
    #[test]
    fn multiply_add_shift_is_pairwise_independent_up_to_its_bound() {
        let is_pairwise = |bits: u32| {
            (0..16_u8).flat_map(|x| (0..x).map(move |y| (x, y))).all(|(x, y)| {
                let mut pairs = vec![0_u32; 1 << (2 * bits)];
                for multiplier in 0..=255_u8 {
                    for offset in 0..=255_u8 {
                        let top =
                            |key: u8| usize::from(multiplier.wrapping_mul(key).wrapping_add(offset) >> (8 - bits));
                        pairs[top(x) << bits | top(y)] += 1;
                    }
                }
                pairs.iter().all(|&count| count == 1 << (16 - 2 * bits))
            })
        };
        assert!(is_pairwise(5));
        assert!(!is_pairwise(6));
    }

    #[test]
    fn reports_beyond_one_flush_are_counted() {
        let oracle = LocalHashing::binary(DomainSize::try_from(2).unwrap(), Epsilon::try_from(1.0).unwrap());
        let mut rng = ChaCha20Rng::seed_from_u64(23);
        let reports: Vec<HashedReport> =
            (0..2 * FLUSH + 3).map(|i| oracle.randomise(i % 2, &mut rng).unwrap()).collect();
        let supports = |v| reports.iter().filter(|report| report.hash.bucket(v, 2) == report.bucket).count() as u64;
        assert_eq!(oracle.aggregate(&reports), Ok(vec![supports(0), supports(1)]));
    }

    #[test]
    fn the_numbers_of_buckets() {
        let of = |e: f64, make: fn(DomainSize, Epsilon) -> LocalHashing, d: u64| {
            make(DomainSize::try_from(d).unwrap(), Epsilon::try_from(e).unwrap()).buckets()
        };
        for (e, g) in [(0.5, 3), (1.0, 4), (2.0, 8), (4.0, 56), (16.0, 8_886_112)] {
            assert_eq!(of(e, LocalHashing::optimised, 1000), g, "{e}");
        }
        assert_eq!(of(1.0, LocalHashing::binary, 9), 2);
        let (domain, epsilon) = (DomainSize::try_from(9).unwrap(), Epsilon::try_from(1.0).unwrap());
        assert_eq!(LocalHashing::new(domain, epsilon, 1), Err(ParameterError::Buckets(1)));
    }
}

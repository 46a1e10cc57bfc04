// SPDX-License-Identifier: MIT OR Apache-2.0
//! Count mean sketch: one of k public hash functions into m buckets, and a frequency oracle over the buckets.
//!
//! Apple, Learning with Privacy at Scale (2017): CMS with symmetric unary encoding of the bucket, HCMS with
//! one Hadamard sign of it.

use std::num::NonZeroU16;

use rand::{CryptoRng, RngExt};

use super::hadamard::OneBitHadamard;
use super::oracle::{FrequencyOracle, PureOracle, check, shares};
use super::unary::UnaryEncoding;
use crate::domain::DomainSize;
use crate::epsilon::Epsilon;
use crate::error::{ResponseError, ValueError};
use crate::support::Support;

/// A count mean sketch around the oracle that randomises a bucket.
///
/// Over fresh hash functions it is pure: a value's bucket is supported with the inner P_t by its holders, and with
/// `P_f = P_t' / m + (1 - 1/m) P_f'` by the others; `(C_v/n - P_f) / (P_t - P_f)` is Apple's estimator. But all senders share
/// the k functions, so collisions repeat: [`Self::collision_variance`] is to be added to `variance(f) / n`, and unbiasedness is
/// over the draw of the functions.
#[derive(Clone, Debug, PartialEq)]
pub struct CountMeanSketch<O> {
    domain: DomainSize,
    buckets: O,
    hashes: Vec<Polynomial>,
}

/// Apple's count mean sketch.
pub type Cms = CountMeanSketch<UnaryEncoding>;
/// Apple's Hadamard count mean sketch.
pub type Hcms = CountMeanSketch<OneBitHadamard>;

/// The index of a hash function and the randomised bucket under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SketchReport<T> {
    /// the public part, below k
    pub row: u16,
    /// the inner oracle's report
    pub content: T,
}

impl Cms {
    /// CMS with `rows` (k) hash functions into `width` (m) buckets. The generator draws the functions, which are public.
    pub fn new<R: CryptoRng + ?Sized>(
        domain: DomainSize,
        epsilon: Epsilon,
        rows: NonZeroU16,
        width: DomainSize,
        rng: &mut R,
    ) -> Self {
        Self::over(domain, UnaryEncoding::symmetric(width, epsilon), rows, rng)
    }
}

impl Hcms {
    /// HCMS, with the parameters of [`Cms::new`].
    pub fn new<R: CryptoRng + ?Sized>(
        domain: DomainSize,
        epsilon: Epsilon,
        rows: NonZeroU16,
        width: DomainSize,
        rng: &mut R,
    ) -> Self {
        Self::over(domain, OneBitHadamard::new(width, epsilon), rows, rng)
    }
}

impl<O: PureOracle> CountMeanSketch<O> {
    fn over<R: CryptoRng + ?Sized>(domain: DomainSize, buckets: O, rows: NonZeroU16, rng: &mut R) -> Self {
        let hashes = (0..rows.get()).map(|_| Polynomial::draw(rng)).collect();
        Self { domain, buckets, hashes }
    }

    /// What sharing the hash functions adds to the variance of a value's estimate, whatever the number of reports:
    /// `sum f_u^2 / (k (m-1))` over the other values u.
    ///
    /// The sum of the other values' shares that fall into v's bucket, averaged over the k functions, has variance
    /// `sum f_u^2 (1/m) (1 - 1/m) / k` by the functions' three-wise independence; the estimator scales it by `m / (m-1)`. Of
    /// this, one n-th is already in `variance`.
    #[must_use]
    pub fn collision_variance(&self, other_shares: &[f64]) -> f64 {
        let squares: f64 = other_shares.iter().map(|share| share * share).sum();
        squares / (self.hashes.len() as f64 * (f64::from(self.buckets.domain()) - 1.0))
    }
}

impl<O: PureOracle> FrequencyOracle for CountMeanSketch<O> {
    type Report = SketchReport<O::Report>;
    type Cell = u64;

    fn domain(&self) -> u32 {
        self.domain.get()
    }

    /// The inner oracle's, for each of the k functions.
    fn cells(&self) -> usize {
        self.hashes.len() * self.buckets.cells()
    }

    fn randomise<R: CryptoRng + ?Sized>(&self, value: u32, rng: &mut R) -> Result<Self::Report, ValueError> {
        check(value, self.domain())?;
        let index = rng.random_range(0..self.hashes.len());
        let bucket = self.hashes[index].bucket(value, self.buckets.domain());
        Ok(SketchReport {
            row: u16::try_from(index).unwrap_or(u16::MAX),
            content: self.buckets.randomise(bucket, rng)?,
        })
    }

    fn likelihood(&self, value: u32, report: &Self::Report) -> f64 {
        let bucket = |hash: &Polynomial| hash.bucket(value, self.buckets.domain());
        let hash = self.hashes.get(usize::from(report.row));
        hash.map_or(0.0, |hash| self.buckets.likelihood(bucket(hash), &report.content))
    }

    fn aggregate<'a>(&self, reports: impl IntoIterator<Item = &'a Self::Report>) -> Result<Vec<u64>, ResponseError> {
        let mut by_row: Vec<Vec<&O::Report>> = vec![Vec::new(); self.hashes.len()];
        for report in reports {
            by_row.get_mut(usize::from(report.row)).ok_or(ResponseError::OutOfRange)?.push(&report.content);
        }
        let mut cells = Vec::with_capacity(self.cells());
        for row in by_row {
            cells.extend(self.buckets.aggregate(row)?);
        }
        Ok(cells)
    }

    fn estimate(&self, cells: &[u64], reports: u64) -> Vec<f64> {
        shares(self, cells, reports)
    }

    fn variance(&self, share: f64) -> f64 {
        self.support().variance(share)
    }
}

impl<O: PureOracle> PureOracle for CountMeanSketch<O> {
    fn support(&self) -> Support {
        let Support { p_true, p_false } = self.buckets.support();
        let hit = 1.0 / f64::from(self.buckets.domain());
        Support { p_true, p_false: hit * p_true + (1.0 - hit) * p_false }
    }

    fn support_counts(&self, cells: &[u64]) -> Vec<u64> {
        let mut counts = vec![0; self.domain() as usize];
        for (hash, cells) in self.hashes.iter().zip(cells.chunks(self.buckets.cells())) {
            let inner = self.buckets.support_counts(cells);
            for (value, count) in (0..).zip(&mut counts) {
                let bucket = hash.bucket(value, self.buckets.domain()) as usize;
                *count += inner.get(bucket).copied().unwrap_or(0);
            }
        }
        counts
    }
}

/// The Mersenne prime `2^61 - 1`.
const PRIME: u64 = (1 << 61) - 1;

/// A random polynomial of degree 2 over the field of `2^61 - 1`: the results of any three values are independent and uniform
/// (Wegman and Carter, JCSS 1981). Scaled to m buckets, a bucket's chance is `1/m` up to `2^-61`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Polynomial([u64; 3]);

impl Polynomial {
    fn draw<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        Self(std::array::from_fn(|_| rng.random_range(0..PRIME)))
    }

    fn at(self, value: u32) -> u64 {
        let step = |sum: u64, coefficient: u64| {
            let product = u128::from(sum) * u128::from(value) + u128::from(coefficient);
            #[expect(clippy::cast_possible_truncation, reason = "below the prime")]
            let residue = (product % u128::from(PRIME)) as u64;
            residue
        };
        self.0.into_iter().fold(0, step)
    }

    fn bucket(self, value: u32, buckets: u32) -> u32 {
        #[expect(clippy::cast_possible_truncation, reason = "below the number of buckets")]
        let bucket = (u128::from(self.at(value)) * u128::from(buckets) / u128::from(PRIME)) as u32;
        bucket
    }
}

#[cfg(test)]
mod tests {
    use super::super::bits::BitVector;
    use super::super::hadamard::SignReport;
    use super::super::oracle_tests::{all_masks, assert_channel, assert_estimates, assert_fits, domain, epsilon};
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;

    /// Under the functions drawn, a value is supported by the holders of another in the share of rows where they collide as if
    /// they held it.
    fn assert_sketch<O: PureOracle>(sketch: &CountMeanSketch<O>, contents: &[O::Report], public: f64, loss: f64)
    where
        O::Report: Clone + PartialEq + std::fmt::Debug,
    {
        let rows = u16::try_from(sketch.hashes.len()).unwrap();
        let with_row = |row| contents.iter().map(move |content| SketchReport { row, content: content.clone() });
        let reports: Vec<_> = (0..rows).flat_map(with_row).collect();
        let m = sketch.buckets.domain();
        let Support { p_true, p_false } = sketch.buckets.support();
        assert_channel(sketch, &reports, public * f64::from(rows), loss, |value, other| {
            let hits = sketch.hashes.iter().filter(|hash| hash.bucket(value, m) == hash.bucket(other, m)).count();
            let hit = hits as f64 / f64::from(rows);
            hit * p_true + (1.0 - hit) * p_false
        });
    }

    #[test]
    fn sketches_are_their_channels() {
        let mut rng = ChaCha20Rng::seed_from_u64(30);
        let (d, rows) = (domain(6), 3.try_into().unwrap());
        for e in [0.5, 2.0] {
            let cms = Cms::new(d, epsilon(e), rows, domain(4), &mut rng);
            assert_sketch::<UnaryEncoding>(&cms, &all_masks(4) as &[BitVector], 1.0, e);
            let hcms = Hcms::new(d, epsilon(e), rows, domain(4), &mut rng);
            let signs = (0..4).flat_map(|row| [false, true].map(|positive| SignReport { row, positive }));
            assert_sketch(&hcms, &signs.collect::<Vec<_>>(), 4.0, e);
        }
    }

    /// Functions drawn anew for each round: the estimator is unbiased over them, and the shared collisions show in the variance.
    #[test]
    fn estimates_are_unbiased_and_collide_as_stated() {
        let (d, e, rows, width) = (domain(6), epsilon(1.0), 4.try_into().unwrap(), domain(4));
        let shares = [0.4, 0.25, 0.15, 0.1, 0.1, 0.0];
        // One n-th, of 240, is in the variance already.
        let others = |value: u32| {
            let mut others = shares.to_vec();
            others.remove(value as usize);
            others
        };
        assert_estimates(
            "CMS",
            240,
            |rng| Cms::new(d, e, rows, width, rng),
            |sketch, value| sketch.collision_variance(&others(value)) * 239.0 / 240.0,
        );
        assert_estimates(
            "HCMS",
            240,
            |rng| Hcms::new(d, e, rows, width, rng),
            |sketch, value| sketch.collision_variance(&others(value)) * 239.0 / 240.0,
        );
    }

    /// Apple's server algorithms as the paper writes them, on the same reports: `M` with de-biased entries, then
    /// `m / (m-1) ((1/k) sum M - n/m)`.
    #[test]
    fn the_pure_estimator_is_apples() {
        let mut rng = ChaCha20Rng::seed_from_u64(31);
        let (k, m, n) = (4_u16, 8_u32, 500);
        let root = 0.5_f64.exp();
        let cms = Cms::new(domain(10), epsilon(1.0), k.try_into().unwrap(), domain(m), &mut rng);
        let reports: Vec<_> = (0..n).map(|i| cms.randomise(i % 10, &mut rng).unwrap()).collect();
        let c = (root + 1.0) / (root - 1.0);
        let mut sketch = vec![vec![0.0; m as usize]; usize::from(k)];
        for report in &reports {
            for (bucket, cell) in (0..).zip(&mut sketch[usize::from(report.row)]) {
                let sign = if report.content.get(bucket) { 1.0 } else { -1.0 };
                *cell += f64::from(k) * (c / 2.0 * sign + 0.5);
            }
        }
        let estimates = cms.estimate(&cms.aggregate(&reports).unwrap(), n.into());
        for (value, estimate) in (0..).zip(estimates) {
            let rows = cms.hashes.iter().zip(&sketch);
            let sum: f64 = rows.map(|(hash, row)| row[hash.bucket(value, m) as usize]).sum();
            let (width, total) = (f64::from(m), f64::from(n));
            let apple = width / (width - 1.0) * (sum / f64::from(k) - total / width) / total;
            assert!((estimate - apple).abs() < 1e-9, "{value}: {estimate} {apple}");
        }
    }

    /// Chi-squared at significance 1e-6 over the buckets of three values under 50,000 random functions.
    #[test]
    fn polynomials_are_three_wise_independent() {
        let mut rng = ChaCha20Rng::seed_from_u64(32);
        let m = 5;
        let mut seen = vec![0; 125];
        for _ in 0..50_000 {
            let hash = Polynomial::draw(&mut rng);
            let index = [3, 4, 99_999].into_iter().fold(0, |index, v| index * m + hash.bucket(v, m));
            seen[index as usize] += 1;
        }
        assert_fits(&seen, &vec![400.0; 125], "triples of buckets");
        // 3 + 5v + 7v^2 at v = 10, and modulo the prime at the largest coefficients.
        assert_eq!(Polynomial([7, 5, 3]).at(10), 753);
        assert_eq!(Polynomial([PRIME - 1, PRIME - 1, 0]).at(2), PRIME - 6);
    }
}

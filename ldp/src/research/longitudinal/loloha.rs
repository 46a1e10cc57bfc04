// SPDX-License-Identifier: MIT OR Apache-2.0
//! LOLOHA: every workstation hashes its value into g buckets with a hash of its own, then randomises the bucket twice,
//! the first time for good (Arcolezi, Pinzon, Palamidessi and Gambs, EDBT 2023, arXiv 2210.00262).
//!
//! The hash is drawn once and sent with every report, so the seed itself names the workstation: two weeks of reports
//! are linked with certainty, whatever the bucket says ([`Longitudinal::link_score`]).
//! [`Longitudinal::linkability_bits`] counts the bucket alone.

use std::collections::BTreeMap;

use rand::Rng;

use super::{Calibration, Longitudinal, chain::Chain};
use crate::research::MultiplyShift;
use crate::{DomainSize, Epsilon, ParameterError, Support, ValueError};

/// LOLOHA over d values and g buckets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loloha {
    domain: u32,
    buckets: u32,
    chain: Chain,
}

/// What a LOLOHA workstation keeps: its hash and the permanent response to every bucket that it has been in, at most g.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LolohaClient {
    hash: MultiplyShift,
    memo: BTreeMap<u32, u64>,
}

/// A report: the workstation's hash and a randomised bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LolohaReport {
    hash: MultiplyShift,
    bucket: u64,
}

impl Loloha {
    /// The protocol with g `buckets`.
    ///
    /// # Errors
    /// [`ParameterError::HashBuckets`] outside 2 to 65535, [`ParameterError::FirstReport`] unless `first < infinity`.
    pub fn new(
        domain: DomainSize,
        buckets: u32,
        infinity: Epsilon,
        first: Epsilon,
        calibration: Calibration,
    ) -> Result<Self, ParameterError> {
        if !(2..=65_535).contains(&buckets) {
            return Err(ParameterError::HashBuckets(buckets));
        }
        Ok(Self { domain: domain.get(), buckets, chain: calibration.chain(buckets, infinity, first)? })
    }

    /// BiLOLOHA: two buckets, where both calibrations agree.
    ///
    /// # Errors
    /// [`ParameterError::FirstReport`] unless `first < infinity`.
    pub fn binary(domain: DomainSize, infinity: Epsilon, first: Epsilon) -> Result<Self, ParameterError> {
        Self::new(domain, 2, infinity, first, Calibration::Exact)
    }

    /// OLOLOHA: the g of least variance at share 0 for the calibration ([`published_buckets`] or [`exact_buckets`]).
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn optimal(
        domain: DomainSize,
        infinity: Epsilon,
        first: Epsilon,
        calibration: Calibration,
    ) -> Result<Self, ParameterError> {
        if first >= infinity {
            return Err(ParameterError::FirstReport { first, infinity });
        }
        let buckets = match calibration {
            Calibration::Published => published_buckets(infinity, first),
            Calibration::Exact => exact_buckets(first),
        };
        Self::new(domain, buckets, infinity, first, calibration)
    }

    /// g
    #[must_use]
    pub fn buckets(&self) -> u32 {
        self.buckets
    }

    /// The chain behind it: the design K = g, r = 1.
    #[must_use]
    pub fn chain(&self) -> &Chain {
        &self.chain
    }
}

/// g of OLOLOHA as published, for `first < infinity`:
/// `1 + max(1, round((1 - A^2 + sqrt(A^4 - 14 A^2 + 12 A A_1 (1 - A A_1) + 12 A^3 A_1 + 1)) / (6 (A - A_1))))`.
#[must_use]
pub fn published_buckets(infinity: Epsilon, first: Epsilon) -> u32 {
    let (a, b) = (f64::from(infinity).exp(), f64::from(first).exp());
    let square = a.powi(4) - 14.0 * a * a + 12.0 * a * b * (1.0 - a * b) + 12.0 * a.powi(3) * b + 1.0;
    whole(((1.0 - a * a + square.sqrt()) / (6.0 * (a - b))).round().max(1.0)).saturating_add(1)
}

/// g of least variance at share 0 when the report is exactly local hashing at `epsilon_1`: the whole number beside
/// `A_1 + 1` that minimises `(A_1 + g - 1)^2 / (g - 1)` (Wang, Blocki, Li and Jha, USENIX Security 2017, section 4.4).
#[must_use]
pub fn exact_buckets(first: Epsilon) -> u32 {
    let a = f64::from(first).exp();
    let below = a.floor();
    // Of two neighbours h and h + 1 the second is better exactly when A_1^2 > h (h + 1).
    whole(below + f64::from(u8::from(a * a > below * (below + 1.0)))).saturating_add(1)
}

/// A whole non-negative float as an integer, or the largest.
fn whole(x: f64) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the cast saturates, which is meant")]
    let x = x as u32;
    x
}

impl Longitudinal for Loloha {
    type Client = LolohaClient;
    type Report = LolohaReport;

    fn enrol<R: Rng + ?Sized>(&self, rng: &mut R) -> LolohaClient {
        LolohaClient { hash: MultiplyShift::draw(rng), memo: BTreeMap::new() }
    }

    fn report<R: Rng + ?Sized>(
        &self,
        client: &mut LolohaClient,
        value: u32,
        rng: &mut R,
    ) -> Result<LolohaReport, ValueError> {
        if value >= self.domain {
            return Err(ValueError::OutOfRange);
        }
        let bucket = client.hash.bucket(value, self.buckets);
        let memo = *client.memo.entry(bucket).or_insert_with(|| self.chain.permanent_symbol(bucket.into(), rng));
        Ok(LolohaReport { hash: client.hash, bucket: self.chain.refresh(memo, rng) })
    }

    fn supports(&self, report: &LolohaReport, value: u32) -> Option<bool> {
        Some(u64::from(report.hash.bucket(value, self.buckets)) == report.bucket)
    }

    fn support(&self) -> Support {
        Support { p_true: self.chain.weekly_chances().inside, p_false: 1.0 / f64::from(self.buckets) }
    }

    fn epsilon_first(&self) -> f64 {
        self.chain.epsilon_first()
    }

    fn epsilon_infinity(&self) -> f64 {
        self.chain.epsilon_infinity()
    }

    fn linkability_bits(&self) -> f64 {
        self.chain.linkability_bits()
    }

    fn linkability_bits_unknown_value(&self) -> f64 {
        self.chain.linkability_bits_unknown_value()
    }

    fn link_score(&self, value: u32, first: &LolohaReport, second: &LolohaReport) -> f64 {
        if first.hash != second.hash {
            return f64::NEG_INFINITY;
        }
        let held = u64::from(first.hash.bucket(value, self.buckets));
        self.chain.link_score(first.bucket == held, second.bucket == held, first.bucket == second.bucket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::research::longitudinal::testing::{domain, epsilon};

    /// n Var at share 0 of the exact calibration is local hashing's `(A_1 + g - 1)^2 / ((A_1 - 1)^2 (g - 1))`.
    #[test]
    fn the_exact_calibration_is_one_shot_local_hashing() {
        for (infinity, first) in [(1.0, 0.5), (2.0, 1.0), (4.0, 2.0)] {
            for g in [2, 3, 8] {
                let m = Loloha::new(domain(50), g, epsilon(infinity), epsilon(first), Calibration::Exact).unwrap();
                let (a, h) = (f64::exp(first), f64::from(g) - 1.0);
                assert!((m.variance(0.0) / ((a + h).powi(2) / ((a - 1.0).powi(2) * h)) - 1.0).abs() < 1e-12);
                assert!((m.epsilon_first() - first).abs() < 1e-12);
            }
        }
    }

    /// Both closed forms of g against a search over every g up to 300.
    #[test]
    fn the_numbers_of_buckets_are_the_best() {
        let search = |infinity: f64, first: f64, calibration| {
            let variance =
                |g| Loloha::new(domain(9), g, epsilon(infinity), epsilon(first), calibration).unwrap().variance(0.0);
            (2..=300).min_by(|&g, &h| variance(g).total_cmp(&variance(h))).unwrap()
        };
        for (infinity, first) in [(1.0, 0.5), (2.0, 1.0), (4.0, 2.0), (5.0, 2.5), (5.0, 1.0), (4.0, 0.9), (5.0, 4.0)] {
            let published = published_buckets(epsilon(infinity), epsilon(first));
            assert_eq!(published, search(infinity, first, Calibration::Published), "{infinity} {first}");
            assert_eq!(
                exact_buckets(epsilon(first)),
                search(infinity, first, Calibration::Exact),
                "{infinity} {first}"
            );
        }
        // LDP.md section 2.3.
        for (first, g) in [(0.5, 3), (1.0, 4), (2.0, 8), (4.0, 56)] {
            assert_eq!(exact_buckets(epsilon(first)), g);
        }
    }

    /// LDP.md section 2.9 gives 1.04 to 1.14; the gain ends a little lower where epsilon_1 is far below
    /// epsilon_infinity.
    #[test]
    fn gains_of_the_exact_calibration() {
        let listed =
            [(1.0, 0.5, "1.05"), (2.0, 1.0, "1.14"), (4.0, 2.0, "1.10"), (4.0, 1.0, "1.04"), (5.0, 1.0, "1.02")];
        for (infinity, first, printed) in listed {
            let variance = |calibration| {
                let m = Loloha::optimal(domain(9), epsilon(infinity), epsilon(first), calibration).unwrap();
                m.variance(0.0)
            };
            let gain = variance(Calibration::Published) / variance(Calibration::Exact);
            assert_eq!(format!("{gain:.2}"), printed, "{infinity} {first}");
        }
    }

    /// LDP.md section 2.9, "LOLOHA bits": 0.1 and 0.25 are for an unknown, uniform bucket at the exact g; with the
    /// value known half and a tenth of that remain.
    #[test]
    fn linkability_is_that_of_the_table() {
        for (infinity, first, unknown, known) in [(2.0, 1.0, "0.11", "0.048"), (4.0, 2.0, "0.25", "0.020")] {
            let m = Loloha::optimal(domain(9), epsilon(infinity), epsilon(first), Calibration::Exact).unwrap();
            assert_eq!(format!("{:.2}", m.chain().linkability_bits_unknown_value()), unknown);
            assert_eq!(format!("{:.3}", m.linkability_bits()), known);
        }
    }

    /// Two values collide with chance 1/g over the hashes: 40,000 hashes, within 4.9 standard errors.
    #[test]
    fn two_values_share_a_bucket_with_chance_one_in_g() {
        use rand::SeedableRng;
        let mut rng = rand::rngs::ChaCha20Rng::seed_from_u64(29);
        for (g, v, w) in [(2, 0, 1), (3, 5, 6), (8, 0, 99_999), (56, 1, 65_537)] {
            let m = Loloha::new(domain(100_000), g, epsilon(2.0), epsilon(1.0), Calibration::Exact).unwrap();
            let draws = 40_000;
            let collisions: u32 = (0..draws)
                .map(|_| {
                    let hash = m.enrol(&mut rng).hash;
                    u32::from(hash.bucket(v, g) == hash.bucket(w, g))
                })
                .sum();
            let p = 1.0 / f64::from(g);
            let z = (f64::from(collisions) / f64::from(draws) - p) / (p * (1.0 - p) / f64::from(draws)).sqrt();
            assert!(z.abs() < 4.9, "g={g}: z = {z}");
        }
    }

    #[test]
    fn parameters_out_of_range_are_refused() {
        let (two, one) = (epsilon(2.0), epsilon(1.0));
        let new = |g, infinity, first| Loloha::new(domain(9), g, infinity, first, Calibration::Exact);
        assert_eq!(new(1, two, one), Err(ParameterError::HashBuckets(1)));
        assert_eq!(new(65_536, two, one), Err(ParameterError::HashBuckets(65_536)));
        assert_eq!(new(4, one, one), Err(ParameterError::FirstReport { first: one, infinity: one }));
        for calibration in [Calibration::Published, Calibration::Exact] {
            assert!(Loloha::optimal(domain(9), one, two, calibration).is_err());
        }
        assert!(Loloha::binary(domain(9), two, one).is_ok());
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Unary encodings: one bit, or one real number, for every value.
//!
//! Wang, Blocki, Li and Jha (USENIX Security 2017). The chances are floating point.

use rand::CryptoRng;

use super::bits::{BitVector, count_columns};
use super::coin::Coin;
use super::oracle::{FrequencyOracle, PureOracle, check, shares};
use crate::domain::DomainSize;
use crate::epsilon::Epsilon;
use crate::error::{ParameterError, ResponseError, ValueError};
use crate::support::Support;

/// Unary encoding: every value's bit is a coin of its own, p for the value that is held and q for the others.
///
/// Its loss is `ln(p (1-q) / ((1-p) q))`, since two values differ in two bits; `n Var = s (1-s) / (p-q)^2` with
/// `s = q + f (p-q)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnaryEncoding {
    domain: DomainSize,
    held: Coin,
    other: Coin,
}

impl UnaryEncoding {
    /// Unary encoding with any two chances of a bit.
    ///
    /// # Errors
    /// [`ParameterError::Chances`] unless `0 < q < p < 1`.
    pub fn new(domain: DomainSize, p: f64, q: f64) -> Result<Self, ParameterError> {
        if !(0.0 < q && q < p && p < 1.0) {
            return Err(ParameterError::Chances { larger: p, smaller: q });
        }
        Ok(Self::with_chances(domain, p, q))
    }

    fn with_chances(domain: DomainSize, p: f64, q: f64) -> Self {
        Self { domain, held: Coin::new(p), other: Coin::new(q) }
    }

    /// Symmetric unary encoding (SUE), basic RAPPOR's one-shot form: `p = sqrt(a) / (sqrt(a) + 1)`, `q = 1 - p` with
    /// `a = e^epsilon`; `n Var = sqrt(a) / (sqrt(a) - 1)^2` at f = 0.
    #[must_use]
    pub fn symmetric(domain: DomainSize, epsilon: Epsilon) -> Self {
        let root = (f64::from(epsilon) / 2.0).exp();
        Self::with_chances(domain, root / (root + 1.0), 1.0 / (root + 1.0))
    }

    /// Optimised unary encoding (OUE): `p = 1/2`, `q = 1 / (a + 1)`; `n Var = 4a / (a-1)^2` at f = 0, the least of all unary
    /// encodings.
    #[must_use]
    pub fn optimised(domain: DomainSize, epsilon: Epsilon) -> Self {
        Self::with_chances(domain, 0.5, 1.0 / (f64::from(epsilon).exp() + 1.0))
    }

    /// Thresholding with histogram encoding (THE) at its best threshold: a value's bit says whether its number in a report of
    /// [`HistogramEncoding`] exceeds theta, so `p = 1 - e^(epsilon (theta-1) / 2) / 2` and `q = e^(-epsilon theta / 2) / 2`.
    /// Only the bits are of use, and they are independent coins: they are drawn as such, without the numbers. Their loss is
    /// less than epsilon, which pays for the whole numbers ([`Self::loss`]).
    #[must_use]
    pub fn thresholded(domain: DomainSize, epsilon: Epsilon) -> Self {
        let (p, q) = threshold_chances(f64::from(epsilon), best_threshold(f64::from(epsilon)));
        Self::with_chances(domain, p, q)
    }

    /// The privacy loss `ln(p (1-q) / ((1-p) q))`.
    #[must_use]
    pub fn loss(&self) -> f64 {
        let (p, q) = (self.held.chance(), self.other.chance());
        (p / q).ln() + ((1.0 - q) / (1.0 - p)).ln()
    }
}

/// (p, q) of THE at a threshold between 0 and 1: Laplace noise of scale `2 / epsilon` on a 1 or a 0 exceeds theta.
fn threshold_chances(epsilon: f64, theta: f64) -> (f64, f64) {
    (1.0 - 0.5 * (epsilon * (theta - 1.0) / 2.0).exp(), 0.5 * (-epsilon * theta / 2.0).exp())
}

/// The theta in (1/2, 1) with the least `q (1-q) / (p-q)^2`, by ternary search: the variance falls, then rises.
fn best_threshold(epsilon: f64) -> f64 {
    let variance = |theta| {
        let (p, q) = threshold_chances(epsilon, theta);
        q * (1.0 - q) / (p - q).powi(2)
    };
    let (mut low, mut high) = (0.5, 1.0);
    for _ in 0..100 {
        let third = (high - low) / 3.0;
        if variance(low + third) < variance(high - third) { high -= third } else { low += third }
    }
    f64::midpoint(low, high)
}

impl FrequencyOracle for UnaryEncoding {
    type Report = BitVector;
    type Cell = u64;

    fn domain(&self) -> u32 {
        self.domain.get()
    }

    fn randomise<R: CryptoRng + ?Sized>(&self, value: u32, rng: &mut R) -> Result<BitVector, ValueError> {
        check(value, self.domain())?;
        let mut bits = BitVector::filled(self.domain(), |words| self.other.fill(words, rng));
        bits.set(value, self.held.toss(rng));
        Ok(bits)
    }

    fn likelihood(&self, value: u32, report: &BitVector) -> f64 {
        let bit = |v| {
            let one = if v == value { self.held.chance() } else { self.other.chance() };
            if report.get(v) { one } else { 1.0 - one }
        };
        (0..self.domain()).map(bit).product()
    }

    fn aggregate<'a>(&self, reports: impl IntoIterator<Item = &'a BitVector>) -> Result<Vec<u64>, ResponseError> {
        count_columns(reports, self.domain())
    }

    fn estimate(&self, cells: &[u64], reports: u64) -> Vec<f64> {
        shares(self, cells, reports)
    }

    fn variance(&self, share: f64) -> f64 {
        self.support().variance(share)
    }
}

impl PureOracle for UnaryEncoding {
    fn support(&self) -> Support {
        Support { p_true: self.held.chance(), p_false: self.other.chance() }
    }
}

/// Summation with histogram encoding (SHE): 1 for the value that is held and 0 for the others, each plus Laplace noise of scale
/// `2 / epsilon`; the server sums. Two values differ by 2 in the 1-norm, so the loss is epsilon. It is not pure: its estimate of
/// a share is the mean, with `n Var = 8 / epsilon^2 + f (1-f)`.
///
/// The noise is an `f64` by inversion, whose low bits betray the value (Mironov, CCS 2012): for simulations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistogramEncoding {
    domain: DomainSize,
    epsilon: Epsilon,
}

impl HistogramEncoding {
    /// SHE with the given loss.
    #[must_use]
    pub const fn new(domain: DomainSize, epsilon: Epsilon) -> Self {
        Self { domain, epsilon }
    }

    fn scale(self) -> f64 {
        2.0 / f64::from(self.epsilon)
    }
}

/// Laplace noise of the given scale: an exponential variable `-ln u`, u uniform on the multiples of `2^-53` in (0, 1], with a
/// random sign.
fn laplace<R: CryptoRng + ?Sized>(scale: f64, rng: &mut R) -> f64 {
    let bits = rng.next_u64();
    let uniform = ((bits >> 11) + 1) as f64 / 2_f64.powi(53);
    let size = -uniform.ln() * scale;
    if bits & 1 == 1 { size } else { -size }
}

impl FrequencyOracle for HistogramEncoding {
    /// One number per value.
    type Report = Box<[f64]>;
    type Cell = f64;

    fn domain(&self) -> u32 {
        self.domain.get()
    }

    fn randomise<R: CryptoRng + ?Sized>(&self, value: u32, rng: &mut R) -> Result<Box<[f64]>, ValueError> {
        check(value, self.domain())?;
        let scale = self.scale();
        let noisy = |v| f64::from(u8::from(v == value)) + laplace(scale, rng);
        Ok((0..self.domain()).map(noisy).collect())
    }

    fn likelihood(&self, value: u32, report: &Box<[f64]>) -> f64 {
        let density = |(v, number): (u32, &f64)| {
            let noise = number - f64::from(u8::from(v == value));
            (-noise.abs() / self.scale()).exp() / (2.0 * self.scale())
        };
        (0..).zip(report).map(density).product()
    }

    fn aggregate<'a>(&self, reports: impl IntoIterator<Item = &'a Box<[f64]>>) -> Result<Vec<f64>, ResponseError> {
        let mut sums = vec![0.0; self.cells()];
        for report in reports {
            if report.len() != sums.len() {
                return Err(ResponseError::WrongLength);
            }
            sums.iter_mut().zip(report).for_each(|(sum, number)| *sum += number);
        }
        Ok(sums)
    }

    fn estimate(&self, cells: &[f64], reports: u64) -> Vec<f64> {
        cells.iter().map(|sum| sum / reports as f64).collect()
    }

    fn variance(&self, share: f64) -> f64 {
        2.0 * self.scale().powi(2) + share * (1.0 - share)
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers chosen by the tests")]
mod tests {
    use super::super::oracle_tests::{all_masks, assert_fits, domain, epsilon, greatest_log_ratio};
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;

    /// The formula as LDP.md section 2.2 writes it, over a grid.
    #[test]
    fn the_threshold_is_the_best_of_a_grid() {
        for epsilon in [0.1_f64, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0] {
            let variance = |theta: f64| {
                let x = 2.0 * (epsilon * theta / 2.0).exp();
                (x - 1.0) / (1.0 + (epsilon * (theta - 0.5)).exp() - x).powi(2)
            };
            let found = best_threshold(epsilon);
            for step in 1..1000 {
                let theta = 0.5 + f64::from(step) / 2000.0;
                assert!(variance(found) <= variance(theta) * (1.0 + 1e-12), "{epsilon}: {found} {theta}");
            }
        }
    }

    /// Bits of 20,000 noisy reports above the threshold, against the coins that stand for them: chi-squared at 1e-6.
    #[test]
    fn thresholded_noise_is_the_coins() {
        let (size, e) = (domain(3), epsilon(1.0));
        let theta = best_threshold(1.0);
        let noisy = HistogramEncoding::new(size, e);
        let mut rng = ChaCha20Rng::seed_from_u64(50);
        let mut seen = vec![0; 8];
        for _ in 0..20_000 {
            let report = noisy.randomise(2, &mut rng).unwrap();
            seen[report.iter().rev().fold(0, |mask, &number| mask << 1 | usize::from(number > theta))] += 1;
        }
        let coins = UnaryEncoding::thresholded(size, e);
        let expected: Vec<f64> = all_masks(3).iter().map(|mask| 2e4 * coins.likelihood(2, mask)).collect();
        assert_fits(&seen, &expected, "thresholded noise");
    }

    /// 20,000 draws over 40 cells of equal chance by the closed form of the quantiles: chi-squared at 1e-6.
    #[test]
    fn noise_is_laplace() {
        let mut rng = ChaCha20Rng::seed_from_u64(51);
        let mut seen = vec![0; 40];
        for _ in 0..20_000 {
            let x = laplace(2.0, &mut rng);
            let below = if x < 0.0 { 0.5 * (x / 2.0).exp() } else { 1.0 - 0.5 * (-x / 2.0).exp() };
            seen[((below * 40.0) as usize).min(39)] += 1;
        }
        assert_fits(&seen, &[500.0; 40], "Laplace");
    }

    /// The density's greatest ratio is between two values whose numbers lie outside of [0, 1], on opposite sides.
    #[test]
    fn summation_loses_epsilon() {
        for e in [0.5, 1.0, 4.0] {
            let oracle = HistogramEncoding::new(domain(3), epsilon(e));
            let grid = [-2.0, -0.5, 0.0, 0.3, 0.5, 1.0, 1.5, 4.0];
            let mut reports: Vec<Box<[f64]>> = Vec::new();
            for x in grid {
                for y in grid {
                    reports.extend(grid.map(|z| Box::from([x, y, z])));
                }
            }
            let loss = greatest_log_ratio(&oracle, &reports);
            assert!((loss - e).abs() < 1e-9, "{loss} at {e}");
        }
    }
}

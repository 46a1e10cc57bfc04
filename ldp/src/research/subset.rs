// SPDX-License-Identifier: MIT OR Apache-2.0
//! Subset selection over a dictionary of any size: the report is a bit vector with w bits set.
//!
//! The same channel as [`crate::SubsetSelection`] (Ye and Barg, IEEE Transactions on Information Theory 2018), which numbers
//! its masks and so ends at 64 values; here a mask is put together from random bits.

use std::cmp::Ordering;

use rand::{CryptoRng, RngExt};
use statrs::function::factorial::ln_binomial;

use super::bits::{BitVector, count_columns};
use super::coin::{Coin, LEVELS};
use super::oracle::{FrequencyOracle, PureOracle, check, shares};
use crate::domain::DomainSize;
use crate::epsilon::{Epsilon, Weights};
use crate::error::{ResponseError, ValueError};
use crate::sampling::uniform_below;
use crate::subset_selection::best_subset;
use crate::support::Support;

/// Subset selection: w of the d values, among them the true one with chance `P_t = wA / (wA + (d-w)B)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WideSubsetSelection {
    domain: DomainSize,
    subset: u32,
    weights: Weights,
    first_draw: Coin,
}

impl WideSubsetSelection {
    /// The channel with the subset size of least variance, as [`crate::SubsetSelection`] chooses it.
    #[must_use]
    pub fn new(domain: DomainSize, epsilon: Epsilon) -> Self {
        let weights = epsilon.weights();
        let subset = best_subset(domain.get(), weights.ratio());
        // Near w/d, and short enough that no coin has to draw alone.
        let steps = 2_f64.powi(LEVELS.cast_signed());
        let density = (f64::from(subset) / f64::from(domain.get()) * steps).round() / steps;
        Self { domain, subset, weights, first_draw: Coin::new(density) }
    }

    /// w, the number of values in every report.
    #[must_use]
    pub const fn subset_size(&self) -> u32 {
        self.subset
    }

    /// wA, and the total weight `wA + (d-w)B`, both divided by the number of subsets of the other values.
    fn odds(&self) -> (u128, u128) {
        let inside = u128::from(self.subset) * u128::from(self.weights.inside());
        (inside, inside + u128::from(self.domain.get() - self.subset) * u128::from(self.weights.outside()))
    }

    fn p_true(&self) -> f64 {
        let (inside, total) = self.odds();
        inside as f64 / total as f64
    }
}

/// A uniformly random set of `size` of the values other than `value`.
///
/// Equal coins for all of them give every set of one size the same chance, whatever the coins' own. Adding a uniformly random
/// non-member, or taking away a uniformly random member, keeps that so.
fn uniform_subset<R: CryptoRng + ?Sized>(domain: u32, value: u32, size: u32, coin: Coin, rng: &mut R) -> BitVector {
    let mut set = BitVector::filled(domain, |words| coin.fill(words, rng));
    set.set(value, false);
    let mut members = set.count_ones();
    loop {
        let surplus = match members.cmp(&size) {
            Ordering::Less => false,
            Ordering::Greater => true,
            Ordering::Equal => return set,
        };
        let candidate = rng.random_range(0..domain);
        if candidate != value && set.get(candidate) == surplus {
            set.set(candidate, !surplus);
            if surplus { members -= 1 } else { members += 1 }
        }
    }
}

impl FrequencyOracle for WideSubsetSelection {
    type Report = BitVector;
    type Cell = u64;

    fn domain(&self) -> u32 {
        self.domain.get()
    }

    fn randomise<R: CryptoRng + ?Sized>(&self, value: u32, rng: &mut R) -> Result<BitVector, ValueError> {
        check(value, self.domain())?;
        let (inside, total) = self.odds();
        let own = uniform_below(rng, total) < inside;
        let others = self.subset - u32::from(own);
        let mut bits = uniform_subset(self.domain(), value, others, self.first_draw, rng);
        bits.set(value, own);
        Ok(bits)
    }

    fn likelihood(&self, value: u32, report: &BitVector) -> f64 {
        let own = report.get(value);
        let subsets = ln_binomial(u64::from(self.domain() - 1), u64::from(self.subset - u32::from(own)));
        (if own { self.p_true() } else { 1.0 - self.p_true() }) / subsets.exp()
    }

    fn aggregate<'a>(&self, reports: impl IntoIterator<Item = &'a BitVector>) -> Result<Vec<u64>, ResponseError> {
        let mut heaviest = self.subset;
        let mut lightest = self.subset;
        let counts = count_columns(
            reports.into_iter().inspect(|report| {
                let weight = report.count_ones();
                heaviest = heaviest.max(weight);
                lightest = lightest.min(weight);
            }),
            self.domain(),
        )?;
        if (lightest, heaviest) == (self.subset, self.subset) {
            Ok(counts)
        } else {
            Err(ResponseError::WrongMaskWeight)
        }
    }

    fn estimate(&self, cells: &[u64], reports: u64) -> Vec<f64> {
        shares(self, cells, reports)
    }

    fn variance(&self, share: f64) -> f64 {
        self.support().variance(share)
    }
}

impl PureOracle for WideSubsetSelection {
    /// `P_f = (P_t (w-1) + (1-P_t) w) / (d-1)`: the other members are uniform among the other values.
    fn support(&self) -> Support {
        let (d, w, p_true) = (f64::from(self.domain()), f64::from(self.subset), self.p_true());
        Support { p_true, p_false: (w - p_true) / (d - 1.0) }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! What all frequency oracles have in common: from the value of each of n people to the shares of d values.

use std::ops::AddAssign;

use rand::CryptoRng;

use crate::design::{Blocks as _, Channel};
use crate::error::{ResponseError, ValueError};
use crate::randomised_response::RandomisedResponse;
use crate::sampling::uniform_below;
use crate::support::Support;

/// A single-shot frequency oracle with its parameters fixed.
///
/// The server keeps [`Self::cells`] sums, whatever the number of reports. The sums of two batches add up cell by cell.
pub trait FrequencyOracle {
    /// What a sender sends.
    type Report: 'static;
    /// One of the server's sums: `u64`, or `f64` where reports are real numbers.
    type Cell: Copy + AddAssign;

    /// d, the number of values.
    fn domain(&self) -> u32;

    /// The number of the server's sums.
    fn cells(&self) -> usize {
        self.domain() as usize
    }

    /// Randomises one value, 0 to d - 1.
    ///
    /// # Errors
    /// [`ValueError::OutOfRange`] for d and beyond; nothing is drawn then.
    fn randomise<R: CryptoRng + ?Sized>(&self, value: u32, rng: &mut R) -> Result<Self::Report, ValueError>;

    /// The chance (for real-valued reports: the density) of a report from a holder of `value`, given the report's public part,
    /// its hash function or row, which is drawn without regard to the value. The privacy loss is the greatest logarithm of the
    /// ratio of two values' likelihoods.
    fn likelihood(&self, value: u32, report: &Self::Report) -> f64;

    /// Sums reports up.
    ///
    /// # Errors
    /// [`ResponseError`] for the first report that no sender with these parameters can have sent.
    fn aggregate<'a>(
        &self,
        reports: impl IntoIterator<Item = &'a Self::Report>,
    ) -> Result<Vec<Self::Cell>, ResponseError>;

    /// The unbiased estimates of all d shares from the sums over `reports` reports; not cut to \[0, 1\]. Without reports they
    /// are not a number.
    fn estimate(&self, cells: &[Self::Cell], reports: u64) -> Vec<f64>;

    /// `n Var` of the estimate of a value whose true share is `share`, when the n senders are themselves a random sample.
    fn variance(&self, share: f64) -> f64;
}

/// A *pure* oracle (Wang, Blocki, Li and Jha, USENIX Security 2017, section 3): a report supports some of the values, and the
/// chance of supporting one depends only on whether the sender holds it.
pub trait PureOracle: FrequencyOracle<Cell = u64> {
    /// (P_t, P_f), over the coins and the public part of a report.
    fn support(&self) -> Support;

    /// C_v, the number of reports that support each of the d values, from the server's sums.
    fn support_counts(&self, cells: &[u64]) -> Vec<u64> {
        cells.to_vec()
    }
}

/// The estimates of a pure oracle: `(C_v/n - P_f) / (P_t - P_f)`.
pub(super) fn shares(oracle: &impl PureOracle, cells: &[u64], reports: u64) -> Vec<f64> {
    let support = oracle.support();
    oracle.support_counts(cells).iter().map(|&count| support.share(count as f64 / reports as f64)).collect()
}

/// # Errors
/// [`ValueError::OutOfRange`] unless `value < domain`.
pub(super) const fn check(value: u32, domain: u32) -> Result<(), ValueError> {
    if value < domain { Ok(()) } else { Err(ValueError::OutOfRange) }
}

/// `A/W` for a message of the value's block, `B/W` for any other.
pub(super) fn weight_share(channel: Channel, inside: bool) -> f64 {
    let weight = if inside { channel.weights.inside() } else { channel.weights.outside() };
    weight as f64 / channel.total() as f64
}

/// How many of the symbols are 0, 1, .. up to `symbols - 1`.
///
/// # Errors
/// [`ResponseError::OutOfRange`] for a symbol beyond.
pub(super) fn histogram(reports: impl IntoIterator<Item = usize>, symbols: usize) -> Result<Vec<u64>, ResponseError> {
    let mut counts = vec![0; symbols];
    for symbol in reports {
        *counts.get_mut(symbol).ok_or(ResponseError::OutOfRange)? += 1;
    }
    Ok(counts)
}

/// Generalised randomised response (GRR, also direct encoding), by the deployed integer channel. A report is a value.
impl FrequencyOracle for RandomisedResponse {
    type Report = u32;
    type Cell = u64;

    fn domain(&self) -> u32 {
        u32::try_from(self.design.channel.messages).unwrap_or(u32::MAX)
    }

    fn randomise<R: CryptoRng + ?Sized>(&self, value: u32, rng: &mut R) -> Result<u32, ValueError> {
        check(value, self.domain())?;
        let message = self.encode(value, uniform_below(rng, self.design.channel.total()));
        Ok(u32::try_from(message).unwrap_or(u32::MAX))
    }

    fn likelihood(&self, value: u32, report: &u32) -> f64 {
        weight_share(self.design.channel, value == *report)
    }

    fn aggregate<'a>(&self, reports: impl IntoIterator<Item = &'a u32>) -> Result<Vec<u64>, ResponseError> {
        histogram(reports.into_iter().map(|&symbol| symbol as usize), self.cells())
    }

    fn estimate(&self, cells: &[u64], reports: u64) -> Vec<f64> {
        shares(self, cells, reports)
    }

    fn variance(&self, share: f64) -> f64 {
        self.support().variance(share)
    }
}

impl PureOracle for RandomisedResponse {
    fn support(&self) -> Support {
        self.design.support()
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! One question asked every week: protocols that randomise a value once for good and freshly at each report.
//!
//! The *permanent response* to a value is drawn once, at `epsilon_infinity`, and kept; a report is a fresh
//! randomisation of it and loses `epsilon_1` by itself. Averaging the reports of an unchanged value reveals the
//! permanent response and no more. The price is that two weeks' reports can be told to come from one machine:
//! [`Longitudinal::linkability_bits`] and [`relink`].
//!
//! # What a sequence of weeks reveals
//! The literature states the loss over all weeks as `epsilon_infinity` for each distinct value held (LOLOHA:
//! at most `g epsilon_infinity`). That is true of the table of permanent responses, and not of the reports, because the reports
//! also show *which weeks share a response*. For values `x_1 .. x_T` and `y_1 .. y_T`, with independent permanent
//! responses:
//!
//! 1. **Same pattern** (`x_s = x_t` exactly when `y_s = y_t`): the reports are one and the same function of the
//!    permanent responses, so the loss is at most `epsilon_infinity` for each distinct value of x that differs from y's
//!    of the same weeks. A value that never changes is the case of one; this is the guarantee that memoisation gives.
//! 2. **Different patterns**: no multiple of `epsilon_infinity` bounds the loss. Without fresh noise (dBitFlipPM) one
//!    change shows with certainty and the loss is infinite. With it, the first report loses `epsilon_1` and each later
//!    one at most [`Chain::epsilon_refresh`], the loss of a report about the permanent response itself: together at
//!    most `epsilon_1 + (T - 1) epsilon_refresh`. A value that alternates every week against one that stays attains
//!    `T/2 epsilon_refresh` up to a constant ([`Chain::alternation_loss`]), so this growth is real. Nor does it take
//!    many weeks: two weeks of one value against two values may lose more than `2 epsilon_infinity`
//!    ([`Chain::change_loss`]). For projective geometry response with K = 1093 at 2/1 that is 6.5 instead of 4, and
//!    alternation loses 87 in half a year. OLOLOHA (g = 4) at 2/1 passes `g epsilon_infinity = 8` in week 12.
//! 3. Fresh noise every week loses at most `T epsilon_1` for any two sequences, less than a memoised chain of many
//!    messages in case 2.
//!
//! A bound for every pair of sequences follows where the pattern cannot show: when the value is *frozen* for an epoch
//! (the one reported first is reported until the epoch and its secret end), a whole epoch loses `epsilon_infinity`,
//! changes and all. A cap on the number of distinct values above one gives no such bound. The tests enumerate every
//! pair of sequences of a small chain.

mod bits;
pub mod chain;
#[cfg(test)]
mod chain_tests;
mod dbitflip;
mod grr;
mod loloha;
mod relink;
#[cfg(test)]
mod sequence_tests;
#[cfg(test)]
mod simulation_tests;
mod unary;

use rand::Rng;

use crate::{Support, ValueError};

pub use bits::{Bits, Flip};
pub use chain::Chain;
pub use dbitflip::{DBitFlip, DBitFlipClient, DBitFlipReport};
pub use grr::{Calibration, GrrClient, LongitudinalGrr};
pub use loloha::{Loloha, LolohaClient, LolohaReport, exact_buckets, published_buckets};
pub use relink::{Class, expected_success, relink};
pub use unary::{LongitudinalUnary, UnaryClient};

/// A protocol for one question over d values, asked every week. Values are 0 to d - 1.
pub trait Longitudinal {
    /// What a workstation keeps between its reports.
    type Client;
    /// What it sends in a week.
    type Report;

    /// A new workstation's state, with what it draws for good before it has a value.
    fn enrol<R: Rng + ?Sized>(&self, rng: &mut R) -> Self::Client;

    /// This week's report; a value seen for the first time draws its permanent response.
    ///
    /// # Errors
    /// [`ValueError::OutOfRange`] for a value of d or more; nothing is drawn then.
    fn report<R: Rng + ?Sized>(
        &self,
        client: &mut Self::Client,
        value: u32,
        rng: &mut R,
    ) -> Result<Self::Report, ValueError>;

    /// Whether a report supports a value, `None` if it says nothing about it. Shares are estimated from the reports
    /// that say something.
    fn supports(&self, report: &Self::Report, value: u32) -> Option<bool>;

    /// (P_t, P_f) of one report, for the debiasing of one week.
    fn support(&self) -> Support;

    /// `n Var` of one week's estimate at a true share, the senders being a random sample. The errors of two weeks of
    /// the same senders are positively correlated: a mean over weeks keeps the permanent response's variance.
    fn variance(&self, share: f64) -> f64 {
        self.support().variance(share)
    }

    /// The loss of one report, from the channel that results.
    fn epsilon_first(&self) -> f64;

    /// The loss of one permanent response, and so of all reports of a value that does not change.
    fn epsilon_infinity(&self) -> f64;

    /// The mutual information in bits between two weeks' reports of one unchanged value that the observer knows.
    fn linkability_bits(&self) -> f64;

    /// The same to an observer to whom all values are equally likely: it contains what both reports say about the
    /// value.
    fn linkability_bits_unknown_value(&self) -> f64;

    /// The log likelihood ratio (nats) of "one sender" against "two senders" for two weeks' reports, given that every
    /// sender holds `value`.
    fn link_score(&self, value: u32, first: &Self::Report, second: &Self::Report) -> f64;
}

/// What the tests of these protocols share.
#[cfg(test)]
mod testing {
    use crate::{DomainSize, Epsilon};

    pub fn domain(d: u32) -> DomainSize {
        DomainSize::try_from(u64::from(d)).unwrap()
    }

    pub fn epsilon(e: f64) -> Epsilon {
        Epsilon::try_from(e).unwrap()
    }

    /// Randomised response over d symbols with the given odds of the symbol against any one other.
    pub fn symbol_channel(d: u32, odds: f64) -> Vec<Vec<f64>> {
        let total = odds + f64::from(d) - 1.0;
        (0..d).map(|v| (0..d).map(|y| if y == v { odds / total } else { 1.0 / total }).collect()).collect()
    }

    /// The matrix product of two channels: the first, then the second.
    pub fn product(first: &[Vec<f64>], second: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let entry = |row: &[f64], y: usize| row.iter().zip(second).map(|(p, next)| p * next[y]).sum();
        first.iter().map(|row| (0..second[0].len()).map(|y| entry(row, y)).collect()).collect()
    }
}

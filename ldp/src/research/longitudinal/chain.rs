// SPDX-License-Identifier: MIT OR Apache-2.0
//! A memoised block design: a permanent response from the channel at `epsilon_infinity`, kept or replaced by a uniform
//! message each week.
//!
//! The design has K messages, r of them in a value's block; the permanent response has weight A inside the block and 1
//! outside, so it is a message of the block with the chance `A/W` each, any other with `1/W`, `W = rA + K - r`. Each
//! week the workstation sends it with probability Lambda, else a uniform message of all K. A week's report then has the
//! likelihood ratio `A_1 = (Lambda A tau + 1 - Lambda) / (Lambda tau + 1 - Lambda)` with `tau = K/W`, solved for
//! ```text
//! Lambda = (A_1 - 1) / (A tau - 1 - A_1 tau + A_1),
//! ```
//! and both its chances are those of the same design at `epsilon_1`: protection over the weeks costs a single week's
//! estimate nothing (LDP.md section 2.9; Pan, arXiv 2401.13952, 2024, has the like for randomised response).
//!
//! Everything here is floating point on plain numbers, as a second route to what production does in integers.

use rand::{Rng, RngExt};

use super::relink::{Class, expected_success};
use crate::{ParameterError, Support};

/// Lambda: the probability of sending the permanent response, for K `messages` with r in a `block` and the likelihood
/// ratios `permanent` = `e^epsilon_infinity` and `first` = `e^epsilon_1`. In (0, 1\] for `1 < first <= permanent`.
#[must_use]
pub fn keep_probability(messages: u64, block: u64, permanent: f64, first: f64) -> f64 {
    let (k, r) = (messages as f64, block as f64);
    let tau = k / (r * permanent + k - r);
    // At equal ratios rounding must not carry it beyond 1.
    ((first - 1.0) / (permanent * tau - 1.0 - first * tau + first)).min(1.0)
}

/// A block design with its permanent response and its weekly refresh.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chain {
    messages: u64,
    block: u64,
    permanent: f64,
    keep: f64,
}

/// The chance of one message of the value's block, and of one other message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chances {
    /// P[m | v] for m in the block of v
    pub inside: f64,
    /// P[m | v] for any other m
    pub outside: f64,
}

impl Chances {
    pub(super) fn of(self, inside: bool) -> f64 {
        if inside { self.inside } else { self.outside }
    }
}

impl Chain {
    /// The chain whose weekly report has exactly the likelihood ratio `first`.
    ///
    /// # Errors
    /// [`ParameterError::Chain`] unless `0 < block < messages` and `1 < first <= permanent < infinity`.
    pub fn exact(messages: u64, block: u64, permanent: f64, first: f64) -> Result<Self, ParameterError> {
        let ratios = first > 1.0 && first <= permanent && permanent.is_finite();
        if block == 0 || block >= messages || !ratios {
            return Err(ParameterError::Chain { messages, block, permanent, first });
        }
        let keep = keep_probability(messages, block, permanent, first);
        Ok(Self { messages, block, permanent, keep })
    }

    /// Generalised randomised response twice over g symbols, the second time with the odds `irr_odds` of the symbol
    /// against any one other: the same as keeping it with probability `(b - 1)/(b + g - 1)`.
    pub(super) fn of_symbols(symbols: u32, permanent: f64, irr_odds: f64) -> Self {
        let keep = (irr_odds - 1.0) / (irr_odds + f64::from(symbols) - 1.0);
        Self { messages: symbols.into(), block: 1, permanent, keep }
    }

    /// Lambda.
    #[must_use]
    pub fn keep(&self) -> f64 {
        self.keep
    }

    /// The permanent response's chances.
    #[must_use]
    pub fn permanent_chances(&self) -> Chances {
        let outside = 1.0 / (self.block as f64 * self.permanent + (self.messages - self.block) as f64);
        Chances { inside: self.permanent * outside, outside }
    }

    /// One weekly report's chances.
    #[must_use]
    pub fn weekly_chances(&self) -> Chances {
        let memo = self.permanent_chances();
        let report = |chance: f64| self.keep * chance + self.refreshed();
        Chances { inside: report(memo.inside), outside: report(memo.outside) }
    }

    /// The chance that the refresh gives one certain message.
    fn refreshed(&self) -> f64 {
        (1.0 - self.keep) / self.messages as f64
    }

    /// The loss of the permanent response, and so of any number of reports of one value that never changes.
    #[must_use]
    pub fn epsilon_infinity(&self) -> f64 {
        let memo = self.permanent_chances();
        (memo.inside / memo.outside).ln()
    }

    /// The loss of one report, from its channel.
    #[must_use]
    pub fn epsilon_first(&self) -> f64 {
        let report = self.weekly_chances();
        (report.inside / report.outside).ln()
    }

    /// The loss of one report about the permanent response itself: `ln(1 + K Lambda / (1 - Lambda))`, infinite without
    /// refresh. It grows with K, and it is the price of a week when changes show ([`super`], "What a sequence of weeks
    /// reveals").
    #[must_use]
    pub fn epsilon_refresh(&self) -> f64 {
        (self.keep / self.refreshed()).ln_1p()
    }

    /// (P_t, P_f) of one report for a design in which two blocks share `shared` messages.
    #[must_use]
    pub fn support(&self, shared: u64) -> Support {
        let report = self.weekly_chances();
        let (block, shared) = (self.block as f64, shared as f64);
        let p_false = shared * report.inside + (block - shared) * report.outside;
        Support { p_true: block * report.inside, p_false }
    }

    /// Linkability: the mutual information in bits between two weekly reports of one unchanged value that the observer
    /// knows. It is what the permanent response alone adds, among people who share the value.
    #[must_use]
    pub fn linkability_bits(&self) -> f64 {
        let (inside, outside) = (self.block as f64, (self.messages - self.block) as f64);
        let pairs = [
            (inside, true, true, true),
            (inside * (inside - 1.0), true, true, false),
            (2.0 * inside * outside, true, false, false),
            (outside, false, false, true),
            (outside * (outside - 1.0), false, false, false),
        ];
        let nats: f64 = pairs
            .into_iter()
            .filter(|(count, ..)| *count > 0.0)
            .map(|(count, first, second, same)| {
                let joint = self.joint(first, second, same);
                // Without refresh two different reports have no chance at all, and x ln x is 0 there.
                if joint > 0.0 { count * joint * self.link_score(first, second, same) } else { 0.0 }
            })
            .sum();
        nats / std::f64::consts::LN_2
    }

    /// Linkability to an observer who does not know the value, when it is uniform and every message lies in equally
    /// many blocks: `log2 K - H`, with H the entropy of the second report given the first. It contains what both
    /// reports say about the value.
    #[must_use]
    pub fn linkability_bits_unknown_value(&self) -> f64 {
        let k = self.messages as f64;
        // The permanent response is uniform over the K messages, so two refreshes in a row are one of Lambda squared.
        let kept = self.keep * self.keep;
        let (same, other) = (kept + (1.0 - kept) / k, (1.0 - kept) / k);
        let term = |p: f64| if p > 0.0 { p * (k * p).log2() } else { 0.0 };
        term(same) + (k - 1.0) * term(other)
    }

    /// The chance of two weekly reports of one value: each in its block or not, both the same message or not.
    fn joint(&self, first: bool, second: bool, same: bool) -> f64 {
        let report = self.weekly_chances();
        report.of(first) * report.of(second) + self.excess(first, second, same)
    }

    /// By how much that exceeds the chance of two independent reports: only two kept responses are dependent.
    fn excess(&self, first: bool, second: bool, same: bool) -> f64 {
        let memo = self.permanent_chances();
        let both = if same { memo.of(first) } else { 0.0 };
        self.keep * self.keep * (both - memo.of(first) * memo.of(second))
    }

    /// The log likelihood ratio (nats) of "one workstation's two weeks" against "two workstations with the same value"
    /// for two reports, each in the value's block or not, both the same message or not.
    #[must_use]
    pub fn link_score(&self, first: bool, second: bool, same: bool) -> f64 {
        let report = self.weekly_chances();
        (self.excess(first, second, same) / (report.of(first) * report.of(second))).ln_1p()
    }

    /// Two weeks of the value a against the week of a and the week of another value: the greatest log likelihood ratio,
    /// reached when both reports are one message of a's block outside the other's. Compare `2 epsilon_infinity`.
    #[must_use]
    pub fn change_loss(&self) -> f64 {
        let report = self.weekly_chances();
        (self.joint(true, true, true) / (report.inside * report.outside)).ln()
    }

    /// A value that changes every week between a and another against one that stays a: the log likelihood ratio of the
    /// reports that alternate between a message of either block outside the other's. What so many `weeks` may reveal is
    /// at least this; it grows by [`Self::epsilon_refresh`] every two weeks.
    #[must_use]
    pub fn alternation_loss(&self, weeks: u32) -> f64 {
        let (later, earlier) = (weeks / 2, weeks.div_ceil(2));
        if later == 0 {
            return 0.0;
        }
        let (memo, rate) = (self.permanent_chances(), self.epsilon_refresh());
        // The chance of s equal reports is (P + (1 - P) e^(-s rate)) (keep + refreshed)^s: powers of the last cancel.
        let fall = |weeks: u32| if weeks == 0 { 1.0 } else { (-f64::from(weeks) * rate).exp() };
        let kept = |weeks| (memo.inside + (1.0 - memo.inside) * fall(weeks)).ln();
        let stayed =
            memo.inside + memo.outside * fall(earlier - later) + (1.0 - memo.inside - memo.outside) * fall(earlier);
        f64::from(later) * rate + kept(earlier) + kept(later) - stayed.ln()
    }

    /// Two weeks of reports by n workstations with one and the same value; the messages are numbered so that the
    /// value's block comes first.
    pub fn reports<R: Rng + ?Sized>(&self, n: usize, rng: &mut R) -> (Vec<u64>, Vec<u64>) {
        let inside = self.block as f64 * self.permanent_chances().inside;
        (0..n)
            .map(|_| {
                let memo = if rng.random::<f64>() < inside {
                    rng.random_range(0..self.block)
                } else {
                    rng.random_range(self.block..self.messages)
                };
                (self.refresh(memo, rng), self.refresh(memo, rng))
            })
            .unzip()
    }

    /// One week's report from the permanent response.
    pub(super) fn refresh<R: Rng + ?Sized>(&self, memo: u64, rng: &mut R) -> u64 {
        if rng.random::<f64>() < self.keep { memo } else { rng.random_range(0..self.messages) }
    }

    /// The permanent response to a symbol of a design whose messages are its values.
    pub(super) fn permanent_symbol<R: Rng + ?Sized>(&self, symbol: u64, rng: &mut R) -> u64 {
        if rng.random::<f64>() < self.permanent_chances().inside {
            return symbol;
        }
        let other = rng.random_range(0..self.messages - 1);
        other + u64::from(other >= symbol)
    }

    /// [`Self::link_score`] of two reports from [`Self::reports`].
    #[must_use]
    pub fn score(&self, first: &u64, second: &u64) -> f64 {
        self.link_score(*first < self.block, *second < self.block, first == second)
    }

    /// The expected success of [`super::relink`] on [`Self::reports`] of n workstations, in closed form.
    #[must_use]
    pub fn expected_relink(&self, n: usize) -> f64 {
        let report = self.weekly_chances();
        let (inside, outside) = (self.block as f64, (self.messages - self.block) as f64);
        let given = |first: bool| {
            let own = |count: f64, second: bool, same: bool| Class {
                own: count * self.joint(first, second, same) / report.of(first),
                stranger: count * report.of(second),
            };
            let (in_block, elsewhere) = if first { (inside - 1.0, outside) } else { (inside, outside - 1.0) };
            // From the most to the least likely: the same message, another outside of the block, another within it.
            expected_success(&[own(1.0, first, true), own(elsewhere, false, false), own(in_block, true, false)], n)
        };
        inside * report.inside * given(true) + outside * report.outside * given(false)
    }

    /// The expected success when the values of the n workstations are uniform, every message lies in equally many
    /// blocks and the observer knows no value: then only an equal message stands out, and all messages are equally
    /// common.
    #[must_use]
    pub fn expected_relink_unknown_value(&self, n: usize) -> f64 {
        let (kept, one) = (self.keep * self.keep, 1.0 / self.messages as f64);
        let same = kept + (1.0 - kept) * one;
        expected_success(&[Class { own: same, stranger: one }, Class { own: 1.0 - same, stranger: 1.0 - one }], n)
    }
}

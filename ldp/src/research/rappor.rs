// SPDX-License-Identifier: MIT OR Apache-2.0
//! Basic RAPPOR: a permanent randomised bit vector for each value, and a randomised copy of it in every report.
//!
//! Erlingsson, Pihur and Korolova (CCS 2014), with one bit per value (h = 1) and no Bloom filter.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rand::CryptoRng;

use super::bits::BitVector;
use super::coin::Coin;
use super::oracle::FrequencyOracle;
use super::unary::UnaryEncoding;
use crate::domain::DomainSize;
use crate::error::{ParameterError, ValueError};

/// Basic RAPPOR. The permanent response (PRR) keeps a bit with chance `1 - f` and makes it 1 or 0 with chance `f/2` each; the
/// instantaneous response (IRR) reports a permanent 1 as 1 with chance q and a permanent 0 with chance p.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rappor {
    permanent: UnaryEncoding,
    one: Coin,
    zero: Coin,
    one_shot: UnaryEncoding,
}

/// A client's permanent responses, one for each value that it ever held. They identify the client: they stay with it.
#[derive(Clone, Debug, Default)]
pub struct RapporMemo(BTreeMap<u32, BitVector>);

impl Rappor {
    /// RAPPOR with its three parameters, `0 < f < 1` and `0 < p < q < 1`.
    ///
    /// # Errors
    /// [`ParameterError::PermanentNoise`] for f, [`ParameterError::Chances`] for p and q.
    pub fn new(domain: DomainSize, f: f64, p: f64, q: f64) -> Result<Self, ParameterError> {
        if !(0.0 < f && f < 1.0) {
            return Err(ParameterError::PermanentNoise(f));
        }
        if !(0.0 < p && p < q && q < 1.0) {
            return Err(ParameterError::Chances { larger: q, smaller: p });
        }
        let reported = |own: f64| f * f64::midpoint(p, q) + (1.0 - f) * own;
        Ok(Self {
            permanent: UnaryEncoding::new(domain, 1.0 - f / 2.0, f / 2.0)?,
            one: Coin::new(q),
            zero: Coin::new(p),
            one_shot: UnaryEncoding::new(domain, reported(q), reported(p))?,
        })
    }

    /// `2 ln((1 - f/2) / (f/2))`: the loss of the permanent response, and so of any number of reports on one value (theorem 1).
    #[must_use]
    pub fn epsilon_infinity(&self) -> f64 {
        self.permanent.loss()
    }

    /// `ln(q* (1-p*) / (p* (1-q*)))`: the loss of one report (theorem 2).
    #[must_use]
    pub fn epsilon_one(&self) -> f64 {
        self.one_shot.loss()
    }

    /// The oracle that one report amounts to: unary encoding with `q* = f (p+q) / 2 + (1-f) q` for the held value's bit and
    /// `p* = f (p+q) / 2 + (1-f) p` for the others. It aggregates and estimates the reports of [`Self::report`].
    #[must_use]
    pub const fn one_shot(&self) -> &UnaryEncoding {
        &self.one_shot
    }

    /// One report on a value. The permanent response is drawn when the memo first meets the value.
    ///
    /// # Errors
    /// [`ValueError::OutOfRange`] for d and beyond.
    pub fn report<R: CryptoRng + ?Sized>(
        &self,
        value: u32,
        memo: &mut RapporMemo,
        rng: &mut R,
    ) -> Result<BitVector, ValueError> {
        let permanent = match memo.0.entry(value) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.permanent.randomise(value, rng)?),
        };
        let mut zeros = vec![0; permanent.words().len()];
        self.zero.fill(&mut zeros, rng);
        Ok(BitVector::filled(self.permanent.domain(), |report| {
            self.one.fill(report, rng);
            for ((word, zero), permanent) in report.iter_mut().zip(&zeros).zip(permanent.words()) {
                *word = *word & permanent | zero & !permanent;
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::oracle_tests::{all_masks, assert_fits, domain, greatest_log_ratio};
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;

    const F: f64 = 0.5;
    const P: f64 = 0.3;
    const Q: f64 = 0.75;

    /// Both steps of the paper, summed over all permanent responses of 3 values, against the one-shot oracle and both losses.
    #[test]
    fn one_report_is_the_one_shot_oracle() {
        let rappor = Rappor::new(domain(3), F, P, Q).unwrap();
        let masks = all_masks(3);
        let bits = |one: f64, zero: f64, from: &dyn Fn(u32) -> bool, to: &BitVector| -> f64 {
            let bit = |i| {
                let chance = if from(i) { one } else { zero };
                if to.get(i) { chance } else { 1.0 - chance }
            };
            (0..3).map(bit).product()
        };
        for report in &masks {
            for value in 0..3 {
                let through = |memo: &BitVector| {
                    bits(1.0 - F / 2.0, F / 2.0, &|i| i == value, memo) * bits(Q, P, &|i| memo.get(i), report)
                };
                let chance: f64 = masks.iter().map(through).sum();
                assert!((rappor.one_shot().likelihood(value, report) - chance).abs() < 1e-12);
            }
        }
        let loss = greatest_log_ratio(rappor.one_shot(), &masks);
        assert!((rappor.epsilon_one() - loss).abs() < 1e-9, "{loss}");
        let permanent = greatest_log_ratio(&rappor.permanent, &masks);
        assert!((rappor.epsilon_infinity() - permanent).abs() < 1e-9, "{permanent}");
        assert!((permanent - 2.0 * 3_f64.ln()).abs() < 1e-9, "{permanent}");
    }

    /// 20,000 clients' first reports against the one-shot oracle.
    #[test]
    fn first_reports_fit_the_one_shot_oracle() {
        let rappor = Rappor::new(domain(3), F, P, Q).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(40);
        let masks = all_masks(3);
        let mut seen = vec![0; masks.len()];
        for _ in 0..20_000 {
            let report = rappor.report(1, &mut RapporMemo::default(), &mut rng).unwrap();
            seen[usize::try_from(report.words()[0]).unwrap()] += 1;
        }
        let expected: Vec<f64> = masks.iter().map(|mask| 2e4 * rappor.one_shot().likelihood(1, mask)).collect();
        assert_fits(&seen, &expected, "first reports");
    }

    /// One client's 5,000 reports on one value: every bit is as frequent as its permanent bit says, which 7 values' worth of
    /// fresh permanent responses would not be. Each bit's count is tested at significance 1e-6.
    #[test]
    fn a_client_keeps_its_permanent_response() {
        let rappor = Rappor::new(domain(100), F, P, Q).unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(41);
        let mut memo = RapporMemo::default();
        let reports: Vec<BitVector> = (0..5_000).map(|_| rappor.report(7, &mut memo, &mut rng).unwrap()).collect();
        rappor.report(8, &mut memo, &mut rng).unwrap();
        assert_eq!(memo.0.len(), 2);
        let counts = rappor.one_shot().aggregate(&reports).unwrap();
        for (value, &ones) in (0..).zip(&counts) {
            let chance = if memo.0[&7].get(value) { Q } else { P };
            assert_fits(&[ones, 5_000 - ones], &[5e3 * chance, 5e3 * (1.0 - chance)], "a bit");
        }
        assert_ne!(memo.0[&7], memo.0[&8]);
        assert_eq!(rappor.report(100, &mut memo, &mut rng), Err(ValueError::OutOfRange));
    }
}

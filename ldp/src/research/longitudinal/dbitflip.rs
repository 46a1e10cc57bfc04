// SPDX-License-Identifier: MIT OR Apache-2.0
//! dBitFlipPM: every workstation is asked for d' of b bits, flips each at `epsilon/2` once and repeats the answer every
//! week (Ding, Kulkarni and Yekhanin, NeurIPS 2017).
//!
//! There is no fresh noise, so the answer is a fingerprint and a change of the answer shows. The bits asked are drawn
//! once as well and known to the server: unless all are asked, they name the workstation by themselves.

use std::collections::BTreeMap;

use rand::Rng;

use super::Longitudinal;
use super::bits::{Bits, Flip, value_bits};
use crate::{DomainSize, Epsilon, ParameterError, Support, ValueError};

/// dBitFlipPM over b values (the paper's buckets).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DBitFlip {
    domain: u32,
    asked: u32,
    flip: Flip,
}

/// What a workstation keeps: the bits that it was asked for, and its answer for each of them being the set one, or
/// none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DBitFlipClient {
    asked: Bits,
    memo: BTreeMap<Option<u32>, Bits>,
}

/// The bits that a workstation was asked for, and its answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DBitFlipReport {
    asked: Bits,
    answers: Bits,
}

impl DBitFlip {
    /// The protocol that asks every workstation for d' = `asked` of the b bits.
    ///
    /// # Errors
    /// [`ParameterError::AskedBits`] unless d' is from 1 to b.
    pub fn new(domain: DomainSize, asked: u32, epsilon: Epsilon) -> Result<Self, ParameterError> {
        let domain = domain.get();
        if !(1..=domain).contains(&asked) {
            return Err(ParameterError::AskedBits { asked, domain });
        }
        Ok(Self { domain, asked, flip: Flip::symmetric((f64::from(epsilon) / 2.0).exp()) })
    }

    /// The most answers that a workstation can have kept, `min(d' + 1, b)`: one for each bit asked and one for none of
    /// them.
    #[must_use]
    pub fn most_memos(&self) -> u32 {
        (self.asked + 1).min(self.domain)
    }

    /// ln C(b, d'): the nats of the bits asked.
    fn choices(&self) -> f64 {
        log_binomial(self.domain, self.asked)
    }

    /// The expected success of [`super::relink`] among n workstations with one value: a report is repeated by its
    /// sender and shared by a stranger with its own chance P, so it is `sum (1 - (1 - P)^n) / n` over all reports.
    #[must_use]
    pub fn expected_relink(&self, n: usize) -> f64 {
        let n = n as f64;
        let (right, wrong) = (self.flip.set.ln(), self.flip.clear.ln());
        (0..=self.asked)
            .map(|flipped| {
                let chance = f64::from(self.asked - flipped) * right + f64::from(flipped) * wrong - self.choices();
                let reports = self.choices() + log_binomial(self.asked, flipped);
                // ln(1 - (1 - P)^n), which is ln(nP) to all digits where nP is tiny and P may underflow.
                let some = if chance + n.ln() < -40.0 {
                    chance + n.ln()
                } else {
                    (-(n * (-chance.exp()).ln_1p()).exp_m1()).ln()
                };
                (reports + some).exp() / n
            })
            .sum()
    }
}

/// ln C(n, k).
fn log_binomial(n: u32, k: u32) -> f64 {
    (0..k).map(|i| (f64::from(n - i) / f64::from(i + 1)).ln()).sum()
}

impl Longitudinal for DBitFlip {
    type Client = DBitFlipClient;
    type Report = DBitFlipReport;

    fn enrol<R: Rng + ?Sized>(&self, rng: &mut R) -> DBitFlipClient {
        let mut asked = vec![false; self.domain as usize];
        rand::seq::index::sample(rng, self.domain as usize, self.asked as usize)
            .iter()
            .for_each(|bit| asked[bit] = true);
        DBitFlipClient { asked: Bits::from_fn(self.domain, |bit| asked[bit as usize]), memo: BTreeMap::new() }
    }

    fn report<R: Rng + ?Sized>(
        &self,
        client: &mut DBitFlipClient,
        value: u32,
        rng: &mut R,
    ) -> Result<DBitFlipReport, ValueError> {
        if value >= self.domain {
            return Err(ValueError::OutOfRange);
        }
        let asked = client.asked.clone();
        let set = asked.get(value).then_some(value);
        let answers = client.memo.entry(set).or_insert_with(|| {
            Bits::from_fn(self.domain, |bit| asked.get(bit) && self.flip.randomise(Some(bit) == set, rng))
        });
        Ok(DBitFlipReport { answers: answers.clone(), asked })
    }

    /// `None` where the bit was not asked for.
    fn supports(&self, report: &DBitFlipReport, value: u32) -> Option<bool> {
        report.asked.get(value).then(|| report.answers.get(value))
    }

    /// Of a bit that was asked for.
    fn support(&self) -> Support {
        Support { p_true: self.flip.set, p_false: self.flip.clear }
    }

    /// Only d'/b of the n reports say anything about a value.
    fn variance(&self, share: f64) -> f64 {
        f64::from(self.domain) / f64::from(self.asked) * self.support().variance(share)
    }

    /// A report repeats: its loss is that of the permanent answer.
    fn epsilon_first(&self) -> f64 {
        self.epsilon_infinity()
    }

    /// Two values differ in the two bits that they set, `epsilon/2` each. With d' = 1 never more than one of them is
    /// asked for, and half of epsilon is left unspent.
    fn epsilon_infinity(&self) -> f64 {
        let (one, zero) = self.flip.losses();
        if self.asked == 1 { one.max(zero) } else { one + zero }
    }

    /// The entropy of the report, which the next week repeats: of the bits asked and of each flip.
    fn linkability_bits(&self) -> f64 {
        let Flip { set, clear } = self.flip;
        let flip = -set * set.log2() - clear * clear.log2();
        self.choices() / std::f64::consts::LN_2 + f64::from(self.asked) * flip
    }

    fn linkability_bits_unknown_value(&self) -> f64 {
        let Flip { set, clear } = self.flip;
        self.linkability_bits() + value_bits(&[(set, clear), (clear, set)], self.asked, self.domain)
    }

    fn link_score(&self, value: u32, first: &DBitFlipReport, second: &DBitFlipReport) -> f64 {
        if first != second {
            return f64::NEG_INFINITY;
        }
        let held = u32::from(first.asked.get(value));
        let right = held * u32::from(first.answers.get(value));
        let clear_ones = first.answers.ones() - right;
        let flipped = f64::from(clear_ones + held - right);
        self.choices() - flipped * self.flip.clear.ln() - (f64::from(self.asked) - flipped) * self.flip.set.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::research::longitudinal::testing::{domain, epsilon};

    fn dbitflip(b: u32, asked: u32, e: f64) -> DBitFlip {
        DBitFlip::new(domain(b), asked, epsilon(e)).unwrap()
    }

    /// P[report | value] over all choices of the bits asked and all answers to them.
    fn channel(m: &DBitFlip, value: u32) -> Vec<f64> {
        let subsets: Vec<u32> = (0..1_u32 << m.domain).filter(|s| s.count_ones() == m.asked).collect();
        let answers = |subset: u32| (0..1_u32 << m.domain).filter(move |a| a & !subset == 0);
        let chance = |subset: u32, answer: u32| -> f64 {
            let bits = (0..m.domain).filter(|bit| subset >> bit & 1 == 1);
            bits.map(|bit| {
                let one = m.flip.of(bit == value);
                if answer >> bit & 1 == 1 { one } else { 1.0 - one }
            })
            .product()
        };
        let all = subsets.iter().flat_map(|&s| answers(s).map(move |a| (s, a)));
        all.map(|(s, a)| chance(s, a) / subsets.len() as f64).collect()
    }

    /// Loss, entropy (also of a report on a uniform value) and expected re-linking against the enumerated channel. The
    /// loss of one bit is half of epsilon.
    #[test]
    fn loss_and_linkability_are_those_of_the_enumerated_channel() {
        for (b, asked) in [(2, 1), (5, 1), (5, 2), (5, 5)] {
            let m = dbitflip(b, asked, 1.5);
            let rows: Vec<Vec<f64>> = (0..b).map(|v| channel(&m, v)).collect();
            assert!((rows[0].iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let ratios = rows.iter().flat_map(|x| rows.iter().flat_map(|y| x.iter().zip(y).map(|(p, q)| p / q)));
            let greatest = ratios.fold(0.0_f64, f64::max).ln();
            assert!((greatest - m.epsilon_infinity()).abs() < 1e-12, "b={b} d'={asked}: {greatest}");
            assert!((greatest - if asked == 1 { 0.75 } else { 1.5 }).abs() < 1e-12);
            let entropy = |row: &[f64]| row.iter().map(|p| -p * p.log2()).sum::<f64>();
            let mean = |y: usize| rows.iter().map(|row| row[y]).sum::<f64>() / f64::from(b);
            let (known, unknown) = (entropy(&rows[0]), entropy(&(0..rows[0].len()).map(mean).collect::<Vec<f64>>()));
            assert!((known - m.linkability_bits()).abs() < 1e-12, "b={b} d'={asked}: {known}");
            assert!((unknown - m.linkability_bits_unknown_value()).abs() < 1e-12, "b={b} d'={asked}: {unknown}");
            let relinked: f64 = rows[0].iter().map(|p| (1.0 - (1.0 - p).powi(50)) / 50.0).sum();
            assert!((relinked - m.expected_relink(50)).abs() < 1e-12, "b={b} d'={asked}: {relinked}");
        }
    }

    /// LDP.md section 2.9, column "dBitFlip all bits"; and with so many bits every machine is found again.
    #[test]
    fn linkability_is_that_of_the_table() {
        for (b, e, printed) in [(100, 2.0, "84"), (1000, 2.0, "840"), (100, 4.0, "53"), (1000, 4.0, "527")] {
            assert_eq!(format!("{:.0}", dbitflip(b, b, e).linkability_bits()), printed, "b={b}");
            assert!(dbitflip(b, b, e).expected_relink(20_000) > 0.99);
        }
    }

    /// LDP.md section 2.9: `n Var = (b/d') sqrt(a)/(sqrt(a) - 1)^2` at share 0.
    #[test]
    fn the_variance_is_the_published_one() {
        for (b, asked, e) in [(100, 1, 1.0), (100, 8, 2.0), (20, 20, 4.0)] {
            let root = f64::exp(e / 2.0);
            let published = f64::from(b) / f64::from(asked) * root / (root - 1.0).powi(2);
            assert!((dbitflip(b, asked, e).variance(0.0) / published - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_workstation_keeps_at_most_one_answer_for_each_bit_asked_and_one_more() {
        use rand::SeedableRng;
        let mut rng = rand::rngs::ChaCha20Rng::seed_from_u64(30);
        for (asked, most) in [(1, 2), (3, 4), (6, 6)] {
            let m = dbitflip(6, asked, 1.0);
            let mut client = m.enrol(&mut rng);
            for value in (0..6).cycle().take(30) {
                m.report(&mut client, value, &mut rng).unwrap();
            }
            assert_eq!((client.memo.len(), m.most_memos()), (most, u32::try_from(most).unwrap()));
            assert_eq!(client.asked.ones(), asked);
        }
        assert!(DBitFlip::new(domain(6), 0, epsilon(1.0)).is_err());
        assert!(DBitFlip::new(domain(6), 7, epsilon(1.0)).is_err());
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Several attributes of one person under one epsilon: splitting, sampling, and random sampling with fake data.
//!
//! With M attributes, splitting (SPL) reports each at `epsilon/M`; sampling (SMP) reports one, drawn at random and
//! named, at epsilon; RS+FD reports one at `epsilon' = ln(M (a - 1) + 1)`, `a = e^epsilon`, and invents the others, not
//! saying which is which (Arcolezi, Couchot, Al Bouna and Xiao, CIKM 2021).
//!
//! # RS+FD answers to a weaker question
//! `epsilon'` comes from amplification by sampling, which compares two people who differ in *one attribute*. The loss
//! of the whole report, between two people who may differ in all, is `epsilon'`: a report that supports every attribute
//! of one and none of the other has a ratio of `e^epsilon'` in each of the M terms of the mixture, so in their sum. SPL
//! and SMP lose epsilon for the whole report, so their variances are not comparable with RS+FD's at the same epsilon
//! ([`MultiDimensional::loss_per_report`], [`MultiDimensional::loss_per_attribute`]). With fakes of random values
//! (OUE-r) one attribute loses more than epsilon as well, as soon as it has more than two values: a fake is then not
//! equally likely whatever it shows. Tests enumerate both.

use rand::{Rng, RngExt};

use crate::{DomainSize, Epsilon, ParameterError, Support, ValueError};

/// How one attribute is randomised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Generalised randomised response: the answer is a value.
    Grr,
    /// Optimised unary encoding: the answer is a row of bits.
    Oue,
}

/// How the attributes share epsilon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Solution {
    /// SPL
    Split(Encoding),
    /// SMP
    Sample(Encoding),
    /// RS+FD\[GRR\]: an invented answer is a uniform value.
    FakeGrr,
    /// RS+FD\[OUE-z\]: an invented answer is the randomised row of zeros.
    FakeOueZero,
    /// RS+FD\[OUE-r\]: an invented answer is the randomised row of a uniform value.
    FakeOueRandom,
}

/// What is said about one attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// One value.
    Symbol(u32),
    /// One bit for each value.
    Bits(Vec<bool>),
}

impl Answer {
    /// Whether the answer supports a value.
    #[must_use]
    pub fn supports(&self, value: u32) -> bool {
        match self {
            Self::Symbol(symbol) => *symbol == value,
            Self::Bits(bits) => bits.get(value as usize).copied().unwrap_or(false),
        }
    }
}

/// A solution for M attributes with their dictionaries.
#[derive(Clone, Debug, PartialEq)]
pub struct MultiDimensional {
    solution: Solution,
    domains: Vec<u32>,
    epsilon: f64,
}

impl MultiDimensional {
    /// The solution over one dictionary for each attribute.
    ///
    /// # Errors
    /// [`ParameterError::NoAttributes`] for an empty list.
    pub fn new(solution: Solution, domains: &[DomainSize], epsilon: Epsilon) -> Result<Self, ParameterError> {
        if domains.is_empty() {
            return Err(ParameterError::NoAttributes);
        }
        let domains = domains.iter().map(|domain| domain.get()).collect();
        Ok(Self { solution, domains, epsilon: epsilon.into() })
    }

    /// A report: one answer for each attribute, `None` for those that sampling left out.
    ///
    /// # Errors
    /// [`ValueError::WrongKind`] unless there is one value for each attribute, [`ValueError::OutOfRange`] for a value
    /// beyond its dictionary; nothing is drawn then.
    pub fn randomise<R: Rng + ?Sized>(&self, values: &[u32], rng: &mut R) -> Result<Vec<Option<Answer>>, ValueError> {
        if values.len() != self.domains.len() {
            return Err(ValueError::WrongKind);
        }
        if values.iter().zip(&self.domains).any(|(value, domain)| value >= domain) {
            return Err(ValueError::OutOfRange);
        }
        let chosen = rng.random_range(0..values.len());
        let pairs = values.iter().zip(&self.domains).enumerate();
        Ok(pairs.map(|(i, (&value, &domain))| self.answer(value, domain, i == chosen, rng)).collect())
    }

    fn answer<R: Rng + ?Sized>(&self, value: u32, domain: u32, chosen: bool, rng: &mut R) -> Option<Answer> {
        let random = |rng: &mut R| rng.random_range(0..domain);
        match self.solution {
            Solution::Split(encoding) => Some(self.encode(encoding, Some(value), domain, rng)),
            Solution::Sample(encoding) => chosen.then(|| self.encode(encoding, Some(value), domain, rng)),
            Solution::FakeGrr if chosen => Some(self.encode(Encoding::Grr, Some(value), domain, rng)),
            Solution::FakeGrr => Some(Answer::Symbol(random(rng))),
            Solution::FakeOueZero => Some(self.encode(Encoding::Oue, chosen.then_some(value), domain, rng)),
            Solution::FakeOueRandom => {
                let shown = if chosen { value } else { random(rng) };
                Some(self.encode(Encoding::Oue, Some(shown), domain, rng))
            }
        }
    }

    fn encode<R: Rng + ?Sized>(&self, encoding: Encoding, value: Option<u32>, domain: u32, rng: &mut R) -> Answer {
        let Support { p_true, p_false } = one_answer(encoding, domain, self.epsilon_of_answer());
        let mut supported = |v: u32| rng.random::<f64>() < if Some(v) == value { p_true } else { p_false };
        match (encoding, value) {
            (Encoding::Grr, Some(value)) if !supported(value) => {
                let other = rng.random_range(0..domain - 1);
                Answer::Symbol(other + u32::from(other >= value))
            }
            (Encoding::Grr, value) => Answer::Symbol(value.unwrap_or(0)),
            (Encoding::Oue, _) => Answer::Bits((0..domain).map(supported).collect()),
        }
    }

    fn attributes(&self) -> f64 {
        self.domains.len() as f64
    }

    /// The epsilon at which one honest answer is randomised.
    #[must_use]
    pub fn epsilon_of_answer(&self) -> f64 {
        match self.solution {
            Solution::Split(_) => self.epsilon / self.attributes(),
            Solution::Sample(_) => self.epsilon,
            _ => (self.attributes() * self.epsilon.exp_m1()).ln_1p(),
        }
    }

    /// (P_t, P_f) of an answer about an attribute, honest or invented; `None` for an attribute that there is not. With
    /// sampling, of the answers given: divide by their number, not by n.
    #[must_use]
    pub fn support(&self, attribute: usize) -> Option<Support> {
        let domain = *self.domains.get(attribute)?;
        let encoding = match self.solution {
            Solution::Split(encoding) | Solution::Sample(encoding) => encoding,
            Solution::FakeGrr => Encoding::Grr,
            Solution::FakeOueZero | Solution::FakeOueRandom => Encoding::Oue,
        };
        let honest = one_answer(encoding, domain, self.epsilon_of_answer());
        // The chance that an invented answer supports a value.
        let fake = match self.solution {
            Solution::Split(_) | Solution::Sample(_) => return Some(honest),
            Solution::FakeGrr => 1.0 / f64::from(domain),
            Solution::FakeOueZero => honest.p_false,
            Solution::FakeOueRandom => honest.reported(1.0 / f64::from(domain)),
        };
        let m = self.attributes();
        let mixed = |p: f64| (p + (m - 1.0) * fake) / m;
        Some(Support { p_true: mixed(honest.p_true), p_false: mixed(honest.p_false) })
    }

    /// `n Var` of the estimate at a true share, n people being asked; `None` for an attribute that there is not.
    #[must_use]
    pub fn variance(&self, attribute: usize, share: f64) -> Option<f64> {
        let answered = if matches!(self.solution, Solution::Sample(_)) { self.attributes() } else { 1.0 };
        self.support(attribute).map(|support| answered * support.variance(share))
    }

    /// The privacy loss of the report between any two people.
    #[must_use]
    pub fn loss_per_report(&self) -> f64 {
        match self.solution {
            Solution::Split(_) | Solution::Sample(_) => self.epsilon,
            _ => self.epsilon_of_answer(),
        }
    }

    /// The privacy loss of the report between two people who differ in one attribute; `None` for an attribute that
    /// there is not.
    ///
    /// For RS+FD the report's likelihood is the mean over attributes of the ratio r of an honest answer's chance to an
    /// invented one's. The attribute that differs has r against `r e^-epsilon'`, the others are the same for both and
    /// at least some least r each, so the loss is `ln((e^epsilon' + S) / (1 + S))` with S the sum of the others' least
    /// r in units of the differing attribute's r of an answer against the value. For OUE-z every r is 1 and S = M - 1. For GRR
    /// and k values the least r and the unit are both `k/(e^epsilon' + k - 1)`, at a wrong value. For OUE-r the least r is
    /// `k/(1 + (k - 1) e^epsilon')`, at a row of every bit but the value's, and the unit that of GRR, at a row of one wrong bit.
    #[must_use]
    pub fn loss_per_attribute(&self, attribute: usize) -> Option<f64> {
        let domain = *self.domains.get(attribute)?;
        let (m, a) = (self.attributes(), self.epsilon_of_answer().exp());
        let others = match self.solution {
            Solution::Split(_) => return Some(self.epsilon / m),
            Solution::Sample(_) => return Some(self.epsilon),
            Solution::FakeOueZero => m - 1.0,
            Solution::FakeGrr | Solution::FakeOueRandom => {
                let unit = |k: f64| k / (a + k - 1.0);
                let of_rows = |k: f64| k / (1.0 + (k - 1.0) * a);
                let least = |k: f64| if matches!(self.solution, Solution::FakeGrr) { unit(k) } else { of_rows(k) };
                let (k, all) = (f64::from(domain), self.domains.iter().map(|&k| least(k.into())).sum::<f64>());
                (all - least(k)) / unit(k)
            }
        };
        Some(((a + others) / (1.0 + others)).ln())
    }
}

/// (P_t, P_f) of one honest answer.
fn one_answer(encoding: Encoding, domain: u32, epsilon: f64) -> Support {
    let a = epsilon.exp();
    match encoding {
        Encoding::Grr => {
            let total = a + f64::from(domain) - 1.0;
            Support { p_true: a / total, p_false: 1.0 / total }
        }
        Encoding::Oue => Support { p_true: 0.5, p_false: 1.0 / (a + 1.0) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;

    const ALL: [Solution; 7] = [
        Solution::Split(Encoding::Grr),
        Solution::Split(Encoding::Oue),
        Solution::Sample(Encoding::Grr),
        Solution::Sample(Encoding::Oue),
        Solution::FakeGrr,
        Solution::FakeOueZero,
        Solution::FakeOueRandom,
    ];

    fn solution(solution: Solution, domains: &[u64], epsilon: f64) -> MultiDimensional {
        let domains: Vec<DomainSize> = domains.iter().map(|&d| DomainSize::try_from(d).unwrap()).collect();
        MultiDimensional::new(solution, &domains, Epsilon::try_from(epsilon).unwrap()).unwrap()
    }

    /// LDP.md section 2.8: n Var at share 0.
    #[test]
    fn variances_are_those_of_the_table() {
        let columns = [
            Solution::Split(Encoding::Oue),
            Solution::Sample(Encoding::Oue),
            Solution::Sample(Encoding::Grr),
            Solution::FakeOueZero,
            Solution::FakeGrr,
        ];
        let table = [
            (5, 4, 1.0, ["99.7", "18.4", "8.0", "13.0", "9.1"]),
            (10, 4, 1.0, ["400", "36.8", "16.0", "24.6", "26.9"]),
            (10, 100, 1.0, ["400", "36.8", "341", "24.6", "45.4"]),
            (10, 100, 4.0, ["24.7", "0.76", "0.53", "0.75", "1.28"]),
        ];
        for (m, d, epsilon, row) in table {
            for (column, printed) in columns.into_iter().zip(row) {
                let variance = solution(column, &vec![d; m], epsilon).variance(0, 0.0).unwrap();
                let decimals = printed.split('.').nth(1).map_or(0, str::len);
                assert_eq!(format!("{variance:.decimals$}"), printed, "M={m} d={d} {column:?}");
            }
        }
    }

    /// Every possible answer of an attribute with k values under an encoding.
    fn answers(encoding: Encoding, k: u32) -> Vec<Answer> {
        match encoding {
            Encoding::Grr => (0..k).map(Answer::Symbol).collect(),
            Encoding::Oue => (0..1_u32 << k).map(|y| Answer::Bits((0..k).map(|v| y >> v & 1 == 1).collect())).collect(),
        }
    }

    /// P[answer] for a row that encodes a value, or none.
    fn chance(support: Support, answer: &Answer, value: Option<u32>) -> f64 {
        let one = |v: u32| if Some(v) == value { support.p_true } else { support.p_false };
        match answer {
            Answer::Symbol(symbol) => one(*symbol),
            Answer::Bits(bits) => (0..).zip(bits).map(|(v, &bit)| if bit { one(v) } else { 1.0 - one(v) }).product(),
        }
    }

    /// P[report | values] for every report, for RS+FD from its definition.
    fn channel(m: &MultiDimensional, encoding: Encoding, values: &[u32]) -> Vec<f64> {
        let all: Vec<Vec<Answer>> = m.domains.iter().map(|&k| answers(encoding, k)).collect();
        let honest = |i: usize| one_answer(encoding, m.domains[i], m.epsilon_of_answer());
        let fake = |i: usize, answer: &Answer| match m.solution {
            Solution::FakeGrr => 1.0 / f64::from(m.domains[i]),
            Solution::FakeOueZero => chance(honest(i), answer, None),
            _ => (0..m.domains[i]).map(|v| chance(honest(i), answer, Some(v))).sum::<f64>() / f64::from(m.domains[i]),
        };
        let reports = (0..all.iter().map(Vec::len).product::<usize>()).map(|mut code| {
            let digits = all.iter().map(|answers| {
                let digit = code % answers.len();
                code /= answers.len();
                &answers[digit]
            });
            digits.collect::<Vec<&Answer>>()
        });
        let mixture = |report: Vec<&Answer>| -> f64 {
            let term = |chosen: usize| -> f64 {
                let each = report.iter().zip(values).enumerate();
                each.map(|(i, (y, &v))| if i == chosen { chance(honest(i), y, Some(v)) } else { fake(i, y) }).product()
            };
            (0..values.len()).map(term).sum::<f64>() / values.len() as f64
        };
        reports.map(mixture).collect()
    }

    fn loss(p: &[f64], q: &[f64]) -> f64 {
        p.iter().zip(q).map(|(p, q)| (p / q).ln().abs()).fold(0.0, f64::max)
    }

    /// Over every report on two and three attributes: the loss between people who differ in one attribute, and in all.
    #[test]
    fn fake_data_loses_more_than_epsilon_for_a_whole_report() {
        let epsilon = 1.0;
        let cases = [
            (Solution::FakeGrr, Encoding::Grr, 3, 3, true),
            (Solution::FakeGrr, Encoding::Grr, 5, 2, true),
            (Solution::FakeOueZero, Encoding::Oue, 3, 3, true),
            (Solution::FakeOueRandom, Encoding::Oue, 2, 3, true),
            (Solution::FakeOueRandom, Encoding::Oue, 3, 3, false),
            (Solution::FakeOueRandom, Encoding::Oue, 5, 2, false),
        ];
        for (scheme, encoding, k, attributes, honest) in cases {
            let m = solution(scheme, &vec![k; attributes], epsilon);
            let held = channel(&m, encoding, &vec![0; attributes]);
            assert!((held.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            let mut neighbour = vec![0; attributes];
            neighbour[0] = 1;
            let one = loss(&held, &channel(&m, encoding, &neighbour));
            let all = loss(&held, &channel(&m, encoding, &vec![1; attributes]));
            let place = format!("{scheme:?} k={k} M={attributes}");
            assert!((one - m.loss_per_attribute(0).unwrap()).abs() < 1e-9, "{place}: {one}");
            assert!((all - m.loss_per_report()).abs() < 1e-9, "{place}: {all}");
            assert!(all > epsilon + 0.4, "{place}: {all}");
            assert!(if honest { (one - epsilon).abs() < 1e-9 } else { one > epsilon + 0.05 }, "{place}: {one}");
        }
    }

    /// Dictionaries of unequal size: enumerated, attribute by attribute. The smaller dictionary's invented answers hide less.
    #[test]
    fn unequal_dictionaries_lose_unequally() {
        for (scheme, encoding) in [(Solution::FakeGrr, Encoding::Grr), (Solution::FakeOueRandom, Encoding::Oue)] {
            let m = solution(scheme, &[5, 2], 1.0);
            let held = channel(&m, encoding, &[0, 0]);
            for (attribute, neighbour) in [[1, 0], [0, 1]].iter().enumerate() {
                let one = loss(&held, &channel(&m, encoding, neighbour));
                let stated = m.loss_per_attribute(attribute).unwrap();
                assert!((one - stated).abs() < 1e-9, "{scheme:?} {attribute}: {one}, {stated}");
            }
        }
    }

    /// 60 runs of 500 people with three attributes: the mean error within 4.9 standard errors of 0, and the mean square
    /// error within 4.9 of its own (`sqrt(2/runs)`) of the stated variance less the sampling of people, who are fixed
    /// here; asking a third of them for an attribute samples them still.
    #[test]
    fn estimates_are_unbiased_with_the_stated_variance() {
        let mut rng = ChaCha20Rng::seed_from_u64(43);
        let (runs, n) = (60, 500);
        for scheme in ALL {
            let m = solution(scheme, &[3, 2, 4], 2.0);
            let support = m.support(0).unwrap();
            // A half hold 0, a half hold 1, nobody holds 2.
            let mut errors = vec![Vec::new(); 3];
            for _ in 0..runs {
                let reports: Vec<Answer> = (0..n)
                    .filter_map(|person| m.randomise(&[person % 2, person % 2, 3], &mut rng).unwrap().swap_remove(0))
                    .collect();
                for (value, share) in [(0, 0.5), (1, 0.5), (2, 0.0)] {
                    let count = reports.iter().filter(|answer| answer.supports(value)).count();
                    errors[value as usize].push(support.share(count as f64 / reports.len() as f64) - share);
                }
            }
            for (errors, share) in errors.iter().zip([0.5, 0.5, 0.0]) {
                let stated = (m.variance(0, share).unwrap() - share * (1.0 - share)) / f64::from(n);
                let mean = |power: i32| errors.iter().map(|e| e.powi(power)).sum::<f64>() / f64::from(runs);
                let bias = mean(1) / (stated / f64::from(runs)).sqrt();
                assert!(bias.abs() < 4.9, "{scheme:?} {share}: bias z = {bias}");
                let spread = (mean(2) / stated - 1.0) / (2.0 / f64::from(runs)).sqrt();
                assert!(spread.abs() < 4.9, "{scheme:?} {share}: variance z = {spread}");
            }
        }
    }

    #[test]
    fn bad_values_are_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(44);
        let m = solution(Solution::FakeGrr, &[3, 2], 1.0);
        assert_eq!(m.randomise(&[0], &mut rng), Err(ValueError::WrongKind));
        assert_eq!(m.randomise(&[3, 0], &mut rng), Err(ValueError::OutOfRange));
        assert!(m.support(2).is_none() && m.variance(2, 0.0).is_none() && m.loss_per_attribute(2).is_none());
        let none = MultiDimensional::new(Solution::FakeGrr, &[], Epsilon::MAX);
        assert_eq!(none, Err(ParameterError::NoAttributes));
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Longitudinal unary encodings: a row of d bits, that of the value set, randomised twice, the first time for good.
//!
//! L-SUE is basic RAPPOR (Erlingsson, Pihur and Korolova, CCS 2014) in terms of its two losses; L-OSUE begins with OUE
//! (Arcolezi, Couchot, Al Bouna and Xiao, Digital Communications and Networks 2022).

use std::collections::BTreeMap;

use rand::Rng;

use super::bits::{Bits, Flip, information_bits, scores, value_bits};
use super::{Calibration, Longitudinal};
use crate::{DomainSize, Epsilon, ParameterError, Support, ValueError};

/// A longitudinal unary encoding over d values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LongitudinalUnary {
    domain: u32,
    permanent: Flip,
    weekly: Flip,
    /// [`scores`] of the held value's bit and of any other
    held_scores: [[f64; 2]; 2],
    other_scores: [[f64; 2]; 2],
}

/// What a workstation keeps: the permanent row for every value that it has held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnaryClient {
    memo: BTreeMap<u32, Bits>,
}

impl LongitudinalUnary {
    /// Any two channels of a bit: `permanent`, kept, and `weekly`, fresh at each report.
    #[must_use]
    pub fn new(domain: DomainSize, permanent: Flip, weekly: Flip) -> Self {
        Self {
            domain: domain.get(),
            permanent,
            weekly,
            held_scores: scores(weekly.pair(permanent.set)),
            other_scores: scores(weekly.pair(permanent.clear)),
        }
    }

    /// L-SUE: symmetric twice, the report being SUE at `epsilon_1`. Both halves of the loss are those of two-symbol
    /// L-GRR.
    ///
    /// # Errors
    /// [`ParameterError::FirstReport`] unless `first < infinity`.
    pub fn sue(domain: DomainSize, infinity: Epsilon, first: Epsilon) -> Result<Self, ParameterError> {
        let half = |epsilon: Epsilon| (f64::from(epsilon) / 2.0).exp();
        let odds = Calibration::Exact.irr_odds(2, half(infinity), half(first));
        let permanent = Flip::symmetric(half(infinity));
        if first < infinity {
            Ok(Self::new(domain, permanent, Flip::symmetric(odds)))
        } else {
            Err(ParameterError::FirstReport { first, infinity })
        }
    }

    /// L-OSUE: OUE at `epsilon_infinity` (`P[1|1] = 1/2`, `P[1|0] = 1/(A + 1)`), then symmetric with the odds
    /// `(A_1 A - 1)/(A - A_1)`.
    ///
    /// The report is OUE at `epsilon_1` exactly: a fair coin stays fair, and
    /// `(b + A)/((A + 1)(b + 1)) = (A^2 - 1)/((A + 1)(A - 1)(A_1 + 1)) = 1/(A_1 + 1)`.
    ///
    /// # Errors
    /// [`ParameterError::FirstReport`] unless `first < infinity`.
    pub fn osue(domain: DomainSize, infinity: Epsilon, first: Epsilon) -> Result<Self, ParameterError> {
        let (a, a_first) = (f64::from(infinity).exp(), f64::from(first).exp());
        let odds = Calibration::Exact.irr_odds(2, a, a_first);
        if first < infinity {
            Ok(Self::new(domain, Flip { set: 0.5, clear: 1.0 / (a + 1.0) }, Flip::symmetric(odds)))
        } else {
            Err(ParameterError::FirstReport { first, infinity })
        }
    }

    /// Basic RAPPOR with its own parameters: the permanent bit is the true one with probability `1 - f`, else a fair
    /// coin; a set bit is reported as 1 with probability q, a clear one with p.
    ///
    /// # Errors
    /// [`ParameterError::BitChances`] unless `0 <= f < 1` and `0 <= p < q <= 1`.
    pub fn rappor(domain: DomainSize, f: f64, p: f64, q: f64) -> Result<Self, ParameterError> {
        Ok(Self::new(domain, Flip::new(1.0 - f / 2.0, f / 2.0)?, Flip::new(q, p)?))
    }

    /// The channel of one bit of the report.
    fn report_flip(&self) -> Flip {
        self.permanent.then(self.weekly)
    }
}

impl Longitudinal for LongitudinalUnary {
    type Client = UnaryClient;
    type Report = Bits;

    fn enrol<R: Rng + ?Sized>(&self, _rng: &mut R) -> UnaryClient {
        UnaryClient::default()
    }

    fn report<R: Rng + ?Sized>(&self, client: &mut UnaryClient, value: u32, rng: &mut R) -> Result<Bits, ValueError> {
        if value >= self.domain {
            return Err(ValueError::OutOfRange);
        }
        let memo = client.memo.entry(value).or_insert_with(|| {
            self.permanent.randomise_row(&Bits::from_fn(self.domain, |bit| bit == value), self.domain, rng)
        });
        Ok(self.weekly.randomise_row(memo, self.domain, rng))
    }

    fn supports(&self, report: &Bits, value: u32) -> Option<bool> {
        Some(report.get(value))
    }

    fn support(&self) -> Support {
        let Flip { set, clear } = self.report_flip();
        Support { p_true: set, p_false: clear }
    }

    fn epsilon_first(&self) -> f64 {
        let (one, zero) = self.report_flip().losses();
        one + zero
    }

    fn epsilon_infinity(&self) -> f64 {
        let (one, zero) = self.permanent.losses();
        one + zero
    }

    fn linkability_bits(&self) -> f64 {
        let bit = |one| information_bits(self.weekly.pair(one));
        bit(self.permanent.set) + f64::from(self.domain - 1) * bit(self.permanent.clear)
    }

    /// By the chain rule what either report says about the value is added, and what both say together taken away.
    fn linkability_bits_unknown_value(&self) -> f64 {
        let Flip { set, clear } = self.report_flip();
        let one = [(set, clear), (1.0 - set, 1.0 - clear)];
        let [held, other] = [self.permanent.set, self.permanent.clear].map(|one| self.weekly.pair(one));
        let both: Vec<(f64, f64)> = held.into_iter().flatten().zip(other.into_iter().flatten()).collect();
        let about = |outcomes: &[(f64, f64)]| value_bits(outcomes, self.domain, self.domain);
        self.linkability_bits() + 2.0 * about(&one) - about(&both)
    }

    fn link_score(&self, value: u32, first: &Bits, second: &Bits) -> f64 {
        let (held, other) = (&self.held_scores, &self.other_scores);
        let (y, z) = (first.get(value), second.get(value));
        // The counts of the four pairs over the bits of the other values.
        let both = first.common(second) - u32::from(y && z);
        let (ones, next_ones) = (first.ones() - u32::from(y), second.ones() - u32::from(z));
        let neither = self.domain - 1 + both - ones - next_ones;
        let counted = [[neither, next_ones - both], [ones - both, both]];
        let terms = counted.as_flattened().iter().zip(other.as_flattened()).filter(|(count, _)| **count > 0);
        held[usize::from(y)][usize::from(z)] + terms.map(|(&count, score)| f64::from(count) * score).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::research::longitudinal::testing::{domain, epsilon, product};

    const LOSSES: [(f64, f64); 4] = [(1.0, 0.5), (2.0, 1.0), (4.0, 2.0), (4.0, 0.1)];

    fn osue(d: u32, infinity: f64, first: f64) -> LongitudinalUnary {
        LongitudinalUnary::osue(domain(d), epsilon(infinity), epsilon(first)).unwrap()
    }

    fn sue(d: u32, infinity: f64, first: f64) -> LongitudinalUnary {
        LongitudinalUnary::sue(domain(d), epsilon(infinity), epsilon(first)).unwrap()
    }

    /// P[row | row] for all 2^d rows.
    fn row_channel(d: u32, flip: Flip) -> Vec<Vec<f64>> {
        let chance = |x: u32, y: u32| {
            (0..d)
                .map(|bit| {
                    let one = flip.of(x >> bit & 1 == 1);
                    if y >> bit & 1 == 1 { one } else { 1.0 - one }
                })
                .product()
        };
        (0..1_u32 << d).map(|x| (0..1_u32 << d).map(|y| chance(x, y)).collect()).collect()
    }

    /// Over all rows of 4 bits, permanent matrix times weekly matrix: the greatest log ratio between two values is the
    /// stated loss, before and after the weekly step, and the marginal of a bit is the stated support.
    #[test]
    fn losses_and_support_are_those_of_the_enumerated_channel() {
        let rappor = LongitudinalUnary::rappor(domain(4), 0.5, 0.5, 0.75).unwrap();
        let all = LOSSES.map(|(i, f)| [osue(4, i, f), sue(4, i, f)]);
        for m in all.as_flattened().iter().chain([&rappor]) {
            let values = |channel: &[Vec<f64>]| -> Vec<Vec<f64>> { (0..4).map(|v| channel[1 << v].clone()).collect() };
            let permanent = row_channel(4, m.permanent);
            let report = product(&permanent, &row_channel(4, m.weekly));
            for (channel, stated) in [(&permanent, m.epsilon_infinity()), (&report, m.epsilon_first())] {
                let rows = values(channel);
                let ratios = rows.iter().flat_map(|x| rows.iter().flat_map(|y| x.iter().zip(y).map(|(p, q)| p / q)));
                let greatest = ratios.fold(0.0_f64, f64::max).ln();
                assert!((greatest - stated).abs() < 1e-12, "{m:?}: {greatest} {stated}");
            }
            for (bit, stated) in [(2, m.support().p_true), (0, m.support().p_false)] {
                let chance: f64 = (0..16).filter(|y| y >> bit & 1 == 1).map(|y| values(&report)[2][y]).sum();
                assert!((chance - stated).abs() < 1e-12, "{m:?}: {chance} {stated}");
            }
        }
    }

    #[test]
    fn l_osue_is_exactly_oue() {
        for (infinity, first) in LOSSES {
            let a = f64::exp(first);
            let Support { p_true, p_false } = osue(10, infinity, first).support();
            assert!((p_true - 0.5).abs() < 1e-12 && (p_false - 1.0 / (a + 1.0)).abs() < 1e-12, "{p_true} {p_false}");
            let variance = osue(10, infinity, first).variance(0.0);
            assert!((variance / (4.0 * a / (a - 1.0).powi(2)) - 1.0).abs() < 1e-12);
            assert!((osue(10, infinity, first).epsilon_first() - first).abs() < 1e-12);
            assert!((osue(10, infinity, first).epsilon_infinity() - infinity).abs() < 1e-12);
        }
        assert_eq!(format!("{:.3}", osue(10, 2.0, 1.0).variance(0.0)), "3.683");
    }

    #[test]
    fn l_sue_is_exactly_sue() {
        for (infinity, first) in LOSSES {
            let root = f64::exp(first / 2.0);
            let Support { p_true, p_false } = sue(10, infinity, first).support();
            assert!((p_true - root / (root + 1.0)).abs() < 1e-12 && (p_true + p_false - 1.0).abs() < 1e-12);
            assert!((sue(10, infinity, first).variance(0.0) / (root / (root - 1.0).powi(2)) - 1.0).abs() < 1e-12);
            assert!((sue(10, infinity, first).epsilon_infinity() - infinity).abs() < 1e-12);
        }
    }

    /// RAPPOR's own formulas (CCS 2014, sections 3.1 and 3.2) for one hash function.
    #[test]
    fn rappor_has_its_published_losses() {
        let (f, p, q) = (0.5, 0.5, 0.75);
        let m = LongitudinalUnary::rappor(domain(10), f, p, q).unwrap();
        let (set, clear) = (f * (p + q) / 2.0 + (1.0 - f) * q, f * (p + q) / 2.0 + (1.0 - f) * p);
        assert!((m.epsilon_infinity() - 2.0 * ((1.0 - f / 2.0) / (f / 2.0)).ln()).abs() < 1e-12);
        assert!((m.epsilon_first() - (set * (1.0 - clear) / (clear * (1.0 - set))).ln()).abs() < 1e-12);
        assert!(LongitudinalUnary::rappor(domain(10), 1.0, p, q).is_err());
        assert!(LongitudinalUnary::rappor(domain(10), f, q, p).is_err());
        assert!(LongitudinalUnary::rappor(domain(10), f, f64::NAN, q).is_err());
    }

    /// The sum over bits against the mutual information of whole rows, and the score against the same joint.
    #[test]
    fn linkability_and_score_are_those_of_whole_rows() {
        for m in [osue(4, 2.0, 1.0), sue(4, 2.0, 1.0)] {
            let held = 2;
            let memo = &row_channel(4, m.permanent)[1 << held];
            let weekly = row_channel(4, m.weekly);
            let pair = |y: usize, z: usize| (0..16).map(|x| memo[x] * weekly[x][y] * weekly[x][z]).sum::<f64>();
            let margin: Vec<f64> = (0..16).map(|y| (0..16).map(|z| pair(y, z)).sum()).collect();
            let row = |y: usize| Bits::from_fn(4, |bit| y >> bit & 1 == 1);
            let mut bits = 0.0;
            for (y, z) in (0..256).map(|i| (i / 16, i % 16)) {
                let score = (pair(y, z) / (margin[y] * margin[z])).ln();
                let stated = m.link_score(held, &row(y), &row(z));
                assert!((score - stated).abs() < 1e-12, "{y} {z}: {score} {stated}");
                bits += pair(y, z) * score / std::f64::consts::LN_2;
            }
            assert!((bits - m.linkability_bits()).abs() < 1e-12, "{bits} {}", m.linkability_bits());
        }
    }

    /// Against the mutual information of the reports themselves, over all pairs of rows and all values.
    #[test]
    fn linkability_without_the_value_is_that_of_whole_rows() {
        let certain = LongitudinalUnary::rappor(domain(4), 0.5, 0.0, 1.0).unwrap();
        let noiseless = LongitudinalUnary::rappor(domain(4), 0.0, 0.25, 0.75).unwrap();
        for m in [osue(4, 2.0, 1.0), sue(4, 4.0, 2.0), certain, noiseless] {
            let (permanent, weekly) = (row_channel(4, m.permanent), row_channel(4, m.weekly));
            let given = |v: usize, y: usize, z: usize| {
                (0..16).map(|x| permanent[1 << v][x] * weekly[x][y] * weekly[x][z]).sum::<f64>()
            };
            let joint = |y: usize, z: usize| (0..4).map(|v| given(v, y, z)).sum::<f64>() / 4.0;
            let margin: Vec<f64> = (0..16).map(|y| (0..16).map(|z| joint(y, z)).sum()).collect();
            let term = |p: f64, independent: f64| if p > 0.0 { p * (p / independent).log2() } else { 0.0 };
            let bits: f64 =
                (0..256).map(|i| (i / 16, i % 16)).map(|(y, z)| term(joint(y, z), margin[y] * margin[z])).sum();
            let stated = m.linkability_bits_unknown_value();
            assert!((bits - stated).abs() < 1e-12, "{m:?}: {bits} {stated}");
        }
    }

    /// LDP.md section 2.9, columns "L-OSUE bits" and "RAPPOR bits" (L-SUE), where the observer knows the value.
    #[test]
    fn linkability_is_that_of_the_table() {
        let table = [(100, 2.0, 1.0, "2.7", "4.0"), (1000, 2.0, 1.0, "26.6", "39.6"), (100, 4.0, 2.0, "1.0", "2.7")];
        for (d, infinity, first, l_osue, rappor) in table.into_iter().chain([(1000, 4.0, 2.0, "7.1", "26.5")]) {
            assert_eq!(format!("{:.1}", osue(d, infinity, first).linkability_bits()), l_osue, "d={d}");
            assert_eq!(format!("{:.1}", sue(d, infinity, first).linkability_bits()), rappor, "d={d}");
        }
    }

    #[test]
    fn losses_in_the_wrong_order_are_refused() {
        for (infinity, first) in [(1.0, 1.0), (1.0, 2.0)] {
            let (infinity, first) = (epsilon(infinity), epsilon(first));
            let error = ParameterError::FirstReport { first, infinity };
            assert_eq!(LongitudinalUnary::osue(domain(4), infinity, first), Err(error.clone()));
            assert_eq!(LongitudinalUnary::sue(domain(4), infinity, first), Err(error));
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! A row of bits and the randomisation of one of them, or of all.

use rand::{Rng, RngExt};

use crate::ParameterError;
use crate::research::BitVector;
use crate::research::coin::Coin;

/// A row of bits, one for each value, with the number of those that are set: relinking asks for it over and over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bits {
    row: BitVector,
    ones: u32,
}

impl From<BitVector> for Bits {
    fn from(row: BitVector) -> Self {
        Self { ones: row.count_ones(), row }
    }
}

impl Bits {
    /// The bits of 0 to `len - 1` for which `set` says so.
    pub(super) fn from_fn(len: u32, mut set: impl FnMut(u32) -> bool) -> Self {
        let mut row = BitVector::filled(len, |_| ());
        for bit in 0..len {
            row.set(bit, set(bit));
        }
        row.into()
    }

    /// Whether a bit is set; those beyond the last are not.
    #[must_use]
    pub fn get(&self, bit: u32) -> bool {
        self.row.get(bit)
    }

    /// The bits, 64 to a word, the first the lowest; those beyond the last are zero.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        self.row.words()
    }

    /// How many bits are set.
    #[must_use]
    pub fn ones(&self) -> u32 {
        self.ones
    }

    /// How many bits are set in both.
    #[must_use]
    pub fn common(&self, other: &Self) -> u32 {
        self.words().iter().zip(other.words()).map(|(a, b)| (a & b).count_ones()).sum()
    }
}

/// The channel of one bit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flip {
    /// P[1 | 1]
    pub set: f64,
    /// P[1 | 0]
    pub clear: f64,
}

impl Flip {
    /// # Errors
    /// [`ParameterError::BitChances`] unless `0 <= clear < set <= 1`.
    pub fn new(set: f64, clear: f64) -> Result<Self, ParameterError> {
        if 0.0 <= clear && clear < set && set <= 1.0 {
            Ok(Self { set, clear })
        } else {
            Err(ParameterError::BitChances { set, clear })
        }
    }

    /// The symmetric channel in which the true bit has the given odds against the other.
    pub(super) fn symmetric(odds: f64) -> Self {
        Self { set: odds / (odds + 1.0), clear: 1.0 / (odds + 1.0) }
    }

    pub(super) fn of(self, bit: bool) -> f64 {
        if bit { self.set } else { self.clear }
    }

    /// This channel and then another.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        let chance = |one: f64| one * next.set + (1.0 - one) * next.clear;
        Self { set: chance(self.set), clear: chance(self.clear) }
    }

    pub(super) fn randomise<R: Rng + ?Sized>(self, bit: bool, rng: &mut R) -> bool {
        rng.random::<f64>() < self.of(bit)
    }

    /// The first `len` bits of a row, each randomised.
    pub(super) fn randomise_row<R: Rng + ?Sized>(self, row: &Bits, len: u32, rng: &mut R) -> Bits {
        let [set, clear] = [self.set, self.clear].map(Coin::new);
        let randomised = BitVector::filled(len, |words| {
            for (randomised, &word) in words.iter_mut().zip(row.words()) {
                let ones = if word == 0 { 0 } else { word & set.toss_64(rng) };
                *randomised = ones | !word & clear.toss_64(rng);
            }
        });
        randomised.into()
    }

    /// The greatest log likelihood ratio of the bit's reports, a 1 and a 0: together the loss of a row in which the
    /// value's bit is set and all others are clear, since two values differ in two bits.
    #[must_use]
    pub fn losses(self) -> (f64, f64) {
        ((self.set / self.clear).ln(), ((1.0 - self.clear) / (1.0 - self.set)).ln())
    }

    /// The chances of two reports from one memoised bit that is 1 with probability `one`; this channel is the weekly
    /// one.
    pub(super) fn pair(self, one: f64) -> [[f64; 2]; 2] {
        let report = |y: usize, bit: bool| if y == 1 { self.of(bit) } else { 1.0 - self.of(bit) };
        let joint = |y, z| one * report(y, true) * report(z, true) + (1.0 - one) * report(y, false) * report(z, false);
        [[joint(0, 0), joint(0, 1)], [joint(1, 0), joint(1, 1)]]
    }
}

/// For two binary reports: the log likelihood ratio (nats) of each pair against independence. A pair without chance has
/// negative infinity.
pub(super) fn scores(pair: [[f64; 2]; 2]) -> [[f64; 2]; 2] {
    let margin = [pair[0][0] + pair[0][1], pair[1][0] + pair[1][1]];
    let score = |y: usize, z: usize| (pair[y][z] / (margin[y] * margin[z])).ln();
    [[score(0, 0), score(0, 1)], [score(1, 0), score(1, 1)]]
}

/// The mutual information in bits of two binary reports.
pub(super) fn information_bits(pair: [[f64; 2]; 2]) -> f64 {
    let (chances, scores) = (pair.as_flattened(), scores(pair));
    let nats: f64 = chances.iter().zip(scores.as_flattened()).filter(|(p, _)| **p > 0.0).map(|(p, s)| p * s).sum();
    nats / std::f64::consts::LN_2
}

/// What a row says about the value, in bits, when all `domain` values are equally likely and the bits of `asked` of
/// them, chosen at random, are seen. An outcome of one bit is given by its chances where the bit is the value's, and
/// where it is not.
///
/// With r the ratio of an outcome's two chances, and 1 for a bit that is not seen, `P[row | v] / P[row]` is `r_v / S`,
/// S being the mean of r over all values. So the information is `E[ln r_v] - E[ln S]`, and Frullani's integral makes a
/// product over independent bits of the latter: `E[ln S] = int_0^inf (e^-t - E[e^(-t S)]) / t dt`. An outcome that only
/// the value's bit has leaves one value.
pub(super) fn value_bits(outcomes: &[(f64, f64)], asked: u32, domain: u32) -> f64 {
    let (d, seen) = (f64::from(domain), f64::from(asked) / f64::from(domain));
    let log_ratio = |&(held, other): &(f64, f64)| {
        let ratio = if other > 0.0 { held / other } else { d };
        if held > 0.0 { held * ratio.ln() } else { 0.0 }
    };
    let transform = |t: f64| {
        let (mut of_value, mut of_other) = (0.0, 0.0);
        for (held, other) in outcomes.iter().filter(|(_, other)| *other > 0.0) {
            let damped = (-t * held / (other * d)).exp();
            (of_value, of_other) = (of_value + held * damped, of_other + other * damped);
        }
        let rest = of_other.powf(f64::from(asked) - 1.0);
        (-t * (1.0 - seen)).exp() * rest * (seen * of_value + (1.0 - seen) * of_other)
    };
    // With t = e^u the integrand is analytic and falls fast at both ends: the trapezoidal rule is exact to rounding.
    let (whole, step) = (transform(0.0), 0.125);
    let log_mean: f64 =
        (-400..=400).map(|i| (f64::from(i) * step).exp()).map(|t| step * (whole * (-t).exp() - transform(t))).sum();
    (seen * outcomes.iter().map(log_ratio).sum::<f64>() - log_mean) / std::f64::consts::LN_2
}

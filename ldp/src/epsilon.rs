// SPDX-License-Identifier: MIT OR Apache-2.0
//! The privacy parameter and the integer weights that realise it.

use serde::{Deserialize, Serialize};

use crate::error::ParameterError;

/// A privacy parameter epsilon, held exactly as a whole number of millionths.
///
/// Basic composition adds these integers, so that a sum of spent budget never carries a rounding error.
/// Range: [`Epsilon::MIN`] (0.000001) to [`Epsilon::MAX`] (16). Serde reads and writes the decimal number and goes
/// through the same check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Epsilon(u32);

impl Epsilon {
    /// The smallest epsilon: one millionth.
    pub const MIN: Self = Self(1);
    /// The largest epsilon: 16. Beyond it a report hides nothing and the weights would no longer fit their integers.
    pub const MAX: Self = Self(16_000_000);

    /// Epsilon from millionths.
    ///
    /// # Errors
    /// [`ParameterError::Epsilon`] outside 1 to 16,000,000.
    pub fn from_micros(micros: u32) -> Result<Self, ParameterError> {
        if (Self::MIN.0..=Self::MAX.0).contains(&micros) {
            Ok(Self(micros))
        } else {
            Err(ParameterError::Epsilon(f64::from(micros) / 1e6))
        }
    }

    /// Millionths of epsilon, exact.
    #[must_use]
    pub const fn micros(self) -> u32 {
        self.0
    }

    /// The weights (A, B) with `B = 2^32` and A the largest integer that a Taylor sum in integers proves to be at most
    /// `2^32 e^epsilon`: the realised loss `ln(A/B)` never exceeds epsilon.
    #[must_use]
    pub fn weights(self) -> Weights {
        Weights { inside: exp_floor(u128::from(self.0), 1_000_000), outside: Weights::UNIT }
    }
}

impl TryFrom<f64> for Epsilon {
    type Error = ParameterError;

    /// # Errors
    /// [`ParameterError::Epsilon`] when not finite, out of range, or with more than six decimals.
    fn try_from(value: f64) -> Result<Self, ParameterError> {
        let micros = value * 1e6;
        // A decimal with six places is within a few units in the last place of a whole number of millionths.
        let is_decimal = (micros - micros.round()).abs() <= 1e-6;
        if !(is_decimal && (1.0..=16e6).contains(&micros.round())) {
            return Err(ParameterError::Epsilon(value));
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "range checked on the line above")]
        Ok(Self(micros.round() as u32))
    }
}

impl From<Epsilon> for f64 {
    fn from(epsilon: Epsilon) -> Self {
        Self::from(epsilon.0) / 1e6
    }
}

impl std::fmt::Display for Epsilon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f64::from(*self).fmt(f)
    }
}

/// The two integer weights of a channel: A for messages that support the value, B for the others.
///
/// The channel's privacy loss is `ln(A/B)` exactly (Stipple design, LDP.md section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    pub(crate) inside: u64,
    pub(crate) outside: u64,
}

impl Weights {
    /// The weight B that every deployed channel uses: `2^32`.
    pub const UNIT: u64 = 1 << 32;

    /// Weights for enumeration in tests, where a small total lets every uniform integer be tried.
    ///
    /// # Errors
    /// [`ParameterError::Weights`] unless `inside > outside > 0` and `inside < 2^56`.
    pub fn new(inside: u64, outside: u64) -> Result<Self, ParameterError> {
        if outside == 0 || inside <= outside || inside >= 1 << 56 {
            return Err(ParameterError::Weights { inside, outside });
        }
        Ok(Self { inside, outside })
    }

    /// A: the weight of a message that supports the value.
    #[must_use]
    pub const fn inside(self) -> u64 {
        self.inside
    }

    /// B: the weight of a message that does not.
    #[must_use]
    pub const fn outside(self) -> u64 {
        self.outside
    }

    /// `A/B`, the greatest likelihood ratio, as a floating-point number for estimators.
    #[must_use]
    pub fn ratio(self) -> f64 {
        self.inside as f64 / self.outside as f64
    }
}

/// A lower bound of `2^32 e^(numerator / denominator)`, at most one below its floor; integers only.
///
/// Every term of the Taylor series is rounded down, so the sum is below the true value whatever the argument. With 64
/// fractional bits the accumulated error stays under `2^-32` for arguments up to 16.
#[must_use]
pub(crate) fn exp_floor(numerator: u128, denominator: u128) -> u64 {
    let mut term: u128 = 1 << 64;
    let mut sum = term;
    let mut k = 0;
    while term > 0 {
        k += 1;
        term = term * numerator / (denominator * k);
        sum += term;
    }
    u64::try_from(sum >> 32).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_never_exceed_the_nominal_epsilon_and_are_tight() {
        for micros in [1, 100, 500_000, 693_147, 1_000_000, 2_000_000, 4_000_000, 10_000_000, 16_000_000] {
            let epsilon = Epsilon::from_micros(micros).unwrap();
            let exact = f64::from(epsilon).exp() * 2f64.powi(32);
            let a = epsilon.weights().inside() as f64;
            // f64 carries 53 bits, A up to 56: allow its own rounding beside the unit of the floor.
            let slack = exact * 1e-15;
            assert!(a <= exact + slack, "{micros}: {a} > {exact}");
            assert!(exact - a <= 2.0 + slack, "{micros}: {a} is not the floor of {exact}");
        }
    }

    #[test]
    fn known_floors() {
        // floor(2^32 e) and floor(2^32 e^2), from the 50-digit expansions of e and e^2.
        assert_eq!(exp_floor(1, 1), 11_674_931_554);
        assert_eq!(exp_floor(2, 1), 31_735_754_293);
    }

    #[test]
    fn epsilon_is_checked_through_every_door() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 16.000_001, 1e-7, 0.123_456_78] {
            assert!(Epsilon::try_from(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Epsilon>("-1").is_err());
        assert!(serde_json::from_str::<Epsilon>("17").is_err());
        let half: Epsilon = serde_json::from_str("0.5").unwrap();
        assert_eq!(half.micros(), 500_000);
        assert_eq!(serde_json::to_string(&half).unwrap(), "0.5");
        assert_eq!(Epsilon::try_from(0.1).unwrap().micros(), 100_000);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Square wave: the distribution of an ordered value from 0 to m.
//!
//! Li et al. (SIGMOD 2020, section 5), discrete form: the reported output lies within b of the value with weight A each, and
//! anywhere else on the widened line with weight B. Near values are likely outputs, so that expectation-maximisation over the
//! output counts recovers a distribution better than independent shares would; see [`crate::postprocess::em`].

use crate::domain::Bound;
use crate::epsilon::Epsilon;
use crate::window::Window;

/// The discrete square wave with its integer channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SquareWave {
    pub(crate) window: Window,
    pub(crate) bound: u32,
}

impl SquareWave {
    /// The channel over the values 0 to m, with `b = floor(beta (m + 1))` where beta maximises the mutual information of value and
    /// output (section 5.3): `beta = (epsilon a - a + 1) / (2 a (a - 1 - epsilon))`, `a = e^epsilon`.
    #[must_use]
    pub fn new(bound: Bound, epsilon: Epsilon) -> Self {
        let values = f64::from(bound.get()) + 1.0;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 128, by the clamp")]
        let half = (reach(epsilon.into()) * values).clamp(0.0, values / 2.0) as u64;
        Self { window: Window::new(bound.get(), half, epsilon.weights()), bound: bound.get() }
    }

    /// b, how far a window reaches to either side of its value.
    #[must_use]
    pub const fn half_width(&self) -> u64 {
        self.window.half
    }

    /// P[output y | value v]: A/W in the value's window, else B/W.
    #[must_use]
    pub fn chance(&self, value: u32, output: u64) -> f64 {
        self.window.chance(value, output)
    }
}

/// beta, from the series of its numerator and denominator: both cancel to second order at small epsilon. Only IEEE basic operations,
/// so every machine agrees.
fn reach(epsilon: f64) -> f64 {
    let (mut term, mut numerator, mut rest) = (epsilon, 0.0, 0.0);
    for k in 2..100 {
        let k = f64::from(k);
        term *= epsilon / k;
        numerator += term * (k - 1.0);
        rest += term;
    }
    let ratio = 1.0 + epsilon + rest;
    numerator / (2.0 * ratio * rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reach_is_the_papers_formula() {
        for epsilon in [0.5, 1.0, 2.0, 4.0, 16.0] {
            let a = f64::exp(epsilon);
            let direct = (epsilon * a - a + 1.0) / (2.0 * a * (a - 1.0 - epsilon));
            assert!((reach(epsilon) / direct - 1.0).abs() < 1e-9, "{epsilon}");
        }
        assert!((reach(1e-6) - 0.5).abs() < 1e-5, "half the line when nothing may be told");
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The mean of a number in [-1, 1]: Laplace, Duchi, piecewise and hybrid.
//!
//! All four answer with an unbiased response, so the estimate is the plain mean of the responses; another range is
//! scaled linearly to [-1, 1] first. Below, `a = e^epsilon` and `s = e^(epsilon/2)`. Coins and noise are floating
//! point: for simulation, never for a workstation (Mironov, CCS 2012, reads a Laplace sample's value from its last
//! bits).
//!
//! Sources: Duchi, Jordan and Wainwright (JASA 2018, section 3.2, in one dimension); Wang, Xiao, Yang, Zhao, Hui, Shin,
//! Shin and Yu (ICDE 2019) for the piecewise mechanism, the hybrid and its threshold.

use rand::{Rng, RngExt};

use crate::{Epsilon, ValueError};

/// Which noise a [`MeanMechanism`] adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noise {
    /// The value plus Laplace noise of scale `2/epsilon`.
    Laplace,
    /// One of two responses, `c` or `-c` with `c = (a + 1)/(a - 1)`.
    Duchi,
    /// A density of two heights on [-C, C] with `C = (s + 1)/(s - 1)`, the higher on a window around the value.
    Piecewise,
    /// The piecewise mechanism with probability `1 - 1/s` when epsilon exceeds [`hybrid_threshold`], else Duchi's.
    Hybrid,
}

/// A mechanism for the mean with its epsilon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanMechanism {
    noise: Noise,
    epsilon: f64,
}

impl MeanMechanism {
    /// The mechanism over [-1, 1].
    #[must_use]
    pub fn new(noise: Noise, epsilon: Epsilon) -> Self {
        Self { noise, epsilon: epsilon.into() }
    }

    /// An unbiased response to a value in [-1, 1].
    ///
    /// # Errors
    /// [`ValueError::OutOfRange`] for a value outside [-1, 1] or not a number; nothing is drawn then.
    pub fn randomise<R: Rng + ?Sized>(&self, value: f64, rng: &mut R) -> Result<f64, ValueError> {
        if !(-1.0..=1.0).contains(&value) {
            return Err(ValueError::OutOfRange);
        }
        Ok(match self.noise {
            Noise::Laplace => value + self.laplace_scale() * standard_laplace(rng),
            Noise::Piecewise => self.piecewise(value, rng),
            Noise::Hybrid if rng.random::<f64>() < self.piecewise_share() => self.piecewise(value, rng),
            Noise::Duchi | Noise::Hybrid => self.duchi(value, rng),
        })
    }

    /// `n Var` of the mean when all n hold the same value, in [-1, 1], and only the noise is random.
    #[must_use]
    pub fn variance(&self, value: f64) -> f64 {
        let (c, s) = (self.duchi_size(), (self.epsilon / 2.0).exp());
        let duchi = c * c - value * value;
        let piecewise = value * value / (s - 1.0) + (s + 3.0) / (3.0 * (s - 1.0).powi(2));
        match self.noise {
            Noise::Laplace => 2.0 * self.laplace_scale().powi(2),
            Noise::Duchi => duchi,
            Noise::Piecewise => piecewise,
            // Above the threshold the two terms in the value cancel: (1 - 1/s)/(s - 1) = 1/s.
            Noise::Hybrid => {
                let share = self.piecewise_share();
                share * piecewise + (1.0 - share) * duchi
            }
        }
    }

    /// The likelihood of a response given a value: a density, but the probability itself at Duchi's two responses. Its
    /// greatest ratio between two values is `e^epsilon`.
    #[must_use]
    pub fn likelihood(&self, value: f64, response: f64) -> f64 {
        match self.noise {
            Noise::Laplace => {
                let scale = self.laplace_scale();
                (-(response - value).abs() / scale).exp() / (2.0 * scale)
            }
            Noise::Duchi => self.duchi_mass(value, response),
            Noise::Piecewise => self.piecewise_density(value, response),
            Noise::Hybrid => {
                let share = self.piecewise_share();
                let mass = self.duchi_mass(value, response);
                if mass > 0.0 { (1.0 - share) * mass } else { share * self.piecewise_density(value, response) }
            }
        }
    }

    fn laplace_scale(&self) -> f64 {
        2.0 / self.epsilon
    }

    /// c
    fn duchi_size(&self) -> f64 {
        1.0 / (self.epsilon / 2.0).tanh()
    }

    fn duchi_mass(&self, value: f64, response: f64) -> f64 {
        let c = self.duchi_size();
        if (response.abs() - c).abs() > 0.0 { 0.0 } else { 0.5 + 0.5 * value * response.signum() / c }
    }

    fn duchi<R: Rng + ?Sized>(&self, value: f64, rng: &mut R) -> f64 {
        let c = self.duchi_size();
        if rng.random::<f64>() < self.duchi_mass(value, c) { c } else { -c }
    }

    /// C, and the lower and upper end of a value's window.
    fn window(&self, value: f64) -> (f64, f64, f64) {
        let size = 1.0 / (self.epsilon / 4.0).tanh();
        let low = (size + 1.0) * value / 2.0 - (size - 1.0) / 2.0;
        (size, low, low + size - 1.0)
    }

    fn piecewise_density(&self, value: f64, response: f64) -> f64 {
        let (size, low, high) = self.window(value);
        let s = (self.epsilon / 2.0).exp();
        let inside = s * (s - 1.0) / (2.0 * (s + 1.0));
        if response.abs() > size {
            0.0
        } else if (low..=high).contains(&response) {
            inside
        } else {
            inside / self.epsilon.exp()
        }
    }

    fn piecewise<R: Rng + ?Sized>(&self, value: f64, rng: &mut R) -> f64 {
        let (size, low, high) = self.window(value);
        let s = (self.epsilon / 2.0).exp();
        if rng.random::<f64>() < s / (s + 1.0) {
            return low + (high - low) * rng.random::<f64>();
        }
        // The window is cut out of [-C, C]: what lies beyond its lower end moves up by its width.
        let outside = -size + (size + 1.0) * rng.random::<f64>();
        if outside < low { outside } else { outside + (high - low) }
    }

    fn piecewise_share(&self) -> f64 {
        if self.epsilon > hybrid_threshold() { 1.0 - (-self.epsilon / 2.0).exp() } else { 0.0 }
    }
}

/// The epsilon up to which the hybrid mechanism is Duchi's (about 0.61): the root of "constant variance of the hybrid =
/// greatest variance of Duchi's" (Wang et al., ICDE 2019, in closed form).
#[must_use]
pub fn hybrid_threshold() -> f64 {
    let root = 405.0 * f64::sqrt(241.0);
    ((-5.0 + 2.0 * (6353.0 - root).cbrt() + 2.0 * (6353.0 + root).cbrt()) / 27.0).ln()
}

/// Laplace noise of scale 1 by inversion.
fn standard_laplace<R: Rng + ?Sized>(rng: &mut R) -> f64 {
    // 1 - u lies in (0, 1], so the logarithm is finite.
    let size = -(1.0 - rng.random::<f64>()).ln();
    if rng.random::<bool>() { size } else { -size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;

    const ALL: [Noise; 4] = [Noise::Laplace, Noise::Duchi, Noise::Piecewise, Noise::Hybrid];

    fn mechanism(noise: Noise, epsilon: f64) -> MeanMechanism {
        MeanMechanism::new(noise, Epsilon::try_from(epsilon).unwrap())
    }

    /// Places where the density jumps or bends, from the lowest response to the highest.
    fn pieces(m: &MeanMechanism, value: f64) -> Vec<f64> {
        if m.noise == Noise::Laplace {
            // Beyond 40 scales the density is below 1e-17.
            return (-4000..=4000).map(|i| value + m.laplace_scale() * f64::from(i) / 100.0).collect();
        }
        let (size, low, high) = m.window(value);
        vec![-size, low, high, size]
    }

    /// The moment of a power from the likelihood alone: Simpson's rule within every piece (exact where the density is
    /// constant) plus the two atoms.
    fn moment(m: &MeanMechanism, value: f64, power: i32) -> f64 {
        let atoms: f64 = if matches!(m.noise, Noise::Duchi | Noise::Hybrid) {
            [-m.duchi_size(), m.duchi_size()].iter().map(|y| m.likelihood(value, *y) * y.powi(power)).sum()
        } else {
            0.0
        };
        let smooth: f64 = pieces(m, value)
            .windows(2)
            .map(|ends| {
                let (middle, half) = (f64::midpoint(ends[0], ends[1]), (ends[1] - ends[0]) / 2.0);
                // Just within the ends, where a jump cannot be read on its wrong side.
                let at =
                    |x: f64| m.likelihood(value, middle + half * x * (1.0 - 1e-9)) * (middle + half * x).powi(power);
                if m.noise == Noise::Duchi { 0.0 } else { half / 3.0 * (at(-1.0) + 4.0 * at(0.0) + at(1.0)) }
            })
            .sum();
        atoms + smooth
    }

    #[test]
    fn the_density_has_mass_one_the_right_mean_and_the_stated_variance() {
        for noise in ALL {
            for epsilon in [0.3, 0.61, 1.0, 4.0] {
                for value in [-1.0, -0.3, 0.0, 0.8, 1.0] {
                    let m = mechanism(noise, epsilon);
                    let (mass, mean, square) = (moment(&m, value, 0), moment(&m, value, 1), moment(&m, value, 2));
                    let place = format!("{noise:?} {epsilon} {value}");
                    assert!((mass - 1.0).abs() < 1e-6, "{place}: mass {mass}");
                    assert!((mean - value).abs() < 1e-6, "{place}: mean {mean}");
                    let variance = square - mean * mean;
                    let stated = m.variance(value);
                    assert!((variance / stated - 1.0).abs() < 1e-5, "{place}: {variance} {stated}");
                }
            }
        }
    }

    /// On a grid of responses (with the atoms) and values, ends included: no ratio of likelihoods exceeds `e^epsilon`,
    /// and it is attained.
    #[test]
    fn the_likelihood_ratio_is_at_most_e_to_the_epsilon() {
        for noise in ALL {
            for epsilon in [0.3, 1.0, 2.5] {
                let m = mechanism(noise, epsilon);
                let atoms = [-m.duchi_size(), m.duchi_size()];
                let mut greatest = 0.0_f64;
                for response in (-750..=750).map(|i| f64::from(i) * 0.02).chain(atoms) {
                    let row: Vec<f64> = (-100..=100).map(|i| m.likelihood(f64::from(i) / 100.0, response)).collect();
                    let (least, most) = row.iter().fold((f64::INFINITY, 0.0_f64), |(l, h), &p| (l.min(p), h.max(p)));
                    assert!(least > 0.0 || most <= 0.0, "{noise:?}: a response that only some values can give");
                    if least > 0.0 {
                        greatest = greatest.max(most / least);
                    }
                }
                assert!((greatest.ln() - epsilon).abs() < 1e-12, "{noise:?} {epsilon}: {}", greatest.ln());
            }
        }
    }

    /// LDP.md section 2.5, to the printed digits: at 0 and at 1.
    #[test]
    fn variances_are_those_of_the_table() {
        let table = [
            (0.5, ["32", "16.67/15.67", "17.70/21.22", "16.67/15.67"]),
            (1.0, ["8", "4.683/3.683", "3.682/5.224", "4.289"]),
            (2.0, ["2", "1.724/0.724", "0.646/1.228", "1.042"]),
            (4.0, ["0.5", "1.076/0.076", "0.085/0.241", "0.219"]),
        ];
        for (epsilon, row) in table {
            for (noise, printed) in ALL.into_iter().zip(row) {
                let m = mechanism(noise, epsilon);
                let both: Vec<&str> = printed.split('/').collect();
                for (value, digits) in [(0.0, both[0]), (1.0, both[both.len() - 1]), (-1.0, both[both.len() - 1])] {
                    let decimals = digits.split('.').nth(1).map_or(0, str::len);
                    assert_eq!(format!("{:.decimals$}", m.variance(value)), digits, "{noise:?} {epsilon} {value}");
                }
            }
        }
    }

    /// At the threshold the hybrid's constant variance meets Duchi's greatest; either side of it the order turns.
    #[test]
    fn the_hybrid_threshold_is_where_duchi_stops_winning() {
        let threshold = hybrid_threshold();
        assert_eq!(format!("{threshold:.4}"), "0.6094");
        let gap = |epsilon: f64| {
            let (s, c) = (f64::exp(epsilon / 2.0), 1.0 / f64::tanh(epsilon / 2.0));
            (s + 3.0) / (3.0 * s * (s - 1.0)) + c * c / s - c * c
        };
        assert!(gap(threshold).abs() < 1e-9, "{}", gap(threshold));
        assert!(gap(threshold - 0.01) > 0.0 && gap(threshold + 0.01) < 0.0);
    }

    /// Mean and variance of 100,000 responses: each within 4.9 standard errors (two-sided 1e-6) over 24 cases; the
    /// standard error of the variance from the simulated fourth moment.
    #[test]
    fn simulated_responses_have_the_stated_mean_and_variance() {
        let mut rng = ChaCha20Rng::seed_from_u64(25);
        let n = 100_000;
        for noise in ALL {
            for epsilon in [0.5, 2.0] {
                for value in [-1.0, 0.25, 1.0] {
                    let m = mechanism(noise, epsilon);
                    let errors: Vec<f64> = (0..n).map(|_| m.randomise(value, &mut rng).unwrap() - value).collect();
                    let mean = |power: i32| errors.iter().map(|e| e.powi(power)).sum::<f64>() / f64::from(n);
                    let stated = m.variance(value);
                    let z_mean = mean(1) / (stated / f64::from(n)).sqrt();
                    let z_variance = (mean(2) - stated) / ((mean(4) - mean(2).powi(2)) / f64::from(n)).sqrt();
                    assert!(z_mean.abs() < 4.9, "{noise:?} {epsilon} {value}: z = {z_mean}");
                    assert!(z_variance.abs() < 4.9, "{noise:?} {epsilon} {value}: z = {z_variance}");
                }
            }
        }
    }

    #[test]
    fn values_outside_the_range_are_refused() {
        let mut rng = ChaCha20Rng::seed_from_u64(26);
        for noise in ALL {
            for value in [-1.000_001, 1.000_001, f64::NAN, f64::INFINITY] {
                assert_eq!(mechanism(noise, 1.0).randomise(value, &mut rng), Err(ValueError::OutOfRange));
            }
        }
    }
}

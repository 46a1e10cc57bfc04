// SPDX-License-Identifier: MIT OR Apache-2.0
//! The privacy blanket: what n shuffled reports of one mechanism reveal about one of them, as a proven upper bound.
//!
//! Balle, Bell, Gascon and Nissim (CRYPTO 2019). Let m(y) be at most P(y|z) for every value z: a *minorant* of the
//! channel, of mass gamma. Every sender draws from `m/gamma` with chance gamma whatever the value, and those messages
//! hide the one report that someone is after, which comes from P(.|x) or from P(.|x'). Tell the adversary which of the
//! others did so; what is left are M - 1 blanket messages and the one, `M - 1 ~ Bin(n - 1, gamma)`, and because
//! `P[Bin(n - 1, gamma) = k - 1] / k = P[Bin(n, gamma) = k] / (n gamma)`,
//!
//! `delta(epsilon) <= E[(xi_1 + .. + xi_n)_+] / n`, the xi independent: `xi = (P(y|x) - e^epsilon P(y|x')) / m(y)` with
//! chance m(y) for each message y, else 0.
//!
//! It holds whatever the others' values are, for one report from each of n senders (no composition), and only if
//! somebody really shuffles: drops addresses, times and every other trace of the sender.
//!
//! # Which minorant
//! * A balanced block design has `m = B/W` for every message. Its xi takes four values, the same for every pair of
//!   values.
//! * *Any* channel of loss `ln a`, `a = A/B`: `m = max(P(.|x), P(.|x'))/a`. Of u = P(y|x)/m and v = P(y|x')/m one is a,
//!   the other between 1 and a. Splitting the other into 1 and a with its mean kept raises the bound (it is convex in u
//!   and v) and leaves the pairs (a, 1) and (1, a), each with mass mu, and (a, a) with mass `(1 - (a + 1) mu)/a`, where
//!   `mu = beta/(a - 1)` and beta is the total variation distance of the two rows. The decomposition is that of Wang et
//!   al. (*Privacy amplification via shuffling*, PVLDB 17(8), 2024). To count only the first two kinds of message among
//!   the others, as they do, can fall below the exact delta: an adversary may tell the third kind apart, too (see the
//!   tests).
//! * This bound grows with beta, whose largest value is `(a - 1)/(a + 1)`; there it is the bound of binary randomised
//!   response, which thereby holds for every mechanism of loss `ln a`. It is the numeric bound of Feldman, McMillan and
//!   Talwar (*Stronger privacy amplification by shuffling*, SODA 2023), which an erratum of that paper limits to a
//!   class of mechanisms; for reports of one mechanism, here is a proof. With `s = (a + 1) mu` the law of xi is s Y +
//!   (1 - s) Z, where Y is binary randomised response's (a - e and 1 - ea with chance `1/(a + 1)` each, else 0; `e =
//!   e^epsilon < a`) and Z is `a(1 - e)` with chance 1/a, else 0. Both have mean 1 - e. For t >= 0, `E(Z - t)_+ = 0`;
//!   for t <= a(1 - e) it is 1 - e - t, which Y cannot undercut; between, `E(Y - t)_+ - E(Z - t)_+ >= (a(a - e) - t) /
//!   (a(a + 1)) >= 0`. So Z is below Y in the convex order, sums inherit it, and more Y for less Z only raises the
//!   bound.
//!
//! # Rounding
//! Sums of xi are evaluated on a grid by a module that bounds its own errors (`law.rs`). Here every input is rounded
//! against us: e^epsilon down, u up, v down, the chance of 0 up.

use super::law::Law;
use super::rounding::{exp_below, ln_above};
use crate::design::BlockDesign;
use crate::epsilon::Weights;
use crate::error::ParameterError;
use crate::support::Support;

/// Grid points for the search of an epsilon and for the value that is returned.
const COARSE: usize = 512;
const FINE: usize = 4096;
/// The relative error that a given number may have.
const INPUT: f64 = 1.0 / (1_u64 << 50) as f64;

/// All messages on which two values and the minorant stand in the same ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratios {
    /// the minorant's mass on these messages: in (0, 1\]
    pub mass: f64,
    /// u = P(y|x) / m(y), at least 1
    pub own: f64,
    /// v = P(y|x') / m(y), at least 1
    pub other: f64,
}

/// Two rows of a channel, seen through a minorant. Its numbers may be off by a relative `2^-50`.
#[derive(Clone, Debug, PartialEq)]
pub struct Blanket {
    ratios: Vec<Ratios>,
}

impl Blanket {
    /// Two rows and a minorant: sum of mass at most 1, sum of `mass * own` and of `mass * other` equal to 1.
    /// The bound then holds for these two values; for a mechanism, take the worst pair.
    ///
    /// # Errors
    /// [`ParameterError::Blanket`] when a number is out of range or a sum is off by more than `1e-9`.
    pub fn new(ratios: Vec<Ratios>) -> Result<Self, ParameterError> {
        let sum = |f: fn(&Ratios) -> f64| ratios.iter().map(f).sum::<f64>();
        let in_range = |r: &Ratios| r.mass > 0.0 && r.own >= 1.0 - INPUT && r.other >= 1.0 - INPUT;
        let one = |x: f64| (x - 1.0).abs() <= 1e-9;
        let sound = ratios.iter().all(in_range)
            && sum(|r| r.mass) <= 1.0 + 1e-9
            && one(sum(|r| r.mass * r.own))
            && one(sum(|r| r.mass * r.other));
        if sound { Ok(Self { ratios }) } else { Err(ParameterError::Blanket) }
    }

    /// Any two values of a balanced block design.
    #[must_use]
    pub fn of_design(design: &BlockDesign) -> Self {
        let (k, r, shared) = (design.channel.messages, design.channel.block, design.shared);
        let each = design.channel.weights.outside() as f64 / design.channel.total() as f64;
        let only = r.saturating_sub(shared);
        let neither = k.saturating_sub(r + only);
        Self::four(design.channel.weights.ratio(), [shared, only, neither].map(|count| count as f64 * each))
    }

    /// Any two values of any mechanism of loss `ln(A/B)`: the numeric bound of the *stronger clones*.
    #[must_use]
    pub fn of_any(weights: Weights) -> Self {
        let a = weights.ratio();
        Self::four(a, [0.0, 1.0 / (a + 1.0), 0.0])
    }

    /// Any two values of a mechanism of loss `ln(A/B)` whose rows differ by at most beta in total variation, in (0, 1\]
    /// (beyond the largest possible beta nothing changes).
    #[must_use]
    pub fn of_variation(weights: Weights, beta: f64) -> Self {
        let a = weights.ratio();
        // The bound grows with beta: rounding it up is safe. The mass of (a, a) is a difference; what its rounding can
        // take away is added.
        let only = (beta * (1.0 + INPUT) / (a - 1.0)).min(1.0 / (a + 1.0)).max(0.0);
        let both = ((1.0 - (a + 1.0) * only).max(0.0) + INPUT) / a;
        Self::four(a, [both, only, 0.0])
    }

    /// Any two values of a unary encoding, whose bits are 1 with the support's chances (Wang et al., USENIX Security
    /// 2017). The minorant lets all bits be drawn as of a value that nobody holds; it ignores the report of ones only.
    ///
    /// # Errors
    /// [`ParameterError::Blanket`] unless `0 < p_false < p_true < 1`.
    pub fn of_unary_encoding(bits: &Support) -> Result<Self, ParameterError> {
        let (p, q) = (bits.p_true, bits.p_false);
        if !(0.0 < q && q < p && p < 1.0) {
            return Err(ParameterError::Blanket);
        }
        let mass = (1.0 - p) / (1.0 - q);
        Ok(Self::four(p / q / mass, [q * q * mass, q * (1.0 - q) * mass, (1.0 - q) * (1.0 - q) * mass]))
    }

    /// A channel of two weights with ratio a; the minorant's mass on messages in both blocks, in each one's alone, in
    /// neither.
    fn four(a: f64, [both, only, neither]: [f64; 3]) -> Self {
        let all = [(both, a, a), (only, a, 1.0), (only, 1.0, a), (neither, 1.0, 1.0)];
        let ratios = all.into_iter().filter(|(mass, ..)| *mass > 0.0);
        Self { ratios: ratios.map(|(mass, own, other)| Ratios { mass, own, other }).collect() }
    }

    /// An upper bound of the delta at which n shuffled reports are (epsilon, delta)-private, for epsilon of at least 0
    /// and n of 1 to `2^53`: within a per cent of the blanket's delta where that is above `1e-20` and n below about
    /// `1e11`.
    ///
    /// # Errors
    /// [`ParameterError::Shuffle`] outside these ranges.
    pub fn delta(&self, epsilon: f64, n: u64) -> Result<f64, ParameterError> {
        check(n, epsilon >= 0.0 && epsilon.is_finite())?;
        Ok(self.delta_on(epsilon, n, FINE))
    }

    /// An epsilon at which n shuffled reports are proven (epsilon, delta)-private, for delta in (0, 1) and n of 1 to
    /// `2^53`: the least that the blanket yields, within about one part in 5000, and never more than the loss of a
    /// single report.
    ///
    /// # Errors
    /// [`ParameterError::Shuffle`] outside these ranges.
    pub fn epsilon(&self, delta: f64, n: u64) -> Result<f64, ParameterError> {
        let mut holding = self.quick_epsilon(delta, n)?;
        while holding > 1e-9 && self.delta_on(0.99 * holding, n, FINE) <= delta {
            holding *= 0.99;
        }
        Ok(bisect(0.99 * holding, holding, 1e-4, |epsilon| self.delta_on(epsilon, n, FINE) <= delta))
    }

    /// The same on a coarse grid, in a fraction of the time: as much proven, and at most a few percent more.
    ///
    /// # Errors
    /// [`ParameterError::Shuffle`] outside these ranges.
    pub fn quick_epsilon(&self, delta: f64, n: u64) -> Result<f64, ParameterError> {
        check(n, delta > 0.0 && delta < 1.0)?;
        let holds = |epsilon: f64| self.delta_on(epsilon, n, COARSE) <= delta;
        let mut holding = self.loss();
        while holding > 1e-9 && holds(holding / 2.0) {
            holding /= 2.0;
        }
        Ok(bisect(holding / 2.0, holding, 1e-3, holds))
    }

    /// The loss of one report, `ln max(u/v, v/u)`, rounded up.
    fn loss(&self) -> f64 {
        let most = self.ratios.iter().map(|r| (r.own / r.other).max(r.other / r.own)).fold(1.0, f64::max);
        ln_above(most * (1.0 + 4.0 * INPUT))
    }

    fn delta_on(&self, epsilon: f64, n: u64, points: usize) -> f64 {
        let e = exp_below(epsilon);
        let forward = self.expectation(e, n, points, |r| (r.own, r.other));
        // Two values in the other order, unless the pairs of ratios are the same then.
        let mirrored = |r: &Ratios| self.ratios.contains(&Ratios { mass: r.mass, own: r.other, other: r.own });
        if self.ratios.iter().all(mirrored) {
            forward
        } else {
            forward.max(self.expectation(e, n, points, |r| (r.other, r.own)))
        }
    }

    /// `E[(sum xi)_+] / n`.
    fn expectation(&self, e: f64, n: u64, points: usize, sides: impl Fn(&Ratios) -> (f64, f64)) -> f64 {
        let (up, down) = (1.0 + 2.0 * INPUT, 1.0 - 2.0 * INPUT);
        let mut atoms: Vec<(f64, f64)> = Vec::with_capacity(self.ratios.len() + 1);
        for ratios in &self.ratios {
            let (own, other) = sides(ratios);
            atoms.push((own * up - e * other * down, ratios.mass));
        }
        let mass: f64 = self.ratios.iter().map(|r| r.mass).sum();
        // Where e is large, an atom of the other value is so negative that it would coarsen the grid for all. Raising
        // it is safe, and beyond a hundred of the positive ones it no longer matters.
        let floor = -100.0 * atoms.iter().map(|atom| atom.0).fold(0.0, f64::max);
        for atom in &mut atoms {
            atom.0 = atom.0.max(floor);
        }
        atoms.push((0.0, (1.0 - mass).max(0.0) + (atoms.len() as f64 + 8.0) * INPUT));
        // 16 roundings are a relative 2^-49: the error that a mass may have.
        let sum = Law::new(&atoms, 16.0, points).power(n).positive_part();
        (sum / n as f64 * (1.0 + INPUT)).min(1.0)
    }
}

/// Halves what lies between until it is as small as wanted. Every epsilon that is kept was verified; the others only steer the search.
fn bisect(mut fails: f64, mut holding: f64, precision: f64, holds: impl Fn(f64) -> bool) -> f64 {
    while holding - fails > precision * holding {
        let middle = f64::midpoint(fails, holding);
        if holds(middle) { holding = middle } else { fails = middle }
    }
    holding
}

fn check(n: u64, in_range: bool) -> Result<(), ParameterError> {
    if in_range && (1..=1 << 53).contains(&n) { Ok(()) } else { Err(ParameterError::Shuffle) }
}

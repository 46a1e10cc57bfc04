// SPDX-License-Identifier: MIT OR Apache-2.0
//! The law of a sum of independent copies on a grid, so that `E[S_+]` comes out as a proven upper bound.
//!
//! Only non-negative numbers are added and multiplied: every rounding error is relative, and one counter bounds them
//! all.
//!
//! # What a [`Law`] claims
//! Let S be the sum of k independent copies of X. There is an exact probability measure mu, above the law of S in the
//! increasing convex order (so that `E[S_+] <= mu[x_+]`, and the same after any further convolution), with `mu = nu +
//! lambda`:
//! * nu lives on the grid `k x_0 + step j`, and the exact weight of every point is at most the stored one times `(1 +
//!   u)^N`, where `u = 2^-53` and N is `roundings`;
//! * lambda is what was cut off: its mass is at most `lost (1 + u)^N` and its `lambda[x_+]` at most `lost_gain (1 +
//!   u)^N`.
//!
//! # Why every step keeps the claim
//! * An atom between two grid points is split between them with its mean kept, which only raises expectations of convex
//!   functions; an atom rounded upward raises those of increasing ones.
//! * Convolution: `(nu_1 + lambda_1) * (nu_2 + lambda_2)` has the cut part `lambda_1 * mu_2 + nu_1 * lambda_2`, of mass
//!   at most `lost_1 + lost_2`, and because `(x + y)_+ <= x_+ + y_+`, of gain at most `lost_gain_1 + lost_1 mu_2[y_+] +
//!   lost_gain_2 + lost_2 mu_1[x_+]`. A sum of T products of two stored numbers has at most T roundings on top of those
//!   of its factors; a product with a stored zero is exact.
//! * Coarsening to every second grid point splits each odd point in half between its neighbours: mean kept.
//! * Cutting moves a weight from nu to lambda. Weights below [`NEGLIGIBLE`] are cut too, so that no product underflows.
//!
//! The step doubles only when the support outgrows the grid, which is once for a fourfold k: each time, the splits
//! raise the variance of S by about `200 / points^2` of it. That, and nothing else of weight, is what the bound gives
//! away.

/// The mass that one cut may remove from each end. It bounds from below what can be resolved: a delta far above `1e-22`
/// is not affected.
const TAIL: f64 = 1e-25;
/// Weights below this are cut, wherever they lie.
const NEGLIGIBLE: f64 = 1e-100;

/// The law of the sum of `terms` copies; see the module's documentation for what the fields bound.
#[derive(Clone, Debug)]
pub(crate) struct Law {
    terms: u64,
    /// `x_0`, where one copy of X has its largest atom
    anchor: f64,
    /// a power of two
    step: f64,
    /// the grid index of the first weight
    first: i64,
    weights: Vec<f64>,
    lost: f64,
    lost_gain: f64,
    roundings: f64,
    points: usize,
}

impl Law {
    /// The law of X from its atoms (value, probability), on at most `points` grid points. A value may be above the true
    /// one; a true probability may exceed the given one by a factor of up to `(1 + u)^roundings`.
    pub(crate) fn new(atoms: &[(f64, f64)], roundings: f64, points: usize) -> Self {
        let heavier = |a: (f64, f64), b: (f64, f64)| if b.1 > a.1 { b } else { a };
        let (anchor, _) = atoms.iter().copied().fold((0.0, 0.0), heavier);
        let upward = |offset: f64| if offset.abs() > 0.0 { offset.next_up() } else { 0.0 };
        let offsets = || atoms.iter().map(|&(x, p)| (upward(x - anchor), p));
        let (least, most) = offsets().fold((0.0_f64, 0.0_f64), |(least, most), (x, _)| (least.min(x), most.max(x)));
        let step = step_for(most - least, points);
        let first = whole(least / step);
        let mut weights = vec![0.0; index(whole(most / step) - first) + 2];
        for (offset, p) in offsets() {
            // Dividing by a power of two is exact, and so are whole numbers of this size.
            let place = offset / step;
            let low = index(whole(place) - first);
            weights[low] += p * (place.floor() + 1.0 - place);
            weights[low + 1] += p * (place - place.floor());
        }
        let roundings = roundings + 2.0 + atoms.len() as f64;
        let mut law = Self { terms: 1, anchor, step, first, weights, lost: 0.0, lost_gain: 0.0, roundings, points };
        law.cut();
        law
    }

    /// The law of the sum of `terms` copies of one (`self` is the law of one), by squaring. `terms` is 1 to `2^53`.
    pub(crate) fn power(self, terms: u64) -> Self {
        let mut one = self;
        let mut sum = one.clone();
        for bit in (0..terms.ilog2()).rev() {
            sum = sum.plus(&sum);
            if terms >> bit & 1 == 1 {
                while one.step < sum.step {
                    one.coarsen();
                }
                sum = sum.plus(&one);
            }
        }
        sum
    }

    /// An upper bound of `E[S_+]`.
    pub(crate) fn positive_part(&self) -> f64 {
        // (1 + u)^N <= e^(uN); twice u also covers the roundings of this very line and of the exponential.
        self.gain() * ((self.roundings + self.weights.len() as f64 + 8.0) * f64::EPSILON).exp()
    }

    /// `mu[x_+]` from the stored numbers, at most `weights.len() + 4` roundings more.
    fn gain(&self) -> f64 {
        let sum: f64 = self.weights.iter().enumerate().map(|(i, w)| w * self.value(i).max(0.0)).sum();
        sum + self.lost_gain
    }

    /// The place of the i-th weight, rounded up.
    fn value(&self, i: usize) -> f64 {
        let drift = (self.terms as f64 * self.anchor).next_up();
        (drift + self.step * (self.first + signed(i)) as f64).next_up()
    }

    /// The law of the sum of two independent sums on the same grid.
    fn plus(&self, other: &Self) -> Self {
        let products = self.occupied() + other.occupied();
        let mut sum = Self {
            terms: self.terms + other.terms,
            first: self.first + other.first,
            weights: convolve(&self.weights, &other.weights),
            lost: self.lost + other.lost,
            lost_gain: self.lost_gain + self.lost * other.gain() + other.lost_gain + other.lost * self.gain(),
            roundings: self.roundings + other.roundings + products + 16.0,
            ..*self
        };
        while sum.weights.len() > sum.points {
            sum.coarsen();
        }
        sum.cut();
        sum
    }

    /// How many weights are not zero: the most terms of any of the sums that they enter.
    fn occupied(&self) -> f64 {
        self.weights.iter().filter(|&&w| w > 0.0).count() as f64
    }

    /// Doubles the step.
    fn coarsen(&mut self) {
        let low = self.first.div_euclid(2);
        let mut weights = vec![0.0; self.weights.len() / 2 + 2];
        for (place, &w) in (self.first..).zip(&self.weights) {
            let below = index(place.div_euclid(2) - low);
            if place % 2 == 0 {
                weights[below] += w;
            } else {
                weights[below] += w / 2.0;
                weights[below + 1] += w / 2.0;
            }
        }
        self.step *= 2.0;
        self.first = low;
        self.weights = weights;
        self.roundings += 2.0;
    }

    /// Moves both ends, as far as [`TAIL`] allows, and all negligible weights from nu to lambda.
    fn cut(&mut self) {
        let low = tail(self.weights.iter());
        let high = self.weights.len() - tail(self.weights.iter().rev());
        for i in 0..self.weights.len() {
            let w = self.weights[i];
            if w > 0.0 && (w < NEGLIGIBLE || i < low || i >= high) {
                self.lost += w;
                self.lost_gain += w * self.value(i).max(0.0);
                self.weights[i] = 0.0;
                self.roundings += 1.0;
            }
        }
        self.weights.truncate(high);
        self.weights.drain(..low);
        self.first += signed(low);
        self.roundings += 4.0;
    }
}

/// How many weights from the start weigh at most [`TAIL`] together.
fn tail<'a>(weights: impl Iterator<Item = &'a f64>) -> usize {
    let sums = weights.scan(0.0, |sum, w| {
        *sum += w;
        Some(*sum)
    });
    sums.take_while(|&sum| sum <= TAIL).count()
}

/// The smallest power of two that divides a range into fewer than `points - 1` steps.
fn step_for(range: f64, points: usize) -> f64 {
    let most = points as f64 - 2.0;
    let mut step = 1.0;
    while range > step * most {
        step *= 2.0;
    }
    while range > 0.0 && range <= step / 2.0 * most {
        step /= 2.0;
    }
    step
}

fn convolve(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut sum = vec![0.0; a.len() + b.len() - 1];
    for (i, &x) in a.iter().enumerate().filter(|(_, x)| **x > 0.0) {
        for (s, y) in sum[i..].iter_mut().zip(b) {
            *s += x * y;
        }
    }
    sum
}

/// The whole number below x, which is smaller than the grid.
#[expect(clippy::cast_possible_truncation, reason = "a grid has fewer points than 2^63")]
fn whole(x: f64) -> i64 {
    x.floor() as i64
}

fn index(i: i64) -> usize {
    usize::try_from(i).unwrap_or(0)
}

fn signed(i: usize) -> i64 {
    i64::try_from(i).unwrap_or(i64::MAX)
}

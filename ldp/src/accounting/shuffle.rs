// SPDX-License-Identifier: MIT OR Apache-2.0
//! Amplification by shuffling: every bound that applies to a mechanism, side by side, and the smallest of them.
//!
//! All of them are conditional: they hold only if somebody whom the adversary does not control really shuffles the n
//! reports and drops addresses, times and every other trace of the sender, and if each of the n senders sends one
//! report. What a report costs its sender without that trust is its local loss, always the first of the bounds.

use super::blanket::Blanket;
use super::composition::realised_loss;
use super::rounding::ln_above;
use crate::design::BlockDesign;
use crate::epsilon::Weights;
use crate::error::ParameterError;
use crate::mechanism::Mechanism;

/// How a central epsilon was derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// No shuffling at all: the local loss, with delta = 0.
    Local,
    /// [`clones`], in closed form for every mechanism.
    Clones,
    /// [`stronger_clones`], in closed form for every mechanism.
    StrongerClones,
    /// [`Blanket::of_any`], numeric, for every mechanism.
    AnyMechanism,
    /// [`Blanket::of_variation`], numeric, from the greatest total variation between two values.
    Variation,
    /// The numeric blanket of the very mechanism.
    Blanket,
}

impl std::fmt::Display for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Local => "one report alone",
            Self::Clones => "clones (FOCS 2021)",
            Self::StrongerClones => "stronger clones (SODA 2023)",
            Self::AnyMechanism => "any mechanism, numeric",
            Self::Variation => "total variation, numeric",
            Self::Blanket => "privacy blanket, numeric",
        })
    }
}

/// One bound of the central epsilon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CentralBound {
    /// how it was derived
    pub route: Route,
    /// the epsilon; `None` outside of the route's range of validity
    pub epsilon: Option<f64>,
}

/// What amplification needs to know about a mechanism. From [`Weights`] (any mechanism with that loss), a
/// [`BlockDesign`] or a [`Mechanism`].
#[derive(Clone, Debug, PartialEq)]
pub struct Randomiser {
    pub(super) weights: Weights,
    pub(super) variation: Option<f64>,
    blanket: Option<Blanket>,
}

impl From<Weights> for Randomiser {
    fn from(weights: Weights) -> Self {
        Self { weights, variation: None, blanket: None }
    }
}

impl From<&BlockDesign> for Randomiser {
    fn from(design: &BlockDesign) -> Self {
        let weights = design.channel.weights;
        // P_t - P_f as one product, which unlike the difference loses no digits.
        let apart =
            design.channel.block.saturating_sub(design.shared) as f64 * (weights.inside() - weights.outside()) as f64;
        let variation = Some(apart / design.channel.total() as f64);
        Self { weights, variation, blanket: Some(Blanket::of_design(design)) }
    }
}

impl From<&Mechanism> for Randomiser {
    fn from(mechanism: &Mechanism) -> Self {
        let weights = mechanism.weights();
        match (mechanism, mechanism.design()) {
            (_, Some(design)) => design.into(),
            (Mechanism::Collision(m), _) => (&m.disjoint_sets()).into(),
            (Mechanism::PrivSet(m), _) => Self { weights, variation: Some(m.variation()), blanket: None },
            _ => Self { weights, variation: Some(greatest_variation(mechanism)), blanket: None },
        }
    }
}

/// The greatest total variation between the rows of two counts, rounded up past the error of its sums.
fn greatest_variation(mechanism: &Mechanism) -> f64 {
    let rows = mechanism.rows();
    let variation = |p: &[f64], q: &[f64]| p.iter().zip(q).map(|(p, q)| (p - q).max(0.0)).sum::<f64>() * (1.0 + 1e-12);
    let pairs = rows.iter().flat_map(|p| rows.iter().map(move |q| variation(p, q)));
    pairs.fold(0.0, f64::max).min(1.0)
}

/// All bounds of the epsilon at which n shuffled reports are (epsilon, delta)-private, the local loss first. Numbers
/// are rounded up. `n` is the number of reports received for the metric, at most `2^53`; delta is in (0, 1).
///
/// **Only if the reports are really shuffled**: see the module's documentation.
///
/// # Errors
/// [`ParameterError::Shuffle`] for n or delta out of range.
pub fn central_epsilon(
    randomiser: impl Into<Randomiser>,
    n: u64,
    delta: f64,
) -> Result<Vec<CentralBound>, ParameterError> {
    let Randomiser { weights, variation, blanket } = randomiser.into();
    let numeric = |blanket: Option<Blanket>| blanket.map(|b| b.epsilon(delta, n)).transpose();
    let any = numeric(Some(Blanket::of_any(weights)))?;
    let routes = [
        (Route::Local, Some(realised_loss(weights))),
        (Route::Clones, clones(weights, n, delta)),
        (Route::StrongerClones, stronger_clones(weights, n, delta)),
        (Route::AnyMechanism, any),
        (Route::Variation, numeric(variation.map(|beta| Blanket::of_variation(weights, beta)))?),
        (Route::Blanket, numeric(blanket)?),
    ];
    Ok(routes.map(|(route, epsilon)| CentralBound { route, epsilon }).to_vec())
}

/// The numeric bound from the most that is known of the mechanism, on a coarse grid: proven as [`central_epsilon`]'s are, at most a few percent
/// above the smallest of them, and many times as fast. **Only if the reports are really shuffled**, as there.
///
/// # Errors
/// [`ParameterError::Shuffle`] for n or delta out of range.
pub fn quick_epsilon(randomiser: impl Into<Randomiser>, n: u64, delta: f64) -> Result<f64, ParameterError> {
    let Randomiser { weights, variation, blanket } = randomiser.into();
    let closest = blanket.or_else(|| variation.map(|beta| Blanket::of_variation(weights, beta)));
    closest.unwrap_or_else(|| Blanket::of_any(weights)).quick_epsilon(delta, n)
}

/// The smallest of several bounds: each of them is valid, so it is too. `None` when there is none.
#[must_use]
pub fn smallest(bounds: &[CentralBound]) -> Option<CentralBound> {
    let valid = bounds.iter().filter_map(|bound| bound.epsilon.map(|epsilon| (epsilon, *bound)));
    valid.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, bound)| bound)
}

/// `ln(1 + (a-1)/(a+1) (8 sqrt(a ln(4/delta))/sqrt(n) + 8a/n))` for any mechanism of loss `ln a`, where `a <= n / (16
/// ln(2/delta))` (Feldman, McMillan and Talwar, *Hiding among the clones*, FOCS 2021, arXiv 2012.12803, theorem 3.1).
/// Rounded up; `None` outside of that range, or for a delta outside (0, 1).
#[must_use]
pub fn clones(weights: Weights, n: u64, delta: f64) -> Option<f64> {
    let (a, reports) = (weights.ratio(), n as f64);
    let valid = delta > 0.0 && delta < 1.0 && a * 16.0 * ln_above(2.0 / delta) <= reports;
    let spread = 8.0 * (a * ln_above(4.0 / delta)).sqrt() / reports.sqrt() + 8.0 * a / reports;
    valid.then(|| rounded_up((a - 1.0) / (a + 1.0) * spread))
}

/// `ln(1 + (a-1) (4 sqrt(2 ln(4/delta))/sqrt((a+1) n) + 4/n))` for any mechanism of loss `ln a`, where `a <= n / (8
/// ln(2/delta)) - 1` (Feldman, McMillan and Talwar, SODA 2023, arXiv 2208.04591). The paper's erratum limits it to a
/// class of mechanisms that contains binary randomised response, which by the proof in [`super::blanket`] is the worst
/// of all. Rounded up; `None` outside of that range, or for a delta outside (0, 1).
#[must_use]
pub fn stronger_clones(weights: Weights, n: u64, delta: f64) -> Option<f64> {
    let (a, reports) = (weights.ratio(), n as f64);
    let valid = delta > 0.0 && delta < 1.0 && (a + 1.0) * 8.0 * ln_above(2.0 / delta) <= reports;
    let spread = 4.0 * (2.0 * ln_above(4.0 / delta)).sqrt() / ((a + 1.0) * reports).sqrt() + 4.0 / reports;
    valid.then(|| rounded_up((a - 1.0) * spread))
}

/// `ln(1 + x)`, upward by far more than the roundings within x.
fn rounded_up(x: f64) -> f64 {
    ln_above((1.0 + x * (1.0 + 1e-14)).next_up())
}

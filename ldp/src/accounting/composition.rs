// SPDX-License-Identifier: MIT OR Apache-2.0
//! Losses that add up: basic composition in whole millionths, and the losses of integer weights as upper bounds.

use super::rounding::ln_above;
use crate::epsilon::{Epsilon, Weights};
use crate::error::ParameterError;

/// What one epoch may spend and has spent. Sums are whole millionths, so nothing is rounded (basic composition: Dwork
/// and Roth, *The Algorithmic Foundations of Differential Privacy*, 2014, theorem 3.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    cap: u64,
    spent: u64,
}

/// A spend that would exceed the cap.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("spending {asked} would exceed the epoch's privacy budget: {left} of {cap} is left", left = self.left())]
pub struct OverBudget {
    /// what was asked for
    pub asked: Epsilon,
    /// the epoch's cap
    pub cap: Epsilon,
    spent_micros: u64,
}

impl OverBudget {
    fn left(self) -> f64 {
        u64::from(self.cap.micros()).saturating_sub(self.spent_micros) as f64 / 1e6
    }
}

impl Budget {
    /// A budget of `cap` from which `spent` is gone already.
    #[must_use]
    pub fn new(cap: Epsilon, spent: impl IntoIterator<Item = Epsilon>) -> Self {
        Self { cap: cap.micros().into(), spent: composed(spent) }
    }

    /// Takes `epsilon` from the budget.
    ///
    /// # Errors
    /// [`OverBudget`] when it does not fit; nothing is taken then.
    pub fn spend(&mut self, epsilon: Epsilon) -> Result<(), OverBudget> {
        let after = self.spent + u64::from(epsilon.micros());
        if after > self.cap {
            // The cap came from an Epsilon, so it is one.
            let cap = u32::try_from(self.cap).ok().and_then(|c| Epsilon::from_micros(c).ok()).unwrap_or(Epsilon::MAX);
            return Err(OverBudget { asked: epsilon, cap, spent_micros: self.spent });
        }
        self.spent = after;
        Ok(())
    }
}

/// The loss of several reports of one sender together, in millionths and exact: their sum (basic composition). It holds
/// however the reports depend on each other's values and whoever sees them all.
#[must_use]
pub fn composed(losses: impl IntoIterator<Item = Epsilon>) -> u64 {
    losses.into_iter().map(|epsilon| u64::from(epsilon.micros())).sum()
}

/// The worst loss of an epoch, in millionths, for a workstation that reports `sent` metrics chosen at random: the sum
/// of the `sent` largest losses.
///
/// The choice itself amplifies nothing here: an upload names its metric, so whoever sees it knows that this metric was
/// chosen. Sampling saves budget (a metric that is not sent costs nothing) and error (one report at full epsilon beats
/// many at shares of it); a loss below that of the metrics actually sent would need [`loss_if_absence_is_hidden`], or a
/// shuffler and the number of reports that the metric really received.
#[must_use]
pub fn worst_sampled_epoch(metrics: impl IntoIterator<Item = Epsilon>, sent: usize) -> u64 {
    let mut losses: Vec<Epsilon> = metrics.into_iter().collect();
    losses.sort_unstable_by(|a, b| b.cmp(a));
    composed(losses.into_iter().take(sent))
}

/// The loss `ln(A/B)` that weights realise, rounded up: at least the true value and within a relative `2^-45` of it,
/// plus `2^-51` for the rounding of A/B.
#[must_use]
pub fn realised_loss(weights: Weights) -> f64 {
    ln_above(weights.ratio().next_up().next_up())
}

/// Whether the loss that weights realise is at most `nominal`: decided in integers, `A/B <= floor(2^32 e^epsilon) /
/// 2^32`.
#[must_use]
pub fn keeps(weights: Weights, nominal: Epsilon) -> bool {
    let bound = nominal.weights();
    u128::from(weights.inside()) * u128::from(bound.outside())
        <= u128::from(bound.inside()) * u128::from(weights.outside())
}

/// The loss of a sender who takes part with the chance `participation`, **if nobody can tell whether he did**: `ln(1 +
/// participation (A/B - 1))`, rounded up (Kasiviswanathan et al., SIAM Journal on Computing 2011; Balle, Barthe and
/// Gaboardi, NeurIPS 2018).
///
/// What a sender emits who does not take part must itself be within the loss of every report, for instance a report of
/// a default value. If his silence shows, those who were heard have the full loss.
///
/// # Errors
/// [`ParameterError::Participation`] unless `participation` is in (0, 1\].
pub fn loss_if_absence_is_hidden(weights: Weights, participation: f64) -> Result<f64, ParameterError> {
    if !(participation > 0.0 && participation <= 1.0) {
        return Err(ParameterError::Participation(participation));
    }
    // At most three roundings, and one of the sum; each step up is worth at least one of them.
    let excess = (weights.inside() - weights.outside()) as f64 / weights.outside() as f64 * participation;
    let ratio = 1.0 + excess * (1.0 + 4.0 * f64::EPSILON);
    Ok(ln_above(ratio.next_up().min(weights.ratio().next_up().next_up())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epsilon(e: f64) -> Epsilon {
        Epsilon::try_from(e).unwrap()
    }

    #[test]
    fn ten_tenths_fit_in_one_and_an_eleventh_does_not() {
        let tenth = epsilon(0.1);
        let mut budget = Budget::new(epsilon(1.0), []);
        for _ in 0..10 {
            budget.spend(tenth).unwrap();
        }
        let refusal = budget.spend(Epsilon::MIN).unwrap_err();
        assert!(refusal.to_string().contains("0 of 1 is left"), "{refusal}");
    }

    #[test]
    fn losses_add_up_exactly() {
        assert_eq!(composed((0..1_000_000).map(|_| epsilon(0.1))), 100_000_000_000);
        let metrics = [0.5, 2.0, 1.0, 0.25].map(epsilon);
        assert_eq!(worst_sampled_epoch(metrics, 0), 0);
        assert_eq!(worst_sampled_epoch(metrics, 2), 3_000_000);
        assert_eq!(worst_sampled_epoch(metrics, 9), composed(metrics));
    }

    /// Weights of every kind of epsilon stay within it in integers; one more in A does not, and neither does the next
    /// smaller millionth hold them.
    #[test]
    fn realised_losses_keep_the_nominal_one() {
        for micros in [1, 2, 10, 333_333, 693_147, 1_000_000, 3_141_592, 8_000_000, 16_000_000] {
            let nominal = Epsilon::from_micros(micros).unwrap();
            let weights = nominal.weights();
            assert!(keeps(weights, nominal));
            let over = Weights::new(weights.inside() + 1, weights.outside()).unwrap();
            assert!(!keeps(over, nominal));
            if micros > 1 {
                assert!(!keeps(weights, Epsilon::from_micros(micros - 1).unwrap()));
            }
            let (loss, nominal) = (realised_loss(weights), f64::from(nominal));
            // The floor in A gives away at most 2^-32 of e^epsilon.
            assert!(loss >= weights.ratio().ln() && (nominal - loss).abs() < 2.4e-10 + 1e-13 * nominal, "{loss}");
        }
        // Weights that are not over 2^32: ln(3), from mpmath.
        let loss = realised_loss(Weights::new(3, 1).unwrap());
        assert!((1.098_612_288_668_109_8..1.098_612_288_668_15).contains(&loss));
    }

    #[test]
    fn a_hidden_absence_is_the_mixture_of_two_channels() {
        let weights = Weights::new(3, 1).unwrap();
        for participation in [1e-9, 0.1, 0.5, 1.0] {
            // Binary response of the value or, not taking part, of the other one: the ratio of its two rows on one
            // message.
            let (hit, miss) = (0.75, 0.25);
            let ratio = (participation * hit + (1.0 - participation) * miss) / miss;
            let loss = loss_if_absence_is_hidden(weights, participation).unwrap();
            assert!(loss >= f64::ln(ratio) && loss < ratio.ln() + 1e-13, "{participation}: {loss}");
        }
        let whole = loss_if_absence_is_hidden(weights, 1.0).unwrap();
        assert!((whole - realised_loss(weights)).abs() < 1e-14);
        for wrong in [0.0, -0.1, 1.1, f64::NAN] {
            assert!(loss_if_absence_is_hidden(weights, wrong).is_err());
        }
    }
}

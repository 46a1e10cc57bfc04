// SPDX-License-Identifier: MIT OR Apache-2.0
//! Basic composition of pure epsilon, exact.

use crate::epsilon::Epsilon;

/// What one epoch may spend and has spent. Sums are whole millionths, so nothing is rounded (basic composition: Dwork and
/// Roth, *The Algorithmic Foundations of Differential Privacy*, 2014, theorem 3.16).
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
        Self { cap: cap.micros().into(), spent: spent.into_iter().map(|e| u64::from(e.micros())).sum() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_tenths_fit_in_one_and_an_eleventh_does_not() {
        let tenth = Epsilon::try_from(0.1).unwrap();
        let mut budget = Budget::new(Epsilon::try_from(1.0).unwrap(), []);
        for _ in 0..10 {
            budget.spend(tenth).unwrap();
        }
        let refusal = budget.spend(Epsilon::MIN).unwrap_err();
        assert!(refusal.to_string().contains("0 of 1 is left"), "{refusal}");
    }
}

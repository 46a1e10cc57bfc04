// SPDX-License-Identifier: MIT OR Apache-2.0
//! Intervals of consistent estimates by the parametric bootstrap (Efron, Annals of Statistics 7(1), 1979).
//!
//! The consistent shares are taken for the truth, as many reports are drawn from the mechanism's exact law, and their consistent
//! estimates are computed in the same way, many times. The interval runs between the quantiles of what came out. A projection has no
//! simple law near 0, so nothing is proven of its coverage; docs/estimates.md says what was measured.

use rand::SeedableRng as _;
use rand::rngs::ChaCha8Rng;
use stipple_ldp::postprocess::norm_sub;
use stipple_ldp::{Debias, Mechanism};

use crate::interval::{Interval, Level};
use crate::simulate::symbols;

/// One interval for each of the consistent shares, which sum to 1. `None` for a mechanism of counts, without a round, or where the rounds would
/// take more than a gigabyte.
pub(crate) fn intervals(
    mechanism: &Mechanism,
    consistent: &[f64],
    reports: u64,
    level: Level,
    rounds: u32,
) -> Option<Vec<Interval>> {
    let Debias::Shares(_) = mechanism.debias() else { return None };
    let rounds = usize::try_from(rounds).ok().filter(|&rounds| rounds > 0 && rounds * consistent.len() < 1 << 27)?;
    // The same figures for the same counts.
    let mut rng = ChaCha8Rng::seed_from_u64(reports);
    let mut drawn = vec![Vec::with_capacity(rounds); consistent.len()];
    for _ in 0..rounds {
        let cells = symbols(mechanism, consistent, reports, &mut rng);
        norm_sub(&mechanism.estimate(&cells, reports).ok()?)
            .into_iter()
            .zip(&mut drawn)
            .for_each(|(share, drawn)| drawn.push(share));
    }
    Some(drawn.into_iter().map(|shares| between(shares, level)).collect())
}

/// From the quantile at half the level's rest to that at as much from above.
fn between(mut numbers: Vec<f64>, level: Level) -> Interval {
    numbers.sort_unstable_by(f64::total_cmp);
    let rest = (1.0 - level.get()) / 2.0 * numbers.len() as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "less than the number of rounds")]
    let outside = (rest.floor() as usize).min(numbers.len() - 1);
    Interval { lower: numbers[outside], upper: numbers[numbers.len() - 1 - outside] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stipple_ldp::{DomainSize, Epsilon, RandomisedResponse, SubsetSelection};

    #[test]
    fn quantiles_of_a_hundred_numbers() {
        let numbers = (0..100).rev().map(f64::from).collect();
        assert_eq!(between(numbers, Level::USUAL), Interval { lower: 2.0, upper: 97.0 });
    }

    /// How often the interval holds the true share: at least 90 % for every value, within four standard errors, also for the value that
    /// nobody holds.
    #[test]
    fn the_intervals_hold_the_truth() {
        let epsilon = Epsilon::try_from(1.0).unwrap();
        let four = RandomisedResponse::new(DomainSize::try_from(4).unwrap(), epsilon.weights());
        let nine = SubsetSelection::new(DomainSize::try_from(9).unwrap(), epsilon.weights()).unwrap();
        let cases = [
            (Mechanism::RandomisedResponse(four), vec![0.6, 0.3, 0.1, 0.0]),
            (Mechanism::SubsetSelection(nine), vec![0.5, 0.2, 0.1, 0.1, 0.05, 0.03, 0.02, 0.0, 0.0]),
        ];
        let (reports, tries) = (3000, 200);
        for (mechanism, truth) in cases {
            let mut rng = ChaCha8Rng::seed_from_u64(51);
            let mut held = vec![0; truth.len()];
            for _ in 0..tries {
                let cells = symbols(&mechanism, &truth, reports, &mut rng);
                let consistent = norm_sub(&mechanism.estimate(&cells, reports).unwrap());
                let found = intervals(&mechanism, &consistent, reports, Level::USUAL, 200).unwrap();
                for ((interval, truth), held) in found.iter().zip(&truth).zip(&mut held) {
                    *held += u32::from(interval.lower <= *truth && *truth <= interval.upper);
                }
            }
            let coverage: Vec<f64> = held.iter().map(|&held| f64::from(held) / f64::from(tries)).collect();
            println!("{coverage:.3?}");
            let slack = 4.0 * (0.09 / f64::from(tries)).sqrt();
            assert!(coverage.iter().all(|&coverage| coverage > 0.90 - slack), "{coverage:?}");
        }
    }
}

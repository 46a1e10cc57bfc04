// SPDX-License-Identifier: MIT OR Apache-2.0
//! The rotating panel: how often a workstation draws a metric.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use serde::Serialize;
use stipple_catalog::Catalogue;
use stipple_ldp::Epsilon;

/// Epochs of one workstation that are simulated.
pub(super) const EPOCHS: u32 = 20_000;
/// The seed of the simulation: the same plan comes out every time.
pub(super) const SEED: u64 = 1;

/// The chance that a workstation draws a metric in an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Drawn {
    /// the chance
    pub chance: f64,
    /// the standard error of its simulation; 0 where the draw leaves no choice, and for a chance that was given
    pub standard_error: f64,
}

impl Drawn {
    pub(super) const fn given(chance: f64) -> Self {
        Self { chance, standard_error: 0.0 }
    }
}

/// What one workstation draws in an epoch.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Panel {
    by_epsilon: BTreeMap<Epsilon, Drawn>,
    /// the mean number of metrics drawn
    pub metrics: f64,
}

impl Panel {
    /// Simulates [`Catalogue::draw`], the client's own, for [`EPOCHS`] epochs. The draw sees nothing of a metric but its epsilon, so
    /// metrics of the same epsilon have the same chance, and it is their mean that is estimated.
    pub fn of(catalogue: &Catalogue, day: Date) -> Self {
        let mut sizes = BTreeMap::<Epsilon, u32>::new();
        for definition in catalogue.active(day) {
            *sizes.entry(definition.epsilon).or_default() += 1;
        }
        let mut rng = ChaCha20Rng::seed_from_u64(SEED);
        let mut sums: BTreeMap<Epsilon, (f64, f64)> = sizes.keys().map(|&epsilon| (epsilon, (0.0, 0.0))).collect();
        for _ in 0..EPOCHS {
            let mut drawn = BTreeMap::<Epsilon, u32>::new();
            for definition in catalogue.draw(day, &mut rng) {
                *drawn.entry(definition.epsilon).or_default() += 1;
            }
            for (epsilon, count) in drawn {
                let share = f64::from(count) / f64::from(sizes[&epsilon]);
                if let Some((sum, squares)) = sums.get_mut(&epsilon) {
                    *sum += share;
                    *squares += share * share;
                }
            }
        }
        let n = f64::from(EPOCHS);
        let drawn = |(sum, squares): (f64, f64)| {
            let chance = sum / n;
            Drawn { chance, standard_error: ((squares / n - chance * chance).max(0.0) / (n - 1.0)).sqrt() }
        };
        let by_epsilon: BTreeMap<Epsilon, Drawn> =
            sums.into_iter().map(|(epsilon, sums)| (epsilon, drawn(sums))).collect();
        let metrics = by_epsilon.iter().map(|(epsilon, drawn)| drawn.chance * f64::from(sizes[epsilon])).sum();
        Self { by_epsilon, metrics }
    }

    /// The chance of a metric with this epsilon; 0 for one that is not in the catalogue.
    pub fn drawn(&self, epsilon: Epsilon) -> Drawn {
        self.by_epsilon.get(&epsilon).copied().unwrap_or(Drawn::given(0.0))
    }
}

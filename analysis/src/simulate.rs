// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whole populations through a catalogue: what is true is known here, so one sees what the estimates make of it.
//!
//! By client, every report is drawn by a simulated workstation and goes through the real code; by count, the cells that all
//! reports add up to are drawn directly, with exactly the same joint law, so that ten workstations and a billion take the same time.
//! docs/simulating.md says how to use it.

mod by_client;
mod by_count;
mod command;
mod output;
mod panel;
mod parallel;
mod population;
mod score;
mod source;
mod split;
#[cfg(test)]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::unwrap_used,
    reason = "small numbers chosen by the tests; one that cannot set up its case fails"
)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use jiff::civil::Date;
use stipple_catalog::{Catalogue, Epoch, Week};
use stipple_ldp::Mechanism;

use crate::dataset::{Dataset, WeekCounts};
use crate::estimate::{Options, estimate};
use population::Population;
use score::Scoring;

pub(crate) use by_count::symbols;
pub use command::{SimulateArguments, simulate_command};
pub use score::{Pair, Score};
pub use source::SourceError;

/// A population and its catalogue, ready to be simulated.
pub struct Simulation<'c> {
    catalogue: &'c Catalogue,
    populations: Vec<Population>,
    epoch: Epoch,
    seed: u64,
}

/// How to simulate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Every client by itself, on the real path.
    ByClient,
    /// The cells directly, with the same joint law.
    ByCount,
}

/// A catalogue whose metrics have so many different epsilons that the draw of metrics cannot be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the catalogue's metrics have too many different epsilons to be drawn by count; leave --by-count out")]
pub struct TooManyEpsilons;

/// The cells and reports of one metric in the weeks of an epoch.
struct Weeks {
    reports: Vec<u64>,
    cells: Vec<Vec<u64>>,
}

impl Weeks {
    fn empty(mechanism: &Mechanism) -> Self {
        let weeks = usize::from(Epoch::WEEKS);
        Self { reports: vec![0; weeks], cells: vec![vec![0; mechanism.cells()]; weeks] }
    }

    fn add(&mut self, other: &Self) {
        self.reports.iter_mut().zip(&other.reports).for_each(|(sum, part)| *sum += part);
        for (sums, parts) in self.cells.iter_mut().zip(&other.cells) {
            sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
        }
    }
}

impl From<Vec<(u64, Vec<u64>)>> for Weeks {
    fn from(weeks: Vec<(u64, Vec<u64>)>) -> Self {
        let (reports, cells) = weeks.into_iter().unzip();
        Self { reports, cells }
    }
}

impl<'c> Simulation<'c> {
    /// A population with the shares of a truth file, or by default shares after Zipf's law, to which a scenario happens. The epoch
    /// is the first that begins when all metrics of the catalogue have been introduced; those that have expired by then report nothing.
    ///
    /// # Errors
    /// [`SourceError`] naming file and line.
    pub fn new(
        catalogue: &'c Catalogue,
        truth: Option<&Path>,
        scenario: Option<&Path>,
        seed: u64,
    ) -> Result<Self, SourceError> {
        let definitions = catalogue.definitions();
        let shares = source::truth(truth, catalogue)?;
        let mut populations: Vec<Population> = definitions
            .iter()
            .zip(&shares)
            .map(|(definition, shares)| Population::steady(definition, shares, seed))
            .collect();
        if let Some(path) = scenario {
            source::scenario(path, catalogue, &mut populations, seed)?;
        }
        let introduced = definitions.iter().filter_map(|definition| Week::containing(definition.introduced).ok()).max();
        let epoch = introduced.map_or(0, |week| week.epoch().index().saturating_add(1));
        Ok(Self { catalogue, populations, epoch: Epoch::from_index(epoch), seed })
    }

    /// The counts of one epoch, the `round`-th repetition; the same for the same seed, whatever the number of threads. `tick` is
    /// told how many more clients are done.
    ///
    /// # Errors
    /// [`TooManyEpsilons`], by count only.
    pub fn counts(
        &self,
        way: Way,
        clients: u64,
        round: u64,
        threads: usize,
        tick: &(dyn Fn(u64) + Sync),
    ) -> Result<Dataset, TooManyEpsilons> {
        let weeks = match way {
            Way::ByClient => {
                let numbers = (clients, self.seed, round);
                by_client::simulate(self.catalogue, &self.populations, self.epoch, numbers, threads, tick)
            }
            Way::ByCount => self.by_count(clients, round, threads)?,
        };
        let mut metrics = BTreeMap::new();
        for ((definition, population), weeks) in self.catalogue.definitions().iter().zip(&self.populations).zip(weeks) {
            let weeks = (0..).zip(weeks.reports.into_iter().zip(weeks.cells));
            let counted = weeks.filter(|&(week, (reports, _))| week >= population.from && reports > 0);
            let rows = counted
                .map(|(week, (reports, counts))| WeekCounts { week: self.epoch.week(week), reports, counts })
                .collect();
            metrics.insert(definition.id.clone(), rows);
        }
        Ok(Dataset::simulated(self.catalogue, metrics))
    }

    /// The day on which clients draw their metrics.
    fn today(&self) -> Date {
        self.epoch.week(0).monday()
    }

    fn by_count(&self, clients: u64, round: u64, threads: usize) -> Result<Vec<Weeks>, TooManyEpsilons> {
        let definitions = self.catalogue.definitions();
        let mut rng = split::generator([self.seed, round, u64::MAX, 0]);
        let reporters = panel::reporters(self.catalogue, self.today(), clients, &mut rng).ok_or(TooManyEpsilons)?;
        let weekly = |metric: usize| {
            let mut rng = split::generator([self.seed, round, metric as u64, u64::MAX - 1]);
            (split::even(reporters[metric], Epoch::WEEKS.into(), &mut rng), rng)
        };
        let mut all = parallel::parallel(definitions.len(), threads, |metric| {
            let (mechanism, population) = (&definitions[metric].mechanism, &self.populations[metric]);
            let (reports, mut rng) = weekly(metric);
            // Those that take longest are cut up below.
            let weeks = (0..).zip(reports).filter(|_| !matches!(mechanism, Mechanism::Collision(_)));
            weeks.map(|(week, count)| by_count::week(mechanism, population, week, count, &mut rng)).collect::<Vec<_>>()
        });
        for (metric, definition) in definitions.iter().enumerate() {
            if let Mechanism::Collision(collision) = &definition.mechanism {
                let parts = [self.seed, round, metric as u64];
                let reports = weekly(metric).0;
                all[metric] = by_count::hashed::weeks(collision, &self.populations[metric], &reports, parts, threads);
            }
        }
        Ok(all.into_iter().map(Weeks::from).collect())
    }

    /// Simulates so many times, each with fresh clients of the same population, and scores the estimates that `estimate` makes of
    /// the counts. `each` sees every dataset.
    ///
    /// # Errors
    /// [`TooManyEpsilons`], by count only.
    pub fn scores(
        &self,
        way: Way,
        clients: u64,
        repetitions: u64,
        threads: usize,
        tick: &(dyn Fn(u64) + Sync),
        mut each: impl FnMut(Dataset),
    ) -> Result<Vec<Score>, TooManyEpsilons> {
        let definitions = self.catalogue.definitions();
        let mut scorings: BTreeMap<&str, Scoring> = definitions
            .iter()
            .zip(&self.populations)
            .map(|(definition, population)| (definition.id.as_str(), Scoring::new(definition, population)))
            .collect();
        for round in 0..repetitions {
            let dataset = self.counts(way, clients, round, threads, tick)?;
            for metric in &estimate(&dataset, self.catalogue, Options::USUAL).metrics {
                if let Some(scoring) = scorings.get_mut(metric.definition.id.as_str()) {
                    scoring.add(metric);
                }
            }
            each(dataset);
        }
        Ok(scorings.into_values().map(Scoring::finish).collect())
    }
}

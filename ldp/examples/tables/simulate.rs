// SPDX-License-Identifier: MIT OR Apache-2.0
//! People with values of a known law, and what a server sums up of their reports.

use std::error::Error;

use rand::rngs::ChaCha12Rng;
use rand::{CryptoRng, RngExt, SeedableRng};
use stipple_ldp::research::FrequencyOracle;
use stipple_ldp::{Mechanism, TrueValue, Value};

/// Reports in memory at a time.
const BATCH: usize = 2000;

/// n people: their values, and the share of each value among them, which is what estimates are compared with.
pub struct People {
    pub values: Vec<u32>,
    pub shares: Vec<f64>,
}

impl People {
    /// `n` people whose values are drawn with chances in proportion to `weights`.
    pub fn draw<R: CryptoRng>(weights: &[f64], n: u32, rng: &mut R) -> Result<Self, Box<dyn Error>> {
        let cumulative: Vec<f64> =
            weights.iter().scan(0.0, |sum, weight| Some(*sum + weight).inspect(|s| *sum = *s)).collect();
        let total = cumulative.last().copied().ok_or("no values")?;
        let mut people = Self { values: Vec::new(), shares: vec![0.0; weights.len()] };
        for _ in 0..n {
            let point = rng.random_range(0.0..total);
            let value = cumulative.partition_point(|&sum| sum <= point).min(weights.len() - 1);
            people.values.push(u32::try_from(value)?);
            people.shares[value] += 1.0 / f64::from(n);
        }
        Ok(people)
    }

    /// n
    pub fn number(&self) -> u64 {
        self.values.len() as u64
    }

    /// The cells of a mechanism after everyone's report on `value(v)`.
    pub fn cells<R: CryptoRng>(
        &self,
        mechanism: &Mechanism,
        value: impl Fn(u32) -> Value,
        rng: &mut R,
    ) -> Result<Vec<u64>, Box<dyn Error>> {
        let mut cells = vec![0; mechanism.cells()];
        for &v in &self.values {
            let response = mechanism.randomise(&TrueValue::new(value(v)), rng)?;
            mechanism.accumulate(&response, |cell| cells[cell] += 1)?;
        }
        Ok(cells)
    }

    /// The raw estimates of a frequency oracle from everyone's report.
    pub fn estimates<O: FrequencyOracle, R: CryptoRng>(
        &self,
        oracle: &O,
        rng: &mut R,
    ) -> Result<Vec<f64>, Box<dyn Error>> {
        let mut sums: Vec<O::Cell> = Vec::new();
        for batch in self.values.chunks(BATCH) {
            let reports = batch.iter().map(|&v| oracle.randomise(v, rng)).collect::<Result<Vec<_>, _>>()?;
            let cells = oracle.aggregate(&reports)?;
            if sums.is_empty() {
                sums = cells;
            } else {
                sums.iter_mut().zip(&cells).for_each(|(sum, cell)| *sum += *cell);
            }
        }
        Ok(oracle.estimate(&sums, self.number()))
    }
}

/// The generator of one run of a simulation.
pub fn generator(run: u64) -> ChaCha12Rng {
    ChaCha12Rng::seed_from_u64(run)
}

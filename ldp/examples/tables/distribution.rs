// SPDX-License-Identifier: MIT OR Apache-2.0
//! The distribution of a number in 64 steps (LDP.md section 2.6): the Wasserstein-1 distance on [0, 1] between estimate
//! and truth, 100,000 people, the mean of 5 runs.

use std::error::Error;
use std::path::Path;

use stipple_ldp::postprocess::{Stopping, ems, norm_sub};
use stipple_ldp::research::UnaryEncoding;
use stipple_ldp::{Bound, DomainSize, Epsilon, Mechanism, RandomisedResponse, SquareWave, SubsetSelection, Value};

use crate::simulate::{People, generator};
use crate::table::Table;

const STEPS: u32 = 64;
const PEOPLE: u32 = 100_000;
const RUNS: u32 = 5;
const METHODS: [&str; 5] = ["SW EM", "SW EMS", "SS + simplex", "OUE + simplex", "GRR + simplex"];

/// Weights of the 64 steps, each step at its middle: beta(5, 2); exponential with the mean 0.2; and memory sizes of 4,
/// 8, 16, 32 and 64 GiB with a few between.
fn laws() -> [(&'static str, Vec<f64>); 3] {
    let over = |density: fn(f64) -> f64| -> Vec<f64> {
        (0..STEPS).map(|step| density((f64::from(step) + 0.5) / f64::from(STEPS))).collect()
    };
    let mut memory = vec![0.0; STEPS as usize];
    for (gibibytes, weight) in [(4, 8.0), (6, 1.0), (8, 30.0), (12, 3.0), (16, 35.0), (24, 3.0), (32, 14.0), (64, 6.0)]
    {
        memory[gibibytes - 1] = weight;
    }
    [("beta(5;2)", over(|x| x.powi(4) * (1.0 - x))), ("exponential", over(|x| (-5.0 * x).exp())), ("spiky", memory)]
}

/// The area between the two distribution functions.
fn wasserstein(shares: &[f64], truth: &[f64]) -> f64 {
    let gaps = shares.iter().zip(truth).scan(0.0, |sum, (a, b)| {
        *sum += a - b;
        Some(*sum)
    });
    gaps.map(f64::abs).sum::<f64>() / f64::from(STEPS)
}

/// The shares by each of [`METHODS`]. EM stops where Li et al. (SIGMOD 2020) stop it, at a gain of `0.001 e^epsilon` nats;
/// with smoothing at 0.001.
fn shares(people: &People, epsilon: Epsilon, run: u64) -> Result<[Vec<f64>; 5], Box<dyn Error>> {
    let mut rng = generator(1000 + run);
    let (size, n) = (DomainSize::try_from(u64::from(STEPS))?, people.number());
    let wave = Mechanism::SquareWave(SquareWave::new(Bound::try_from(u64::from(STEPS) - 1)?, epsilon));
    let cells = people.cells(&wave, Value::Count, &mut rng)?;
    let fit = wave.fit(&cells, n, Stopping { gain: 0.001 * f64::from(epsilon).exp(), ..Stopping::default() })?;
    let rows: Vec<Vec<f64>> = (0..).map_while(|x| wave.row(x)).collect();
    let smooth = ems(&cells, rows.as_slice(), Stopping::default());
    let mut projected = |mechanism: &Mechanism| -> Result<Vec<f64>, Box<dyn Error>> {
        let cells = people.cells(mechanism, Value::Symbol, &mut rng)?;
        Ok(norm_sub(&mechanism.estimate(&cells, n)?))
    };
    let weights = epsilon.weights();
    let subsets = projected(&Mechanism::SubsetSelection(SubsetSelection::new(size, weights)?))?;
    let symbols = projected(&Mechanism::RandomisedResponse(RandomisedResponse::new(size, weights)))?;
    let unary = norm_sub(&people.estimates(&UnaryEncoding::optimised(size, epsilon), &mut rng)?);
    Ok([fit.shares, smooth.shares, subsets, unary, symbols])
}

/// Writes distribution.csv.
pub fn write(out: &Path) -> Result<(), Box<dyn Error>> {
    let mut header = vec!["epsilon", "data"];
    header.extend(METHODS);
    let mut table = Table::new(&header);
    for e in [0.5, 1.0, 2.0] {
        eprintln!("distribution: epsilon = {e}");
        for (name, law) in laws() {
            let mut sums = [0.0; METHODS.len()];
            for run in 0..u64::from(RUNS) {
                let people = People::draw(&law, PEOPLE, &mut generator(run))?;
                let found = shares(&people, Epsilon::try_from(e)?, run)?;
                sums.iter_mut().zip(&found).for_each(|(sum, shares)| *sum += wasserstein(shares, &people.shares));
            }
            let means = sums.map(|sum| format!("{:.4}", sum / f64::from(RUNS)));
            table.push([e.to_string(), name.to_owned()].into_iter().chain(means).collect());
        }
    }
    Ok(table.write(&out.join("distribution.csv"))?)
}

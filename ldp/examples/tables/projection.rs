// SPDX-License-Identifier: MIT OR Apache-2.0
//! Post-processing (LDP.md section 2.11): the mean squared error of raw and processed shares, values of a Zipf law with
//! exponent 1.1, the mean of 3 runs.

use std::error::Error;
use std::path::Path;

use statrs::distribution::{ContinuousCDF, Normal};
use stipple_ldp::postprocess::{Stopping, base_cut, norm_mul, norm_sub};
use stipple_ldp::research::{PureOracle, UnaryEncoding};
use stipple_ldp::{DomainSize, Epsilon, Mechanism, ProjectiveGeometry, Support, Value};

use crate::simulate::{People, generator};
use crate::table::Table;

const RUNS: u64 = 3;
/// The chance that Base-Cut keeps any value that nobody holds.
const ALPHA: f64 = 0.05;
/// EM ends after a step that gained less, in nats: early, when rare values are still near their start, and by default.
const GAINS: [f64; 2] = [0.1, 0.001];

struct Estimates {
    raw: Vec<f64>,
    support: Support,
    /// EM stopped at each of [`GAINS`], where the server knows how often each message came
    likely: Option<[Vec<f64>; 2]>,
}

fn geometry(size: DomainSize, epsilon: Epsilon, people: &People, run: u64) -> Result<Estimates, Box<dyn Error>> {
    let mechanism = Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(size, epsilon.weights())?);
    let cells = people.cells(&mechanism, Value::Symbol, &mut generator(1000 + run))?;
    let support = mechanism.design().ok_or("no design")?.support();
    let fit = |gain| mechanism.fit(&cells, people.number(), Stopping { gain, ..Stopping::default() });
    let [early, late] = GAINS.map(fit);
    let raw = mechanism.estimate(&cells, people.number())?;
    Ok(Estimates { raw, support, likely: Some([early?.shares, late?.shares]) })
}

fn unary(size: DomainSize, epsilon: Epsilon, people: &People, run: u64) -> Result<Estimates, Box<dyn Error>> {
    let oracle = UnaryEncoding::optimised(size, epsilon);
    let raw = people.estimates(&oracle, &mut generator(1000 + run))?;
    Ok(Estimates { raw, support: oracle.support(), likely: None })
}

type Method = fn(DomainSize, Epsilon, &People, u64) -> Result<Estimates, Box<dyn Error>>;

/// Writes projection.csv.
pub fn write(out: &Path) -> Result<(), Box<dyn Error>> {
    let header =
        ["oracle", "d", "epsilon", "n", "raw", "clip + renormalise", "simplex", "Base-Cut", "EM to 0.1", "EM to 0.001"];
    let mut table = Table::new(&header);
    let rows: [(&str, Method, u32, f64, u32); 5] = [
        ("PGR", geometry, 100, 1.0, 100_000),
        ("PGR", geometry, 1000, 1.0, 100_000),
        ("OUE", unary, 1000, 1.0, 100_000),
        ("PGR", geometry, 1000, 2.0, 100_000),
        ("PGR", geometry, 1000, 1.0, 10_000),
    ];
    for (name, method, d, e, n) in rows {
        eprintln!("projection: {name}, d = {d}, epsilon = {e}, {n} people");
        let (size, epsilon) = (DomainSize::try_from(u64::from(d))?, Epsilon::try_from(e)?);
        let zipf: Vec<f64> = (1..=d).map(|rank| f64::from(rank).powf(-1.1)).collect();
        let mut sums = [0.0; 6];
        for run in 0..RUNS {
            let people = People::draw(&zipf, n, &mut generator(run))?;
            let Estimates { raw, support, likely } = method(size, epsilon, &people, run)?;
            let quantile = Normal::new(0.0, 1.0)?.inverse_cdf(1.0 - ALPHA / f64::from(d));
            let cut = base_cut(&raw, quantile * (support.variance(0.0) / f64::from(n)).sqrt());
            let (scaled, projected) = (norm_mul(&raw), norm_sub(&raw));
            let [early, late] = likely.unwrap_or([const { Vec::new() }; 2]);
            let error = |shares: &[f64]| {
                // Where there is no estimate this is 0 / 0, not a number.
                let squares = shares.iter().zip(&people.shares).map(|(a, b)| (a - b).powi(2));
                squares.sum::<f64>() / shares.len() as f64
            };
            let errors = [&raw, &scaled, &projected, &cut, &early, &late].map(|shares| error(shares));
            sums.iter_mut().zip(errors).for_each(|(sum, error)| *sum += error / RUNS as f64);
        }
        let cells = sums.map(|mean| if mean.is_nan() { "n/a".to_owned() } else { format!("{mean:.2e}") });
        table.push([name.to_owned(), d.to_string(), e.to_string(), n.to_string()].into_iter().chain(cells).collect());
    }
    Ok(table.write(&out.join("projection.csv"))?)
}

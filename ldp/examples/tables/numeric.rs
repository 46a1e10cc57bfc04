// SPDX-License-Identifier: MIT OR Apache-2.0
//! The mean of a number in [-1, 1] (LDP.md section 2.5): n Var of the noise where everyone holds the same value.

use std::error::Error;
use std::path::Path;

use stipple_ldp::Epsilon;
use stipple_ldp::research::numeric::{MeanMechanism, Noise};

use crate::plot::{Plot, Series, lines};
use crate::table::{Table, digits};

/// Name, noise and value; Laplace noise and, above epsilon 0.61, the hybrid's are the same for every value.
const COLUMNS: [(&str, Noise, f64); 7] = [
    ("Laplace", Noise::Laplace, 0.0),
    ("Duchi at 0", Noise::Duchi, 0.0),
    ("Duchi at 1", Noise::Duchi, 1.0),
    ("piecewise at 0", Noise::Piecewise, 0.0),
    ("piecewise at 1", Noise::Piecewise, 1.0),
    ("hybrid at 0", Noise::Hybrid, 0.0),
    ("hybrid at 1", Noise::Hybrid, 1.0),
];

fn variance(noise: Noise, epsilon: f64, value: f64) -> Result<f64, Box<dyn Error>> {
    Ok(MeanMechanism::new(noise, Epsilon::try_from(epsilon)?).variance(value))
}

/// Writes numeric.csv and numeric.svg.
pub fn write(out: &Path) -> Result<(), Box<dyn Error>> {
    let mut header = vec!["epsilon"];
    header.extend(COLUMNS.map(|(name, ..)| name));
    let mut table = Table::new(&header);
    for epsilon in [0.5, 1.0, 2.0, 4.0] {
        let mut row = vec![epsilon.to_string()];
        for (_, noise, value) in COLUMNS {
            row.push(digits(variance(noise, epsilon, value)?));
        }
        table.push(row);
    }
    table.write(&out.join("numeric.csv"))?;
    let mut series: Vec<Series> = Vec::new();
    // The last column is the one before it from epsilon 0.61 on.
    for (name, noise, value) in COLUMNS.into_iter().take(6) {
        let grid = (0..=60).map(|i| (0.25 * 2_f64.powf(f64::from(i) / 12.0) * 1e6).round() / 1e6);
        let points = grid.map(|epsilon| variance(noise, epsilon, value).map(|v| (epsilon, v)));
        series.push((name.to_owned(), points.collect::<Result<_, _>>()?));
    }
    let title = "The mean of a number from -1 to 1: noise of one response";
    lines(&out.join("numeric.svg"), &Plot { title, x: "epsilon", y: "n Var", range: 0.01..200.0 }, &series)
}

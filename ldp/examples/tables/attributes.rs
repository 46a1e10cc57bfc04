// SPDX-License-Identifier: MIT OR Apache-2.0
//! Several attributes of one person (LDP.md section 2.8): n Var at share 0, M attributes of d values.
//!
//! Splitting and sampling lose epsilon for the whole report. RS+FD loses epsilon between people who differ in one
//! attribute, and more between any two: the last columns say how much, and what sampling attains when it may lose as
//! much.

use std::error::Error;
use std::path::Path;

use stipple_ldp::research::multidimensional::{Encoding, MultiDimensional, Solution};
use stipple_ldp::{DomainSize, Epsilon};

use crate::table::{Table, digits};

fn solve(solution: Solution, m: usize, d: u64, epsilon: Epsilon) -> Result<(f64, f64), Box<dyn Error>> {
    let solved = MultiDimensional::new(solution, &vec![DomainSize::try_from(d)?; m], epsilon)?;
    Ok((solved.variance(0, 0.0).ok_or("no attributes")?, solved.loss_per_report()))
}

/// Writes attributes.csv.
pub fn write(out: &Path) -> Result<(), Box<dyn Error>> {
    let columns = [
        ("split (OUE)", Solution::Split(Encoding::Oue)),
        ("sample (OUE)", Solution::Sample(Encoding::Oue)),
        ("sample (GRR)", Solution::Sample(Encoding::Grr)),
        ("RS+FD[OUE-z]", Solution::FakeOueZero),
        ("RS+FD[GRR]", Solution::FakeGrr),
    ];
    let mut header = vec!["M", "d", "epsilon"];
    header.extend(columns.map(|(name, _)| name));
    header.extend(["loss of RS+FD's report", "sample (OUE) at that loss", "sample (GRR) at that loss"]);
    let mut table = Table::new(&header);
    for (m, d, e) in [(5, 4, 1.0), (10, 4, 1.0), (10, 100, 1.0), (10, 100, 4.0)] {
        let epsilon = Epsilon::try_from(e)?;
        let mut row = vec![m.to_string(), d.to_string(), e.to_string()];
        for (_, solution) in columns {
            row.push(digits(solve(solution, m, d, epsilon)?.0));
        }
        let (_, loss) = solve(Solution::FakeOueZero, m, d, epsilon)?;
        let whole = Epsilon::try_from((loss * 1e6).round() / 1e6)?;
        row.push(digits(loss));
        for encoding in [Encoding::Oue, Encoding::Grr] {
            row.push(digits(solve(Solution::Sample(encoding), m, d, whole)?.0));
        }
        table.push(row);
    }
    Ok(table.write(&out.join("attributes.csv"))?)
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Exact coverage of nominal 95 % intervals (LDP.md section 2.12): summed over every outcome of `C ~ Bin(n, s)`.

use std::error::Error;
use std::path::Path;

use statrs::distribution::{Beta, Binomial, ContinuousCDF, Discrete};
use stipple_ldp::{DomainSize, Epsilon, RandomisedResponse, Support, Weights};

use crate::plot::{Plot, Series, lines};
use crate::table::Table;

const Z: f64 = 1.959_963_984_540_054;

type Interval = fn(u64, u64) -> (f64, f64);

const INTERVALS: [(&str, Interval); 3] = [("Wald", wald), ("Wilson", wilson), ("Clopper-Pearson", clopper_pearson)];

fn wald(hits: u64, n: u64) -> (f64, f64) {
    let s = hits as f64 / n as f64;
    let half = Z * (s * (1.0 - s) / n as f64).sqrt();
    (s - half, s + half)
}

/// Wilson, JASA 22 (1927).
fn wilson(hits: u64, n: u64) -> (f64, f64) {
    let (s, n) = (hits as f64 / n as f64, n as f64);
    let (centre, spread) = (s + Z * Z / (2.0 * n), Z * (s * (1.0 - s) / n + Z * Z / (4.0 * n * n)).sqrt());
    ((centre - spread) / (1.0 + Z * Z / n), (centre + spread) / (1.0 + Z * Z / n))
}

/// Clopper and Pearson, Biometrika 26 (1934).
fn clopper_pearson(hits: u64, n: u64) -> (f64, f64) {
    let quantile = |a: u64, b: u64, p: f64| Beta::new(a as f64, b as f64).map_or(f64::NAN, |beta| beta.inverse_cdf(p));
    let lower = if hits == 0 { 0.0 } else { quantile(hits, n - hits + 1, 0.025) };
    let upper = if hits == n { 1.0 } else { quantile(hits + 1, n - hits, 0.975) };
    (lower, upper)
}

fn coverage(support: Support, n: u64, share: f64, interval: Interval) -> Result<f64, Box<dyn Error>> {
    let law = Binomial::new(support.reported(share), n)?;
    let covers = |hits: u64| {
        let (lower, upper) = interval(hits, n);
        (support.share(lower).max(0.0)..=support.share(upper).min(1.0)).contains(&share)
    };
    Ok((0..=n).filter(|&hits| covers(hits)).map(|hits| law.pmf(hits)).sum())
}

/// Writes coverage.csv and coverage.svg.
pub fn write(out: &Path) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new(&["mechanism", "d", "epsilon", "n", "share", "Wald", "Wilson", "Clopper-Pearson"]);
    let weights = |e: f64| Epsilon::try_from(e).map(Epsilon::weights);
    let support = |d: u64, w: Weights| DomainSize::try_from(d).map(|d| RandomisedResponse::new(d, w).support());
    for (d, epsilon) in [(2, 1.0), (2, 4.0), (1000, 4.0)] {
        let support = support(d, weights(epsilon)?)?;
        for n in [50, 500, 5000] {
            for share in [0.0, 0.01, 0.1, 0.5] {
                let mut row = vec!["GRR".into(), d.to_string(), epsilon.to_string(), n.to_string(), share.to_string()];
                for (_, interval) in INTERVALS {
                    row.push(format!("{:.4}", coverage(support, n, share, interval)?));
                }
                table.push(row);
            }
        }
    }
    table.write(&out.join("coverage.csv"))?;
    let support = support(1000, weights(4.0)?)?;
    let mut series: Vec<Series> = Vec::new();
    for (name, interval) in INTERVALS {
        let sizes = std::iter::successors(Some(20_u64), |n| Some(n + n / 6)).take_while(|n| *n < 5000);
        let points = sizes.map(|n| coverage(support, n, 0.01, interval).map(|c| (n as f64, c)));
        series.push((name.to_owned(), points.collect::<Result<_, _>>()?));
    }
    let title = "Coverage of nominal 95 % intervals: GRR, d = 1000, epsilon = 4, share 1 %";
    lines(&out.join("coverage.svg"), &Plot { title, x: "reports", y: "coverage", range: 0.0..1.0 }, &series)
}

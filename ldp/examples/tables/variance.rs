// SPDX-License-Identifier: MIT OR Apache-2.0
//! Frequency oracles (LDP.md section 2.4): n Var of one of d values, averaged at the uniform distribution, people drawn
//! at random.

use std::error::Error;
use std::path::Path;

use stipple_ldp::research::{
    FrequencyOracle, HadamardResponse, LocalHashing, OneBitHadamard, UnaryEncoding, WideSubsetSelection,
};
use stipple_ldp::{DomainSize, Epsilon, Mechanism, ProjectiveGeometry, RandomisedResponse, minimax_variance};

use crate::plot::{Plot, Series, lines};
use crate::table::{Table, digits};

const NAMES: [&str; 8] = ["GRR", "SUE", "OUE", "OLH", "SS", "PGR", "HR q=2", "1-bit HR"];

/// The variances in the order of [`NAMES`], the least that there can be, and the parameters g, w, q and K.
struct Row {
    variances: [f64; 8],
    least: f64,
    parameters: [String; 4],
}

fn row(d: u64, epsilon: f64) -> Result<Row, Box<dyn Error>> {
    let (size, epsilon, share) = (DomainSize::try_from(d)?, Epsilon::try_from(epsilon)?, 1.0 / d as f64);
    let weights = epsilon.weights();
    let hashing = LocalHashing::least_variance(size, epsilon);
    let subset = WideSubsetSelection::new(size, epsilon);
    let geometry = ProjectiveGeometry::new(size, weights)?;
    let (q, _) = geometry.space();
    let mechanism = Mechanism::ProjectiveGeometry(geometry);
    let design = mechanism.design().ok_or("no design")?;
    Ok(Row {
        variances: [
            RandomisedResponse::new(size, weights).variance(share),
            UnaryEncoding::symmetric(size, epsilon).variance(share),
            UnaryEncoding::optimised(size, epsilon).variance(share),
            hashing.variance(share),
            subset.variance(share),
            design.support().variance(share),
            HadamardResponse::without_constant_row(size, epsilon).variance(share),
            OneBitHadamard::new(size, epsilon).variance(share),
        ],
        least: minimax_variance(size.get(), weights.ratio()),
        parameters: [
            hashing.buckets().to_string(),
            subset.subset_size().to_string(),
            q.to_string(),
            design.channel.messages.to_string(),
        ],
    })
}

/// Writes variance.csv, variance-by-d.svg and variance-by-epsilon.svg.
pub fn write(out: &Path) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new(&[
        "d", "epsilon", "GRR", "SUE", "OUE", "OLH", "g", "SS", "w", "PGR", "q", "K", "HR q=2", "1-bit HR", "minimax",
    ]);
    for (d, epsilon) in [
        (4, 1.0),
        (10, 0.5),
        (10, 1.0),
        (10, 2.0),
        (30, 1.0),
        (30, 4.0),
        (100, 0.5),
        (100, 1.0),
        (100, 2.0),
        (100, 4.0),
        (1000, 1.0),
        (1000, 2.0),
        (1000, 4.0),
        (5000, 1.0),
    ] {
        let Row { variances, least, parameters: [g, w, q, k] } = row(d, epsilon)?;
        let [grr, sue, oue, olh, ss, pgr, hr, one_bit] = variances.map(digits);
        let least = digits(least);
        let cells = [grr, sue, oue, olh, g, ss, w, pgr, q, k, hr, one_bit, least];
        table.push([d.to_string(), epsilon.to_string()].into_iter().chain(cells).collect());
    }
    table.write(&out.join("variance.csv"))?;

    let geometric = |from: f64, to: f64, steps: i32| {
        (0..=steps).map(move |i| from * (to / from).powf(f64::from(i) / f64::from(steps)))
    };
    let sizes = geometric(2.0, 10_000.0, 120).map(|d| (d.round(), 1.0));
    let title = "n Var by that of the best possible mechanism, epsilon = 1";
    plot(&out.join("variance-by-d.svg"), title, "d, the number of values", sizes, |(d, _)| d)?;
    let epsilons = geometric(0.25, 8.0, 60).map(|e| (1000.0, (e * 1e6).round() / 1e6));
    let title = "n Var by that of the best possible mechanism, d = 1000";
    plot(&out.join("variance-by-epsilon.svg"), title, "epsilon", epsilons, |(_, epsilon)| epsilon)
}

fn plot(
    path: &Path,
    title: &str,
    x: &str,
    points: impl Iterator<Item = (f64, f64)>,
    across: impl Fn((f64, f64)) -> f64,
) -> Result<(), Box<dyn Error>> {
    let mut series: Vec<Series> = NAMES.map(|name| (name.to_owned(), Vec::new())).to_vec();
    for (d, epsilon) in points {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number from 2 to 10,000")]
        let Row { variances, least, .. } = row(d as u64, epsilon)?;
        for ((_, line), variance) in series.iter_mut().zip(variances) {
            line.push((across((d, epsilon)), variance / least));
        }
    }
    lines(path, &Plot { title, x, y: "ratio to the minimax", range: 0.95..5.0 }, &series)
}

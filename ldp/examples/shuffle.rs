// SPDX-License-Identifier: MIT OR Apache-2.0
//! Central epsilon of n shuffled reports, for every kind of mechanism and every bound that applies.
//!
//! `cargo run --release -p stipple-ldp --example shuffle -- REPORTS EPSILON [DELTA]`, for instance `100000 1 1e-8`.

use std::error::Error;

use stipple_ldp::accounting::shuffle::{central_epsilon, smallest};
use stipple_ldp::{
    Bound, Collision, DomainSize, Epsilon, Mechanism, ProjectiveGeometry, RandomisedResponse, SubsetSelection,
    TruncatedGeometric,
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [reports, local, rest @ ..] = arguments.as_slice() else {
        return Err("usage: shuffle REPORTS EPSILON [DELTA]".into());
    };
    let (reports, local) = (reports.parse()?, Epsilon::try_from(local.parse::<f64>()?)?);
    let delta = rest.first().map_or(Ok(1e-8), |text| text.parse())?;

    println!("{reports} reports of loss {local}, delta {delta:e}; only if they are really shuffled");
    for (name, mechanism) in mechanisms(local)? {
        let bounds = central_epsilon(&mechanism, reports, delta)?;
        let best = smallest(&bounds).map(|bound| bound.route);
        println!("\n{name}");
        for bound in &bounds {
            // Upward in the last digit too: what is printed is still a bound.
            let upward = |epsilon: f64| format!("{:.5}", (epsilon * 1e5).ceil() / 1e5);
            let epsilon = bound.epsilon.map_or("does not apply".into(), upward);
            let mark = if best == Some(bound.route) { "  <- smallest" } else { "" };
            println!("  {:28} {epsilon:>14}{mark}", bound.route.to_string());
        }
    }
    Ok(())
}

fn mechanisms(local: Epsilon) -> Result<Vec<(&'static str, Mechanism)>, Box<dyn Error>> {
    let (size, bound) = (DomainSize::try_from, Bound::try_from);
    let weights = local.weights();
    Ok(vec![
        ("yes or no", Mechanism::RandomisedResponse(RandomisedResponse::new(size(2)?, weights))),
        ("one of 10, as a subset", Mechanism::SubsetSelection(SubsetSelection::new(size(10)?, weights)?)),
        ("one of 1000, as a point", Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(size(1000)?, weights)?)),
        ("5 of 300, as a bucket", Mechanism::Collision(Collision::new(size(300)?, bound(5)?, local)?)),
        ("a count up to 20", Mechanism::TruncatedGeometric(TruncatedGeometric::new(bound(20)?, local)?)),
    ])
}

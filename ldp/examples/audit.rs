// SPDX-License-Identifier: MIT OR Apache-2.0
//! The sandwich: audited lower bound <= realised `ln(A/B)` <= nominal epsilon, for every mechanism.
//!
//! `cargo run --release -p stipple-ldp --features research --example audit [draws]`

use std::error::Error;

use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use stipple_ldp::audit::{Audit, view};
use stipple_ldp::{
    Bound, Collision, DomainSize, Epsilon, HybridMean, Mechanism, OneBitMean, PrivSet, ProjectiveGeometry,
    RandomisedResponse, SquareWave, SubsetSelection, TrueValue, TruncatedGeometric, Value,
};

/// The bound of each line holds with this chance.
const CONFIDENCE: f64 = 0.999;

fn main() -> Result<(), Box<dyn Error>> {
    let draws = std::env::args().nth(1).map_or(Ok(1_000_000), |argument| argument.parse())?;
    let audit = Audit::new(draws, CONFIDENCE)?;
    let mut rng = ChaCha20Rng::seed_from_u64(20_261_125);
    println!("{draws} messages of each of two values; each bound holds with chance {CONFIDENCE}\n");
    println!("{:<28}{:>9}{:>10}{:>9}{:>17}{:>9}", "mechanism", "audited", "realised", "nominal", "hits", "messages");
    let mut sound = true;
    for e in [0.5, 1.0, 2.0, 4.0] {
        let epsilon = Epsilon::try_from(e)?;
        for (name, mechanism, values) in mechanisms(epsilon)? {
            let realised = mechanism.weights().ratio().ln();
            let [v, w] = values.clone().map(TrueValue::new);
            let sample = |value: &TrueValue| {
                mechanism.randomise(value, &mut rng).map(|response| view(&mechanism, &values, &response)).ok()
            };
            let found = audit.learned(sample, [&v, &w]);
            let held = found.lower <= realised && realised <= e;
            sound &= held;
            println!(
                "{name:<28}{:>9.4}{realised:>10.6}{e:>9}{:>8}:{:<8}{:>9}{}",
                found.lower,
                found.hits[0],
                found.hits[1],
                found.messages,
                if held { "" } else { "  <- out of order" }
            );
        }
    }
    if sound { Ok(()) } else { Err("a bound is out of order".into()) }
}

type Line = (&'static str, Mechanism, [Value; 2]);

fn mechanisms(epsilon: Epsilon) -> Result<Vec<Line>, Box<dyn Error>> {
    use Value::{Count, Set, Symbol};
    let (d, m, weights) = (DomainSize::try_from, Bound::try_from, epsilon.weights());
    Ok(vec![
        (
            "randomised response d=2",
            Mechanism::RandomisedResponse(RandomisedResponse::new(d(2)?, weights)),
            [Symbol(0), Symbol(1)],
        ),
        (
            "randomised response d=100",
            Mechanism::RandomisedResponse(RandomisedResponse::new(d(100)?, weights)),
            [Symbol(0), Symbol(99)],
        ),
        (
            "subset selection d=10",
            Mechanism::SubsetSelection(SubsetSelection::new(d(10)?, weights)?),
            [Symbol(0), Symbol(9)],
        ),
        (
            "subset selection d=64",
            Mechanism::SubsetSelection(SubsetSelection::new(d(64)?, weights)?),
            [Symbol(0), Symbol(63)],
        ),
        (
            "projective geometry d=200",
            Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(d(200)?, weights)?),
            [Symbol(0), Symbol(199)],
        ),
        (
            "collision d=300 m=5",
            Mechanism::Collision(Collision::new(d(300)?, m(5)?, epsilon)?),
            [Set(vec![0, 1, 2, 3, 4]), Set(vec![5, 6, 7, 8, 9])],
        ),
        (
            "PrivSet d=20 m=4",
            Mechanism::PrivSet(PrivSet::new(d(20)?, m(4)?, weights)?),
            [Set(vec![0, 1, 2, 3]), Set(vec![4, 5, 6, 7])],
        ),
        ("one-bit mean m=20", Mechanism::OneBitMean(OneBitMean::new(m(20)?, weights)), [Count(0), Count(20)]),
        ("hybrid mean m=20", Mechanism::HybridMean(HybridMean::new(m(20)?, epsilon)), [Count(0), Count(20)]),
        ("square wave m=20", Mechanism::SquareWave(SquareWave::new(m(20)?, epsilon)), [Count(0), Count(20)]),
        (
            "truncated geometric m=20",
            Mechanism::TruncatedGeometric(TruncatedGeometric::new(m(20)?, epsilon)?),
            [Count(0), Count(20)],
        ),
    ])
}

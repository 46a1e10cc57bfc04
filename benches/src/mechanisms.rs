// SPDX-License-Identifier: MIT OR Apache-2.0
//! Projective geometry response at full speed, and a report with the operating system's randomness, beside stated bounds.
//! (The oracles beside Python's are `make peers`.)

use std::hint::black_box;
use std::time::Instant;

use anyhow::Context as _;
use rand::SeedableRng as _;
use rand::rngs::{ChaCha20Rng, SysRng};
use stipple_ldp::{DomainSize, Epsilon, Mechanism, ProjectiveGeometry, TrueValue, Value};

use crate::row::Row;

const BOUND: &str = "the bound that we set ourselves";

/// Encode, decode, and one production report.
pub fn measure(quick: bool) -> anyhow::Result<Vec<Row>> {
    let rounds = if quick { 1 } else { 11 };
    let weights = Epsilon::try_from(1.0)?.weights();
    let thousand = Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(DomainSize::try_from(1000)?, weights)?);
    let large = ProjectiveGeometry::over(DomainSize::try_from(100_000)?, (2, 20), weights)?;
    let large = Mechanism::ProjectiveGeometry(large);
    let values: Vec<TrueValue> = (0..1000).map(|v| TrueValue::new(Value::Symbol(v))).collect();
    let row = |name: &str, bound: f64, rates: anyhow::Result<Vec<f64>>| -> anyhow::Result<Row> {
        Ok(Row::new(name.to_owned(), BOUND, 1.0, rates?, vec![bound]))
    };
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    Ok(vec![
        row(
            "geometry d=1000: randomise",
            10e6,
            rounds_of(rounds, 1000, || {
                for value in &values {
                    black_box(thousand.randomise(value, &mut rng)?);
                }
                Ok(())
            }),
        )?,
        row("geometry d=1000: decode within 5 ms", 200.0, decode(rounds, &thousand))?,
        row("geometry K=2^20-1: decode within 0.5 s", 2.0, decode(rounds, &large))?,
        row(
            "report d=1000, fresh system seed, in 20 us",
            50e3,
            rounds_of(rounds, 1000, || {
                values.iter().try_for_each(|value| -> anyhow::Result<()> {
                    let mut rng = ChaCha20Rng::try_from_rng(&mut SysRng).context("the system gave no randomness")?;
                    black_box(thousand.encode(&thousand.randomise(value, &mut rng)?)?);
                    Ok(())
                })
            }),
        )?,
    ])
}

fn decode(rounds: u32, mechanism: &Mechanism) -> anyhow::Result<Vec<f64>> {
    let cells: Vec<u64> = (0..mechanism.cells() as u64).map(|cell| cell % 97).collect();
    rounds_of(rounds, 1, || {
        black_box(mechanism.support_counts(black_box(&cells)));
        Ok(())
    })
}

/// Rates of `each` things a call, over calls of some 20 ms a round.
fn rounds_of(rounds: u32, each: u32, mut work: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Vec<f64>> {
    let rate = |_| {
        let (start, mut done) = (Instant::now(), 0_u32);
        while done == 0 || start.elapsed().as_millis() < 20 {
            work()?;
            done += each;
        }
        Ok(f64::from(done) / start.elapsed().as_secs_f64())
    };
    (0..rounds).map(rate).collect()
}

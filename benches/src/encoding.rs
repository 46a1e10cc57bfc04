// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a true value to the bytes of a report.

use std::hint::black_box;
use std::time::Instant;

use anyhow::Context as _;
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use serde::Serialize;
use stipple_catalog::{Catalogue, Definition, MechanismName, Report, Week};

use crate::row::Row;
use crate::sample;

const REFERENCE: &str = "serde_json of the same fields, same draw";
/// Both sides draw alike, so the encodings decide: ours must not be the slower one.
const GOAL: f64 = 1.0;

/// The same fields as a self-describing format would carry them: what one writes without a wire format of one's own.
#[derive(Serialize)]
struct Plain<'a> {
    id: [u8; 16],
    metric: &'a str,
    definition: [u8; 16],
    week: u16,
    payload: &'a [u8],
}

/// One row for a metric of each mechanism that the catalogue uses.
pub fn measure(catalogue: &Catalogue, quick: bool) -> anyhow::Result<Vec<Row>> {
    let (rounds, each) = if quick { (3, 2_000) } else { (11, 50_000) };
    let mut rows = Vec::new();
    for name in [MechanismName::SubsetSelection, MechanismName::Collision, MechanismName::TruncatedGeometric] {
        let Some(definition) = catalogue.definitions().iter().find(|d| d.mechanism_name == name) else { continue };
        let (mut ours, mut reference) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            ours.push(rate(each, || packed(definition, each))?);
            reference.push(rate(each, || plain(definition, each))?);
        }
        rows.push(Row::new(format!("randomise and encode, {name}"), REFERENCE, GOAL, ours, reference));
    }
    Ok(rows)
}

fn rate(each: u32, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let start = Instant::now();
    work()?;
    Ok(f64::from(each) / start.elapsed().as_secs_f64())
}

fn packed(definition: &Definition, each: u32) -> anyhow::Result<()> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let value = sample::value(definition);
    for _ in 0..each {
        let response = definition.mechanism.randomise(black_box(&value), &mut rng).context("a value of the domain")?;
        let report = Report { id: sample::id(&mut rng), definition, week: Week::from_index(2968), response };
        black_box(report.encode()?);
    }
    Ok(())
}

fn plain(definition: &Definition, each: u32) -> anyhow::Result<()> {
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    let value = sample::value(definition);
    for _ in 0..each {
        let response = definition.mechanism.randomise(black_box(&value), &mut rng).context("a value of the domain")?;
        let payload = definition.mechanism.encode(&response)?;
        let (metric, definition, id) = (definition.id.as_str(), definition.hash.0, sample::id(&mut rng).0);
        black_box(serde_json::to_vec(&Plain { id, metric, definition, week: 2968, payload: &payload })?);
    }
    Ok(())
}

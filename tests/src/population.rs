// SPDX-License-Identifier: MIT OR Apache-2.0
//! A population of workstations whose true values follow published and assumed shares.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail, ensure};
use rand::rngs::ChaCha20Rng;
use rand::{RngExt, SeedableRng};
use serde::Deserialize;
use stipple_catalog::{Catalogue, Definition, Domain, NONE, OTHER};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(rename = "computers")]
    _computers: u32,
    published: BTreeMap<String, Published>,
    assumed: BTreeMap<String, BTreeMap<String, f64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    #[serde(rename = "table")]
    _table: String,
    counts: BTreeMap<String, f64>,
}

/// The shares of every metric of a catalogue.
#[derive(Debug)]
pub struct Population {
    /// per metric, the share of every label, in the order of the labels
    shares: BTreeMap<String, Vec<f64>>,
}

/// What one workstation has: for each metric, the labels of the week.
pub type Truth = BTreeMap<String, Vec<u32>>;

impl Population {
    /// Reads the shares and fits them to a catalogue.
    ///
    /// # Errors
    /// When the file cannot be read, or names a metric or value that the catalogue does not have.
    pub fn load(file: &Path, catalogue: &Catalogue) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let file: File = toml::from_str(&text).with_context(|| format!("cannot read {}", file.display()))?;
        let published = file.published.into_iter().map(|(id, published)| (id, published.counts));
        let mut shares = BTreeMap::new();
        for (id, weights) in published.chain(file.assumed) {
            let definition = catalogue.get(&id).with_context(|| format!("the catalogue has no {id}"))?;
            shares.insert(id, fit(definition, &weights)?);
        }
        for definition in catalogue.definitions() {
            ensure!(shares.contains_key(&definition.id), "no shares are given for {}", definition.id);
        }
        Ok(Self { shares })
    }

    /// The true values of one workstation; the same for the same seed and number.
    #[must_use]
    pub fn workstation(&self, catalogue: &Catalogue, seed: u64, number: u64) -> (Truth, ChaCha20Rng) {
        let mut rng = generator(seed, number);
        let truth = catalogue
            .definitions()
            .iter()
            .map(|definition| (definition.id.clone(), self.draw(definition, &mut rng)))
            .collect();
        (truth, rng)
    }

    fn draw(&self, definition: &Definition, rng: &mut ChaCha20Rng) -> Vec<u32> {
        let shares = &self.shares[&definition.id];
        if let Domain::Set { .. } = definition.domain {
            return (0..).zip(shares).filter(|&(_, &share)| rng.random_bool(share)).map(|(label, _)| label).collect();
        }
        let mut uniform: f64 = rng.random();
        for (label, share) in (0..).zip(shares) {
            uniform -= share;
            if uniform < 0.0 {
                return vec![label];
            }
        }
        // Rounding left a sliver above the last positive share.
        let last = shares.iter().rposition(|&share| share > 0.0).unwrap_or(0);
        vec![u32::try_from(last).unwrap_or(0)]
    }
}

/// A generator of its own for every workstation, so that the order of the simulation changes nothing.
fn generator(seed: u64, number: u64) -> ChaCha20Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&number.to_le_bytes());
    ChaCha20Rng::from_seed(key)
}

/// Shares in the order of the labels: normalised, but for sets, whose items are held independently of each other.
fn fit(definition: &Definition, weights: &BTreeMap<String, f64>) -> anyhow::Result<Vec<f64>> {
    let labels = definition.domain.labels();
    let mut shares = vec![0.0; labels.len()];
    for (label, &weight) in weights {
        let Some(place) = labels.iter().position(|l| l == label) else {
            bail!("{} has no value {label:?}", definition.id);
        };
        ensure!((0.0..=1e9).contains(&weight), "{} has an impossible share at {label:?}", definition.id);
        shares[place] = weight;
    }
    if !matches!(definition.domain, Domain::Set { .. }) {
        let total: f64 = shares.iter().sum();
        ensure!(total > 0.0, "the shares of {} sum to nothing", definition.id);
        for share in &mut shares {
            *share /= total;
        }
    }
    ensure!(shares.iter().all(|&share| share <= 1.0), "{} has a share above 1", definition.id);
    Ok(shares)
}

/// What an application records so that a workstation's tally becomes a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recording {
    /// a text as the payload
    Text(String),
    /// a number inside the payload
    Number(u64),
    /// so many occurrences without a payload
    Times(u64),
    /// so many seconds of a timer
    Seconds(u64),
}

/// The recordings that lead to a label; none for "nothing happened".
#[must_use]
pub fn recordings(definition: &Definition, label: u32) -> Vec<Recording> {
    use stipple_catalog::Aggregate;
    let labels = definition.domain.labels();
    let text = labels.get(label as usize).map_or("", String::as_str);
    if text == NONE {
        return Vec::new();
    }
    let lowest = |buckets: &stipple_catalog::Buckets| buckets.lowest(label).unwrap_or(0);
    let recording = match (&definition.domain, definition.aggregate) {
        (Domain::Symbol(_), Aggregate::Any) if label == 0 => return Vec::new(),
        (Domain::Symbol(_), Aggregate::Any) => Recording::Times(1),
        (Domain::Symbol(_) | Domain::Set { .. }, _) if text == OTHER => Recording::Text("something else".to_owned()),
        (Domain::Symbol(_) | Domain::Set { .. }, _) => Recording::Text(text.to_owned()),
        (Domain::Buckets(buckets), Aggregate::Count) => Recording::Times(lowest(buckets)),
        (Domain::Buckets(buckets), Aggregate::Duration) => Recording::Seconds(lowest(buckets)),
        (Domain::Buckets(buckets), _) => Recording::Number(lowest(buckets)),
        (Domain::Count { .. }, Aggregate::Count) => Recording::Times(label.into()),
        (Domain::Count { .. }, _) => Recording::Number(label.into()),
    };
    match recording {
        Recording::Times(0) | Recording::Seconds(0) => Vec::new(),
        recording => vec![recording],
    }
}

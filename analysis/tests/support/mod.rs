// SPDX-License-Identifier: MIT OR Apache-2.0
//! A small catalogue with one metric for each mechanism, and datasets of simulated reports.
#![allow(dead_code, reason = "each test file uses its part")]

use std::fmt::Write as _;
use std::path::Path;

use rand::rngs::ChaCha20Rng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use sha2::{Digest, Sha256};
use stipple_catalog::{Catalogue, Definition, Week, hex};
use stipple_ldp::{TrueValue, Value};
use tempfile::TempDir;

/// The support counts of one metric and week.
pub struct Group {
    pub metric: &'static str,
    pub week: &'static str,
    pub reports: u64,
    pub counts: Vec<u64>,
}

const HEAD: &str = "title = \"Small\"\nepsilon_epoch = 8.0\nepsilon_cap = 4.0\n";

/// Category, name, domain and mechanism, epsilon.
const METRICS: [(&str, &str, &str, f64); 4] = [
    (
        "hardware",
        "disk",
        "mechanism = \"randomised-response\"\n[domain]\nkind = \"symbol\"\nvalues = [\"hard disk\", \"flash\"]\nother = true\nnone = true\n",
        1.0,
    ),
    (
        "settings",
        "desktop",
        "mechanism = \"subset-selection\"\n[domain]\nkind = \"symbol\"\nvalues = [\"GNOME\", \"KDE\", \"XFCE\", \"Sway\", \"Budgie\", \"LXQt\", \"MATE\"]\nother = true\nnone = true\n",
        1.0,
    ),
    (
        "usage",
        "tools",
        "mechanism = \"collision\"\n[domain]\nkind = \"set\"\nvalues = [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\", \"i\", \"j\", \"k\", \"l\", \"m\", \"n\", \"o\", \"p\", \"q\", \"r\"]\nother = true\nmost = 3\n",
        2.0,
    ),
    ("problems", "crashes", "mechanism = \"truncated-geometric\"\n[domain]\nkind = \"count\"\nmost = 10\n", 2.0),
];

/// The small catalogue, in a folder that lives as long as the first half of the pair.
pub fn catalogue() -> (TempDir, Catalogue) {
    catalogue_of(&METRICS)
}

/// A catalogue of the given metrics: category, name, mechanism and domain, epsilon.
pub fn catalogue_of(metrics: &[(&str, &str, &str, f64)]) -> (TempDir, Catalogue) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("catalogue.toml"), HEAD).unwrap();
    for (category, name, rest, epsilon) in metrics {
        let aggregate = if rest.contains("kind = \"set\"") {
            "distinct"
        } else if rest.contains("kind = \"count\"") {
            "count"
        } else {
            "last"
        };
        let payload = match aggregate {
            "count" => "",
            _ if rest.contains("kind = \"buckets\"") => "t",
            _ => "s",
        };
        let text = format!(
            "id = \"{category}.{name}\"\ntitle = \"The {name}\"\nquestion = \"What about the {name}?\"\ncategory = \"{category}\"\n\
             owner = \"Testers\"\napproval = \"https://example.org/approved/{name}\"\nintroduced = 2026-01-01\n\
             expires = 2027-01-01\nepsilon = {epsilon:?}\n{rest}\n[tally]\naggregate = \"{aggregate}\"\n[[tally.events]]\n\
             id = \"e5c3b310-f454-5a19-914c-76516fb270d6\"\npayload = \"{payload}\"\n"
        );
        std::fs::write(folder.path().join(format!("{category}.{name}.toml")), text).unwrap();
    }
    let catalogue = Catalogue::load(folder.path()).unwrap();
    (folder, catalogue)
}

pub fn generator(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// Counts `n` reports of workstations whose true values `truth` draws, through the real mechanism.
pub fn simulate(
    definition: &Definition,
    n: u64,
    rng: &mut ChaCha20Rng,
    mut truth: impl FnMut(&mut ChaCha20Rng) -> Value,
) -> Vec<u64> {
    let mut counts = vec![0; definition.mechanism.cells()];
    for _ in 0..n {
        let value = TrueValue::new(truth(rng));
        let response = definition.mechanism.randomise(&value, rng).unwrap();
        definition.mechanism.accumulate(&response, |cell| counts[cell] += 1).unwrap();
    }
    counts
}

/// A symbol with chances in proportion to the weights.
pub fn draw(weights: &[f64], rng: &mut ChaCha20Rng) -> u32 {
    let mut left = rng.random::<f64>() * weights.iter().sum::<f64>();
    let found = weights.iter().position(|weight| {
        left -= weight;
        left < 0.0
    });
    u32::try_from(found.unwrap_or(weights.len() - 1)).unwrap()
}

/// Writes a counts dataset as the aggregator exports it.
pub fn write(folder: &Path, catalogue: &Catalogue, groups: &[Group]) {
    let mut csv = "metric,definition,week,reports,cell,count\n".to_owned();
    for group in groups {
        let hash = catalogue.get(group.metric).unwrap().hash;
        for (cell, count) in group.counts.iter().enumerate() {
            writeln!(csv, "{},{hash},{},{},{cell},{count}", group.metric, group.week, group.reports).unwrap();
        }
    }
    write_bytes(folder, catalogue, csv.as_bytes(), groups);
}

/// Writes any bytes as `counts.csv`, with a manifest whose checksum fits them.
pub fn write_bytes(folder: &Path, catalogue: &Catalogue, csv: &[u8], groups: &[Group]) {
    let digest: [u8; 32] = Sha256::digest(csv).into();
    let week = |group: &Group| group.week.parse::<Week>().unwrap();
    let weeks = groups
        .iter()
        .map(week)
        .min()
        .zip(groups.iter().map(week).max())
        .map(|(first, last)| json!({"first": first.to_string(), "last": last.to_string()}));
    let mut metrics: Vec<serde_json::Value> = Vec::new();
    for definition in catalogue.definitions() {
        let own: Vec<_> = groups.iter().filter(|group| group.metric == definition.id).collect();
        if !own.is_empty() {
            let reports: u64 = own.iter().map(|group| group.reports).sum();
            metrics.push(json!({"id": definition.id, "definition": definition.hash.to_string(), "weeks": own.len(), "reports": reports}));
        }
    }
    let manifest = json!({
        "format": "stipple-counts", "version": 1, "title": catalogue.title, "catalogue_hash": catalogue.hash(),
        "epsilon_epoch": catalogue.epsilon_epoch, "phase": "testing", "weeks": weeks, "metrics": metrics,
        "files": [{"name": "counts.csv", "sha256": hex(&digest), "rows": csv.split(|&byte| byte == b'\n').count().saturating_sub(2)}],
        "reports": groups.iter().map(|group| group.reports).sum::<u64>(),
    });
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("manifest.json"), serde_json::to_vec_pretty(&manifest).unwrap()).unwrap();
    std::fs::write(folder.join("counts.csv"), csv).unwrap();
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! A simulation's scores for people and programs, and its counts as a dataset.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use stipple_catalog::{Catalogue, hex};

use super::Score;
use crate::dataset::Dataset;
use crate::output::{WriteError, write_file};
use crate::words::{grouped, number};

/// `{"metrics": [..], "seconds": s}`.
pub(super) fn json(scores: &[Score], seconds: f64, out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Scores<'a> {
        metrics: &'a [Score],
        seconds: f64,
    }
    serde_json::to_writer_pretty(&mut *out, &Scores { metrics: scores, seconds })?;
    writeln!(out)
}

/// One line for each metric, before it truth beside estimate if wished.
pub(super) fn table(scores: &[Score], with_values: bool, seconds: f64, out: &mut dyn Write) -> io::Result<()> {
    if with_values {
        scores.iter().try_for_each(|score| values(score, out))?;
    }
    writeln!(
        out,
        "{:<28} {:<20} {:>14} {:>7} {:>9} {:>10} {:>7} {:>10} {:>9} {:>9}",
        "metric", "mechanism", "reports", "pairs", "covered", "bias", "z", "rms error", "of theory", "of least"
    )?;
    for score in scores {
        let ratio = |of: Option<f64>| match of {
            Some(of) if of > 0.0 && score.pairs > 0 => number((score.mse / of).sqrt(), 3),
            _ => "–".to_owned(),
        };
        let covered = match score.pairs {
            0 => "–".to_owned(),
            pairs => format!("{} %", number(100.0 * score.covered_95 as f64 / pairs as f64, 1)),
        };
        writeln!(
            out,
            "{:<28} {:<20} {:>14} {:>7} {covered:>9} {:>10} {:>7} {:>10.2e} {:>9} {:>9}",
            score.metric,
            score.mechanism,
            grouped(score.reports),
            grouped(score.pairs),
            format!("{:.1e}", score.bias),
            number(score.bias_z, 2),
            score.mse.sqrt(),
            ratio(Some(score.mse_theory)),
            ratio(score.mse_minimax),
        )?;
    }
    let (pairs, covered) =
        scores.iter().fold((0, 0), |(pairs, covered), score| (pairs + score.pairs, covered + score.covered_95));
    let share = number(100.0 * covered as f64 / pairs.max(1) as f64, 1);
    writeln!(out, "\n{} of {} intervals hold the truth ({share} %); {seconds:.2} s", grouped(covered), grouped(pairs))
}

fn values(score: &Score, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}", score.metric)?;
    for pair in &score.values {
        let is_covered = (pair.lower..=pair.upper).contains(&pair.truth);
        writeln!(
            out,
            "  {:<40} truth {:>9.5}  estimate {:>9.5}  {:>9.5} to {:>8.5}{}",
            pair.value,
            pair.truth,
            pair.estimate,
            pair.lower,
            pair.upper,
            if is_covered { "" } else { "  missed" }
        )?;
    }
    writeln!(out)
}

/// Writes `counts.csv` and `manifest.json`.
pub(super) fn write_dataset(dataset: &Dataset, catalogue: &Catalogue, folder: &Path) -> Result<(), WriteError> {
    std::fs::create_dir_all(folder).map_err(|source| WriteError { path: folder.to_owned(), source })?;
    let mut csv = "metric,definition,week,reports,cell,count\n".to_owned();
    let (mut rows, mut metrics, mut all) = (0, Vec::new(), Vec::new());
    for definition in catalogue.definitions() {
        let weeks = dataset.weeks(&definition.id);
        for week in weeks {
            for (cell, count) in week.counts.iter().enumerate() {
                let (hash, name, reports) = (definition.hash, week.week, week.reports);
                // Writing to a String cannot fail.
                let _ = writeln!(csv, "{},{hash},{name},{reports},{cell},{count}", definition.id);
                rows += 1;
            }
            all.push(week.week);
        }
        if !weeks.is_empty() {
            metrics.push(json!({
                "id": definition.id, "definition": definition.hash.to_string(), "weeks": weeks.len(),
                "reports": weeks.iter().map(|week| week.reports).sum::<u64>(),
            }));
        }
    }
    let digest: [u8; 32] = Sha256::digest(&csv).into();
    let span = all.iter().min().zip(all.iter().max());
    let manifest = json!({
        "format": "stipple-counts", "version": 1, "title": dataset.title, "catalogue_hash": dataset.catalogue_hash,
        "epsilon_epoch": catalogue.epsilon_epoch, "phase": dataset.phase, "sources": ["simulated"],
        "weeks": span.map(|(first, last)| json!({"first": first, "last": last})),
        "metrics": metrics, "files": [{"name": "counts.csv", "sha256": hex(&digest), "rows": rows}],
        "reports": dataset.reports,
    });
    write_file(&folder.join("counts.csv"), |file| file.write_all(csv.as_bytes()))?;
    write_file(&folder.join("manifest.json"), |file| writeln!(file, "{manifest:#}"))
}

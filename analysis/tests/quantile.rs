// SPDX-License-Identifier: MIT OR Apache-2.0
//! The intervals of quantiles hold the true class as often as they say.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its case fails")]

mod support;

use stipple_analysis::{Dataset, Options, QUANTILES, estimate};
use stipple_ldp::Value;
use support::{Group, catalogue_of, draw, generator, simulate, write};

const ROUNDS: u32 = 500;

/// Classes with "none" beside them, by both mechanisms, and noised counts. An interval of classes covers at least what it says: where the
/// true class is wide, both its neighbours are ruled out nearly always.
#[test]
fn intervals_of_quantiles_hold_the_true_class() {
    let classes = |mechanism: &str| {
        format!(
            "mechanism = \"{mechanism}\"\n[domain]\nkind = \"buckets\"\nvalues = [\"0\", \"1-3\", \"4-9\", \"10-19\", \"20-49\", \"50+\"]\nlower = [0, 1, 4, 10, 20, 50]\nnone = true\n"
        )
    };
    let (random, subset) = (classes("randomised-response"), classes("subset-selection"));
    let counts = "mechanism = \"truncated-geometric\"\n[domain]\nkind = \"count\"\nmost = 6\n";
    let (_folder, catalogue) = catalogue_of(&[
        ("performance", "random", &random, 2.0),
        ("performance", "subset", &subset, 1.0),
        ("problems", "count", counts, 2.0),
    ]);
    // None is a fifth; of the rest, the quarter lies in class 1, the half and the three quarters in 3, the nine tenths in 4.
    let truth = [0.12, 0.1, 0.1, 0.3, 0.12, 0.06, 0.2];
    let expected = ["1-3", "10-19", "10-19", "20-49"];
    let count = [0.2, 0.2, 0.2, 0.1, 0.12, 0.1, 0.08];
    let expected_count = ["1", "2", "4", "5"];
    let mut rng = generator(41);
    let mut held = [[0_u32; 4]; 3];
    for _ in 0..ROUNDS {
        let mut group = |metric: &'static str, reports| {
            let definition = catalogue.get(metric).unwrap();
            let counts = simulate(definition, reports, &mut rng, |rng| match metric {
                "problems.count" => Value::Count(draw(&count, rng)),
                _ => Value::Symbol(draw(&truth, rng)),
            });
            Group { metric, week: "2026-W40", reports, counts }
        };
        let groups =
            [group("performance.random", 700), group("performance.subset", 1500), group("problems.count", 900)];
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &catalogue, &groups);
        let dataset = Dataset::load(folder.path(), &catalogue).unwrap();
        for (metric, held) in estimate(&dataset, &catalogue, Options::USUAL).metrics.iter().zip(&mut held) {
            let labels = metric.definition.domain.labels();
            let place = |label: &str| labels.iter().position(|l| l == label).unwrap();
            let truth = if metric.most().is_some() { expected_count } else { expected };
            assert_eq!(metric.quantiles.len(), QUANTILES.len());
            for ((quantile, truth), held) in metric.quantiles.iter().zip(truth).zip(held) {
                let range = place(&quantile.lower)..=place(&quantile.upper);
                assert!(range.contains(&place(&quantile.class)));
                *held += u32::from(range.contains(&place(truth)));
            }
        }
    }
    let slack = 4.0 * (0.05 * 0.95 * f64::from(ROUNDS)).sqrt();
    for held in held.as_flattened() {
        assert!(f64::from(*held) > 0.95 * f64::from(ROUNDS) - slack, "{held:?}");
    }
}

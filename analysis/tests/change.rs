// SPDX-License-Identifier: MIT OR Apache-2.0
//! Changes and trends as statistics: intervals hold the true change, and tests raise false alarms as seldom as they say.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its case fails")]

mod support;

use rand::rngs::ChaCha20Rng;
use stipple_analysis::{Dataset, Level, Span, change, trends};
use stipple_catalog::Catalogue;
use stipple_ldp::Value;
use support::{Group, catalogue, draw, generator, simulate, write};

const WEEKS: [&str; 4] = ["2026-W40", "2026-W41", "2026-W42", "2026-W43"];
const REPORTS: u64 = 800;
const ROUNDS: u32 = 500;

/// Shares of the four values of `hardware.disk`, and the chance of ten crashes instead of none, by week.
struct Truth {
    disk: [[f64; 4]; 4],
    crashes: [f64; 4],
}

fn dataset(catalogue: &Catalogue, truth: &Truth, rng: &mut ChaCha20Rng) -> Dataset {
    let mut groups = Vec::new();
    for (disk, week) in truth.disk.iter().zip(WEEKS) {
        let definition = catalogue.get("hardware.disk").unwrap();
        let counts = simulate(definition, REPORTS, rng, |rng| Value::Symbol(draw(disk, rng)));
        groups.push(Group { metric: "hardware.disk", week, reports: REPORTS, counts });
    }
    for (crashes, week) in truth.crashes.iter().zip(WEEKS) {
        let definition = catalogue.get("problems.crashes").unwrap();
        let counts = simulate(definition, REPORTS, rng, |rng| Value::Count(10 * draw(&[1.0 - crashes, *crashes], rng)));
        groups.push(Group { metric: "problems.crashes", week, reports: REPORTS, counts });
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), catalogue, &groups);
    Dataset::load(folder.path(), catalogue).unwrap()
}

fn spans() -> [Span; 2] {
    ["2026-W40..2026-W41", "2026-W42..2026-W43"].map(|text| text.parse().unwrap())
}

/// How often something happened among tries.
#[derive(Default)]
struct Rate {
    hits: u32,
    tries: u32,
}

impl Rate {
    fn count(&mut self, hit: bool) {
        self.tries += 1;
        self.hits += u32::from(hit);
    }

    fn get(&self) -> f64 {
        f64::from(self.hits) / f64::from(self.tries)
    }

    /// Four standard errors, as if values of one round hung together wholly.
    fn slack(at: f64) -> f64 {
        4.0 * (at * (1.0 - at) / f64::from(ROUNDS)).sqrt()
    }
}

#[test]
fn nothing_has_changed_and_few_tests_say_otherwise() {
    let (_folder, catalogue) = catalogue();
    let truth = Truth { disk: [[0.3, 0.55, 0.1, 0.05]; 4], crashes: [0.2; 4] };
    let mut rng = generator(31);
    let (mut single, mut any, mut sloped, mut any_slope) =
        (Rate::default(), Rate::default(), Rate::default(), Rate::default());
    for _ in 0..ROUNDS {
        let dataset = dataset(&catalogue, &truth, &mut rng);
        let changes = change(&dataset, &catalogue, spans(), Level::USUAL);
        assert_eq!((changes.rows.len(), changes.too_few.len()), (5, 0));
        for row in &changes.rows {
            single.count(row.p < 0.05);
        }
        any.count(changes.rows.iter().any(|row| row.p_adjusted < 0.05));
        let trends = trends(&dataset, &catalogue, None, Level::USUAL);
        assert_eq!(trends.len(), 5);
        for trend in &trends {
            sloped.count(trend.p < 0.05);
        }
        any_slope.count(trends.iter().any(|trend| trend.p_adjusted < 0.05));
    }
    for rate in [&single, &sloped] {
        assert!((rate.get() - 0.05).abs() < Rate::slack(0.05), "{}", rate.get());
    }
    // Holm's correction keeps the chance of any false alarm below 5 %.
    for rate in [&any, &any_slope] {
        assert!(rate.get() < 0.05 + Rate::slack(0.05), "{}", rate.get());
    }
}

#[test]
fn intervals_hold_the_change_the_ratio_and_the_slope() {
    let (_folder, catalogue) = catalogue();
    // Value 1 gains what value 0 loses: 4 points a week; crashes rise by 0.5 a week.
    let disk: [[f64; 4]; 4] = [0.0, 0.04, 0.08, 0.12].map(|gain| [0.4 - gain, 0.45 + gain, 0.1, 0.05]);
    let truth = Truth { disk, crashes: [0.2, 0.25, 0.3, 0.35] };
    let mean = |values: [f64; 2]| f64::midpoint(values[0], values[1]);
    let expected: Vec<(f64, f64, f64)> = (0..4)
        .map(|v| (mean([disk[0][v], disk[1][v]]), mean([disk[2][v], disk[3][v]]), [-0.04, 0.04, 0.0, 0.0][v]))
        .chain([(2.25, 3.25, 0.5)])
        .collect();
    let mut rng = generator(32);
    let (mut differences, mut ratios, mut slopes, mut found) =
        (Rate::default(), Rate::default(), Rate::default(), Rate::default());
    for _ in 0..ROUNDS {
        let dataset = dataset(&catalogue, &truth, &mut rng);
        let changes = change(&dataset, &catalogue, spans(), Level::USUAL);
        let trends = trends(&dataset, &catalogue, None, Level::USUAL);
        for ((row, trend), (before, after, slope)) in changes.rows.iter().zip(&trends).zip(&expected) {
            differences.count(row.interval.lower <= after - before && after - before <= row.interval.upper);
            slopes.count(trend.interval.lower <= *slope && *slope <= trend.interval.upper);
            if let Some(interval) = row.ratio_interval {
                ratios.count(interval.lower <= after / before && after / before <= interval.upper);
            }
        }
        found.count(changes.rows[4].p_adjusted < 0.05);
    }
    for rate in [&differences, &slopes] {
        assert!((rate.get() - 0.95).abs() < Rate::slack(0.95), "{}", rate.get());
    }
    // Those whose denominator is by luck not clear of 0 are left out, which are not a random choice.
    assert!(ratios.get() > 0.95 - Rate::slack(0.95) && ratios.tries > 3 * ROUNDS, "{}", ratios.get());
    assert!(found.get() > 0.5, "a change of a whole crash is found {} of the time", found.get());
}

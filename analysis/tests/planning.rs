// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is planned against what happens: chances of being drawn by enumeration, margins through the real mechanisms.

#![allow(clippy::unwrap_used, reason = "a test that cannot set up its case fails")]
#![allow(clippy::cast_possible_truncation, reason = "small numbers chosen by the tests")]

mod support;

use std::path::Path;

use clap::Parser;
use rand::RngExt;
use rand::rngs::ChaCha20Rng;
use serde_json::Value as Json;
use statrs::distribution::{Binomial, ContinuousCDF, DiscreteCDF, Normal};
use stipple_analysis::{CompareArguments, PlanArguments, PlanningError, run_compare, run_plan};
use stipple_ldp::Value;
use support::{catalogue, catalogue_of, draw, generator, simulate};

#[derive(Parser)]
struct PlanLine {
    #[command(flatten)]
    arguments: PlanArguments,
}

#[derive(Parser)]
struct CompareLine {
    #[command(flatten)]
    arguments: CompareArguments,
}

fn planned(line: &str) -> Result<String, PlanningError> {
    let mut out = Vec::new();
    let parsed = PlanLine::try_parse_from(std::iter::once("plan").chain(line.split_whitespace())).unwrap();
    run_plan(&parsed.arguments, &mut out).map(|()| String::from_utf8(out).unwrap())
}

fn plan(catalogue: &Path, rest: &str) -> Json {
    let line = format!("--catalog {} --day 2026-06-01 --json {rest}", catalogue.display());
    serde_json::from_str(&planned(&line).unwrap()).unwrap()
}

fn compared(line: &str) -> Result<String, PlanningError> {
    let mut out = Vec::new();
    let parsed = CompareLine::try_parse_from(std::iter::once("compare").chain(line.split_whitespace())).unwrap();
    run_compare(&parsed.arguments, &mut out).map(|()| String::from_utf8(out).unwrap())
}

fn number(json: &Json) -> f64 {
    json.as_f64().unwrap_or_else(|| panic!("{json} is no number"))
}

const YES_OR_NO: &str = "mechanism = \"randomised-response\"\n[domain]\nkind = \"symbol\"\nvalues = [\"no\", \"yes\"]\nother = true\nnone = true\n";

/// Every permutation of the metrics: the share of those that take each one, in the budget of 8.
fn exact_chances(losses: &[u32]) -> Vec<f64> {
    fn walk(losses: &[u32], left: &mut Vec<usize>, budget: u32, taken: &mut Vec<usize>, counts: &mut Vec<u32>) -> u32 {
        if left.is_empty() {
            for &taken in taken.iter() {
                counts[taken] += 1;
            }
            return 1;
        }
        let mut orders = 0;
        for place in 0..left.len() {
            let next = left.remove(place);
            let fits = losses[next] <= budget;
            if fits {
                taken.push(next);
            }
            orders += walk(losses, left, budget - if fits { losses[next] } else { 0 }, taken, counts);
            if fits {
                taken.pop();
            }
            left.insert(place, next);
        }
        orders
    }
    let mut counts = vec![0; losses.len()];
    let orders = walk(losses, &mut (0..losses.len()).collect(), 8, &mut Vec::new(), &mut counts);
    counts.into_iter().map(|count| f64::from(count) / f64::from(orders)).collect()
}

#[test]
fn chances_of_being_drawn_are_those_of_all_permutations() {
    let losses = [4, 4, 3, 2, 1, 1];
    let names = ["a", "b", "c", "d", "e", "f"];
    let metrics: Vec<_> =
        names.iter().zip(losses).map(|(name, loss)| ("usage", *name, YES_OR_NO, f64::from(loss))).collect();
    let (folder, _) = catalogue_of(&metrics);
    let plan = plan(folder.path(), "--workstations 1000 --response 0.5");
    let exact = exact_chances(&losses);
    let mut metrics_drawn = 0.0;
    for (metric, exact) in plan["metrics"].as_array().unwrap().iter().zip(&exact) {
        let (chance, error) = (number(&metric["drawn"]["chance"]), number(&metric["drawn"]["standard_error"]));
        // Six tests of one seed at two-sided 1e-6 each; and no error may be claimed away.
        assert!((chance - exact).abs() < 4.9 * error, "{metric}: {exact}");
        assert!((0.0003..0.005).contains(&error), "{error}");
        assert!((number(&metric["reports_epoch"]) - 500.0 * chance).abs() < 1e-9);
        assert!((number(&metric["reports_week"]) - 500.0 * chance / 26.0).abs() < 1e-9);
        metrics_drawn += exact;
    }
    assert!((number(&plan["metrics_drawn"]) / metrics_drawn - 1.0).abs() < 0.01);
}

#[test]
fn a_draw_without_a_choice_has_no_error() {
    let metrics: Vec<_> = ["a", "b", "c", "d"].iter().map(|name| ("usage", *name, YES_OR_NO, 4.0)).collect();
    let (folder, _) = catalogue_of(&metrics);
    let plan = plan(folder.path(), "--workstations 1000 --budgets 4,8,16,3");
    assert_eq!(plan["metrics"][0]["drawn"], serde_json::json!({"chance": 0.5, "standard_error": 0.0}));
    let margin = |budget: usize, way: &str| plan["budgets"][budget]["metrics"][2][way].as_f64();
    // Twice the budget, twice the reports; the same budget, the same plan; too small a budget, none.
    let now = number(&plan["metrics"][2]["margins_epoch"]["uniform"]);
    assert!((margin(1, "more_metrics").unwrap() - now).abs() < 1e-12);
    assert!((margin(1, "more_epsilon").unwrap() - now).abs() < 1e-12);
    assert!((margin(0, "more_metrics").unwrap() / now - 2_f64.sqrt()).abs() < 1e-9);
    assert!((margin(2, "more_metrics").unwrap() * 2_f64.sqrt() / now - 1.0).abs() < 1e-9);
    assert_eq!(margin(3, "more_metrics"), None);
    // Randomised response over four values at epsilon 2 instead of 4, from its textbook chances; a quarter is reported as a quarter.
    let error = |e: f64| (3.0 / 16.0) * ((e.exp() + 3.0) / (e.exp() - 1.0)).powi(2);
    assert!((margin(0, "more_epsilon").unwrap() / now - (error(2.0) / error(4.0)).sqrt()).abs() < 1e-6);
}

/// Draws one workstation's true value.
type Truth = Box<dyn Fn(&mut ChaCha20Rng) -> Value>;

const ROUNDS: u64 = 400;
const REPORTS: u64 = 500;

/// The estimates of value `v` (0 for a mean) over many rounds, from the real mechanism.
fn estimates(
    metric: &stipple_catalog::Definition,
    v: usize,
    rng: &mut ChaCha20Rng,
    mut truth: impl FnMut(&mut ChaCha20Rng) -> Value,
) -> Vec<f64> {
    let round = |_| {
        let counts = simulate(metric, REPORTS, rng, &mut truth);
        metric.mechanism.estimate(&counts, REPORTS).unwrap()[v]
    };
    (0..ROUNDS).map(round).collect()
}

/// An estimate lies within its planned margin of the truth 95 times of 100: the count over all rounds at the two-sided
/// significance 1e-6 of the binomial law, and so the variance by that of the normal law for its ratio.
fn assert_margin(name: &str, found: &[f64], truth: f64, margin: f64) {
    let within = found.iter().filter(|estimate| (*estimate - truth).abs() <= margin).count() as u64;
    let law = Binomial::new(0.95, ROUNDS).unwrap();
    let (least, most) = (law.inverse_cdf(5e-7), law.inverse_cdf(1.0 - 5e-7));
    assert!((least..=most).contains(&within), "{name}: {within} of {ROUNDS} within {margin}");
    let planned = (margin / 1.959_963_984_540_054).powi(2);
    let variance = found.iter().map(|estimate| (estimate - truth).powi(2)).sum::<f64>() / ROUNDS as f64;
    let slack = Normal::standard().inverse_cdf(1.0 - 5e-7) * (2.0 / ROUNDS as f64).sqrt();
    assert!((variance / planned - 1.0).abs() < slack, "{name}: variance {variance}, planned {planned}");
}

#[test]
fn planned_margins_are_those_of_simulated_collections() {
    let (folder, catalogue) = catalogue();
    let plan = plan(folder.path(), "--workstations 100000");
    let mut rng = generator(21);
    for metric in plan["metrics"].as_array().unwrap() {
        let id = metric["metric"].as_str().unwrap();
        let definition = catalogue.get(id).unwrap();
        // Margins go with the root of the reports, so the plan for many tells that for few.
        let scale = (number(&metric["reports_epoch"]) / REPORTS as f64).sqrt();
        let margin = |truth: &str| number(&metric["margins_epoch"][truth]) * scale;
        let size = definition.mechanism.values() as u32;
        let (half, uniform): (fn(&mut ChaCha20Rng) -> Value, Truth) = match id {
            "usage.tools" => (
                |rng| Value::Set(if rng.random() { vec![0] } else { vec![1] }),
                Box::new(move |rng| {
                    let start = rng.random_range(0..size);
                    Value::Set((0..3).map(|i| (start + i) % size).collect())
                }),
            ),
            "problems.crashes" => (
                |rng| Value::Count(if rng.random() { 10 } else { 0 }),
                Box::new(move |rng| Value::Count(rng.random_range(0..size))),
            ),
            _ => (
                |rng| Value::Symbol(draw(&[0.5, 0.5], rng)),
                Box::new(move |rng| Value::Symbol(rng.random_range(0..size))),
            ),
        };
        let truths = match id {
            "problems.crashes" => [5.0, 5.0],
            "usage.tools" => [0.5, 3.0 / f64::from(size)],
            _ => [0.5, 1.0 / f64::from(size)],
        };
        assert_margin(id, &estimates(definition, 0, &mut rng, half), truths[0], margin("half"));
        assert_margin(id, &estimates(definition, 0, &mut rng, uniform), truths[1], margin("uniform"));
        let nobody = if id == "problems.crashes" {
            estimates(definition, 0, &mut rng, |_| Value::Count(0))
        } else {
            estimates(definition, 2, &mut rng, half)
        };
        assert_margin(id, &nobody, 0.0, margin("nobody"));
    }
}

/// The reports needed give just the margin that was wished.
#[test]
fn the_workstations_needed_reach_the_margin() {
    let line = "--domain 20 --epsilon 1 --drawn 0.1 --response 0.8 --margin 0.02 --json --workstations";
    let first: Json = serde_json::from_str(&planned(&format!("{line} 1000")).unwrap()).unwrap();
    for (workstations, margins) in [("workstations_epoch", "margins_epoch"), ("workstations_week", "margins_week")] {
        let needed = &first["metrics"][0]["needed"][workstations];
        let again: Json = serde_json::from_str(&planned(&format!("{line} {}", number(needed))).unwrap()).unwrap();
        let margins = &again["metrics"][0][margins];
        let worst = ["nobody", "uniform", "half"].map(|truth| number(&margins[truth])).into_iter().fold(0.0, f64::max);
        assert!((0.0199..=0.02).contains(&worst), "{worst}");
    }
    assert_eq!(first["metrics"][0]["best"]["mechanism"], "subset-selection");
    assert!(first["catalogue"].is_null() && first["budgets"] == serde_json::json!([]));
}

#[test]
fn a_comparison_lists_objects_with_the_figures_of_every_mechanism() {
    let rows: Json = serde_json::from_str(&compared("--domain 1000 --epsilon 1 --json").unwrap()).unwrap();
    let rows = rows.as_array().unwrap();
    assert_eq!(rows.len(), 7);
    for row in rows {
        assert!(row["mechanism"].is_string() && number(&row["bytes"]) >= 1.0, "{row}");
        assert!(number(&row["n_var"]) >= number(&row["n_var_minimax"]) * (1.0 - 1e-9), "{row}");
        assert_eq!(format!("{:.3}", number(&row["n_var_minimax"])), "3.675");
    }
}

#[test]
fn tables_line_up_and_plots_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let plot = folder.path().join("error.svg");
    for along in ["epsilon", "domain"] {
        let text = compared(&format!("--domain 1000 --epsilon 1 --plot {} --along {along}", plot.display())).unwrap();
        let ends: Vec<_> = text.lines().filter(|line| line.contains(" bits ")).map(str::len).collect();
        assert_eq!(ends.len(), 3, "{text}");
        assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{text}");
        let svg = std::fs::read_to_string(&plot).unwrap();
        assert!(svg.contains("<polyline") && svg.contains("n Var") && svg.contains("hadamard-response"));
    }
    let (catalogue, _) = catalogue();
    let line = format!(
        "--catalog {} --day 2026-06-01 --workstations 20000 --margin 0.01 --budgets 4,16 --plot {}",
        catalogue.path().display(),
        plot.display()
    );
    let text = planned(&line).unwrap();
    for said in ["reports for ± 1 %", "settings.desktop", "of 4 metrics", "collision"] {
        assert!(text.contains(said), "no {said:?} in\n{text}");
    }
    assert!(std::fs::read_to_string(&plot).unwrap().contains("mean, by its bound"));
}

#[test]
fn what_cannot_be_planned_is_refused_with_a_remedy() {
    let (folder, _) = catalogue();
    let old = planned(&format!("--catalog {} --day 2020-01-01 --workstations 9", folder.path().display())).unwrap_err();
    assert!(old.exit_code() == 1 && old.to_string().contains("2020-01-01: give another --day"), "{old}");
    let alone = planned("--epsilon 1 --workstations 9").unwrap_err();
    assert!(alone.exit_code() == 2 && alone.to_string().contains("--domain D or --mean BOUND"), "{alone}");
    assert!(compared("").unwrap_err().to_string().contains("--domain D"));
    let plot = compared("--domain 4 --epsilon 1 --plot /nowhere/at/all.svg").unwrap_err();
    assert!(plot.exit_code() == 2 && plot.to_string().contains("--plot"), "{plot}");
    let sets = compared("--domain 5 --max-set 5 --epsilon 1").unwrap_err();
    assert!(sets.exit_code() == 2 && sets.to_string().contains("more than 5 values"), "{sets}");
    for usage in [
        "--domain 1 --epsilon 1",
        "--domain 4 --epsilon 17",
        "--domain 4",
        "--domain 4 --mean 3 --epsilon 1",
        "--max-set 3 --epsilon 1",
        "--domain four --epsilon 1",
        "--domain 4 --epsilon NaN",
    ] {
        assert!(
            CompareLine::try_parse_from(std::iter::once("compare").chain(usage.split_whitespace())).is_err(),
            "{usage}"
        );
    }
    for usage in [
        "",
        "--workstations 0",
        "--workstations 9 --response 0",
        "--workstations 9 --margin -1",
        "--workstations 9 --drawn 0.5",
    ] {
        assert!(PlanLine::try_parse_from(std::iter::once("plan").chain(usage.split_whitespace())).is_err(), "{usage}");
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! By count and by client have one law: joint cells against enumeration where everything can be enumerated, means and covariances
//! against clients for the rest. All seeds are fixed.

use std::collections::HashMap;

use jiff::civil::date;
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use statrs::distribution::{ContinuousCDF as _, Normal};
use stipple_catalog::{Catalogue, Epoch};
use stipple_ldp::audit::goodness_of_fit;
use stipple_ldp::{
    Bound, Collision, Debias, DomainSize, Epsilon, HybridMean, Mechanism, OneBitMean, PrivSet, ProjectiveGeometry,
    RandomisedResponse, SquareWave, SubsetSelection, TrueValue, TruncatedGeometric, Value,
};

use super::population::Population;
use super::*;

#[path = "../../tests/support/mod.rs"]
mod support;

/// The chance that a correct simulation fails one of these tests.
const SIGNIFICANCE: f64 = 1e-6;

fn size(d: u64) -> DomainSize {
    DomainSize::try_from(d).unwrap()
}

fn bound(m: u64) -> Bound {
    Bound::try_from(m).unwrap()
}

fn population(kinds: Vec<Value>, chances: &[f64]) -> Population {
    let arrival = vec![1.0; kinds.len()];
    Population {
        kinds,
        parts: vec![chances.to_vec()],
        mix: vec![vec![1.0]; Epoch::WEEKS.into()],
        arrival,
        liars: None,
        from: 0,
    }
}

fn symbols(chances: &[f64]) -> Population {
    population((0..chances.len() as u32).map(Value::Symbol).collect(), chances)
}

fn counts(chances: &[f64]) -> Population {
    population((0..chances.len() as u32).map(Value::Count).collect(), chances)
}

/// One small case of each mechanism with its population.
fn small() -> Vec<(Mechanism, Population)> {
    let epsilon = Epsilon::try_from(1.5).unwrap();
    let weights = epsilon.weights();
    let sets = || {
        let kinds = [vec![], vec![1], vec![0, 2], vec![2, 3]].map(Value::Set).to_vec();
        population(kinds, &[0.2, 0.3, 0.4, 0.1])
    };
    let four = [0.5, 0.3, 0.0, 0.2];
    vec![
        (Mechanism::RandomisedResponse(RandomisedResponse::new(size(4), weights)), symbols(&four)),
        (
            Mechanism::SubsetSelection(
                SubsetSelection::new(size(4), Epsilon::try_from(0.3).unwrap().weights()).unwrap(),
            ),
            symbols(&four),
        ),
        (Mechanism::ProjectiveGeometry(ProjectiveGeometry::over(size(4), (2, 3), weights).unwrap()), symbols(&four)),
        (
            Mechanism::PrivSet(PrivSet::new(size(4), bound(2), Epsilon::try_from(0.5).unwrap().weights()).unwrap()),
            sets(),
        ),
        (Mechanism::Collision(Collision::new(size(4), bound(2), epsilon).unwrap()), sets()),
        (Mechanism::OneBitMean(OneBitMean::new(bound(3), weights)), counts(&four)),
        (Mechanism::HybridMean(HybridMean::new(bound(3), epsilon)), counts(&four)),
        (Mechanism::SquareWave(SquareWave::new(bound(3), epsilon)), counts(&four)),
        (Mechanism::TruncatedGeometric(TruncatedGeometric::new(bound(3), epsilon).unwrap()), counts(&four)),
    ]
}

/// The law of what one report adds to the cells, from the definition of each channel: every possible payload is decoded, and weighs
/// A or B by whether it supports what the sender holds.
fn one_report(mechanism: &Mechanism, population: &Population) -> HashMap<Vec<u64>, f64> {
    let chances = population.chances(0);
    let cells_of = |payload: &[u8]| {
        let response = mechanism.decode(payload).ok()?;
        let mut cells = vec![0; mechanism.cells()];
        mechanism.accumulate(&response, |cell| cells[cell] += 1).unwrap();
        Some(cells)
    };
    let mut law = HashMap::<Vec<u64>, f64>::new();
    for (kind, chance) in population.kinds.iter().zip(&chances) {
        if let Mechanism::Collision(m) = mechanism {
            let Value::Set(items) = kind else { unreachable!() };
            let (l, ratio) = (m.buckets(), mechanism.weights().ratio());
            let omega = f64::from(m.bound()) * ratio + f64::from(l - m.bound());
            for seed in 0..=u16::MAX {
                let mut occupied: Vec<u16> = items.iter().map(|&item| m.bucket(seed, item)).collect();
                occupied.sort_unstable();
                occupied.dedup();
                let c = occupied.len() as f64;
                for bucket in 0..l as u16 {
                    let own = occupied.contains(&bucket);
                    let p = if own { ratio / omega } else { (1.0 - c * ratio / omega) / (f64::from(l) - c) };
                    let cells = (0..4).map(|item| u64::from(m.bucket(seed, item) == bucket)).collect();
                    *law.entry(cells).or_default() += chance * p / 65_536.0;
                }
            }
            continue;
        }
        // Payloads here have one byte.
        let rows: Vec<(u8, Vec<u64>)> = (0..=u8::MAX).filter_map(|byte| Some((byte, cells_of(&[byte])?))).collect();
        let weight = |byte: u8, cells: &[u64]| match (mechanism, kind) {
            (Mechanism::PrivSet(m), Value::Set(items)) => {
                let fill = 4..4 + m.bound() - items.len() as u32;
                let meets = items.iter().copied().chain(fill).any(|item| byte >> item & 1 == 1);
                if meets { mechanism.weights().ratio() } else { 1.0 }
            }
            (_, Value::Symbol(v)) => {
                let held = mechanism.support_counts(cells)[*v as usize] > 0;
                if held { mechanism.weights().ratio() } else { 1.0 }
            }
            (_, Value::Count(x)) => mechanism.row(*x).unwrap()[byte as usize],
            _ => unreachable!(),
        };
        let total: f64 = rows.iter().map(|(byte, cells)| weight(*byte, cells)).sum();
        for (byte, cells) in &rows {
            *law.entry(cells.clone()).or_default() += chance * weight(*byte, cells) / total;
        }
    }
    law
}

/// The law of the cells of n reports.
fn reports(n: usize, one: &HashMap<Vec<u64>, f64>) -> HashMap<Vec<u64>, f64> {
    let nothing = vec![0; one.keys().next().unwrap().len()];
    (0..n).fold(HashMap::from([(nothing, 1.0)]), |law, _| {
        let mut next = HashMap::new();
        for (cells, p) in &law {
            for (more, q) in one {
                let sum = cells.iter().zip(more).map(|(a, b)| a + b).collect();
                *next.entry(sum).or_insert(0.0) += p * q;
            }
        }
        next
    })
}

fn by_count(mechanism: &Mechanism, population: &Population, n: u64, seed: u64) -> (u64, Vec<u64>) {
    if let Mechanism::Collision(collision) = mechanism {
        let found = by_count::hashed::by_seed(collision, population, &[n], [seed, 0, 0], 1);
        return found.into_iter().next().unwrap();
    }
    by_count::week(mechanism, population, 0, n, &mut split::generator([seed, 0, 0, 0]))
}

fn assert_follows(name: &str, law: &HashMap<Vec<u64>, f64>, draws: impl Iterator<Item = Vec<u64>>) {
    let mut seen = HashMap::<Vec<u64>, u64>::new();
    draws.for_each(|cells| *seen.entry(cells).or_default() += 1);
    assert!(seen.keys().all(|cells| law.contains_key(cells)), "{name}: impossible cells");
    assert!((law.values().sum::<f64>() - 1.0).abs() < 1e-9, "{name}");
    let p = goodness_of_fit(law.iter().map(|(cells, &p)| (seen.get(cells).copied().unwrap_or(0), p)));
    assert!(p > SIGNIFICANCE, "{name}: {p}");
}

/// Chi-squared of the joint cells of three reports, 20,000 times (collision: 2,000 times).
#[test]
fn joint_cells_follow_their_enumeration() {
    for (mechanism, population) in small() {
        let law = reports(3, &one_report(&mechanism, &population));
        assert!(law.len() > 3, "{mechanism}");
        let times = if matches!(mechanism, Mechanism::Collision(_)) { 2_000 } else { 20_000 };
        let draws = (0..times).map(|seed| by_count(&mechanism, &population, 3, seed).1);
        assert_follows(&mechanism.to_string(), &law, draws);
    }
}

/// The same enumeration is what clients give: the test above would not notice an enumeration of something else.
#[test]
fn clients_follow_the_enumeration_too() {
    for (mechanism, population) in small() {
        let law = reports(2, &one_report(&mechanism, &population));
        let mut rng = ChaCha20Rng::seed_from_u64(3);
        let draws = (0..10_000).map(|_| {
            let mut cells = vec![0; mechanism.cells()];
            for _ in 0..2 {
                let kind = support::draw(&population.chances(0), &mut rng) as usize;
                let value = TrueValue::new(population.kinds[kind].clone());
                let response = mechanism.randomise(&value, &mut rng).unwrap();
                mechanism.accumulate(&response, |cell| cells[cell] += 1).unwrap();
            }
            cells
        });
        assert_follows(&mechanism.to_string(), &law, draws.collect::<Vec<_>>().into_iter());
    }
}

/// Large numbers of reports take the other ways through the code: means, variances and covariances of all cells of 20,000 reports
/// (collision: 6,000,000, so that seeds split their reports), from 300 draws (10), are those of the enumeration.
#[test]
fn moments_of_many_reports() {
    for (mechanism, population) in small() {
        let one = one_report(&mechanism, &population);
        let (n, times) = if matches!(mechanism, Mechanism::Collision(_)) { (6_000_000_u64, 10) } else { (20_000, 300) };
        let cells = mechanism.cells();
        let mean = |f: &dyn Fn(&[u64]) -> f64| one.iter().map(|(cells, p)| p * f(cells)).sum::<f64>();
        let means: Vec<f64> = (0..cells).map(|i| mean(&|c| c[i] as f64)).collect();
        let draws: Vec<Vec<u64>> = (0..times).map(|seed| by_count(&mechanism, &population, n, seed).1).collect();
        let z = |i: usize, c: &[u64]| (c[i] as f64 - n as f64 * means[i]) / (n as f64).sqrt();
        let limit = Normal::standard().inverse_cdf(1.0 - SIGNIFICANCE / 2.0);
        for i in 0..cells {
            let variance = mean(&|c| (c[i] as f64 - means[i]).powi(2));
            let found = draws.iter().map(|c| z(i, c)).sum::<f64>() / f64::from(times as u32);
            let error = (variance / f64::from(times as u32)).sqrt();
            assert!(found.abs() < limit * error, "{mechanism}: the mean of cell {i}: {found}, {error}");
            for j in 0..=i {
                let expected = mean(&|c| (c[i] as f64 - means[i]) * (c[j] as f64 - means[j]));
                let found = draws.iter().map(|c| z(i, c) * z(j, c)).sum::<f64>() / f64::from(times as u32);
                let other = mean(&|c| (c[j] as f64 - means[j]).powi(2));
                // Isserlis: of normal variables the product has the variance v_i v_j + c^2. Its sample mean is skew: a wide limit.
                let error = ((variance * other + expected.powi(2)) / f64::from(times as u32)).sqrt();
                assert!((found - expected).abs() < 7.0 * error, "{mechanism}: cells {i}, {j}: {found}, {expected}");
            }
        }
    }
}

/// The two ways to a collision's cells agree, with two parts, lost reports and liars: each cell of each week by a z-test with
/// Bonferroni's correction.
#[test]
fn seed_by_seed_and_one_by_one_agree() {
    let sets = |sets: [Vec<u32>; 3]| sets.map(Value::Set).to_vec();
    let mut population = population(sets([vec![], vec![1, 5], vec![0, 2, 3]]), &[0.2, 0.3, 0.5]);
    population.mix_in(sets([vec![4], vec![5], vec![0, 1, 2]]), &[0.5, 0.4, 0.1], |week| f64::from(week) / 3.0);
    population.arrival = vec![1.0, 0.5, 0.9, 1.0, 0.3, 0.7];
    population.liars = Some((0.05, Value::Set(vec![3])));
    let collision = Collision::new(size(6), bound(3), Epsilon::try_from(2.0).unwrap()).unwrap();
    let reports = [100_000, 0, 150_000];
    let one = by_count::hashed::one_by_one(&collision, &population, &reports, [8, 0, 0], 2);
    let other = by_count::hashed::by_seed(&collision, &population, &reports.map(|n| 20 * n), [9, 0, 0], 2);
    let mut farthest = 0.0_f64;
    for ((few, few_cells), (many, many_cells)) in one.into_iter().zip(other) {
        for (few, many) in few_cells.into_iter().chain([few]).zip(many_cells.into_iter().chain([many])) {
            let (few, expected) = (few as f64, many as f64 / 20.0);
            // A report counts at most once in a cell: the variance is at most the mean.
            farthest = farthest.max((few - expected).abs() / (expected * 1.05).max(1.0).sqrt());
        }
    }
    let limit = Normal::standard().inverse_cdf(1.0 - SIGNIFICANCE / 2.0 / 21.0);
    assert!(farthest < limit && farthest > 0.5, "{farthest}, at most {limit}");
}

fn toy() -> (tempfile::TempDir, Catalogue) {
    let buckets = "mechanism = \"randomised-response\"\n[domain]\nkind = \"symbol\"\nvalues = [\"a\", \"b\"]\nother = true\nnone = true\n";
    support::catalogue_of(&[
        ("hardware", "disk", buckets, 4.0),
        ("hardware", "fan", buckets, 1.0),
        ("hardware", "key", buckets, 2.0),
        ("hardware", "screen", buckets, 4.0),
    ])
}

/// Budget 8, prices 4, 1, 2 and 4: all orders enumerated, and both draws of three clients follow it jointly.
#[test]
fn both_panels_follow_all_orders() {
    let (_folder, catalogue) = toy();
    let today = date(2026, 6, 1);
    let prices: Vec<u32> = catalogue.definitions().iter().map(|d| d.epsilon.micros()).collect();
    let mut one = HashMap::<Vec<u64>, f64>::new();
    for order in 0..256_usize {
        let order = [order & 3, order >> 2 & 3, order >> 4 & 3, order >> 6];
        if (0..4).any(|metric| !order.contains(&metric)) {
            continue;
        }
        let (mut taken, mut left) = (vec![0; 4], 8_000_000);
        for metric in order {
            if prices[metric] <= left {
                left -= prices[metric];
                taken[metric] = 1;
            }
        }
        *one.entry(taken).or_default() += 1.0 / 24.0;
    }
    assert!(one.len() > 2);
    let law = reports(3, &one);
    let counted = |seed| panel::reporters(&catalogue, today, 3, &mut split::generator([seed, 0, 0, 0])).unwrap();
    assert_follows("by count", &law, (0..20_000).map(counted));
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let clients = (0..20_000).map(|_| {
        let mut taken = vec![0; 4];
        for _ in 0..3 {
            for definition in catalogue.draw(today, &mut rng) {
                taken[catalogue.definitions().iter().position(|other| other.id == definition.id).unwrap()] += 1;
            }
        }
        taken
    });
    assert_follows("by client", &law, clients.collect::<Vec<_>>().into_iter());
}

fn no_tick(_: u64) {}

fn write(folder: &std::path::Path, text: &str) -> std::path::PathBuf {
    let path = folder.join("scenario.toml");
    std::fs::write(&path, text).unwrap();
    path
}

/// Everything that a scenario can do, of which the cells of both ways are compared: each cell of each week's third, and the reports,
/// as two counts in the proportion of the clients, by a z-test with Bonferroni's correction.
const EVERYTHING: &str = r#"
[[drift]]
metric = "settings.desktop"
to = { KDE = 3, GNOME = 1 }
[[drift]]
metric = "usage.tools"
to = { a = 0.9, r = 0.3 }
[[seasonal]]
metric = "usage.tools"
value = "c"
amplitude = 0.5
period = 13
[[seasonal]]
metric = "problems.crashes"
value = "7"
amplitude = 0.6
period = 20
[[non-response]]
metric = "hardware.disk"
value = "flash"
share = 0.4
[[non-response]]
share = 0.1
[[poisoning]]
metric = "usage.tools"
value = "e"
share = 0.2
[[poisoning]]
metric = "settings.desktop"
value = "Sway"
share = 0.1
[[poisoning]]
metric = "problems.crashes"
share = 0.1
[[poisoning]]
metric = "hardware.disk"
value = "none"
share = 0.05
"#;

#[test]
fn both_ways_agree_whatever_happens() {
    let (folder, catalogue) = support::catalogue();
    let path = write(folder.path(), EVERYTHING);
    let simulation = Simulation::new(&catalogue, None, Some(&path), 5).unwrap();
    let (few, many) = (20_000, 1_000_000);
    let by_client = simulation.counts(Way::ByClient, few, 0, 2, &no_tick).unwrap();
    let by_count = simulation.counts(Way::ByCount, many, 0, 2, &no_tick).unwrap();
    let mut farthest = 0.0_f64;
    let mut tests = 0;
    for definition in catalogue.definitions() {
        let thirds = |dataset: &Dataset| {
            let mut sums = vec![vec![0_u64; definition.mechanism.cells() + 1]; 3];
            for week in dataset.weeks(&definition.id) {
                let sums = &mut sums[usize::from(week.week.since(simulation.epoch.week(0))) / 9];
                sums.iter_mut().zip(week.counts.iter().chain([&week.reports])).for_each(|(sum, count)| *sum += count);
            }
            sums.concat()
        };
        for (few_count, many_count) in thirds(&by_client).into_iter().zip(thirds(&by_count)) {
            let scale = few as f64 / many as f64;
            let expected = many_count as f64 * scale;
            // A client counts at most once in a cell: the variance is at most the mean.
            farthest = farthest.max((few_count as f64 - expected).abs() / (expected * (1.0 + scale)).sqrt());
            tests += 1;
        }
    }
    let limit = Normal::standard().inverse_cdf(1.0 - SIGNIFICANCE / 2.0 / f64::from(tests));
    assert!(farthest < limit && farthest > 1.0, "{farthest} of {tests}, at most {limit}");
}

#[test]
fn a_seed_gives_the_same_counts_whatever_the_threads() {
    let (_folder, catalogue) = support::catalogue();
    for way in [Way::ByClient, Way::ByCount] {
        let counts = |seed, round, threads| {
            let simulation = Simulation::new(&catalogue, None, None, seed).unwrap();
            let dataset = simulation.counts(way, 3_500, round, threads, &no_tick).unwrap();
            catalogue.definitions().iter().map(|d| dataset.weeks(&d.id).to_vec()).collect::<Vec<_>>()
        };
        let first = counts(1, 0, 1);
        assert_eq!(first, counts(1, 0, 3));
        assert_ne!(first, counts(2, 0, 1));
        assert_ne!(first, counts(1, 1, 1));
    }
}

/// 100 epochs of 10,000 clients: 95 % intervals hold the truth as often as they say, and the squared error is that of the closed
/// form, each within its Monte Carlo error at 1e-6.
#[test]
fn scores_are_what_theory_says() {
    let (_folder, catalogue) = support::catalogue();
    let simulation = Simulation::new(&catalogue, None, None, 6).unwrap();
    let scores = simulation.scores(Way::ByCount, 10_000, 100, 2, &no_tick, |_| ()).unwrap();
    assert_eq!(scores.len(), 4);
    for score in scores {
        let pairs = score.pairs as f64;
        assert!((pairs / 100.0).fract().abs() < 1e-9);
        // Values of one epoch are correlated: at worst as if each epoch were one pair.
        let error = (0.05_f64 * 0.95 / 100.0).sqrt();
        assert!((score.covered_95 as f64 / pairs - 0.95).abs() < 4.9 * error, "{score:?}");
        let spread = (2.0_f64 / 100.0).sqrt();
        assert!((score.mse / score.mse_theory - 1.0).abs() < 5.0 * spread, "{score:?}");
        assert!(score.bias_z < 5.5, "{score:?}");
        if let Some(least) = score.mse_minimax {
            // At shares that are not uniform the mean over the values is below that at the uniform ones.
            assert!(score.mse_theory > 0.5 * least && score.mse_theory < 2.0 * least, "{score:?}");
        }
    }
}

/// Poisoning moves the estimate by what the manipulation bound says, and a changed definition drops the weeks before.
#[test]
fn scenarios_do_what_they_say() {
    let (folder, catalogue) = support::catalogue();
    let scores = |text: &str| {
        let path = write(folder.path(), text);
        let simulation = Simulation::new(&catalogue, None, Some(&path), 7).unwrap();
        let mut weeks = Vec::new();
        let scores = simulation.scores(Way::ByCount, 1_000_000, 1, 2, &no_tick, |dataset| {
            weeks.push(dataset.weeks("settings.desktop").len());
        });
        (scores.unwrap(), weeks[0])
    };
    let (poisoned, _) = scores("[[poisoning]]\nmetric = \"settings.desktop\"\nvalue = \"MATE\"\nshare = 0.02\n");
    let desktop = poisoned.iter().find(|score| score.metric == "settings.desktop").unwrap();
    let pair = desktop.values.iter().find(|pair| pair.value == "MATE").unwrap();
    let definition = catalogue.get("settings.desktop").unwrap();
    let Debias::Shares(support) = definition.mechanism.debias() else { unreachable!() };
    let shift = 0.02 * (support.share(1.0) - pair.truth);
    assert!((pair.estimate - pair.truth - shift).abs() < 0.01, "{pair:?} {shift}");
    assert!(pair.lower > pair.truth);
    let (_, weeks) = scores("[[changed]]\nmetric = \"settings.desktop\"\nweek = 20\n");
    assert_eq!(weeks, 6);
    let (drifted, _) = scores(
        "[[drift]]\nmetric = \"settings.desktop\"\nto = { MATE = 1 }\n[[changed]]\nmetric = \"settings.desktop\"\nweek = 25\n",
    );
    let desktop = drifted.iter().find(|score| score.metric == "settings.desktop").unwrap();
    let pair = desktop.values.iter().find(|pair| pair.value == "MATE").unwrap();
    assert!((pair.truth - 1.0).abs() < 1e-12 && pair.estimate > 0.97, "{pair:?}");
}

#[test]
fn faulty_files_are_refused_by_line() {
    let (folder, catalogue) = support::catalogue();
    let said = |text: &str| {
        let path = write(folder.path(), text);
        Simulation::new(&catalogue, None, Some(&path), 1).err().map_or(String::new(), |error| error.to_string())
    };
    let truth = |text: &str| {
        let path = write(folder.path(), text);
        Simulation::new(&catalogue, Some(&path), None, 1).err().map_or(String::new(), |error| error.to_string())
    };
    let season = "[[seasonal]]\nmetric = \"usage.tools\"\nvalue = \"a\"\n";
    for (line, part, text) in [
        (1, "unknown field `drifts`", "[[drifts]]\n"),
        (3, "unknown field `speed`", "[[drift]]\nmetric = \"usage.tools\"\nspeed = 1\n"),
        (2, "no metric \"usage.tool\"", "[[drift]]\nmetric = \"usage.tool\"\nto = { a = 1 }\n"),
        (3, "no value \"zz\"", "[[drift]]\nmetric = \"usage.tools\"\nto = { zz = 1 }\n"),
        (3, "impossible share", "[[drift]]\nmetric = \"usage.tools\"\nto = { a = 1.5 }\n"),
        (2, "add up to nothing", "[[drift]]\nmetric = \"settings.desktop\"\nto = {}\n"),
        (4, "from 0 to 1", &format!("{season}amplitude = 2\nperiod = 3\n")),
        (5, "number of weeks", &format!("{season}amplitude = 0.2\nperiod = 0\n")),
        (2, "from 0 to 1", "[[non-response]]\nshare = -0.1\n"),
        (3, "without its metric", "[[non-response]]\nshare = 0.1\nvalue = \"a\"\n"),
        (2, "need one", "[[poisoning]]\nmetric = \"usage.tools\"\nshare = 0.1\n"),
        (2, "need no value", "[[poisoning]]\nmetric = \"problems.crashes\"\nvalue = \"3\"\nshare = 0.1\n"),
        (3, "week 1 to 25", "[[changed]]\nmetric = \"usage.tools\"\nweek = 26\n"),
    ] {
        let said = said(text);
        assert!(said.contains(&format!("scenario.toml:{line}: ")) && said.contains(part), "{text}: {said}");
    }
    assert!(truth("[assumed.\"usage.tool\"]\na = 1\n").contains(":1: the catalogue has no metric"));
    assert!(truth("[assumed.\"usage.tools\"]\na = 1\nzz = 1\n").contains(":3: usage.tools has no value"));
    assert!(truth("[assumed.\"usage.tools\"]\na = nan\n").contains(":2: "));
    assert_eq!(truth("computers = 3\n[published.\"settings.desktop\"]\ncounts = { KDE = 5 }\n"), "");
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The cells that a whole population's reports add up to, drawn without drawing a single report. The joint law of all cells of
//! all weeks is exactly that of as many clients.
//!
//! - Where cells count messages (randomised response, projective geometry, all mechanisms of counts) reports are independent
//!   draws of a message, so their cells are multinomial with the population's chances of each message.
//! - Subset selection: the holders of v are a multinomial split; of them a binomial number support v, and the other places of
//!   their masks are a uniform subset of the other values (see [`split::subsets`]).
//! - PrivSet: workstations of one kind split by how many items of their set the report has; those are a uniform subset of the set,
//!   the others of all else.
//! - Collision: given its seed, a report's bucket is an independent draw with the population's chances of each bucket under that seed.
//!   So for each of the 65,536 seeds the buckets are multinomial, and an item's cell is the sum over the seeds of its bucket.

use rand::rngs::ChaCha8Rng;
use stipple_ldp::{Debias, Mechanism, PrivSet, SubsetSelection, Value};

use super::population::Population;
use super::split::{binomial, even, multinomial, subsets};

pub(super) mod hashed;

/// Draws the cells of every week from so many reports each: liars', and those of the honest that arrive.
pub(super) fn week(
    mechanism: &Mechanism,
    population: &Population,
    week: u16,
    reports: u64,
    rng: &mut ChaCha8Rng,
) -> (u64, Vec<u64>) {
    let mut cells = vec![0; mechanism.cells()];
    let (liars, honest) = arrivals(population, week, reports, rng);
    if let Some((_, lie)) = &population.liars {
        lies(mechanism, lie, liars, rng, &mut cells);
    }
    let chances: Vec<f64> = weighted(&population.chances(week), &population.arrival);
    match mechanism {
        Mechanism::SubsetSelection(m) => {
            let shares = population.spread(&chances, mechanism.values());
            multinomial_into(honest, &shares, rng, |v, count, rng| selections(m, v, count, rng, &mut cells));
        }
        Mechanism::PrivSet(m) => {
            multinomial_into(honest, &chances, rng, |kind, count, rng| {
                if let Value::Set(set) = &population.kinds[kind] {
                    set_selections(m, (mechanism, set), count, rng, &mut cells);
                }
            });
        }
        _ => {
            let total: f64 = chances.iter().sum();
            let shares: Vec<f64> =
                population.spread(&chances, mechanism.values()).iter().map(|sum| sum / total).collect();
            outputs(mechanism, &shares, honest, rng, &mut cells);
        }
    }
    (liars + honest, cells)
}

/// Draws the cells of so many reports from senders who each hold one value, with these shares.
pub(crate) fn symbols(mechanism: &Mechanism, shares: &[f64], reports: u64, rng: &mut ChaCha8Rng) -> Vec<u64> {
    let mut cells = vec![0; mechanism.cells()];
    match mechanism {
        Mechanism::SubsetSelection(m) => {
            multinomial_into(reports, shares, rng, |v, count, rng| selections(m, v, count, rng, &mut cells));
        }
        _ => outputs(mechanism, shares, reports, rng, &mut cells),
    }
    cells
}

/// Cells that count messages: a multinomial draw.
fn outputs(mechanism: &Mechanism, shares: &[f64], reports: u64, rng: &mut ChaCha8Rng, cells: &mut [u64]) {
    let chances = mechanism.output_chances(shares).unwrap_or_default();
    multinomial(reports, &chances, rng, |cell, count| cells[cell] += count);
}

/// Splits a week's reports into those of liars and those of the honest that arrive.
fn arrivals(population: &Population, week: u16, reports: u64, rng: &mut ChaCha8Rng) -> (u64, u64) {
    let liars = population.liars.as_ref().map_or(0, |(share, _)| binomial(reports, *share, rng));
    let arriving: f64 = weighted(&population.chances(week), &population.arrival).iter().sum();
    let all_arrive = population.arrival.iter().all(|&chance| chance >= 1.0);
    let honest = if all_arrive { reports - liars } else { binomial(reports - liars, arriving, rng) };
    (liars, honest)
}

fn weighted(chances: &[f64], arrival: &[f64]) -> Vec<f64> {
    chances.iter().zip(arrival).map(|(chance, arrival)| chance * arrival).collect()
}

/// [`multinomial`] whose parts go on drawing from the same generator.
fn multinomial_into(n: u64, weights: &[f64], rng: &mut ChaCha8Rng, mut add: impl FnMut(usize, u64, &mut ChaCha8Rng)) {
    let mut parts = Vec::new();
    multinomial(n, weights, rng, |cell, count| parts.push((cell, count)));
    for (cell, count) in parts {
        add(cell, count, rng);
    }
}

/// The masks of so many holders of `value`.
fn selections(m: &SubsetSelection, value: usize, count: u64, rng: &mut ChaCha8Rng, cells: &mut [u64]) {
    let Debias::Shares(support) = Mechanism::SubsetSelection(m.clone()).debias() else { return };
    let supporting = binomial(count, support.p_true, rng);
    cells[value] += supporting;
    let size = m.subset_size() as usize;
    let mut levels = vec![0; size + 1];
    (levels[size - 1], levels[size]) = (supporting, count - supporting);
    let others = cells.len() - 1;
    subsets(levels, others, others, rng, |cell, held| cells[cell + usize::from(cell >= value)] += held);
}

/// The masks of so many workstations that have the set: `e = d + m` items, m of them the set's own or its fill's.
fn set_selections(
    m: &PrivSet,
    (mechanism, set): (&Mechanism, &[u32]),
    count: u64,
    rng: &mut ChaCha8Rng,
    cells: &mut [u64],
) {
    let (d, bound, size) = (cells.len(), m.bound() as usize, m.subset_size() as usize);
    let ratio = mechanism.weights().ratio();
    // With j of the own m and k - j of the other d items, A each for j >= 1, else B.
    let weights: Vec<f64> = (0..=bound.min(size))
        .map(|j| choose(bound, j) * choose(d, size - j) * if j > 0 { ratio } else { 1.0 })
        .collect();
    let (mut own, mut others) = (vec![0; bound.min(size) + 1], vec![0; size + 1]);
    multinomial(count, &weights, rng, |j, count| (own[j], others[size - j]) = (count, count));
    subsets(own, bound, set.len(), rng, |place, held| cells[set[place] as usize] += held);
    let rest: Vec<usize> = (0..d).filter(|&item| !set.iter().any(|&held| held as usize == item)).collect();
    subsets(others, d, rest.len(), rng, |place, held| cells[rest[place]] += held);
}

/// C(n, k) in floating point; 0 when k exceeds n.
fn choose(n: usize, k: usize) -> f64 {
    if k > n { 0.0 } else { (0..k).map(|i| (n - i) as f64 / (i + 1) as f64).product() }
}

/// The reports of so many liars who all support one value, and are otherwise what an honest report could be.
fn lies(mechanism: &Mechanism, lie: &Value, count: u64, rng: &mut ChaCha8Rng, cells: &mut [u64]) {
    let Some(v) = lied(lie) else { return };
    match mechanism {
        Mechanism::SubsetSelection(m) => {
            cells[v] += count;
            let (size, others) = (m.subset_size() as usize, cells.len() - 1);
            let mut levels = vec![0; size];
            levels[size - 1] = count;
            subsets(levels, others, others, rng, |cell, held| cells[cell + usize::from(cell >= v)] += held);
        }
        Mechanism::PrivSet(m) => {
            cells[v] += count;
            let (size, d) = (m.subset_size() as usize, cells.len());
            let mut levels = vec![0; size];
            levels[size - 1] = count;
            let of = d + m.bound() as usize - 1;
            subsets(levels, of, d - 1, rng, |cell, held| cells[cell + usize::from(cell >= v)] += held);
        }
        Mechanism::Collision(m) => hashed::lies(m, v, count, rng, cells),
        _ => {
            let supporting = supporting(mechanism, lie);
            let targets: Vec<usize> = (0..cells.len()).filter(|&cell| supporting[cell]).collect();
            let counts = even(count, targets.len(), rng);
            targets.into_iter().zip(counts).for_each(|(cell, count)| cells[cell] += count);
        }
    }
}

/// The value that a lie supports.
pub(super) fn lied(lie: &Value) -> Option<usize> {
    match lie {
        Value::Symbol(v) | Value::Count(v) => Some(*v as usize),
        Value::Set(items) => items.first().map(|&v| v as usize),
    }
}

/// The messages that serve a lie, for mechanisms whose cells count messages: those that support the value, or the one that
/// pushes a mean highest.
pub(super) fn supporting(mechanism: &Mechanism, lie: &Value) -> Vec<bool> {
    if let Debias::Mean { unbiased } = mechanism.debias() {
        let most = unbiased.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        return unbiased.iter().map(|&phi| phi >= most).collect();
    }
    let mut shares = vec![0.0; mechanism.values()];
    if let Some(v) = lied(lie) {
        shares[v] = 1.0;
    }
    let chances = mechanism.output_chances(&shares).unwrap_or_default();
    let (least, most) = chances.iter().fold((f64::INFINITY, 0.0_f64), |(least, most), &p| (least.min(p), most.max(p)));
    chances.iter().map(|&p| p > f64::midpoint(least, most)).collect()
}

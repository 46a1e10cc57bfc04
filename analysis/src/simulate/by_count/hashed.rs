// SPDX-License-Identifier: MIT OR Apache-2.0
//! Collision by count: seed after seed, in blocks of seeds that any thread may take. Reports that are few beside the 65,536 seeds
//! are sooner randomised one by one.

use rand::RngExt as _;
use rand::distr::Distribution as _;
use rand::rngs::ChaCha8Rng;
use rand_distr::weighted::WeightedAliasIndex;
use stipple_ldp::{Collision, Mechanism, TrueValue, Value};

use super::super::parallel::parallel;
use super::super::population::Population;
use super::super::split::{binomial, even, generator, multinomial};
use super::{arrivals, lied, weighted};

const SEEDS: usize = 1 << 16;
/// Seeds that are drawn with one generator.
const BLOCK: usize = 1 << 10;

/// Up to so many reports are randomised one by one.
const FEW: u64 = 1 << 20;

/// The reports that arrive and the cells, for every week.
pub(in super::super) fn weeks(
    collision: &Collision,
    population: &Population,
    reports: &[u64],
    parts: [u64; 3],
    threads: usize,
) -> Vec<(u64, Vec<u64>)> {
    let are_few = reports.iter().sum::<u64>() <= FEW;
    (if are_few { one_by_one } else { by_seed })(collision, population, reports, parts, threads)
}

/// Every report as a client draws it.
pub(in super::super) fn one_by_one(
    collision: &Collision,
    population: &Population,
    reports: &[u64],
    parts: [u64; 3],
    threads: usize,
) -> Vec<(u64, Vec<u64>)> {
    let mechanism = Mechanism::Collision(collision.clone());
    let values: Vec<TrueValue> = population.kinds.iter().cloned().map(TrueValue::new).collect();
    parallel(reports.len(), threads, |week| {
        let mut rng = generator([parts[0], parts[1], parts[2], week as u64]);
        let week = u16::try_from(week).unwrap_or(u16::MAX);
        let (liars, honest) = arrivals(population, week, reports[usize::from(week)], &mut rng);
        let mut cells = vec![0; mechanism.values()];
        if let Some(v) = population.liars.as_ref().and_then(|(_, lie)| lied(lie)) {
            lies(collision, v, liars, &mut rng, &mut cells);
        }
        // Of those that arrive.
        let kinds = table(&weighted(&population.chances(week), &population.arrival));
        for _ in 0..honest {
            let value = &values[kinds.as_ref().map_or(0, |kinds| kinds.sample(&mut rng))];
            // The kinds are sets of the domain, and their responses count.
            let response = mechanism.randomise(value, &mut rng);
            let counted = response.map(|response| mechanism.accumulate(&response, |cell| cells[cell] += 1));
            debug_assert!(matches!(counted, Ok(Ok(()))), "a kind that the mechanism does not take");
        }
        (liars + honest, cells)
    })
}

/// The buckets of all reports with each seed together.
pub(in super::super) fn by_seed(
    collision: &Collision,
    population: &Population,
    reports: &[u64],
    parts: [u64; 3],
    threads: usize,
) -> Vec<(u64, Vec<u64>)> {
    let items = Mechanism::Collision(collision.clone()).values();
    let mut rng = generator([parts[0], parts[1], parts[2], u64::MAX]);
    let mut found = Vec::new();
    let mut blocks = vec![Vec::new(); SEEDS / BLOCK];
    for (week, &reports) in (0..).zip(reports) {
        let (liars, honest) = arrivals(population, week, reports, &mut rng);
        let mut cells = vec![0; items];
        if let Some(v) = population.liars.as_ref().and_then(|(_, lie)| lied(lie)) {
            lies(collision, v, liars, &mut rng, &mut cells);
        }
        blocks.iter_mut().zip(even(honest, SEEDS / BLOCK, &mut rng)).for_each(|(block, count)| block.push(count));
        found.push((liars + honest, cells));
    }
    let sums = parallel(blocks.len(), threads, |block| {
        let mut rng = generator([parts[0], parts[1], parts[2], block as u64]);
        Block { collision, population, items, first: block * BLOCK }.cells(&blocks[block], &mut rng)
    });
    for sums in sums {
        for ((_, cells), sum) in found.iter_mut().zip(sums) {
            cells.iter_mut().zip(sum).for_each(|(cell, count)| *cell += count);
        }
    }
    found
}

struct Block<'a> {
    collision: &'a Collision,
    population: &'a Population,
    items: usize,
    first: usize,
}

impl Block<'_> {
    /// The cells of every week from the reports of each with one of this block's seeds.
    fn cells(&self, reports: &[u64], rng: &mut ChaCha8Rng) -> Vec<Vec<u64>> {
        let by_seed: Vec<Vec<u64>> = reports.iter().map(|&count| even(count, BLOCK, rng)).collect();
        let mut cells = vec![vec![0; self.items]; reports.len()];
        let mut hits = vec![0_u64; self.collision.buckets() as usize];
        for place in 0..BLOCK {
            if by_seed.iter().all(|counts| counts[place] == 0) {
                continue;
            }
            let seed = u16::try_from(self.first + place).unwrap_or(u16::MAX);
            let buckets: Vec<u16> = (0..).take(self.items).map(|item| self.collision.bucket(seed, item)).collect();
            let parts = self.part_chances(&buckets);
            let mut law = Law::default();
            for (week, counts) in by_seed.iter().enumerate() {
                if week == 0 || !self.population.alike(week - 1, week) {
                    law = Law::of(mixed(&parts, &self.population.mix[week]));
                }
                if counts[place] == 0 {
                    continue;
                }
                law.draw(counts[place], rng, &mut hits);
                let cells = cells[week].iter_mut().zip(&buckets);
                cells.for_each(|(cell, &bucket)| *cell += hits[usize::from(bucket)]);
            }
        }
        cells
    }

    /// For each part of the population, the weight of every bucket under a seed: the mean over the kinds that arrive of A/Omega for a
    /// bucket that the set occupies, else `(Omega - cA) / (Omega (l - c))` with c occupied.
    fn part_chances(&self, buckets: &[u16]) -> Vec<Vec<f64>> {
        let l = f64::from(self.collision.buckets());
        let ratio = Mechanism::Collision(self.collision.clone()).weights().ratio();
        let bound = f64::from(self.collision.bound());
        let omega = bound * ratio + l - bound;
        let free = |occupied: f64| (omega - occupied * ratio) / (omega * (l - occupied));
        let parts = self.population.parts.len();
        let mut chances = vec![vec![0.0; self.collision.buckets() as usize]; parts];
        let mut common = vec![0.0; parts];
        let mut last = vec![u32::MAX; self.collision.buckets() as usize];
        let mut occupied: Vec<u16> = Vec::new();
        for (number, kind) in (0..).zip(&self.population.kinds) {
            let Value::Set(items) = kind else { continue };
            occupied.clear();
            for &item in items {
                let bucket = buckets[item as usize];
                if last[usize::from(bucket)] != number {
                    last[usize::from(bucket)] = number;
                    occupied.push(bucket);
                }
            }
            let free = free(occupied.len() as f64);
            let arrival = self.population.arrival[number as usize];
            for (part, (chances, common)) in chances.iter_mut().zip(&mut common).enumerate() {
                let weight = self.population.parts[part][number as usize] * arrival;
                if weight > 0.0 {
                    *common += weight * free;
                    for &bucket in &occupied {
                        chances[usize::from(bucket)] += weight * (ratio / omega - free);
                    }
                }
            }
        }
        for (chances, common) in chances.iter_mut().zip(common) {
            for chance in chances {
                *chance += common;
            }
        }
        chances
    }
}

fn mixed(parts: &[Vec<f64>], mix: &[f64]) -> Vec<f64> {
    let mut chances = vec![0.0; parts[0].len()];
    for (part, share) in parts.iter().zip(mix) {
        chances.iter_mut().zip(part).for_each(|(sum, chance)| *sum += share * chance);
    }
    chances
}

/// The buckets' chances; few reports are drawn one by one from a table, many are split.
#[derive(Default)]
struct Law {
    chances: Vec<f64>,
    table: Option<WeightedAliasIndex<f64>>,
}

impl Law {
    fn of(chances: Vec<f64>) -> Self {
        Self { chances, table: None }
    }

    fn draw(&mut self, reports: u64, rng: &mut ChaCha8Rng, hits: &mut [u64]) {
        hits.fill(0);
        // A binomial costs some ten draws from the table.
        if reports < 8 * self.chances.len() as u64 {
            self.table = self.table.take().or_else(|| table(&self.chances));
            if let Some(table) = &self.table {
                (0..reports).for_each(|_| hits[table.sample(rng)] += 1);
            }
        } else {
            multinomial(reports, &self.chances, rng, |bucket, count| hits[bucket] += count);
        }
    }
}

/// A table to draw places in proportion to their weights; none where all weights are 0, from which nothing is drawn.
pub(in super::super) fn table(weights: &[f64]) -> Option<WeightedAliasIndex<f64>> {
    WeightedAliasIndex::new(weights.to_vec()).ok()
}

/// The reports of liars: a uniform seed, and the value's own bucket.
pub(super) fn lies(collision: &Collision, value: usize, count: u64, rng: &mut ChaCha8Rng, cells: &mut [u64]) {
    let mut add = |seed: u16, count: u64| {
        let bucket = collision.bucket(seed, u32::try_from(value).unwrap_or(u32::MAX));
        let supported = (0..).zip(cells.iter_mut()).filter(|&(item, _)| collision.bucket(seed, item) == bucket);
        supported.for_each(|(_, cell)| *cell += count);
    };
    if count < SEEDS as u64 {
        (0..count).for_each(|_| add(rng.random(), 1));
        return;
    }
    let mut left = count;
    for seed in 0..=u16::MAX {
        let own = if seed == u16::MAX { left } else { binomial(left, 1.0 / (SEEDS - usize::from(seed)) as f64, rng) };
        left -= own;
        add(seed, own);
    }
}

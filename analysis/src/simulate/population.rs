// SPDX-License-Identifier: MIT OR Apache-2.0
//! What is true of one metric: the kinds of workstations there are, and how many of each in every week.

use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use stipple_catalog::{Definition, Domain, Epoch};
use stipple_ldp::Value;

use super::split;

/// So many kinds of workstations make up a population whose metric is a set: shares are multiples of a thousandth.
const KINDS: usize = 1_000;

/// The true values of one metric over an epoch, and what becomes of their reports.
///
/// In every week the population is a mixture of a few fixed ones; a workstation's value is an independent draw from it.
#[derive(Clone)]
pub(super) struct Population {
    /// the values that there are
    pub kinds: Vec<Value>,
    /// the chances of the kinds in each of the fixed populations
    pub parts: Vec<Vec<f64>>,
    /// for every week, how much of each part; they add up to 1
    pub mix: Vec<Vec<f64>>,
    /// for every kind, the chance that its report arrives
    pub arrival: Vec<f64>,
    /// the share of liars among the reports, and what they support
    pub liars: Option<(f64, Value)>,
    /// the first week that counts: reports before it were made under another definition
    pub from: u16,
}

impl Population {
    /// A population that stays as it is, every report of which arrives. `shares` has one share for each label: chances for symbols
    /// and counts, for sets the share of workstations that hold each item.
    pub fn steady(definition: &Definition, shares: &[f64], seed: u64) -> Self {
        let (kinds, part) = kinds(definition, shares, seed);
        let arrival = vec![1.0; kinds.len()];
        let mix = vec![vec![1.0]; Epoch::WEEKS.into()];
        Self { kinds, parts: vec![part], mix, arrival, liars: None, from: 0 }
    }

    /// Adds a part that takes a share of every week, `takes(week)`, from all that are there.
    pub fn mix_in(&mut self, kinds: Vec<Value>, chances: &[f64], takes: impl Fn(u16) -> f64) {
        let before = self.kinds.len();
        self.parts.iter_mut().for_each(|part| part.resize(before + kinds.len(), 0.0));
        self.parts.push(std::iter::repeat_n(0.0, before).chain(chances.iter().copied()).collect());
        self.arrival.resize(before + kinds.len(), 1.0);
        self.kinds.extend(kinds);
        for (week, mix) in (0..).zip(&mut self.mix) {
            let share = takes(week);
            for part in mix.iter_mut() {
                *part *= 1.0 - share;
            }
            mix.push(share);
        }
    }

    /// The chances of the kinds in a week.
    pub fn chances(&self, week: u16) -> Vec<f64> {
        let mut chances = vec![0.0; self.kinds.len()];
        for (share, part) in self.mix[usize::from(week)].iter().zip(&self.parts) {
            chances.iter_mut().zip(part).for_each(|(sum, chance)| *sum += share * chance);
        }
        chances
    }

    /// Whether two weeks are alike.
    pub fn alike(&self, one: usize, other: usize) -> bool {
        self.mix[one] == self.mix[other]
    }

    /// The chances of the kinds over all weeks that count.
    fn pooled(&self) -> Vec<f64> {
        let mut chances = vec![0.0; self.kinds.len()];
        for week in self.from..Epoch::WEEKS {
            chances.iter_mut().zip(self.chances(week)).for_each(|(sum, chance)| *sum += chance);
        }
        let weeks = f64::from(Epoch::WEEKS - self.from);
        chances.iter().map(|sum| sum / weeks).collect()
    }

    /// The share of workstations that hold each of so many values, over the weeks that count.
    pub fn shares(&self, values: usize) -> Vec<f64> {
        self.spread(&self.pooled(), values)
    }

    /// The same from chances of the kinds.
    pub fn spread(&self, chances: &[f64], values: usize) -> Vec<f64> {
        let mut shares = vec![0.0; values];
        for (kind, chance) in self.kinds.iter().zip(chances) {
            each(kind, |value| shares[value as usize] += chance);
        }
        shares
    }
}

/// Calls `f` with every value that a true value holds.
pub(super) fn each(value: &Value, mut f: impl FnMut(u32)) {
    match value {
        Value::Symbol(v) | Value::Count(v) => f(*v),
        Value::Set(items) => items.iter().copied().for_each(f),
    }
}

/// Whether a true value holds a value.
pub(super) fn holds(value: &Value, item: u32) -> bool {
    let mut found = false;
    each(value, |v| found |= v == item);
    found
}

/// The kinds of workstations and their chances, from the shares of the labels.
pub(super) fn kinds(definition: &Definition, shares: &[f64], seed: u64) -> (Vec<Value>, Vec<f64>) {
    let total: f64 = shares.iter().sum();
    let chances = || shares.iter().map(|share| share / total).collect();
    match definition.domain {
        Domain::Symbol(_) | Domain::Buckets(_) => ((0..).map(Value::Symbol).take(shares.len()).collect(), chances()),
        Domain::Count { .. } => ((0..).map(Value::Count).take(shares.len()).collect(), chances()),
        Domain::Set { most, .. } => (sets(shares, most.get() as usize, seed), vec![1.0 / KINDS as f64; KINDS]),
    }
}

/// A thousand sets in which the items have these shares, rounded to thousandths, and are as good as independent. As on a
/// workstation, a set of more than `most` items keeps a random `most` of them.
fn sets(shares: &[f64], most: usize, seed: u64) -> Vec<Value> {
    let mut rng = split::generator([seed, u64::from_le_bytes(*b"kinds of"), 0, 0]);
    let mut sets = vec![Vec::new(); KINDS];
    let mut order: Vec<usize> = (0..KINDS).collect();
    for (item, share) in (0..).zip(shares) {
        order.shuffle(&mut rng);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to KINDS, by the clamp")]
        let holders = (share.clamp(0.0, 1.0) * KINDS as f64).round() as usize;
        order[..holders].iter().for_each(|&kind| sets[kind].push(item));
    }
    for set in &mut sets {
        while set.len() > most {
            set.swap_remove(rng.random_range(0..set.len()));
        }
        set.sort_unstable();
    }
    sets.into_iter().map(Value::Set).collect()
}

/// Every kind as it is when a workstation also holds, or in place of its own value holds, another. A full set gives up its
/// last item.
pub(super) fn also(kind: &Value, value: u32, most: usize) -> Value {
    match kind {
        Value::Symbol(_) => Value::Symbol(value),
        Value::Count(_) => Value::Count(value),
        Value::Set(items) if items.contains(&value) => kind.clone(),
        Value::Set(items) => {
            let mut items: Vec<u32> = items.iter().copied().take(most - 1).chain([value]).collect();
            items.sort_unstable();
            Value::Set(items)
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Who reports what, counted: see [`Catalogue::draw`].

use std::collections::BTreeMap;

use jiff::civil::Date;
use rand::rngs::ChaCha8Rng;
use stipple_catalog::Catalogue;

use super::split;

/// More kinds of draws than this are not told apart: the catalogue has too many different prices.
const MOST_KINDS: usize = 1 << 18;

/// How many of so many clients report each metric, with the joint law of [`Catalogue::draw`]; `None` where the epsilons are too many.
///
/// Metrics of one price are exchangeable. A client's draw is followed by how many of each price it has taken: the next that it
/// takes is of a price that still fits, with a chance in proportion to how many of those are left, since none of them has
/// been passed over. At the end the taken ones of each price are a uniform subset.
pub(super) fn reporters(catalogue: &Catalogue, today: Date, clients: u64, rng: &mut ChaCha8Rng) -> Option<Vec<u64>> {
    let mut prices = BTreeMap::<u64, Vec<usize>>::new();
    for (metric, definition) in catalogue.definitions().iter().enumerate() {
        if definition.is_active(today) {
            prices.entry(definition.epsilon.micros().into()).or_default().push(metric);
        }
    }
    let prices: Vec<(u64, Vec<usize>)> = prices.into_iter().collect();
    let mut levels: Vec<Vec<u64>> = prices.iter().map(|(_, metrics)| vec![0; metrics.len() + 1]).collect();
    let mut under_way = BTreeMap::from([(vec![0_usize; prices.len()], clients)]);
    while !under_way.is_empty() {
        if under_way.len() > MOST_KINDS {
            return None;
        }
        let mut further = BTreeMap::<Vec<usize>, u64>::new();
        for (taken, count) in under_way {
            let spent: u64 = taken.iter().zip(&prices).map(|(&k, (price, _))| k as u64 * price).sum();
            let left = u64::from(catalogue.epsilon_epoch.micros()) - spent;
            let choices = taken.iter().zip(&prices);
            let weights: Vec<f64> = choices
                .map(|(&k, (price, metrics))| if *price <= left { (metrics.len() - k) as f64 } else { 0.0 })
                .collect();
            if weights.iter().all(|&weight| weight <= 0.0) {
                taken.iter().zip(&mut levels).for_each(|(&k, levels)| levels[k] += count);
                continue;
            }
            split::multinomial(count, &weights, rng, |price, count| {
                let mut taken = taken.clone();
                taken[price] += 1;
                *further.entry(taken).or_default() += count;
            });
        }
        under_way = further;
    }
    let mut reporters = vec![0; catalogue.definitions().len()];
    for ((_, metrics), levels) in prices.iter().zip(levels) {
        split::subsets(levels, metrics.len(), metrics.len(), rng, |place, count| reporters[metrics[place]] += count);
    }
    Some(reporters)
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many of n reports fall where: the splits that a count simulation is made of.
//!
//! Every split is by conditional binomials: of the reports that are left, each falls in the next cell with the chance that
//! the cell has among those that are left. The joint law is that of n separate draws, and the work does not grow with n.

use rand::SeedableRng as _;
use rand::rngs::{ChaCha8Rng, ChaCha20Rng};
use rand_distr::{Binomial, Distribution as _};

/// A generator for one part of a simulation, the same for the same numbers, whoever runs it and when. Eight rounds are plenty
/// for numbers that no mechanism's coin depends on.
pub(super) fn generator(parts: [u64; 4]) -> ChaCha8Rng {
    ChaCha8Rng::from_seed(key(parts))
}

/// The same for a simulated client, with the generator that a real one uses.
pub(super) fn client_generator(parts: [u64; 4]) -> ChaCha20Rng {
    ChaCha20Rng::from_seed(key(parts))
}

fn key(parts: [u64; 4]) -> [u8; 32] {
    let mut key = [0; 32];
    for (bytes, part) in key.chunks_mut(8).zip(parts) {
        bytes.copy_from_slice(&part.to_le_bytes());
    }
    key
}

/// How many of n succeed, each with chance p. Rounding may have carried p a little outside of \[0, 1\].
pub(super) fn binomial(n: u64, p: f64, rng: &mut ChaCha8Rng) -> u64 {
    if n == 0 || p <= 0.0 {
        return 0;
    }
    Binomial::new(n, p.min(1.0)).map_or(0, |law| law.sample(rng))
}

/// Splits n over cells in proportion to their weights, and tells `add` the cell and its count where that is not 0.
pub(super) fn multinomial(n: u64, weights: &[f64], rng: &mut ChaCha8Rng, mut add: impl FnMut(usize, u64)) {
    // Sums from the end, so that the last cells' chances carry no cancellation.
    let mut tails = weights.to_vec();
    for cell in (0..tails.len().saturating_sub(1)).rev() {
        tails[cell] += tails[cell + 1];
    }
    let mut left = n;
    for (cell, (&weight, &tail)) in weights.iter().zip(&tails).enumerate() {
        if left == 0 {
            break;
        }
        // The last cell that has any weight takes all that is left.
        let last = tails.get(cell + 1).is_none_or(|&rest| rest <= 0.0);
        let count = if last { left } else { binomial(left, weight / tail, rng) };
        left -= count;
        if count > 0 {
            add(cell, count);
        }
    }
}

/// Splits n evenly over so many cells.
pub(super) fn even(n: u64, cells: usize, rng: &mut ChaCha8Rng) -> Vec<u64> {
    let mut left = n;
    (0..cells)
        .rev()
        .map(|after| {
            let count = if after == 0 { left } else { binomial(left, 1.0 / (after + 1) as f64, rng) };
            left -= count;
            count
        })
        .collect()
}

/// Uniform subsets of `of` cells: `levels[j]` reports hold j of them each. Tells `add` how many reports hold each of the
/// first `cells` cells. A report with j places left among r cells holds the next with chance j/r.
pub(super) fn subsets(
    mut levels: Vec<u64>,
    of: usize,
    cells: usize,
    rng: &mut ChaCha8Rng,
    mut add: impl FnMut(usize, u64),
) {
    for cell in 0..cells {
        let left = (of - cell) as f64;
        let mut sum = 0;
        for j in 1..levels.len() {
            let holders = binomial(levels[j], j as f64 / left, rng);
            levels[j] -= holders;
            levels[j - 1] += holders; // whose turn at this cell is over
            sum += holders;
        }
        if sum > 0 {
            add(cell, sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_and_nothing_falls_where_it_cannot() {
        let mut rng = generator([1, 2, 3, 4]);
        for n in [0, 1, 17, 1_000_000_000] {
            let mut counts = [0; 5];
            multinomial(n, &[0.0, 3.0, 0.0, 1e-9, 0.0], &mut rng, |cell, count| counts[cell] += count);
            assert_eq!((counts.iter().sum::<u64>(), counts[0] + counts[2] + counts[4]), (n, 0));
            assert_eq!(even(n, 7, &mut rng).iter().sum::<u64>(), n);
            let mut held = [0; 6];
            subsets(vec![0, 0, 0, n], 6, 6, &mut rng, |cell, count| held[cell] += count);
            assert_eq!((held.iter().sum::<u64>(), held.iter().all(|&count| count <= n)), (3 * n, true));
        }
        assert_eq!((binomial(5, 1.0 + 1e-12, &mut rng), binomial(5, -1e-18, &mut rng)), (5, 0));
    }
}

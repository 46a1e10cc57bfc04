// SPDX-License-Identifier: MIT OR Apache-2.0
//! What would the checks see? Defects that were published, and faults planted in our own mechanisms, each in miniature
//! beside a correct twin. A check is worth something if it catches the one and passes the other.

mod clients;
mod planted;
mod servers;
mod shipped;

pub(crate) use shipped::shipped;

use rand::rngs::ChaCha20Rng;
use rand::{RngExt, SeedableRng};

use crate::audit::Audit;
use crate::*;

/// The significance of every check here: a correct twin fails it with a chance of at most this.
const SIGNIFICANCE: f64 = 1e-6;

/// The audited lower bound on epsilon of a miniature, from 20,000 messages of each input.
fn audited<V, K: Eq + std::hash::Hash>(
    seed: u64,
    inputs: [&V; 2],
    miniature: impl Fn(&V, &mut ChaCha20Rng) -> K,
) -> f64 {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    Audit::new(20_000, 1.0 - SIGNIFICANCE).unwrap().learned(|input| miniature(input, &mut rng), inputs).lower
}

/// How often each of `cells` messages came in 20,000.
fn counted(seed: u64, cells: usize, mut miniature: impl FnMut(&mut ChaCha20Rng) -> usize) -> Vec<u64> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut counts = vec![0; cells];
    (0..20_000).for_each(|_| counts[miniature(&mut rng)] += 1);
    counts
}

/// A floating-point coin, as the published tools toss it.
fn coin(rng: &mut ChaCha20Rng, heads: f64) -> bool {
    rng.random::<f64>() < heads
}

/// Randomised response over 0..d that names the true value with odds `odds` against each other one.
fn respond(rng: &mut ChaCha20Rng, value: usize, d: usize, odds: f64) -> usize {
    let other = rng.random_range(0..d - 1);
    if coin(rng, odds / (odds + (d - 1) as f64)) { value } else { other + usize::from(other >= value) }
}

fn size(d: u64) -> DomainSize {
    DomainSize::try_from(d).unwrap()
}

fn epsilon(e: f64) -> Epsilon {
    Epsilon::try_from(e).unwrap()
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The bounds of shuffling against the exact delta of few reports, found by enumerating every histogram.

use std::collections::BTreeMap;

use rand::rngs::ChaCha20Rng;
use rand::{RngExt, SeedableRng};

use super::blanket::Blanket;
use super::shuffle::{Randomiser, Route, central_epsilon, quick_epsilon, smallest};
use crate::collision::Collision;
use crate::*;

type Rows = Vec<Vec<f64>>;

const FACTORS: [f64; 4] = [1.05, 1.2, 1.5, 2.0];

fn weights(a: u64, b: u64) -> Weights {
    Weights::new(a, b).unwrap()
}

/// The channel's rows for a design whose blocks are given.
fn two_weight(messages: usize, blocks: &[&[usize]], a: f64) -> Rows {
    let row = |block: &&[usize]| {
        let total = block.len() as f64 * a + (messages - block.len()) as f64;
        (0..messages).map(|m| if block.contains(&m) { a / total } else { 1.0 / total }).collect()
    };
    blocks.iter().map(row).collect()
}

/// The law of the histogram of one report from each row.
fn histograms(senders: &[&Vec<f64>]) -> BTreeMap<Vec<u8>, f64> {
    let mut law = BTreeMap::from([(vec![0_u8; senders[0].len()], 1.0)]);
    for row in senders {
        let mut next = BTreeMap::new();
        for (histogram, p) in &law {
            for (message, q) in row.iter().enumerate() {
                let mut seen = histogram.clone();
                seen[message] += 1;
                *next.entry(seen).or_insert(0.0) += p * q;
            }
        }
        law = next;
    }
    law
}

/// The hockey-stick divergence of order e between the shuffled reports of `own` and of `other` among the same other
/// senders.
fn divergence(own: &Vec<f64>, other: &Vec<f64>, among: &[&Vec<f64>], e: f64) -> f64 {
    let law = |row| histograms(&[&[row], among].concat());
    let against = law(other);
    law(own).iter().map(|(histogram, p)| (p - e * against[histogram]).max(0.0)).sum()
}

/// The exact delta of n reports at e, the worst of all values of the others.
fn exact(rows: &Rows, x: usize, y: usize, n: usize, e: f64) -> f64 {
    let mut worst: f64 = 0.0;
    let mut among = vec![0; n - 1];
    loop {
        let others: Vec<&Vec<f64>> = among.iter().map(|&value| &rows[value]).collect();
        worst = worst.max(divergence(&rows[x], &rows[y], &others, e));
        // The next multiset of values, in decreasing order.
        let Some(place) = among.iter().rposition(|&value| value + 1 < rows.len()) else { return worst };
        let next = among[place] + 1;
        among[place..].fill(next);
    }
}

fn variation(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(p, q)| (p - q).max(0.0)).sum()
}

#[test]
fn every_bound_is_above_the_exact_delta_and_the_blanket_close_to_it() {
    for (a, b) in [(3, 1), (3, 2), (9, 1)] {
        let ratio = weights(a, b).ratio();
        // The blocks, the design, and how far above the exact delta its blanket may lie.
        let designs: [(usize, &[&[usize]], BlockDesign, f64); 3] = [
            (2, &[&[0], &[1]], BlockDesign::new(2, 1, 0, weights(a, b)), 1.25),
            (3, &[&[0], &[1], &[2]], BlockDesign::new(3, 1, 0, weights(a, b)), 1.25),
            (3, &[&[0, 1], &[1, 2], &[2, 0]], BlockDesign::new(3, 2, 1, weights(a, b)), f64::INFINITY),
        ];
        for (messages, blocks, design, slack) in designs {
            let rows = two_weight(messages, blocks, ratio);
            for n in 1..=5 {
                for e in FACTORS.into_iter().filter(|&e| e < ratio) {
                    let truth = exact(&rows, 0, 1, n, e);
                    let at = |blanket: Blanket| blanket.delta(e.ln(), n as u64).unwrap();
                    let blanket = at(Blanket::of_design(&design));
                    let varied = at(Blanket::of_variation(weights(a, b), variation(&rows[0], &rows[1])));
                    let any = at(Blanket::of_any(weights(a, b)));
                    let case = format!("{messages} messages, a={ratio} n={n} e={e}: {truth} {blanket} {varied} {any}");
                    assert!(
                        truth <= blanket && blanket <= varied * (1.0 + 1e-3) && varied <= any * (1.0 + 1e-3),
                        "{case}"
                    );
                    assert!(blanket <= truth * slack, "{case}");
                }
            }
        }
    }
}

/// The reduction of Wang et al. (PVLDB 2024) as published: the two kinds of clones are counted, all other messages
/// ignored. It is not an upper bound: for 3-ary response its delta is below the exact one.
#[test]
fn the_published_variation_ratio_falls_below_the_truth_and_ours_does_not() {
    let (a, e, n) = (3.0, 2.0, 3);
    let rows = two_weight(3, &[&[0], &[1], &[2]], a);
    let beta = variation(&rows[0], &rows[1]);
    let alpha = beta / (a - 1.0);
    // Message 0 is a clone of the one value, 1 of the other, 2 anything else; the others' values do not matter.
    let clone = vec![alpha, alpha, 1.0 - 2.0 * alpha];
    let own = vec![a * alpha, alpha, 1.0 - (a + 1.0) * alpha];
    let other = vec![alpha, a * alpha, 1.0 - (a + 1.0) * alpha];
    // The published pair forgets the number of others, which the total n gives away: the same histograms.
    let published = divergence(&own, &other, &[&clone, &clone], e);
    let truth = exact(&rows, 0, 1, n, e);
    assert!((published - 0.072).abs() < 1e-12 && (truth - 0.08).abs() < 1e-12, "{published} {truth}");
    assert!(Blanket::of_variation(weights(3, 1), beta).delta(e.ln(), 3).unwrap() >= truth);
}

/// The theorem of the module's documentation, on channels without any structure. Seed 20261125 was chosen beforehand.
#[test]
fn no_mechanism_is_worse_than_binary_response() {
    let mut rng = ChaCha20Rng::seed_from_u64(20_261_125);
    for trial in 0..60 {
        let rows: Rows = (0..3)
            .map(|_| {
                // Half of the channels are two-valued, the extreme points among all.
                let raw: Vec<f64> = (0..4).map(|_| rng.random_range(1..=4).into()).collect();
                let raw: Vec<f64> = raw.iter().map(|&w: &f64| if trial % 2 == 0 { w } else { w.min(2.0) }).collect();
                let total: f64 = raw.iter().sum();
                raw.iter().map(|w| w / total).collect()
            })
            .collect();
        let columns = (0..4).map(|m| {
            rows.iter().map(|row| row[m]).fold((f64::INFINITY, 0.0), |(l, g): (f64, f64), p| (l.min(p), g.max(p)))
        });
        let ratio = columns.map(|(least, greatest)| greatest / least).fold(1.0, f64::max);
        if ratio < 1.01 {
            continue;
        }
        let loss = weights((ratio * f64::from(1 << 30)).ceil() as u64, 1 << 30);
        for n in 1..=3 {
            for e in FACTORS {
                let truth = exact(&rows, 0, 1, n, e);
                let varied =
                    Blanket::of_variation(loss, variation(&rows[0], &rows[1])).delta(e.ln(), n as u64).unwrap();
                let any = Blanket::of_any(loss).delta(e.ln(), n as u64).unwrap();
                assert!(
                    truth <= varied + 1e-15 && varied <= any * (1.0 + 1e-3) + 1e-15,
                    "{rows:?} n={n} e={e}: {truth} {varied} {any}"
                );
            }
        }
    }
}

/// Truncated geometric noise: the variation bound against the exact delta of every pair of counts.
#[test]
fn the_bound_of_noised_counts_covers_every_pair() {
    let noise = TruncatedGeometric::new(Bound::try_from(2).unwrap(), Epsilon::try_from(1.5).unwrap()).unwrap();
    let total = noise.total() as f64;
    let rows: Rows = (0..3).map(|x| (0..3).map(|y| noise.weight(x, y) as f64 / total).collect()).collect();
    let mechanism = Mechanism::TruncatedGeometric(noise.clone());
    let Randomiser { weights, variation, .. } = Randomiser::from(&mechanism);
    let bound = Blanket::of_variation(weights, variation.unwrap());
    for (x, y) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
        for e in FACTORS {
            let truth = exact(&rows, x, y, 4, e);
            assert!(truth <= bound.delta(e.ln(), 4).unwrap(), "{x} {y} {e}");
        }
    }
}

/// Collision under one seed, every pair of sets of every size, the others with any sets: below the bound of disjoint
/// sets.
#[test]
fn the_bound_of_collision_covers_every_pair_of_sets() {
    let collision = Collision::for_enumeration(4, 2, 5, weights(3, 1));
    let bound = Blanket::of_design(&collision.disjoint_sets());
    let sets: [&[u32]; 11] = [&[], &[0], &[1], &[2], &[3], &[0, 1], &[0, 2], &[0, 3], &[1, 2], &[1, 3], &[2, 3]];
    let row = |seed: u16, set: &[u32]| -> Vec<f64> {
        let occupied = collision.occupied(seed, set);
        let mut row = vec![0.0; 5];
        let total = collision.row_total(occupied.len());
        (0..total).for_each(|u| row[usize::from(collision.encode(&occupied, u))] += 1.0 / total as f64);
        row
    };
    for seed in 0..3 {
        let rows: Rows = sets.iter().map(|set| row(seed, set)).collect();
        for (x, y) in (0..11).flat_map(|x| (0..11).map(move |y| (x, y))).filter(|(x, y)| x != y) {
            let truth = exact(&rows, x, y, 2, 1.3);
            assert!(truth <= bound.delta(f64::ln(1.3), 2).unwrap() + 1e-15, "seed {seed}: {x} {y}: {truth}");
        }
    }
}

#[test]
fn central_epsilon_lists_every_route_and_the_smallest() {
    let size = |d: u64| DomainSize::try_from(d).unwrap();
    let e = Epsilon::try_from(1.0).unwrap();
    let mechanisms = [
        Mechanism::RandomisedResponse(RandomisedResponse::new(size(2), e.weights())),
        Mechanism::SubsetSelection(SubsetSelection::new(size(10), e.weights()).unwrap()),
        Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(size(100), e.weights()).unwrap()),
        Mechanism::Collision(Collision::new(size(300), Bound::try_from(5).unwrap(), e).unwrap()),
        Mechanism::TruncatedGeometric(TruncatedGeometric::new(Bound::try_from(5).unwrap(), e).unwrap()),
        Mechanism::PrivSet(
            crate::PrivSet::new(DomainSize::try_from(20).unwrap(), Bound::try_from(3).unwrap(), e.weights()).unwrap(),
        ),
        Mechanism::HybridMean(crate::HybridMean::new(Bound::try_from(5).unwrap(), e)),
    ];
    for mechanism in &mechanisms {
        let bounds = central_epsilon(mechanism, 10_000, 1e-8).unwrap();
        let epsilon = |route| bounds.iter().find(|b| b.route == route).unwrap().epsilon;
        assert!((epsilon(Route::Local).unwrap() - 1.0).abs() < 1e-6);
        // At equal loss only the mechanism's own bounds differ, and they are the better ones.
        assert!((epsilon(Route::AnyMechanism).unwrap() - 0.0565).abs() < 1e-4);
        let best = smallest(&bounds).unwrap();
        let own = epsilon(Route::Blanket).or(epsilon(Route::Variation)).unwrap();
        assert!(
            best.epsilon.unwrap() <= own && own <= epsilon(Route::AnyMechanism).unwrap() * (1.0 + 1e-3),
            "{bounds:?}"
        );
        // A coarser grid is never below the best that the mechanism's own bound can do, and little above.
        let ratio = quick_epsilon(mechanism, 10_000, 1e-8).unwrap() / own;
        assert!((1.0..1.02).contains(&ratio), "{ratio}");
    }
    // Three reports amplify nothing at this delta, and the closed forms say that they do not apply.
    let few = central_epsilon(e.weights(), 3, 1e-8).unwrap();
    assert_eq!(few.iter().filter(|b| b.epsilon.is_none()).count(), 4);
    assert!((smallest(&few).unwrap().epsilon.unwrap() - 1.0).abs() < 1e-6);
    assert!(smallest(&[]).is_none());
    for (n, delta) in [(0, 1e-8), (10, 0.0), (10, 1.0), (10, f64::NAN), (1 << 60, 1e-8)] {
        assert!(central_epsilon(e.weights(), n, delta).is_err(), "{n} {delta}");
    }
}

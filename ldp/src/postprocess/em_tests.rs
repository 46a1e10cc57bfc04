// SPDX-License-Identifier: MIT OR Apache-2.0
//! EM against closed forms, a direct search and other post-processing.

use rand::rngs::ChaCha20Rng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::design::Channel;
use crate::{BlockDesign, DomainSize, Epsilon, RandomisedResponse, Support};

const TO_THE_END: Stopping = Stopping { gain: 1e-12, steps: 200_000 };

fn weights(epsilon: f64) -> crate::Weights {
    Epsilon::try_from(epsilon).unwrap().weights()
}

/// The blocks of a two-weight channel, by value.
struct Blocks {
    channel: Channel,
    blocks: Vec<Vec<usize>>,
}

impl Blocks {
    /// Randomised response over d values.
    fn symbols(d: usize, epsilon: f64) -> Self {
        Self::new(d, (0..d).map(|v| vec![v]).collect(), epsilon)
    }

    /// The Fano plane: 7 values, 7 messages, blocks of 3.
    fn fano(epsilon: f64) -> Self {
        Self::new(7, (0..7).map(|v| vec![v, (v + 1) % 7, (v + 3) % 7]).collect(), epsilon)
    }

    /// A window of 2h + 1 messages around each of d ordered values, as in the square wave: not balanced.
    fn window(d: usize, h: usize, epsilon: f64) -> Self {
        Self::new(d + 2 * h, (0..d).map(|v| (v..=v + 2 * h).collect()).collect(), epsilon)
    }

    fn new(messages: usize, blocks: Vec<Vec<usize>>, epsilon: f64) -> Self {
        let channel = Channel { messages: messages as u64, block: blocks[0].len() as u64, weights: weights(epsilon) };
        Self { channel, blocks }
    }

    fn likelihood(&self) -> impl Likelihood {
        let over_values = |shares: &[f64]| {
            let mut sums = vec![0.0; self.channel.messages as usize];
            for (block, share) in self.blocks.iter().zip(shares) {
                for &m in block {
                    sums[m] += share;
                }
            }
            sums
        };
        let over_messages =
            |weights: &[f64]| self.blocks.iter().map(|block| block.iter().map(|&m| weights[m]).sum()).collect();
        TwoWeight::new(&self.channel, self.blocks.len(), over_values, over_messages)
    }

    /// The matrix, from the weights.
    fn matrix(&self) -> Vec<Vec<f64>> {
        let total = self.channel.total() as f64;
        let weight = |inside| if inside { self.channel.weights.inside() } else { self.channel.weights.outside() };
        let chance = |block: &[usize], m| weight(block.contains(&m)) as f64 / total;
        let messages = self.channel.messages as usize;
        self.blocks.iter().map(|block| (0..messages).map(|m| chance(block, m)).collect()).collect()
    }

    /// The message counts of n reports from people with the given shares.
    fn simulate(&self, shares: &[f64], n: u32, rng: &mut ChaCha20Rng) -> Vec<u64> {
        let chances = self.matrix().messages(shares);
        let cumulative: Vec<f64> = chances
            .iter()
            .scan(0.0, |sum, p| {
                *sum += p;
                Some(*sum)
            })
            .collect();
        let mut counts = vec![0; chances.len()];
        for _ in 0..n {
            let u = rng.random::<f64>();
            counts[cumulative.partition_point(|&c| c < u).min(chances.len() - 1)] += 1;
        }
        counts
    }
}

fn zipf(d: u32, exponent: f64) -> Vec<f64> {
    let weights: Vec<f64> = (1..=d).map(|rank| f64::from(rank).powf(-exponent)).collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|w| w / total).collect()
}

#[test]
fn block_sums_give_the_products_of_the_matrix() {
    for blocks in [Blocks::symbols(5, 1.0), Blocks::fano(2.0), Blocks::window(9, 2, 0.5)] {
        let (two_weight, matrix) = (blocks.likelihood(), blocks.matrix());
        assert!(matrix.iter().all(|row| (row.iter().sum::<f64>() - 1.0).abs() < 1e-12));
        let shares = zipf(u32::try_from(two_weight.values()).unwrap(), 1.0);
        let counted: Vec<f64> = (0..blocks.channel.messages).map(|m| (m * m + 1) as f64).collect();
        let close = |x: Vec<f64>, y: Vec<f64>| {
            x.len() == y.len() && x.iter().zip(&y).all(|(a, b)| (a - b).abs() < 1e-12 * b.abs().max(1.0))
        };
        assert!(close(two_weight.messages(&shares), matrix.messages(&shares)));
        assert!(close(two_weight.back(&counted), matrix.back(&counted)));
    }
}

/// 200 steps one at a time on four channels: the likelihood never falls, whatever the counts. Smoothing may lower it, and then
/// the fit stays at the step before.
#[test]
fn the_likelihood_never_falls() {
    let mut rng = ChaCha20Rng::seed_from_u64(45);
    for blocks in [Blocks::symbols(8, 0.5), Blocks::symbols(8, 3.0), Blocks::fano(1.0), Blocks::window(12, 3, 1.0)] {
        let channel = blocks.likelihood();
        let counts: Vec<u64> = (0..blocks.channel.messages).map(|_| rng.random_range(0..400)).collect();
        let mut before = [f64::NEG_INFINITY; 2];
        for steps in 0..200 {
            let stopping = Stopping { gain: f64::MIN_POSITIVE, steps };
            for (before, fit) in
                before.iter_mut().zip([em(&counts, &channel, stopping), ems(&counts, &channel, stopping)])
            {
                assert!(fit.log_likelihood >= *before, "{steps}: {} < {before}", fit.log_likelihood);
                assert!((fit.shares.iter().sum::<f64>() - 1.0).abs() < 1e-9 && fit.shares.iter().all(|&s| s >= 0.0));
                *before = fit.log_likelihood;
            }
        }
    }
}

/// Randomised response has its maximum in closed form: the reported share of every value that is not 0 is its count
/// over a common number, that of the others P_f (from the optimality conditions; Pinzon and Palamidessi, AAAI 2026).
#[test]
fn em_is_the_closed_form_of_randomised_response() {
    let support = |d: u64| RandomisedResponse::new(DomainSize::try_from(d).unwrap(), weights(1.0)).design.support();
    for counts in
        [vec![500, 300, 260, 240, 100], vec![40, 0, 0, 30, 30], vec![200, 200, 200, 200, 201], vec![0, 7, 0, 0, 0]]
    {
        let Support { p_true, p_false } = support(5);
        let mut sorted = counts.clone();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        // With the k largest positive: their reported shares total P_t + (k - 1) P_f, in proportion to the counts.
        let fill = |k: usize| -> f64 {
            let reported = p_true + (k as f64 - 1.0) * p_false;
            reported / sorted[..k].iter().sum::<u64>() as f64
        };
        let positive = (1..=5).rev().find(|&k| sorted[k - 1] as f64 * fill(k) > p_false).unwrap();
        let share = |&count: &u64| ((count as f64 * fill(positive) - p_false) / (p_true - p_false)).max(0.0);
        let exact: Vec<f64> = counts.iter().map(share).collect();
        let fit = em(&counts, &Blocks::symbols(5, 1.0).likelihood(), TO_THE_END);
        assert!((exact.iter().sum::<f64>() - 1.0).abs() < 1e-9);
        for (found, exact) in fit.shares.iter().zip(&exact) {
            assert!((found - exact).abs() < 1e-4, "{counts:?}: {:?} {exact}", fit.shares);
        }
    }
}

/// Three values on a matrix without any structure: no point of a grid with the step 1/400, and none near the fit, is
/// better.
#[test]
fn em_is_the_direct_optimum() {
    let matrix = [vec![0.5, 0.2, 0.2, 0.1], vec![0.1, 0.6, 0.1, 0.2], vec![0.2, 0.2, 0.3, 0.3]];
    let at = |counts: &[u64], shares: &[f64]| -> f64 {
        matrix.messages(shares).iter().zip(counts).map(|(p, &count)| count as f64 * p.ln()).sum()
    };
    for counts in [[120, 80, 90, 70], [10, 300, 20, 30], [5, 5, 80, 90]] {
        let fit = em(&counts, &matrix[..], TO_THE_END);
        assert!((at(&counts, &fit.shares) - fit.log_likelihood).abs() < 1e-9);
        let grid =
            (0..=400).flat_map(|i| (0..=400 - i).map(move |j| [i, j, 400 - i - j].map(|x| f64::from(x) / 400.0)));
        let near = [(0, 1), (1, 2), (2, 0), (1, 0), (2, 1), (0, 2)].map(|(from, to)| {
            let mut moved = fit.shares.clone();
            let step = 1e-4_f64.min(moved[from]);
            moved[from] -= step;
            moved[to] += step;
            moved
        });
        let best = grid.map(|point| at(&counts, &point)).fold(f64::NEG_INFINITY, f64::max);
        assert!(fit.log_likelihood >= best - 1e-9, "{counts:?}: {} < {best}", fit.log_likelihood);
        assert!(fit.log_likelihood - best < 0.01, "{counts:?}: the grid should come near");
        assert!(near.iter().all(|point| fit.log_likelihood >= at(&counts, point) - 1e-9));
    }
}

/// LDP.md section 2.11 at d = 100, epsilon 1, n = 1e5, Zipf(1.1), here with randomised response: clip and renormalise
/// gains little, the projection more, and the likelihood most. Mean square errors over 10 runs.
#[test]
fn the_better_post_processing_has_the_smaller_error() {
    let mut rng = ChaCha20Rng::seed_from_u64(46);
    let (truth, n) = (zipf(100, 1.1), 100_000);
    let blocks = Blocks::symbols(100, 1.0);
    let channel = blocks.likelihood();
    let support = BlockDesign::new(100, 1, 0, weights(1.0)).support();
    let mut errors = [0.0; 4];
    for _ in 0..10 {
        let counts = blocks.simulate(&truth, n, &mut rng);
        let raw: Vec<f64> = counts.iter().map(|&c| support.share(c as f64 / f64::from(n))).collect();
        let fit = em(&counts, &channel, Stopping::default());
        for (error, shares) in errors.iter_mut().zip([&raw, &norm_mul(&raw), &norm_sub(&raw), &fit.shares]) {
            *error += shares.iter().zip(&truth).map(|(a, b)| (a - b).powi(2)).sum::<f64>() / 1000.0;
        }
    }
    let [raw, scaled, projected, likely] = errors;
    assert!(raw > scaled && scaled > projected && projected > likely, "{errors:?}");
    // The raw error is the mean variance of the unbiased estimate, within a tenth over 1000 values.
    let stated = truth.iter().map(|&f| support.variance(f)).sum::<f64>() / 100.0 / f64::from(n);
    assert!((raw / stated - 1.0).abs() < 0.1, "{raw} {stated}");
}

/// Wasserstein distance on [0, 1].
fn wasserstein(x: &[f64], y: &[f64]) -> f64 {
    let mut gap = 0.0;
    let total: f64 = x
        .iter()
        .zip(y)
        .map(|(a, b)| {
            gap += a - b;
            f64::abs(gap)
        })
        .sum();
    total / x.len() as f64
}

/// The square wave's window channel at d = 64, epsilon 1, n = 1e5 (LDP.md section 2.6: EM 0.0068 on beta(5, 2), 0.0082
/// on spikes where smoothing costs 0.043): EM near the truth on both, EMS only where the truth is smooth.
#[test]
fn em_recovers_a_distribution_from_windows_and_smoothing_rounds_off_spikes() {
    let mut rng = ChaCha20Rng::seed_from_u64(47);
    let a = f64::exp(1.0);
    let half_width = (a - a + 1.0) / (2.0 * a * (a - 2.0));
    let blocks = Blocks::window(64, (half_width * 64.0) as usize, 1.0);
    let density = |v: u32| {
        let x = (f64::from(v) + 0.5) / 64.0;
        x.powi(4) * (1.0 - x)
    };
    let total: f64 = (0..64).map(density).sum();
    let smooth: Vec<f64> = (0..64).map(|v| density(v) / total).collect();
    let mut spiky = vec![0.0; 64];
    for (place, share) in [(3, 0.15), (7, 0.3), (15, 0.35), (31, 0.15), (63, 0.05)] {
        spiky[place] = share;
    }
    let mut distances = Vec::new();
    for truth in [&smooth, &spiky] {
        let counts = blocks.simulate(truth, 100_000, &mut rng);
        let channel = blocks.likelihood();
        for fit in [em(&counts, &channel, Stopping::default()), ems(&counts, &channel, Stopping::default())] {
            assert!((fit.shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            distances.push(wasserstein(&fit.shares, truth));
        }
    }
    let [smooth, smooth_by_ems, spiky, spiky_by_ems] = distances[..] else { panic!() };
    assert!(smooth < 0.02 && spiky < 0.02, "{distances:?}");
    assert!(smooth_by_ems < 0.02 && spiky_by_ems > 2.0 * spiky, "{distances:?}");
}

#[test]
fn no_reports_leave_the_shares_uniform() {
    let blocks = Blocks::symbols(4, 1.0);
    for counts in [&[0_u64; 4][..], &[]] {
        for fit in
            [em(counts, &blocks.likelihood(), Stopping::default()), ems(counts, &blocks.likelihood(), TO_THE_END)]
        {
            assert!(fit.shares.iter().all(|share| (share - 0.25).abs() < 1e-12), "{fit:?}");
        }
    }
    // A message that nobody can send is left out.
    let matrix = [vec![0.7, 0.3, 0.0], vec![0.2, 0.8, 0.0]];
    let with = em(&[50, 50, 9], &matrix[..], TO_THE_END);
    assert_eq!(with, em(&[50, 50], &matrix[..], TO_THE_END));
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! How often the 95 % intervals hold the truth, and how wide they are beside Wald's: every mechanism, epsilon, number of reports and true
//! share. Prints the page docs/coverage.md: `cargo run --release -p stipple-analysis --example coverage`.
//!
//! A share's hits are binomial, so coverage and width are summed over all outcomes, without any drawing. Means are drawn 4,000
//! times a cell, from a fixed seed; their truth is a share of computers at the bound and the rest at 0.

#![allow(clippy::unwrap_used, reason = "parameters are fixed below")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts that fit")]

use std::collections::HashMap;

use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use rand_distr::{Binomial, Distribution as _};
use statrs::distribution::{ContinuousCDF as _, Normal};
use stipple_analysis::{Interval, Intervals, Level, values};
use stipple_ldp::*;

const EPSILONS: [f64; 4] = [0.5, 1.0, 2.0, 4.0];
const REPORTS: [u64; 3] = [100, 1000, 100_000];
const SHARES: [f64; 4] = [0.0, 0.001, 0.1, 0.5];
const DRAWS: u32 = 4000;
/// What the intervals have to keep.
const LEAST: f64 = 0.94;
const WIDEST: f64 = 1.15;

/// Coverage of ours and of Wald's, and the ratio of their mean widths.
#[derive(Clone, Copy)]
struct Cell {
    ours: f64,
    wald: f64,
    width: f64,
}

fn main() {
    let z = Normal::standard().inverse_cdf(0.975);
    println!("{}", include_str!("coverage.md").trim_end());
    let (mut least, mut widest, mut cells, mut failed) = (1.0_f64, 0.0_f64, 0, 0);
    for (name, make) in mechanisms() {
        println!("\n## {name}\n");
        println!("| epsilon | reports | share 0 | share 0.001 | share 0.1 | share 0.5 |\n|---|---|---|---|---|---|");
        for epsilon in EPSILONS {
            let mechanism = make(Epsilon::try_from(epsilon).unwrap());
            for n in REPORTS {
                let row = SHARES.map(|share| match mechanism.debias() {
                    Debias::Shares(support) => enumerated(support, n, share, z),
                    Debias::Mean { unbiased } => drawn(&mechanism, &unbiased, n, share, z),
                });
                let drawn = matches!(mechanism.debias(), Debias::Mean { .. });
                // Three standard errors of a share of 0.94 in 4,000 draws.
                let slack = if drawn { 3.0 * (LEAST * (1.0 - LEAST) / f64::from(DRAWS)).sqrt() } else { 0.0 };
                for cell in row {
                    cells += 1;
                    least = least.min(cell.ours);
                    let comparable = cell.wald >= LEAST;
                    widest = if comparable { widest.max(cell.width) } else { widest };
                    failed += u32::from(cell.ours < LEAST - slack || comparable && cell.width > WIDEST);
                }
                let shown = row.map(|Cell { ours, wald, width }| {
                    format!("{:.1} ({:.1}, x{width:.2})", 100.0 * ours, 100.0 * wald)
                });
                println!("| {epsilon} | {n} | {} |", shown.join(" | "));
            }
        }
    }
    println!(
        "\n{cells} cells: least coverage {:.2} %, widest {widest:.3} times Wald's where Wald's covers 94 %.",
        100.0 * least
    );
    if failed > 0 {
        eprintln!("{failed} cells miss the goal");
        std::process::exit(1);
    }
}

type Make = Box<dyn Fn(Epsilon) -> Mechanism>;

/// Every mechanism of the production set, at dictionaries as the catalogue has them.
fn mechanisms() -> Vec<(&'static str, Make)> {
    fn size(d: u64) -> DomainSize {
        DomainSize::try_from(d).unwrap()
    }
    fn bound(m: u64) -> Bound {
        Bound::try_from(m).unwrap()
    }
    let grr =
        |d| Box::new(move |e: Epsilon| Mechanism::RandomisedResponse(RandomisedResponse::new(size(d), e.weights())));
    vec![
        ("randomised-response, 2 values", grr(2)),
        ("randomised-response, 10 values", grr(10)),
        ("randomised-response, 1,000 values", grr(1000)),
        (
            "subset-selection, 30 values",
            Box::new(|e| Mechanism::SubsetSelection(SubsetSelection::new(size(30), e.weights()).unwrap())),
        ),
        (
            "projective-geometry, 1,000 values",
            Box::new(|e| Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(size(1000), e.weights()).unwrap())),
        ),
        (
            "collision, sets of at most 4 of 100 items",
            Box::new(|e| Mechanism::Collision(Collision::new(size(100), bound(4), e).unwrap())),
        ),
        (
            "priv-set, sets of at most 3 of 20 items",
            Box::new(|e| Mechanism::PrivSet(PrivSet::new(size(20), bound(3), e.weights()).unwrap())),
        ),
        ("one-bit-mean, counts to 20", Box::new(|e| Mechanism::OneBitMean(OneBitMean::new(bound(20), e.weights())))),
        ("hybrid-mean, counts to 20", Box::new(|e| Mechanism::HybridMean(HybridMean::new(bound(20), e)))),
        ("square-wave, counts to 20", Box::new(|e| Mechanism::SquareWave(SquareWave::new(bound(20), e)))),
        (
            "truncated-geometric, counts to 10",
            Box::new(|e| Mechanism::TruncatedGeometric(TruncatedGeometric::new(bound(10), e).unwrap())),
        ),
    ]
}

fn holds(interval: Interval, truth: f64) -> bool {
    // A truth of exactly 0 must not be lost to the last bit of the affine map.
    interval.lower - 1e-12 <= truth && truth <= interval.upper + 1e-12
}

/// The sums over all numbers of hits that have a chance worth the name.
fn enumerated(support: Support, n: u64, share: f64, z: f64) -> Cell {
    let s = support.reported(share);
    let count = n as f64;
    let mut intervals = Intervals::new(n, support, Level::USUAL, 1);
    let (mut ours, mut wald, mut widths) = (0.0, 0.0, [0.0; 2]);
    for (hits, chance) in binomial(n, s) {
        let interval = intervals.of(hits).pointwise;
        let reported = hits as f64 / count;
        let (estimate, half) =
            (support.share(reported), z * (reported * (1.0 - reported) / count).sqrt() / support.contrast());
        ours += chance * f64::from(u8::from(holds(interval, share)));
        wald += chance * f64::from(u8::from((estimate - share).abs() <= half));
        widths = [widths[0] + chance * (interval.upper - interval.lower), widths[1] + chance * 2.0 * half];
    }
    Cell { ours, wald, width: widths[0] / widths[1] }
}

/// The chances of a binomial number, by its recurrence from the mode; beyond 12 standard deviations nothing is left.
fn binomial(n: u64, s: f64) -> Vec<(u64, f64)> {
    let mode = ((n + 1) as f64 * s).floor().min(n as f64) as u64;
    let reach = (12.0 * (n as f64 * s * (1.0 - s)).sqrt()).ceil() as u64 + 30;
    let odds = s / (1.0 - s);
    let (mut chances, mut chance) = (vec![(mode, 1.0)], 1.0);
    for k in mode..n.min(mode + reach) {
        chance *= (n - k) as f64 / (k + 1) as f64 * odds;
        chances.push((k + 1, chance));
    }
    chance = 1.0;
    for k in (mode.saturating_sub(reach)..mode).rev() {
        chance *= (k + 1) as f64 / (n - k) as f64 / odds;
        chances.push((k, chance));
    }
    let total: f64 = chances.iter().map(|pair| pair.1).sum();
    chances.into_iter().map(|(k, chance)| (k, chance / total)).collect()
}

/// Counts of outputs drawn from their law, as often as wanted.
fn drawn(mechanism: &Mechanism, unbiased: &[f64], n: u64, share: f64, z: f64) -> Cell {
    let most = u32::try_from(mechanism.values() - 1).unwrap();
    let (low, high) = (mechanism.row(0).unwrap(), mechanism.row(most).unwrap());
    let chances: Vec<f64> = low.iter().zip(&high).map(|(l, h)| (1.0 - share) * l + share * h).collect();
    let (truth, count) = (share * f64::from(most), n as f64);
    let mut rng = ChaCha20Rng::seed_from_u64(20_261_126);
    let (mut ours, mut wald, mut widths) = (0, 0, [0.0; 2]);
    // Outputs of a hybrid are few and reports many: what has been estimated once need not be again.
    let mut known = HashMap::new();
    for _ in 0..DRAWS {
        let counts = multinomial(n, &chances, &mut rng);
        let (interval, estimate, half) = *known.entry(counts).or_insert_with_key(|counts| {
            let interval = values(mechanism, Vec::new(), false, counts, n, Level::USUAL)[0].interval;
            let moment =
                |power| counts.iter().zip(unbiased).map(|(&c, y)| c as f64 * y.powi(power)).sum::<f64>() / count;
            let estimate = moment(1);
            (interval, estimate, z * ((moment(2) - estimate * estimate).max(0.0) / (count - 1.0)).sqrt())
        });
        ours += u32::from(holds(interval, truth));
        wald += u32::from((estimate - truth).abs() <= half);
        widths = [widths[0] + interval.upper - interval.lower, widths[1] + 2.0 * half];
    }
    let rate = |hits: u32| f64::from(hits) / f64::from(DRAWS);
    Cell { ours: rate(ours), wald: rate(wald), width: widths[0] / widths[1] }
}

/// n outcomes with these chances, by conditional binomials.
fn multinomial(n: u64, chances: &[f64], rng: &mut ChaCha20Rng) -> Vec<u64> {
    let (mut left, mut mass) = (n, 1.0);
    let mut counts = vec![0; chances.len()];
    for (count, chance) in counts.iter_mut().zip(chances) {
        *count = Binomial::new(left, (chance / mass).clamp(0.0, 1.0)).unwrap().sample(rng);
        (left, mass) = (left - *count, mass - chance);
    }
    // Roundings of the last chance.
    if let Some(last) = counts.last_mut() {
        *last += left;
    }
    counts
}

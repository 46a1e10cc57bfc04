// SPDX-License-Identifier: MIT OR Apache-2.0
//! Honest populations, liars of several kinds, and the bound beside exact binomial tails. Seeds were chosen before the runs.

use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use stipple_ldp::{
    Bound, Collision, DomainSize, Epsilon, HybridMean, OneBitMean, PrivSet, ProjectiveGeometry, RandomisedResponse,
    SquareWave, SubsetSelection, TrueValue, TruncatedGeometric, Value,
};

use super::*;

fn mechanisms() -> Vec<Mechanism> {
    let epsilon = Epsilon::try_from(1.0).unwrap();
    let (weights, d) = (epsilon.weights(), |d| DomainSize::try_from(d).unwrap());
    let bound = |m| Bound::try_from(m).unwrap();
    vec![
        Mechanism::RandomisedResponse(RandomisedResponse::new(d(4), weights)),
        Mechanism::SubsetSelection(SubsetSelection::new(d(12), weights).unwrap()),
        Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(d(40), weights).unwrap()),
        Mechanism::Collision(Collision::new(d(14), bound(3), epsilon).unwrap()),
        Mechanism::PrivSet(PrivSet::new(d(8), bound(2), weights).unwrap()),
        Mechanism::OneBitMean(OneBitMean::new(bound(10), weights)),
        Mechanism::HybridMean(HybridMean::new(bound(10), epsilon)),
        Mechanism::SquareWave(SquareWave::new(bound(15), epsilon)),
        Mechanism::TruncatedGeometric(TruncatedGeometric::new(bound(5), epsilon).unwrap()),
    ]
}

/// A value of the mechanism's kind.
fn value(mechanism: &Mechanism, v: u32) -> TrueValue {
    TrueValue::new(match mechanism {
        Mechanism::Collision(_) | Mechanism::PrivSet(_) => Value::Set(vec![v]),
        _ if mechanism.row(0).is_some() => Value::Count(v),
        _ => Value::Symbol(v),
    })
}

/// Adds the reports of `n` honest senders, whose values `draw` picks.
fn honest(
    mechanism: &Mechanism,
    cells: &mut [u64],
    n: u64,
    rng: &mut ChaCha20Rng,
    draw: impl Fn(&mut ChaCha20Rng) -> u32,
) {
    for _ in 0..n {
        let value = value(mechanism, draw(rng));
        let response = mechanism.randomise(&value, rng).unwrap();
        mechanism.accumulate(&response, |cell| cells[cell] += 1).unwrap();
    }
}

/// 9 mechanisms, 4 populations, 15 seeds: 540 metrics and weeks. By the bound one is below 1 % in at most 1 % of them, and any is
/// below 1e-6 with a chance of at most 0.00054.
#[test]
fn honest_populations_raise_no_alarm() {
    let mut small = 0;
    for mechanism in mechanisms() {
        let values = u32::try_from(mechanism.values()).unwrap();
        for seed in 0..15 {
            let populations: [&dyn Fn(&mut ChaCha20Rng) -> u32; 4] =
                [&|_| 0, &|_| values - 1, &|rng| rng.random_range(0..values), &|rng| {
                    rng.random_range(0..values).min(rng.random_range(0..values)) / 2
                }];
            for (place, draw) in populations.into_iter().enumerate() {
                let mut rng = ChaCha20Rng::seed_from_u64(1000 + 10 * seed + place as u64);
                let mut cells = vec![0; mechanism.cells()];
                honest(&mechanism, &mut cells, 3000, &mut rng, draw);
                let p = honest_chance(&mechanism, &cells, 3000);
                assert!(p >= ALARM, "{mechanism} {seed} {place}: {p}");
                small += usize::from(p < 0.01);
            }
        }
    }
    // P[Binomial(540, 0.01) > 18] < 1e-5.
    assert!(small <= 18, "{small} of 540 are below 1 %");
}

/// 5 % of the senders send one and the same response, whatever the mechanism would draw; the honest hold the first value or the
/// second, so that other cells hold nothing but noise.
fn with_liars(mechanism: &Mechanism, n: u64, seed: u64, spread: u32) -> f64 {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut cells = vec![0; mechanism.cells()];
    let lie = mechanism.randomise(&value(mechanism, 0), &mut rng).unwrap();
    for _ in 0..n / 20 {
        mechanism.accumulate(&lie, |cell| cells[cell] += 1).unwrap();
    }
    honest(mechanism, &mut cells, n - n / 20, &mut rng, |rng| rng.random_range(0..spread));
    honest_chance(mechanism, &cells, n)
}

#[test]
fn liars_that_all_send_one_symbol_raise_an_alarm() {
    for mechanism in mechanisms().into_iter().filter(|m| !matches!(m, Mechanism::OneBitMean(_))) {
        let p = with_liars(&mechanism, 200_000, 77, 2);
        assert!(p < ALARM, "{mechanism}: {p}");
        // The same at a small size: too few to tell.
        let p = with_liars(&mechanism, 500, 77, 2);
        assert!(p >= ALARM, "{mechanism}: {p}");
    }
}

/// What cannot be seen: a lie that honest senders of other values could have told.
#[test]
fn a_lie_that_could_be_a_truth_is_not_seen() {
    let mechanism = &mechanisms()[0];
    // The honest hold every symbol, so that a few more reports of one look like a few more holders.
    assert!(with_liars(mechanism, 200_000, 78, 4) > 0.99);
    // Everyone randomises a value that nobody holds.
    let (mut rng, mut cells) = (ChaCha20Rng::seed_from_u64(79), vec![0; 4]);
    honest(mechanism, &mut cells, 200_000, &mut rng, |_| 3);
    assert!(honest_chance(mechanism, &cells, 200_000) >= ALARM);
}

/// The bound for one cell is never below the exact tail, which is summed term by term.
#[test]
fn the_bound_is_above_exact_binomial_tails() {
    for (n, q) in [(20_u32, 0.2), (60, 0.45), (100, 0.03)] {
        let (mut term, mut tail) = (f64::powi(1.0 - q, n.cast_signed()), 0.0);
        for c in 0..=n {
            tail += term;
            let share = f64::from(c) / f64::from(n);
            if share <= q {
                let bound = (-f64::from(n) * divergence(share, q)).exp();
                assert!(bound >= tail * (1.0 - 1e-9), "{n} {q} {c}: {bound} < {tail}");
                assert!(bound <= 40.0 * tail, "{n} {q} {c}: {bound} is far above {tail}");
            }
            term *= f64::from(n - c) / f64::from(c + 1) * q / (1.0 - q);
        }
    }
}

#[test]
fn many_more_reports_than_usual_raise_an_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("catalogue.toml", "title = \"T\"\nepsilon_epoch = 4.0\nepsilon_cap = 2.0\n");
    write(
        "settings.shade.toml",
        "id = \"settings.shade\"\ntitle = \"T\"\nquestion = \"Q?\"\ncategory = \"settings\"\nowner = \"O\"\n\
         approval = \"https://example.org/1\"\nintroduced = 2026-11-16\nexpires = 2027-01-08\nepsilon = 1.0\n\
         mechanism = \"randomised-response\"\n[domain]\nkind = \"symbol\"\nvalues = [\"dark\", \"light\"]\nother = true\n\
         none = true\n[tally]\naggregate = \"last\"\n[[tally.events]]\nid = \"49d0451a-f706-4f50-81d2-70cc0ec923a4\"\n\
         payload = \"s\"\n",
    );
    let catalogue = Catalogue::load(folder.path()).unwrap();
    let definition = catalogue.get("settings.shade").unwrap();
    let stored = |week: u16, reports: u64| Stored {
        metric: definition.id.clone(),
        definition: definition.hash.0,
        week: Week::from_index(2960 + week),
        reports,
        counts: (0..4).map(|cell| (cell, reports / 4)).collect(),
    };
    let weeks = [1000, 1200, 800, 4000, 4400, 900, 40_000].into_iter().zip(0..);
    let all: Vec<Stored> = weeks.map(|(reports, week)| stored(week, reports)).collect();
    let checked = judge(&all, &catalogue, 4.0);
    let rates: Vec<Option<f64>> = checked.iter().map(|week| week.rate).collect();
    assert_eq!(rates[..5], [None, None, None, Some(4.0), Some(4400.0 / 1200.0)]);
    let alarms: Vec<bool> = checked.iter().map(|week| week.rate_alarm).collect();
    assert_eq!(alarms, [false, false, false, false, false, false, true]);
    assert!(checked.iter().all(|week| !week.noise_alarm && week.p <= 1.0));
}

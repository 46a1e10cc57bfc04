// SPDX-License-Identifier: MIT OR Apache-2.0
//! The mechanisms of counts: enumeration, unbiasedness, variance, and the samplers against their rows.

use super::*;
use crate::window::Window;

fn counting(m: u32, e: f64) -> [Mechanism; 4] {
    [
        Mechanism::OneBitMean(OneBitMean::new(bound(m), epsilon(e).weights())),
        Mechanism::HybridMean(HybridMean::new(bound(m), epsilon(e))),
        Mechanism::SquareWave(SquareWave::new(bound(m), epsilon(e))),
        Mechanism::TruncatedGeometric(TruncatedGeometric::new(bound(m), epsilon(e)).unwrap()),
    ]
}

#[test]
fn windows_are_their_channel() {
    for (a, b) in SMALL {
        for (m, half) in [(1, 0), (1, 1), (4, 0), (4, 2), (6, 9)] {
            let window = Window::new(m, half, Weights::new(a, b).unwrap());
            let phi = window.unbiased();
            let rows: Vec<Vec<u128>> = (0..=m)
                .map(|v| {
                    let mut row = vec![0_u128; window.channel.messages as usize];
                    (0..window.channel.total()).for_each(|u| row[window.encode(v, u) as usize] += 1);
                    let inside = u64::from(v)..=u64::from(v) + 2 * half;
                    let expected: Vec<u128> = (0..window.channel.messages)
                        .map(|y| if inside.contains(&y) { a.into() } else { b.into() })
                        .collect();
                    assert_eq!(row, expected, "m={m} half={half} v={v}");
                    let total = window.channel.total() as f64;
                    let mean: f64 = row.iter().zip(&phi).map(|(&w, phi)| w as f64 / total * phi).sum();
                    assert!((mean - f64::from(v)).abs() < 1e-9, "m={m} half={half} v={v}: {mean}");
                    row
                })
                .collect();
            assert_two_weight(&rows, a.into(), b.into());
        }
    }
}

#[test]
fn one_bit_is_its_channel() {
    for (a, b) in SMALL {
        for m in [1, 2, 5] {
            let mechanism = OneBitMean::new(bound(m), Weights::new(a, b).unwrap());
            let phi = mechanism.unbiased();
            let rows: Vec<Vec<u128>> = (0..=m)
                .map(|x| {
                    let mut row = vec![0_u128; 2];
                    (0..mechanism.total()).for_each(|u| row[mechanism.encode(x, u) as usize] += 1);
                    let mean = (row[0] as f64 * phi[0] + row[1] as f64 * phi[1]) / mechanism.total() as f64;
                    assert!((mean - f64::from(x)).abs() < 1e-9, "m={m} x={x}: {mean}");
                    row
                })
                .collect();
            assert_two_weight(&rows, a.into(), b.into());
        }
    }
}

/// At deployed weights: rows sum to 1, no ratio exceeds A/B beyond the rounding of the rows, and phi is unbiased.
#[test]
fn rows_of_counts_are_private_and_unbiased() {
    for (m, e) in [(1, 1.0), (7, 0.5), (20, 1.0), (20, 2.0), (100, 4.0), (255, 2.0), (50, 0.001), (255, 0.01)] {
        for mechanism in counting(m, e) {
            let rows: Vec<Vec<f64>> = (0..=m).map(|x| mechanism.row(x).unwrap()).collect();
            let most = mechanism.weights().ratio() * (1.0 + 1e-12);
            let Debias::Mean { unbiased } = mechanism.debias() else { panic!("a count has a mean") };
            for (x, row) in rows.iter().enumerate() {
                assert_eq!(row.len(), mechanism.cells());
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                let mean: f64 = row.iter().zip(&unbiased).map(|(p, phi)| p * phi).sum();
                assert!((mean - x as f64).abs() < 1e-5, "{mechanism:?} {x}: {mean}");
                assert!(rows.iter().all(|other| row.iter().zip(other).all(|(p, q)| p <= &(q * most))));
            }
            assert_eq!(mechanism.row(m + 1), None);
        }
    }
}

/// Chi-squared at significance 1e-6 for each of 8 rows, drawn and decoded through the public door.
#[test]
fn samplers_of_counts_follow_their_rows() {
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    let draws = 100_000;
    for mechanism in counting(20, 2.0) {
        for x in [0, 13] {
            let counts = simulate(&mechanism, &TrueValue::new(Value::Count(x)), draws, &mut rng);
            let row = mechanism.row(x).unwrap();
            let statistic: f64 = counts
                .iter()
                .zip(&row)
                .map(|(&c, p)| (c as f64 - p * f64::from(draws)).powi(2) / (p * f64::from(draws)))
                .sum();
            let limit = ChiSquared::new((row.len() - 1) as f64).unwrap().inverse_cdf(1.0 - 1e-6);
            assert!(statistic < limit, "{mechanism:?} {x}: {statistic} >= {limit}");
        }
    }
}

/// The closed forms of LDP.md section 2.5 in units of \[-1, 1\]: exact for one bit; for the hybrid, whose window is cut to whole
/// numbers of 256 steps, within two per cent.
#[test]
fn variances_are_the_closed_forms() {
    let m = 255;
    let variance = |mechanism: &Mechanism, x: u32| {
        let Debias::Mean { unbiased } = mechanism.debias() else { panic!("a count has a mean") };
        let row = mechanism.row(x).unwrap();
        let spread = |phi: &f64| (phi - f64::from(x)).powi(2) * 4.0 / f64::from(m * m);
        row.iter().zip(&unbiased).map(|(p, phi)| p * spread(phi)).sum::<f64>()
    };
    for (e, one_bit, hybrid) in [
        (0.5, [15.67, 16.67], None),
        (1.0, [3.683, 4.683], Some(4.289)),
        (2.0, [0.724, 1.724], Some(1.042)),
        (4.0, [0.076, 1.076], Some(0.219)),
    ] {
        let [bit, mixed, ..] = counting(m, e);
        assert!((variance(&bit, 0) - one_bit[0]).abs() < 6e-3, "{}", variance(&bit, 0));
        assert!((variance(&bit, 127) - one_bit[1]).abs() < 6e-3, "{}", variance(&bit, 127));
        for (x, hybrid) in [0, 64, 127, 255].into_iter().filter_map(|x| hybrid.map(|h| (x, h))) {
            assert!((variance(&mixed, x) / variance(&mixed, 127) - 1.0).abs() < 1e-6, "the same for every count");
            let ratio = variance(&mixed, x) / hybrid;
            assert!((ratio - 1.0).abs() < 0.02, "epsilon {e}, {x}: {ratio}");
        }
    }
}

/// A memoised report follows the one-shot design: over fresh memories, the support of every value within 4.9 standard errors
/// (1e-6 two-sided) of the stated chance; and one memory repeats its permanent message.
#[test]
fn memoised_reports_follow_the_one_shot_design() {
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    let draws = 40_000;
    let weights = epsilon(3.0).weights();
    for permanent in [
        Mechanism::RandomisedResponse(RandomisedResponse::new(size(12), weights)),
        Mechanism::SubsetSelection(SubsetSelection::new(size(12), weights).unwrap()),
        Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(size(12), weights).unwrap()),
    ] {
        let memoised = Memoised::new(permanent, epsilon(1.5)).unwrap();
        let mut cells = vec![0; memoised.permanent().cells()];
        let (mut repeated, value) = (0, TrueValue::new(Value::Symbol(7)));
        for _ in 0..draws {
            let mut memory = Memory::draw(1, &mut rng);
            let [first, second] = [0, 1].map(|_| memoised.randomise(&mut memory, &value, &mut rng).unwrap());
            memoised.permanent().accumulate(&first, |cell| cells[cell] += 1).unwrap();
            repeated += u32::from(first == second);
        }
        let Support { p_true, p_false } = memoised.once().support();
        for (v, &c) in memoised.permanent().support_counts(&cells).iter().enumerate() {
            let p = if v == 7 { p_true } else { p_false };
            let z = (c as f64 / f64::from(draws) - p) / (p * (1.0 - p) / f64::from(draws)).sqrt();
            assert!(z.abs() < 4.9, "value {v}: z = {z}");
        }
        // Both are the permanent message, or one is uniform and happens to be the other.
        let (k, both) = (memoised.once().channel.messages as f64, memoised.keep_chance().powi(2));
        let same = both + (1.0 - both) / k;
        let z = (f64::from(repeated) / f64::from(draws) - same) / (same * (1.0 - same) / f64::from(draws)).sqrt();
        assert!(z.abs() < 4.9, "{repeated} of {draws} repeated, {same} expected: z = {z}");
        let mut memory = Memory::draw(1, &mut rng);
        let before = rng.get_word_pos();
        let outside = TrueValue::new(Value::Symbol(12));
        assert_eq!(memoised.randomise(&mut memory, &outside, &mut rng), Err(ValueError::OutOfRange));
        assert_eq!((memory.distinct(), rng.get_word_pos()), (0, before));
    }
}

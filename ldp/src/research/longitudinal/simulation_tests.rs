// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every protocol through its clients: permanent responses stay, estimates are unbiased with the stated variance, and
//! machines are re-linked as often as they should be.

use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use super::testing::{domain, epsilon};
use super::{Calibration, DBitFlip, Loloha, Longitudinal, LongitudinalGrr, LongitudinalUnary, relink};

/// One week of n senders, value v held by the v-th part of `holders`: the estimated share of every value.
fn estimates<L: Longitudinal>(protocol: &L, holders: &[u32], rng: &mut ChaCha20Rng) -> Vec<f64> {
    let mut counts = vec![(0_u32, 0_u32); holders.len()];
    for (value, &n) in (0..).zip(holders) {
        for _ in 0..n {
            // The second week: after the permanent response has been drawn and used once.
            let mut client = protocol.enrol(rng);
            protocol.report(&mut client, value, rng).unwrap();
            let report = protocol.report(&mut client, value, rng).unwrap();
            for (candidate, (support, asked)) in (0..).zip(&mut counts) {
                if let Some(supported) = protocol.supports(&report, candidate) {
                    *asked += 1;
                    *support += u32::from(supported);
                }
            }
        }
    }
    let share = |&(support, asked): &(u32, u32)| protocol.support().share(f64::from(support) / f64::from(asked));
    counts.iter().map(share).collect()
}

/// Estimates of 60 runs with 600 senders against the truth: the mean within 4.9 standard errors, and n times the mean
/// square error within 4.9 standard errors (`sqrt(2/runs)`, normal) of the stated variance less the sampling of people.
fn assert_unbiased<L: Longitudinal>(protocol: &L, seed: u64) {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let (holders, n, runs) = ([300, 180, 120, 0, 0], 600.0, 60);
    let mut sums = [(0.0, 0.0); 5];
    for _ in 0..runs {
        let week = estimates(protocol, &holders, &mut rng);
        for (sum, (estimate, held)) in sums.iter_mut().zip(week.iter().zip(holders)) {
            let error = estimate - f64::from(held) / n;
            *sum = (sum.0 + error, sum.1 + error * error);
        }
    }
    for ((total, squares), held) in sums.into_iter().zip(holders) {
        let share = f64::from(held) / n;
        // The people are fixed; asking a part of them for a value samples them still.
        let stated = (protocol.variance(share) - share * (1.0 - share)) / n;
        let z = total / f64::from(runs) / (stated / f64::from(runs)).sqrt();
        assert!(z.abs() < 4.9, "share {share}: bias z = {z}");
        let spread = (squares / f64::from(runs) / stated - 1.0) / (2.0 / f64::from(runs)).sqrt();
        assert!(spread.abs() < 4.9, "share {share}: variance z = {spread}");
    }
}

#[test]
fn estimates_are_unbiased_with_the_stated_variance() {
    let (d, infinity, first) = (domain(5), epsilon(3.0), epsilon(1.5));
    assert_unbiased(&LongitudinalUnary::osue(d, infinity, first).unwrap(), 31);
    assert_unbiased(&LongitudinalUnary::sue(d, infinity, first).unwrap(), 32);
    assert_unbiased(&LongitudinalUnary::rappor(d, 0.5, 0.25, 0.75).unwrap(), 33);
    for calibration in [Calibration::Published, Calibration::Exact] {
        assert_unbiased(&LongitudinalGrr::new(d, infinity, first, calibration).unwrap(), 34);
        assert_unbiased(&Loloha::optimal(d, infinity, first, calibration).unwrap(), 35);
    }
    assert_unbiased(&Loloha::binary(d, infinity, first).unwrap(), 36);
    assert_unbiased(&DBitFlip::new(d, 5, infinity).unwrap(), 37);
    assert_unbiased(&DBitFlip::new(d, 2, infinity).unwrap(), 38);
}

/// 3000 reports of one client average to its permanent response and not to the value's chance: the share of reports
/// that support the value is one of two numbers, within 4.9 standard errors (multi-freq-ldpy redraws at every call and
/// fails this).
#[test]
fn the_permanent_response_is_drawn_once() {
    let mut rng = ChaCha20Rng::seed_from_u64(39);
    let (d, infinity, first) = (domain(6), epsilon(2.0), epsilon(1.0));
    let grr = LongitudinalGrr::new(d, infinity, first, Calibration::Exact).unwrap();
    let (keep, weeks) = (grr.chain().keep(), 3000);
    let refreshed = (1.0 - keep) / 6.0;
    for value in [0, 3, 5] {
        let mut client = grr.enrol(&mut rng);
        let supporting: u32 =
            (0..weeks).map(|_| u32::from(grr.report(&mut client, value, &mut rng).unwrap() == u64::from(value))).sum();
        let share = f64::from(supporting) / f64::from(weeks);
        let near = |p: f64| (share - p).abs() < 4.9 * (p * (1.0 - p) / f64::from(weeks)).sqrt();
        assert!(near(keep + refreshed) != near(refreshed), "{share}");
        assert!(!near(grr.support().p_true), "{share}");
    }
}

fn refuses_six<L: Longitudinal>(protocol: &L, rng: &mut ChaCha20Rng) -> bool {
    let mut client = protocol.enrol(rng);
    protocol.report(&mut client, 6, rng).is_err() && protocol.report(&mut client, 5, rng).is_ok()
}

#[test]
fn values_beyond_the_domain_are_refused() {
    let mut rng = ChaCha20Rng::seed_from_u64(40);
    let (d, infinity, first) = (domain(6), epsilon(2.0), epsilon(1.0));
    assert!(refuses_six(&LongitudinalGrr::new(d, infinity, first, Calibration::Exact).unwrap(), &mut rng));
    assert!(refuses_six(&LongitudinalUnary::osue(d, infinity, first).unwrap(), &mut rng));
    assert!(refuses_six(&Loloha::binary(d, infinity, first).unwrap(), &mut rng));
    assert!(refuses_six(&DBitFlip::new(d, 3, infinity).unwrap(), &mut rng));
}

/// The share of n workstations, all with value 0, that are re-linked between their first two weeks.
fn relinked<L: Longitudinal>(protocol: &L, n: usize, rng: &mut ChaCha20Rng) -> f64 {
    let two_weeks = |rng: &mut ChaCha20Rng| {
        let mut client = protocol.enrol(rng);
        let first = protocol.report(&mut client, 0, rng).unwrap();
        (first, protocol.report(&mut client, 0, rng).unwrap())
    };
    let (first, second): (Vec<_>, Vec<_>) = (0..n).map(|_| two_weeks(rng)).unzip();
    relink(&first, &second, |a, b| protocol.link_score(0, a, b), rng)
}

/// At 500 workstations: dBitFlip within 4.9 standard errors of its closed form; a LOLOHA seed always names its sender;
/// the unary encodings far above chance and in the order of their bits.
#[test]
fn relinking_finds_what_the_bits_foretell() {
    let mut rng = ChaCha20Rng::seed_from_u64(41);
    let (n, infinity, first) = (500, epsilon(2.0), epsilon(1.0));
    let runs = 10;
    for (b, asked) in [(8, 8), (30, 2)] {
        let m = DBitFlip::new(domain(b), asked, infinity).unwrap();
        let expected = m.expected_relink(n);
        let mean = (0..runs).map(|_| relinked(&m, n, &mut rng)).sum::<f64>() / f64::from(runs);
        let z = (mean - expected) / (expected * (1.0 - expected) / (f64::from(runs) * n as f64)).sqrt();
        assert!(z.abs() < 4.9, "b={b}: {mean} against {expected}, z = {z}");
        assert!(expected > 0.05 && expected < 0.95);
    }
    let loloha = Loloha::optimal(domain(100), infinity, first, Calibration::Exact).unwrap();
    assert!((relinked(&loloha, n, &mut rng) - 1.0).abs() < 1e-12);
    let osue = LongitudinalUnary::osue(domain(300), infinity, first).unwrap();
    let sue = LongitudinalUnary::sue(domain(300), infinity, first).unwrap();
    let (optimised, symmetric) = (relinked(&osue, n, &mut rng), relinked(&sue, n, &mut rng));
    assert!(optimised > 50.0 / n as f64 && symmetric > optimised, "{optimised} {symmetric}");
}

/// For 6-bit rows the expected success has an exact form: all 64 x 64 pairs of rows in classes of equal score.
#[test]
fn unary_relinking_is_as_expected_on_short_rows() {
    let mut rng = ChaCha20Rng::seed_from_u64(42);
    let m = LongitudinalUnary::osue(domain(6), epsilon(4.0), epsilon(3.0)).unwrap();
    let (n, runs) = (500, 20);
    let expected = expected_on_short_rows(&m, n);
    let mean = (0..runs).map(|_| relinked(&m, n, &mut rng)).sum::<f64>() / f64::from(runs);
    let z = (mean - expected) / (expected * (1.0 - expected) / (f64::from(runs) * n as f64)).sqrt();
    assert!(z.abs() < 4.9, "{mean} against {expected}, z = {z}");
    assert!(expected > 2.0 / n as f64, "{expected}");
}

/// The score of a pair is the log of its joint chance over both margins, so the sum of `e^score` weighted by the
/// margins needs no second description of the channel: margins come from the support.
fn expected_on_short_rows(m: &LongitudinalUnary, n: usize) -> f64 {
    use super::{Bits, Class, expected_success};
    let d = 6;
    let rows: Vec<Bits> = (0..1_u32 << d).map(|y| Bits::from_fn(d, |bit| y >> bit & 1 == 1)).collect();
    let support = m.support();
    let margin = |row: &Bits| -> f64 {
        let one = |bit| if bit == 0 { support.p_true } else { support.p_false };
        (0..d).map(|bit| if row.get(bit) { one(bit) } else { 1.0 - one(bit) }).product()
    };
    let given = |first: &Bits| {
        let mut scored: Vec<(f64, f64)> = rows.iter().map(|z| (m.link_score(0, first, z), margin(z))).collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        // Rows whose scores differ by rounding alone are one class.
        let classes: Vec<Class> = scored
            .chunk_by(|a, b| (a.0 - b.0).abs() < 1e-9)
            .map(|class| {
                let stranger = class.iter().map(|(_, p)| p).sum();
                Class { own: class.iter().map(|(score, p)| score.exp() * p).sum(), stranger }
            })
            .collect();
        expected_success(&classes, n)
    };
    rows.iter().map(|first| margin(first) * given(first)).sum()
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The whole channel of every mechanism, in integers; the sampler against it; the estimator's constants against both.

use rand::rngs::ChaCha20Rng;
use rand::{Rng, SeedableRng};
use statrs::distribution::{ChiSquared, ContinuousCDF};

mod counts;
mod sets;

use crate::collision::Collision;
use crate::design::Blocks as _;
use crate::*;

/// Small weights, so that every uniform integer below the total can be tried.
const SMALL: [(u64, u64); 3] = [(3, 1), (5, 2), (7, 6)];

fn size(d: u32) -> DomainSize {
    DomainSize::try_from(u64::from(d)).unwrap()
}

fn epsilon(e: f64) -> Epsilon {
    Epsilon::try_from(e).unwrap()
}

fn bound(m: u32) -> Bound {
    Bound::try_from(u64::from(m)).unwrap()
}

/// Asserts that every pair of rows has entries in a ratio of at most A/B, that the ratio is attained, and that the rows have
/// one total.
fn assert_two_weight(rows: &[Vec<u128>], a: u128, b: u128) {
    let total: u128 = rows[0].iter().sum();
    let mut attained = false;
    for x in rows {
        assert_eq!(x.iter().sum::<u128>(), total);
        for y in rows {
            for (p, q) in x.iter().zip(y) {
                assert!(p * b <= q * a, "ratio {p}/{q} exceeds {a}/{b}");
                attained |= p * b == q * a;
            }
        }
    }
    assert!(attained, "the bound A/B is not attained: epsilon is overstated");
}

#[test]
fn randomised_response_is_its_channel() {
    for (a, b) in SMALL {
        for d in 2..=7 {
            let m = RandomisedResponse::new(size(d), Weights::new(a, b).unwrap());
            let rows: Vec<Vec<u128>> = (0..d)
                .map(|v| {
                    let mut row = vec![0; d as usize];
                    (0..m.design.channel.total()).for_each(|u| row[m.encode(v, u) as usize] += 1);
                    let expected: Vec<u128> = (0..d).map(|y| if y == v { a.into() } else { b.into() }).collect();
                    assert_eq!(row, expected);
                    row
                })
                .collect();
            assert_two_weight(&rows, a.into(), b.into());
        }
    }
}

#[test]
fn subset_selection_is_its_channel() {
    for (a, b) in SMALL {
        for d in 2..=9 {
            let m = SubsetSelection::new(size(d), Weights::new(a, b).unwrap()).unwrap();
            let masks: Vec<u64> = (0..1_u64 << d).filter(|mask| mask.count_ones() == m.subset_size()).collect();
            assert_eq!(masks.len() as u64, m.design.channel.messages);
            let Support { p_true, p_false } = m.design.support();
            let rows: Vec<Vec<u128>> = (0..d)
                .map(|v| {
                    let mut row = vec![0; masks.len()];
                    for u in 0..m.design.channel.total() {
                        row[masks.binary_search(&m.encode(v, u)).unwrap()] += 1;
                    }
                    let expected: Vec<u128> =
                        masks.iter().map(|mask| if mask >> v & 1 == 1 { a.into() } else { b.into() }).collect();
                    assert_eq!(row, expected);
                    for other in 0..d {
                        let support: u128 =
                            masks.iter().zip(&row).filter(|(mask, _)| **mask >> other & 1 == 1).map(|(_, n)| n).sum();
                        let p = support as f64 / m.design.channel.total() as f64;
                        let stated = if other == v { p_true } else { p_false };
                        assert!((p - stated).abs() < 1e-12, "d={d} v={v} other={other}: {p} {stated}");
                    }
                    row
                })
                .collect();
            assert_two_weight(&rows, a.into(), b.into());
        }
    }
}

#[test]
fn projective_geometry_is_its_channel() {
    for (a, b) in SMALL {
        for d in [2, 3, 4, 7, 8, 13, 20] {
            let m = ProjectiveGeometry::new(size(d), Weights::new(a, b).unwrap()).unwrap();
            let k = usize::try_from(m.design.channel.messages).unwrap();
            let Support { p_true, p_false } = m.design.support();
            let rows: Vec<Vec<u128>> = (0..d)
                .map(|v| {
                    let mut row = vec![0_u128; k];
                    (0..m.design.channel.total()).for_each(|u| row[m.encode(v, u) as usize] += 1);
                    let block: Vec<u64> = (0..m.design.channel.block).map(|i| m.inside(v, i)).collect();
                    let expected = |y: u64| if block.contains(&y) { a.into() } else { b.into() };
                    assert_eq!(row, (0..k as u64).map(expected).collect::<Vec<u128>>(), "d={d} v={v}");
                    for other in 0..d {
                        let support: u128 = (0..m.design.channel.block).map(|i| row[m.inside(other, i) as usize]).sum();
                        let p = support as f64 / m.design.channel.total() as f64;
                        let stated = if other == v { p_true } else { p_false };
                        assert!((p - stated).abs() < 1e-12, "d={d} v={v} other={other}: {p} {stated}");
                    }
                    row
                })
                .collect();
            assert_two_weight(&rows, a.into(), b.into());
        }
    }
}

/// The column "PGR prime" of LDP.md section 2.4, with its (q, K), to the printed digits.
#[test]
fn projective_geometry_is_as_near_to_minimax_as_the_table_says() {
    let table = [
        (4, 1.0, "2.077", 3, 4),
        (10, 0.5, "13.75", 3, 13),
        (10, 1.0, "3.200", 3, 13),
        (30, 1.0, "3.576", 3, 40),
        (30, 4.0, "0.0784", 29, 30),
        (100, 0.5, "15.58", 3, 121),
        (100, 2.0, "0.7366", 11, 133),
        (100, 4.0, "0.0824", 101, 102),
        (1000, 1.0, "3.763", 3, 1093),
        (1000, 2.0, "0.7325", 7, 2801),
        (1000, 4.0, "0.0773", 53, 2863),
        (5000, 1.0, "3.769", 3, 9841),
    ];
    for (d, e, printed, q, k) in table {
        let m = ProjectiveGeometry::new(size(d), epsilon(e).weights()).unwrap();
        assert_eq!((m.space().0, m.design.channel.messages), (q, k), "d={d} e={e}");
        let variance = m.design.support().variance(1.0 / f64::from(d));
        let decimals = printed.split('.').nth(1).unwrap().len();
        assert_eq!(format!("{variance:.decimals$}"), printed, "d={d} e={e}");
    }
}

#[test]
fn collision_is_its_channel_for_every_set_size() {
    for (a, b) in SMALL {
        let m = Collision::for_enumeration(6, 3, 8, Weights::new(a, b).unwrap());
        let sets: Vec<Vec<u32>> = (0..1_u32 << 6)
            .filter(|bits| bits.count_ones() <= 3)
            .map(|bits| (0..6).filter(|i| bits >> i & 1 == 1).collect())
            .collect();
        for seed in [0, 1, 40_000, u16::MAX] {
            let rows: Vec<Vec<u128>> = sets
                .iter()
                .map(|set| {
                    let occupied = m.occupied(seed, set);
                    let mut row = [0; 8];
                    let total = m.row_total(occupied.len());
                    (0..total).for_each(|u| row[m.encode(&occupied, u) as usize] += 1);
                    // Bring the rows, whose totals are Omega (l - c), to one denominator: 8 * 7 * 6 * 5 is enough.
                    row.iter().map(|n| n * 1680 / (8 - occupied.len() as u128)).collect()
                })
                .collect();
            assert_two_weight(&rows, a.into(), b.into());
        }
    }
}

/// Over the whole pool of seeds the chance of support must be A/Omega for a held item and 1/l for another, within five
/// standard errors of a mean over 65,536 hashes.
#[test]
fn collision_support_over_the_seed_pool() {
    let m = Collision::new(size(40), bound(5), epsilon(2.0)).unwrap();
    let Support { p_true, p_false } = m.support();
    let l = m.buckets();
    let set = [1, 8, 13, 21, 34];
    for item in 0..40_u32 {
        let held = set.contains(&item);
        let mean: f64 = (0..=u16::MAX)
            .map(|seed| {
                let occupied = m.occupied(seed, &set);
                if occupied.contains(&m.bucket(seed, item)) {
                    p_true
                } else {
                    (1.0 - occupied.len() as f64 * p_true) / f64::from(l - occupied.len() as u32)
                }
            })
            .sum::<f64>()
            / 65_536.0;
        let stated = if held { p_true } else { p_false };
        let se = p_true * (5.0 / f64::from(l)).sqrt() / 256.0;
        assert!((mean - stated).abs() <= 5.0 * se + 1e-12, "{item}: {mean} {stated} {se}");
    }
}

#[test]
fn truncated_geometric_is_its_channel() {
    for (m, e) in [(1, 1.0), (2, 0.5), (10, 1.0), (20, 2.0), (255, 1.0), (255, 16.0)] {
        let mechanism = TruncatedGeometric::new(bound(m), epsilon(e)).unwrap();
        let weights = epsilon(e).weights();
        let rows: Vec<Vec<u128>> = (0..=m).map(|x| (0..=m).map(|y| mechanism.weight(x, y).into()).collect()).collect();
        assert_two_weight(&rows, weights.inside().into(), weights.outside().into());
        assert_eq!(rows[0].iter().sum::<u128>(), mechanism.total());
        // The sampler switches outputs exactly where the cumulative weights do, which is the whole channel.
        for x in [0, m / 2, m] {
            let mut cumulative = 0;
            for y in 0..=m {
                assert_eq!(mechanism.encode(x, cumulative), y);
                cumulative += rows[x as usize][y as usize];
                assert_eq!(mechanism.encode(x, cumulative - 1), y);
            }
        }
        let phi = mechanism.unbiased();
        for (x, row) in rows.iter().enumerate() {
            let mean: f64 =
                row.iter().zip(&phi).map(|(w, phi)| *w as f64 * phi).sum::<f64>() / mechanism.total() as f64;
            assert!((mean - x as f64).abs() < 1e-6, "m={m} e={e} x={x}: {mean}");
        }
    }
}

/// Every mechanism through its public door at deployed weights: a chi-squared test of the support counts of single-symbol
/// reports against the stated probabilities, at significance 1e-6 for each.
#[test]
fn samplers_follow_their_channels() {
    let draws = 200_000_u32;
    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let grr = Mechanism::RandomisedResponse(RandomisedResponse::new(size(11), epsilon(1.0).weights()));
    let geometric = TruncatedGeometric::new(bound(10), epsilon(2.0)).unwrap();
    let expect_geometric: Vec<f64> =
        (0..=10).map(|y| geometric.weight(4, y) as f64 / geometric.total() as f64).collect();
    let Support { p_true, p_false } = RandomisedResponse::new(size(11), epsilon(1.0).weights()).design.support();
    let expect_grr: Vec<f64> = (0..11).map(|y| if y == 4 { p_true } else { p_false }).collect();
    let cases = [
        (grr, Value::Symbol(4), expect_grr),
        (Mechanism::TruncatedGeometric(geometric), Value::Count(4), expect_geometric),
    ];
    for (mechanism, value, expected) in cases {
        let counts = simulate(&mechanism, &TrueValue::new(value), draws, &mut rng);
        let statistic: f64 = counts
            .iter()
            .zip(&expected)
            .map(|(&c, p)| {
                let e = p * f64::from(draws);
                (c as f64 - e).powi(2) / e
            })
            .sum();
        let limit = ChiSquared::new((counts.len() - 1) as f64).unwrap().inverse_cdf(1.0 - 1e-6);
        assert!(statistic < limit, "{mechanism:?}: {statistic} >= {limit}");
    }
}

/// Masks and hashed reports support several cells, so each cell is its own binomial: none may be off by more than the
/// two-sided 1e-6 quantile (4.9 standard errors); there are fewer than 200 cells.
#[test]
fn support_counts_follow_the_stated_probabilities() {
    let draws = 200_000_u32;
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let subset = Mechanism::SubsetSelection(SubsetSelection::new(size(42), epsilon(1.0).weights()).unwrap());
    let collision = Mechanism::Collision(Collision::new(size(30), bound(4), epsilon(2.0)).unwrap());
    let geometry = Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(size(90), epsilon(2.0).weights()).unwrap());
    let cases = [
        (subset, Value::Symbol(17), vec![17]),
        (geometry, Value::Symbol(71), vec![71]),
        (collision, Value::Set(vec![3, 29]), vec![3, 29]),
    ];
    for (mechanism, value, held) in cases {
        let counts = simulate(&mechanism, &TrueValue::new(value), draws, &mut rng);
        let Debias::Shares(Support { p_true, p_false }) = mechanism.debias() else { panic!() };
        for (v, &c) in mechanism.support_counts(&counts).iter().enumerate() {
            let p = if held.contains(&(v as u32)) { p_true } else { p_false };
            let se = (p * (1.0 - p) / f64::from(draws)).sqrt();
            let z = (c as f64 / f64::from(draws) - p) / se;
            assert!(z.abs() < 4.9, "cell {v}: z = {z}");
        }
    }
}

fn simulate(mechanism: &Mechanism, value: &TrueValue, draws: u32, rng: &mut ChaCha20Rng) -> Vec<u64> {
    let mut counts = vec![0; mechanism.cells()];
    for _ in 0..draws {
        let response = mechanism.randomise(value, rng).unwrap();
        let sent = mechanism.encode(&response).unwrap();
        let received = mechanism.decode(&sent).unwrap();
        assert_eq!(received, response);
        mechanism.accumulate(&received, |cell| counts[cell] += 1).unwrap();
    }
    counts
}

/// The minimax benchmark of Ye and Barg at the uniform distribution (data i.i.d.), to the digits printed in LDP.md section 2.4.
#[test]
fn subset_selection_attains_the_minimax_table() {
    let table = [
        (4, 1.0, "2.077", 1),
        (10, 0.5, "12.72", 4),
        (10, 1.0, "3.000", 3),
        (10, 2.0, "0.5922", 1),
        (30, 1.0, "3.441", 8),
        (30, 4.0, "0.0784", 1),
    ];
    for (d, e, printed, w) in table {
        let m = SubsetSelection::new(size(d), epsilon(e).weights()).unwrap();
        assert_eq!(m.subset_size(), w, "d={d} e={e}");
        let variance = m.design.support().variance(1.0 / f64::from(d));
        let decimals = printed.split('.').nth(1).unwrap().len();
        assert_eq!(format!("{variance:.decimals$}"), printed, "d={d} e={e}");
    }
}

#[test]
fn bad_values_are_refused_before_anything_is_drawn() {
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let grr = Mechanism::RandomisedResponse(RandomisedResponse::new(size(3), epsilon(1.0).weights()));
    let sets = Mechanism::Collision(Collision::new(size(9), bound(2), epsilon(1.0)).unwrap());
    let counts = Mechanism::TruncatedGeometric(TruncatedGeometric::new(bound(5), epsilon(1.0)).unwrap());
    let cases = [
        (&grr, Value::Symbol(3), ValueError::OutOfRange),
        (&grr, Value::Count(1), ValueError::WrongKind),
        (&sets, Value::Set(vec![1, 1]), ValueError::BadSet),
        (&sets, Value::Set(vec![1, 2, 3]), ValueError::BadSet),
        (&sets, Value::Set(vec![9]), ValueError::OutOfRange),
        (&counts, Value::Count(6), ValueError::OutOfRange),
    ];
    for (mechanism, value, error) in cases {
        assert_eq!(mechanism.randomise(&TrueValue::new(value), &mut rng), Err(error));
    }
    assert_eq!(rng.next_u64(), ChaCha20Rng::seed_from_u64(4).next_u64());
}

#[test]
fn responses_no_honest_client_can_send_are_refused() {
    let grr = Mechanism::RandomisedResponse(RandomisedResponse::new(size(3), epsilon(1.0).weights()));
    assert_eq!(grr.decode(&[3]), Err(ResponseError::OutOfRange));
    assert_eq!(grr.decode(&[]), Err(ResponseError::WrongLength));
    assert_eq!(grr.decode(&[0, 0]), Err(ResponseError::WrongLength));
    let mask = Mechanism::SubsetSelection(SubsetSelection::new(size(10), epsilon(1.0).weights()).unwrap());
    assert_eq!(mask.decode(&[0b11, 0]), Err(ResponseError::WrongMaskWeight));
    assert_eq!(mask.decode(&[0b11, 0b1000_0000]), Err(ResponseError::WrongMaskWeight));
    assert!(mask.decode(&[0b11, 0b10]).is_ok());
    let sets = Mechanism::Collision(Collision::new(size(9), bound(2), epsilon(1.0)).unwrap());
    assert_eq!(sets.decode(&[0, 0, 255, 255]), Err(ResponseError::OutOfRange));
    let other = grr.decode(&[2]).unwrap();
    assert_eq!(mask.accumulate(&other, |_| panic!("added")), Err(ResponseError::WrongKind));
}

#[test]
fn parameters_out_of_range_are_refused_with_their_range() {
    assert!(SubsetSelection::new(size(65), epsilon(1.0).weights()).is_err());
    assert!(SubsetSelection::new(size(64), Epsilon::MAX.weights()).is_ok());
    let weights = epsilon(1.0).weights();
    for space in
        [(4, 3), (1, 3), (0, 2), (3, 1), (3, 25), (2, 6), (u64::MAX, 2), (1 << 40, 2), (4_099, 3), (300_007, 2)]
    {
        let none = ProjectiveGeometry::over(size(64), space, weights).unwrap_err();
        assert!(none.to_string().contains("64 values"), "{none}");
    }
    assert_eq!(ProjectiveGeometry::over(size(63), (2, 6), weights).unwrap().space(), (2, 6));
    let wide = Collision::new(size(300), bound(200), epsilon(8.0)).unwrap_err();
    assert!(wide.to_string().contains("65535"), "{wide}");
    assert!(Collision::new(size(5), bound(5), epsilon(1.0)).is_err());
    // Rounded weights of so fine a step would realise more than the nominal epsilon.
    for (m, e) in [(255, 0.001), (255, 1e-6), (10, 1e-4)] {
        let fine = TruncatedGeometric::new(bound(m), epsilon(e)).unwrap_err();
        assert!(fine.to_string().contains("too fine"), "{fine}");
    }
    assert!(Weights::new(1, 1).is_err() && Weights::new(2, 0).is_err() && Weights::new(1 << 56, 1).is_err());
}

proptest::proptest! {
    /// No byte sequence makes a decoder panic, and what it accepts re-encodes to the same bytes.
    #[test]
    fn decoders_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..12), d in 2_u32..64, m in 1_u32..6) {
        let e = epsilon(1.5);
        let mut all = vec![
            Mechanism::RandomisedResponse(RandomisedResponse::new(size(d), e.weights())),
            Mechanism::SubsetSelection(SubsetSelection::new(size(d), e.weights()).unwrap()),
            Mechanism::TruncatedGeometric(TruncatedGeometric::new(bound(m), e).unwrap()),
            Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(size(d), e.weights()).unwrap()),
            Mechanism::OneBitMean(OneBitMean::new(bound(m), e.weights())),
            Mechanism::HybridMean(HybridMean::new(bound(m), e)),
            Mechanism::SquareWave(SquareWave::new(bound(m), e)),
        ];
        all.extend(PrivSet::new(size(d), bound(m), e.weights()).map(Mechanism::PrivSet));
        all.extend(Collision::new(size(d), bound(m), e).map(Mechanism::Collision));
        for mechanism in all {
            if let Ok(response) = mechanism.decode(&bytes) {
                proptest::prop_assert_eq!(mechanism.encode(&response).unwrap(), bytes.clone());
                mechanism.accumulate(&response, |cell| assert!(cell < mechanism.cells())).unwrap();
            }
        }
    }
}

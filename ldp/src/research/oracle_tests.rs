// SPDX-License-Identifier: MIT OR Apache-2.0
//! The whole channel of every frequency oracle in a small instance, the sampler against it, and the estimates against their
//! stated variance. All seeds are fixed; every test states its significance.

use rand::rngs::ChaCha20Rng;
use rand::{RngExt, SeedableRng};
use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};

use super::*;
use crate::error::{ParameterError, ResponseError, ValueError};
use crate::{DomainSize, Epsilon, RandomisedResponse, SubsetSelection, Support};

pub(super) fn domain(d: u32) -> DomainSize {
    DomainSize::try_from(u64::from(d)).unwrap()
}

pub(super) fn epsilon(e: f64) -> Epsilon {
    Epsilon::try_from(e).unwrap()
}

/// Asserts that observed counts follow the expected ones: chi-squared at significance 1e-6.
pub(super) fn assert_fits(observed: &[u64], expected: &[f64], what: &str) {
    assert!(expected.iter().all(|&e| e >= 5.0), "{what}: {expected:?}");
    let statistic: f64 = observed.iter().zip(expected).map(|(&o, e)| (o as f64 - e).powi(2) / e).sum();
    let critical = ChiSquared::new(expected.len() as f64 - 1.0).unwrap().inverse_cdf(1.0 - 1e-6);
    assert!(statistic < critical, "{what}: {statistic} >= {critical}: {observed:?} {expected:?}");
}

/// The greatest logarithm of a ratio of two values' likelihoods over the given reports.
pub(super) fn greatest_log_ratio<O: FrequencyOracle>(oracle: &O, reports: &[O::Report]) -> f64 {
    let log = |value, report| oracle.likelihood(value, report).ln();
    let range = |report| {
        let logs = (0..oracle.domain()).map(|value| log(value, report));
        let (low, high) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        high - low
    };
    reports.iter().map(range).fold(0.0, f64::max)
}

/// Asserts of an oracle and *all* its reports, with the number of equally likely public parts among them: every value's
/// likelihoods total 1; the loss is `loss` to 1e-9; a report supports the holder's value and another with the stated chances;
/// and 20,000 draws for the first and the last value fit the likelihoods.
pub(super) fn assert_channel<O: PureOracle>(
    oracle: &O,
    reports: &[O::Report],
    public: f64,
    loss: f64,
    support: impl Fn(u32, u32) -> f64,
) where
    O::Report: PartialEq + std::fmt::Debug,
{
    let d = oracle.domain();
    let found = greatest_log_ratio(oracle, reports);
    assert!((found - loss).abs() < 1e-9, "loss {found}, not {loss}");
    let supported: Vec<Vec<u64>> =
        reports.iter().map(|report| oracle.support_counts(&oracle.aggregate([report]).unwrap())).collect();
    let mut rng = ChaCha20Rng::seed_from_u64(1);
    for value in 0..d {
        let chances: Vec<f64> = reports.iter().map(|report| oracle.likelihood(value, report) / public).collect();
        assert!((chances.iter().sum::<f64>() - 1.0).abs() < 1e-9, "value {value}: {chances:?}");
        for other in 0..d {
            let chance: f64 = chances.iter().zip(&supported).map(|(p, s)| p * s[other as usize] as f64).sum();
            let stated = support(value, other);
            assert!((chance - stated).abs() < 1e-9, "{value} supports {other}: {chance}, not {stated}");
        }
        if value == 0 || value == d - 1 {
            let mut observed = vec![0; reports.len()];
            for _ in 0..20_000 {
                let drawn = oracle.randomise(value, &mut rng).unwrap();
                let index = reports.iter().position(|report| *report == drawn);
                observed[index.unwrap_or_else(|| panic!("an unlisted report: {drawn:?}"))] += 1;
            }
            let expected: Vec<f64> = chances.iter().map(|p| p * 2e4).collect();
            assert_fits(&observed, &expected, &format!("value {value}"));
        }
    }
}

fn assert_pure_channel<O: PureOracle>(oracle: &O, reports: &[O::Report], public: f64, loss: f64)
where
    O::Report: PartialEq + std::fmt::Debug,
{
    let Support { p_true, p_false } = oracle.support();
    assert_channel(oracle, reports, public, loss, |v, u| if v == u { p_true } else { p_false });
}

pub(super) fn all_masks(d: u32) -> Vec<BitVector> {
    (0..1_u64 << d).map(|mask| BitVector::from_words([mask])).collect()
}

#[test]
fn randomised_response_is_its_channel() {
    for (d, e) in [(2, 1.0), (5, 0.5), (6, 2.0)] {
        let oracle = RandomisedResponse::new(domain(d), epsilon(e).weights());
        assert_pure_channel(&oracle, &(0..d).collect::<Vec<_>>(), 1.0, e);
    }
}

#[test]
fn unary_encodings_are_their_channels() {
    for (d, e) in [(2, 1.0), (4, 0.5), (4, 2.0)] {
        assert_pure_channel(&UnaryEncoding::symmetric(domain(d), epsilon(e)), &all_masks(d), 1.0, e);
        assert_pure_channel(&UnaryEncoding::optimised(domain(d), epsilon(e)), &all_masks(d), 1.0, e);
        let thresholded = UnaryEncoding::thresholded(domain(d), epsilon(e));
        assert_pure_channel(&thresholded, &all_masks(d), 1.0, thresholded.loss());
        assert!(thresholded.loss() < e, "{} at {e}", thresholded.loss());
    }
    let any = UnaryEncoding::new(domain(3), 0.7, 0.2).unwrap();
    assert_pure_channel(&any, &all_masks(3), 1.0, (0.7_f64 * 0.8 / (0.3 * 0.2)).ln());
}

#[test]
fn subset_selection_is_its_channel() {
    for (d, e, w) in [(2, 1.0, 1), (4, 0.5, 2), (6, 1.0, 2), (6, 0.2, 3), (6, 3.0, 1)] {
        let oracle = WideSubsetSelection::new(domain(d), epsilon(e));
        assert_eq!(oracle.subset_size(), w);
        let reports: Vec<BitVector> = all_masks(d).into_iter().filter(|mask| mask.count_ones() == w).collect();
        assert_pure_channel(&oracle, &reports, 1.0, e);
    }
}

/// Where the deployed subset selection ends, at 64 values, both are one channel; and beyond, the two likelihoods differ by
/// the factor e^epsilon.
#[test]
fn wide_subset_selection_is_the_deployed_one() {
    for d in [2, 10, 40, 64] {
        for e in [0.5, 1.0, 3.0] {
            let wide = WideSubsetSelection::new(domain(d), epsilon(e));
            let deployed = SubsetSelection::new(domain(d), epsilon(e).weights()).unwrap();
            assert_eq!(wide.subset_size(), deployed.subset_size());
            let (ours, theirs) = (wide.support(), deployed.design.support());
            assert!((ours.p_true - theirs.p_true).abs() < 1e-12, "{ours:?} {theirs:?}");
            assert!((ours.p_false - theirs.p_false).abs() < 1e-12, "{ours:?} {theirs:?}");
        }
    }
    let wide = WideSubsetSelection::new(domain(1000), epsilon(1.0));
    let report = wide.randomise(500, &mut ChaCha20Rng::seed_from_u64(2)).unwrap();
    assert_eq!(report.count_ones(), 269);
    assert!((greatest_log_ratio(&wide, &[report]) - 1.0).abs() < 1e-9);
}

#[test]
fn hadamard_responses_are_their_channels() {
    for (d, e) in [(2, 1.0), (3, 2.0), (6, 1.0), (7, 0.5)] {
        let rows = if d <= 3 { 4 } else { 8 };
        let published = HadamardResponse::new(domain(d), epsilon(e));
        assert_pure_channel(&published, &(0..rows).collect::<Vec<_>>(), 1.0, e);
        let shorter = HadamardResponse::without_constant_row(domain(d), epsilon(e));
        assert_pure_channel(&shorter, &(1..rows).collect::<Vec<_>>(), 1.0, e);
        let one_bit = OneBitHadamard::new(domain(d), epsilon(e));
        let reports: Vec<SignReport> =
            (0..one_bit.rows()).flat_map(|row| [false, true].map(|positive| SignReport { row, positive })).collect();
        assert_pure_channel(&one_bit, &reports, f64::from(one_bit.rows()), e);
    }
}

/// Under any one hash function, all reports; over the draw of the function, how the bucket and two values' own relate.
#[test]
fn local_hashing_is_its_channel() {
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    for (e, g) in [(1.0, 2), (1.0, 4), (2.0, 8), (0.5, 3)] {
        let oracle = LocalHashing::new(domain(6), epsilon(e), g).unwrap();
        let mut loss = 0.0_f64;
        for _ in 0..20 {
            let hash = MultiplyShift::draw(&mut rng);
            let reports: Vec<HashedReport> = (0..g).map(|bucket| HashedReport { hash, bucket }).collect();
            for value in 0..6 {
                let total: f64 = reports.iter().map(|report| oracle.likelihood(value, report)).sum();
                assert!((total - 1.0).abs() < 1e-12);
            }
            loss = loss.max(greatest_log_ratio(&oracle, &reports));
        }
        assert!((loss - e).abs() < 1e-9, "{loss} at {e}");

        let Support { p_true, p_false } = oracle.support();
        let draws = 50_000;
        let (value, other) = (1, 4);
        let mut offsets = vec![0; g as usize];
        let mut pairs = vec![0; (g * g) as usize];
        let mut supports = vec![0; 4];
        for _ in 0..draws {
            let HashedReport { hash, bucket } = oracle.randomise(value, &mut rng).unwrap();
            let (own, others) = (hash.bucket(value, g), hash.bucket(other, g));
            offsets[((bucket + g - own) % g) as usize] += 1;
            pairs[(own * g + others) as usize] += 1;
            supports[2 * usize::from(bucket == own) + usize::from(bucket == others)] += 1;
        }
        let n = f64::from(draws);
        let lie = (1.0 - p_true) / f64::from(g - 1);
        let kept: Vec<f64> = (0..g).map(|offset| n * if offset == 0 { p_true } else { lie }).collect();
        assert_fits(&offsets, &kept, "the bucket, from the value's own");
        assert_fits(&pairs, &vec![n / f64::from(g * g); pairs.len()], "two values' buckets");
        let product = |t: f64, f: f64| n * t * f;
        let expected = [
            product(1.0 - p_true, 1.0 - p_false),
            product(1.0 - p_true, p_false),
            product(p_true, 1.0 - p_false),
            product(p_true, p_false),
        ];
        assert_fits(&supports, &expected, "supports of the value and another");
    }
}

/// True shares of six values in the simulations below.
const SHARES: [f64; 6] = [0.4, 0.25, 0.15, 0.1, 0.1, 0.0];

/// Asserts the mean and the variance of every estimate over 800 rounds of some people drawn from [`SHARES`], with an oracle
/// made anew for each round: a z-test of the mean and a chi-squared test of the variance, both two-sided at significance 1e-6.
/// The estimates are close to normal, as sums over 60 reports or more. `extra` is the variance that people share.
pub(super) fn assert_estimates<O: FrequencyOracle>(
    name: &str,
    people: u32,
    make: impl Fn(&mut ChaCha20Rng) -> O,
    extra: impl Fn(&O, u32) -> f64,
) {
    let rounds = 800_u32;
    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let mut sums = [[0.0_f64; 2]; SHARES.len()];
    for _ in 0..rounds {
        let oracle = make(&mut rng);
        let mut draw = || {
            let mut point: f64 = rng.random();
            let value = SHARES.iter().position(|share| {
                point -= share;
                point < 0.0
            });
            oracle.randomise(u32::try_from(value.unwrap_or(0)).unwrap(), &mut rng).unwrap()
        };
        let reports: Vec<O::Report> = (0..people).map(|_| draw()).collect();
        let estimates = oracle.estimate(&oracle.aggregate(&reports).unwrap(), people.into());
        for ((sum, estimate), share) in sums.iter_mut().zip(estimates).zip(SHARES) {
            sum[0] += estimate - share;
            sum[1] += (estimate - share).powi(2);
        }
    }
    let oracle = make(&mut rng);
    let rounds = f64::from(rounds);
    let normal = Normal::standard().inverse_cdf(1.0 - 5e-7);
    let chi_squared = ChiSquared::new(rounds).unwrap();
    for ((value, [errors, squares]), share) in (0..).zip(sums).zip(SHARES) {
        let variance = oracle.variance(share) / f64::from(people) + extra(&oracle, value);
        let z = errors / (variance * rounds).sqrt();
        assert!(z.abs() < normal, "{name}, value {value}: the mean is {z} standard errors off");
        let statistic = squares / variance;
        let (low, high) = (chi_squared.inverse_cdf(5e-7), chi_squared.inverse_cdf(1.0 - 5e-7));
        assert!(low < statistic && statistic < high, "{name}, value {value}: variance ratio {}", statistic / rounds);
    }
}

#[test]
fn estimates_are_unbiased_with_the_stated_variance() {
    let (d, e) = (domain(6), epsilon(1.0));
    assert_estimates("GRR", 60, |_| RandomisedResponse::new(d, e.weights()), |_, _| 0.0);
    assert_estimates("SUE", 60, |_| UnaryEncoding::symmetric(d, e), |_, _| 0.0);
    assert_estimates("OUE", 60, |_| UnaryEncoding::optimised(d, e), |_, _| 0.0);
    assert_estimates("THE", 60, |_| UnaryEncoding::thresholded(d, e), |_, _| 0.0);
    assert_estimates("UE", 60, |_| UnaryEncoding::new(d, 0.9, 0.4).unwrap(), |_, _| 0.0);
    assert_estimates("SHE", 60, |_| HistogramEncoding::new(d, e), |_, _| 0.0);
    assert_estimates("SS", 60, |_| WideSubsetSelection::new(d, e), |_, _| 0.0);
    assert_estimates("BLH", 60, |_| LocalHashing::binary(d, e), |_, _| 0.0);
    assert_estimates("OLH", 60, |_| LocalHashing::optimised(d, e), |_, _| 0.0);
    assert_estimates("HR", 60, |_| HadamardResponse::new(d, e), |_, _| 0.0);
    assert_estimates("HR without row 0", 60, |_| HadamardResponse::without_constant_row(d, e), |_, _| 0.0);
    assert_estimates("1-bit HR", 60, |_| OneBitHadamard::new(d, e), |_, _| 0.0);
}

/// `n Var` against the closed forms of LDP.md sections 2.2 and 2.3 at f = 0, and at f > 0 where they state it.
#[test]
fn variances_are_the_published_closed_forms() {
    let d = domain(50);
    for e in [0.5_f64, 1.0, 2.0, 4.0] {
        let (a, eps) = (e.exp(), epsilon(e));
        let near = |found: f64, stated: f64| assert!((found / stated - 1.0).abs() < 1e-8, "{e}: {found} {stated}");
        near(UnaryEncoding::symmetric(d, eps).variance(0.0), a.sqrt() / (a.sqrt() - 1.0).powi(2));
        let oue = 4.0 * a / (a - 1.0).powi(2);
        near(UnaryEncoding::optimised(d, eps).variance(0.0), oue);
        near(UnaryEncoding::optimised(d, eps).support().noise_variance(0.3), oue + 0.3);
        near(HistogramEncoding::new(d, eps).variance(0.0), 8.0 / (e * e));
        near(LocalHashing::binary(d, eps).variance(0.0), ((a + 1.0) / (a - 1.0)).powi(2));
        let olh = LocalHashing::optimised(d, eps);
        let g = f64::from(olh.buckets());
        near(olh.variance(0.0), (a + g - 1.0).powi(2) / ((a - 1.0).powi(2) * (g - 1.0)));
        near(OneBitHadamard::new(d, eps).variance(0.3), ((a + 1.0) / (a - 1.0)).powi(2) - 0.09);
    }
}

fn assert_refuses_bad_values<O: FrequencyOracle>(oracle: &O) {
    let mut rng = ChaCha20Rng::seed_from_u64(5);
    for value in [oracle.domain(), oracle.domain() + 1, u32::MAX] {
        assert_eq!(oracle.randomise(value, &mut rng).err(), Some(ValueError::OutOfRange));
    }
    assert_eq!(rng, ChaCha20Rng::seed_from_u64(5));
    // Foreign sums, too few or none, and no reports: numbers or none, but no panic.
    oracle.estimate(&[], 0);
    let one = oracle.randomise(0, &mut rng).unwrap();
    let cells = oracle.aggregate([&one]).unwrap();
    assert_eq!(cells.len(), oracle.cells());
    oracle.estimate(&cells[..1], 1);
    assert!(oracle.estimate(&oracle.aggregate([]).unwrap(), 0).iter().all(|share| share.is_nan()));
}

#[test]
fn bad_values_and_sums_are_survived() {
    for d in [2, 6, 64, 65, 1000] {
        let (d, e) = (domain(d), epsilon(1.0));
        assert_refuses_bad_values(&RandomisedResponse::new(d, e.weights()));
        assert_refuses_bad_values(&UnaryEncoding::optimised(d, e));
        assert_refuses_bad_values(&HistogramEncoding::new(d, e));
        assert_refuses_bad_values(&WideSubsetSelection::new(d, e));
        assert_refuses_bad_values(&LocalHashing::optimised(d, e));
        assert_refuses_bad_values(&HadamardResponse::new(d, e));
        assert_refuses_bad_values(&HadamardResponse::without_constant_row(d, e));
        assert_refuses_bad_values(&OneBitHadamard::new(d, e));
        let (rows, mut rng) = (3.try_into().unwrap(), ChaCha20Rng::seed_from_u64(6));
        assert_refuses_bad_values(&Cms::new(d, e, rows, domain(8), &mut rng));
        assert_refuses_bad_values(&Hcms::new(d, e, rows, domain(8), &mut rng));
    }
}

#[test]
fn impossible_reports_are_refused() {
    let (d, e) = (domain(6), epsilon(1.0));
    let mask = |bits: u64| BitVector::from_words([bits]);
    assert_eq!(RandomisedResponse::new(d, e.weights()).aggregate(&[0, 6]), Err(ResponseError::OutOfRange));
    assert_eq!(UnaryEncoding::symmetric(d, e).aggregate(&[mask(64)]), Err(ResponseError::OutOfRange));
    assert_eq!(UnaryEncoding::symmetric(d, e).aggregate(&[BitVector::from_words([])]), Err(ResponseError::WrongLength));
    let subset = WideSubsetSelection::new(d, e);
    for bad in [0b1, 0b111] {
        assert_eq!(subset.aggregate(&[mask(0b11), mask(bad)]), Err(ResponseError::WrongMaskWeight));
    }
    assert_eq!(subset.aggregate(&[mask(0b11), mask(0b101)]), Ok(vec![2, 1, 1, 0, 0, 0]));
    assert_eq!(subset.aggregate(&[mask(0b100_0001)]), Err(ResponseError::OutOfRange));
    assert_eq!(
        HistogramEncoding::new(d, e).aggregate(&[vec![0.0; 5].into_boxed_slice()]),
        Err(ResponseError::WrongLength)
    );
    let hash = MultiplyShift { multiplier: 3, offset: 4 };
    let olh = LocalHashing::optimised(d, e);
    assert_eq!(olh.aggregate(&[HashedReport { hash, bucket: 4 }]), Err(ResponseError::OutOfRange));
    assert_eq!(HadamardResponse::new(d, e).aggregate(&[8]), Err(ResponseError::OutOfRange));
    assert_eq!(HadamardResponse::without_constant_row(d, e).aggregate(&[0]), Err(ResponseError::OutOfRange));
    let sign = SignReport { row: 8, positive: false };
    assert_eq!(OneBitHadamard::new(d, e).aggregate(&[sign]), Err(ResponseError::OutOfRange));
    let sketch = Hcms::new(d, e, 2.try_into().unwrap(), domain(8), &mut ChaCha20Rng::seed_from_u64(7));
    for (row, column) in [(2, 0), (1, 8), (u16::MAX, u32::MAX)] {
        let content = SignReport { row: column, positive: true };
        assert_eq!(sketch.aggregate(&[SketchReport { row, content }]), Err(ResponseError::OutOfRange));
    }
}

#[test]
fn impossible_parameters_are_refused() {
    for (p, q) in [(0.5, 0.5), (0.2, 0.7), (1.0, 0.5), (0.5, 0.0), (f64::NAN, 0.5), (0.5, f64::NAN), (2.0, -1.0)] {
        assert!(matches!(UnaryEncoding::new(domain(4), p, q), Err(ParameterError::Chances { .. })), "{p} {q}");
        assert!(matches!(Rappor::new(domain(4), 0.5, q, p), Err(ParameterError::Chances { .. })), "{p} {q}");
    }
    for f in [0.0, 1.0, -0.5, f64::NAN] {
        assert!(matches!(Rappor::new(domain(4), f, 0.5, 0.75), Err(ParameterError::PermanentNoise(_))), "{f}");
    }
    for d in [0, 1, 100_001] {
        assert_eq!(DomainSize::try_from(d), Err(ParameterError::DomainSize(d)));
    }
}

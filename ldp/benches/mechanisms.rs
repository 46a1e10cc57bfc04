// SPDX-License-Identifier: MIT OR Apache-2.0
//! `cargo bench -p stipple-ldp --features research`: one call of everything that is called often, epsilon 1.
//!
//! `randomise` and `oracle/encode` are one report, `oracle/aggregate` is 2,000 of them; `decode` turns the message
//! counts of projective geometry response into support counts; `coins` is 65,536 of them.

use std::error::Error;
use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use stipple_ldp::research::{BitVector, FrequencyOracle, LocalHashing, UnaryEncoding, WideSubsetSelection};
use stipple_ldp::{
    Bound, Collision, DomainSize, Epsilon, HybridMean, Mechanism, OneBitMean, PrivSet, ProjectiveGeometry,
    RandomisedResponse, SquareWave, SubsetSelection, TrueValue, TruncatedGeometric, Value,
};

type Outcome = Result<(), Box<dyn Error>>;

const REPORTS: u32 = 2_000;

fn main() -> Outcome {
    let mut criterion = Criterion::default().configure_from_args();
    let epsilon = Epsilon::try_from(1.0)?;
    randomise(&mut criterion, epsilon)?;
    decode(&mut criterion, epsilon)?;
    let size = DomainSize::try_from(1000)?;
    oracle(&mut criterion, "OUE", &UnaryEncoding::optimised(size, epsilon))?;
    oracle(&mut criterion, "OLH", &LocalHashing::optimised(size, epsilon))?;
    oracle(&mut criterion, "SS", &WideSubsetSelection::new(size, epsilon))?;
    coins(&mut criterion);
    criterion.final_summary();
    Ok(())
}

fn randomise(criterion: &mut Criterion, epsilon: Epsilon) -> Outcome {
    use Value::{Count, Set, Symbol};
    let (size, bound, weights) = (DomainSize::try_from, Bound::try_from, epsilon.weights());
    let symbols = |d| size(d).map(|size| Mechanism::RandomisedResponse(RandomisedResponse::new(size, weights)));
    let mechanisms = [
        ("randomised response d=2", symbols(2)?, Symbol(1)),
        ("randomised response d=1000", symbols(1000)?, Symbol(500)),
        ("subset selection d=64", Mechanism::SubsetSelection(SubsetSelection::new(size(64)?, weights)?), Symbol(40)),
        (
            "projective geometry d=1000",
            Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(size(1000)?, weights)?),
            Symbol(500),
        ),
        (
            "collision d=300 m=5",
            Mechanism::Collision(Collision::new(size(300)?, bound(5)?, epsilon)?),
            Set(vec![3, 50, 101, 200, 299]),
        ),
        ("PrivSet d=20 m=4", Mechanism::PrivSet(PrivSet::new(size(20)?, bound(4)?, weights)?), Set(vec![0, 5, 12, 19])),
        ("one-bit mean m=20", Mechanism::OneBitMean(OneBitMean::new(bound(20)?, weights)), Count(7)),
        ("hybrid mean m=20", Mechanism::HybridMean(HybridMean::new(bound(20)?, epsilon)), Count(7)),
        ("square wave m=63", Mechanism::SquareWave(SquareWave::new(bound(63)?, epsilon)), Count(20)),
        (
            "truncated geometric m=20",
            Mechanism::TruncatedGeometric(TruncatedGeometric::new(bound(20)?, epsilon)?),
            Count(7),
        ),
    ];
    let mut group = criterion.benchmark_group("randomise");
    for (name, mechanism, value) in mechanisms {
        let (value, mut rng) = (TrueValue::new(value), ChaCha12Rng::seed_from_u64(1));
        mechanism.check(&value)?;
        group.bench_function(name, |bencher| bencher.iter(|| mechanism.randomise(black_box(&value), &mut rng)));
    }
    group.finish();
    Ok(())
}

fn decode(criterion: &mut Criterion, epsilon: Epsilon) -> Outcome {
    let (small, large) = (DomainSize::try_from(1000)?, DomainSize::try_from(100_000)?);
    let geometries = [
        ("d=1000", ProjectiveGeometry::new(small, epsilon.weights())?),
        ("d=100000", ProjectiveGeometry::new(large, epsilon.weights())?),
        ("d=100000 q=2 t=20", ProjectiveGeometry::over(large, (2, 20), epsilon.weights())?),
    ];
    let mut group = criterion.benchmark_group("decode");
    group.sample_size(20);
    for (name, geometry) in geometries {
        let mechanism = Mechanism::ProjectiveGeometry(geometry);
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let cells: Vec<u64> = (0..mechanism.cells()).map(|_| rng.random_range(0..1000)).collect();
        let name = format!("{name} K={}", cells.len());
        group.bench_function(name, |bencher| bencher.iter(|| black_box(mechanism.support_counts(black_box(&cells)))));
    }
    group.finish();
    Ok(())
}

fn oracle<O: FrequencyOracle>(criterion: &mut Criterion, name: &str, oracle: &O) -> Outcome {
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    let mut group = criterion.benchmark_group("oracle");
    group.bench_function(BenchmarkId::new("encode", name), |bencher| {
        bencher.iter(|| oracle.randomise(black_box(500), &mut rng));
    });
    let reports = (0..REPORTS).map(|i| oracle.randomise(i % 1000, &mut rng)).collect::<Result<Vec<_>, _>>()?;
    group.throughput(Throughput::Elements(REPORTS.into()));
    group.bench_function(BenchmarkId::new("aggregate", name), |bencher| {
        bencher.iter(|| oracle.aggregate(black_box(&reports)));
    });
    group.finish();
    Ok(())
}

fn coins(criterion: &mut Criterion) {
    let (count, mut rng) = (1 << 16, ChaCha12Rng::seed_from_u64(1));
    let mut group = criterion.benchmark_group("coins");
    group.throughput(Throughput::Elements(count.into()));
    for (name, chance) in [("of OUE", 1.0 / (1_f64.exp() + 1.0)), ("fair", 0.5)] {
        group.bench_function(name, |bencher| bencher.iter(|| BitVector::tossed(count, black_box(chance), &mut rng)));
    }
    group.finish();
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many reports a second each protocol randomises and sums up on one core, as JSON lines.
//!
//! `cargo run --release -p stipple-ldp --features research --example rates -- N [D [EPSILON]]`: N reports on values of
//! a Zipf law with exponent 1.1 over D values (1000), at EPSILON (1). Rates are the median of 5 rounds; `mse` is their
//! mean squared error over all values, `mse_projected` that of the nearest shares (Norm-Sub). GRR and PGR are the
//! deployed mechanisms, called as a workstation and a server call them. Protocols whose name begins with L- are at
//! twice EPSILON for good and report for the first time; those without "exact" have the published calibration, and
//! `loss` is what a report really loses.
//!
//! Two kinds of line stand apart: `bits`, the time of one coin among many; and `report from OS`, a whole report of a
//! deployed mechanism from a generator that is seeded by the operating system for it alone.

use std::error::Error;
use std::io::Write;
use std::num::{NonZeroU16, NonZeroUsize};
use std::ops::AddAssign;
use std::time::{Duration, Instant};

use rand::rngs::{ChaCha12Rng, ChaCha20Rng, SysRng};
use rand::{RngExt, SeedableRng};
use serde_json::json;
use stipple_ldp::postprocess::norm_sub;
use stipple_ldp::research::longitudinal::{
    Calibration, DBitFlip, Loloha, Longitudinal, LongitudinalGrr, LongitudinalUnary,
};
use stipple_ldp::research::multidimensional::{Answer, MultiDimensional, Solution};
use stipple_ldp::research::{
    BitVector, Cms, FrequencyOracle, HadamardResponse, Hcms, HistogramEncoding, LocalHashing, OneBitHadamard, Rappor,
    RapporMemo, UnaryEncoding, WideSubsetSelection,
};
use stipple_ldp::{
    Bound, Collision, Debias, DomainSize, Epsilon, Mechanism, ProjectiveGeometry, RandomisedResponse, Response,
    SubsetSelection, TrueValue, Value,
};

const ROUNDS: u64 = 5;
/// Reports in memory at a time: a batch of the widest, SHE's, has 16 MB.
const BATCH: usize = 2000;
/// d', the bits that dBitFlipPM asks for, as many as of the peers.
const DBITFLIP_BITS: u32 = 8;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let reports: NonZeroUsize = arguments.next().ok_or("usage: rates N [D [EPSILON]]")?.parse()?;
    let domain = DomainSize::try_from(arguments.next().map_or(Ok(1000), |d| d.parse::<u64>())?)?;
    let epsilon = Epsilon::try_from(arguments.next().map_or(Ok(1.0), |e| e.parse::<f64>())?)?;
    let bench = Bench::new(reports.get(), domain, epsilon);

    bench.mechanism("GRR", &Mechanism::RandomisedResponse(RandomisedResponse::new(domain, epsilon.weights())))?;
    bench.oracle("SUE", &UnaryEncoding::symmetric(domain, epsilon))?;
    bench.oracle("OUE", &UnaryEncoding::optimised(domain, epsilon))?;
    bench.oracle("SHE", &HistogramEncoding::new(domain, epsilon))?;
    bench.oracle("THE", &UnaryEncoding::thresholded(domain, epsilon))?;
    bench.oracle("BLH", &LocalHashing::binary(domain, epsilon))?;
    bench.oracle("OLH", &LocalHashing::optimised(domain, epsilon))?;
    bench.oracle("SS", &WideSubsetSelection::new(domain, epsilon))?;
    bench.oracle("HR", &HadamardResponse::new(domain, epsilon))?;
    bench.oracle("1-bit HR", &OneBitHadamard::new(domain, epsilon))?;
    let (rows, width) = (NonZeroU16::new(128).ok_or("no rows")?, DomainSize::try_from(1024)?);
    let mut functions = ChaCha12Rng::seed_from_u64(0);
    bench.oracle("CMS", &Cms::new(domain, epsilon, rows, width, &mut functions))?;
    bench.oracle("HCMS", &Hcms::new(domain, epsilon, rows, width, &mut functions))?;
    bench.rappor()?;
    bench.mechanism("PGR", &Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(domain, epsilon.weights())?))?;
    bench.weekly_protocols()?;
    bench.some_bits()?;
    bench.two_attributes("RS+FD[GRR]", Solution::FakeGrr)?;
    bench.two_attributes("RS+FD[OUE-z]", Solution::FakeOueZero)?;
    bench.bits()?;
    bench.reports_from_the_system()
}

struct Bench {
    domain: DomainSize,
    epsilon: Epsilon,
    values: Vec<u32>,
    shares: Vec<f64>,
}

impl Bench {
    fn new(reports: usize, domain: DomainSize, epsilon: Epsilon) -> Self {
        let weights = (1..=domain.get()).map(|rank| f64::from(rank).powf(-1.1));
        let cumulative: Vec<f64> =
            weights.scan(0.0, |sum, weight| Some(*sum + weight).inspect(|s| *sum = *s)).collect();
        let total = cumulative.last().copied().unwrap_or(1.0);
        let mut rng = ChaCha12Rng::seed_from_u64(0);
        let mut shares = vec![0.0; cumulative.len()];
        let mut draw = || {
            let point = rng.random_range(0.0..total);
            let value = cumulative.partition_point(|&sum| sum <= point).min(shares.len() - 1);
            shares[value] += 1.0 / reports as f64;
            u32::try_from(value).unwrap_or(u32::MAX)
        };
        let values = (0..reports).map(|_| draw()).collect();
        Self { domain, epsilon, values, shares }
    }

    fn oracle<O: FrequencyOracle>(&self, protocol: &str, oracle: &O) -> Outcome<()> {
        self.measure(
            protocol,
            &json!({}),
            |value, rng| Ok(oracle.randomise(value, rng)?),
            |reports| Ok(oracle.aggregate(reports)?),
            |cells, reports| oracle.estimate(cells, reports),
        )
    }

    fn mechanism(&self, protocol: &str, mechanism: &Mechanism) -> Outcome<()> {
        let Debias::Shares(support) = mechanism.debias() else { return Err("not a frequency oracle".into()) };
        let aggregate = |responses: &[Response]| {
            let mut cells = vec![0_u64; mechanism.cells()];
            for response in responses {
                mechanism.accumulate(response, |cell| cells[cell] += 1)?;
            }
            Ok(cells)
        };
        self.measure(
            protocol,
            &json!({}),
            |value, rng| Ok(mechanism.randomise(&TrueValue::new(Value::Symbol(value)), rng)?),
            aggregate,
            |cells, reports| {
                let counts = mechanism.support_counts(cells);
                counts.iter().map(|&count| support.share(count as f64 / reports as f64)).collect()
            },
        )
    }

    /// A client's first report, with the permanent response at twice the loss: symmetric noise in both steps.
    fn rappor(&self) -> Outcome<()> {
        let epsilon = f64::from(self.epsilon);
        let f = 2.0 / (epsilon.exp() + 1.0);
        let reported = 1.0 / ((-epsilon / 2.0).exp() + 1.0);
        let q = (reported - f / 2.0) / (1.0 - f);
        let rappor = Rappor::new(self.domain, f, 1.0 - q, q)?;
        let server = rappor.one_shot();
        self.measure(
            "RAPPOR",
            &json!({}),
            |value, rng| Ok(rappor.report(value, &mut RapporMemo::default(), rng)?),
            |reports| Ok(server.aggregate(reports)?),
            |cells, reports| server.estimate(cells, reports),
        )
    }

    /// Longitudinal protocols of one row of bits, one symbol or one bucket.
    fn weekly_protocols(&self) -> Outcome<()> {
        let (d, first) = (self.domain, self.epsilon);
        let infinity = Epsilon::try_from(2.0 * f64::from(first))?;
        let unary = |protocol: &str, m: &LongitudinalUnary| -> Outcome<()> {
            let support = m.support();
            let server = UnaryEncoding::new(d, support.p_true, support.p_false)?;
            self.weekly(protocol, m, |reports| {
                let rows: Vec<BitVector> = reports.iter().map(|report| BitVector::from_words(report.words())).collect();
                Ok(server.aggregate(&rows)?)
            })
        };
        unary("L-SUE", &LongitudinalUnary::sue(d, infinity, first)?)?;
        unary("L-OSUE", &LongitudinalUnary::osue(d, infinity, first)?)?;
        for (calibration, suffix) in [(Calibration::Published, ""), (Calibration::Exact, " exact")] {
            let symbols = LongitudinalGrr::new(d, infinity, first, calibration)?;
            self.weekly(&format!("L-GRR{suffix}"), &symbols, |reports| {
                let mut counts = vec![0_u64; d.get() as usize];
                for &symbol in reports {
                    *counts.get_mut(usize::try_from(symbol)?).ok_or("a symbol beyond the last")? += 1;
                }
                Ok(counts)
            })?;
            let hashed = Loloha::optimal(d, infinity, first, calibration)?;
            self.weekly(&format!("L-OLH{suffix}"), &hashed, |reports| {
                let mut counts = vec![0_u64; d.get() as usize];
                for report in reports {
                    for (value, count) in (0..).zip(&mut counts) {
                        *count += u64::from(hashed.supports(report, value) == Some(true));
                    }
                }
                Ok(counts)
            })?;
        }
        Ok(())
    }

    fn weekly<L: Longitudinal>(
        &self,
        protocol: &str,
        m: &L,
        aggregate: impl Fn(&[L::Report]) -> Outcome<Vec<u64>>,
    ) -> Outcome<()> {
        let support = m.support();
        self.measure(
            protocol,
            &json!({ "epsilon_inf": m.epsilon_infinity(), "loss": m.epsilon_first() }),
            |value, rng| Ok(m.report(&mut m.enrol(rng), value, rng)?),
            aggregate,
            |counts, reports| counts.iter().map(|&count| support.share(count as f64 / reports as f64)).collect(),
        )
    }

    /// The cells are how often each bit was asked for, then how often it was set.
    fn some_bits(&self) -> Outcome<()> {
        let (d, asked_bits) = (self.domain.get() as usize, self.domain.get().min(DBITFLIP_BITS));
        let m = DBitFlip::new(self.domain, asked_bits, self.epsilon)?;
        let support = m.support();
        self.measure(
            "dBitFlipPM",
            &json!({ "bits": asked_bits, "loss": m.epsilon_first() }),
            |value, rng| Ok(m.report(&mut m.enrol(rng), value, rng)?),
            |reports| {
                let mut cells = vec![0_u64; 2 * d];
                let (asked, set) = cells.split_at_mut(d);
                for report in reports {
                    for ((value, asked), set) in (0..).zip(&mut *asked).zip(&mut *set) {
                        if let Some(supported) = m.supports(report, value) {
                            *asked += 1;
                            *set += u64::from(supported);
                        }
                    }
                }
                Ok(cells)
            },
            |cells, reports| {
                let (asked, set) = cells.split_at(d);
                // Each of n senders was asked with the chance d'/d.
                let scale = d as f64 / f64::from(asked_bits) / reports as f64 / support.contrast();
                let share = |(&asked, &set): (&u64, &u64)| scale * (set as f64 - asked as f64 * support.p_false);
                asked.iter().zip(set).map(share).collect()
            },
        )
    }

    /// Two attributes of d values, the second one the first in reverse. The error is that of both.
    fn two_attributes(&self, protocol: &str, solution: Solution) -> Outcome<()> {
        let (d, last) = (self.domain.get() as usize, self.domain.get() - 1);
        let m = MultiDimensional::new(solution, &[self.domain; 2], self.epsilon)?;
        let support = m.support(0).ok_or("no attribute")?;
        self.measure(
            protocol,
            &json!({ "attributes": 2, "loss": m.loss_per_report() }),
            |value, rng| Ok(m.randomise(&[value, last - value], rng)?),
            |reports| {
                let mut cells = vec![0_u64; 2 * d];
                for (answers, report) in reports.iter().flat_map(|report| (0..).step_by(d).zip(report)) {
                    match report {
                        Some(Answer::Symbol(symbol)) => cells[answers + *symbol as usize] += 1,
                        Some(Answer::Bits(bits)) => {
                            cells[answers..].iter_mut().zip(bits).for_each(|(cell, &bit)| *cell += u64::from(bit));
                        }
                        None => {}
                    }
                }
                Ok(cells)
            },
            |cells, reports| {
                let (first, second) = cells.split_at(d);
                let counts = first.iter().chain(second.iter().rev());
                counts.map(|&count| support.share(count as f64 / reports as f64)).collect()
            },
        )
    }

    /// Coins of the chance of OUE, drawn in rows of a million.
    fn bits(&self) -> Outcome<()> {
        let (coins, chance) = (1 << 20, 1.0 / (f64::from(self.epsilon).exp() + 1.0));
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let rounds = (0..ROUNDS).map(|_| {
            let start = Instant::now();
            std::hint::black_box(BitVector::tossed(coins, chance, &mut rng));
            start.elapsed()
        });
        let nanoseconds = median(rounds.collect()).as_secs_f64() * 1e9 / f64::from(coins);
        print_line(&json!({ "protocol": "bits", "chance": chance, "ns_per_bit": nanoseconds }))
    }

    /// What a workstation does for one report, but for the network: seed a generator, randomise, encode.
    fn reports_from_the_system(&self) -> Outcome<()> {
        let (size, bound, weights) = (DomainSize::try_from, Bound::try_from, self.epsilon.weights());
        let subsets = Mechanism::SubsetSelection(SubsetSelection::new(size(64)?, weights)?);
        let points = Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(size(1000)?, weights)?);
        let sets = Mechanism::Collision(Collision::new(size(300)?, bound(5)?, self.epsilon)?);
        for mechanism in [subsets, points, sets] {
            let d = u32::try_from(mechanism.values())?;
            let value = |&v: &u32| match mechanism {
                Mechanism::Collision(_) => Value::Set((0..5).map(|item| (v + item) % d).collect()),
                _ => Value::Symbol(v % d),
            };
            let values: Vec<TrueValue> = self.values.iter().map(value).map(TrueValue::new).collect();
            let mut times = Vec::new();
            for _ in 0..ROUNDS {
                let start = Instant::now();
                for value in &values {
                    let mut rng = ChaCha20Rng::try_from_rng(&mut SysRng)?;
                    std::hint::black_box(mechanism.encode(&mechanism.randomise(value, &mut rng)?)?);
                }
                times.push(start.elapsed());
            }
            print_line(&json!({
                "protocol": "report from OS",
                "mechanism": mechanism.name(),
                "d": d,
                "epsilon": f64::from(self.epsilon),
                "n": values.len(),
                "encode_per_s": (values.len() as f64 / median(times).as_secs_f64()).round(),
            }))?;
        }
        Ok(())
    }

    /// One line of rates and errors, with further fields. Estimates are d shares, or those of several attributes.
    fn measure<R, C: AddAssign + Copy>(
        &self,
        protocol: &str,
        further: &serde_json::Value,
        encode: impl Fn(u32, &mut ChaCha12Rng) -> Outcome<R>,
        aggregate: impl Fn(&[R]) -> Outcome<Vec<C>>,
        estimate: impl Fn(&[C], u64) -> Vec<f64>,
    ) -> Outcome<()> {
        let (mut encoding, mut aggregating, mut errors) = (Vec::new(), Vec::new(), [0.0; 2]);
        for round in 0..ROUNDS {
            let mut rng = ChaCha12Rng::seed_from_u64(round + 1);
            let (mut encode_time, mut aggregate_time) = (Duration::ZERO, Duration::ZERO);
            let mut sums: Vec<C> = Vec::new();
            for values in self.values.chunks(BATCH) {
                let start = Instant::now();
                let reports = values.iter().map(|&value| encode(value, &mut rng)).collect::<Outcome<Vec<R>>>()?;
                encode_time += start.elapsed();
                let start = Instant::now();
                let cells = aggregate(&reports)?;
                if sums.is_empty() {
                    sums = cells;
                } else {
                    sums.iter_mut().zip(&cells).for_each(|(sum, cell)| *sum += *cell);
                }
                aggregate_time += start.elapsed();
            }
            let start = Instant::now();
            let estimates = estimate(&sums, self.values.len() as u64);
            aggregate_time += start.elapsed();
            encoding.push(encode_time);
            aggregating.push(aggregate_time);
            for attribute in estimates.chunks(self.shares.len()) {
                for (error, shares) in errors.iter_mut().zip([attribute, &norm_sub(attribute)]) {
                    let squares = shares.iter().zip(&self.shares).map(|(estimate, share)| (estimate - share).powi(2));
                    *error += squares.sum::<f64>() / estimates.len() as f64 / ROUNDS as f64;
                }
            }
        }
        let rate = |times: Vec<Duration>| self.values.len() as f64 / median(times).as_secs_f64();
        let mut row = json!({
            "protocol": protocol,
            "d": self.domain.get(),
            "epsilon": f64::from(self.epsilon),
            "n": self.values.len(),
            "encode_per_s": rate(encoding).round(),
            "aggregate_per_s": rate(aggregating).round(),
            "mse": errors[0],
            "mse_projected": errors[1],
        });
        if let (Some(row), Some(further)) = (row.as_object_mut(), further.as_object()) {
            row.extend(further.clone());
        }
        print_line(&row)
    }
}

fn print_line(row: &serde_json::Value) -> Outcome<()> {
    Ok(writeln!(std::io::stdout(), "{row}")?)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

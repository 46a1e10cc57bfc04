// SPDX-License-Identifier: MIT OR Apache-2.0
//! How many reports a second each frequency oracle randomises and sums up on one core, as JSON lines.
//!
//! `cargo run --release -p stipple-ldp --features research --example rates -- N [D [EPSILON]]`: N reports on values of a Zipf
//! law with exponent 1.1 over D values (1000), at EPSILON (1). Rates are the median of 5 rounds, `mse` is their mean squared
//! error over all values. GRR and PGR are the deployed mechanisms, called as a workstation and a server call them.

use std::error::Error;
use std::io::Write;
use std::num::{NonZeroU16, NonZeroUsize};
use std::ops::AddAssign;
use std::time::{Duration, Instant};

use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};
use stipple_ldp::research::{
    Cms, FrequencyOracle, HadamardResponse, Hcms, HistogramEncoding, LocalHashing, OneBitHadamard, Rappor, RapporMemo,
    UnaryEncoding, WideSubsetSelection,
};
use stipple_ldp::{
    Debias, DomainSize, Epsilon, Mechanism, ProjectiveGeometry, RandomisedResponse, Response, TrueValue, Value,
};

const ROUNDS: u64 = 5;
/// Reports in memory at a time: a batch of the widest, SHE's, has 16 MB.
const BATCH: usize = 2000;

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
    bench.mechanism("PGR", &Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(domain, epsilon.weights())?))
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
            |value, rng| Ok(rappor.report(value, &mut RapporMemo::default(), rng)?),
            |reports| Ok(server.aggregate(reports)?),
            |cells, reports| server.estimate(cells, reports),
        )
    }

    fn measure<R, C: AddAssign + Copy>(
        &self,
        protocol: &str,
        encode: impl Fn(u32, &mut ChaCha12Rng) -> Outcome<R>,
        aggregate: impl Fn(&[R]) -> Outcome<Vec<C>>,
        estimate: impl Fn(&[C], u64) -> Vec<f64>,
    ) -> Outcome<()> {
        let (mut encoding, mut aggregating, mut errors) = (Vec::new(), Vec::new(), 0.0);
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
            let squares = estimates.iter().zip(&self.shares).map(|(estimate, share)| (estimate - share).powi(2));
            errors += squares.sum::<f64>() / self.shares.len() as f64;
        }
        let rate = |times: Vec<Duration>| self.values.len() as f64 / median(times).as_secs_f64();
        let row = serde_json::json!({
            "protocol": protocol,
            "d": self.domain.get(),
            "epsilon": f64::from(self.epsilon),
            "n": self.values.len(),
            "encode_per_s": rate(encoding).round(),
            "aggregate_per_s": rate(aggregating).round(),
            "mse": errors / ROUNDS as f64,
        });
        Ok(writeln!(std::io::stdout(), "{row}")?)
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

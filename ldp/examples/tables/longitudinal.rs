// SPDX-License-Identifier: MIT OR Apache-2.0
//! One question every week (LDP.md section 2.9): error, linkability and re-linking of the protocols that memoise, and
//! what the exact calibration of the second randomisation gains.

use std::error::Error;
use std::path::Path;

use stipple_ldp::research::longitudinal::{
    Calibration, Chain, DBitFlip, Loloha, Longitudinal, LongitudinalGrr, LongitudinalUnary, relink,
};
use stipple_ldp::{DomainSize, Epsilon, Mechanism, ProjectiveGeometry};

use crate::plot::{Plot, Series, lines};
use crate::simulate::generator;
use crate::table::{Table, digits};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Crowds in which a machine is searched for.
const CROWDS: [usize; 2] = [20_000, 2_000];
/// Machines that are searched for in a simulation: a rate has a standard error of at most 0.8 per cent.
const TARGETS: usize = 4_000;

const SIMULATION: &str = "simulation";
const CLOSED_FORM: &str = "closed form";

/// A question with the two losses.
#[derive(Clone, Copy)]
struct Setting {
    size: DomainSize,
    infinity: Epsilon,
    first: Epsilon,
}

impl Setting {
    fn new(d: u64, infinity: f64, first: f64) -> Outcome<Self> {
        let [infinity, first] = [infinity, first].map(Epsilon::try_from);
        Ok(Self { size: DomainSize::try_from(d)?, infinity: infinity?, first: first? })
    }

    fn osue(self) -> Outcome<LongitudinalUnary> {
        Ok(LongitudinalUnary::osue(self.size, self.infinity, self.first)?)
    }

    /// L-SUE, RAPPOR without its Bloom filter.
    fn rappor(self) -> Outcome<LongitudinalUnary> {
        Ok(LongitudinalUnary::sue(self.size, self.infinity, self.first)?)
    }

    /// Every bit is asked for; there is no fresh noise, so a report loses as much as all of them.
    fn every_bit(self) -> Outcome<DBitFlip> {
        Ok(DBitFlip::new(self.size, self.size.get(), self.infinity)?)
    }

    fn grr(self, calibration: Calibration) -> Outcome<LongitudinalGrr> {
        Ok(LongitudinalGrr::new(self.size, self.infinity, self.first, calibration)?)
    }

    fn loloha(self, calibration: Calibration) -> Outcome<Loloha> {
        Ok(Loloha::optimal(self.size, self.infinity, self.first, calibration)?)
    }

    /// Memoised projective geometry response, with the geometry that suits one report, and its n Var at share 0.
    fn geometry(self) -> Outcome<(Chain, f64)> {
        let mechanism = Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(self.size, self.first.weights())?);
        let design = mechanism.design().ok_or("no design")?;
        let [permanent, first] = [self.infinity, self.first].map(|epsilon| f64::from(epsilon).exp());
        let chain = Chain::exact(design.channel.messages, design.channel.block, permanent, first)?;
        let variance = chain.support(design.shared).variance(0.0);
        Ok((chain, variance))
    }
}

/// What a row says of a protocol.
struct Line {
    protocol: &'static str,
    variance: f64,
    first: f64,
    /// the observer knows the value, or holds all for equally likely
    bits: [f64; 2],
    /// for each of [`CROWDS`], the value being known; and, where that has a closed form, all being equally likely
    relinked: [Option<[f64; 2]>; 2],
    by: &'static str,
}

fn line<L: Longitudinal>(protocol: &'static str, m: &L, relinked: [Option<[f64; 2]>; 2], by: &'static str) -> Line {
    let bits = [m.linkability_bits(), m.linkability_bits_unknown_value()];
    Line { protocol, variance: m.variance(0.0), first: m.epsilon_first(), bits, relinked, by }
}

fn expected(chain: &Chain) -> [Option<[f64; 2]>; 2] {
    [Some(CROWDS.map(|n| chain.expected_relink(n))), Some(CROWDS.map(|n| chain.expected_relink_unknown_value(n)))]
}

/// The share that is re-linked in each crowd of machines that all hold value 0.
fn simulated<L: Longitudinal>(m: &L) -> Outcome<[f64; 2]> {
    let mut rng = generator(29);
    let mut rates = [0.0; 2];
    for (rate, crowd) in rates.iter_mut().zip(CROWDS) {
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for _ in 0..crowd {
            let mut client = m.enrol(&mut rng);
            first.push(m.report(&mut client, 0, &mut rng)?);
            second.push(m.report(&mut client, 0, &mut rng)?);
        }
        first.truncate(TARGETS);
        *rate = relink(&first, &second, |a, b| m.link_score(0, a, b), &mut rng);
    }
    Ok(rates)
}

fn protocols(setting: Setting) -> Outcome<Vec<Line>> {
    let (osue, rappor, every_bit) = (setting.osue()?, setting.rappor()?, setting.every_bit()?);
    let (grr, loloha) = (setting.grr(Calibration::Exact)?, setting.loloha(Calibration::Exact)?);
    let (chain, variance) = setting.geometry()?;
    let geometry = Line {
        protocol: "memoised PGR",
        variance,
        first: chain.epsilon_first(),
        bits: [chain.linkability_bits(), chain.linkability_bits_unknown_value()],
        relinked: expected(&chain),
        by: CLOSED_FORM,
    };
    let kept = CROWDS.map(|n| every_bit.expected_relink(n));
    Ok(vec![
        line("L-OSUE", &osue, [Some(simulated(&osue)?), None], SIMULATION),
        line("RAPPOR", &rappor, [Some(simulated(&rappor)?), None], SIMULATION),
        line("dBitFlip all bits", &every_bit, [Some(kept), None], CLOSED_FORM),
        geometry,
        line("L-GRR exact", &grr, expected(grr.chain()), CLOSED_FORM),
        line("OLOLOHA exact", &loloha, [Some([1.0; 2]); 2], "its seed; the bits leave it out"),
    ])
}

/// Writes longitudinal.csv, calibration.csv and linkability.svg.
pub fn write(out: &Path) -> Outcome<()> {
    let mut table = Table::new(&[
        "d",
        "epsilon_inf",
        "epsilon_1",
        "protocol",
        "n Var",
        "loss of a report",
        "bits; value known",
        "bits; value unknown",
        "re-linked of 20000; known",
        "of 2000; known",
        "of 20000; unknown",
        "of 2000; unknown",
        "found by",
    ]);
    for (d, infinity, first) in [(100, 2.0, 1.0), (1000, 2.0, 1.0), (100, 4.0, 2.0), (1000, 4.0, 2.0)] {
        eprintln!("longitudinal: d = {d}, epsilons {infinity} and {first}");
        for line in protocols(Setting::new(d, infinity, first)?)? {
            let mut row = vec![d.to_string(), infinity.to_string(), first.to_string(), line.protocol.to_owned()];
            row.extend([line.variance, line.first].map(digits));
            row.extend(line.bits.map(|bits| format!("{bits:.2}")));
            for rates in line.relinked {
                row.extend(rates.map_or([const { String::new() }; 2], |rates| rates.map(|rate| format!("{rate:.5}"))));
            }
            row.push(line.by.to_owned());
            table.push(row);
        }
    }
    table.write(&out.join("longitudinal.csv"))?;
    calibration(out)?;
    linkability(out)
}

/// n Var at share 0 with the published odds of the second randomisation, and with the exact ones.
fn calibration(out: &Path) -> Outcome<()> {
    let header =
        ["protocol", "epsilon_inf", "epsilon_1", "symbols", "published", "its loss", "symbols", "exact", "gain"];
    let mut table = Table::new(&header);
    let mut push = |protocol: &str, [infinity, first]: [f64; 2], symbols: [u32; 2], published: [f64; 2], exact: f64| {
        let [variance, loss] = published;
        let mut row = vec![protocol.to_owned(), infinity.to_string(), first.to_string()];
        row.extend([symbols[0].to_string(), digits(variance), digits(loss), symbols[1].to_string(), digits(exact)]);
        row.push(format!("{:.2}", variance / exact));
        table.push(row);
    };
    let losses = [[2.0, 1.0], [4.0, 2.0]];
    for [infinity, first] in losses {
        for d in [4, 20, 100] {
            let setting = Setting::new(d, infinity, first)?;
            let (published, exact) = (setting.grr(Calibration::Published)?, setting.grr(Calibration::Exact)?);
            let symbols = [setting.size.get(); 2];
            let of_published = [published.variance(0.0), published.epsilon_first()];
            push("L-GRR", [infinity, first], symbols, of_published, exact.variance(0.0));
        }
    }
    for [infinity, first] in [[1.0, 0.5], [2.0, 1.0], [4.0, 2.0], [5.0, 2.5], [5.0, 4.0]] {
        let setting = Setting::new(1000, infinity, first)?;
        let (published, exact) = (setting.loloha(Calibration::Published)?, setting.loloha(Calibration::Exact)?);
        let symbols = [published.buckets(), exact.buckets()];
        let of_published = [published.variance(0.0), published.epsilon_first()];
        push("OLOLOHA", [infinity, first], symbols, of_published, exact.variance(0.0));
    }
    Ok(table.write(&out.join("calibration.csv"))?)
}

fn linkability(out: &Path) -> Outcome<()> {
    let mut series: Vec<Series> = [
        "dBitFlip all bits",
        "RAPPOR",
        "L-OSUE",
        "PGR, value unknown",
        "PGR, value known",
        "L-GRR exact",
        "OLOLOHA without seed",
        "finds one of 20,000",
    ]
    .map(|name| (name.to_owned(), Vec::new()))
    .to_vec();
    for step in 0..=40 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "4 to 10,000")]
        let d = (4.0 * 2500_f64.powf(f64::from(step) / 40.0)).round() as u64;
        let setting = Setting::new(d, 2.0, 1.0)?;
        let (chain, _) = setting.geometry()?;
        let bits = [
            setting.every_bit()?.linkability_bits(),
            setting.rappor()?.linkability_bits(),
            setting.osue()?.linkability_bits(),
            chain.linkability_bits_unknown_value(),
            chain.linkability_bits(),
            setting.grr(Calibration::Exact)?.linkability_bits(),
            setting.loloha(Calibration::Exact)?.linkability_bits(),
            20_000_f64.log2(),
        ];
        series.iter_mut().zip(bits).for_each(|((_, line), bits)| line.push((d as f64, bits)));
    }
    let plot = Plot {
        title: "Bits that two reports of one unchanged value share; epsilon 2 in all, 1 for a report",
        x: "d, the number of values",
        y: "bits",
        range: 0.01..10_000.0,
    };
    lines(&out.join("linkability.svg"), &plot, &series)
}

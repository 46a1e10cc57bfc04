// SPDX-License-Identifier: MIT OR Apache-2.0
//! A population client by client, each report on the real path: randomised, encoded into 64 bytes, decoded and accumulated.

use std::sync::Mutex;

use rand::distr::Distribution as _;
use rand::rngs::ChaCha20Rng;
use rand::{Rng as _, RngExt as _};
use rand_distr::weighted::WeightedAliasIndex;
use stipple_catalog::{Catalogue, Definition, Epoch, Report, ReportId};
use stipple_ldp::{Mechanism, Response, TrueValue, Value};

use super::Weeks;
use super::by_count::hashed::table;
use super::by_count::{lied, supporting};
use super::parallel::parallel;
use super::population::Population;
use super::split::client_generator;

/// Clients that are simulated in one piece.
const PIECE: u64 = 1_000;

/// One metric, ready for clients.
struct Prepared<'a> {
    definition: &'a Definition,
    values: Vec<TrueValue>,
    /// a table of the kinds for every week; weeks that are alike share one
    tables: Vec<Option<WeightedAliasIndex<f64>>>,
    table_of: Vec<usize>,
    arrival: &'a [f64],
    liars: Option<Liars>,
}

struct Liars {
    share: f64,
    value: TrueValue,
    item: usize,
    /// the messages that serve the lie, where cells count messages
    messages: Option<Vec<bool>>,
}

/// The weeks of every metric. `tick` is told how many more clients are done.
pub(super) fn simulate(
    catalogue: &Catalogue,
    populations: &[Population],
    epoch: Epoch,
    (clients, seed, round): (u64, u64, u64),
    threads: usize,
    tick: &(dyn Fn(u64) + Sync),
) -> Vec<Weeks> {
    let definitions = catalogue.definitions();
    let metrics: Vec<Prepared<'_>> = definitions
        .iter()
        .zip(populations)
        .map(|(definition, population)| Prepared::new(definition, population))
        .collect();
    let pieces = usize::try_from(clients.div_ceil(PIECE)).unwrap_or(usize::MAX);
    // One set of counters for each thread that is at work.
    let idle: Mutex<Vec<Vec<Weeks>>> = Mutex::new(Vec::new());
    let fresh = || definitions.iter().map(|definition| Weeks::empty(&definition.mechanism)).collect();
    parallel(pieces, threads, |piece| {
        let taken = idle.lock().ok().and_then(|mut idle| idle.pop());
        let mut weeks: Vec<Weeks> = taken.unwrap_or_else(fresh);
        let first = piece as u64 * PIECE;
        let last = clients.min(first + PIECE);
        for number in first..last {
            client(catalogue, &metrics, epoch, client_generator([seed, number, round, 0]), &mut weeks);
        }
        tick(last - first);
        if let Ok(mut idle) = idle.lock() {
            idle.push(weeks);
        }
    });
    let mut all: Vec<Weeks> = fresh();
    for one in idle.into_inner().unwrap_or_default() {
        all.iter_mut().zip(one).for_each(|(sum, part)| sum.add(&part));
    }
    all
}

/// One client's epoch.
fn client(catalogue: &Catalogue, metrics: &[Prepared<'_>], epoch: Epoch, mut rng: ChaCha20Rng, counted: &mut [Weeks]) {
    for definition in catalogue.draw(epoch.week(0).monday(), &mut rng) {
        // Definitions stand in the order of their ids.
        let metric = catalogue.definitions().partition_point(|other| other.id < definition.id);
        let week = rng.random_range(0..Epoch::WEEKS);
        let prepared = &metrics[metric];
        let Some(response) = prepared.response(week, &mut rng) else { continue };
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        let report = Report { id: ReportId(id), definition: prepared.definition, week: epoch.week(week), response };
        // What a mechanism answered encodes, decodes and counts.
        let Ok(bytes) = report.encode() else { continue };
        let Ok(arrived) = Report::decode(&bytes, catalogue) else { continue };
        let offset = usize::from(arrived.week.since(epoch.week(0)));
        let weeks = &mut counted[metric];
        let cells = &mut weeks.cells[offset];
        let counted = arrived.definition.mechanism.accumulate(&arrived.response, |cell| cells[cell] += 1);
        weeks.reports[offset] += u64::from(counted.is_ok());
    }
}

impl<'a> Prepared<'a> {
    fn new(definition: &'a Definition, population: &'a Population) -> Self {
        let (mut tables, mut table_of) = (Vec::new(), Vec::new());
        for week in 0..Epoch::WEEKS {
            if week == 0 || !population.alike(usize::from(week) - 1, week.into()) {
                tables.push(table(&population.chances(week)));
            }
            table_of.push(tables.len() - 1);
        }
        let liars = population.liars.as_ref().and_then(|(share, lie)| {
            let messages = definition.mechanism.output_chances(&vec![0.0; definition.mechanism.values()]);
            Some(Liars {
                share: *share,
                value: TrueValue::new(lie.clone()),
                item: lied(lie)?,
                messages: messages.map(|_| supporting(&definition.mechanism, lie)),
            })
        });
        let values = population.kinds.iter().cloned().map(TrueValue::new).collect();
        Self { definition, values, tables, table_of, arrival: &population.arrival, liars }
    }

    /// A client's response in a week; `None` where it does not arrive.
    fn response(&self, week: u16, rng: &mut ChaCha20Rng) -> Option<Response> {
        if let Some(liars) = &self.liars
            && rng.random::<f64>() < liars.share
        {
            return liars.response(&self.definition.mechanism, rng);
        }
        let kind = self.tables[self.table_of[usize::from(week)]].as_ref()?.sample(rng);
        if self.arrival[kind] < 1.0 && rng.random::<f64>() >= self.arrival[kind] {
            return None;
        }
        self.definition.mechanism.randomise(&self.values[kind], rng).ok()
    }
}

impl Liars {
    /// An honest report of the value, drawn again until it serves.
    fn response(&self, mechanism: &Mechanism, rng: &mut ChaCha20Rng) -> Option<Response> {
        loop {
            let response = mechanism.randomise(&self.value, rng).ok()?;
            let mut serves = false;
            let see = |cell| serves |= self.messages.as_ref().map_or(cell == self.item, |messages| messages[cell]);
            mechanism.accumulate(&response, see).ok()?;
            if serves {
                return Some(response);
            }
        }
    }
}

/// A lie about a metric: the value that all liars support, or the highest count.
pub(super) fn lie(definition: &Definition, label: Option<u32>) -> Value {
    match (&definition.domain, label) {
        (stipple_catalog::Domain::Count { most }, _) => Value::Count(most.get()),
        (stipple_catalog::Domain::Set { .. }, label) => Value::Set(vec![label.unwrap_or(0)]),
        (_, label) => Value::Symbol(label.unwrap_or(0)),
    }
}

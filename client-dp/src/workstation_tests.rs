// SPDX-License-Identifier: MIT OR Apache-2.0
//! The workstation without bus and network: a catalogue of every kind of metric, and the means to live through years of it.

mod accuracy;
mod answers;
mod clock;
mod damage;
mod durability;
mod erasure;
mod histories;
mod recording;
mod scheduling;
mod sequences;

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;
use stipple_catalog::{Catalogue, Clock, Epoch, Week};
use zbus::wire::Variant;

use crate::event::Event;
use crate::{FILE_NAME, Outgoing, Workstation, WorkstationError};

/// The epoch in which most tests begin.
const EPOCH: Epoch = Epoch::from_index(114);

/// What a test says about a metric: id, number of its event, epsilon, mechanism, domain, tally.
type Row = (&'static str, u8, f64, &'static str, &'static str, &'static str);

/// Every aggregate and kind of domain once, where they fit together.
const METRICS: [Row; 12] = [
    (
        "settings.colour",
        1,
        1.0,
        "subset-selection",
        "kind = \"symbol\"\nvalues = [\"Crimson\", \"Emerald\", \"Cobalt\"]\nother = true\nnone = true\n\
         aliases = { scarlet = \"Crimson\" }",
        "last:s",
    ),
    ("problems.seen", 2, 1.5, "randomised-response", "kind = \"symbol\"\nvalues = [\"no\", \"yes\"]", "any:"),
    ("hardware.size", 3, 1.0, "randomised-response", BUCKETS_OR_NONE, "last:t"),
    ("hardware.peak", 4, 1.0, "subset-selection", BUCKETS_OR_NONE, "maximum:(su):1"),
    ("problems.falls", 5, 1.0, "subset-selection", BUCKETS, "count:"),
    ("usage.bytes", 6, 2.0, "subset-selection", BUCKETS, "sum:t"),
    ("usage.time", 7, 1.0, "subset-selection", BUCKETS, "duration:"),
    (
        "usage.things",
        8,
        1.0,
        "collision",
        "kind = \"set\"\nvalues = [\"org.A\", \"org.B\", \"org.C\", \"org.D\"]\nother = true\nmost = 2\n\
         strip_suffix = \".desktop\"",
        "distinct:s",
    ),
    (
        "settings.features",
        9,
        1.0,
        "collision",
        "kind = \"set\"\nvalues = [\"magnifier\", \"reader\", \"contrast\"]\nmost = 2",
        "distinct:s",
    ),
    ("problems.crashes", 10, 2.0, "truncated-geometric", "kind = \"count\"\nmost = 5", "count:"),
    ("usage.pages", 11, 1.0, "truncated-geometric", "kind = \"count\"\nmost = 9", "sum:i"),
    ("hardware.fans", 12, 0.5, "truncated-geometric", "kind = \"count\"\nmost = 9", "maximum:y"),
];
const BUCKETS: &str = "kind = \"buckets\"\nvalues = [\"0\", \"1-9\", \"10 or more\"]\nlower = [0, 1, 10]";
const BUCKETS_OR_NONE: &str =
    "kind = \"buckets\"\nvalues = [\"0\", \"1-9\", \"10 or more\"]\nlower = [0, 1, 10]\nnone = true";

static CATALOGUE: LazyLock<Arc<Catalogue>> = LazyLock::new(|| catalogue(&METRICS, 4.0));

/// A catalogue as files, loaded as the programs load it.
fn catalogue(rows: &[Row], budget: f64) -> Arc<Catalogue> {
    let folder = tempfile::tempdir().unwrap();
    let head = format!("title = \"Test\"\nepsilon_epoch = {budget:?}\nepsilon_cap = {:?}\n", budget.min(2.0));
    std::fs::write(folder.path().join("catalogue.toml"), head).unwrap();
    for row in rows {
        std::fs::write(folder.path().join(format!("{}.toml", row.0)), metric(row)).unwrap();
    }
    Arc::new(Catalogue::load(folder.path()).unwrap())
}

fn metric(&(id, event, epsilon, mechanism, domain, tally): &Row) -> String {
    let category = id.split_once('.').unwrap().0;
    let mut tally = tally.split(':');
    let (aggregate, payload) = (tally.next().unwrap(), tally.next().unwrap());
    let field = tally.next().unwrap_or_default();
    format!(
        "id = \"{id}\"\ntitle = \"T\"\nquestion = \"Why?\"\ncategory = \"{category}\"\nowner = \"Us\"\n\
         approval = \"https://example.org/yes\"\nintroduced = 2001-01-01\nexpires = 2090-12-31\nepsilon = {epsilon:?}\n\
         mechanism = \"{mechanism}\"\n[domain]\n{domain}\n[tally]\naggregate = \"{aggregate}\"\n[[tally.events]]\n\
         id = \"00000000-0000-0000-0000-0000000000{event:02x}\"\npayload = \"{payload}\"\nfield = [{field}]\n"
    )
}

/// The first second of a week.
fn start_of(week: Week) -> Timestamp {
    TimeZone::UTC.to_timestamp(week.monday().at(0, 0, 0, 0)).unwrap()
}

fn event_id(number: u8) -> [u8; 16] {
    u128::from(number).to_be_bytes()
}

/// A workstation with its clock and its seeded randomness.
struct Rig {
    clock: Clock,
    rng: ChaCha20Rng,
    workstation: Workstation,
}

impl Rig {
    /// In memory, in the first week of [`EPOCH`].
    fn new(seed: u64) -> Self {
        Self::with(CATALOGUE.clone(), seed)
    }

    fn with(catalogue: Arc<Catalogue>, seed: u64) -> Self {
        let clock = Clock::manual(start_of(EPOCH.week(0)));
        let workstation = Workstation::in_memory(catalogue, clock.clone(), Duration::ZERO).unwrap();
        Self { clock, rng: ChaCha20Rng::seed_from_u64(seed), workstation }
    }

    /// On a file, in the first week of [`EPOCH`].
    fn on_disk(folder: &Path, seed: u64) -> Self {
        let clock = Clock::manual(start_of(EPOCH.week(0)));
        let workstation = open(folder, &clock).unwrap();
        Self { clock, rng: ChaCha20Rng::seed_from_u64(seed), workstation }
    }

    fn enable(&mut self) -> Result<(), WorkstationError> {
        self.workstation.enable(&mut self.rng)
    }

    fn advance(&mut self) -> Result<(), WorkstationError> {
        self.workstation.advance(&mut self.rng)
    }

    /// The days go by to the start of a week.
    fn go_to(&mut self, week: Week) {
        self.clock.set(start_of(week));
        self.advance().unwrap();
    }

    /// Lives through the rest of [`EPOCH`] and a week more, advancing each week.
    fn live_through_the_epoch(&mut self) {
        for offset in 0..=Epoch::WEEKS {
            self.go_to(EPOCH.week(offset));
        }
    }

    fn record(&mut self, event: u8, payload: impl Into<Variant<'static>>) {
        self.record_times(event, Some(&payload.into()), 1, 0);
    }

    fn record_times(&mut self, event: u8, payload: Option<&Variant<'_>>, times: u64, seconds: u64) {
        let event = Event { id: event_id(event), payload, times, seconds };
        self.workstation.record(&event).unwrap();
    }

    /// What the owner sees of a metric this week.
    fn tally(&self, metric: &str) -> String {
        let tallies = self.workstation.tallies().unwrap();
        tallies.into_iter().find(|tally| tally.metric == metric).unwrap().value
    }

    /// One number from the state's tables.
    fn count(&self, sql: &str) -> i64 {
        self.workstation.connection().unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn execute(&self, sql: &str) {
        self.workstation.connection().unwrap().execute_batch(sql).unwrap();
    }

    /// Every slot ever drawn: epoch, metric, week.
    fn slots(&self) -> Vec<(u16, String, Week)> {
        let connection = self.workstation.connection().unwrap();
        let mut slots =
            connection.prepare_cached("SELECT epoch, metric, week FROM slot ORDER BY epoch, metric").unwrap();
        let rows = slots.query_map([], |row| Ok((row.get(0)?, row.get(1)?, Week::from_index(row.get(2)?)))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// A file workstation in the week after [`EPOCH`], with all its reports waiting.
    fn with_reports(folder: &Path, seed: u64) -> (Self, Vec<Outgoing>) {
        let mut rig = Self::on_disk(folder, seed);
        rig.clock.set(start_of(EPOCH.week(0)).saturating_sub(jiff::SignedDuration::from_hours(24)).unwrap());
        rig.enable().unwrap();
        rig.live_through_the_epoch();
        let due = rig.workstation.due().unwrap();
        assert!(due.len() >= 2, "an epoch draws several metrics");
        (rig, due)
    }
}

fn open(folder: &Path, clock: &Clock) -> Result<Workstation, WorkstationError> {
    Workstation::open(folder, CATALOGUE.clone(), clock.clone(), Duration::ZERO)
}

fn state_file(folder: &Path) -> std::path::PathBuf {
    folder.join(FILE_NAME)
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! How much the real recorder gives away, measured from outside: events go in over D-Bus, reports are read from the upload
//! socket, and the audit of `ldp` bounds epsilon from below by what it sees there.
//!
//! The recorder is the program as it is installed, in its production phase: it is not told that it is audited. libfaketime
//! moves the clock that it reads, a week at a time.

use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Serialize;
use stipple_catalog::{Catalogue, Definition, Domain, Epoch, Report};
use stipple_client_dp::dbus::EventRecorderServerProxy;
use stipple_ldp::Value;
use stipple_ldp::audit::{Audit, view};
use tokio::runtime::Builder;
use zbus::wire::Variant;

use crate::accelerated::{Stage, copies, exhibit};
use crate::population::{Recording, recordings};
use crate::workstations::{noon, number_payload};

/// Half-years that one recorder lives through before another one starts: its outbox remembers all that it has sent.
const EPOCHS: u16 = 25;
/// The half-year before the first.
const BEFORE: u16 = 114;

/// What left the recorders, for two values.
#[derive(Debug)]
pub struct Heard {
    metric: String,
    mechanism: String,
    /// what the catalogue states
    pub epsilon: f64,
    labels: [String; 2],
    /// the reports of either value, as far as the audit looks at them, in the order of their arrival
    messages: [Vec<u64>; 2],
}

/// What an audit found; a line of `audit.json`.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// the metric's id
    pub metric: String,
    /// its mechanism
    pub mechanism: String,
    /// the two values that were told apart
    pub values: [String; 2],
    /// the reports read, of both values together
    pub reports: usize,
    /// how many of them, of each value, the bound was counted on
    pub counted: u64,
    /// how many of these lay in the event
    pub hits: [u64; 2],
    /// the chance with which the bound holds
    pub confidence: f64,
    /// what was to be tested
    pub claimed: f64,
    /// epsilon is at least this
    pub lower: f64,
}

impl Finding {
    /// Whether the bound contradicts the claim.
    #[must_use]
    pub fn refutes(&self) -> bool {
        self.lower > self.claimed
    }

    /// Whether the bound agrees with the claim and would have noticed half of it.
    #[must_use]
    pub fn supports(&self) -> bool {
        !self.refutes() && self.lower > self.claimed / 2.0
    }
}

impl Heard {
    /// Bounds epsilon from below, with chance `confidence`, to test a claim. A quarter of the reports ranks the messages,
    /// a quarter chooses the event, and the other half is counted.
    ///
    /// # Errors
    /// Unless the confidence is a chance.
    pub fn test(&self, claimed: f64, confidence: f64) -> anyhow::Result<Finding> {
        let draws = self.messages.iter().map(Vec::len).min().unwrap_or(0);
        let mut left = self.messages.each_ref().map(|messages| messages.iter());
        // As many as there are are asked for.
        let found = Audit::new(draws as u64, confidence)?.learned(|&side: &usize| left[side].next(), [&0, &1]);
        Ok(Finding {
            metric: self.metric.clone(),
            mechanism: self.mechanism.clone(),
            values: self.labels.clone(),
            reports: self.messages.iter().map(Vec::len).sum(),
            counted: found.draws,
            hits: found.hits,
            confidence,
            claimed,
            lower: found.lower,
        })
    }
}

/// Lets recorders report `reports` times or a little more: one half say the metric's first value, the other its last.
/// `heard` is told how many reports have arrived since the last time.
///
/// # Errors
/// When a program fails, or what leaves is not one report for each slot of the schedule.
pub fn listen(catalog: &Path, metric: &str, reports: usize, heard: impl Fn(u64) + Sync) -> anyhow::Result<Heard> {
    // In memory where that can be had: nothing here is to outlive a power cut, and waiting for a disk takes most of the time.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
    let shipped = Catalogue::load(catalog)?;
    let definition = shipped.get(metric).with_context(|| format!("the catalogue has no {metric}"))?;
    let (values, mut labels) = ([0, last(definition)?], definition.domain.labels());
    let copied = folder.path().join("catalogue");
    exhibit(catalog, definition, &copied)?;
    let exhibited = Catalogue::load(&copied)?;

    let side = |side: usize| -> anyhow::Result<Vec<u64>> {
        let folder = folder.path().join(side.to_string());
        std::fs::create_dir(&folder)?;
        let stage = Stage::new(&folder, &copied)?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let expected = usize::from(EPOCHS) * copies(definition);
        let mut messages = Vec::new();
        for lives in 1..=reports.div_ceil(2).div_ceil(expected) {
            runtime.block_on(live(&stage, definition, values[side]))?;
            for bytes in stage.reports.try_iter() {
                let report = Report::decode(&bytes, &exhibited)?;
                messages.push(view(&definition.mechanism, &values.map(|v| value(definition, v)), &report.response));
            }
            ensure!(messages.len() == lives * expected, "{} reports of {}", messages.len(), lives * expected);
            heard(expected as u64);
        }
        Ok(messages)
    };
    let (first, last) = std::thread::scope(|scope| {
        let first = scope.spawn(|| side(0));
        let last = side(1);
        (first.join(), last)
    });
    let first = first.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    Ok(Heard {
        metric: metric.to_owned(),
        mechanism: definition.mechanism_name.to_string(),
        epsilon: definition.epsilon.into(),
        labels: [labels.swap_remove(0), labels.pop().unwrap_or_default()],
        messages: [first, last?],
    })
}

/// A recorder's life: some half-years, with the same label recorded in every week.
async fn live(stage: &Stage, definition: &Definition, label: u32) -> anyhow::Result<()> {
    // The weeks of this half-year are over or under way at the yes, so none of them is reported.
    let before = Epoch::from_index(BEFORE).week(Epoch::WEEKS - 1);
    let service = stage.recorder(noon(before, 2)?)?;
    let bus = stage.connect().await?;
    let recorder = EventRecorderServerProxy::new(&bus).await?;
    recorder.set_enabled(true).await?;
    for week in (1..=EPOCHS).flat_map(|epoch| (0..Epoch::WEEKS).map(move |n| Epoch::from_index(BEFORE + epoch).week(n)))
    {
        stage.set_clock(noon(week, 2)?)?;
        // The week before is reported now.
        recorder.upload_events().await?;
        record(&recorder, definition, label).await?;
    }
    stage.set_clock(noon(Epoch::from_index(BEFORE + EPOCHS + 1).week(0), 2)?)?;
    recorder.upload_events().await?;
    service.stop()
}

/// Records what an application would.
async fn record(recorder: &EventRecorderServerProxy<'_>, definition: &Definition, label: u32) -> anyhow::Result<()> {
    let source = definition.events.first().context("a metric has an event")?;
    let (user, nothing) = (1000, Variant::from(false));
    for recording in recordings(definition, label) {
        match recording {
            Recording::Text(text) => {
                recorder.record_singular_event(user, &source.id, 1, true, &text.into()).await?;
            }
            Recording::Number(number) => {
                let payload = number_payload(&source.payload, number)?;
                recorder.record_singular_event(user, &source.id, 1, true, &payload).await?;
            }
            Recording::Times(times) => {
                let times = i64::try_from(times)?;
                recorder.record_aggregate_event(user, &source.id, times, 1, false, &nothing).await?;
            }
            Recording::Seconds(seconds) => {
                let end = i64::try_from(seconds)?.saturating_mul(1_000_000_000);
                let entries = [(0, false, Variant::from(false)), (end, false, Variant::from(false))];
                recorder.record_event_sequence(user, &source.id, &entries).await?;
            }
        }
    }
    Ok(())
}

/// The last label of the domain: mostly "nothing happened".
fn last(definition: &Definition) -> anyhow::Result<u32> {
    Ok(u32::try_from(definition.domain.size())?.saturating_sub(1))
}

fn value(definition: &Definition, label: u32) -> Value {
    match definition.domain {
        Domain::Symbol(_) | Domain::Buckets(_) => Value::Symbol(label),
        Domain::Set { .. } => Value::Set(vec![label]),
        Domain::Count { .. } => Value::Count(label),
    }
}

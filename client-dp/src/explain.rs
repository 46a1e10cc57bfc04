// SPDX-License-Identifier: MIT OR Apache-2.0
//! One metric for its owner: what is asked, what is recorded, when it is reported, and what its randomisation does to an answer.
//!
//! Every chance here is one that the mechanism itself states for its estimators; nothing is derived anew.

use serde::{Deserialize, Serialize};
use stipple_catalog::{Definition, Domain, EventSource, hex};
use stipple_ldp::{Debias, Mechanism};
use zbus::Type;

use crate::schedule::{self, Draw};
use crate::view::MetricRow;
use crate::workstation::{Workstation, WorkstationError, observed_from};

/// A metric explained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Type)]
pub struct ExplainRow {
    /// the metric as it stands in the list
    pub metric: MetricRow,
    /// who answers for it
    pub owner: String,
    /// the first day on which it may be collected
    pub introduced: String,
    /// the hash of its definition
    pub definition: String,
    /// every answer that exists, `other` and `none` last where it has them
    pub answers: Vec<String>,
    /// the most items that a report speaks of, or the largest count; 0 for a single answer
    pub most: u32,
    /// how a week's events add up: `last`, `any`, `count`, `sum`, `maximum`, `distinct` or `duration`
    pub aggregate: String,
    /// the events that count
    pub events: Vec<EventRow>,
    /// whether this half-year's draw took it
    pub draw: Draw,
    /// the week that it was drawn for; empty without one
    pub week: String,
    /// this week's value so far; empty while nothing is recorded
    pub value: String,
    /// what its randomisation does
    pub channel: ChannelRow,
}

/// An event that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct EventRow {
    /// its UUID
    pub id: String,
    /// the D-Bus signature of what is read of it; empty when its content is not looked at
    pub payload: String,
}

/// What a report says, and with which chances.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Type)]
pub struct ChannelRow {
    /// what kind of thing it says
    pub form: Form,
    /// how many answers it names; 0 where that varies
    pub names: u32,
    /// the chance that it names, or fits, what is true; 0 for numbers
    pub p_true: f64,
    /// the chance that it names, or fits, any one thing that is not; 0 for numbers
    pub p_false: f64,
    /// for numbers: everything that a report can say
    pub says: Vec<String>,
    /// for numbers: for each true number, the chance of everything in `says`
    pub rows: Vec<Vec<f64>>,
    /// e^epsilon exactly as drawn: how much likelier one true answer can make a report than another one would
    pub ratio: f64,
}

/// The kinds of things that reports say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "lowercase")]
#[zbus(signature = "s")]
pub enum Form {
    /// One answer.
    Answer,
    /// Several answers.
    Answers,
    /// A point that fits several answers.
    Point,
    /// Several items of a set, blanks among them.
    Items,
    /// A bucket that fits several items of a set.
    Bucket,
    /// Few or many.
    Bit,
    /// A number.
    Number,
}

impl ChannelRow {
    /// The channel of a mechanism.
    #[must_use]
    pub fn of(mechanism: &Mechanism) -> Self {
        let (form, names) = match mechanism {
            Mechanism::RandomisedResponse(_) => (Form::Answer, 1),
            Mechanism::SubsetSelection(subset) => (Form::Answers, subset.subset_size()),
            Mechanism::ProjectiveGeometry(_) => (Form::Point, 0),
            Mechanism::Collision(_) => (Form::Bucket, 0),
            Mechanism::PrivSet(set) => (Form::Items, set.subset_size()),
            Mechanism::OneBitMean(_) => (Form::Bit, 0),
            Mechanism::HybridMean(_) | Mechanism::SquareWave(_) | Mechanism::TruncatedGeometric(_) => (Form::Number, 0),
        };
        let (p_true, p_false) = match mechanism.debias() {
            Debias::Shares(support) => (support.p_true, support.p_false),
            Debias::Mean { .. } => (0.0, 0.0),
        };
        let rows: Vec<Vec<f64>> = (0..=u32::MAX).map_while(|count| mechanism.row(count)).collect();
        let says = if rows.is_empty() { Vec::new() } else { outputs(mechanism) };
        Self { form, names, p_true, p_false, says, rows, ratio: mechanism.weights().ratio() }
    }
}

/// Everything that a report of a count can say, in the order of the mechanism's cells.
fn outputs(mechanism: &Mechanism) -> Vec<String> {
    let bits = ["few".to_owned(), "many".to_owned()];
    let bits = match mechanism {
        Mechanism::OneBitMean(_) => return bits.to_vec(),
        Mechanism::HybridMean(_) => &bits[..],
        _ => &[],
    };
    // A widened line reaches as far below 0 as above the largest count.
    let numbers = mechanism.cells() - bits.len();
    let below = (numbers - mechanism.values()) / 2;
    let line = (0..numbers).map(|y| if y < below { format!("-{}", below - y) } else { (y - below).to_string() });
    line.chain(bits.iter().cloned()).collect()
}

impl EventRow {
    fn of(source: &EventSource) -> Self {
        let hex = hex(&source.id);
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        Self { id: parts.join("-"), payload: source.payload.clone() }
    }
}

impl Workstation {
    /// A metric explained, by its id.
    ///
    /// # Errors
    /// [`WorkstationError::UnknownName`] for what is no metric; otherwise when the state cannot be read.
    pub fn explain(&self, metric: &str) -> Result<ExplainRow, WorkstationError> {
        let unknown = || WorkstationError::UnknownName(metric.to_owned());
        let definition = self.catalogue().get(metric).ok_or_else(unknown)?;
        let present = self.present()?;
        let (draw, week) = match self.connection() {
            Some(connection) => match schedule::draw_of(connection, present.week.epoch(), metric)? {
                // It will be: not the whole week is observed.
                (Draw::Waiting, Some(week)) if week < observed_from(connection)? => (Draw::Forfeited, Some(week)),
                draw => draw,
            },
            None => (Draw::None, None),
        };
        Ok(ExplainRow {
            metric: MetricRow::of(definition, &self.opted_out()?),
            owner: definition.owner.clone(),
            introduced: definition.introduced.to_string(),
            definition: definition.hash.to_string(),
            answers: definition.domain.labels(),
            most: most(definition),
            aggregate: definition.aggregate.name().to_owned(),
            events: definition.events.iter().map(EventRow::of).collect(),
            draw,
            week: week.map(|week| week.to_string()).unwrap_or_default(),
            value: self.value_so_far(definition)?,
            channel: ChannelRow::of(&definition.mechanism),
        })
    }
}

fn most(definition: &Definition) -> u32 {
    match definition.domain {
        Domain::Set { most, .. } | Domain::Count { most } => most.get(),
        Domain::Symbol(_) | Domain::Buckets(_) => 0,
    }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The owner's own view, in the rows that the bus carries: what is asked, tallied, to be sent, was sent, and is spent.
//! Looking changes nothing.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use stipple_catalog::{Aggregate, Definition, Domain, Epoch, Week, hex};
use stipple_ldp::Value;
use zbus::Type;

use crate::outbox::{self, Entry, Outcome};
use crate::workstation::{Workstation, WorkstationError};
use crate::{consent, ledger, schedule, tallies, workstation};

/// A metric of the catalogue that may be collected today.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Type)]
pub struct MetricRow {
    /// its id
    pub metric: String,
    /// its title
    pub title: String,
    /// the question that it answers
    pub question: String,
    /// its category
    pub category: String,
    /// what one report costs
    pub epsilon: f64,
    /// how its reports are randomised
    pub mechanism: String,
    /// where its approval stands
    pub approval: String,
    /// the last day on which it may be collected, as `2027-12-31`
    pub expires: String,
    /// whether it is recorded when metrics are on: neither it nor its category is opted out of
    pub on: bool,
}

/// A metric's tally of the current week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct TallyRow {
    /// the metric's id
    pub metric: String,
    /// its title
    pub title: String,
    /// the week, as `2027-W17`
    pub week: String,
    /// what it would be reported as, before randomisation
    pub value: String,
}

/// A report, drawn or not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Type)]
pub struct ReportRow {
    /// the metric's id
    pub metric: String,
    /// the week that it reports
    pub week: String,
    /// what it costs; 0 for a metric that the catalogue has lost
    pub epsilon: f64,
    /// the true value: so far, or of the week once it is over; `forgotten` after it was sent
    pub value: String,
    /// what became of it
    pub outcome: Outcome,
    /// not before this moment, in RFC 3339; empty before it is drawn
    pub send_after: String,
    /// the exact bytes in hexadecimal, once they are drawn
    pub bytes: String,
}

/// A line of the ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Type)]
pub struct SpendRow {
    /// the metric's id
    pub metric: String,
    /// the week that was reported
    pub week: String,
    /// what the report cost
    pub epsilon: f64,
}

/// The current epoch's ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Type)]
pub struct BudgetRow {
    /// the epoch's first week
    pub first: String,
    /// the epoch's last week
    pub last: String,
    /// its cap; 0 before it is drawn
    pub cap: f64,
    /// what is spent
    pub spent: f64,
    /// on what
    pub spends: Vec<SpendRow>,
}

impl MetricRow {
    pub(crate) fn of(definition: &Definition, out: &BTreeSet<String>) -> Self {
        Self {
            metric: definition.id.clone(),
            title: definition.title.clone(),
            question: definition.question.clone(),
            category: definition.category.to_string(),
            epsilon: definition.epsilon.into(),
            mechanism: definition.mechanism_name.to_string(),
            approval: definition.approval.clone(),
            expires: definition.expires.to_string(),
            on: !consent::is_out(definition, out),
        }
    }
}

impl Workstation {
    /// The catalogue's metrics, and which of them are on.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be read.
    pub fn metrics(&self) -> Result<Vec<MetricRow>, WorkstationError> {
        let out = self.opted_out()?;
        let active = self.catalogue().active(self.clock().today());
        Ok(active.map(|definition| MetricRow::of(definition, &out)).collect())
    }

    /// This week's tally of every active metric that is not opted out of; empty while nothing is recorded.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be read.
    pub fn tallies(&self) -> Result<Vec<TallyRow>, WorkstationError> {
        if !self.is_on()? {
            return Ok(Vec::new());
        }
        let (today, week, out) = (self.clock().today(), self.present()?.week, self.opted_out()?);
        let on = self.catalogue().active(today).filter(|definition| !consent::is_out(definition, &out));
        on.map(|definition| {
            Ok(TallyRow {
                metric: definition.id.clone(),
                title: definition.title.clone(),
                week: week.to_string(),
                value: self.words(definition, week)?,
            })
        })
        .collect()
    }

    /// What a metric's tally of this week amounts to; empty while it is not recorded.
    pub(crate) fn value_so_far(&self, definition: &Definition) -> Result<String, WorkstationError> {
        let (today, out) = (self.clock().today(), self.opted_out()?);
        if !self.is_on()? || !definition.is_active(today) || consent::is_out(definition, &out) {
            return Ok(String::new());
        }
        self.words(definition, self.present()?.week)
    }

    /// Every report that is still to come: those that are drawn and wait, and the slots whose week is not over and wholly
    /// observed. Empty while nothing is sent.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be read.
    pub fn preview(&self) -> Result<Vec<ReportRow>, WorkstationError> {
        let (true, Some(connection)) = (self.is_on()?, self.connection()) else { return Ok(Vec::new()) };
        let mut rows = self.outbox_rows(|outcome| outcome == Outcome::Waiting)?;
        let observed = workstation::observed_from(connection)?;
        for slot in schedule::waiting(connection)?.into_iter().filter(|slot| slot.week >= observed) {
            rows.push(self.row(slot.metric, slot.week, None)?);
        }
        Ok(rows)
    }

    /// Every report that the server has counted, or refused for good, since the last no or erasure.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be read.
    pub fn sent(&self) -> Result<Vec<ReportRow>, WorkstationError> {
        self.outbox_rows(|outcome| outcome != Outcome::Waiting)
    }

    /// How many reports are drawn and wait.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be read.
    pub fn waiting(&self) -> Result<u32, WorkstationError> {
        self.connection().map_or(Ok(0), |connection| Ok(outbox::waiting(connection)?))
    }

    fn outbox_rows(&self, wanted: impl Fn(Outcome) -> bool) -> Result<Vec<ReportRow>, WorkstationError> {
        let Some(connection) = self.connection() else { return Ok(Vec::new()) };
        let entries = outbox::all(connection)?.into_iter().filter(|entry| wanted(entry.outcome));
        entries.map(|entry| self.row(entry.metric.clone(), entry.week, Some(&entry))).collect()
    }

    fn row(&self, metric: String, week: Week, entry: Option<&Entry>) -> Result<ReportRow, WorkstationError> {
        let definition = self.catalogue().get(&metric);
        let outcome = entry.map_or(Outcome::Scheduled, |entry| entry.outcome);
        let value = match (outcome, definition) {
            (Outcome::Sent | Outcome::Refused, _) => "forgotten".to_owned(),
            (_, Some(definition)) => self.words(definition, week)?,
            (_, None) => String::new(),
        };
        Ok(ReportRow {
            epsilon: definition.map_or(0.0, |definition| definition.epsilon.into()),
            metric,
            week: week.to_string(),
            value,
            outcome,
            send_after: entry.map(|entry| entry.send_after.to_string()).unwrap_or_default(),
            bytes: entry.map(|entry| hex(entry.outgoing.bytes())).unwrap_or_default(),
        })
    }

    /// The current epoch's budget.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be read.
    pub fn budget(&self) -> Result<BudgetRow, WorkstationError> {
        let epoch = self.present()?.week.epoch();
        let (cap, spends) = match self.connection() {
            Some(connection) => (ledger::cap(connection, epoch)?, ledger::spends(connection, epoch)?),
            None => (None, Vec::new()),
        };
        let micros: u64 = spends.iter().map(|spend| u64::from(spend.epsilon.micros())).sum();
        let spends = spends.into_iter().map(|spend| SpendRow {
            metric: spend.metric,
            week: spend.week.to_string(),
            epsilon: spend.epsilon.into(),
        });
        Ok(BudgetRow {
            first: epoch.week(0).to_string(),
            last: epoch.week(Epoch::WEEKS - 1).to_string(),
            cap: cap.map_or(0.0, f64::from),
            spent: micros as f64 / 1e6,
            spends: spends.collect(),
        })
    }

    /// How many events were dropped, by reason.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be read.
    pub fn dropped(&self) -> Result<Vec<(String, u64)>, WorkstationError> {
        self.connection().map_or(Ok(Vec::new()), |connection| Ok(tallies::dropped(connection)?))
    }

    /// A metric's value of a week in the dictionary's words. A set over its bound shows whole: the sample is drawn later.
    fn words(&self, definition: &Definition, week: Week) -> Result<String, WorkstationError> {
        let Some(connection) = self.connection() else { return Ok(String::new()) };
        let tally = tallies::read(connection, &definition.id, week)?;
        let labels = definition.domain.labels();
        let label = |symbol: u32| labels.get(symbol as usize).cloned().unwrap_or_default();
        if let (Domain::Set { .. }, Aggregate::Distinct) = (&definition.domain, definition.aggregate) {
            let items: Vec<String> = tally.iter().map(|&(symbol, _)| label(symbol)).collect();
            return Ok(if items.is_empty() { "none".to_owned() } else { items.join(", ") });
        }
        let value = definition.aggregate.value(&definition.domain, &tally, |_| 0);
        Ok(match value.for_owner() {
            Value::Symbol(symbol) => label(*symbol),
            Value::Count(count) => count.to_string(),
            Value::Set(_) => String::new(),
        })
    }
}

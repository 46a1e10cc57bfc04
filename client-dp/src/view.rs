// SPDX-License-Identifier: MIT OR Apache-2.0
//! The owner's own view: what is tallied, what will be sent, what has been spent.

use stipple_catalog::{Aggregate, Definition, Domain, Epoch, Week, hex};
use stipple_ldp::{Epsilon, Value};

use crate::workstation::{Workstation, WorkstationError};
use crate::{ledger, outbox, schedule, tallies};

/// A metric's tally of the current week.
#[derive(Clone, Debug)]
pub struct TallyView {
    /// the metric's id
    pub metric: String,
    /// the week
    pub week: Week,
    /// what it would be reported as, before randomisation
    pub value: String,
}

/// A report to come, drawn or not.
#[derive(Clone, Debug)]
pub struct PreviewView {
    /// the metric's id
    pub metric: String,
    /// the week that it reports
    pub week: Week,
    /// what it costs
    pub epsilon: Option<Epsilon>,
    /// the true value: so far, or of the week once it is over
    pub value: String,
    /// `scheduled`, `waiting`, `sent` or `refused`
    pub outcome: String,
    /// the exact bytes in hexadecimal, once they are drawn
    pub bytes: String,
}

/// The current epoch's ledger.
#[derive(Clone, Debug)]
pub struct BudgetView {
    /// the epoch's first week
    pub first: Week,
    /// the epoch's last week
    pub last: Week,
    /// its cap; `None` before it is drawn
    pub cap: Option<Epsilon>,
    /// what was spent
    pub spends: Vec<ledger::Spend>,
}

impl Workstation {
    /// This week's tally of every active metric; empty without a yes.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be read.
    pub fn tallies(&self) -> Result<Vec<TallyView>, WorkstationError> {
        if !self.is_on()? {
            return Ok(Vec::new());
        }
        let (today, week) = (self.clock().today(), self.present()?.week);
        let catalogue = self.catalogue().clone();
        catalogue
            .active(today)
            .map(|definition| {
                Ok(TallyView { metric: definition.id.clone(), week, value: self.words(definition, week)? })
            })
            .collect()
    }

    /// Every report of this epoch that is still to come, and those in the outbox.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be read.
    pub fn preview(&self) -> Result<Vec<PreviewView>, WorkstationError> {
        let (true, Some(connection)) = (self.is_on()?, self.connection()) else { return Ok(Vec::new()) };
        let epsilon = |metric: &str| self.catalogue().get(metric).map(|definition| definition.epsilon);
        let value = |metric: &str, week| match self.catalogue().get(metric) {
            Some(definition) => self.words(definition, week),
            None => Ok(String::new()),
        };
        let mut views = Vec::new();
        for entry in outbox::all(connection)? {
            let waiting = entry.outcome == "waiting";
            views.push(PreviewView {
                value: if waiting { value(&entry.metric, entry.week)? } else { "forgotten".to_owned() },
                epsilon: epsilon(&entry.metric),
                metric: entry.metric,
                week: entry.week,
                outcome: entry.outcome,
                bytes: hex(entry.outgoing.bytes()),
            });
        }
        for slot in schedule::waiting(connection)? {
            views.push(PreviewView {
                value: value(&slot.metric, slot.week)?,
                epsilon: epsilon(&slot.metric),
                metric: slot.metric,
                week: slot.week,
                outcome: "scheduled".to_owned(),
                bytes: String::new(),
            });
        }
        Ok(views)
    }

    /// The current epoch's budget.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be read.
    pub fn budget(&self) -> Result<BudgetView, WorkstationError> {
        let epoch = self.present()?.week.epoch();
        let (cap, spends) = match self.connection() {
            Some(connection) => (ledger::cap(connection, epoch)?, ledger::spends(connection, epoch)?),
            None => (None, Vec::new()),
        };
        Ok(BudgetView { first: epoch.week(0), last: epoch.week(Epoch::WEEKS - 1), cap, spends })
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

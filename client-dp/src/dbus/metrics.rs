// SPDX-License-Identifier: MIT OR Apache-2.0
//! `org.stipple.Metrics1`: the owner's own view.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stipple_catalog::Week;
use zbus::message::Header;
use zbus::{Connection, Type, fdo, interface};

use super::daemon::{Daemon, DaemonError};
use crate::workstation::WorkstationError;

const READ: &str = "org.stipple.Metrics1.read";
const REFUSAL: &str = "Reading what this computer has recorded is for its users: log in at the computer itself";

/// The state at a glance.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct StatusRow {
    /// `unset`, `off` or `on`
    pub consent: String,
    /// the catalogue's name
    pub catalogue: String,
    /// the catalogue's hash
    pub catalogue_hash: String,
    /// the number of metrics that may be collected today
    pub metrics: u32,
    /// where reports go
    pub server: String,
    /// the current week
    pub week: String,
    /// reports that are drawn and wait to be sent
    pub waiting: u32,
    /// dropped events by reason
    pub dropped: Vec<(String, u64)>,
}

/// A metric's tally of the current week.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct TallyRow {
    /// the metric's id
    pub metric: String,
    /// its title
    pub title: String,
    /// the week
    pub week: String,
    /// the value before randomisation
    pub value: String,
}

/// A report to come.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct PreviewRow {
    /// the metric's id
    pub metric: String,
    /// the week that it reports
    pub week: String,
    /// what it costs
    pub epsilon: f64,
    /// the value before randomisation
    pub value: String,
    /// `scheduled`, `waiting`, `sent` or `refused`
    pub outcome: String,
    /// the exact bytes in hexadecimal, once they are drawn
    pub bytes: String,
}

/// The epoch's budget.
#[derive(Clone, Debug, Serialize, Deserialize, Type)]
pub struct BudgetRow {
    /// the epoch's first week
    pub first: String,
    /// the epoch's last week
    pub last: String,
    /// its cap; 0 before it is drawn
    pub cap: f64,
    /// what is spent
    pub spent: f64,
    /// metric, week and cost of each report
    pub spends: Vec<(String, String, f64)>,
}

/// The object.
#[derive(Debug)]
pub(super) struct Metrics(pub Arc<Daemon>);

#[interface(name = "org.stipple.Metrics1")]
impl Metrics {
    /// The user's answer: `unset`, `off` or `on`.
    #[zbus(property)]
    async fn consent(&self) -> fdo::Result<String> {
        let workstation = self.0.workstation.lock().await;
        Ok(workstation.consent().map_err(failed)?.name().to_owned())
    }

    /// The state at a glance.
    async fn status(&self) -> fdo::Result<StatusRow> {
        let workstation = self.0.workstation.lock().await;
        let catalogue = workstation.catalogue();
        let waiting = workstation.preview().map_err(failed)?.iter().filter(|row| row.outcome == "waiting").count();
        Ok(StatusRow {
            consent: workstation.consent().map_err(failed)?.name().to_owned(),
            catalogue: catalogue.title.clone(),
            catalogue_hash: catalogue.hash(),
            metrics: u32::try_from(catalogue.active(workstation.clock().today()).count()).unwrap_or(u32::MAX),
            server: self.0.options.server.clone(),
            week: workstation.present().map_err(failed)?.week.to_string(),
            waiting: u32::try_from(waiting).unwrap_or(u32::MAX),
            dropped: workstation.dropped().map_err(failed)?,
        })
    }

    /// This week's tallies.
    async fn tallies(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> fdo::Result<Vec<TallyRow>> {
        self.0.authority.demand(connection, &header, READ, REFUSAL).await?;
        let workstation = self.0.workstation.lock().await;
        let title = |metric: &str| workstation.catalogue().get(metric).map(|d| d.title.clone()).unwrap_or_default();
        let rows = workstation.tallies().map_err(failed)?.into_iter().map(|tally| TallyRow {
            title: title(&tally.metric),
            metric: tally.metric,
            week: tally.week.to_string(),
            value: tally.value,
        });
        Ok(rows.collect())
    }

    /// The reports of this epoch: scheduled, drawn, sent. Looking changes nothing.
    async fn preview(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> fdo::Result<Vec<PreviewRow>> {
        self.0.authority.demand(connection, &header, READ, REFUSAL).await?;
        let rows = self.0.workstation.lock().await.preview().map_err(failed)?.into_iter().map(|row| PreviewRow {
            metric: row.metric,
            week: row.week.to_string(),
            epsilon: row.epsilon.map_or(0.0, f64::from),
            value: row.value,
            outcome: row.outcome,
            bytes: row.bytes,
        });
        Ok(rows.collect())
    }

    /// The epoch's budget and what it went to.
    async fn budget(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> fdo::Result<BudgetRow> {
        self.0.authority.demand(connection, &header, READ, REFUSAL).await?;
        let budget = self.0.workstation.lock().await.budget().map_err(failed)?;
        let week = |week: Week| week.to_string();
        let micros: u64 = budget.spends.iter().map(|spend| u64::from(spend.epsilon.micros())).sum();
        Ok(BudgetRow {
            first: week(budget.first),
            last: week(budget.last),
            cap: budget.cap.map_or(0.0, f64::from),
            spent: micros as f64 / 1e6,
            spends: budget.spends.into_iter().map(|s| (s.metric, week(s.week), f64::from(s.epsilon))).collect(),
        })
    }
}

fn failed(error: WorkstationError) -> fdo::Error {
    DaemonError::from(error).into()
}

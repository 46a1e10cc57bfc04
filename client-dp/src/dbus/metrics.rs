// SPDX-License-Identifier: MIT OR Apache-2.0
//! `org.stipple.Metrics1`: the owner's own view and choice. `packaging/dbus/org.stipple.Metrics1.xml` documents it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zbus::message::Header;
use zbus::object_server::SignalEmitter;
use zbus::{BoxDBusError, Connection, DBusError, Type, fdo, interface};

use super::daemon::{Daemon, DaemonError, Options};
use crate::consent::CONSENT_TEXT;
use crate::explain::ExplainRow;
use crate::view::{BudgetRow, MetricRow, ReportRow, TallyRow};
use crate::workstation::{Workstation, WorkstationError};

const READ: &str = "org.stipple.Metrics1.read";
const SET_CONSENT: &str = "org.stipple.Metrics1.set-consent";
const OPT_OUT: &str = "org.stipple.Metrics1.opt-out";
const ERASE: &str = "org.stipple.Metrics1.erase";
const NOT_YOURS: &str = "Reading what this computer has recorded is for its users: log in at the computer itself";
const NOT_ADMIN: &str = "Changing this for the whole computer is for its administrators";

/// The interface's own errors.
#[derive(Debug, DBusError)]
#[zbus(prefix = "org.stipple.Metrics1.Error")]
enum MetricsError {
    /// an administrator has switched metrics off
    Locked(String),
    /// a yes to another text than the present one
    TextChanged(String),
    /// neither a metric nor a category
    UnknownName(String),
    /// the metric's category is off
    CategoryOff(String),
    /// the state could not be read or written
    Failed(String),
}

impl From<DaemonError> for MetricsError {
    fn from(error: DaemonError) -> Self {
        let text = error.to_string();
        match error {
            DaemonError::Workstation(WorkstationError::Locked) => Self::Locked(text),
            DaemonError::Workstation(WorkstationError::UnknownName(_)) => Self::UnknownName(text),
            DaemonError::Workstation(WorkstationError::CategoryOff { .. }) => Self::CategoryOff(text),
            _ => Self::Failed(text),
        }
    }
}

fn failed(error: impl Into<DaemonError>) -> BoxDBusError {
    Box::new(MetricsError::from(error.into()))
}

fn refused(error: fdo::Error) -> BoxDBusError {
    Box::new(error)
}

/// The state at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct StatusRow {
    /// `unset`, `off` or `on`
    pub consent: String,
    /// why nothing happens whatever the answer was: `locked`, `text-changed`, or empty
    pub hold: String,
    /// the version of the text that the yes was given to; empty without a yes
    pub agreed_version: String,
    /// the catalogue's name
    pub catalogue: String,
    /// the catalogue's hash
    pub catalogue_hash: String,
    /// the number of metrics that may be collected today
    pub metrics: u32,
    /// the metrics and categories that are opted out of
    pub opted_out: Vec<String>,
    /// where reports go
    pub server: String,
    /// the current week
    pub week: String,
    /// reports that are drawn and wait to be sent
    pub waiting: u32,
    /// dropped events by reason
    pub dropped: Vec<(String, u64)>,
    /// `production`, or `testing` in a drill
    pub phase: String,
    /// since when the clock is doubted, in RFC 3339; empty while it is believed
    pub doubted_since: String,
    /// metrics of the catalogue that have expired
    pub expired: u32,
    /// waiting reports whose moment has come
    pub overdue: u32,
    /// the uploader's socket; empty when the recorder sends by itself
    pub upload_socket: String,
    /// why the last upload failed; empty when it did not
    pub upload_trouble: String,
}

impl StatusRow {
    /// What a workstation's owner sees at a glance, with what only the daemon knows.
    ///
    /// # Errors
    /// [`WorkstationError`] when the state cannot be read.
    pub(super) fn of(
        workstation: &Workstation,
        options: &Options,
        upload_trouble: String,
    ) -> Result<Self, WorkstationError> {
        let (catalogue, present) = (workstation.catalogue(), workstation.present()?);
        let expired = catalogue.definitions().iter().filter(|definition| definition.expires < present.today);
        Ok(Self {
            consent: workstation.consent()?.name().to_owned(),
            hold: workstation.hold()?.map(|hold| hold.name().to_owned()).unwrap_or_default(),
            agreed_version: workstation.agreed_version()?,
            catalogue: catalogue.title.clone(),
            catalogue_hash: catalogue.hash(),
            metrics: number(catalogue.active(present.today).count()),
            opted_out: workstation.opted_out()?.into_iter().collect(),
            server: options.server.clone(),
            week: present.week.to_string(),
            waiting: workstation.waiting()?,
            dropped: workstation.dropped()?,
            phase: workstation.clock().phase().name().to_owned(),
            doubted_since: present.doubted_since.map(|since| since.to_string()).unwrap_or_default(),
            expired: number(expired.count()),
            overdue: number(workstation.due()?.len()),
            upload_socket: options.courier.socket().map(|path| path.display().to_string()).unwrap_or_default(),
            upload_trouble,
        })
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The object.
#[derive(Debug)]
pub(super) struct Metrics(pub Arc<Daemon>);

impl Metrics {
    /// A look at the workstation by a caller who may.
    async fn look<T>(
        &self,
        connection: &Connection,
        header: &Header<'_>,
        look: impl FnOnce(&Workstation) -> Result<T, WorkstationError>,
    ) -> Result<T, BoxDBusError> {
        self.0.authority.demand(connection, header, READ, NOT_YOURS).await.map_err(refused)?;
        look(&*self.0.workstation.lock().await).map_err(failed)
    }

    /// A change to the workstation by a caller who may.
    async fn change(
        &self,
        connection: &Connection,
        header: &Header<'_>,
        action: &str,
        change: impl FnOnce(&mut Workstation) -> Result<(), WorkstationError>,
    ) -> Result<(), BoxDBusError> {
        self.0.authority.demand(connection, header, action, NOT_ADMIN).await.map_err(refused)?;
        self.0.change(connection, change).await.map_err(failed)
    }

    /// Signals what differs between two looks at the state.
    pub async fn tell(&self, emitter: &SignalEmitter<'_>, before: &StatusRow, after: &StatusRow) -> zbus::Result<()> {
        if before.consent != after.consent {
            self.consent_changed(emitter).await?;
        }
        if before.hold != after.hold {
            self.hold_changed(emitter).await?;
        }
        if before.agreed_version != after.agreed_version {
            self.agreed_version_changed(emitter).await?;
        }
        if before.opted_out != after.opted_out {
            self.opted_out_changed(emitter).await?;
        }
        if before.waiting != after.waiting {
            self.waiting_changed(emitter).await?;
        }
        if before.week != after.week {
            self.week_changed(emitter).await?;
        }
        Ok(())
    }

    async fn seen(&self) -> fdo::Result<StatusRow> {
        Ok(self.0.status().await?)
    }
}

#[interface(name = "org.stipple.Metrics1")]
impl Metrics {
    /// The user's answer: `unset`, `off` or `on`.
    #[zbus(property)]
    async fn consent(&self) -> fdo::Result<String> {
        Ok(self.seen().await?.consent)
    }

    /// Why nothing is recorded or sent whatever the answer was: `locked`, `text-changed`, or empty.
    #[zbus(property)]
    async fn hold(&self) -> fdo::Result<String> {
        Ok(self.seen().await?.hold)
    }

    /// The text that a yes agrees to.
    #[zbus(property(emits_changed_signal = "const"))]
    #[expect(clippy::unused_self, reason = "a property belongs to an object")]
    fn consent_text(&self) -> &'static str {
        CONSENT_TEXT
    }

    /// The version of that text.
    #[zbus(property(emits_changed_signal = "const"))]
    async fn consent_version(&self) -> String {
        self.0.workstation.lock().await.consent_version.clone()
    }

    /// The version of the text that the yes was given to; empty without a yes.
    #[zbus(property)]
    async fn agreed_version(&self) -> fdo::Result<String> {
        Ok(self.seen().await?.agreed_version)
    }

    /// The metrics, by id, and the categories that are opted out of.
    #[zbus(property)]
    async fn opted_out(&self) -> fdo::Result<Vec<String>> {
        Ok(self.seen().await?.opted_out)
    }

    /// How many reports are drawn and wait to be sent.
    #[zbus(property)]
    async fn waiting(&self) -> fdo::Result<u32> {
        Ok(self.seen().await?.waiting)
    }

    /// The current week.
    #[zbus(property)]
    async fn week(&self) -> fdo::Result<String> {
        Ok(self.seen().await?.week)
    }

    /// Where reports go.
    #[zbus(property(emits_changed_signal = "const"))]
    fn server(&self) -> String {
        self.0.options.server.clone()
    }

    /// The catalogue's hash.
    #[zbus(property(emits_changed_signal = "const"))]
    async fn catalogue_hash(&self) -> String {
        self.0.workstation.lock().await.catalogue().hash()
    }

    /// The state in one look, and what stipple doctor asks.
    #[zbus(out_args("status"))]
    async fn status(&self) -> fdo::Result<StatusRow> {
        self.seen().await
    }

    /// Takes the user's answer. A yes names the version of the text that was shown, and is refused for another one.
    async fn set_consent(
        &self,
        agreed: bool,
        version: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), BoxDBusError> {
        self.0.authority.demand(connection, &header, SET_CONSENT, NOT_ADMIN).await.map_err(refused)?;
        if agreed && version != self.consent_version().await {
            return Err(Box::new(MetricsError::TextChanged(
                "that is not the version of the present text: read it anew".to_owned(),
            )));
        }
        self.0.set_enabled(connection, agreed).await.map_err(failed)
    }

    /// Switches a metric, or a whole category, off. Its slots are still answered, as if nothing had happened.
    async fn opt_out(
        &self,
        name: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), BoxDBusError> {
        self.change(connection, &header, OPT_OUT, |workstation| workstation.set_opted_out(name, true)).await
    }

    /// Switches a metric, or a whole category, on again.
    async fn opt_in(
        &self,
        name: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), BoxDBusError> {
        self.change(connection, &header, OPT_OUT, |workstation| workstation.set_opted_out(name, false)).await
    }

    /// Deletes everything recorded and drawn. The answer, the opt-outs and the spent budget stay.
    async fn erase(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), BoxDBusError> {
        self.change(connection, &header, ERASE, Workstation::erase).await
    }

    /// The catalogue's metrics and which of them are on.
    #[zbus(out_args("metrics"))]
    async fn metrics(&self) -> Result<Vec<MetricRow>, BoxDBusError> {
        self.0.workstation.lock().await.metrics().map_err(failed)
    }

    /// One metric, by its id: what is asked and recorded, when it is reported, and the chances of its randomisation.
    #[zbus(out_args("metric"))]
    async fn explain(
        &self,
        metric: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<ExplainRow, BoxDBusError> {
        self.look(connection, &header, |workstation| workstation.explain(metric)).await
    }

    /// This week's tallies.
    #[zbus(out_args("tallies"))]
    async fn tallies(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<TallyRow>, BoxDBusError> {
        self.look(connection, &header, Workstation::tallies).await
    }

    /// The reports to come: scheduled, or drawn and waiting. Looking changes nothing.
    #[zbus(out_args("reports"))]
    async fn preview(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<ReportRow>, BoxDBusError> {
        self.look(connection, &header, Workstation::preview).await
    }

    /// The reports that were sent, byte for byte.
    #[zbus(out_args("reports"))]
    async fn sent(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<Vec<ReportRow>, BoxDBusError> {
        self.look(connection, &header, Workstation::sent).await
    }

    /// Everything in the state's folder, table by table and file by file, as JSON.
    #[zbus(out_args("json"))]
    async fn state(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<String, BoxDBusError> {
        self.look(connection, &header, Workstation::dump).await
    }

    /// The half-year's budget and what it went to.
    #[zbus(out_args("budget"))]
    async fn budget(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<BudgetRow, BoxDBusError> {
        self.look(connection, &header, Workstation::budget).await
    }
}

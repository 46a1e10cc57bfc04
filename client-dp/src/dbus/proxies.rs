// SPDX-License-Identifier: MIT OR Apache-2.0
//! The two interfaces as a caller sees them.

use zbus::proxy;
use zbus::wire::{OwnedObjectPath, Variant};

use super::metrics::StatusRow;
use crate::explain::ExplainRow;
use crate::view::{BudgetRow, MetricRow, ReportRow, TallyRow};

/// The recorder.
#[proxy(
    interface = "com.endlessm.Metrics.EventRecorderServer",
    default_service = "com.endlessm.Metrics",
    default_path = "/com/endlessm/Metrics"
)]
pub trait EventRecorderServer {
    /// Whether metrics are on.
    #[zbus(property)]
    fn enabled(&self) -> zbus::Result<bool>;
    /// Always empty.
    #[zbus(property)]
    fn tracking_id(&self) -> zbus::Result<String>;
    /// Switches metrics on or off.
    #[zbus(allow_interactive_auth)]
    fn set_enabled(&self, enabled: bool) -> zbus::Result<()>;
    /// Records an event that happened once.
    fn record_singular_event(
        &self,
        user_id: u32,
        event_id: &[u8],
        relative_timestamp: i64,
        has_payload: bool,
        payload: &Variant<'_>,
    ) -> zbus::Result<()>;
    /// Records an event that happened `count` times.
    fn record_aggregate_event(
        &self,
        user_id: u32,
        event_id: &[u8],
        count: i64,
        relative_timestamp: i64,
        has_payload: bool,
        payload: &Variant<'_>,
    ) -> zbus::Result<()>;
    /// Records a sequence of (timestamp, has payload, payload).
    fn record_event_sequence(
        &self,
        user_id: u32,
        event_id: &[u8],
        events: &[(i64, bool, Variant<'_>)],
    ) -> zbus::Result<()>;
    /// Delivers the reports whose moment has come.
    fn upload_events(&self) -> zbus::Result<()>;
    /// Refused: there is no tracking id.
    fn reset_tracking_id(&self) -> zbus::Result<()>;
    /// Starts a timer and names its object.
    fn start_aggregate_timer(
        &self,
        user_id: u32,
        event_id: &[u8],
        has_payload: bool,
        payload: &Variant<'_>,
    ) -> zbus::Result<OwnedObjectPath>;
}

/// A running timer.
#[proxy(interface = "com.endlessm.Metrics.AggregateTimer", default_service = "com.endlessm.Metrics")]
pub trait AggregateTimer {
    /// Stops the timer.
    fn stop_timer(&self) -> zbus::Result<()>;
}

/// The owner's view.
#[proxy(
    interface = "org.stipple.Metrics1",
    default_service = "org.stipple.Metrics1",
    default_path = "/org/stipple/Metrics1"
)]
pub trait Metrics {
    /// `unset`, `off` or `on`.
    #[zbus(property)]
    fn consent(&self) -> zbus::Result<String>;
    /// `locked`, `text-changed`, or empty.
    #[zbus(property)]
    fn hold(&self) -> zbus::Result<String>;
    /// The text that a yes agrees to.
    #[zbus(property(emits_changed_signal = "const"))]
    fn consent_text(&self) -> zbus::Result<String>;
    /// Its version.
    #[zbus(property(emits_changed_signal = "const"))]
    fn consent_version(&self) -> zbus::Result<String>;
    /// The metrics and categories that are opted out of.
    #[zbus(property)]
    fn opted_out(&self) -> zbus::Result<Vec<String>>;
    /// How many reports wait.
    #[zbus(property)]
    fn waiting(&self) -> zbus::Result<u32>;
    /// The state at a glance.
    fn status(&self) -> zbus::Result<StatusRow>;
    /// Takes the user's answer.
    #[zbus(allow_interactive_auth)]
    fn set_consent(&self, agreed: bool, version: &str) -> zbus::Result<()>;
    /// Switches a metric or a category off.
    #[zbus(allow_interactive_auth)]
    fn opt_out(&self, name: &str) -> zbus::Result<()>;
    /// Switches a metric or a category on again.
    #[zbus(allow_interactive_auth)]
    fn opt_in(&self, name: &str) -> zbus::Result<()>;
    /// Deletes everything recorded and drawn.
    #[zbus(allow_interactive_auth)]
    fn erase(&self) -> zbus::Result<()>;
    /// The catalogue's metrics.
    fn metrics(&self) -> zbus::Result<Vec<MetricRow>>;
    /// One metric explained.
    fn explain(&self, metric: &str) -> zbus::Result<ExplainRow>;
    /// This week's tallies.
    fn tallies(&self) -> zbus::Result<Vec<TallyRow>>;
    /// The reports to come.
    fn preview(&self) -> zbus::Result<Vec<ReportRow>>;
    /// The reports that were sent.
    fn sent(&self) -> zbus::Result<Vec<ReportRow>>;
    /// Everything in the state's folder, as JSON.
    fn state(&self) -> zbus::Result<String>;
    /// The half-year's budget.
    fn budget(&self) -> zbus::Result<BudgetRow>;
}

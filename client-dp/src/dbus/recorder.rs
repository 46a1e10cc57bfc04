// SPDX-License-Identifier: MIT OR Apache-2.0
//! `com.endlessm.Metrics`: the interface that applications record events over today.

use std::sync::Arc;

use zbus::message::Header;
use zbus::wire::{ObjectPath, OwnedObjectPath, OwnedVariant};
use zbus::{BoxDBusError, Connection, DBusError, fdo, interface};

use super::RECORDER_PATH;
use super::daemon::{Daemon, DaemonError};
use super::quota::{MESSAGE_LEN, TIMER_MESSAGE_LEN};

const SET_ENABLED: &str = "com.endlessm.Metrics.SetEnabled";
const RESET_TRACKING_ID: &str = "com.endlessm.Metrics.ResetTrackingId";

/// The interface's own errors.
#[derive(Debug, DBusError)]
#[zbus(prefix = "com.endlessm.Metrics.Error")]
enum RecorderError {
    MetricsDisabled(String),
    InvalidEventId(String),
}

/// The recorder's object.
#[derive(Debug)]
pub(super) struct Recorder(pub Arc<Daemon>);

/// A timer's object.
#[derive(Debug)]
pub(super) struct AggregateTimer {
    pub daemon: Arc<Daemon>,
    pub number: u64,
}

pub(super) fn timer_path(number: u64) -> OwnedObjectPath {
    // Digits behind a valid path are valid.
    ObjectPath::from_string_unchecked(format!("{RECORDER_PATH}/AggregateTimer{number}")).into()
}

pub(super) fn sender(header: &Header<'_>) -> fdo::Result<String> {
    header.sender().map(ToString::to_string).ok_or_else(|| fdo::Error::Failed("the caller has no name".to_owned()))
}

#[interface(name = "com.endlessm.Metrics.EventRecorderServer")]
impl Recorder {
    /// Whether events are recorded and reports sent.
    #[zbus(property)]
    async fn enabled(&self) -> bool {
        self.0.is_on().await
    }

    /// Always empty: there is no tracking id.
    #[zbus(property)]
    fn tracking_id(&self) -> String {
        String::new()
    }

    /// Switches everything on or off. Off deletes what was recorded.
    async fn set_enabled(
        &self,
        enabled: bool,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> fdo::Result<()> {
        let refusal = "Disabling metrics is only allowed from system settings";
        self.0.authority.demand(connection, &header, SET_ENABLED, refusal).await?;
        self.0.set_enabled(connection, enabled).await.map_err(|error| fdo::Error::Failed(error.to_string()))
    }

    /// Records an event that happened once.
    async fn record_singular_event(
        &self,
        user_id: u32,
        event_id: Vec<u8>,
        relative_timestamp: i64,
        has_payload: bool,
        payload: OwnedVariant,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> fdo::Result<()> {
        if let Some(bytes) = self.0.admit(connection, &header, 1, MESSAGE_LEN).await? {
            self.0.record(&event_id, has_payload.then_some(payload), 1, bytes).await;
        }
        Ok(())
    }

    /// Records an event that happened a number of times.
    async fn record_aggregate_event(
        &self,
        user_id: u32,
        event_id: Vec<u8>,
        count: i64,
        relative_timestamp: i64,
        has_payload: bool,
        payload: OwnedVariant,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> fdo::Result<()> {
        if let Some(bytes) = self.0.admit(connection, &header, 1, MESSAGE_LEN).await? {
            let times = u64::try_from(count).unwrap_or(0);
            self.0.record(&event_id, has_payload.then_some(payload), times, bytes).await;
        }
        Ok(())
    }

    /// Records a sequence: every entry happened once, and all together lasted from the first to the last.
    async fn record_event_sequence(
        &self,
        user_id: u32,
        event_id: Vec<u8>,
        events: Vec<(i64, bool, OwnedVariant)>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> fdo::Result<()> {
        if self.0.admit(connection, &header, events.len().max(1), MESSAGE_LEN).await?.is_some() {
            let entries: Vec<_> =
                events.iter().map(|(time, has_payload, payload)| (*time, has_payload.then_some(&**payload))).collect();
            self.0.record_sequence(&event_id, &entries).await;
        }
        Ok(())
    }

    /// Delivers the reports whose moment has come; it does not bring any forward.
    async fn upload_events(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<(), BoxDBusError> {
        if !self.enabled().await {
            return Err(disabled(
                "Could not upload events because the metrics system is disabled. You may enable the metrics system via Settings > Privacy > Metrics",
            ));
        }
        self.0.admit(connection, &header, 1, MESSAGE_LEN).await.map_err(boxed)?;
        match self.0.upload().await {
            Ok(_) => Ok(()),
            Err(error) => Err(Box::new(fdo::Error::Failed(error.to_string()))),
        }
    }

    /// There is no tracking id to reset.
    async fn reset_tracking_id(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> fdo::Result<()> {
        let refusal = "Only privileged users can reset the tracking ID";
        self.0.authority.demand(connection, &header, RESET_TRACKING_ID, refusal).await?;
        Err(fdo::Error::UnknownMethod(
            "Method ResetTrackingId is not implemented on interface com.endlessm.Metrics.EventRecorderServer"
                .to_owned(),
        ))
    }

    /// Starts a timer, which runs until it is stopped or its caller leaves the bus.
    #[zbus(out_args("timer_object_path"))]
    async fn start_aggregate_timer(
        &self,
        user_id: u32,
        event_id: Vec<u8>,
        has_payload: bool,
        payload: OwnedVariant,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> Result<OwnedObjectPath, BoxDBusError> {
        let off = || disabled("Could not start the timer because the metrics system is disabled");
        if !self.enabled().await {
            return Err(off());
        }
        let Ok(event) = <[u8; 16]>::try_from(event_id.as_slice()) else {
            return Err(Box::new(RecorderError::InvalidEventId("An event id has 16 bytes".to_owned())));
        };
        let owner = sender(&header).map_err(boxed)?;
        self.0.admit(connection, &header, 1, TIMER_MESSAGE_LEN).await.map_err(boxed)?;
        let payload = has_payload.then_some(payload);
        let started = self.0.start_timer(connection, &owner, event, payload).await.map_err(boxed)?;
        started.map(timer_path).ok_or_else(off)
    }
}

fn disabled(text: &str) -> BoxDBusError {
    Box::new(RecorderError::MetricsDisabled(text.to_owned()))
}

fn boxed(error: fdo::Error) -> BoxDBusError {
    Box::new(error)
}

#[interface(name = "com.endlessm.Metrics.AggregateTimer")]
impl AggregateTimer {
    /// Stops the timer; its time is tallied soon.
    async fn stop_timer(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] connection: &Connection,
    ) -> fdo::Result<()> {
        self.daemon.stop_timer(connection, self.number, &sender(&header)?).await
    }
}

impl From<DaemonError> for fdo::Error {
    fn from(error: DaemonError) -> Self {
        Self::Failed(error.to_string())
    }
}

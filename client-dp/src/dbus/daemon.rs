// SPDX-License-Identifier: MIT OR Apache-2.0
//! The daemon: one workstation, the running timers, and the ticks that bring both up to date.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt as _;
use tokio::sync::{Mutex, Notify};
use zbus::export::ordered_stream::OrderedStreamExt as _;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;
use zbus::object_server::InterfaceRef;
use zbus::wire::{OwnedVariant, Variant};
use zbus::{Connection, fdo};

use super::metrics::{Metrics, StatusRow};
use super::recorder::{AggregateTimer, Recorder, timer_path};
use super::timers::{Slice, Timer, Timers};
use super::{Authority, Bus, METRICS_NAME, METRICS_PATH, RECORDER_NAME, RECORDER_PATH};
use crate::entropy::{self, NoEntropy};
use crate::event::Event;
use crate::outbox::Outgoing;
use crate::probes;
use crate::uploader::{Delivery, UploadError, Uploader};
use crate::workstation::{Workstation, WorkstationError};

/// How often the daemon looks at the clock.
const TICK: Duration = Duration::from_mins(15);

/// What a daemon needs beside its workstation.
#[derive(Debug)]
pub struct Options {
    /// the bus to serve
    pub bus: Bus,
    /// where reports go
    pub uploader: Uploader,
    /// the server's address, for the owner's view
    pub server: String,
    /// the longest pause between two reports that are due at once
    pub longest_pause: Duration,
    /// the root of the system that the probes read
    pub root: PathBuf,
}

/// Why the daemon stopped or could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DaemonError {
    /// Another recorder serves the bus.
    #[error(
        "another recorder already serves {RECORDER_NAME} on this bus: stop it first (systemctl stop eos-metrics-event-recorder, or the other stipple-recorderd)"
    )]
    NameTaken,
    /// The bus cannot be reached or used.
    #[error("the bus cannot be used: {0}; check --bus and the bus policy of {RECORDER_NAME}")]
    Bus(zbus::Error),
    /// The state failed.
    #[error(transparent)]
    Workstation(#[from] WorkstationError),
    /// No randomness.
    #[error(transparent)]
    Entropy(#[from] NoEntropy),
    /// A report could not be delivered now.
    #[error(transparent)]
    Upload(#[from] UploadError),
}

impl From<zbus::Error> for DaemonError {
    fn from(error: zbus::Error) -> Self {
        match error {
            zbus::Error::NameTaken => Self::NameTaken,
            error => Self::Bus(error),
        }
    }
}

/// See the module's documentation.
#[derive(Debug)]
pub struct Daemon {
    pub(super) workstation: Mutex<Workstation>,
    pub(super) timers: Mutex<Timers>,
    pub(super) authority: Authority,
    pub(super) options: Options,
    uploading: Mutex<()>,
    /// tells an upload under way that the user said no
    switched_off: Notify,
    /// what the bus was last told
    told: Mutex<Option<StatusRow>>,
}

impl Daemon {
    /// A daemon for a workstation.
    #[must_use]
    pub fn new(workstation: Workstation, options: Options) -> Arc<Self> {
        Arc::new(Self {
            workstation: Mutex::new(workstation),
            timers: Mutex::default(),
            authority: Authority::of(&options.bus),
            options,
            uploading: Mutex::default(),
            switched_off: Notify::new(),
            told: Mutex::default(),
        })
    }

    /// Serves the bus until `stop` ends; then timers are stopped and tallied. `ready` is called once the names are ours.
    ///
    /// # Errors
    /// [`DaemonError`] when the bus or the state fails.
    pub async fn serve(
        self: &Arc<Self>,
        stop: impl Future<Output = ()>,
        ready: impl FnOnce(),
    ) -> Result<(), DaemonError> {
        // Whoever calls as soon as the names are ours sees the present, not what was left at the last stop.
        warn_of(self.update().await);
        let connection = self
            .options
            .bus
            .builder()
            .serve_at(RECORDER_PATH, Recorder(self.clone()))
            .serve_at(METRICS_PATH, Metrics(self.clone()))
            .allow_name_replacements(false)
            .replace_existing_names(false)
            .name(RECORDER_NAME)
            .name(METRICS_NAME)
            .build()
            .await?;
        let mut leavers = DBusProxy::new(&connection).await?.receive_name_owner_changed().await?;
        warn_of(self.announce(&connection).await);
        ready();
        self.upload_in_background();
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + TICK, TICK);
        let mut stop = std::pin::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => break,
                () = connection.closed() => break,
                _ = ticks.tick() => {
                    warn_of(self.update().await);
                    warn_of(self.announce(&connection).await);
                    self.upload_in_background();
                }
                Some(change) = leavers.next() => {
                    if let Ok(change) = change.args() && change.new_owner().is_none() {
                        self.end_timers(&connection, Some(change.name().as_str())).await;
                    }
                }
            }
        }
        self.end_timers(&connection, None).await;
        Ok(())
    }

    /// Records what timers and probes have, and closes the weeks that are over.
    async fn update(&self) -> Result<(), DaemonError> {
        self.slice_timers().await?;
        let mut workstation = self.workstation.lock().await;
        probes::run(&mut workstation, &self.options.root)?;
        Ok(workstation.advance(&mut entropy::generator()?)?)
    }

    /// Sends what is due, unless that is being done: in the background, so that a slow server holds up neither the bus nor the
    /// end.
    fn upload_in_background(self: &Arc<Self>) {
        if self.uploading.try_lock().is_ok() {
            let daemon = self.clone();
            tokio::spawn(async move { warn_of(daemon.upload().await) });
        }
    }

    /// Turns finished weeks into reports and delivers those whose moment has come, with a random pause between two so that
    /// their times do not link them. Returns how many were counted.
    ///
    /// # Errors
    /// [`DaemonError`]; what was not delivered waits.
    pub async fn upload(&self) -> Result<usize, DaemonError> {
        let _one_at_a_time = self.uploading.lock().await;
        self.workstation.lock().await.advance(&mut entropy::generator()?)?;
        let (mut counted, mut first) = (0, true);
        loop {
            if !std::mem::take(&mut first) {
                tokio::time::sleep(self.options.longest_pause.mul_f64(entropy::generator()?.random())).await;
            }
            let due = self.workstation.lock().await.due()?;
            let Some(report) = due.first() else { return Ok(counted) };
            let Some(delivery) = self.deliver(report).await? else { return Ok(counted) };
            if let Delivery::Refused(status) = delivery {
                tracing::warn!("the server refused a report for good (status {status})");
            }
            counted += usize::from(delivery == Delivery::Counted);
            self.workstation.lock().await.settle(report.id(), delivery == Delivery::Counted)?;
        }
    }

    /// Delivers one report, unless the user says no before it is counted.
    async fn deliver(&self, report: &Outgoing) -> Result<Option<Delivery>, DaemonError> {
        let mut off = std::pin::pin!(self.switched_off.notified());
        // Listening begins before the look: a no in between is not missed.
        off.as_mut().enable();
        if !self.workstation.lock().await.due()?.contains(report) {
            return Ok(None);
        }
        let mut rng = entropy::generator()?;
        tokio::select! {
            delivery = self.options.uploader.deliver(report, &mut rng) => Ok(Some(delivery?)),
            () = off => Ok(None),
        }
    }

    /// Takes the user's answer and tells the bus.
    pub(super) async fn set_enabled(&self, connection: &Connection, enabled: bool) -> Result<(), DaemonError> {
        let outcome = self.switch(connection, enabled).await;
        // After a failure too: the answer may have been written.
        self.announce(connection).await?;
        outcome
    }

    /// Changes the workstation for its owner and tells the bus. What is no longer due is not sent by an upload under way.
    pub(super) async fn change(
        &self,
        connection: &Connection,
        change: impl FnOnce(&mut Workstation) -> Result<(), WorkstationError>,
    ) -> Result<(), DaemonError> {
        let outcome = change(&mut *self.workstation.lock().await);
        self.switched_off.notify_waiters();
        self.announce(connection).await?;
        Ok(outcome?)
    }

    /// What the owner sees at a glance.
    pub(super) async fn status(&self) -> Result<StatusRow, DaemonError> {
        Ok(StatusRow::of(&*self.workstation.lock().await, &self.options.server)?)
    }

    /// Signals the properties that have changed since the last time.
    async fn announce(&self, connection: &Connection) -> Result<(), DaemonError> {
        let mut told = self.told.lock().await;
        let status = self.status().await?;
        if let Some(before) = told.replace(status.clone()) {
            let recorder: InterfaceRef<Recorder> = connection.object_server().interface(RECORDER_PATH).await?;
            if (&before.consent, &before.hold) != (&status.consent, &status.hold) {
                recorder.get().await.enabled_changed(recorder.signal_emitter()).await?;
            }
            let metrics: InterfaceRef<Metrics> = connection.object_server().interface(METRICS_PATH).await?;
            metrics.get().await.tell(metrics.signal_emitter(), &before, &status).await?;
        }
        Ok(())
    }

    async fn switch(&self, connection: &Connection, enabled: bool) -> Result<(), DaemonError> {
        if enabled {
            self.workstation.lock().await.enable(&mut entropy::generator()?)?;
            probes::run(&mut *self.workstation.lock().await, &self.options.root)?;
        } else {
            for (number, _) in self.timers.lock().await.end(None) {
                remove_timer(connection, number);
            }
            let disabled = self.workstation.lock().await.disable();
            self.switched_off.notify_waiters();
            disabled?;
        }
        Ok(())
    }

    /// Records an event. Its content is never part of an error.
    pub(super) async fn record(&self, id: &[u8], payload: Option<&Variant<'_>>, times: u64, seconds: u64) {
        let Ok(id) = <[u8; 16]>::try_from(id) else { return };
        let event = Event { id, payload, times, seconds };
        if let Err(error) = self.workstation.lock().await.record(&event) {
            tracing::warn!("an event could not be recorded: {error}");
        }
    }

    /// Starts a timer for a caller; `None` when it has too many. The payload of an event that no metric listens for is not
    /// kept.
    pub(super) async fn start_timer(
        self: &Arc<Self>,
        connection: &Connection,
        owner: &str,
        event: [u8; 16],
        payload: Option<OwnedVariant>,
    ) -> zbus::Result<Option<u64>> {
        let known = self.workstation.lock().await.catalogue().listens_for(event);
        let payload = payload.filter(|_| known);
        let Some(number) = self.timers.lock().await.start(owner, event, payload, Instant::now()) else {
            return Ok(None);
        };
        connection.object_server().at(timer_path(number), AggregateTimer { daemon: self.clone(), number }).await?;
        // A caller that left before its timer stood in the list was not found there.
        let name = BusName::try_from(owner)?;
        if !DBusProxy::new(connection).await?.name_has_owner(name).await? {
            self.end_timers(connection, Some(owner)).await;
        }
        Ok(Some(number))
    }

    /// Stops a caller's timer and tallies it.
    pub(super) async fn stop_timer(&self, connection: &Connection, number: u64, owner: &str) -> fdo::Result<()> {
        let Some(timer) = self.timers.lock().await.stop(number, owner) else {
            return Err(fdo::Error::AccessDenied("a timer is stopped by the caller that started it".to_owned()));
        };
        self.tally(timer).await;
        remove_timer(connection, number);
        Ok(())
    }

    async fn end_timers(&self, connection: &Connection, owner: Option<&str>) {
        let ended = self.timers.lock().await.end(owner);
        for (number, timer) in ended {
            self.tally(timer).await;
            remove_timer(connection, number);
        }
    }

    async fn tally(&self, mut timer: Timer) {
        warn_of(record_slice(&mut *self.workstation.lock().await, &mut timer));
    }

    /// Records the time that running timers have measured, so that a week gets its own part of a long one.
    async fn slice_timers(&self) -> Result<(), DaemonError> {
        let mut timers = self.timers.lock().await;
        let mut workstation = self.workstation.lock().await;
        timers.running().try_for_each(|timer| record_slice(&mut workstation, timer))
    }
}

fn record_slice(workstation: &mut Workstation, timer: &mut Timer) -> Result<(), DaemonError> {
    let week = workstation.clock().week().map_err(WorkstationError::from)?;
    let Slice { times, seconds } = timer.slice(Instant::now(), week);
    let payload = timer.payload.as_deref();
    Ok(workstation.record(&Event { id: timer.event, payload, times, seconds })?)
}

/// Logs a failure, which the next tick meets again if it lasts.
fn warn_of<T>(outcome: Result<T, DaemonError>) {
    if let Err(error) = outcome {
        tracing::warn!("{error}");
    }
}

/// Takes a timer's object off the bus, soon: the object that is being called cannot wait for its own removal.
fn remove_timer(connection: &Connection, number: u64) {
    let connection = connection.clone();
    tokio::spawn(async move {
        if let Err(error) = connection.object_server().remove::<AggregateTimer, _>(timer_path(number)).await {
            tracing::warn!("a timer's object could not be removed: {error}");
        }
    });
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The daemon: one workstation, the running timers, and the ticks that bring both up to date.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use zbus::export::ordered_stream::OrderedStreamExt as _;
use zbus::fdo::DBusProxy;
use zbus::message::Header;
use zbus::names::BusName;
use zbus::object_server::InterfaceRef;
use zbus::wire::{OwnedVariant, Variant};
use zbus::{Connection, fdo};

use super::metrics::{Metrics, StatusRow};
use super::quota::{BURST, Quotas, Refusal};
use super::recorder::{AggregateTimer, Recorder, sender, timer_path};
use super::shared::Shared;
use super::timers::{Timer, Timers};
use super::uploads::Uploads;
use super::{Authority, Bus, METRICS_NAME, METRICS_PATH, RECORDER_NAME, RECORDER_PATH};
use crate::courier::Courier;
use crate::entropy::{self, NoEntropy};
use crate::probes::{self, Manager, System};
use crate::uploader::UploadError;
use crate::workstation::{Workstation, WorkstationError};

/// How often the daemon looks at the clock.
const TICK: Duration = Duration::from_mins(15);
/// How long refused calls are added up before they are written down.
const REFUSED: Duration = Duration::from_secs(1);

/// What a daemon needs beside its workstation.
#[derive(Debug)]
pub struct Options {
    /// the bus to serve
    pub bus: Bus,
    /// how reports leave
    pub courier: Courier,
    /// the server's address, for the owner's view
    pub server: String,
    /// the longest pause between two reports that are due at once
    pub longest_pause: Duration,
    /// the root of the system that the probes read
    pub root: PathBuf,
    /// how many events a caller may record a second, once its burst is used up; a user's programs together four times that
    pub events_per_second: u32,
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
    /// An upload that this one waited for, and that would have been its own, failed.
    #[error("{0}")]
    OtherUpload(String),
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
    pub(super) workstation: Arc<Shared>,
    pub(super) timers: Mutex<Timers>,
    pub(super) authority: Authority,
    pub(super) options: Options,
    quotas: Mutex<Quotas>,
    pub(super) uploads: Uploads,
    /// what the bus was last told
    told: Mutex<Option<StatusRow>>,
}

impl Daemon {
    /// A daemon for a workstation.
    #[must_use]
    pub fn new(workstation: Workstation, options: Options) -> Arc<Self> {
        Arc::new(Self {
            workstation: Shared::new(workstation),
            timers: Mutex::default(),
            authority: Authority::of(&options.bus),
            quotas: Mutex::new(Quotas::new(options.events_per_second)),
            options,
            uploads: Uploads::default(),
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
        warn_of(self.update(Manager::default()).await);
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
                    let manager = Manager::ask(&connection).await;
                    warn_of(self.judge_timers(&connection).await);
                    warn_of(self.update(manager).await);
                    warn_of(self.announce(&connection).await);
                    self.upload_in_background();
                }
                Some(change) = leavers.next() => {
                    if let Ok(change) = change.args() && change.new_owner().is_none() {
                        self.end_timers(&connection, Some(change.name().as_str())).await;
                        self.quotas.lock().await.forget(change.name().as_str());
                    }
                }
            }
        }
        self.end_timers(&connection, None).await;
        self.count_refused().await;
        probes::end(&*self.workstation.lock().await);
        Ok(())
    }

    /// Records what probes find, and closes the weeks that are over.
    async fn update(&self, manager: Manager) -> Result<(), DaemonError> {
        let mut workstation = self.workstation.lock().await;
        probes::run(&mut workstation, System::at(&self.options.root), manager)?;
        Ok(workstation.advance(&mut entropy::generator()?)?)
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
        self.count_refused().await;
        if let Err(error) = self.judge_timers(connection).await {
            // What cannot be judged by what was wanted until now must not be by what is wanted from now on.
            tracing::warn!("{error}");
            forget_timers(connection, &mut *self.timers.lock().await);
        }
        let outcome = change(&mut *self.workstation.lock().await);
        self.uploads.interrupt();
        self.announce(connection).await?;
        Ok(outcome?)
    }

    /// What the owner sees at a glance.
    pub(super) async fn status(&self) -> Result<StatusRow, DaemonError> {
        let trouble = self.uploads.trouble().await;
        Ok(StatusRow::of(&*self.workstation.lock().await, &self.options, trouble)?)
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
            let manager = Manager::ask(connection).await;
            probes::run(&mut *self.workstation.lock().await, System::at(&self.options.root), manager)?;
        } else {
            self.count_refused().await;
            let disabled = {
                let mut timers = self.timers.lock().await;
                forget_timers(connection, &mut timers);
                self.workstation.lock().await.disable()
            };
            self.quotas.lock().await.forget_all();
            self.uploads.interrupt();
            disabled?;
        }
        Ok(())
    }

    /// Lets a call pass that says `cost` things, within the longest message and the quotas of its caller and its user; returns
    /// the message's length. Without a yes every call passes, with `None`: there is nothing to protect, and nothing to remember.
    pub(super) async fn admit(
        self: &Arc<Self>,
        connection: &Connection,
        header: &Header<'_>,
        cost: usize,
        longest: usize,
    ) -> fdo::Result<Option<usize>> {
        let caller = sender(header)?;
        // Who is remembered has called under a yes, and a no forgets everybody: the state need not be asked for each call.
        let known = self.quotas.lock().await.user_of(&caller).is_some();
        if !known && !self.is_on().await {
            return Ok(None);
        }
        let user = self.user_of(connection, &caller).await;
        // A no may have come while the bus was asked.
        if !known && !self.is_on().await {
            return Ok(None);
        }
        let now = self.workstation.clock().now();
        let length = usize::try_from(header.primary().body_len()).unwrap_or(usize::MAX);
        let fits = match u32::try_from(cost) {
            _ if length > longest => Err(Refusal::Message(longest)),
            Ok(cost) if cost <= BURST => Ok(cost),
            _ => Err(Refusal::Sequence),
        };
        let charged = self.quotas.lock().await.charge(&caller, user, fits.unwrap_or(1), now);
        match charged.and(fits) {
            Ok(_) => Ok(Some(length)),
            Err(refusal) => Err(self.refuse(refusal).await),
        }
    }

    /// Whether anything may be recorded; not if that cannot be read.
    pub(super) async fn is_on(&self) -> bool {
        self.workstation.lock().await.is_on().unwrap_or(false)
    }

    /// Counts a refused call, soon, and words the answer.
    pub(super) async fn refuse(self: &Arc<Self>, refusal: Refusal) -> fdo::Error {
        if self.quotas.lock().await.note(refusal) {
            let daemon = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(REFUSED).await;
                daemon.count_refused().await;
            });
        }
        fdo::Error::LimitsExceeded(refusal.to_string())
    }

    async fn count_refused(&self) {
        let refused = self.quotas.lock().await.take_refused();
        warn_of(self.workstation.lock().await.count_refused(refused).map_err(DaemonError::from));
    }

    /// A caller's user id; `None` when the caller has left before it could be asked for.
    async fn user_of(&self, connection: &Connection, caller: &str) -> Option<u32> {
        if let Some(user) = self.quotas.lock().await.user_of(caller) {
            return user;
        }
        let name = BusName::try_from(caller).ok()?;
        DBusProxy::new(connection).await.ok()?.get_connection_unix_user(name).await.ok()
    }

    /// Records soon what a message of so many bytes said. Its content is never part of an error.
    pub(super) async fn record(&self, id: &[u8], payload: Option<OwnedVariant>, times: u64, bytes: usize) {
        let Ok(id) = <[u8; 16]>::try_from(id) else { return };
        warn_of(self.workstation.record(id, payload, times, bytes).await);
    }

    /// Records a sequence of times in nanoseconds and payloads.
    pub(super) async fn record_sequence(&self, id: &[u8], entries: &[(i64, Option<&Variant<'_>>)]) {
        let Ok(id) = <[u8; 16]>::try_from(id) else { return };
        warn_of(self.workstation.lock().await.record_sequence(id, entries).map_err(DaemonError::from));
    }

    /// Starts a timer for a caller; `None` when a no has come meanwhile. The payload of an event that no metric listens for is
    /// not kept.
    ///
    /// # Errors
    /// [`fdo::Error::LimitsExceeded`] when too many run.
    pub(super) async fn start_timer(
        self: &Arc<Self>,
        connection: &Connection,
        owner: &str,
        event: [u8; 16],
        payload: Option<OwnedVariant>,
    ) -> fdo::Result<Option<u64>> {
        let user = self.user_of(connection, owner).await;
        let started = {
            // Both are held: a no either finds the timer or is found.
            let mut timers = self.timers.lock().await;
            let workstation = self.workstation.lock().await;
            if !workstation.is_on().unwrap_or(false) {
                return Ok(None);
            }
            let week = workstation.rest_of_week().map_err(DaemonError::from)?;
            let known = workstation.catalogue().listens_for(event);
            timers.start(Timer::new((owner, user), event, payload.filter(|_| known), Instant::now(), week))
        };
        let number = match started {
            Ok(number) => number,
            Err(refusal) => return Err(self.refuse(refusal).await),
        };
        connection.object_server().at(timer_path(number), AggregateTimer { daemon: self.clone(), number }).await?;
        // A caller that left before its timer stood in the list was not found there.
        let name = BusName::try_from(owner)?;
        if !DBusProxy::new(connection).await?.name_has_owner(name).await? {
            self.end_timers(connection, Some(owner)).await;
        }
        Ok(Some(number))
    }

    /// Stops a caller's timer and tallies it soon.
    pub(super) async fn stop_timer(&self, connection: &Connection, number: u64, owner: &str) -> fdo::Result<()> {
        let Some(timer) = self.timers.lock().await.stop(number, owner) else {
            return Err(fdo::Error::AccessDenied("a timer is stopped by the caller that started it".to_owned()));
        };
        warn_of(self.workstation.end(timer).await);
        remove_timer(connection, number);
        Ok(())
    }

    async fn end_timers(&self, connection: &Connection, owner: Option<&str>) {
        let ended = self.timers.lock().await.end(owner);
        for (number, timer) in ended {
            warn_of(self.workstation.end(timer).await);
            remove_timer(connection, number);
        }
    }

    /// Has what running timers have measured judged by what is wanted now. An administrator's lock ends them, as a no does.
    async fn judge_timers(&self, connection: &Connection) -> Result<(), DaemonError> {
        let on = self.workstation.lock().await.is_on()?;
        if !on {
            forget_timers(connection, &mut *self.timers.lock().await);
            self.quotas.lock().await.forget_all();
        }
        self.slice_timers().await
    }

    /// Records the time that running timers have measured, so that a week gets its own part of a long one.
    pub(super) async fn slice_timers(&self) -> Result<(), DaemonError> {
        let mut timers = self.timers.lock().await;
        let mut workstation = self.workstation.lock().await;
        let week = workstation.rest_of_week()?;
        for timer in timers.running() {
            let slices = timer.slice(Instant::now(), week);
            let (id, payload) = (timer.event, timer.payload.as_deref());
            let events: Vec<_> = slices.iter().map(|slice| (Some(slice.week), slice.event(id, payload))).collect();
            workstation.record_in(&events)?;
        }
        Ok(())
    }
}

/// Logs a failure, which the next tick meets again if it lasts.
pub(super) fn warn_of<T>(outcome: Result<T, DaemonError>) {
    if let Err(error) = outcome {
        tracing::warn!("{error}");
    }
}

/// Ends every timer unrecorded.
fn forget_timers(connection: &Connection, timers: &mut Timers) {
    for (number, _) in timers.end(None) {
        remove_timer(connection, number);
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

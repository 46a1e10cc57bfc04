// SPDX-License-Identifier: MIT OR Apache-2.0
//! Aggregate timers: they belong to their caller, end with it, and are tallied however they end, unless a no or a lock ends them.

use stipple_client_dp::dbus::{AggregateTimerProxy, EventRecorderServerProxy};
use zbus::Connection;
use zbus::wire::OwnedObjectPath;

use super::corner::Corner;
use super::recording::{DAILY_APP_USAGE, uuid};

async fn start(connection: &Connection, application: &str) -> OwnedObjectPath {
    let recorder = EventRecorderServerProxy::new(connection).await.unwrap();
    let id = DAILY_APP_USAGE.to_be_bytes();
    recorder.start_aggregate_timer(1000, &id, true, &application.into()).await.unwrap()
}

async fn stop(connection: &Connection, timer: &OwnedObjectPath) -> zbus::Result<()> {
    AggregateTimerProxy::builder(connection).path(timer).build().await.unwrap().stop_timer().await
}

fn name(error: &zbus::Error) -> String {
    match error {
        zbus::Error::MethodError(name, _, _) => name.to_string(),
        other => format!("{other:?}"),
    }
}

#[tokio::test]
async fn only_its_caller_stops_a_timer_and_only_once() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let (owner, stranger) = (corner.connect().await, corner.connect().await);
    let timer = start(&owner, "firefox.desktop").await;
    let refusal = stop(&stranger, &timer).await.unwrap_err();
    assert!(name(&refusal).contains("AccessDenied"), "{refusal:?}");
    assert_eq!(corner.tally("usage.applications"), "none");
    stop(&owner, &timer).await.unwrap();
    assert_eq!(corner.tally("usage.applications"), "org.mozilla.firefox");
    corner.until("the timer's object removed", |corner| {
        corner.gdbus_on(timer.as_str(), "com.endlessm.Metrics.AggregateTimer.StopTimer", &[]).err().filter(|error| {
            // GLib says UnknownMethod here, zbus UnknownObject.
            error.contains("org.freedesktop.DBus.Error.UnknownObject")
        })
    });
}

#[tokio::test]
async fn a_timer_ends_when_its_caller_leaves_the_bus() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let (leaver, stayer) = (corner.connect().await, corner.connect().await);
    start(&leaver, "firefox.desktop").await;
    start(&stayer, "org.gnome.Nautilus").await;
    leaver.close().await.unwrap();
    let tallied = corner
        .until("the leaver's timer", |corner| Some(corner.tally("usage.applications")).filter(|tally| tally != "none"));
    assert_eq!(tallied, "org.mozilla.firefox", "the other one still runs");
}

#[test]
fn gdbus_starts_a_timer_that_ends_with_it() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let arguments = ["1000", &uuid(DAILY_APP_USAGE), "true", "<'org.gnome.Nautilus.desktop'>"];
    let reply = corner.record("StartAggregateTimer", &arguments);
    assert_eq!(reply.as_deref(), Ok("(objectpath '/com/endlessm/Metrics/AggregateTimer0',)\n"));
    corner.until("the timer", |corner| (corner.tally("usage.applications") == "org.gnome.Nautilus").then_some(()));
}

#[tokio::test]
async fn running_timers_are_tallied_when_the_recorder_ends() {
    let corner = Corner::new();
    let recorder = corner.enabled();
    let caller = corner.connect().await;
    start(&caller, "firefox.desktop").await;
    assert_eq!(recorder.stop().code(), Some(0));
    let _recorder = corner.recorder();
    assert_eq!(corner.tally("usage.applications"), "org.mozilla.firefox");
}

#[tokio::test]
async fn a_no_ends_every_timer_unrecorded() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let caller = corner.connect().await;
    let timer = start(&caller, "firefox.desktop").await;
    corner.stipple_ok(&["disable"]);
    corner.stipple_ok(&["enable"]);
    stop(&caller, &timer).await.unwrap_err();
    assert_eq!(corner.tally("usage.applications"), "none");
}

#[tokio::test]
async fn what_a_timer_measured_while_its_metric_was_off_stays_unrecorded() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let caller = corner.connect().await;
    let timer = start(&caller, "firefox.desktop").await;
    corner.stipple_ok(&["opt-out", "usage"]);
    corner.stipple_ok(&["opt-in", "usage"]);
    stop(&caller, &timer).await.unwrap();
    assert_eq!(corner.tally("usage.applications"), "none");
}

#[tokio::test]
async fn an_administrators_lock_ends_every_timer_unrecorded() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let caller = corner.connect().await;
    let timer = start(&caller, "firefox.desktop").await;
    std::fs::write(corner.path("disabled"), "").unwrap();
    corner.stipple_ok(&["erase"]);
    std::fs::remove_file(corner.path("disabled")).unwrap();
    stop(&caller, &timer).await.unwrap_err();
    assert_eq!(corner.tally("usage.applications"), "none");
}

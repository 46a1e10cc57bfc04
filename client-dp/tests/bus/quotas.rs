// SPDX-License-Identifier: MIT OR Apache-2.0
//! A flooder beside a quiet caller: what is refused says why, is counted, and takes nothing from the other.

use stipple_client_dp::dbus::EventRecorderServerProxy;
use zbus::wire::Variant;
use zbus::{Connection, DBusError as _};

use super::corner::Corner;
use super::recording::DAILY_APP_USAGE;

/// Burst of one caller.
const BURST: usize = 1000;
const LIMITS: &str = "org.freedesktop.DBus.Error.LimitsExceeded";

async fn record(connection: &Connection, payload: &str) -> Result<(), String> {
    let recorder = EventRecorderServerProxy::new(connection).await.unwrap();
    let outcome = recorder.record_singular_event(0, &DAILY_APP_USAGE.to_be_bytes(), 1, true, &payload.into()).await;
    outcome.map_err(said)
}

/// An error's name and text.
fn said(error: zbus::Error) -> String {
    match error {
        zbus::Error::FDO(error) => format!("{}: {}", error.name(), error.description().unwrap_or_default()),
        zbus::Error::MethodError(name, text, _) => format!("{name}: {}", text.unwrap_or_default()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_flooder_is_refused_by_name_and_a_quiet_caller_is_heard() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let (flooder, quiet) = (corner.connect().await, corner.connect().await);
    // One sequence takes the whole burst but one event.
    let entries: Vec<_> = (1..BURST).map(|_| (0, true, Variant::from("firefox.desktop"))).collect();
    let loud = EventRecorderServerProxy::new(&flooder).await.unwrap();
    let id = DAILY_APP_USAGE.to_be_bytes();
    loud.record_event_sequence(0, &id, &entries).await.unwrap();
    let refusal = said(loud.record_event_sequence(0, &id, &entries).await.unwrap_err());
    assert_eq!(refusal, format!("{LIMITS}: a caller may record 50 events a second, and 1000 at once"));
    assert_eq!(record(&quiet, "org.gnome.Nautilus").await, Ok(()));
    assert_eq!(corner.tally("usage.applications"), "org.gnome.Nautilus, org.mozilla.firefox");
    corner.until("the refusals counted", |corner| (corner.dropped("over a caller's rate") >= 1).then_some(()));
}

#[tokio::test]
async fn long_messages_and_sequences_are_refused_and_counted() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let caller = corner.connect().await;
    let recorder = EventRecorderServerProxy::new(&caller).await.unwrap();
    let id = DAILY_APP_USAGE.to_be_bytes();
    assert_eq!(record(&caller, &"x".repeat(65_000)).await, Ok(()));
    let refusal = record(&caller, &"x".repeat(1 << 20)).await.unwrap_err();
    assert_eq!(refusal, format!("{LIMITS}: a message may have 65536 bytes"));
    let entries: Vec<_> = (0..=BURST).map(|_| (0, false, Variant::from(false))).collect();
    let refusal = said(recorder.record_event_sequence(0, &id, &entries).await.unwrap_err());
    assert_eq!(refusal, format!("{LIMITS}: a sequence may have 1000 entries"));
    let refusal = said(recorder.start_aggregate_timer(0, &id, true, &"x".repeat(2000).into()).await.unwrap_err());
    assert_eq!(refusal, format!("{LIMITS}: a message may have 1024 bytes"));
    corner.until("the refusals counted", |corner| {
        (corner.dropped("message too long") == 2 && corner.dropped("sequence too long") == 1).then_some(())
    });
}

#[tokio::test]
async fn a_caller_may_run_256_timers_and_the_next_one_still_gets_its_own() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let (greedy, modest) = (corner.connect().await, corner.connect().await);
    let start = async |connection: &Connection| {
        let recorder = EventRecorderServerProxy::new(connection).await.unwrap();
        recorder.start_aggregate_timer(0, &DAILY_APP_USAGE.to_be_bytes(), true, &"org.A".into()).await.map_err(said)
    };
    for _ in 0..256 {
        start(&greedy).await.unwrap();
    }
    let refusal = start(&greedy).await.unwrap_err();
    assert_eq!(refusal, format!("{LIMITS}: a caller may run 256 timers at once"));
    start(&modest).await.unwrap();
    corner.until("the refusal counted", |corner| (corner.dropped("too many timers") == 1).then_some(()));
}

#[tokio::test]
async fn without_a_yes_no_call_is_refused_or_remembered() {
    let corner = Corner::new();
    let recorder = corner.recorder();
    let caller = corner.connect().await;
    for _ in 0..BURST + 100 {
        assert_eq!(record(&caller, "firefox.desktop").await, Ok(()));
    }
    assert!(recorder.stop().success());
    assert_eq!(std::fs::read_dir(corner.state()).unwrap().count(), 0);
}

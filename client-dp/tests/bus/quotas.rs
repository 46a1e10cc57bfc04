// SPDX-License-Identifier: MIT OR Apache-2.0
//! A flooder beside a quiet caller: what is refused says why, is counted, and takes nothing from the other.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

use stipple_client_dp::dbus::{EventRecorderServerProxy, MetricsProxy};
use zbus::wire::Variant;
use zbus::{Connection, DBusError as _};

use super::corner::{Corner, Recorder, stderr};
use super::recording::{DAILY_APP_USAGE, uuid};

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
    // What is refused is written down after a second: not after an erasure that came in between.
    record(&caller, &"x".repeat(1 << 20)).await.unwrap_err();
    corner.stipple_ok(&["erase"]);
    recorder.record_event_sequence(0, &id, &entries).await.unwrap_err();
    corner.until("a later refusal counted", |corner| (corner.dropped("sequence too long") == 1).then_some(()));
    assert_eq!(corner.dropped("message too long"), 0);
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

/// A no forgets who had called, and what they had used up; so does a lock, once it is seen.
#[tokio::test]
async fn a_no_and_a_lock_end_every_limit() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let caller = corner.connect().await;
    let recorder = EventRecorderServerProxy::new(&caller).await.unwrap();
    let entries: Vec<_> = (0..BURST).map(|_| (0, true, Variant::from("firefox.desktop"))).collect();
    let id = DAILY_APP_USAGE.to_be_bytes();
    recorder.record_event_sequence(0, &id, &entries).await.unwrap();
    recorder.record_event_sequence(0, &id, &entries).await.unwrap_err();
    std::fs::write(corner.path("disabled"), "").unwrap();
    corner.stipple_ok(&["erase"]);
    recorder.record_event_sequence(0, &id, &entries).await.unwrap();
    recorder.record_event_sequence(0, &id, &entries).await.unwrap();
    std::fs::remove_file(corner.path("disabled")).unwrap();
    recorder.record_event_sequence(0, &id, &entries).await.unwrap();
    recorder.record_event_sequence(0, &id, &entries).await.unwrap_err();
    recorder.set_enabled(false).await.unwrap();
    recorder.record_event_sequence(0, &id, &entries).await.unwrap();
}

/// However many ask at once, two uploads answer them all: the one under way, and one that begins after they asked.
#[tokio::test]
async fn many_calls_of_upload_events_are_two_uploads() {
    let corner = Corner::new();
    let due = super::drill::prepare(&corner);
    // An uploader that is never ready: each upload comes to it once and gives up.
    let socket = corner.path("upload.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let (came, comes) = mpsc::channel();
    let (go, gone) = mpsc::channel::<()>();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut report = [0; 64];
            stream.read_exact(&mut report).unwrap();
            came.send(()).unwrap();
            gone.recv().unwrap();
            stream.write_all(b"later because this is a test\n").unwrap();
        }
    });
    let mut command = corner.command();
    command.args(["--now", &due.now, "--upload-socket"]).arg(&socket);
    let _recorder = Recorder::start(command);
    // The first upload is the recorder's own, at its start; it is held here while forty calls come in.
    let wait = Duration::from_mins(1);
    comes.recv_timeout(wait).unwrap();
    let connection = corner.connect().await;
    // From here on the recorder knows the caller, and takes up each of its calls at once and in their order.
    record(&connection, "firefox.desktop").await.unwrap();
    let recorder = EventRecorderServerProxy::new(&connection).await.unwrap();
    let call = || {
        let recorder = recorder.clone();
        tokio::spawn(async move { recorder.upload_events().await })
    };
    let calls: Vec<_> = (0..40).map(|_| call()).collect();
    let metrics = MetricsProxy::new(&connection).await.unwrap();
    for _ in 0..10 {
        metrics.status().await.unwrap();
    }
    go.send(()).unwrap();
    comes.recv_timeout(wait).expect("a second upload, for those that asked during the first");
    go.send(()).unwrap();
    for call in calls {
        let outcome = tokio::time::timeout(wait, call).await.expect("an answer").unwrap();
        assert!(outcome.is_err(), "the upload failed for each of them");
    }
    assert!(comes.try_recv().is_err(), "a third upload began");
}

/// Needs root, which alone can be two users; the rule itself is tested without it in `quota.rs`.
#[test]
fn a_user_that_floods_from_many_names_silences_no_other_user() {
    if !rustix::process::getuid().is_root() {
        eprintln!("not tried: this test needs root to be two users");
        return;
    }
    let corner = Corner::new();
    let mut command = corner.command();
    command.args(["--now", super::corner::NOW, "--events-per-second", "1"]);
    let _recorder = Recorder::start(command);
    corner.stipple_ok(&["enable"]);
    // The other user must reach the bus.
    std::fs::set_permissions(corner.path("."), PermissionsExt::from_mode(0o711)).unwrap();
    std::fs::set_permissions(corner.path("bus"), PermissionsExt::from_mode(0o666)).unwrap();
    let entries = format!("[{}]", vec!["(int64 0, false, <false>)"; BURST].join(", "));
    let flood = || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "gdbus", "call", "--address"]);
        command.args([&corner.address, "-d", "com.endlessm.Metrics", "-o", "/com/endlessm/Metrics", "-m"]);
        command.args(["com.endlessm.Metrics.EventRecorderServer.RecordEventSequence", "0"]);
        command.args([&uuid(DAILY_APP_USAGE), &entries]).output().unwrap()
    };
    for n in 0..4 {
        let output = flood();
        assert!(output.status.success(), "sequence {n}: {}", stderr(&output));
    }
    // A fifth name of the same user; a sequence's worth comes back in four minutes.
    let output = flood();
    assert!(stderr(&output).contains("the programs of a user may record 4 events a second"), "{}", stderr(&output));
    for _ in 0..3 {
        let entry = ["0", &uuid(DAILY_APP_USAGE), &entries];
        corner.record("RecordEventSequence", &entry).expect("root is another user with its own quota");
    }
    corner.until("the refusal counted", |corner| (corner.dropped("over a user's rate") >= 1).then_some(()));
}

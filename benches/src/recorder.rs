// SPDX-License-Identifier: MIT OR Apache-2.0
//! The recorder on a private bus: calls beside the same process's own `Peer.Ping`, and its start and memory beside what a
//! workstation may be asked to bear.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stipple_client_dp::dbus::{AggregateTimerProxy, EventRecorderServerProxy, RECORDER_NAME, RECORDER_PATH};
use tokio::runtime::{Builder, Runtime};
use zbus::fdo::PeerProxy;
use zbus::wire::Variant;
use zbus::{Connection, connection};

use crate::program::{Program, beside, memory, resident, undisturbed};
use crate::row::Row;

const PING: &str = "Peer.Ping to the same process";
/// A call that is checked, charged to its caller and tallied in a database may cost this much more than one that does nothing.
const CALLS: f64 = 0.7;
/// `StopTimer` calls a second of eos-metrics-event-recorder, synchronous (RECORDER.md, section 6).
const PEER_STOPS: f64 = 450.0;
/// An event that is recorded many times: what it is called, its id, and whether it has a payload.
type Kind = (&'static str, [u8; 16], bool);
/// An application that was used before: no tally changes.
const USED: Kind = ("an answer again", EVENT, true);
/// A crash of a program: every one changes its tally.
const CRASHED: Kind = ("one crash more", CRASH, false);
const EVENT: [u8; 16] = 0x49d0_451a_f706_4f50_81d2_70cc_0ec9_23a4_u128.to_be_bytes();
const CRASH: [u8; 16] = 0xed57_b607_4a56_47f1_b1e4_5dc3_e743_35ec_u128.to_be_bytes();
const APPLICATION: &str = "org.gnome.Nautilus.desktop";
/// As many timers as a caller may run at once.
const TIMERS: usize = 256;
/// Entries of the longest sequence.
const SEQUENCE: usize = 1000;
const IN_FLIGHT: usize = 64;

/// A private bus in a folder, and the recorder's command line on it.
struct Place {
    _folder: tempfile::TempDir,
    _bus: Program,
    address: String,
    recorder: Command,
}

impl Place {
    fn new(out: &Path, catalog: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir_in(out)?;
        let address = format!("unix:path={}", folder.path().join("bus").display());
        let config = folder.path().join("bus.conf");
        let text = format!(
            "<busconfig><listen>{address}</listen><policy context=\"default\"><allow send_destination=\"*\"/>\
             <allow receive_sender=\"*\"/><allow own=\"*\"/></policy></busconfig>"
        );
        std::fs::write(&config, text)?;
        let mut bus = Command::new("dbus-daemon");
        let (bus, _) =
            Program::start(bus.args(["--nofork", "--nopidfile", "--print-address", "--config-file"]).arg(config))?;
        let program = beside("stipple-recorderd", "stipple-client-dp")?;
        let state = folder.path().join("state");
        std::fs::create_dir(&state)?;
        let mut recorder = Command::new(program);
        recorder.args(["--bus", &address, "--server", "http://127.0.0.1:9", "--events-per-second", "1000000"]);
        recorder.arg("--state-dir").arg(state).arg("--catalog").arg(catalog);
        Ok(Self { _folder: folder, _bus: bus, address, recorder })
    }

    async fn connect(&self) -> anyhow::Result<Connection> {
        Ok(connection::Builder::address(self.address.as_str()).build().await?)
    }
}

/// All rows of the recorder.
pub fn measure(catalog: &Path, out: &Path, quick: bool) -> anyhow::Result<Vec<Row>> {
    let (rounds, short, each) = if quick { (1, 1, 500) } else { (71, 7, 2000) };
    let mut place = Place::new(out, catalog)?;
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;

    let mut starts = Vec::new();
    for _ in 0..short {
        let start = Instant::now();
        drop(Program::start(&mut place.recorder)?);
        starts.push(1.0 / start.elapsed().as_secs_f64());
    }
    let (recorder, _) = Program::start(&mut place.recorder)?;
    let connection = runtime.block_on(place.connect())?;
    runtime.block_on(async { EventRecorderServerProxy::new(&connection).await?.set_enabled(true).await })?;
    std::thread::sleep(Duration::from_secs(1));
    let idle = resident(recorder.id())?;
    let watched = Duration::from_secs(if quick { 1 } else { 30 });
    let undisturbed = undisturbed(recorder.id(), watched)?;

    let mut rows = vec![
        calls(&runtime, &connection, USED, 1, rounds, each)?,
        calls(&runtime, &connection, USED, IN_FLIGHT, rounds, each)?,
        calls(&runtime, &connection, CRASHED, 1, rounds, each)?,
        calls(&runtime, &connection, CRASHED, IN_FLIGHT, rounds, each)?,
        stops(&runtime, &connection, rounds)?,
    ];
    let sequences = if quick { 10 } else { 1000 };
    runtime.block_on(sequences_of(&connection, sequences))?;
    let used = resident(recorder.id())?;
    rows.push(Row::new("recorder: starts".into(), "one in 50 ms", 1.0, starts, vec![20.0]));
    let (name, reference) = ("recorder: idle seconds to the first wake-up", "all that were watched: none");
    rows.push(Row::new(name.into(), reference, 1.0, vec![undisturbed], vec![watched.as_secs_f64()]));
    rows.push(memory("recorder: fit in a GiB, idle", "10 MiB each", idle, 10.0));
    rows.push(memory("recorder: fit in a GiB, after a million events", "16 MiB each", used, 16.0));
    Ok(rows)
}

/// Recorded events a second beside pings a second, with so many calls in flight.
fn calls(
    runtime: &Runtime,
    bus: &Connection,
    kind: Kind,
    in_flight: usize,
    rounds: usize,
    each: usize,
) -> anyhow::Result<Row> {
    let (mut ours, mut reference) = (Vec::new(), Vec::new());
    // Short rounds in turn: what else the machine does slows both alike. The first warms both up and is not counted.
    for round in 0..=rounds {
        let pings = runtime.block_on(rate(bus, in_flight, each, ping))?;
        let events = runtime.block_on(rate(bus, in_flight, each, |bus, left| record(bus, kind, left)))?;
        if round > 0 {
            ours.push(events);
            reference.push(pings);
        }
    }
    let name = format!("RecordSingularEvent, {}, {in_flight} in flight", kind.0);
    Ok(Row::new(name, PING, CALLS, ours, reference))
}

async fn rate<F>(
    bus: &Connection,
    in_flight: usize,
    each: usize,
    call: impl Fn(Connection, Arc<AtomicUsize>) -> F,
) -> anyhow::Result<f64>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let left = Arc::new(AtomicUsize::new(each));
    let start = Instant::now();
    let callers: Vec<_> = (0..in_flight).map(|_| tokio::spawn(call(bus.clone(), left.clone()))).collect();
    for caller in callers {
        caller.await??;
    }
    Ok(each as f64 / start.elapsed().as_secs_f64())
}

/// Whether a call is left to make.
fn next(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok()
}

async fn ping(bus: Connection, left: Arc<AtomicUsize>) -> anyhow::Result<()> {
    let peer = PeerProxy::builder(&bus).destination(RECORDER_NAME).path(RECORDER_PATH).build().await?;
    while next(&left) {
        peer.ping().await?;
    }
    Ok(())
}

async fn record(bus: Connection, (_, event, has_payload): Kind, left: Arc<AtomicUsize>) -> anyhow::Result<()> {
    let recorder = EventRecorderServerProxy::new(&bus).await?;
    let payload = if has_payload { Variant::from(APPLICATION) } else { Variant::from(false) };
    while next(&left) {
        recorder.record_singular_event(1000, &event, 1, has_payload, &payload).await?;
    }
    Ok(())
}

/// Stopped timers a second, one call at a time.
fn stops(runtime: &Runtime, bus: &Connection, rounds: usize) -> anyhow::Result<Row> {
    let mut ours = Vec::new();
    for _ in 0..rounds {
        ours.push(runtime.block_on(async {
            let recorder = EventRecorderServerProxy::new(bus).await?;
            let mut timers = Vec::new();
            for _ in 0..TIMERS {
                let path = recorder.start_aggregate_timer(1000, &EVENT, true, &APPLICATION.into()).await?;
                timers.push(AggregateTimerProxy::builder(bus).path(path).build().await?);
            }
            let start = Instant::now();
            for timer in &timers {
                timer.stop_timer().await?;
            }
            anyhow::Ok(TIMERS as f64 / start.elapsed().as_secs_f64())
        })?);
    }
    Ok(Row::new("StopTimer".into(), "eos-metrics-event-recorder, 450 a second", 10.0, ours, vec![PEER_STOPS]))
}

/// Thousands of events, in the longest sequences.
async fn sequences_of(bus: &Connection, sequences: usize) -> anyhow::Result<()> {
    let recorder = EventRecorderServerProxy::new(bus).await?;
    for _ in 0..sequences {
        let entries: Vec<_> = (0..SEQUENCE).map(|_| (0, true, Variant::from(APPLICATION))).collect();
        recorder.record_event_sequence(1000, &EVENT, &entries).await?;
    }
    Ok(())
}

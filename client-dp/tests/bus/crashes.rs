// SPDX-License-Identifier: MIT OR Apache-2.0
//! SIGKILL at random moments of starting, drawing, sending and recording. Of what was acknowledged the last moment is lost at
//! most, no report is drawn twice, no budget is spent twice. `STIPPLE_CRASHES=200` makes it 200 moments.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};
use rusqlite::Connection;
use stipple_catalog::{Clock, Week};
use stipple_client_dp::FILE_NAME;
use stipple_client_dp::dbus::EventRecorderServerProxy;

use super::corner::{Corner, NOW, Recorder};
use super::server::Server;

const METRICS: u32 = 10;
const EVENT: u128 = 0x0001;

/// Ten metrics that all count one event: an epoch has a report of each, which its budget just pays for.
fn catalogue(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    let head = "title = \"Crashes\"\nepsilon_epoch = 4.0\nepsilon_cap = 2.0\n";
    std::fs::write(folder.join("catalogue.toml"), head).unwrap();
    for n in 0..METRICS {
        let metric = format!(
            "id = \"problems.m{n}\"\ntitle = \"T\"\nquestion = \"Why?\"\ncategory = \"problems\"\nowner = \"Us\"\n\
             approval = \"https://example.org/yes\"\nintroduced = 2001-01-01\nexpires = 2090-12-31\nepsilon = 0.4\n\
             mechanism = \"truncated-geometric\"\n[domain]\nkind = \"count\"\nmost = 9\n[tally]\naggregate = \"count\"\n\
             [[tally.events]]\nid = \"00000000-0000-0000-0000-000000000001\"\npayload = \"\"\n"
        );
        std::fs::write(folder.join(format!("problems.m{n}.toml")), metric).unwrap();
    }
}

/// What the state held after earlier crashes, which must stay so.
#[derive(Default)]
struct Witness {
    slots: BTreeMap<(u16, String), u16>,
    reports: BTreeMap<(String, u16), Vec<u8>>,
    spends: BTreeMap<(u16, String), u32>,
}

impl Witness {
    fn check(&mut self, state: &Connection) {
        let sound: String = state.query_row("PRAGMA quick_check", [], |row| row.get(0)).unwrap();
        assert_eq!(sound, "ok");
        let mut rows = state.prepare("SELECT epoch, metric, week FROM slot").unwrap();
        for slot in rows.query_map([], |r| Ok(((r.get(0)?, r.get(1)?), r.get(2)?))).unwrap() {
            let (slot, week) = slot.unwrap();
            assert_eq!(*self.slots.entry(slot).or_insert(week), week, "a slot was drawn again");
        }
        let mut rows = state.prepare("SELECT metric, week, report FROM outbox").unwrap();
        let (mut drawn, mut sums) = (0, BTreeMap::<u16, u32>::new());
        for report in rows.query_map([], |r| Ok(((r.get(0)?, r.get(1)?), r.get::<_, Vec<u8>>(2)?))).unwrap() {
            let (report, bytes) = report.unwrap();
            assert_eq!(*self.reports.entry(report).or_insert_with(|| bytes.clone()), bytes, "drawn twice");
            drawn += 1;
        }
        assert_eq!(drawn, self.reports.len(), "a report vanished, or a week has two");
        let mut rows = state.prepare("SELECT epoch, metric, epsilon_micros FROM spend").unwrap();
        let mut paid = 0;
        for spend in rows.query_map([], |r| Ok(((r.get(0)?, r.get(1)?), r.get(2)?))).unwrap() {
            let (spend, micros) = spend.unwrap();
            *sums.entry(spend.0).or_default() += micros;
            assert_eq!(*self.spends.entry(spend).or_insert(micros), micros);
            paid += 1;
        }
        assert_eq!((paid, paid), (drawn, self.spends.len()), "each report is paid for once");
        assert!(sums.values().all(|&sum| sum <= 4_000_000), "over budget: {sums:?}");
    }
}

fn moments() -> u32 {
    std::env::var("STIPPLE_CRASHES").map_or(20, |number| number.parse().expect("STIPPLE_CRASHES is a number"))
}

fn command(corner: &Corner, now: Timestamp, server: &str) -> Command {
    let mut command = corner.command_with(&corner.address, &corner.path("catalogue"));
    command.args(["--now", &now.to_string(), "--server", server]);
    command.env("TZ", "UTC");
    command
}

/// How long after its acknowledgement an event may be unwritten (`dbus/shared.rs`), and what tokio's timers add to it.
const WRITTEN_AFTER: Duration = Duration::from_millis(10 + 2);

/// Calls one recorder until it dies: how many events it was sent, and when the call of each acknowledged one was made.
struct Caller<'a> {
    corner: &'a Corner,
    sent: u32,
    acknowledged: Vec<Instant>,
}

impl Caller<'_> {
    async fn call_on(&mut self) {
        let connection = self.corner.connect().await;
        let recorder = EventRecorderServerProxy::new(&connection).await.unwrap();
        loop {
            self.sent += 1;
            let begin = Instant::now();
            match recorder.record_singular_event(0, &EVENT.to_be_bytes(), 0, false, &false.into()).await {
                Ok(()) => self.acknowledged.push(begin),
                Err(error) => {
                    // Nobody was there to hear it.
                    self.sent -= u32::from(format!("{error:?}").contains("ServiceUnknown"));
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
    }

    /// How many events must have been written, however slow the machine is. An event was acknowledged before the next call
    /// began. The last acknowledged call shows that the recorder lived after it began; by then it had looked at its timers,
    /// because its only thread does so when it takes calls from the bus, and served those that had run out first.
    fn written(&self) -> usize {
        let Some(&last) = self.acknowledged.last() else { return 0 };
        self.acknowledged.iter().skip(1).filter(|&&next| last.duration_since(next) > WRITTEN_AFTER).count()
    }
}

#[tokio::test]
async fn a_kill_at_any_moment_loses_the_last_moment_at_most_and_draws_or_spends_nothing_twice() {
    let corner = Corner::new();
    catalogue(&corner.path("catalogue"));
    let server = Server::start(&[]);
    let mut now: Timestamp = NOW.parse().unwrap();
    let start = Instant::now();
    let recorder = Recorder::start(command(&corner, now, &server.url));
    let start = start.elapsed();
    corner.stipple_ok(&["enable"]);
    recorder.kill();

    let mut rng = ChaCha20Rng::seed_from_u64(4);
    let (mut witness, mut heard) = (Witness::default(), BTreeMap::<Week, (u32, u32)>::new());
    let (mut mute, mut total, mut kept) = (0, 0, 0);
    for moment in 0..moments() {
        now = now.saturating_add(SignedDuration::from_hours(6 * 24)).unwrap();
        let week = Clock::manual(now).week().unwrap();
        let mut caller = Caller { corner: &corner, sent: 0, acknowledged: Vec::new() };
        let mut child = command(&corner, now, &server.url).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Half of the lives end about the start, the others while events are coming in.
        let begun = if moment % 2 == 0 { Duration::ZERO } else { 3 * start + 3 * WRITTEN_AFTER };
        let life = begun + start.mul_f64(2.5 * rng.random::<f64>());
        let _ = tokio::time::timeout(life, caller.call_on()).await;
        child.kill().unwrap();
        child.wait().unwrap();

        let (written, sent) = heard.entry(week).or_default();
        *written += u32::try_from(caller.written()).unwrap();
        *sent += caller.sent;
        mute += u32::from(caller.acknowledged.is_empty());
        total += caller.acknowledged.len();
        kept += caller.written();
        let state = Connection::open(corner.state().join(FILE_NAME)).unwrap();
        witness.check(&state);
        let (least, most): (u32, u32) = state
            .query_row(
                "SELECT coalesce(min(number), 0), coalesce(max(number), 0) FROM tally WHERE week = ?1",
                [week.index()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        assert!(least >= *written, "moment {moment}: {least} of {written} events are left");
        assert!(most <= *sent, "moment {moment}: {most} events of {sent}");
    }
    let lives =
        format!("{} kills: {mute} before the first event, {total} events acknowledged, {kept} of them", moments());
    assert!(kept > 0, "{lives} long enough before a kill to be written");

    // Left in peace, it sends what waits; whatever arrived before was one of those very reports.
    let recorder = Recorder::start(command(&corner, now, &server.url));
    corner.until("every report sent", |corner| {
        let preview = corner.json("preview");
        preview.as_array().unwrap().iter().all(|row| row["outcome"] != "waiting").then_some(())
    });
    recorder.kill();
    witness.check(&Connection::open(corner.state().join(FILE_NAME)).unwrap());
    let mut arrived: Vec<Vec<u8>> = server.requests().into_iter().map(|request| request.body).collect();
    let requests = arrived.len();
    arrived.sort_unstable();
    arrived.dedup();
    let mut drawn: Vec<Vec<u8>> = witness.reports.into_values().collect();
    drawn.sort_unstable();
    assert!(!drawn.is_empty(), "weeks went by without a report");
    assert_eq!(arrived, drawn);
    println!("{lives} to be found afterwards; {} reports in {requests} requests", drawn.len());
}

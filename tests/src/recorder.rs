// SPDX-License-Identifier: MIT OR Apache-2.0
//! One real recorder on a real bus, taken through an epoch by restarting it at later and later weeks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use stipple_catalog::{Epoch, Week, hex};
use stipple_client_dp::dbus::{AggregateTimerProxy, Bus, EventRecorderServerProxy, MetricsProxy};
use stipple_client_dp::{Outcome, ReportRow};
use zbus::Connection;
use zbus::wire::Variant;

use crate::processes::{Service, private_bus, program, run};
use crate::workstations::noon;

/// What the real recorder did.
#[derive(Debug)]
pub struct Drill {
    /// reports that the server counted
    pub sent: u64,
    /// byte strings that were recorded and must be found nowhere on the server
    pub recorded: Vec<Vec<u8>>,
    /// files of the state that still held recorded bytes after `stipple disable`
    pub left_behind: Vec<PathBuf>,
}

/// The recorder's state directory within the work folder.
const STATE: &str = "recorder-state";
/// An application that does not exist, in no dictionary: its name is easy to search for.
const APPLICATION: &str = "org.example.SecretProject";
/// Events of the existing stack (RECORDER.md section 4.4): applications used, a crash, the session's time.
const APPLICATION_USED: u128 = 0x49d0_451a_f706_4f50_81d2_70cc_0ec9_23a4;
const PROGRAM_CRASHED: u128 = 0xed57_b607_4a56_47f1_b1e4_5dc3_e743_35ec;
const SESSION_TIME: u128 = 0x5dc0_b53c_93f9_4df0_ad6f_bd25_e9fe_638f;
/// An event that no catalogue knows.
const UNKNOWN: u128 = 0x0000_0000_0000_4000_8000_5ec2_e700_0001;

struct Stage<'a> {
    folder: &'a Path,
    address: String,
    catalog: &'a Path,
    server: &'a str,
}

/// Takes a real recorder through an epoch.
///
/// # Errors
/// When a program fails, or a report is not delivered in time.
pub async fn drill(folder: &Path, catalog: &Path, server: &str, epoch: Epoch) -> anyhow::Result<Drill> {
    let (_bus, address) = private_bus(folder)?;
    let address = address.split(',').next().unwrap_or_default().to_owned();
    let stage = Stage { folder, address, catalog, server };
    let state_dir = folder.join(STATE);
    std::fs::create_dir_all(&state_dir)?;

    let before = Week::from_index(epoch.week(0).index() - 1);
    let recorder = stage.start(before, 3)?;
    stage.stipple("enable")?;
    recorder.stop()?;
    let recorder = stage.start(epoch.week(0), 0)?;
    let weeks: BTreeSet<String> = stage.reports().await?.into_iter().map(|row| row.week).collect();
    recorder.stop()?;
    for week in weeks {
        let week: Week = week.parse()?;
        let recorder = stage.start(week, 2)?;
        record(&stage.connection().await?).await?;
        recorder.stop()?;
        let recorder = stage.start(week.next(), 0)?;
        stage.wait_until_sent(week).await?;
        recorder.stop()?;
    }
    let recorder = stage.start(epoch.week(Epoch::WEEKS), 1)?;
    let rows = stage.reports().await?;
    let sent = rows.iter().filter(|row| row.outcome == Outcome::Sent).count() as u64;
    stage.stipple("disable")?;
    let secrets = needles(&rows);
    let left = crate::leaks::search(&state_dir, &secrets)?;
    recorder.stop()?;
    Ok(Drill { sent, recorded: secrets, left_behind: left.files })
}

impl Stage<'_> {
    fn start(&self, week: Week, day: i64) -> anyhow::Result<Service> {
        let mut command = Command::new(program("stipple-recorderd")?);
        command
            .args(["--bus", &self.address, "--phase", "testing", "--send-window", "0", "--server", self.server])
            .arg("--state-dir")
            .arg(self.folder.join(STATE))
            .arg("--catalog")
            .arg(self.catalog)
            .args(["--now", &noon(week, day)?.to_string()]);
        Ok(Service::start(&mut command, &self.folder.join("recorder.log"))?.0)
    }

    fn stipple(&self, verb: &str) -> anyhow::Result<String> {
        run(Command::new(program("stipple")?).args(["--bus", &self.address, verb]))
    }

    async fn connection(&self) -> anyhow::Result<Connection> {
        Ok(Bus::Address(self.address.clone()).builder().build().await?)
    }

    /// To come, and sent.
    async fn reports(&self) -> anyhow::Result<Vec<ReportRow>> {
        let connection = self.connection().await?;
        let metrics = MetricsProxy::new(&connection).await?;
        let mut rows = metrics.preview().await?;
        rows.extend(metrics.sent().await?);
        Ok(rows)
    }

    async fn wait_until_sent(&self, week: Week) -> anyhow::Result<()> {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let rows = self.reports().await?;
            let open = rows.iter().filter(|row| row.week == week.to_string() && row.outcome != Outcome::Sent).count();
            if open == 0 {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "the recorder did not deliver its report of {week}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Every kind of event, as an application records it.
async fn record(bus: &Connection) -> anyhow::Result<()> {
    let recorder = EventRecorderServerProxy::new(bus).await?;
    ensure!(recorder.enabled().await?, "the recorder is on");
    let application = Variant::from(format!("{APPLICATION}.desktop"));
    let nothing = Variant::from(false);
    let user = 1000;
    recorder.record_singular_event(user, &APPLICATION_USED.to_be_bytes(), 1, true, &application).await?;
    recorder.record_singular_event(user, &UNKNOWN.to_be_bytes(), 2, true, &application).await?;
    recorder.record_aggregate_event(user, &PROGRAM_CRASHED.to_be_bytes(), 3, 4, false, &nothing).await?;
    let hours = 7 * 3_600_000_000_000;
    let sequence = [(0, false, Variant::from(false)), (hours, false, Variant::from(false))];
    recorder.record_event_sequence(user, &SESSION_TIME.to_be_bytes(), &sequence).await?;
    let path = recorder.start_aggregate_timer(user, &SESSION_TIME.to_be_bytes(), false, &nothing).await?;
    let timer = AggregateTimerProxy::builder(bus).path(path).build().await.context("the timer has an object")?;
    timer.stop_timer().await?;
    Ok(())
}

/// What must not be found: the recorded text, the events' ids, and every report's id and bytes.
fn needles(rows: &[ReportRow]) -> Vec<Vec<u8>> {
    let mut needles: Vec<Vec<u8>> = vec![APPLICATION.into()];
    for event in [APPLICATION_USED, PROGRAM_CRASHED, SESSION_TIME, UNKNOWN] {
        needles.push(event.to_be_bytes().to_vec());
        needles.push(hex(&event.to_be_bytes()).into_bytes());
    }
    for row in rows.iter().filter(|row| !row.bytes.is_empty()) {
        let bytes: Vec<u8> = (0..row.bytes.len())
            .step_by(2)
            .filter_map(|i| u8::from_str_radix(row.bytes.get(i..i + 2)?, 16).ok())
            .collect();
        needles.push(bytes);
    }
    needles
}

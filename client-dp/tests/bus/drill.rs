// SPDX-License-Identifier: MIT OR Apache-2.0
//! A drill: the recorder is started in successive weeks until its reports are due, and what arrives is looked at.

use jiff::tz::TimeZone;
use serde_json::Value;
use stipple_catalog::Week;

use super::corner::Corner;
use super::server::{Server, nobody};

/// The Tuesday after a week, when its report is due.
fn after(week: Week) -> String {
    let day = week.next().monday().tomorrow().unwrap();
    TimeZone::UTC.to_timestamp(day.at(10, 0, 0, 0)).unwrap().to_string()
}

fn rows(corner: &Corner, outcome: &str) -> Vec<Value> {
    let all = [corner.json("preview"), corner.json("sent")];
    all.iter().flat_map(|rows| rows.as_array().unwrap()).filter(|row| row["outcome"] == outcome).cloned().collect()
}

fn text(row: &Value, field: &str) -> String {
    row[field].as_str().unwrap().to_owned()
}

/// The bytes of the reports that wait.
pub fn waiting(corner: &Corner) -> Vec<String> {
    rows(corner, "waiting").iter().map(|row| text(row, "bytes")).collect()
}

/// The weeks still to be reported, after `week`.
fn scheduled(corner: &Corner, week: Week) -> Vec<Week> {
    let weeks = rows(corner, "scheduled").iter().map(|row| text(row, "week").parse().unwrap()).collect::<Vec<Week>>();
    weeks.into_iter().filter(|&slot| slot > week).collect()
}

/// Reports that wait: when, of which week, and their bytes.
pub struct Due {
    pub now: String,
    pub week: Week,
    pub bytes: Vec<String>,
}

/// Says yes, and lives until the first reports wait that nobody has taken.
pub fn prepare(corner: &Corner) -> Due {
    let mut week: Week = "2027-W17".parse().unwrap();
    let recorder = corner.enabled();
    let mut weeks = scheduled(corner, week);
    recorder.kill();
    loop {
        // When the rest of an epoch holds no slot, the next one does.
        week = weeks.into_iter().min().unwrap_or_else(|| week.epoch().week(26)).max(week.next());
        let now = after(week);
        let recorder = corner.recorder_at(&now, &nobody());
        let bytes = corner.until("the week's end", |corner| {
            let settled = scheduled(corner, Week::from_index(0)).iter().all(|&slot| slot > week);
            settled.then(|| waiting(corner))
        });
        weeks = scheduled(corner, week);
        recorder.kill();
        if !bytes.is_empty() {
            return Due { now, week, bytes };
        }
    }
}

#[test]
fn what_arrives_is_what_the_preview_showed_and_nothing_else() {
    let corner = Corner::new();
    let due = prepare(&corner);
    let server = Server::start(&[]);
    let recorder = corner.recorder_at(&due.now, &server.url);
    let sent = corner
        .until("every report sent", |corner| Some(rows(corner, "sent")).filter(|rows| rows.len() == due.bytes.len()));
    let mut arrived: Vec<String> = server.requests().iter().map(|r| stipple_catalog::hex(&r.body)).collect();
    let mut shown = due.bytes.clone();
    arrived.sort_unstable();
    shown.sort_unstable();
    assert_eq!(arrived, shown);
    assert!(arrived.iter().all(|hex| hex.len() == 2 * 64));
    assert_eq!(sent.iter().map(|row| text(row, "bytes")).collect::<Vec<_>>(), due.bytes);
    assert!(sent.iter().all(|row| text(row, "value") == "forgotten"));
    for request in server.requests() {
        let mut head: Vec<&str> = request.head.lines().collect();
        assert_eq!(head.remove(0), "post /v1/reports http/1.1");
        head.sort_unstable();
        let host = format!("host: {}", server.url.strip_prefix("http://").unwrap());
        assert_eq!(head, ["accept: */*", "content-length: 64", "content-type: application/octet-stream", &host]);
    }
    if due.week.next().epoch() == due.week.epoch() {
        let cost: f64 = sent.iter().map(|row| row["epsilon"].as_f64().unwrap()).sum();
        assert_eq!(corner.json("budget")["spent"].as_f64().unwrap().to_bits(), cost.to_bits());
    }
    assert!(recorder.stop().success());

    // Neither a restart nor a request to upload sends them again.
    let _recorder = corner.recorder_at(&due.now, &server.url);
    corner.record("UploadEvents", &[]).unwrap();
    assert_eq!(server.requests().len(), due.bytes.len());
}

#[test]
fn a_whole_epoch_sends_each_scheduled_report_once_within_its_budget() {
    let corner = Corner::new();
    let server = Server::start(&[]);
    let mut week: Week = "2027-W17".parse().unwrap();
    let recorder = corner.enabled();
    let due = scheduled(&corner, week);
    drop(recorder);
    let mut weeks = due.clone();
    weeks.sort_unstable();
    weeks.dedup();
    for next in weeks {
        week = next;
        let _recorder = corner.recorder_at(&after(week), &server.url);
        let expected = due.iter().filter(|&&slot| slot <= week).count();
        corner.until("the week's reports", |corner| (rows(corner, "sent").len() == expected).then_some(()));
        assert!(corner.json("budget")["spent"].as_f64().unwrap() <= 4.0);
    }
    let ids: std::collections::BTreeSet<Vec<u8>> =
        server.requests().iter().map(|request| request.body[1..17].to_vec()).collect();
    assert_eq!(ids.len(), due.len(), "each under an id of its own");
}

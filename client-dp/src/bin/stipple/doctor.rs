// SPDX-License-Identifier: MIT OR Apache-2.0
//! `stipple doctor`: what can be wrong, a line each, and what to do about it. It asks the bus and the recorder, looks at a socket
//! and the installed catalogue, and changes nothing. It opens no connection to the network.

use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use serde::Serialize;
use stipple_catalog::{Catalogue, default_folder};
use stipple_client_dp::TallyRow;
use stipple_client_dp::cli::Stipple;
use stipple_client_dp::dbus::{METRICS_NAME, MetricsProxy, RECORDER_NAME, StatusRow};
use zbus::Connection;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;

use crate::paint::Paint;
use crate::table::paragraph;
use crate::{Failure, UNREACHABLE};

/// Why events are dropped that no metric lists or reads; it is no fault.
const HARMLESS: [&str; 1] = ["unknown event"];
/// The metric that the session helper always has a value for.
const SESSION: &str = "settings.display-server";

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

/// One line.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    found: String,
    /// what to do; empty when all is well
    remedy: String,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, found: found.into(), remedy: String::new() }
    }

    fn warn(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warn, found: found.into(), remedy: remedy.into() }
    }

    fn fail(check: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fail, found: found.into(), remedy: remedy.into() }
    }
}

/// Everything that is looked at.
struct Facts {
    status: StatusRow,
    /// the name of today's recorder belongs to this recorder
    sole_recorder: bool,
    /// the hash of the catalogue that is installed, if one is
    installed: Option<String>,
    /// the uploader's socket is there; true without one
    socket: bool,
    /// this week's tallies, if the caller may see them
    tallies: Option<Vec<TallyRow>>,
}

/// Checks everything; the exit code and the report.
pub async fn run(connection: zbus::Result<Connection>, arguments: &Stipple) -> (u8, String) {
    let (code, findings) = match connection {
        Err(error) => {
            let found = format!("the bus {} cannot be reached: {error}", arguments.bus);
            (UNREACHABLE, vec![Finding::fail("bus", found, "start it, or name another one with --bus")])
        }
        Ok(connection) => match look(&connection).await {
            Ok(facts) => {
                let findings = judge(&facts);
                (u8::from(findings.iter().any(|finding| finding.verdict == Verdict::Fail)), findings)
            }
            Err(Failure(code, text)) => (code, vec![unreachable(&connection, text).await]),
        },
    };
    let text = if arguments.json {
        serde_json::to_string_pretty(&findings).unwrap_or_default() + "\n"
    } else {
        words(&findings, Paint::new(arguments.color))
    };
    (code, text)
}

async fn look(connection: &Connection) -> Result<Facts, Failure> {
    let metrics = MetricsProxy::new(connection).await?;
    let status = metrics.status().await?;
    let bus = DBusProxy::new(connection).await?;
    let owner = async |name: &'static str| bus.get_name_owner(BusName::try_from(name).ok()?).await.ok();
    Ok(Facts {
        sole_recorder: owner(RECORDER_NAME).await == owner(METRICS_NAME).await,
        installed: Catalogue::load(&default_folder()).ok().map(|catalogue| catalogue.hash()),
        socket: status.upload_socket.is_empty() || is_socket(Path::new(&status.upload_socket)),
        tallies: metrics.tallies().await.ok(),
        status,
    })
}

fn is_socket(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.file_type().is_socket())
}

/// Why the recorder does not answer, as far as the bus knows.
async fn unreachable(connection: &Connection, text: String) -> Finding {
    let Ok(bus) = DBusProxy::new(connection).await else { return Finding::fail("recorder", text, "") };
    let owned = match BusName::try_from(RECORDER_NAME) {
        Ok(name) => bus.name_has_owner(name).await.unwrap_or(false),
        Err(_) => false,
    };
    if owned {
        return Finding::fail(
            "recorder",
            format!("another recorder serves {RECORDER_NAME}"),
            "systemctl disable --now eos-metrics-event-recorder && systemctl enable --now stipple-recorderd",
        );
    }
    let known = bus.list_activatable_names().await.unwrap_or_default();
    let installed = known.iter().any(|name| name.as_str() == METRICS_NAME);
    let remedy =
        if installed { "systemctl status stipple-recorderd says why" } else { "install the recorder's package" };
    Finding::fail("recorder", text, remedy)
}

/// What the facts mean.
fn judge(facts: &Facts) -> Vec<Finding> {
    let status = &facts.status;
    let recorder = if facts.sole_recorder {
        Finding::ok("recorder", "it answers, and applications reach it")
    } else {
        let remedy = "systemctl disable --now eos-metrics-event-recorder, then systemctl restart stipple-recorderd";
        Finding::fail("recorder", format!("another program has the name {RECORDER_NAME}"), remedy)
    };
    let mut findings = vec![recorder, answer(status), catalogue(facts), clock(status), outbox(status)];
    findings.extend([socket(facts), server(status), session(facts), dropped(status)]);
    findings
}

fn answer(status: &StatusRow) -> Finding {
    match (status.hold.as_str(), status.consent.as_str()) {
        ("locked", _) => Finding::warn(
            "answer",
            "an administrator has switched metrics off for this computer",
            "nothing, if that is meant; otherwise remove the recorder's lock, /etc/stipple/disabled",
        ),
        ("text-changed", _) => Finding::warn(
            "answer",
            "metrics are paused: the text that was agreed to has changed",
            "read it with stipple enable --text, then stipple enable or stipple disable",
        ),
        (_, "on") => Finding::ok("answer", "metrics are on"),
        (_, "off") => Finding::ok("answer", "metrics are off, as you said; nothing is recorded or sent"),
        _ => Finding::ok("answer", "nobody has answered yet; nothing is recorded or sent"),
    }
}

fn catalogue(facts: &Facts) -> Finding {
    let (status, check) = (&facts.status, "catalogue");
    let update = "update the catalogue's package, or ask who publishes it";
    if status.metrics == 0 {
        return Finding::fail(check, "no metric may be collected today", update);
    }
    if facts.installed.as_ref().is_some_and(|hash| *hash != status.catalogue_hash) {
        let found = "the recorder uses another catalogue than the installed one";
        return Finding::warn(check, found, "systemctl restart stipple-recorderd");
    }
    if status.expired > 0 {
        return Finding::warn(check, format!("{} metrics have expired and are not collected", status.expired), update);
    }
    Finding::ok(check, format!("{} metrics, none expired", status.metrics))
}

fn clock(status: &StatusRow) -> Finding {
    if !status.doubted_since.is_empty() {
        let found = format!("the clock leapt by more than half a year; since {} it is doubted", status.doubted_since);
        return Finding::warn("clock", found, "see with timedatectl whether it is right; after a day it is believed");
    }
    if status.phase != "production" {
        let remedy = "run the recorder without --phase and --now for real reports";
        return Finding::warn("clock", format!("this is a drill: the phase is {}", status.phase), remedy);
    }
    Finding::ok("clock", format!("it is {}", status.week))
}

fn outbox(status: &StatusRow) -> Finding {
    let waiting = format!("{} reports wait, {} of them are due", status.waiting, status.overdue);
    if !status.upload_trouble.is_empty() {
        let found = format!("{waiting}; the last upload failed: {}", status.upload_trouble);
        return Finding::warn("outbox", found, "nothing, if it passes: the recorder tries again every 15 minutes");
    }
    Finding::ok("outbox", waiting)
}

fn socket(facts: &Facts) -> Finding {
    let socket = &facts.status.upload_socket;
    match (socket.is_empty(), facts.socket) {
        (true, _) => Finding::ok("uploader", "the recorder sends by itself"),
        (_, true) => Finding::ok("uploader", format!("{socket} is there")),
        _ => {
            let remedy = "systemctl enable --now stipple-upload.socket";
            Finding::fail("uploader", format!("{socket} is not there, so nothing can be sent"), remedy)
        }
    }
}

fn server(status: &StatusRow) -> Finding {
    let server = &status.server;
    let host = server.split("://").nth(1).unwrap_or(server);
    let here = ["127.", "localhost", "[::1]"].iter().any(|loopback| host.starts_with(loopback));
    let edit = "set STIPPLE_SERVER to its https:// address in /etc/stipple/upload.env, then systemctl restart stipple-recorderd";
    if here {
        return Finding::warn("server", format!("reports go to this computer itself ({server})"), edit);
    }
    if !server.starts_with("https://") {
        return Finding::fail("server", format!("{server} is not reached by https"), edit);
    }
    Finding::ok("server", format!("reports go to {server}"))
}

fn session(facts: &Facts) -> Finding {
    let (check, status) = ("session", &facts.status);
    if status.consent != "on" || !status.hold.is_empty() {
        return Finding::ok(check, "nothing is recorded, so the session is not asked");
    }
    let Some(tallies) = &facts.tallies else {
        return Finding::warn(check, "not looked at: you may not see the tallies", "log in at the computer itself");
    };
    match tallies.iter().find(|row| row.metric == SESSION) {
        Some(row) if row.value == stipple_catalog::NONE => Finding::warn(
            check,
            "no session has told anything this week",
            "systemctl --user status stipple-session-helper.timer, in a graphical session",
        ),
        Some(_) => Finding::ok(check, "the session helper has told of this week"),
        None => Finding::ok(check, format!("{SESSION} is not recorded, so nobody can tell")),
    }
}

fn dropped(status: &StatusRow) -> Finding {
    let told = |(reason, events): &(String, u64)| format!("{events} ({reason})");
    let list = |harmless: bool| {
        let rows = status.dropped.iter().filter(|(reason, _)| HARMLESS.contains(&reason.as_str()) == harmless);
        rows.map(told).collect::<Vec<String>>().join(", ")
    };
    let (harmless, odd) = (list(true), list(false));
    match (odd.is_empty(), harmless.is_empty()) {
        (false, _) => {
            let remedy =
                "a program records too much or in another shape than the catalogue says: docs/recorder.md, Limits";
            Finding::warn("events", format!("dropped: {odd}"), remedy)
        }
        (_, false) => Finding::ok("events", format!("dropped, because no metric asks for them: {harmless}")),
        _ => Finding::ok("events", "none dropped"),
    }
}

fn words(findings: &[Finding], paint: Paint) -> String {
    let line = |finding: &Finding| {
        let verdict = match finding.verdict {
            Verdict::Ok => paint.good("ok  "),
            Verdict::Warn => paint.warn("warn"),
            Verdict::Fail => paint.bad("FAIL"),
        };
        let mut text = format!("{verdict}  {:<9}  {}\n", finding.check, finding.found);
        if !finding.remedy.is_empty() {
            text += &paragraph("                 -> ", &finding.remedy);
        }
        text
    };
    findings.iter().map(line).collect()
}

#[cfg(test)]
#[path = "doctor_tests.rs"]
mod tests;

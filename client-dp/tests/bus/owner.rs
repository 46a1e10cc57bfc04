// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an owner understands and takes away: a metric explained, everything exported, what is wrong, and colour.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::{Value, json};

use super::corner::{Corner, stderr, stdout};

/// As it is printed: three significant digits.
fn three(p: f64) -> String {
    let digits = if p < 0.001 {
        6
    } else if p < 0.01 {
        5
    } else if p < 0.1 {
        4
    } else {
        3
    };
    format!("{p:.digits$}")
}

/// The numbers themselves are compared with the randomiser in `explain_tests.rs`; here the sentences say these numbers.
#[test]
fn every_metric_is_explained_in_its_own_numbers() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let metrics = corner.json("metrics");
    let rows = metrics.as_array().unwrap();
    assert_eq!(rows.len(), 51);
    for row in rows {
        let id = row["metric"].as_str().unwrap();
        let said: Value = serde_json::from_str(&corner.stipple_ok(&["metrics", "explain", id, "--json"])).unwrap();
        assert_eq!(said["metric"], *row, "one truth");
        let text = corner.stipple_ok(&["metrics", "explain", id]).split_whitespace().collect::<Vec<_>>().join(" ");
        let channel = &said["channel"];
        let number = |name: &str| channel[name].as_f64().unwrap();
        let chances = if channel["form"] == "number" {
            // The default example is this week's count: nothing has crashed here.
            channel["rows"][0].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect()
        } else {
            vec![number("p_true"), number("p_false")]
        };
        for p in chances {
            assert!(text.contains(&three(p)), "{id}: {p} is not in {text}");
        }
        assert!(text.contains(&format!("e^{} = {:.2}", row["epsilon"].as_f64().unwrap(), number("ratio"))), "{text}");
        for part in ["question", "approval", "expires", "category"] {
            assert!(text.contains(row[part].as_str().unwrap()), "{id}: {part} is not in {text}");
        }
        for answer in said["answers"].as_array().unwrap().iter().filter(|_| channel["form"] != "number") {
            assert!(text.contains(answer.as_str().unwrap()), "{id}: {answer} is not in {text}");
        }
        let event = said["events"][0]["id"].as_str().unwrap();
        assert!(text.contains(event) && event.len() == 36, "{text}");
    }
}

#[test]
fn an_explanation_says_when_a_metric_is_reported_and_what_is_known_so_far() {
    let corner = Corner::new();
    let _recorder = corner.recorder();
    let explain = |id: &str| corner.stipple_ok(&["metrics", "explain", id]);
    assert!(explain("hardware.root-filesystem").contains("the draw is made when metrics are switched on"));
    corner.stipple_ok(&["enable"]);
    let preview = corner.json("preview");
    let drawn: Vec<&str> = preview.as_array().unwrap().iter().map(|row| row["metric"].as_str().unwrap()).collect();
    for row in preview.as_array().unwrap() {
        let text = explain(row["metric"].as_str().unwrap());
        assert!(text.contains(&format!("Drawn      for {}: one report", row["week"].as_str().unwrap())), "{text}");
    }
    let metrics = corner.json("metrics");
    let ids = metrics.as_array().unwrap().iter().map(|row| row["metric"].as_str().unwrap());
    let undrawn = ids.filter(|id| !drawn.contains(id)).collect::<Vec<_>>();
    assert!(explain(undrawn[0]).contains("not in this half-year"));
    let event = super::recording::uuid(0xfbd7_ed58_b8e1_54a7_bb45_0962_0007_679f);
    corner.record("RecordSingularEvent", &["1000", &event, "1", "true", "<'xfs'>"]).unwrap();
    let text = explain("hardware.root-filesystem").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("so far: Xfs (never sent as it is)") && text.contains("If your answer is Xfs"), "{text}");
    corner.stipple_ok(&["opt-out", "hardware"]);
    let text = explain("hardware.root-filesystem");
    assert!(text.contains("switched off by you") && !text.contains("so far"), "{text}");
    let output = corner.stipple(&["metrics", "explain", "hardware.nonsense"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[test]
fn an_export_holds_every_view_and_every_row_byte_for_byte() {
    let corner = Corner::new();
    let due = super::drill::prepare(&corner);
    let server = super::server::Server::start(&[]);
    let recorder = corner.recorder_at(&due.now, &server.url);
    let all = due.bytes.len();
    corner.until("every report counted", |corner| (corner.json("sent").as_array().unwrap().len() == all).then_some(()));
    corner.stipple_ok(&["opt-out", "usage.applications"]);
    let document: Value = serde_json::from_str(&corner.stipple_ok(&["export"])).unwrap();
    for (key, verb) in [
        ("status", "status"),
        ("metrics", "metrics"),
        ("tallies", "show"),
        ("preview", "preview"),
        ("sent", "sent"),
        ("budget", "budget"),
    ] {
        assert_eq!(document[key], corner.json(verb), "{key}");
    }
    assert_eq!(document["format"], "stipple-export/1");
    assert_eq!(document["consent"]["text"], stipple_client_dp::CONSENT_TEXT);
    assert_eq!(document["consent"]["agreed_version"], stipple_client_dp::consent_version());
    let bodies: BTreeSet<String> = server.requests().iter().map(|r| stipple_catalog::hex(&r.body)).collect();
    let column = |rows: &Value, name: &str| -> BTreeSet<String> {
        rows.as_array().unwrap().iter().map(|row| row[name].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(column(&document["sent"], "bytes"), bodies, "what left is what is exported");

    // The state itself, read by other code.
    assert!(recorder.stop().success());
    let tables = document["state"]["tables"].as_object().unwrap();
    let state = rusqlite::Connection::open(corner.state().join(stipple_client_dp::FILE_NAME)).unwrap();
    let mut names = state.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
    let names: Vec<String> = names.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(names.len(), tables.len());
    for name in names {
        let rows: i64 = state.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| row.get(0)).unwrap();
        assert_eq!(tables[&name].as_array().unwrap().len(), usize::try_from(rows).unwrap(), "{name}");
    }
    assert_eq!(column(&tables["outbox"], "report"), bodies);
    assert_eq!(tables["opt_out"], json!([{ "name": "usage.applications" }]));
    let mark = std::fs::read_to_string(corner.state().join(stipple_client_dp::MARKER_NAME)).unwrap();
    assert_eq!(document["state"]["files"][stipple_client_dp::MARKER_NAME], *mark);
}

#[test]
fn an_export_to_a_file_is_private_and_replaces_nothing_unasked() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let file = corner.path("mine.json");
    let name = file.to_str().unwrap();
    assert!(corner.stipple_ok(&["export", "--output", name]).contains("Written to"));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let printed: Value = serde_json::from_str(&corner.stipple_ok(&["export"])).unwrap();
    assert_eq!(written, printed);
    std::fs::write(&file, "something else").unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    let output = corner.stipple(&["export", "--output", name]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is there already") && stderr(&output).contains("--force"), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "something else");
    corner.stipple_ok(&["export", "--output", name, "--force"]);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600, "not the old file's mode");
    assert_eq!(serde_json::from_str::<Value>(&std::fs::read_to_string(&file).unwrap()).unwrap(), printed);
}

/// Before the first yes there is nothing to hold, and looking makes no file.
#[test]
fn an_export_before_the_first_yes_says_so_and_writes_nothing() {
    let corner = Corner::new();
    let _recorder = corner.recorder();
    let document = corner.json("export");
    assert_eq!(document["state"], json!({ "tables": {}, "files": {} }));
    assert_eq!(document["consent"]["answer"], "unset");
    corner.json("doctor");
    assert_eq!(std::fs::read_dir(corner.state()).unwrap().count(), 0);
}

fn verdict(corner: &Corner, check: &str) -> Value {
    let output = corner.stipple(&["doctor", "--json"]);
    let findings: Value = serde_json::from_str(&stdout(&output)).unwrap();
    findings.as_array().unwrap().iter().find(|finding| finding["check"] == check).unwrap().clone()
}

#[test]
fn the_doctor_finds_what_is_wrong_with_a_real_recorder() {
    let corner = Corner::new();
    let due = super::drill::prepare(&corner);
    let mut command = corner.command();
    let socket = corner.path("upload.sock");
    command.args(["--now", &due.now, "--server", "https://metrics.example", "--upload-socket"]).arg(&socket);
    let _recorder = super::corner::Recorder::start(command);
    let output = corner.stipple(&["doctor"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("FAIL  uploader"), "{}", stdout(&output));
    let outbox = corner.until("the failed upload", |corner| {
        Some(verdict(corner, "outbox")).filter(|outbox| outbox["verdict"] == "warn")
    });
    let found = outbox["found"].as_str().unwrap();
    assert!(found.contains("of them are due") && found.contains(socket.to_str().unwrap()), "{found}");
    assert_eq!(verdict(&corner, "clock")["verdict"], "warn", "this is a drill");
    assert_eq!(verdict(&corner, "server")["verdict"], "ok");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert_eq!(verdict(&corner, "uploader")["verdict"], "ok");
    assert_eq!(corner.stipple(&["doctor"]).status.code(), Some(0), "warnings are no failure");
    std::fs::write(corner.path("disabled"), "").unwrap();
    assert_eq!(verdict(&corner, "answer")["verdict"], "warn");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_knows_an_old_recorder_and_an_empty_bus() {
    let corner = Corner::new();
    let output = corner.stipple(&["doctor"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stdout(&output).contains("the recorder is not running on this bus"), "{}", stdout(&output));
    let old = corner.connect().await;
    old.request_name("com.endlessm.Metrics").await.unwrap();
    let output = corner.stipple(&["doctor"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stdout(&output).contains("eos-metrics-event-recorder"), "{}", stdout(&output));
    let nowhere = corner.stipple_on("unix:path=/nonexistent/bus", &["doctor", "--json"]);
    assert_eq!(nowhere.status.code(), Some(3));
    assert_eq!(serde_json::from_str::<Value>(&stdout(&nowhere)).unwrap()[0]["check"], "bus");
}

#[test]
fn colour_is_for_terminals_and_for_who_asks() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let coloured = |text: &str| text.contains("\u{1b}[");
    let plain = corner.stipple_ok(&["metrics"]);
    assert!(!coloured(&plain) && !coloured(&corner.stipple_ok(&["doctor"])));
    let always = corner.stipple_ok(&["metrics", "--color", "always"]);
    assert!(coloured(&always));
    assert_eq!(always.replace("\u{1b}[32m", "").replace("\u{1b}[0m", ""), plain, "and nothing else");
    // A real terminal, by Python's pty.
    let terminal = |environment: &[(&str, &str)], arguments: &[&str]| {
        let mut command = Command::new("/usr/bin/python3");
        command.args(["-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"]);
        command.args([env!("CARGO_BIN_EXE_stipple"), "--bus", &corner.address]).args(arguments);
        command.env("TERM", "xterm").env_remove("NO_COLOR").envs(environment.iter().copied());
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    assert!(coloured(&terminal(&[], &["status"])));
    assert!(!coloured(&terminal(&[("NO_COLOR", "1")], &["status"])));
    assert!(!coloured(&terminal(&[("TERM", "dumb")], &["status"])));
    assert!(!coloured(&terminal(&[], &["status", "--color", "never"])));
    assert!(coloured(&terminal(&[("NO_COLOR", "1")], &["status", "--color", "always"])));
}

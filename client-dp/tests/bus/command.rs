// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command `stipple`: every verb for people and for scripts, and its exit codes.

use std::process::Command;

use serde_json::json;

use super::corner::{Corner, stderr};

#[test]
fn every_verb_speaks_to_people() {
    let corner = Corner::new();
    let _recorder = corner.recorder();
    let says = |verb: &str, parts: &[&str]| {
        let text = corner.stipple_ok(&[verb]);
        for part in parts {
            assert!(text.contains(part), "{verb} says {text}");
        }
        assert!(text.ends_with('\n') && !text.contains('\u{1b}'));
    };
    says("status", &["Metrics are unset.", "Stipple reference catalogue", "http://127.0.0.1:9", "2027-W17"]);
    says("show", &["Nothing is recorded while metrics are off."]);
    says("preview", &["Nothing will be sent while metrics are off."]);
    says("budget", &["0 of 0 spent"]);
    says("enable", &["Metrics are on."]);
    says("status", &["Metrics are on.", "0 reports"]);
    says("show", &["metric", "value (never sent as it is)", "hardware.root-filesystem", "2027-W17"]);
    says("preview", &["true value", "exact bytes", "scheduled"]);
    says("budget", &["0 of 4 spent"]);
    says("sent", &["Nothing was sent."]);
    says("metrics", &["metric", "question", "usage.applications", "randomised by"]);
    says("erase", &["deleted"]);
    says("disable", &["Metrics are off.", "only the spent budget is kept"]);
    says("status", &["Metrics are off."]);
}

#[test]
fn every_verb_speaks_to_scripts() {
    let corner = Corner::new();
    let _recorder = corner.recorder();
    assert_eq!(corner.json("status")["consent"], "unset");
    assert_eq!(corner.json("show"), json!([]));
    assert_eq!(corner.json("preview"), json!([]));
    assert_eq!(corner.json("budget")["spends"], json!([]));
    assert_eq!(corner.json("enable"), json!({ "enabled": true }));
    let status = corner.json("status");
    assert_eq!(status["consent"], "on");
    assert_eq!(status["catalogue_hash"].as_str().unwrap().len(), 64);
    let preview = corner.json("preview");
    let rows = preview.as_array().unwrap();
    assert!(!rows.is_empty());
    let cost: f64 = rows.iter().map(|row| row["epsilon"].as_f64().unwrap()).sum();
    assert!(cost <= 4.0 && rows.iter().all(|row| row["bytes"] == ""));
    assert_eq!(corner.json("preview"), preview, "looking changes nothing");
    assert_eq!(corner.json("budget")["cap"], 4.0);
    assert_eq!(corner.json("disable"), json!({ "enabled": false }));
    assert_eq!(corner.json("status")["consent"], "off");
}

#[test]
fn metrics_are_switched_off_one_by_one_or_by_category() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    let on = |metric: &str| {
        let metrics = corner.json("metrics");
        metrics.as_array().unwrap().iter().find(|row| row["metric"] == metric).unwrap()["on"] == true
    };
    assert!(on("usage.applications") && on("hardware.cpu-vendor"));
    let said: serde_json::Value = serde_json::from_str(&corner.stipple_ok(&["opt-out", "usage", "--json"])).unwrap();
    assert_eq!(said, json!({ "opted_out": "usage" }));
    assert!(!on("usage.applications") && on("hardware.cpu-vendor"));
    assert!(corner.stipple_ok(&["status"]).contains("Opted out  usage"));
    assert!(!corner.stipple_ok(&["show"]).contains("usage."));
    for arguments in [["opt-in", "usage.applications"], ["opt-out", "usage.nonsense"]] {
        let output = corner.stipple(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
    }
    corner.stipple_ok(&["opt-in", "usage"]);
    corner.stipple_ok(&["opt-out", "usage.applications"]);
    assert!(!on("usage.applications") && on("usage.session-time"));
    assert!(corner.stipple_ok(&["opt-in", "usage.applications"]).contains("is on"));
    assert!(on("usage.applications"));
}

#[test]
fn an_administrators_lock_is_exit_code_5_and_visible() {
    let corner = Corner::new();
    let _recorder = corner.enabled();
    std::fs::write(corner.path("disabled"), "").unwrap();
    assert!(corner.stipple_ok(&["status"]).contains("switched off by this computer's administrator"));
    assert_eq!(corner.json("status")["hold"], "locked");
    let output = corner.stipple(&["enable"]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
    assert!(stderr(&output).contains("an administrator has switched metrics off"), "{}", stderr(&output));
    assert_eq!(corner.json("preview"), json!([]));
    std::fs::remove_file(corner.path("disabled")).unwrap();
    assert_eq!(corner.json("status")["hold"], "");
}

#[test]
fn a_changed_text_pauses_and_asks_again() {
    let corner = Corner::new();
    corner.enabled().stop();
    let state = rusqlite::Connection::open(corner.state().join(stipple_client_dp::FILE_NAME)).unwrap();
    state.execute("UPDATE workstation SET consent_text = 'an older one'", []).unwrap();
    drop(state);
    let _recorder = corner.recorder();
    let status = corner.json("status");
    assert_eq!((&status["consent"], &status["hold"]), (&json!("on"), &json!("text-changed")));
    assert!(corner.stipple_ok(&["status"]).contains("paused"));
    assert_eq!(corner.json("preview"), json!([]));
    assert_eq!(corner.stipple_ok(&["enable", "--text"]), stipple_client_dp::CONSENT_TEXT);
    corner.stipple_ok(&["enable"]);
    assert_eq!(corner.json("status")["agreed_version"], stipple_client_dp::consent_version());
    assert_ne!(corner.json("preview"), json!([]));
}

#[test]
fn every_verb_helps_with_an_example() {
    for verb in [
        "status", "enable", "disable", "show", "preview", "sent", "budget", "metrics", "opt-out", "opt-in", "erase",
        "export", "doctor",
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_stipple")).args([verb, "--help"]).output().unwrap();
        let text = super::corner::stdout(&output);
        assert!(text.contains(&format!("Example: stipple {verb}")), "{text}");
    }
}

#[test]
fn without_a_recorder_or_a_bus_the_exit_code_is_3() {
    let corner = Corner::new();
    for verb in ["status", "enable", "disable", "show", "preview", "sent", "budget", "metrics", "erase", "export"] {
        let output = corner.stipple(&[verb]);
        assert_eq!(output.status.code(), Some(3), "{verb}: {}", stderr(&output));
        assert!(stderr(&output).contains("the recorder is not running on this bus"), "{}", stderr(&output));
    }
    let nowhere = format!("unix:path={}", corner.path("nowhere").display());
    let output = Command::new(env!("CARGO_BIN_EXE_stipple")).args(["--bus", &nowhere, "status"]).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains(&format!("the bus {nowhere} cannot be reached")), "{}", stderr(&output));
}

#[test]
fn wrong_usage_is_2() {
    for arguments in [&["frobnicate"][..], &[], &["--bus", "nonsense", "status"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_stipple")).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_stipple-recorderd")).arg("--frobnicate").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

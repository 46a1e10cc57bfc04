// SPDX-License-Identifier: MIT OR Apache-2.0
//! What goes wrong around the recorder: each has a clear message and exit code, and loses nothing.

use std::process::Command;
use std::time::{Duration, Instant};

use super::corner::{Corner, NOW, Recorder, refusal, stderr};
use super::server::{Answer, Server, nobody};

#[test]
fn a_second_recorder_on_the_bus_is_refused() {
    let corner = Corner::new();
    let _first = corner.recorder();
    let (code, message) = refusal(corner.command());
    assert_eq!(code, Some(1));
    assert!(message.contains("another recorder already serves com.endlessm.Metrics"), "{message}");
    assert_eq!(corner.json("status")["consent"], "unset", "the first one goes on");
}

#[test]
fn a_bus_that_is_not_there_is_said() {
    let corner = Corner::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stipple-recorderd"));
    command.arg("--bus").arg(format!("unix:path={}", corner.path("nowhere").display()));
    command.arg("--state-dir").arg(corner.state());
    command.arg("--catalog").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../catalog/metrics"));
    let (code, message) = refusal(command);
    assert_eq!(code, Some(1));
    assert!(message.contains("the bus cannot be used") && message.contains("check --bus"), "{message}");
}

#[test]
fn a_damaged_state_is_refused_and_left_alone() {
    let corner = Corner::new();
    let file = corner.state().join("stipple.sqlite");
    let noise: Vec<u8> = (0..9000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    std::fs::write(&file, &noise).unwrap();
    let (code, message) = refusal(corner.command());
    assert_eq!(code, Some(1));
    assert!(message.contains(&format!("the state at {} is damaged", file.display())), "{message}");
    assert_eq!(std::fs::read(&file).unwrap(), noise);
}

#[test]
fn a_faulty_catalogue_is_refused_with_file_line_and_remedy() {
    let corner = Corner::new();
    let folder = corner.path("catalogue");
    std::fs::create_dir(&folder).unwrap();
    let refuse = |metric: &str| {
        let head = "title = \"Bad\"\nepsilon_epoch = 4.0\nepsilon_cap = 2.0\n";
        std::fs::write(folder.join("catalogue.toml"), head).unwrap();
        std::fs::write(folder.join("hardware.a.toml"), metric).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_stipple-recorderd"));
        command.args(["--bus", &corner.address, "--state-dir"]).arg(corner.state()).arg("--catalog").arg(&folder);
        refusal(command)
    };
    let (code, message) = refuse("id = \"hardware.a\"\nnonsense = 1\n");
    assert_eq!(code, Some(1));
    assert!(message.contains("hardware.a.toml:2"), "{message}");
    let (code, message) = refuse("id = ");
    assert_eq!(code, Some(1));
    assert!(message.contains("hardware.a.toml:1"), "{message}");
}

#[test]
fn a_wrong_server_address_is_refused() {
    let corner = Corner::new();
    let mut command = corner.command();
    command.args(["--server", "ftp://example.org"]);
    let (code, message) = refusal(command);
    assert_eq!(code, Some(1));
    assert!(message.contains("\"ftp://example.org\" is no server address"), "{message}");
}

#[test]
fn the_clock_cannot_be_set_in_production() {
    let corner = Corner::new();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stipple-recorderd"));
    command.args(["--bus", &corner.address, "--now", NOW, "--state-dir"]).arg(corner.state());
    command.arg("--catalog").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../catalog/metrics"));
    let (code, message) = refusal(command);
    assert_eq!(code, Some(1));
    assert!(message.contains("--now sets the time for drills and is refused in production"), "{message}");
}

#[test]
fn a_state_that_cannot_be_written_makes_no_yes() {
    let corner = Corner::new();
    std::fs::remove_dir(corner.state()).unwrap();
    let _recorder = corner.recorder();
    let output = corner.stipple(&["enable"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot use the state at"), "{}", stderr(&output));
    assert_eq!(corner.json("status")["consent"], "unset");
    // With the directory there, the same recorder goes on.
    std::fs::create_dir(corner.state()).unwrap();
    corner.stipple_ok(&["enable"]);
    assert_eq!(corner.json("status")["consent"], "on");
}

/// A limit on file sizes stands for a disk that fills up within the first yes.
#[test]
fn a_disk_that_is_full_at_the_first_yes_leaves_no_half_state() {
    let corner = Corner::new();
    let mut command = corner.command();
    command.args(["--now", NOW]);
    let mut limited = Command::new("bash");
    limited.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "bash"]);
    limited.arg(command.get_program()).args(command.get_args());
    let recorder = Recorder::start(limited);
    let output = corner.stipple(&["enable"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot use the state at"), "{}", stderr(&output));
    assert!(stderr(&output).contains("has room"), "{}", stderr(&output));
    assert_eq!(corner.json("status")["consent"], "unset");
    assert_eq!(std::fs::read_dir(corner.state()).unwrap().count(), 0, "nothing half-made is left");
    assert!(recorder.stop().success());
    let _recorder = corner.enabled();
    assert_eq!(corner.json("status")["consent"], "on");
}

#[test]
fn a_crash_loses_no_answer() {
    let corner = Corner::new();
    let recorder = corner.enabled();
    let drawn = corner.json("preview");
    recorder.kill();
    let _recorder = corner.recorder();
    assert_eq!(corner.json("status")["consent"], "on");
    assert_eq!(corner.json("preview"), drawn, "nothing is drawn again");
}

#[test]
fn a_server_that_hangs_blocks_neither_calls_nor_the_end() {
    let corner = Corner::new();
    let due = super::drill::prepare(&corner);
    let server = Server::start(&[Answer::Silence; 9]);
    let recorder = corner.recorder_at(&due.now, &server.url);
    corner.until("a request", |_| server.requests().first().cloned());
    let start = Instant::now();
    for verb in ["status", "show", "preview", "budget"] {
        corner.json(verb);
    }
    let id = super::recording::uuid(5);
    corner.record("RecordSingularEvent", &["0", &id, "0", "false", "<false>"]).unwrap();
    assert!(start.elapsed() < Duration::from_secs(5), "calls waited {:?}", start.elapsed());
    let start = Instant::now();
    assert_eq!(recorder.stop().code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(3), "the end waited {:?}", start.elapsed());
}

#[test]
fn a_no_stops_what_is_being_sent() {
    let corner = Corner::new();
    let due = super::drill::prepare(&corner);
    // Told to come back in a second, the recorder would; but the user says no before.
    let server = Server::start(&[Answer::Head("503 Service Unavailable\r\nRetry-After: 1"); 9]);
    let _recorder = corner.recorder_at(&due.now, &server.url);
    corner.until("a request", |_| server.requests().first().cloned());
    corner.stipple_ok(&["disable"]);
    let sent = server.requests().len();
    std::thread::sleep(Duration::from_millis(4500));
    assert_eq!(server.requests().len(), sent);
}

#[test]
fn an_unreachable_server_costs_nothing_and_the_report_waits() {
    let corner = Corner::new();
    let due = super::drill::prepare(&corner);
    let _recorder = corner.recorder_at(&due.now, &nobody());
    assert_eq!(super::drill::waiting(&corner), due.bytes);
}

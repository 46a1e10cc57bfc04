// SPDX-License-Identifier: MIT OR Apache-2.0
//! The real `stipple-upload` with a report on its standard input, and no setting but those that are given.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The program without arguments and without the caller's environment.
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.env_clear();
    command
}

/// Starts it and hands it a report. Its standard input stays open: a recorder that hangs up has changed its mind.
pub fn start(command: &mut Command, report: &[u8]) -> Child {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(report).unwrap();
    child
}

/// Runs it to its end and returns its answer.
pub fn run(command: &mut Command, report: &[u8]) -> String {
    let mut child = start(command, report);
    let mut answer = String::new();
    child.stdout.as_mut().unwrap().read_to_string(&mut answer).unwrap();
    assert!(child.wait().unwrap().success(), "{answer}");
    answer.trim_end().to_owned()
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Manual pages and shell completions are made of the command lines, and the committed ones are up to date.
//! `STIPPLE_UPDATE_GOLDEN=1 cargo test -p stipple-client-dp --test pages` writes them anew.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../packaging/pages.rs"]
mod shared;

use std::path::Path;
use std::process::{Command, Output};

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};
use stipple_client_dp::cli::{Recorderd, SessionHelper, Stipple, Upload};

use shared::{LICENCE, Pages, check, manual, packaging};

/// Every program with the section of its manual page, as the units name it.
fn programs() -> [(clap::Command, &'static str); 4] {
    [(Stipple::command(), "1"), (Recorderd::command(), "8"), (Upload::command(), "8"), (SessionHelper::command(), "8")]
}

/// The manual pages and completions of every program.
fn pages() -> Pages {
    let mut pages = Pages::new();
    for (program, section) in programs() {
        let name = program.get_name().to_owned();
        for (shell, file) in [
            (Shell::Bash, format!("bash/{name}")),
            (Shell::Zsh, format!("zsh/_{name}")),
            (Shell::Fish, format!("fish/{name}.fish")),
        ] {
            let mut text = Vec::new();
            generate(shell, &mut program.clone(), &name, &mut text);
            // The licence comes second: zsh reads the first line.
            let text = String::from_utf8(text).unwrap();
            let text = if shell == Shell::Zsh {
                text.replacen('\n', &format!("\n# {LICENCE}\n"), 1)
            } else {
                format!("# {LICENCE}\n{text}")
            };
            pages.insert(Path::new("completions").join(file), text);
        }
        pages.extend(manual(program, section));
    }
    pages
}

#[test]
fn the_committed_pages_are_those_of_the_programs() {
    check(&pages());
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn bash_completes_verbs_options_and_their_values() {
    let script = packaging().join("completions/bash/stipple");
    let complete = |words: &[&str]| {
        let (before, last) = (words[words.len() - 2], words[words.len() - 1]);
        let line = format!(
            "source '{}'; COMP_WORDS=({}); COMP_CWORD={}; _stipple stipple '{last}' '{before}'; echo ${{COMPREPLY[@]}}",
            script.display(),
            words.join(" "),
            words.len() - 1
        );
        stdout(&Command::new("bash").args(["--norc", "-c", &line]).output().unwrap()).trim_end().to_owned()
    };
    assert_eq!(complete(&["stipple", "ex"]), "export");
    assert_eq!(complete(&["stipple", "opt-"]), "opt-out opt-in");
    assert_eq!(complete(&["stipple", "metrics", "ex"]), "explain");
    assert_eq!(complete(&["stipple", "export", "--fo"]), "--force");
    assert_eq!(complete(&["stipple", "--color", "a"]), "auto always");
}

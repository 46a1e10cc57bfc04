// SPDX-License-Identifier: MIT OR Apache-2.0
//! Manual pages and shell completions are made of the command lines, and the committed ones are up to date.
//! `STIPPLE_UPDATE_GOLDEN=1 cargo test -p stipple-client-dp --test pages` writes them anew.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};
use stipple_client_dp::cli::{Recorderd, SessionHelper, Stipple, Upload};

const LICENCE: &str = "SPDX-License-Identifier: MIT OR Apache-2.0";

fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging")
}

/// Every program with the section of its manual page, as the units name it.
fn programs() -> [(clap::Command, &'static str); 4] {
    [(Stipple::command(), "1"), (Recorderd::command(), "8"), (Upload::command(), "8"), (SessionHelper::command(), "8")]
}

/// Every page below packaging, by its path there.
fn pages() -> BTreeMap<PathBuf, String> {
    let mut pages = BTreeMap::new();
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
        let mut program = without_help(program);
        program.build();
        manual(&program, section, &mut pages);
    }
    pages
}

/// --help does without a page for each `help` of each subcommand.
fn without_help(command: clap::Command) -> clap::Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

/// The page of a command, and those of its subcommands.
fn manual(command: &clap::Command, section: &str, pages: &mut BTreeMap<PathBuf, String>) {
    let mut text = format!(".\\\" {LICENCE}\n").into_bytes();
    let source = concat!("Stipple ", env!("CARGO_PKG_VERSION"));
    let page = clap_mangen::Man::new(command.clone()).section(section).source(source).manual("Stipple");
    page.render(&mut text).unwrap();
    let name = command.get_display_name().unwrap_or(command.get_name());
    pages.insert(Path::new("man").join(format!("{name}.{section}")), String::from_utf8(text).unwrap());
    command.get_subcommands().for_each(|subcommand| manual(subcommand, section, pages));
}

#[test]
fn the_committed_pages_are_those_of_the_programs() {
    let update = std::env::var_os("STIPPLE_UPDATE_GOLDEN").is_some();
    for (path, page) in pages() {
        let file = packaging().join(&path);
        if update {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, &page).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == page, "{} is not up to date: see the head of tests/pages.rs", path.display());
    }
}

/// Other programs have pages beside these, but none begins with a name of these programs and is left over.
#[test]
fn no_page_of_a_command_that_is_gone_is_left() {
    let pages = pages();
    let names = std::fs::read_dir(packaging().join("man")).unwrap().map(|file| file.unwrap().file_name());
    let ours = names.filter(|name| name.to_string_lossy().ends_with(".1"));
    for name in ours {
        assert!(pages.contains_key(&Path::new("man").join(&name)), "{}", name.display());
    }
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn groff_reads_every_page_without_a_warning() {
    for path in pages().into_keys().filter(|path| path.starts_with("man")) {
        let page = packaging().join(&path);
        let output = Command::new("groff").args(["-man", "-Tascii", "-P-cbou", "-ww"]).arg(&page).output();
        let output = output.expect("groff is installed: scripts/setup does it");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{}", path.display());
        let text = stdout(&output);
        assert!(text.contains("NAME") && text.contains("SYNOPSIS"), "{}: {text}", path.display());
    }
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

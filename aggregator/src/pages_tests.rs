// SPDX-License-Identifier: MIT OR Apache-2.0
//! The manual pages are made of the command line, and the committed ones are up to date.
//! `STIPPLE_UPDATE_GOLDEN=1 cargo test -p stipple-aggregator --bin stipple-aggregator` writes them anew.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use clap::CommandFactory as _;

use crate::Arguments;

const LICENCE: &str = "SPDX-License-Identifier: MIT OR Apache-2.0";
/// Of programs that administrators start, as the units name it.
const SECTION: &str = "8";

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/man"))
}

/// Every page by the name of its file.
fn pages() -> BTreeMap<String, String> {
    let (mut program, mut pages) = (without_help(Arguments::command()), BTreeMap::new());
    program.build();
    manual(&program, &mut pages);
    pages
}

/// --help does without a page for each `help` of each subcommand.
fn without_help(command: clap::Command) -> clap::Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

/// The page of a command, and those of its subcommands.
fn manual(command: &clap::Command, pages: &mut BTreeMap<String, String>) {
    let mut text = format!(".\\\" {LICENCE}\n").into_bytes();
    let source = concat!("Stipple ", env!("CARGO_PKG_VERSION"));
    let page = clap_mangen::Man::new(command.clone()).section(SECTION).source(source).manual("Stipple");
    page.render(&mut text).unwrap();
    let name = command.get_display_name().unwrap_or(command.get_name());
    pages.insert(format!("{name}.{SECTION}"), String::from_utf8(text).unwrap());
    command.get_subcommands().for_each(|subcommand| manual(subcommand, pages));
}

#[test]
fn the_committed_pages_are_those_of_the_program() {
    let update = std::env::var_os("STIPPLE_UPDATE_GOLDEN").is_some();
    let pages = pages();
    for (name, page) in &pages {
        let file = folder().join(name);
        if update {
            std::fs::write(&file, page).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == *page, "{name} is not up to date: see the head of pages_tests.rs");
        let output = Command::new("groff").args(["-man", "-Tascii", "-ww"]).arg(&file).output();
        let output = output.expect("groff is installed: scripts/setup does it");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{name}");
    }
    let files = std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    for name in files.filter(|name| name.starts_with("stipple-aggregator")) {
        assert!(pages.contains_key(&name), "{name} is of a command that is gone");
    }
}

#[test]
fn every_unit_names_a_page_that_there_is() {
    let units = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/systemd");
    let units =
        ["stipple-aggregator.service", "stipple-aggregator-count.service"].map(|unit| format!("{units}/{unit}"));
    for unit in units {
        let text = std::fs::read_to_string(&unit).unwrap();
        let name = text.lines().find_map(|line| line.strip_prefix("Documentation=man:")?.strip_suffix("(8)")).unwrap();
        assert!(pages().contains_key(&format!("{name}.{SECTION}")), "{unit}: {name}");
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Manual pages and shell completions are made of the command lines: what the tests of all programs share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

pub const LICENCE: &str = "SPDX-License-Identifier: MIT OR Apache-2.0";
/// Every program that has a manual page.
const PROGRAMS: [&str; 7] = [
    "stipple",
    "stipple-aggregator",
    "stipple-analysis",
    "stipple-catalog",
    "stipple-recorderd",
    "stipple-session-helper",
    "stipple-upload",
];

/// Pages by their path in the folder of this file.
pub type Pages = BTreeMap<PathBuf, String>;

pub fn packaging() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging")
}

/// The manual pages of a program and of its subcommands.
pub fn manual(program: clap::Command, section: &str) -> Pages {
    let (mut program, mut pages) = (without_help(program), Pages::new());
    program.build();
    add_manual(&program, section, &mut pages);
    pages
}

/// --help does without a page for each `help` of each subcommand.
fn without_help(command: clap::Command) -> clap::Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

fn add_manual(command: &clap::Command, section: &str, pages: &mut Pages) {
    let mut text = format!(".\\\" {LICENCE}\n").into_bytes();
    let source = concat!("Stipple ", env!("CARGO_PKG_VERSION"));
    let page = clap_mangen::Man::new(command.clone()).section(section).source(source).manual("Stipple");
    page.render(&mut text).unwrap();
    let name = command.get_display_name().unwrap_or(command.get_name());
    pages.insert(Path::new("man").join(format!("{name}.{section}")), String::from_utf8(text).unwrap());
    command.get_subcommands().for_each(|subcommand| add_manual(subcommand, section, pages));
}

/// Fails unless the committed pages are these and nothing is wrong with them; `STIPPLE_UPDATE_GOLDEN=1` writes them first.
pub fn check(pages: &Pages) {
    for (path, page) in pages {
        let file = packaging().join(path);
        if std::env::var_os("STIPPLE_UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, page).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(committed == *page, "{} is not up to date: run this test with STIPPLE_UPDATE_GOLDEN=1", path.display());
        if path.starts_with("man") {
            check_manual(&file);
        }
    }
    let programs: Vec<_> = pages.keys().filter_map(|path| program(path)).collect();
    for file in std::fs::read_dir(packaging().join("man")).unwrap() {
        let path = Path::new("man").join(file.unwrap().file_name());
        let program = program(&path).unwrap_or_else(|| panic!("{} belongs to no program", path.display()));
        assert!(
            pages.contains_key(&path) || !programs.contains(&program),
            "{} is of a command that is gone",
            path.display()
        );
    }
}

fn check_manual(file: &Path) {
    let output = Command::new("groff").args(["-man", "-Tascii", "-P-cbou", "-ww"]).arg(file).output();
    let output = output.unwrap_or_else(|error| panic!("groff cannot be run ({error}): scripts/setup installs it"));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{}", file.display());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("NAME") && text.contains("SYNOPSIS"),
        "{}: {text}",
        file.display()
    );
}

/// The program that a manual page is about.
fn program(page: &Path) -> Option<&'static str> {
    let name = page.strip_prefix("man").ok()?.file_stem()?.to_str()?;
    let is_of =
        |program: &&str| name.strip_prefix(*program).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    PROGRAMS.into_iter().filter(|program| is_of(program)).max_by_key(|program| program.len())
}

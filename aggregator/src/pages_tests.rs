// SPDX-License-Identifier: MIT OR Apache-2.0
//! The manual pages are made of the command line, and the committed ones are up to date.
//! `STIPPLE_UPDATE_GOLDEN=1 cargo test -p stipple-aggregator --bin stipple-aggregator` writes them anew.

#[path = "../../packaging/pages.rs"]
mod shared;

use clap::CommandFactory as _;

use crate::Arguments;

/// Of programs that administrators start, as the units name it.
const SECTION: &str = "8";

#[test]
fn the_committed_pages_are_those_of_the_program() {
    shared::check(&shared::manual(Arguments::command(), SECTION));
}

#[test]
fn every_unit_names_a_page_that_there_is() {
    let units = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/systemd");
    let units =
        ["stipple-aggregator.service", "stipple-aggregator-count.service"].map(|unit| format!("{units}/{unit}"));
    for unit in units {
        let text = std::fs::read_to_string(&unit).unwrap();
        let name = text.lines().find_map(|line| line.strip_prefix("Documentation=man:")?.strip_suffix("(8)")).unwrap();
        assert!(shared::packaging().join(format!("man/{name}.{SECTION}")).is_file(), "{unit}: {name}");
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The manual pages are made of the command line, and the committed ones are up to date.
//! `STIPPLE_UPDATE_GOLDEN=1 cargo test -p stipple-analysis --bin stipple-analysis` writes them anew.

#[path = "../../packaging/pages.rs"]
mod shared;

use clap::CommandFactory as _;

use crate::Arguments;

#[test]
fn the_committed_pages_are_those_of_the_program() {
    shared::check(&shared::manual(Arguments::command(), "1"));
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The tables of the book in one command, as CSV and plots.
//!
//! `cargo run --release -p stipple-ldp --features research --example tables [folder]`

mod attributes;
mod coverage;
mod distribution;
mod longitudinal;
mod numeric;
mod plot;
mod projection;
mod sets;
mod simulate;
mod table;
mod variance;

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::args().nth(1).unwrap_or_else(|| "target/tables".to_owned()));
    std::fs::create_dir_all(&out)?;
    variance::write(&out)?;
    numeric::write(&out)?;
    sets::write(&out)?;
    attributes::write(&out)?;
    coverage::write(&out)?;
    distribution::write(&out)?;
    projection::write(&out)?;
    longitudinal::write(&out)?;
    println!("\nCSV files and plots are in {}", out.display());
    Ok(())
}

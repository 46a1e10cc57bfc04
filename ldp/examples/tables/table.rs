// SPDX-License-Identifier: MIT OR Apache-2.0
//! A table, printed in line and written as CSV.

use std::path::Path;

pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(header: &[&str]) -> Self {
        Self { rows: vec![header.iter().map(|&name| name.to_owned()).collect()] }
    }

    pub fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// Writes the file and prints the same.
    pub fn write(&self, path: &Path) -> std::io::Result<()> {
        let width = |column: usize| self.rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
        println!("\n{}", path.display());
        for row in &self.rows {
            let cells = row.iter().enumerate().map(|(column, cell)| format!("{cell:>0$}", width(column)));
            println!("{}", cells.collect::<Vec<_>>().join("  "));
        }
        std::fs::write(path, self.rows.iter().map(|row| row.join(",") + "\n").collect::<String>())
    }
}

/// Four significant digits, or all before the point.
pub fn digits(value: f64) -> String {
    let scientific = format!("{value:.3e}");
    let exponent = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0_i32);
    format!("{value:.*}", usize::try_from(3 - exponent).unwrap_or(0))
}

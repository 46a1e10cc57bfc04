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

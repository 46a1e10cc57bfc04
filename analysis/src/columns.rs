// SPDX-License-Identifier: MIT OR Apache-2.0
//! Rows of text whose columns line up.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

/// Writes rows with two blanks before each column: text, the first `left` columns, to the left, numbers to the right. Rows may
/// be shorter than the first.
///
/// # Errors
/// [`io::Error`] of the writer.
pub(crate) fn write_columns(rows: &[Vec<String>], left: usize, out: &mut dyn Write) -> io::Result<()> {
    let count = rows.first().map_or(0, Vec::len);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max();
    let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = " ".repeat(width.saturating_sub(cell.width()));
            let (before, after) = if column < left { ("", gap.as_str()) } else { (gap.as_str(), "") };
            line.extend(["  ", before, cell.as_str(), after]);
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// A number to four significant digits, as the tables of the literature print it.
pub(crate) fn significant(x: f64) -> String {
    if !x.is_finite() {
        return "–".to_owned();
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 9")]
    let decimals = (3.0 - x.abs().max(1e-9).log10().floor()).clamp(0.0, 9.0) as usize;
    format!("{x:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = [["a", "b", "c"], ["ää", "long", "1"], ["", "x", "100"]].map(|row| row.map(str::to_owned).to_vec());
        let mut out = Vec::new();
        write_columns(&rows, 2, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "  a   b       c\n  ää  long    1\n      x     100\n");
    }

    #[test]
    fn four_digits() {
        assert_eq!(
            [339.54, 3.67512, 0.07841, 0.0, 23456.7].map(significant),
            ["339.5", "3.675", "0.07841", "0.000000000", "23457"]
        );
        assert_eq!(significant(f64::INFINITY), "–");
    }
}

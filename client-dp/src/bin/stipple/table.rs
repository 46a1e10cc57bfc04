// SPDX-License-Identifier: MIT OR Apache-2.0
//! Columns that line up, and paragraphs that fit a terminal.

use unicode_width::UnicodeWidthStr as _;

/// How wide paragraphs are.
const WIDTH: usize = 78;

/// Columns that line up, the last one ragged.
pub fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>, empty: &str) -> String {
    painted(head, rows, empty, str::to_owned)
}

/// The same, with each padded cell painted.
pub fn painted(
    head: &[&str],
    rows: impl Iterator<Item = Vec<String>>,
    empty: &str,
    paint: impl Fn(&str) -> String,
) -> String {
    let rows: Vec<Vec<String>> = rows.collect();
    if rows.is_empty() {
        return format!("{empty}\n");
    }
    let head: Vec<String> = head.iter().map(ToString::to_string).collect();
    let width = |column: usize| rows.iter().chain([&head]).map(|row| row[column].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let mut text = String::new();
    for row in [&head].into_iter().chain(&rows) {
        let padded = |(cell, &width): (&String, &usize)| paint(&format!("{cell}{}", " ".repeat(width - cell.width())));
        let cells: Vec<String> = row.iter().zip(&widths).map(padded).collect();
        text += cells.join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// A paragraph in lines, the first with `label`, the others as far to the right as its text begins.
pub fn paragraph(label: &str, text: &str) -> String {
    let mut lines = label.to_owned();
    let (indent, mut at, mut first) = (label.width(), label.width(), true);
    for word in text.split(' ') {
        if !first && at + 1 + word.width() > WIDTH {
            lines.push('\n');
            lines += &" ".repeat(indent);
            (at, first) = (indent, true);
        }
        if !std::mem::take(&mut first) {
            lines.push(' ');
            at += 1;
        }
        lines += word;
        at += word.width();
    }
    lines.push('\n');
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_with_wide_and_combining_characters() {
        let rows = [["日本語", "x"], ["e\u{301}", "y"], ["abc", "z"]].map(|row| row.map(str::to_owned).to_vec());
        let text = table(&["", ""], rows.into_iter(), "");
        assert_eq!(text, "\n日本語  x\ne\u{301}       y\nabc     z\n");
    }

    #[test]
    fn paragraphs_keep_their_indent_and_width() {
        let text = paragraph("Asks  ", &"word ".repeat(40).trim_end().replace("word word", "word wörd"));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() > 2 && lines[1].starts_with("      w") && lines.iter().all(|line| line.width() <= WIDTH));
        assert_eq!(text.split_whitespace().count(), 41);
        assert_eq!(
            paragraph("A ", &"x".repeat(99)),
            format!("A {}\n", "x".repeat(99)),
            "what cannot be broken is whole"
        );
    }
}

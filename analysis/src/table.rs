// SPDX-License-Identifier: MIT OR Apache-2.0
//! Estimates as a table for the terminal.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

use crate::central::Central;
use crate::estimate::{Estimates, MetricEstimate};
use crate::quantile::Quantile;
use crate::values::ValueEstimate;
use crate::words::{grouped, number};

/// Rows of a long dictionary that are shown.
const SHOWN: usize = 15;
/// The longest bar, in characters.
const BAR: usize = 20;

/// Writes the table. Nothing is coloured, so it reads the same in a file.
///
/// # Errors
/// [`io::Error`] of the writer.
pub fn write_table(estimates: &Estimates<'_>, out: &mut dyn Write) -> io::Result<()> {
    for (i, metric) in estimates.metrics.iter().enumerate() {
        if i > 0 {
            writeln!(out)?;
        }
        write_metric(metric, out)?;
    }
    Ok(())
}

fn write_metric(metric: &MetricEstimate<'_>, out: &mut dyn Write) -> io::Result<()> {
    let definition = metric.definition;
    let plural = if metric.reports == 1 { "report" } else { "reports" };
    writeln!(out, "{} ({})", definition.title, definition.id)?;
    writeln!(out, "  {}", definition.question)?;
    writeln!(out, "  {} {plural}, {}, epsilon {}", grouped(metric.reports), metric.span, definition.epsilon)?;
    writeln!(out, "  {}", beside(metric))?;
    if !metric.quantiles.is_empty() {
        writeln!(out, "  {}", metric.quantiles.iter().map(quantile).collect::<Vec<_>>().join("; "))?;
    }
    let ranked = metric.ranked();
    // One more row costs no more than the line that would say so.
    let shown = if ranked.len() <= SHOWN + 1 { ranked.len() } else { SHOWN };
    let heading = [String::new(), "estimate".into(), "margin".into(), format!("{} % interval", metric.level)];
    let rows: Vec<[String; 4]> =
        std::iter::once(heading).chain(ranked[..shown].iter().map(|value| cells(metric, value))).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3)];
    for (i, row) in rows.iter().enumerate() {
        let bar = i.checked_sub(1).map_or(String::new(), |i| bar(ranked[i].estimate / metric.most().unwrap_or(1.0)));
        let label = format!("{}{}", row[0], " ".repeat(widths[0] - row[0].width()));
        let figures: Vec<String> =
            (1..4).map(|c| format!("{}{}", " ".repeat(widths[c] - row[c].width()), row[c])).collect();
        writeln!(out, "{}", format!("  {label}  {}  {bar}", figures.join("  ")).trim_end())?;
    }
    if shown < ranked.len() {
        writeln!(out, "  … and {} more (in estimates.csv)", ranked.len() - shown)?;
    }
    Ok(())
}

/// Where a quantile lies, and where it may.
fn quantile(quantile: &Quantile) -> String {
    let Quantile { per_cent, class, lower, upper } = quantile;
    if lower == upper {
        format!("{per_cent} % at {class}")
    } else {
        format!("{per_cent} % at {class} ({lower} to {upper})")
    }
}

/// How far liars could move the figures, in words.
pub(crate) fn moved(metric: &MetricEstimate<'_>) -> String {
    match metric.most() {
        Some(_) => format!("move the mean by {}", number(metric.moved, 3)),
        None => format!("raise a share by {} points", number(metric.moved * 100.0, 2)),
    }
}

/// What stands beside every estimate: the guarantee to readers, and what liars could do.
fn beside(metric: &MetricEstimate<'_>) -> String {
    let moved = format!("{} % of liars could {}", number(metric.liars * 100.0, 1), moved(metric));
    match metric.central {
        Some(Central { epsilon, delta }) => {
            format!("readers of shuffled counts: epsilon {} (delta {delta:e}); {moved}", number(epsilon, 3))
        }
        None => moved,
    }
}

fn cells(metric: &MetricEstimate<'_>, value: &ValueEstimate) -> [String; 4] {
    let (scale, unit, decimals) = if metric.most().is_some() { (1.0, "", 2) } else { (100.0, " %", 1) };
    let show = |x: f64| number(x * scale, decimals);
    let interval = format!("{} to {}{unit}", show(value.interval.lower), show(value.interval.upper));
    [value.value.clone(), format!("{}{unit}", show(value.estimate)), format!("± {}", show(value.margin)), interval]
}

/// A bar of eighths of a block.
fn bar(share: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 8 * BAR")]
    let eighths = (share.clamp(0.0, 1.0) * (8 * BAR) as f64).round() as usize;
    let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    format!("{}{rest}", "█".repeat(eighths / 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_cut_to_eighths_and_never_longer_than_the_scale() {
        assert_eq!(bar(0.5), "█".repeat(10));
        assert_eq!(bar(0.026), "▌");
        assert_eq!((bar(-0.2), bar(7.0)), (String::new(), "█".repeat(20)));
    }
}

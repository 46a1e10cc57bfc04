// SPDX-License-Identifier: MIT OR Apache-2.0
//! The geometry and the words of one bar chart with error bars; `templates/report.html` draws it.
//!
//! Drawn by our own template, after reading the SVG writers of `kuva` 0.6 and `plotters` 0.3: both fix a size in pixels, so
//! that a chart is too wide for a telephone or its text shrinks with it; both write colours into the shapes, so that a dark
//! page keeps a light chart; and neither gives the SVG a role, a title or a description, which a screen reader needs. Here
//! positions along the scale are percentages, heights are pixels and colours are the page's.

use crate::estimate::MetricEstimate;
use crate::values::ValueEstimate;
use crate::words::number;

/// Bars that are drawn; the table has the rest.
const DRAWN: usize = 20;
/// Pixels from one bar's label to the next.
const ROW: usize = 38;
/// Letters of a label that fit beside its figures on a telephone.
const LABEL: usize = 34;

/// A chart, with every position along the scale as a percentage of it.
pub(crate) struct Chart {
    pub description: String,
    pub height: usize,
    /// where the scale stands, in pixels from the top
    pub axis: usize,
    pub bars: Vec<Bar>,
    pub ticks: Vec<Tick>,
    /// values that are not drawn
    pub rest: usize,
}

pub(crate) struct Bar {
    pub label: String,
    pub figures: String,
    /// the label's base line
    pub text: usize,
    /// the bar's upper edge
    pub top: usize,
    pub length: f64,
    pub lower: f64,
    pub upper: f64,
}

pub(crate) struct Tick {
    pub at: f64,
    pub anchor: &'static str,
    pub text: String,
}

impl Chart {
    pub fn new(metric: &MetricEstimate<'_>) -> Self {
        let ranked = metric.ranked();
        let drawn = &ranked[..ranked.len().min(DRAWN)];
        let most = metric.most();
        let scale = most.unwrap_or_else(|| share_scale(drawn));
        let along = |x: f64| (x / scale).clamp(0.0, 1.0) * 100.0;
        let bars: Vec<Bar> = drawn
            .iter()
            .enumerate()
            .map(|(i, value)| Bar {
                label: shortened(&value.value),
                figures: figures(value, most.is_some()),
                text: i * ROW + 14,
                top: i * ROW + 20,
                length: along(value.estimate),
                lower: along(value.interval.lower),
                upper: along(value.interval.upper),
            })
            .collect();
        let tick = |part: f64, anchor| Tick { at: part * 100.0, anchor, text: tick(part * scale, most.is_some()) };
        let axis = drawn.len() * ROW + 4;
        let listed = drawn.iter().map(|value| in_words(value, metric));
        Self {
            description: listed.collect::<Vec<_>>().join("; "),
            height: axis + 22,
            axis,
            bars,
            ticks: vec![tick(0.0, "start"), tick(0.5, "middle"), tick(1.0, "end")],
            rest: ranked.len() - drawn.len(),
        }
    }
}

/// The end of the scale: the first round share beyond every error bar.
fn share_scale(values: &[&ValueEstimate]) -> f64 {
    let longest = values.iter().map(|value| value.interval.upper).fold(0.0, f64::max);
    [0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8].into_iter().find(|end| longest <= *end).unwrap_or(1.0)
}

/// What stands at the end of a bar. A share whose interval begins at zero may be nothing at all, and is called small rather
/// than given a figure, which noise may have carried below zero.
pub(crate) fn figures(value: &ValueEstimate, is_mean: bool) -> String {
    let percent = |x: f64| number(x * 100.0, 1);
    if is_mean {
        format!("{} ± {}", number(value.estimate, 2), number(value.margin, 2))
    } else if value.interval.lower <= 0.0 {
        format!("below {} %", percent(ceiling(value)))
    } else {
        format!("{} % ± {}", percent(value.estimate), percent(value.margin))
    }
}

/// What a share that may be nothing is said to be below. Luck can carry a whole interval under zero; what is said then is
/// never surer than the margin.
fn ceiling(value: &ValueEstimate) -> f64 {
    value.interval.upper.max(value.margin).max(0.001)
}

/// One bar as a screen reader says it.
fn in_words(value: &ValueEstimate, metric: &MetricEstimate<'_>) -> String {
    let (lower, upper) = (value.interval.lower, value.interval.upper);
    match metric.most() {
        Some(most) => format!(
            "mean {}, between {} and {} on a scale from 0 to {most}",
            number(value.estimate, 2),
            number(lower, 2),
            number(upper, 2)
        ),
        None if lower <= 0.0 => format!("{}: below {} %", value.value, number(ceiling(value) * 100.0, 1)),
        None => format!(
            "{}: {} %, between {} and {} %",
            value.value,
            number(value.estimate * 100.0, 1),
            number(lower * 100.0, 1),
            number(upper * 100.0, 1)
        ),
    }
}

fn tick(at: f64, is_mean: bool) -> String {
    let (at, unit) = if is_mean { (at, "") } else { (at * 100.0, " %") };
    let decimals = usize::from(at.fract().abs() > 1e-9);
    format!("{}{unit}", number(at, decimals))
}

fn shortened(label: &str) -> String {
    if label.chars().count() <= LABEL {
        return label.to_owned();
    }
    label.chars().take(LABEL - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interval::Interval;

    fn value(estimate: f64, lower: f64, upper: f64) -> ValueEstimate {
        let interval = Interval { lower, upper };
        ValueEstimate {
            value: "x".into(),
            estimate,
            standard_error: None,
            interval,
            margin: interval.margin(),
            simultaneous: interval,
            consistent: estimate.clamp(0.0, 1.0),
            consistent_interval: None,
        }
    }

    #[test]
    fn a_share_that_may_be_nothing_is_called_small() {
        assert_eq!(figures(&value(-0.01, 0.0, 0.012), false), "below 1.2 %");
        let unlucky = ValueEstimate { margin: 0.047, ..value(-0.05, 0.0, 0.0) };
        assert_eq!(figures(&unlucky, false), "below 4.7 %");
        assert_eq!(figures(&value(0.612, 0.598, 0.626), false), "61.2 % ± 1.4");
        assert_eq!(figures(&value(-0.1, 0.0, 0.5), true), "−0.10 ± 0.25");
    }

    #[test]
    fn the_scale_holds_every_error_bar() {
        let (small, large) = (value(0.1, 0.05, 0.21), value(0.9, 0.85, 1.0));
        assert!((share_scale(&[&small]) - 0.3).abs() < 1e-12);
        assert!((share_scale(&[&small, &large]) - 1.0).abs() < 1e-12);
        assert_eq!(
            (tick(0.05, false), tick(0.025, false), tick(10.0, true)),
            ("5 %".into(), "2.5 %".into(), "10".into())
        );
    }

    #[test]
    fn long_labels_are_cut_by_letters() {
        assert_eq!(shortened(&"ü".repeat(34)), "ü".repeat(34));
        assert_eq!(shortened(&"ü".repeat(35)).chars().count(), 34);
    }
}

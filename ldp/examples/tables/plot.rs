// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines over a logarithmic x axis, as SVG, with the legend beside them.

use std::error::Error;
use std::ops::Range;
use std::path::Path;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::prelude::*;

/// A name and its points, from left to right.
pub type Series = (String, Vec<(f64, f64)>);

/// What a plot says around its lines.
pub struct Plot<'a> {
    pub title: &'a str,
    pub x: &'a str,
    pub y: &'a str,
    /// the range of the y axis, which is logarithmic when it begins above 0; a line has gaps where it is outside
    pub range: Range<f64>,
}

/// Okabe and Ito's colours, told apart by most colour-blind people, with a ninth.
const COLOURS: [RGBColor; 9] = [
    RGBColor(213, 94, 0),
    RGBColor(0, 114, 178),
    RGBColor(0, 158, 115),
    RGBColor(230, 159, 0),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(140, 86, 75),
    RGBColor(127, 127, 127),
];
const FONT: (&str, u32) = ("sans-serif", 13);
const LEGEND_WIDTH: u32 = 190;

/// Draws every series as a line.
pub fn lines(path: &Path, plot: &Plot<'_>, series: &[Series]) -> Result<(), Box<dyn Error>> {
    let area = SVGBackend::new(path, (720 + LEGEND_WIDTH, 460)).into_drawing_area();
    area.fill(&WHITE)?;
    let (left, right) = area.split_horizontally(720);
    let xs = || series.iter().flat_map(|(_, points)| points.iter().map(|(x, _)| *x));
    let across = Axis { range: xs().fold(f64::INFINITY, f64::min)..xs().fold(0.0, f64::max) };
    let mut chart = ChartBuilder::on(&left)
        .caption(plot.title, ("sans-serif", 17))
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(62)
        .build_cartesian_2d(across, Axis { range: plot.range.clone() })?;
    chart.configure_mesh().x_desc(plot.x).y_desc(plot.y).label_style(FONT).draw()?;
    for (index, (name, points)) in series.iter().enumerate() {
        let style = COLOURS[index % COLOURS.len()].stroke_width(2);
        for piece in points.split(|(_, y)| !(plot.range.start..=plot.range.end).contains(y)) {
            chart.draw_series(LineSeries::new(piece.iter().copied(), style))?;
        }
        let height = 56 + 22 * i32::try_from(index)?;
        right.draw(&PathElement::new([(0, height), (22, height)], style))?;
        right.draw(&Text::new(name.as_str(), (28, height - 6), FONT))?;
    }
    area.present()?;
    Ok(())
}

/// A range, logarithmic when it begins above 0.
struct Axis {
    range: Range<f64>,
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let place = |value: f64| if self.range.start > 0.0 { value.ln() } else { value };
        let (start, end) = (place(self.range.start), place(self.range.end));
        #[expect(clippy::cast_possible_truncation, reason = "pixels")]
        let pixels = ((place(*value) - start) / (end - start) * f64::from(to - from)).round() as i32;
        from + pixels
    }

    /// Round numbers, at least four where there are any.
    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        let Range { start, end } = self.range;
        if hint.weight().allow_light_points() {
            return Vec::new();
        }
        let within = |ticks: &mut dyn Iterator<Item = f64>| -> Vec<f64> {
            let slack = (end - start) * 1e-9;
            ticks.filter(|tick| (start - slack..=end + slack).contains(tick)).collect()
        };
        if start <= 0.0 {
            let power = 10_f64.powf((end - start).log10().floor() - 1.0);
            let step = [1.0, 2.0, 5.0].map(|m| m * power).into_iter().find(|step| end - start <= 11.0 * step);
            let step = step.unwrap_or(10.0 * power);
            return within(&mut (0..=11).map(|i| ((start / step).ceil() + f64::from(i)) * step));
        }
        let multiples =
            |of: &[f64]| within(&mut (-12..=12).flat_map(|power| of.iter().map(move |m| m * 10_f64.powi(power))));
        let coarser = [multiples(&[1.0]), multiples(&[1.0, 2.0, 5.0])].into_iter().find(|ticks| ticks.len() >= 4);
        coarser.unwrap_or_else(|| multiples(&[1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0]))
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    /// The number without trailing zeros.
    fn format(value: &f64) -> String {
        let text = format!("{value:.6}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

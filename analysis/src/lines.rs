// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines between two logarithmic axes, as SVG, with the legend beside them.

use std::error::Error;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;

use plotters::prelude::*;

use crate::asked::PlanningError;
use crate::output::{WriteError, write_file};

/// One line.
pub(crate) struct Line {
    /// its name in the legend and with it its colour; lines of one name share both
    pub name: String,
    /// positive and finite, from left to right
    pub points: Vec<(f64, f64)>,
    /// a point to mark
    pub mark: Option<(f64, f64)>,
}

/// What a plot says around its lines.
pub(crate) struct Plot<'a> {
    pub title: &'a str,
    pub x: &'a str,
    pub y: &'a str,
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
const WIDTH: u32 = 720;
const LEGEND: u32 = 210;
const HEIGHT: u32 = 460;

/// Writes the plot to a file.
///
/// # Errors
/// [`PlanningError::Plot`] when the file cannot be written.
pub(crate) fn write_lines(path: &Path, plot: &Plot<'_>, lines: &[Line]) -> Result<(), PlanningError> {
    let svg = drawn(plot, lines).map_err(|error| std::io::Error::other(error.to_string()));
    write_file(path, |file| file.write_all(svg?.as_bytes()))
        .map_err(|WriteError { path, source }| PlanningError::Plot { path, source })
}

fn drawn(plot: &Plot<'_>, lines: &[Line]) -> Result<String, Box<dyn Error>> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH + LEGEND, HEIGHT)).into_drawing_area();
        area.fill(&WHITE)?;
        let (left, right) = area.split_horizontally(WIDTH);
        let points = || lines.iter().flat_map(|line| line.points.iter().chain(&line.mark));
        let (across, up) = (decades(points().map(|point| point.0)), decades(points().map(|point| point.1)));
        let mut chart = ChartBuilder::on(&left)
            .caption(plot.title, ("sans-serif", 17))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(72)
            .build_cartesian_2d(across.log_scale(), up.log_scale())?;
        let label = |x: &f64| format!("{}", (x * 1e9).round() / 1e9);
        let mut mesh = chart.configure_mesh();
        mesh.x_desc(plot.x).y_desc(plot.y).label_style(FONT);
        mesh.x_label_formatter(&label).y_label_formatter(&label).draw()?;
        let width = if lines.len() > COLOURS.len() { 1 } else { 2 };
        let mut names: Vec<&str> = Vec::new();
        for line in lines {
            let known = names.iter().position(|name| *name == line.name);
            let index = known.unwrap_or(names.len());
            let colour = COLOURS[index % COLOURS.len()];
            if known.is_none() {
                let height = 56 + 22 * i32::try_from(index)?;
                right.draw(&PathElement::new([(0, height), (22, height)], colour.stroke_width(2)))?;
                right.draw(&Text::new(line.name.as_str(), (28, height - 6), FONT))?;
                names.push(&line.name);
            }
            chart.draw_series(LineSeries::new(line.points.iter().copied(), colour.stroke_width(width)))?;
            chart.draw_series(line.mark.iter().map(|&point| Circle::new(point, 4, colour.filled())))?;
        }
        area.present()?;
    }
    Ok(svg)
}

/// The whole powers of ten around the numbers: every such axis has at least two labels.
fn decades(numbers: impl Iterator<Item = f64>) -> Range<f64> {
    let (least, most) = numbers.fold((f64::INFINITY, 0.0_f64), |(least, most), x| (least.min(x), most.max(x)));
    if !(least > 0.0 && most.is_finite() && least <= most) {
        return 0.1..1.0;
    }
    let (from, to) = (least.log10().floor(), most.log10().ceil());
    10_f64.powf(from)..10_f64.powf(to.max(from + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_powers_of_ten() {
        assert_eq!(decades([0.02, 3.0].into_iter()), 0.01..10.0);
        assert_eq!(decades([1.0].into_iter()), 1.0..10.0);
        assert_eq!(decades(std::iter::empty()), 0.1..1.0);
    }
}

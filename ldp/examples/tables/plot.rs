// SPDX-License-Identifier: MIT OR Apache-2.0
//! Lines on logarithmic axes, as SVG.

use std::error::Error;
use std::path::Path;

pub use plotters::chart::SeriesLabelPosition;
use plotters::prelude::*;

/// A name and its points.
pub type Series = (String, Vec<(f64, f64)>);

/// What a plot says around its lines.
pub struct Plot<'a> {
    pub title: &'a str,
    pub x: &'a str,
    pub y: &'a str,
    /// the range of the y axis, which is logarithmic when it begins above 0
    pub range: std::ops::Range<f64>,
    pub legend: SeriesLabelPosition,
}

/// Draws one line and its legend for every series; the x axis is logarithmic.
pub fn lines(path: &Path, plot: &Plot<'_>, series: &[Series]) -> Result<(), Box<dyn Error>> {
    let area = SVGBackend::new(path, (760, 460)).into_drawing_area();
    area.fill(&WHITE)?;
    let xs = || series.iter().flat_map(|(_, points)| points.iter().map(|(x, _)| *x));
    let across = xs().fold(f64::INFINITY, f64::min)..xs().fold(0.0, f64::max);
    let mut builder = ChartBuilder::on(&area);
    builder.caption(plot.title, ("sans-serif", 18)).margin(12).x_label_area_size(40).y_label_area_size(56);
    macro_rules! draw {
        ($chart:expr) => {{
            let mut chart = $chart;
            chart
                .configure_mesh()
                .x_desc(plot.x)
                .y_desc(plot.y)
                .x_label_formatter(&|x| format!("{x}"))
                .light_line_style(WHITE)
                .draw()?;
            for (index, (name, points)) in series.iter().enumerate() {
                let colour = Palette99::pick(index).to_rgba();
                let style = colour.stroke_width(2);
                chart
                    .draw_series(LineSeries::new(points.iter().copied(), style))?
                    .label(name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
            }
            chart
                .configure_series_labels()
                .position(plot.legend.clone())
                .background_style(WHITE.mix(0.8))
                .border_style(BLACK)
                .draw()?;
        }};
    }
    if plot.range.start > 0.0 {
        draw!(builder.build_cartesian_2d(across.log_scale(), plot.range.clone().log_scale())?);
    } else {
        draw!(builder.build_cartesian_2d(across.log_scale(), plot.range.clone())?);
    }
    area.present()?;
    Ok(())
}

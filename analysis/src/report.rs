// SPDX-License-Identifier: MIT OR Apache-2.0
//! One self-contained HTML page for people who have never heard of differential privacy.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use askama::Template;
use stipple_catalog::{Category, Domain};

use crate::chart::Chart;
use crate::dataset::Dataset;
use crate::estimate::{Estimates, MetricEstimate};
use crate::output::{WriteError, write_file};
use crate::table::moved;
use crate::words::{grouped, number};

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    title: String,
    is_test: bool,
    reports: String,
    metrics: usize,
    level: String,
    without_reports: String,
    catalogue_hash: String,
    dots: Vec<Dot>,
    sections: Vec<Section>,
}

struct Section {
    heading: &'static str,
    cards: Vec<Card>,
}

/// One metric.
struct Card {
    number: usize,
    title: String,
    id: String,
    question: String,
    chart: Chart,
    note: String,
    reports: String,
    epsilon: String,
    ratio: String,
    surest: String,
    /// the epsilon to readers of the page, where it was computed
    readers: Option<String>,
    liars: String,
    quantiles: String,
    owner: String,
    approval: String,
    link: bool,
    mechanism: String,
    columns: &'static str,
    rows: Vec<[String; 4]>,
}

/// One dot of the picture at the top.
struct Dot {
    x: f64,
    y: f64,
    r: f64,
}

/// The page as text.
///
/// # Errors
/// [`askama::Error`], which a String as its destination does not raise.
pub fn report(dataset: &Dataset, estimates: &Estimates<'_>) -> askama::Result<String> {
    let mut sections = BTreeMap::<Category, Vec<Card>>::new();
    for (number, metric) in estimates.metrics.iter().enumerate() {
        sections.entry(metric.definition.category).or_default().push(card(number, metric));
    }
    Page {
        title: dataset.title.clone(),
        is_test: dataset.phase != "production",
        reports: grouped(dataset.reports),
        metrics: estimates.metrics.len(),
        level: estimates.metrics.first().map_or_else(|| "95".to_owned(), |metric| metric.level.to_string()),
        without_reports: estimates.without_reports.join(", "),
        catalogue_hash: dataset.catalogue_hash.clone(),
        dots: picture(),
        sections: sections.into_iter().map(|(category, cards)| Section { heading: heading(category), cards }).collect(),
    }
    .render()
}

/// Writes the page to a file.
///
/// # Errors
/// [`WriteError`] naming the file.
pub fn write_report(dataset: &Dataset, estimates: &Estimates<'_>, path: &Path) -> Result<(), WriteError> {
    let page = report(dataset, estimates).map_err(std::io::Error::other);
    write_file(path, |file| file.write_all(page?.as_bytes()))
}

fn heading(category: Category) -> &'static str {
    match category {
        Category::Hardware => "Hardware: what the computers are made of",
        Category::Settings => "Settings: how they are set up",
        Category::Usage => "Usage: what they are used for",
        Category::Performance => "Performance: how fast they are",
        Category::Problems => "Problems: what goes wrong",
    }
}

fn card(number: usize, metric: &MetricEstimate<'_>) -> Card {
    let definition = metric.definition;
    let ratio = f64::from(definition.epsilon).exp();
    // Both say "at most", so they are rounded up.
    let surest = (ratio / (1.0 + ratio) * 100.0).ceil();
    let chart = Chart::new(metric);
    Card {
        number,
        title: definition.title.clone(),
        id: definition.id.clone(),
        question: definition.question.clone(),
        note: note(metric, &chart),
        chart,
        reports: format!("{} reports, {}", grouped(metric.reports), metric.span),
        epsilon: definition.epsilon.to_string(),
        ratio: format!("{:.1}", (ratio * 10.0).ceil() / 10.0),
        surest: format!("{surest:.0}"),
        // An upper bound, so it is rounded up.
        readers: metric.central.map(|central| format!("{:.3}", (central.epsilon * 1000.0).ceil() / 1000.0)),
        liars: liars(metric),
        quantiles: quantiles(metric),
        owner: definition.owner.clone(),
        approval: definition.approval.clone(),
        link: definition.approval.starts_with("https://"),
        mechanism: definition.mechanism_name.to_string(),
        columns: if metric.most().is_some() { "Mean" } else { "Share" },
        rows: rows(metric),
    }
}

/// How far liars could have moved the figures.
fn liars(metric: &MetricEstimate<'_>) -> String {
    let share = number(metric.liars * 100.0, 1);
    format!("If {share} % of the computers sent lies, all the same, they could {}.", moved(metric))
}

/// Where the middle of the computers lies.
fn quantiles(metric: &MetricEstimate<'_>) -> String {
    let Some(middle) = metric.quantiles.iter().find(|quantile| quantile.per_cent == 50) else { return String::new() };
    let range = if middle.lower == middle.upper {
        String::new()
    } else {
        format!(" (it may be {} to {})", middle.lower, middle.upper)
    };
    format!("The middle computer is at {}{range}.", middle.class)
}

/// What a reader of this chart should know beside it.
fn note(metric: &MetricEstimate<'_>, chart: &Chart) -> String {
    let kind = match &metric.definition.domain {
        Domain::Set { .. } => {
            "A computer can have several of these, so the shares may add up to more than 100 %.".into()
        }
        Domain::Count { most } => format!("The mean over all computers; larger numbers count as {}.", most.get()),
        Domain::Symbol(_) | Domain::Buckets(_) => String::new(),
    };
    if chart.rest == 0 {
        return kind;
    }
    format!("{kind} {} of {} values are drawn; the table has all.", chart.bars.len(), metric.values.len())
}

/// The table's rows: value, estimate, margin, interval.
fn rows(metric: &MetricEstimate<'_>) -> Vec<[String; 4]> {
    let (scale, unit, decimals) = if metric.most().is_some() { (1.0, "", 3) } else { (100.0, " %", 2) };
    let show = |x: f64| number(x * scale, decimals);
    let row = |value: &&crate::ValueEstimate| {
        let interval = format!("{} to {}{unit}", show(value.interval.lower), show(value.interval.upper));
        [value.value.clone(), format!("{}{unit}", show(value.estimate)), show(value.margin), interval]
    };
    metric.ranked().iter().map(row).collect()
}

/// A shaded ball made of dots: none of them shows it, all of them do.
fn picture() -> Vec<Dot> {
    let mut dots = Vec::new();
    for row in -13..=13_i32 {
        for column in -13..=13_i32 {
            let x = f64::from(column) * 7.0 + if row % 2 == 0 { 0.0 } else { 3.5 };
            let y = f64::from(row) * 6.1;
            let height = 1.0 - (x * x + y * y) / (80.0 * 80.0);
            if height > 0.0 {
                // Lambert's shading with light from the upper left; darker means a larger dot.
                let light = (-0.5 * x / 80.0 - 0.6 * y / 80.0 + 0.62 * height.sqrt()).clamp(0.0, 1.0);
                dots.push(Dot { x, y, r: 3.3 - 2.6 * light });
            }
        }
    }
    dots
}

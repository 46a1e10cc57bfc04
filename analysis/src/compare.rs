// SPDX-License-Identifier: MIT OR Apache-2.0
//! Mechanisms side by side on one question: error, bytes, and what they cost the server. docs/planning.md explains the figures.

mod distribution;
mod published;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;
use stipple_catalog::MAX_PAYLOAD;
use stipple_ldp::{DomainSize, Epsilon, Mechanism, ParameterError, Question, SquareWave, choose};

use crate::asked::{Asked, AskedArguments, PlanningError};
use crate::columns::{significant, write_columns};
use crate::lines::{Line, Plot, write_lines};
use crate::words::grouped;

pub use distribution::Distribution;

/// What `stipple-analysis compare` is asked.
#[derive(Args, Clone, Debug)]
pub struct CompareArguments {
    #[command(flatten)]
    asked: AskedArguments,
    /// How the true values are distributed.
    #[arg(long, value_enum, default_value_t = Distribution::Uniform)]
    distribution: Distribution,
    /// Print JSON instead of the table.
    #[arg(long)]
    json: bool,
    /// Draw the error of each mechanism into this SVG file.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
    /// What runs along the plot.
    #[arg(long, value_enum, default_value_t = Along::Epsilon, requires = "plot")]
    along: Along,
}

/// What runs along the plot of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Along {
    /// Epsilon, from 0.1 to 8.
    Epsilon,
    /// The number of values, from 2 to 10,000; the bound, for a mean.
    Domain,
}

/// One mechanism on one question.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Compared {
    /// its name, as catalogues write it where they may
    pub mechanism: &'static str,
    /// why no catalogue can name it for this question; `None` where one can
    pub excluded: Option<String>,
    /// n times the variance of one estimate, people drawn at random: the average over all values, or that of the mean in
    /// squared counts; `None` for a mechanism that does not exist here
    pub n_var: Option<f64>,
    /// the least average that any mechanism attains at uniform shares, where it is known
    pub n_var_minimax: Option<f64>,
    /// bytes of a report's payload
    pub bytes: Option<u64>,
    /// what it costs the server
    pub server: Option<ServerCost>,
}

/// What a mechanism costs the server: orders of magnitude, counted and not timed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ServerCost {
    /// numbers held, however many reports come
    pub cells: u64,
    /// operations that counting one report takes
    pub per_report: u64,
    /// what these operations are
    pub operation: &'static str,
    /// additions and multiplications from the cells to all estimates
    pub decode: u64,
}

/// Every mechanism that answers a question, the least error first, then those that do not exist there.
///
/// # Errors
/// [`ParameterError`] when the question itself makes no sense.
pub fn compare(
    question: Question,
    epsilon: Epsilon,
    distribution: Distribution,
) -> Result<Vec<Compared>, ParameterError> {
    if let Question::Sets(d, m) = question
        && m.get() >= d.get()
    {
        return Err(ParameterError::BoundOverDomain { bound: m.get(), domain: d.get() });
    }
    let choice = choose(question, epsilon, MAX_PAYLOAD)?;
    let least = choice.least;
    let mut mechanisms: Vec<_> = choice.candidates().iter().map(|candidate| candidate.mechanism.clone()).collect();
    if let Question::Mean(m) = question {
        // Made for the distribution of counts, which has no one error to choose by; its mean has.
        mechanisms.push(Mechanism::SquareWave(SquareWave::new(m, epsilon)));
    }
    let built = mechanisms.iter().map(|mechanism| Compared {
        mechanism: mechanism.name(),
        excluded: None,
        n_var: Some(distribution.variance(mechanism, question)),
        n_var_minimax: least,
        bytes: Some(mechanism.payload_len() as u64),
        server: Some(server_cost(mechanism)),
    });
    let missing = choice.excluded.iter().map(|(mechanism, reason)| Compared {
        mechanism,
        excluded: Some(reason.clone()),
        n_var: None,
        n_var_minimax: least,
        bytes: None,
        server: None,
    });
    let mut rows: Vec<Compared> = built.chain(missing).collect();
    for published in published::all(question, epsilon, distribution) {
        let row = Compared { n_var_minimax: least, ..published };
        // The same mechanism beyond what a report holds: one row, with the figures and the reason.
        match rows.iter_mut().find(|known| known.mechanism == row.mechanism) {
            Some(known) if known.n_var.is_none() => *known = Compared { excluded: known.excluded.take(), ..row },
            Some(_) => {}
            None => rows.push(row),
        }
    }
    rows.sort_by(|a, b| a.n_var.unwrap_or(f64::INFINITY).total_cmp(&b.n_var.unwrap_or(f64::INFINITY)));
    Ok(rows)
}

fn server_cost(mechanism: &Mechanism) -> ServerCost {
    const COUNTERS: &str = "counters";
    let (cells, values) = (mechanism.cells() as u64, mechanism.values() as u64);
    let (per_report, operation, decode) = match mechanism {
        Mechanism::SubsetSelection(m) => (u64::from(m.subset_size()), COUNTERS, values),
        Mechanism::PrivSet(m) => (u64::from(m.subset_size()), COUNTERS, values),
        Mechanism::Collision(_) => (values, "hashes", values),
        Mechanism::ProjectiveGeometry(m) => {
            // One axis after the other: K q additions for each of t (Feldman, Nelson, Nguyen and Talwar, ICML 2022, section 3).
            let (q, t) = m.space();
            (1, COUNTERS, cells * q * u64::from(t))
        }
        _ => (1, COUNTERS, cells),
    };
    ServerCost { cells, per_report, operation, decode }
}

/// Compares and prints.
///
/// # Errors
/// [`PlanningError`].
pub fn run_compare(arguments: &CompareArguments, out: &mut dyn Write) -> Result<(), PlanningError> {
    let asked = arguments.asked.asked()?.ok_or(PlanningError::NoQuestion)?;
    let rows = compare(asked.question, asked.epsilon, arguments.distribution)?;
    if let Some(path) = &arguments.plot {
        let (lines, x) = match arguments.along {
            Along::Epsilon => (over_epsilon(asked, arguments.distribution)?, "epsilon"),
            Along::Domain => (over_domain(asked, arguments.distribution)?, "values, or bound of the count"),
        };
        let title = format!("Error: {} ({})", asked.in_words(), arguments.distribution);
        write_lines(path, &Plot { title: &title, x, y: "n Var" }, &lines)?;
    }
    // A reader of our output that went away takes nothing from the plot.
    let _ = if arguments.json { print_json(&rows, out) } else { print(asked, arguments.distribution, &rows, out) };
    Ok(())
}

fn print_json(rows: &[Compared], out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, rows)?;
    writeln!(out)
}

fn print(asked: Asked, distribution: Distribution, rows: &[Compared], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}; true values: {distribution}", asked.in_words())?;
    let unit = rows.iter().find_map(|row| row.n_var_minimax).or_else(|| rows.iter().find_map(|row| row.n_var));
    let heading = ["mechanism", "", "n Var", "ratio", "bytes", "cells", "for a report", "to decode"];
    let mut table = vec![heading.map(str::to_owned).to_vec()];
    for row in rows {
        let (Some(n_var), Some(bytes), Some(server)) = (row.n_var, row.bytes, &row.server) else { continue };
        table.push(vec![
            row.mechanism.to_owned(),
            if row.excluded.is_some() { "*".to_owned() } else { String::new() },
            significant(n_var),
            unit.map_or(String::new(), |unit| format!("{:.3}", n_var / unit)),
            grouped(bytes),
            grouped(server.cells),
            work(server),
            grouped(server.decode),
        ]);
    }
    write_columns(&table, 2, out)?;
    let least = rows.iter().any(|row| row.n_var_minimax.is_some());
    let of = if least {
        "the least that any mechanism attains at uniform shares (Ye and Barg 2018)"
    } else {
        "the least here"
    };
    writeln!(out, "  ratio: n Var to {of}")?;
    for row in rows {
        if let Some(reason) = &row.excluded {
            let sign = if row.n_var.is_some() { "* " } else { "not " };
            writeln!(out, "  {sign}{}: {reason}", row.mechanism)?;
        }
    }
    Ok(())
}

fn work(server: &ServerCost) -> String {
    let operation = if server.per_report == 1 { server.operation.trim_end_matches('s') } else { server.operation };
    format!("{} {operation}", grouped(server.per_report))
}

fn over_epsilon(asked: Asked, distribution: Distribution) -> Result<Vec<Line>, PlanningError> {
    let at = |epsilon: Epsilon| Ok((f64::from(epsilon), compare(asked.question, epsilon, distribution)?));
    gathered(epsilons(0.1, 8.0, 24).into_iter().map(at))
}

fn over_domain(asked: Asked, distribution: Distribution) -> Result<Vec<Line>, PlanningError> {
    let sizes = [2_u64, 3, 5, 8, 12, 20, 30, 45, 64, 100, 150, 255, 500, 1000, 2000, 5000, 10_000];
    let question = |n: u64| {
        let size = DomainSize::try_from(n).ok()?;
        match asked.question {
            Question::Symbols(_) => Some(Question::Symbols(size)),
            Question::Sets(_, m) => (u64::from(m.get()) < n).then_some(Question::Sets(size, m)),
            Question::Mean(_) => n.try_into().ok().map(Question::Mean),
        }
    };
    let cases = sizes.into_iter().filter_map(|n| Some((n as f64, question(n)?)));
    gathered(cases.map(|(n, question)| Ok((n, compare(question, asked.epsilon, distribution)?))))
}

/// `steps + 1` epsilons from `least` to `most`, evenly apart by ratio, to six decimals.
pub(crate) fn epsilons(least: f64, most: f64, steps: u32) -> Vec<Epsilon> {
    let at = |step: u32| least * (most / least).powf(f64::from(step) / f64::from(steps));
    (0..=steps).filter_map(|step| Epsilon::try_from((at(step) * 1e6).round() / 1e6).ok()).collect()
}

/// One line for each mechanism, through the cases in which it exists.
fn gathered(
    cases: impl Iterator<Item = Result<(f64, Vec<Compared>), PlanningError>>,
) -> Result<Vec<Line>, PlanningError> {
    let mut lines: Vec<Line> = Vec::new();
    for case in cases {
        let (x, rows) = case?;
        for row in rows {
            let Some(y) = row.n_var else { continue };
            match lines.iter_mut().find(|line| line.name == row.mechanism) {
                Some(line) => line.points.push((x, y)),
                None => lines.push(Line { name: row.mechanism.to_owned(), points: vec![(x, y)], mark: None }),
            }
        }
    }
    lines.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(lines)
}

#[cfg(test)]
#[path = "compare/tests.rs"]
mod tests;

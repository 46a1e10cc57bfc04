// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a collection would tell, before anything is collected. docs/planning.md explains the figures.

mod margin;
mod panel;
mod table;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use jiff::civil::Date;
use serde::Serialize;
use stipple_catalog::{Catalogue, Clock, Definition, Epoch, Phase, default_folder};
use stipple_ldp::{Epsilon, Mechanism, ParameterError, Question};

use crate::asked::{Asked, AskedArguments, PlanningError, epsilon};
use crate::compare::epsilons;
use crate::interval::Level;
use crate::lines::{Line, Plot, write_lines};
use crate::words::grouped;

use margin::Errors;
use panel::Panel;

pub use margin::Margins;
pub use panel::Drawn;

/// What `stipple-analysis plan` is asked.
#[derive(Args, Clone, Debug)]
pub struct PlanArguments {
    /// The catalogue to plan for [default: STIPPLE_CATALOG, else the installed one].
    #[arg(long, conflicts_with_all = ["domain", "mean"])]
    catalog: Option<PathBuf>,
    #[command(flatten)]
    asked: AskedArguments,
    /// The chance that a workstation draws this metric in an epoch; a catalogue's is simulated.
    #[arg(long, value_name = "P", value_parser = part, requires = "epsilon", default_value_t = 1.0)]
    drawn: f64,
    /// How many workstations take part.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000))]
    workstations: u64,
    /// The share of drawn metrics that end in a report: a week may be not wholly observed, or a computer off.
    #[arg(long, value_name = "SHARE", value_parser = part, default_value_t = 1.0)]
    response: f64,
    /// The margin to reach, in parts of the largest number: 0.01 is a percentage point of a share.
    #[arg(long, value_name = "M", value_parser = part)]
    margin: Option<f64>,
    /// Budgets of an epoch to compare, such as 1,2,4,8.
    #[arg(long, value_name = "E,..", value_delimiter = ',', value_parser = epsilon, conflicts_with_all = ["domain", "mean"])]
    budgets: Vec<Epsilon>,
    /// The confidence level of the margins.
    #[arg(long, default_value = "0.95")]
    level: Level,
    /// The day whose metrics are planned, as 2026-12-01 [default: today].
    #[arg(long)]
    day: Option<Date>,
    /// Print JSON instead of the tables.
    #[arg(long)]
    json: bool,
    /// Draw the frontier of epsilon against margin into this SVG file.
    #[arg(long, value_name = "FILE.svg")]
    plot: Option<PathBuf>,
}

/// The whole plan.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// the catalogue's title; `None` for a single question
    pub catalogue: Option<String>,
    /// the workstations that take part
    pub workstations: u64,
    /// the share of drawn metrics that end in a report
    pub response: f64,
    /// the confidence level of the margins
    pub level: f64,
    /// a workstation's budget for an epoch; `None` for a single question
    pub epsilon_epoch: Option<Epsilon>,
    /// the mean number of metrics that a workstation draws; `None` for a single question
    pub metrics_drawn: Option<f64>,
    /// how many draws the chances come from; `None` for a single question
    pub draws: Option<u32>,
    /// the seed of the draws; `None` for a single question
    pub seed: Option<u64>,
    /// in the order of the ids
    pub metrics: Vec<MetricPlan>,
    /// in the order asked
    pub budgets: Vec<BudgetPlan>,
}

/// The plan of one metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MetricPlan {
    /// its id, or the question itself
    pub metric: String,
    /// what one report costs
    pub epsilon: Epsilon,
    /// its mechanism
    pub mechanism: &'static str,
    /// bytes of a report's payload
    pub bytes: usize,
    /// the mechanism of least error, and its bytes
    pub best: Best,
    /// how often a workstation draws it in an epoch
    pub drawn: Drawn,
    /// reports to expect in an epoch
    pub reports_epoch: f64,
    /// reports to expect in a week, each of which has 1/26 of an epoch's
    pub reports_week: f64,
    /// what is estimated
    pub estimate: Estimated,
    /// the largest number that can be estimated: 1 for shares, the bound for a mean
    pub most: f64,
    /// from a week's reports; `None` (null) where none is expected
    pub margins_week: Option<Margins>,
    /// from an epoch's reports
    pub margins_epoch: Option<Margins>,
    /// what a wished margin takes
    pub needed: Option<Needed>,
}

/// What a metric's estimates are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Estimated {
    /// The share of each value.
    Shares,
    /// The mean count.
    Mean,
}

/// The mechanism of least error for a question.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Best {
    /// its name
    pub mechanism: &'static str,
    /// bytes of a report's payload
    pub bytes: usize,
}

/// What a wished margin takes, at the least favourable of the typical truths.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Needed {
    /// the margin, in parts of the largest number
    pub margin: f64,
    /// reports
    pub reports: f64,
    /// workstations for so many reports in an epoch; `None` where the metric is never drawn
    pub workstations_epoch: Option<f64>,
    /// workstations for so many reports in every week
    pub workstations_week: Option<f64>,
}

/// What another budget does to all metrics.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BudgetPlan {
    /// the budget of an epoch
    pub epsilon_epoch: Epsilon,
    /// the mean number of metrics that a workstation draws, each at its own epsilon
    pub metrics_drawn: f64,
    /// in the order of the ids
    pub metrics: Vec<BudgetMargins>,
}

/// What another budget does to a metric: two ways to spend it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct BudgetMargins {
    /// its id
    pub metric: String,
    /// the margin of an epoch at equal frequencies when each workstation draws more or fewer metrics, each at its own epsilon;
    /// `None` for a metric that does not fit the budget
    pub more_metrics: Option<f64>,
    /// the same when it draws as many as before, each at an epsilon that grows or shrinks with the budget, by the best mechanism
    /// there
    pub more_epsilon: Option<f64>,
}

/// One metric, with what all figures are made of.
struct Subject<'c> {
    name: String,
    asked: Asked,
    mechanism: &'c Mechanism,
    drawn: Drawn,
}

/// The panel and how much of it answers.
#[derive(Clone, Copy)]
struct Crowd {
    workstations: u64,
    response: f64,
    level: Level,
}

impl Crowd {
    fn reports(self, drawn: f64) -> f64 {
        self.workstations as f64 * self.response * drawn
    }
}

/// Plans and prints.
///
/// # Errors
/// [`PlanningError`].
pub fn run_plan(arguments: &PlanArguments, out: &mut dyn Write) -> Result<(), PlanningError> {
    let plan = match arguments.asked.asked()? {
        Some(asked) => of_question(arguments, asked)?,
        None => of_catalogue(arguments)?,
    };
    // A reader of our output that went away takes nothing from the plot.
    let _ = if arguments.json { print_json(&plan, out) } else { table::print(&plan, out) };
    Ok(())
}

fn print_json(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, plan)?;
    writeln!(out)
}

fn of_question(arguments: &PlanArguments, asked: Asked) -> Result<Plan, PlanningError> {
    let choice = asked.choice()?;
    let (name, drawn) = (asked.in_words(), Drawn::given(arguments.drawn));
    let subject = Subject { name, asked, mechanism: &choice.best().mechanism, drawn };
    frontier(arguments, std::slice::from_ref(&subject))?;
    let metrics = vec![subject.plan(arguments)?];
    Ok(Plan { metrics, ..arguments.empty() })
}

fn of_catalogue(arguments: &PlanArguments) -> Result<Plan, PlanningError> {
    let catalogue = Catalogue::load(&arguments.catalog.clone().unwrap_or_else(default_folder))?;
    // Without a time of its own no clock is refused.
    let today = || Clock::system(Phase::Production, None).map_or(Date::ZERO, |clock| clock.today());
    let day = arguments.day.unwrap_or_else(today);
    let active: Vec<&Definition> = catalogue.active(day).collect();
    if active.is_empty() {
        return Err(PlanningError::NothingActive { day });
    }
    let panel = Panel::of(&catalogue, day);
    let subjects: Vec<Subject<'_>> =
        active.iter().map(|definition| Subject::of(definition, &panel)).collect::<Result<_, _>>()?;
    frontier(arguments, &subjects)?;
    let metrics = subjects.iter().map(|subject| subject.plan(arguments)).collect::<Result<_, _>>()?;
    let budgets = arguments.budgets.iter().map(|&budget| {
        let mut other = catalogue.clone();
        other.epsilon_epoch = budget;
        let panel = Panel::of(&other, day);
        let factor = f64::from(budget) / f64::from(catalogue.epsilon_epoch);
        let metrics = subjects.iter().map(|subject| subject.at_budget(arguments.crowd(), &panel, factor));
        BudgetPlan { epsilon_epoch: budget, metrics_drawn: panel.metrics, metrics: metrics.collect() }
    });
    let budgets = budgets.collect();
    Ok(Plan {
        catalogue: Some(catalogue.title),
        epsilon_epoch: Some(catalogue.epsilon_epoch),
        metrics_drawn: Some(panel.metrics),
        draws: Some(panel::EPOCHS),
        seed: Some(panel::SEED),
        metrics,
        budgets,
        ..arguments.empty()
    })
}

impl PlanArguments {
    const fn crowd(&self) -> Crowd {
        Crowd { workstations: self.workstations, response: self.response, level: self.level }
    }

    /// A plan without metrics.
    const fn empty(&self) -> Plan {
        Plan {
            catalogue: None,
            workstations: self.workstations,
            response: self.response,
            level: self.level.get(),
            epsilon_epoch: None,
            metrics_drawn: None,
            draws: None,
            seed: None,
            metrics: Vec::new(),
            budgets: Vec::new(),
        }
    }
}

impl<'c> Subject<'c> {
    fn of(definition: &'c Definition, panel: &Panel) -> Result<Self, ParameterError> {
        Ok(Self {
            name: definition.id.clone(),
            asked: Asked::of(definition)?,
            mechanism: &definition.mechanism,
            drawn: panel.drawn(definition.epsilon),
        })
    }

    fn errors(&self) -> Errors {
        Errors::of(self.mechanism, self.asked.question)
    }

    fn plan(&self, arguments: &PlanArguments) -> Result<MetricPlan, ParameterError> {
        let (crowd, errors, choice) = (arguments.crowd(), self.errors(), self.asked.choice()?);
        let reports_epoch = crowd.reports(self.drawn.chance);
        let reports_week = reports_epoch / f64::from(Epoch::WEEKS);
        let margins = |reports: f64| (reports > 0.0).then(|| errors.margins(reports, crowd.level));
        let needed = arguments.margin.map(|margin| {
            let reports = errors.reports_for(margin, crowd.level).ceil();
            let each = crowd.response * self.drawn.chance;
            let workstations = |weeks: f64| (each > 0.0).then(|| (reports * weeks / each).ceil());
            Needed {
                margin,
                reports,
                workstations_epoch: workstations(1.0),
                workstations_week: workstations(Epoch::WEEKS.into()),
            }
        });
        Ok(MetricPlan {
            metric: self.name.clone(),
            epsilon: self.asked.epsilon,
            mechanism: self.mechanism.name(),
            bytes: self.mechanism.payload_len(),
            best: Best { mechanism: choice.best().mechanism.name(), bytes: choice.best().bytes },
            drawn: self.drawn,
            reports_epoch,
            reports_week,
            estimate: match self.asked.question {
                Question::Mean(_) => Estimated::Mean,
                Question::Symbols(_) | Question::Sets(..) => Estimated::Shares,
            },
            most: errors.most,
            margins_week: margins(reports_week),
            margins_epoch: margins(reports_epoch),
            needed,
        })
    }

    /// The margins of an epoch when the budget is `factor` times what it was and `panel` what is drawn then.
    fn at_budget(&self, crowd: Crowd, panel: &Panel, factor: f64) -> BudgetMargins {
        let margin = |errors: Errors, chance: f64| {
            let reports = crowd.reports(chance);
            (reports > 0.0).then(|| errors.margins(reports, crowd.level).uniform)
        };
        BudgetMargins {
            metric: self.name.clone(),
            more_metrics: margin(self.errors(), panel.drawn(self.asked.epsilon).chance),
            more_epsilon: self
                .errors_at(f64::from(self.asked.epsilon) * factor)
                .and_then(|e| margin(e, self.drawn.chance)),
        }
    }

    /// The errors of the best mechanism at another epsilon, as far as there is one.
    fn errors_at(&self, epsilon: f64) -> Option<Errors> {
        let epsilon = Epsilon::try_from((epsilon.min(Epsilon::MAX.into()) * 1e6).round() / 1e6).ok()?;
        let choice = Asked { epsilon, ..self.asked }.choice().ok()?;
        Some(Errors::of(&choice.best().mechanism, self.asked.question))
    }
}

/// Draws the margin of an epoch over epsilon, each metric with the reports planned for it, if a plot is wished.
fn frontier(arguments: &PlanArguments, subjects: &[Subject<'_>]) -> Result<(), PlanningError> {
    let Some(path) = &arguments.plot else { return Ok(()) };
    let crowd = arguments.crowd();
    let mut lines = Vec::new();
    for subject in subjects.iter().filter(|subject| subject.drawn.chance > 0.0) {
        let reports = crowd.reports(subject.drawn.chance);
        let at = |epsilon: Epsilon| {
            let errors = subject.errors_at(epsilon.into())?;
            Some((f64::from(epsilon), errors.relative(reports, crowd.level)))
        };
        let name = match subject.asked.question {
            Question::Symbols(_) => "one of d values",
            Question::Sets(..) => "sets",
            Question::Mean(_) => "mean, by its bound",
        };
        lines.push(Line {
            name: name.to_owned(),
            points: epsilons(0.1, 8.0, 24).into_iter().filter_map(at).collect(),
            mark: Some((subject.asked.epsilon.into(), subject.errors().relative(reports, crowd.level))),
        });
    }
    let title = format!("Margin of an epoch, {} workstations; a dot is a metric as it is", grouped(crowd.workstations));
    let y = "margin at equal frequencies, in parts of the largest number";
    write_lines(path, &Plot { title: &title, x: "epsilon of a report", y }, &lines)
}

/// A number above 0 and at most 1.
fn part(text: &str) -> Result<f64, String> {
    let number = text.parse().map_err(|_| format!("a number above 0 and at most 1 is wanted, not {text:?}"))?;
    if number > 0.0 && number <= 1.0 {
        Ok(number)
    } else {
        Err(format!("it must be above 0 and at most 1, not {number}"))
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! A plan as tables for the terminal.

use std::io::{self, Write};

use super::{BudgetMargins, Estimated, MetricPlan, Plan};
use crate::columns::write_columns;
use crate::words::{grouped, number};

pub(super) fn print(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let (workstations, response) = (grouped(plan.workstations), number(plan.response * 100.0, 0));
    let budget = plan.epsilon_epoch.map_or(String::new(), |budget| format!(", epsilon {budget} an epoch of 26 weeks"));
    let title = plan.catalogue.as_ref().map_or(String::new(), |title| format!("{title}: "));
    writeln!(out, "{title}{workstations} workstations, {response} % of what is drawn is reported{budget}")?;
    if let (Some(metrics), Some(draws), Some(seed)) = (plan.metrics_drawn, plan.draws, plan.seed) {
        let error = plan.metrics.iter().map(|metric| metric.drawn.standard_error).fold(0.0, f64::max);
        let (all, draws) = (plan.metrics.len(), grouped(draws.into()));
        writeln!(
            out,
            "A workstation draws {metrics:.2} of {all} metrics in an epoch (mean of {draws} draws, seed {seed}; \
             standard error of a chance at most {error:.5})."
        )?;
    }
    writeln!(out)?;
    reports(plan, out)?;
    writeln!(out)?;
    margins(plan, out)?;
    if !plan.budgets.is_empty() {
        writeln!(
            out,
            "\nMargins of an epoch at equal frequencies, if the budget grows or shrinks and each workstation"
        )?;
        writeln!(out, "draws more or fewer metrics, each at its own epsilon:")?;
        budgets(plan, |margins| margins.more_metrics, out)?;
        writeln!(
            out,
            "\nif it draws as many as now, each at an epsilon that goes with the budget, by the best mechanism there:"
        )?;
        budgets(plan, |margins| margins.more_epsilon, out)?;
    }
    Ok(())
}

fn reports(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    let mut rows =
        vec![row(["metric", "mechanism", "least error", "epsilon", "bytes", "drawn", "reports a week", "an epoch"])];
    for metric in &plan.metrics {
        let best = if metric.best.mechanism == metric.mechanism { "the same" } else { metric.best.mechanism };
        rows.push(vec![
            metric.metric.clone(),
            metric.mechanism.to_owned(),
            best.to_owned(),
            metric.epsilon.to_string(),
            metric.bytes.to_string(),
            format!("{} %", number(metric.drawn.chance * 100.0, 2)),
            whole(metric.reports_week),
            whole(metric.reports_epoch),
        ]);
    }
    write_columns(&rows, 3, out)
}

fn margins(plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Margins ({} %), from the reports of a week and of an epoch:", number(plan.level * 100.0, 0))?;
    let wished = plan.metrics.iter().find_map(|metric| metric.needed).map(|needed| needed.margin);
    let mut heading = row(["metric", "week: nobody", "uniform", "half", "epoch: nobody", "uniform", "half"]);
    if let Some(margin) = wished {
        heading.push(format!("reports for ± {} %", (margin * 1e6).round() / 1e4));
        heading.push("workstations, epoch".to_owned());
        heading.push("week".to_owned());
    }
    let mut rows = vec![heading];
    for metric in &plan.metrics {
        let mut cells = vec![metric.metric.clone()];
        for margins in [metric.margins_week, metric.margins_epoch] {
            let each = margins.map_or([None; 3], |m| [m.nobody, m.uniform, m.half].map(Some));
            cells.extend(each.map(|margin| shown(margin, metric)));
        }
        if let Some(needed) = metric.needed {
            cells.push(whole(needed.reports));
            cells
                .extend([needed.workstations_epoch, needed.workstations_week].map(|n| n.map_or("–".to_owned(), whole)));
        }
        rows.push(cells);
    }
    write_columns(&rows, 1, out)?;
    writeln!(
        out,
        "  nobody, uniform, half: a value that nobody holds, that is as frequent as any, that half of all hold;"
    )?;
    writeln!(out, "  of a mean: all counts 0, all equally frequent, half of them 0 and half the bound")
}

fn budgets(plan: &Plan, of: impl Fn(&BudgetMargins) -> Option<f64>, out: &mut dyn Write) -> io::Result<()> {
    let mut heading = row(["budget"]);
    heading.extend(plan.budgets.iter().map(|budget| budget.epsilon_epoch.to_string()));
    let mut rows = vec![heading];
    for (i, metric) in plan.metrics.iter().enumerate() {
        let mut cells = vec![metric.metric.clone()];
        cells.extend(plan.budgets.iter().map(|budget| shown(budget.metrics.get(i).and_then(&of), metric)));
        rows.push(cells);
    }
    write_columns(&rows, 1, out)
}

/// A margin in percentage points or counts; one that reaches the whole range says nothing.
fn shown(margin: Option<f64>, metric: &MetricPlan) -> String {
    let (scale, unit, decimals) = if metric.estimate == Estimated::Mean { (1.0, "", 3) } else { (100.0, " %", 2) };
    match margin {
        None => "–".to_owned(),
        Some(margin) if margin >= metric.most => "all".to_owned(),
        Some(margin) => format!("± {}{unit}", number(margin * scale, decimals)),
    }
}

fn row<const N: usize>(cells: [&str; N]) -> Vec<String> {
    cells.map(str::to_owned).to_vec()
}

/// A number of reports or workstations.
fn whole(n: f64) -> String {
    if n < 10.0 && n.fract() != 0.0 {
        return number(n, 1);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "not negative; what is beyond u64 is cut"
    )]
    grouped(n.round() as u64)
}

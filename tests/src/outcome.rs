// SPDX-License-Identifier: MIT OR Apache-2.0
//! Truth beside estimate.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use stipple_catalog::{Catalogue, Definition, Domain};

use crate::population::Truth;

/// The label of a count's mean.
const MEAN: &str = "mean";

/// A line of `estimates.json`, as far as it is compared.
#[derive(Clone, Debug, Deserialize)]
pub struct Estimate {
    /// the metric's id
    pub metric: String,
    /// the value, or `mean`
    pub value: String,
    /// the unbiased estimate
    pub estimate: f64,
    /// the interval's lower end
    pub lower: f64,
    /// the interval's upper end
    pub upper: f64,
    /// the number of reports
    pub reports: u64,
}

/// The sum of one or more runs, as `summary.json` has it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Summary {
    /// (metric, value) pairs compared
    pub pairs: u64,
    /// pairs whose 95 % interval holds the truth
    pub covered_95: u64,
    /// reports that a workstation sent and the server acknowledged
    pub reports_sent: u64,
    /// reports in the exported counts
    pub reports_counted: u64,
    /// wall time in seconds
    pub seconds: f64,
    /// simulated workstations
    pub clients: u64,
    /// seeds
    pub seeds: Vec<u64>,
    /// how often the aggregator was started again
    pub restarts: u32,
}

impl Summary {
    /// Adds another run's figures.
    pub fn add(&mut self, other: &Self) {
        self.pairs += other.pairs;
        self.covered_95 += other.covered_95;
        self.reports_sent += other.reports_sent;
        self.reports_counted += other.reports_counted;
        self.seconds += other.seconds;
        self.clients += other.clients;
        self.seeds.extend(&other.seeds);
        self.restarts += other.restarts;
    }

    /// The share of pairs that are covered, in per cent.
    #[must_use]
    pub fn coverage(&self) -> f64 {
        100.0 * self.covered_95 as f64 / self.pairs as f64
    }
}

/// Sums of the true values of a population.
#[derive(Debug, Default)]
pub struct TruthSums {
    workstations: u64,
    labels: BTreeMap<String, BTreeMap<u32, u64>>,
}

impl TruthSums {
    /// Adds one workstation.
    pub fn add(&mut self, truth: &Truth) {
        self.workstations += 1;
        for (metric, labels) in truth {
            let sums = self.labels.entry(metric.clone()).or_default();
            for &label in labels {
                *sums.entry(label).or_default() += 1;
            }
        }
    }

    /// The true share of every value, or the true mean of a count.
    #[must_use]
    pub fn shares(&self, catalogue: &Catalogue) -> BTreeMap<(String, String), f64> {
        let mut shares = BTreeMap::new();
        for definition in catalogue.definitions() {
            for (value, share) in self.of(definition) {
                shares.insert((definition.id.clone(), value), share);
            }
        }
        shares
    }

    fn of(&self, definition: &Definition) -> Vec<(String, f64)> {
        let sums = self.labels.get(&definition.id);
        let count = |label: u32| sums.and_then(|sums| sums.get(&label)).copied().unwrap_or(0) as f64;
        let all = self.workstations as f64;
        let labels = (0..).zip(definition.domain.labels());
        match definition.domain {
            Domain::Count { .. } => {
                let mean = labels.map(|(label, _)| f64::from(label) * count(label)).sum::<f64>() / all;
                vec![(MEAN.to_owned(), mean)]
            }
            _ => labels.map(|(label, name)| (name, count(label) / all)).collect(),
        }
    }
}

/// Reads `estimates.json`.
///
/// # Errors
/// When it cannot be read.
pub fn estimates(file: &Path) -> anyhow::Result<Vec<Estimate>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(serde_json::from_str(&text)?)
}

/// Whether an interval holds the truth.
#[must_use]
pub fn covers(estimate: &Estimate, truth: f64) -> bool {
    (estimate.lower..=estimate.upper).contains(&truth)
}

/// Truth beside estimate with its margin: the five most frequent values of each metric.
#[must_use]
pub fn table(catalogue: &Catalogue, truth: &BTreeMap<(String, String), f64>, estimates: &[Estimate]) -> String {
    let mut text =
        format!("{:<44} {:>8}  {:>8}  {:>18}   {:>7}\n", "", "truth", "estimate", "95 % interval", "reports");
    for definition in catalogue.definitions() {
        let mut rows: Vec<_> = estimates
            .iter()
            .filter(|estimate| estimate.metric == definition.id)
            .filter_map(|estimate| Some((estimate, *truth.get(&(estimate.metric.clone(), estimate.value.clone()))?)))
            .collect();
        rows.sort_by(|a, b| b.1.total_cmp(&a.1));
        let _ = writeln!(text, "{}", definition.title); // writing to a String cannot fail
        for (estimate, truth) in rows.iter().take(5) {
            let number =
                |x: f64| if estimate.value == MEAN { format!("{x:.3}") } else { format!("{:.1} %", 100.0 * x) };
            let interval = format!("{} .. {}", number(estimate.lower), number(estimate.upper));
            let mark = if covers(estimate, *truth) { ' ' } else { '*' };
            let (value, n) = (&estimate.value, estimate.reports);
            let (truth, found) = (number(*truth), number(estimate.estimate));
            let _ = writeln!(text, "  {value:<42} {truth:>8}  {found:>8}  {interval:>18} {mark} {n:>7}");
        }
    }
    text + "(* the interval misses the truth, as one in twenty does)\n"
}

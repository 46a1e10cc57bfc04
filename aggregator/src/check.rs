// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether the counts can be those of honest senders, whatever their values are.
//!
//! The mechanism fixes the noise. Whatever value x a sender holds, its report supports cell y with a chance in `[q_y, p_y]`, the
//! least and the greatest over all x. The reports are independent, so by Hoeffding's theorem 1 (JASA 1963) a count of `n c` with
//! `c < q_y` has at most the chance `exp(-n KL(c || q_y))`, and likewise above `p_y`; this holds for any values and any n, and is no
//! approximation. Sums over a set S of cells are bounded in the same way, and show what is spread thinly over many cells; there are
//! `C(m, k)` sets of k cells, and the bound is multiplied by their number, whichever was looked at. Half of the error goes to single
//! cells, half to sets. So honest senders raise an alarm for one metric and week with at most the chance [`ALARM`].
//!
//! Nobody can see this way a sender that randomises honestly a value it does not hold: it looks like one that holds it.

use serde::Serialize;
use stipple_catalog::{Catalogue, Week};
use stipple_ldp::{Debias, Mechanism};

use crate::store::{self, Address, StoreError, Stored};

/// Counts that honest senders would give with a smaller chance than this raise an alarm.
pub const ALARM: f64 = 1e-6;
/// How many times the usual number of reports is too many, unless another number is asked for.
pub const RATE_FACTOR: f64 = 4.0;
/// A week with fewer reports raises no alarm about their number.
const FEW: u64 = 1000;
/// How many earlier weeks of a metric a week is compared with, at most and at least.
const EARLIER: (usize, usize) = (8, 3);

/// What the counts of one metric and week say about their senders.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Checked {
    /// the metric
    pub metric: String,
    /// the week
    pub week: Week,
    /// its reports
    pub reports: u64,
    /// at most the chance of such counts from honest senders
    pub p: f64,
    /// whether that is too small to believe
    pub noise_alarm: bool,
    /// the number of reports over the median of up to 8 earlier weeks; `None` with fewer than 3
    pub rate: Option<f64>,
    /// whether there are more reports than the given factor allows
    pub rate_alarm: bool,
}

/// Checks all counts of a store; `rate_factor` is how many times the usual number of reports is too many.
///
/// # Errors
/// [`StoreError`].
pub fn check(store: &Address, catalogue: &Catalogue, rate_factor: f64) -> Result<Vec<Checked>, StoreError> {
    Ok(judge(&store::open_to_read(store)?.read()?, catalogue, rate_factor))
}

/// Judges sums in the order in which a store reads them. What the catalogue does not explain is left to `verify`.
fn judge(all: &[Stored], catalogue: &Catalogue, rate_factor: f64) -> Vec<Checked> {
    let mut checked = Vec::new();
    for (place, stored) in all.iter().enumerate() {
        let Stored { metric, definition: hash, week, reports, .. } = stored;
        let Some(definition) = stored.definition(catalogue) else { continue };
        let same = |other: &&Stored| other.metric == *metric && other.definition == *hash;
        let mut earlier: Vec<u64> =
            all[..place].iter().rev().take_while(same).take(EARLIER.0).map(|other| other.reports).collect();
        earlier.sort_unstable();
        let enough = earlier.len() >= EARLIER.1;
        let rate = enough.then(|| *reports as f64 / earlier[earlier.len() / 2] as f64);
        let p = honest_chance(&definition.mechanism, &stored.cells(&definition.mechanism), *reports);
        checked.push(Checked {
            metric: metric.clone(),
            week: *week,
            reports: *reports,
            p,
            noise_alarm: p < ALARM,
            rate,
            rate_alarm: *reports >= FEW && rate.is_some_and(|rate| rate > rate_factor),
        });
    }
    checked
}

/// At most the chance that honest senders give counts as far outside of what is possible as these.
fn honest_chance(mechanism: &Mechanism, cells: &[u64], reports: u64) -> f64 {
    if reports == 0 {
        return 1.0;
    }
    let n = reports as f64;
    let shares: Vec<f64> = mechanism.support_counts(cells).iter().map(|&count| count as f64 / n).collect();
    let noise = Noise::of(mechanism, shares.len());
    let m = shares.len() as f64;
    let single = shares.iter().zip(&noise.ranges).map(|(share, (least, most))| {
        let excess = if share < least { divergence(*share, *least) } else { divergence(share.max(*most), *most) };
        (4.0 * m).ln() - n * excess
    });
    // Of all sets of k cells, the emptiest: what is missing there is too much elsewhere.
    let mut order: Vec<usize> = (0..shares.len()).collect();
    let fill = |cell: usize| shares[cell] / noise.ranges[cell].0;
    order.sort_by(|&a, &b| fill(a).total_cmp(&fill(b)));
    let (mut sum, mut sets) = (0.0, 0.0_f64);
    let pooled = order.iter().enumerate().filter_map(|(place, &cell)| {
        let k = place as f64 + 1.0;
        sum += shares[cell];
        sets += ((m - k + 1.0) / k).ln();
        let (most, least) = noise.least_in(&order[..=place])?;
        let (share, least) = (sum / most, least / most);
        (share < least).then(|| (2.0 * m).ln() + sets - n * divergence(share, least))
    });
    single.chain(pooled).fold(0.0, f64::min).exp()
}

/// `KL(a || b)` of two coins.
fn divergence(a: f64, b: f64) -> f64 {
    let part = |a: f64, b: f64| if a > 0.0 { a * (a / b).ln() } else { 0.0 };
    (part(a, b) + part(1.0 - a, 1.0 - b)).max(0.0)
}

/// How often a report of an honest sender supports what.
struct Noise {
    /// the least and the greatest chance of each support count
    ranges: Vec<(f64, f64)>,
    /// the chances under each value, for mechanisms of counts
    rows: Vec<Vec<f64>>,
    /// the most support counts that one report adds to, where it is known
    most: Option<u32>,
}

impl Noise {
    fn of(mechanism: &Mechanism, counts: usize) -> Self {
        let rows: Vec<Vec<f64>> = (0..).map_while(|x| mechanism.row(x)).collect();
        let ranges = match mechanism.debias() {
            Debias::Shares(support) => vec![(support.p_false, support.p_true); counts],
            Debias::Mean { .. } => (0..counts)
                .map(|y| rows.iter().map(|row| row[y]).fold((1.0, 0.0), |(a, b), p| (f64::min(a, p), f64::max(b, p))))
                .collect(),
        };
        let is_points = matches!(mechanism, Mechanism::ProjectiveGeometry(_));
        Self { ranges, rows, most: mechanism.cells_per_response().filter(|_| !is_points) }
    }

    /// The most that a report adds to the sum over a set of cells, and the least that it adds on average; `None` for all cells.
    fn least_in(&self, set: &[usize]) -> Option<(f64, f64)> {
        if set.len() == self.ranges.len() {
            return None;
        }
        let most = self.most.map_or(set.len() as f64, |most| f64::from(most).min(set.len() as f64));
        let by_value = self.rows.iter().map(|row| set.iter().map(|&cell| row[cell]).sum::<f64>());
        // Outside of its own block a value supports every cell alike.
        let least = by_value.reduce(f64::min).unwrap_or_else(|| set.iter().map(|&cell| self.ranges[cell].0).sum());
        Some((most, least))
    }
}

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;

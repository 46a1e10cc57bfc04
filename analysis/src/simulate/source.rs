// SPDX-License-Identifier: MIT OR Apache-2.0
//! The two TOML files of a simulation: what is true, and what happens in the epoch. Every fault names file and line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use stipple_catalog::{Catalogue, Definition, Domain, Epoch};
use toml::Spanned;

use super::by_client::lie;
use super::population::{Population, also, holds, kinds};

/// A file of a simulation that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It could not be read.
    #[error("cannot read {path}: {source}; name a file that can be read")]
    Unreadable {
        /// the file
        path: PathBuf,
        /// why
        source: std::io::Error,
    },
    /// It was read and is wrong.
    #[error("{path}:{line}: {problem}; docs/simulating.md lists what may stand here")]
    Faulty {
        /// the file
        path: PathBuf,
        /// the line, from 1
        line: usize,
        /// what is wrong
        problem: String,
    },
}

/// The text of a file, which turns byte offsets into lines.
struct Text<'a> {
    path: &'a Path,
    text: String,
}

impl Text<'_> {
    fn read(path: &Path) -> Result<Text<'_>, SourceError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|source| SourceError::Unreadable { path: path.to_owned(), source })?;
        Ok(Text { path, text })
    }

    fn parse<T: DeserializeOwned>(&self) -> Result<T, SourceError> {
        toml::from_str(&self.text)
            .map_err(|error| self.at(error.span().map_or(0, |span| span.start), error.message().trim()))
    }

    fn at(&self, offset: usize, problem: impl Into<String>) -> SourceError {
        let line = self.text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1;
        SourceError::Faulty { path: self.path.to_owned(), line, problem: problem.into() }
    }

    fn metric<'c>(
        &self,
        catalogue: &'c Catalogue,
        id: &Spanned<String>,
    ) -> Result<(usize, &'c Definition), SourceError> {
        let found = catalogue.definitions().iter().enumerate().find(|(_, definition)| definition.id == *id.get_ref());
        found.ok_or_else(|| self.at(id.span().start, format!("the catalogue has no metric {:?}", id.get_ref())))
    }

    fn label(&self, definition: &Definition, label: &Spanned<String>) -> Result<u32, SourceError> {
        let place = definition.domain.labels().iter().position(|known| known == label.get_ref());
        let place = place.and_then(|place| u32::try_from(place).ok());
        let unknown = || format!("{} has no value {:?}", definition.id, label.get_ref());
        place.ok_or_else(|| self.at(label.span().start, unknown()))
    }

    fn chance(&self, name: &str, share: &Spanned<f64>) -> Result<f64, SourceError> {
        let (chance, at) = (*share.get_ref(), share.span().start);
        let fault = || self.at(at, format!("{name} is a share from 0 to 1, not {chance}"));
        if (0.0..=1.0).contains(&chance) { Ok(chance) } else { Err(fault()) }
    }

    /// Shares in the order of the labels: normalised, but for sets, whose items are held independently.
    fn shares(&self, definition: &Definition, at: usize, weights: &Weights) -> Result<Vec<f64>, SourceError> {
        let mut shares = vec![0.0; definition.domain.size()];
        let is_set = matches!(definition.domain, Domain::Set { .. });
        for (label, weight) in weights {
            let share = *weight.get_ref();
            let possible = if is_set { (0.0..=1.0).contains(&share) } else { (0.0..=1e15).contains(&share) };
            if !possible {
                let problem = format!("{} has an impossible share at {:?}: {share}", definition.id, label.get_ref());
                return Err(self.at(weight.span().start, problem));
            }
            shares[self.label(definition, label)? as usize] = share;
        }
        let total: f64 = shares.iter().sum();
        if is_set {
            Ok(shares)
        } else if total > 0.0 {
            Ok(shares.iter().map(|share| share / total).collect())
        } else {
            Err(self.at(at, format!("the shares of {} add up to nothing", definition.id)))
        }
    }
}

type Weights = BTreeMap<Spanned<String>, Spanned<f64>>;

/// The shares of a demonstration's population: docs/simulating.md.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TruthFile {
    #[serde(rename = "computers", default)]
    _computers: u32,
    #[serde(default)]
    published: BTreeMap<Spanned<String>, Published>,
    #[serde(default)]
    assumed: BTreeMap<Spanned<String>, Weights>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    #[serde(rename = "table", default)]
    _table: String,
    counts: Weights,
}

/// The shares of every metric: those of a file, or where it says nothing, the default.
pub(super) fn truth(file: Option<&Path>, catalogue: &Catalogue) -> Result<Vec<Vec<f64>>, SourceError> {
    let mut shares: Vec<Vec<f64>> = catalogue.definitions().iter().map(zipf).collect();
    let Some(path) = file else { return Ok(shares) };
    let text = Text::read(path)?;
    let file: TruthFile = text.parse()?;
    let published = file.published.into_iter().map(|(id, published)| (id, published.counts));
    for (id, weights) in published.chain(file.assumed) {
        let (place, definition) = text.metric(catalogue, &id)?;
        shares[place] = text.shares(definition, id.span().start, &weights)?;
    }
    Ok(shares)
}

/// Zipf's law in the order of the dictionary: the r-th value has a chance in proportion to 1/r; the r-th item of a set is held by
/// a share 1/2r.
fn zipf(definition: &Definition) -> Vec<f64> {
    let ranks = (1..=definition.domain.size()).map(|rank| 1.0 / rank as f64);
    if matches!(definition.domain, Domain::Set { .. }) {
        return ranks.map(|share| share / 2.0).collect();
    }
    let total: f64 = ranks.clone().sum();
    ranks.map(|weight| weight / total).collect()
}

/// What happens in the epoch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Scenario {
    #[serde(default)]
    drift: Vec<Drift>,
    #[serde(default)]
    seasonal: Vec<Seasonal>,
    #[serde(default)]
    non_response: Vec<NonResponse>,
    #[serde(default)]
    poisoning: Vec<Poisoning>,
    #[serde(default)]
    changed: Vec<Changed>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Drift {
    metric: Spanned<String>,
    to: Weights,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Seasonal {
    metric: Spanned<String>,
    value: Spanned<String>,
    amplitude: Spanned<f64>,
    period: Spanned<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NonResponse {
    metric: Option<Spanned<String>>,
    value: Option<Spanned<String>>,
    share: Spanned<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Poisoning {
    metric: Spanned<String>,
    value: Option<Spanned<String>>,
    share: Spanned<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Changed {
    metric: Spanned<String>,
    week: Spanned<u16>,
}

/// The populations with what a scenario does to them, in this order: drift, seasons, non-response, poisoning, changes.
pub(super) fn scenario(
    path: &Path,
    catalogue: &Catalogue,
    populations: &mut [Population],
    seed: u64,
) -> Result<(), SourceError> {
    let text = Text::read(path)?;
    let scenario: Scenario = text.parse()?;
    for drift in &scenario.drift {
        let (place, definition) = text.metric(catalogue, &drift.metric)?;
        let shares = text.shares(definition, drift.metric.span().start, &drift.to)?;
        let (kinds, chances) = kinds(definition, &shares, seed);
        let last = f64::from(Epoch::WEEKS - 1);
        populations[place].mix_in(kinds, &chances, |week| f64::from(week) / last);
    }
    for season in &scenario.seasonal {
        seasonal(&text, catalogue, populations, season)?;
    }
    for fault in &scenario.non_response {
        non_response(&text, catalogue, populations, fault)?;
    }
    for poison in &scenario.poisoning {
        let (place, definition) = text.metric(catalogue, &poison.metric)?;
        let label = poison.value.as_ref().map(|value| text.label(definition, value)).transpose()?;
        if label.is_some() == matches!(definition.domain, Domain::Count { .. }) {
            let problem = "liars about a count push its mean up, and need no value; liars about anything else need one";
            return Err(text.at(poison.metric.span().start, problem));
        }
        let share = text.chance("share", &poison.share)?;
        populations[place].liars = Some((share, lie(definition, label)));
    }
    for change in &scenario.changed {
        let (place, _) = text.metric(catalogue, &change.metric)?;
        let week = *change.week.get_ref();
        if !(1..Epoch::WEEKS).contains(&week) {
            let problem = format!("a definition changes in week 1 to {} of the epoch, not {week}", Epoch::WEEKS - 1);
            return Err(text.at(change.week.span().start, problem));
        }
        populations[place].from = week;
    }
    Ok(())
}

/// A share of every week's population, from 0 to the amplitude and back in a period, moves to the value.
fn seasonal(
    text: &Text<'_>,
    catalogue: &Catalogue,
    populations: &mut [Population],
    season: &Seasonal,
) -> Result<(), SourceError> {
    let (place, definition) = text.metric(catalogue, &season.metric)?;
    let value = text.label(definition, &season.value)?;
    let amplitude = text.chance("amplitude", &season.amplitude)?;
    let period = *season.period.get_ref();
    if !(period > 0.0 && period.is_finite()) {
        return Err(text.at(season.period.span().start, format!("a period is a number of weeks, not {period}")));
    }
    let most = match definition.domain {
        Domain::Set { most, .. } => most.get() as usize,
        _ => 1,
    };
    let population = &mut populations[place];
    let moved = population.kinds.iter().map(|kind| also(kind, value, most)).collect();
    let chances = population.chances(0);
    let angle = std::f64::consts::TAU / period;
    population.mix_in(moved, &chances, |week| amplitude * (1.0 + (angle * f64::from(week)).sin()) / 2.0);
    Ok(())
}

fn non_response(
    text: &Text<'_>,
    catalogue: &Catalogue,
    populations: &mut [Population],
    fault: &NonResponse,
) -> Result<(), SourceError> {
    let share = text.chance("share", &fault.share)?;
    let Some(metric) = &fault.metric else {
        if let Some(value) = &fault.value {
            return Err(text.at(value.span().start, "a value without its metric"));
        }
        let arrivals = populations.iter_mut().flat_map(|population| &mut population.arrival);
        arrivals.for_each(|arrival| *arrival *= 1.0 - share);
        return Ok(());
    };
    let (place, definition) = text.metric(catalogue, metric)?;
    let value = fault.value.as_ref().map(|value| text.label(definition, value)).transpose()?;
    let Population { kinds, arrival, .. } = &mut populations[place];
    for (kind, arrival) in kinds.iter().zip(arrival) {
        if value.is_none_or(|value| holds(kind, value)) {
            *arrival *= 1.0 - share;
        }
    }
    Ok(())
}

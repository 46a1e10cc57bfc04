// SPDX-License-Identifier: MIT OR Apache-2.0
//! The TOML of a metric file and of `catalogue.toml`, as written, with the place of each field that a check may name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::value::Datetime;

use crate::definition::Category;
use crate::tally::Aggregate;

/// `catalogue.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CatalogueFile {
    pub title: Spanned<String>,
    pub epsilon_epoch: Spanned<f64>,
    pub epsilon_cap: Spanned<f64>,
}

/// One metric's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MetricFile {
    pub id: Spanned<String>,
    pub title: Spanned<String>,
    pub question: Spanned<String>,
    pub category: Category,
    pub owner: Spanned<String>,
    pub approval: Option<Spanned<String>>,
    pub introduced: Spanned<Datetime>,
    pub expires: Spanned<Datetime>,
    pub epsilon: Spanned<f64>,
    pub mechanism: Spanned<MechanismName>,
    pub domain: Spanned<DomainTable>,
    pub tally: Spanned<TallyTable>,
}

/// The mechanisms that a catalogue may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MechanismName {
    /// Randomised response over the dictionary.
    RandomisedResponse,
    /// Subset selection as a bit mask.
    SubsetSelection,
    /// Projective geometry response over a large dictionary.
    ProjectiveGeometry,
    /// Collision for sets.
    Collision,
    /// PrivSet as a bit mask for sets from small dictionaries.
    PrivSet,
    /// One bit for the mean of a count.
    OneBitMean,
    /// The hybrid mechanism for the mean of a count.
    HybridMean,
    /// The square wave for the distribution of a count.
    SquareWave,
    /// Truncated geometric noise for counts.
    TruncatedGeometric,
}

impl std::fmt::Display for MechanismName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::RandomisedResponse => "randomised-response",
            Self::SubsetSelection => "subset-selection",
            Self::ProjectiveGeometry => "projective-geometry",
            Self::Collision => "collision",
            Self::PrivSet => "priv-set",
            Self::OneBitMean => "one-bit-mean",
            Self::HybridMean => "hybrid-mean",
            Self::SquareWave => "square-wave",
            Self::TruncatedGeometric => "truncated-geometric",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum DomainKind {
    Symbol,
    Buckets,
    Set,
    Count,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DomainTable {
    pub kind: DomainKind,
    pub values: Option<Spanned<Vec<Spanned<String>>>>,
    pub other: Option<Spanned<bool>>,
    pub none: Option<Spanned<bool>>,
    pub lower: Option<Spanned<Vec<u64>>>,
    pub most: Option<Spanned<u64>>,
    pub strip_suffix: Option<Spanned<String>>,
    #[serde(default)]
    pub aliases: BTreeMap<String, Spanned<String>>,
}

impl DomainTable {
    /// The dictionary, empty where none is written.
    pub fn labels(&self) -> &[Spanned<String>] {
        self.values.as_ref().map_or(&[], |values| values.get_ref())
    }

    /// The buckets' lower bounds, empty where none are written.
    pub fn bounds(&self) -> &[u64] {
        self.lower.as_ref().map_or(&[], |lower| lower.get_ref())
    }

    /// The suffix, empty where none is written.
    pub fn suffix(&self) -> &str {
        self.strip_suffix.as_ref().map_or("", |suffix| suffix.get_ref())
    }

    pub fn has_other(&self) -> bool {
        self.other.as_ref().is_some_and(|other| *other.get_ref())
    }

    pub fn has_none(&self) -> bool {
        self.none.as_ref().is_some_and(|none| *none.get_ref())
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TallyTable {
    pub aggregate: Spanned<Aggregate>,
    #[serde(default)]
    pub events: Vec<EventTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventTable {
    pub id: Spanned<String>,
    pub payload: Option<Spanned<String>>,
    pub field: Option<Spanned<Vec<usize>>>,
}

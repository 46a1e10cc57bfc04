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
    pub title: String,
    pub epsilon_epoch: f64,
    pub epsilon_cap: f64,
}

/// One metric's file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MetricFile {
    pub id: Spanned<String>,
    pub title: String,
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
    /// Collision for sets.
    Collision,
    /// Truncated geometric noise for counts.
    TruncatedGeometric,
}

impl std::fmt::Display for MechanismName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::RandomisedResponse => "randomised-response",
            Self::SubsetSelection => "subset-selection",
            Self::Collision => "collision",
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
    #[serde(default)]
    pub values: Vec<Spanned<String>>,
    #[serde(default)]
    pub other: bool,
    #[serde(default)]
    pub none: bool,
    #[serde(default)]
    pub lower: Vec<u64>,
    pub most: Option<u64>,
    #[serde(default)]
    pub strip_suffix: String,
    #[serde(default)]
    pub aliases: BTreeMap<String, Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TallyTable {
    pub aggregate: Aggregate,
    pub events: Vec<EventTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventTable {
    pub id: Spanned<String>,
    #[serde(default)]
    pub payload: String,
    #[serde(default)]
    pub field: Vec<usize>,
}

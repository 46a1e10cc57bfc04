// SPDX-License-Identifier: MIT OR Apache-2.0
//! The values that a metric can take. A value outside the dictionary becomes `other` here, on the workstation.

use std::collections::BTreeMap;

use serde::Serialize;
use stipple_ldp::Bound;

/// The label of anything outside the dictionary.
pub const OTHER: &str = "other";
/// The label of a week in which nothing was recorded.
pub const NONE: &str = "none";

/// A metric's domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Domain {
    /// One symbol of a dictionary.
    Symbol(Symbols),
    /// A number, reduced to the bucket it falls into.
    Buckets(Buckets),
    /// A set of dictionary symbols.
    Set {
        /// the dictionary
        #[serde(flatten)]
        symbols: Symbols,
        /// the most items that one workstation reports
        most: Bound,
    },
    /// A count from 0 to a cap.
    Count {
        /// the cap
        most: Bound,
    },
}

/// A dictionary: its labels in the order of their symbols, `other` and `none` last where the metric has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Symbols {
    pub(crate) labels: Vec<String>,
    pub(crate) other: Option<u32>,
    pub(crate) none: Option<u32>,
    pub(crate) strip_suffix: String,
    pub(crate) aliases: BTreeMap<String, u32>,
}

/// Buckets of whole numbers, lowest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Buckets {
    pub(crate) labels: Vec<String>,
    pub(crate) lower: Vec<u64>,
    pub(crate) none: Option<u32>,
}

impl Symbols {
    /// The symbol for a recorded text: its own or its alias's, else those of the text without the suffix, else `other`; `None`
    /// without an `other`. The whole text comes first: "org.telegram.desktop" is a name that ends like a suffix.
    #[must_use]
    pub fn symbol(&self, text: &str) -> Option<u32> {
        let known = |text: &str| self.own(text).or_else(|| self.aliases.get(text).copied());
        let stripped = || text.strip_suffix(&self.strip_suffix).and_then(known);
        known(text).or_else(stripped).or(self.other)
    }

    /// The symbol of a dictionary value. The reserved labels behind the dictionary are no texts.
    fn own(&self, text: &str) -> Option<u32> {
        let reserved = usize::from(self.other.is_some()) + usize::from(self.none.is_some());
        let dictionary = self.labels.len().saturating_sub(reserved);
        let own = self.labels[..dictionary].iter().position(|label| label == text);
        own.and_then(|symbol| u32::try_from(symbol).ok())
    }

    pub(crate) fn nothing(&self) -> u32 {
        self.none.unwrap_or(0)
    }
}

impl Buckets {
    /// The bucket that a number falls into.
    #[must_use]
    pub fn bucket(&self, number: u64) -> u32 {
        let above = self.lower.partition_point(|&lower| lower <= number);
        u32::try_from(above.saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// The smallest number of a bucket; `None` for `none` and beyond.
    #[must_use]
    pub fn lowest(&self, bucket: u32) -> Option<u64> {
        self.lower.get(bucket as usize).copied()
    }

    pub(crate) fn nothing(&self) -> u32 {
        self.none.unwrap_or(0)
    }
}

impl Domain {
    /// The symbol for a recorded text, where the domain has a dictionary.
    #[must_use]
    pub fn symbol(&self, text: &str) -> Option<u32> {
        match self {
            Self::Symbol(symbols) | Self::Set { symbols, .. } => symbols.symbol(text),
            Self::Buckets(_) | Self::Count { .. } => None,
        }
    }

    /// A label for every cell of the support counts, in order.
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        match self {
            Self::Symbol(symbols) | Self::Set { symbols, .. } => symbols.labels.clone(),
            Self::Buckets(buckets) => buckets.labels.clone(),
            Self::Count { most } => (0..=most.get()).map(|n| n.to_string()).collect(),
        }
    }

    /// The number of values, `d`; one more than the cap for a count.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Symbol(symbols) | Self::Set { symbols, .. } => symbols.labels.len(),
            Self::Buckets(buckets) => buckets.labels.len(),
            Self::Count { most } => most.get() as usize + 1,
        }
    }
}

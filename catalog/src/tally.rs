// SPDX-License-Identifier: MIT OR Apache-2.0
//! How recorded events become a week's tally, and a tally a true value.

use serde::{Deserialize, Serialize};
use stipple_ldp::{TrueValue, Value};

use crate::domain::Domain;

/// What a week's events amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregate {
    /// The last value recorded.
    Last,
    /// Whether anything was recorded at all.
    Any,
    /// How often something was recorded.
    Count,
    /// The sum of the recorded numbers.
    Sum,
    /// The largest recorded number.
    Maximum,
    /// The distinct values recorded.
    Distinct,
    /// The seconds that timers ran.
    Duration,
}

/// The value inside an event's payload, as the recorder found it by the definition's signature and field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaf<'a> {
    /// No payload, or one that the definition ignores.
    Nothing,
    /// A string.
    Text(&'a str),
    /// A number; negative ones count as 0.
    Number(u64),
}

/// One recorded event as the tally sees it.
#[derive(Clone, Copy, Debug)]
pub struct Occurrence<'a> {
    /// the value recorded
    pub leaf: Leaf<'a>,
    /// how many times: 1 for a singular event, the count of an aggregate one, 0 for a timer's later slices of one week
    pub times: u64,
    /// for how long, in seconds: of a timer or a sequence
    pub seconds: u64,
}

/// A change to the stored tally of one metric and week: a table of `key -> number`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// the dictionary symbol, or 0 where the tally is one number
    pub key: u32,
    /// how the number at the key changes
    pub update: Update,
}

/// See [`Change`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// Forget every key, then set this one.
    Replace(u64),
    /// Add to the number.
    Add(u64),
    /// Raise the number to at least this.
    Raise(u64),
}

impl Aggregate {
    /// The aggregate as catalogues write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::Any => "any",
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Maximum => "maximum",
            Self::Distinct => "distinct",
            Self::Duration => "duration",
        }
    }

    /// What an occurrence changes; `None` when it says nothing to this metric (a payload of another kind, or an item outside
    /// a dictionary without `other`).
    #[must_use]
    pub fn change(self, domain: &Domain, occurrence: Occurrence<'_>) -> Option<Change> {
        let number = |leaf| if let Leaf::Number(n) = leaf { Some(n) } else { None };
        let (key, update) = match (self, occurrence.leaf) {
            (Self::Last, Leaf::Text(text)) => (domain.symbol(text)?, Update::Replace(1)),
            // A number is no symbol: key 0 would be the dictionary's first.
            (Self::Last, leaf) if !matches!(domain, Domain::Symbol(_)) => (0, Update::Replace(number(leaf)?)),
            (Self::Distinct, Leaf::Text(text)) => (domain.symbol(text)?, Update::Raise(1)),
            (Self::Last | Self::Distinct, _) => return None,
            (Self::Any, _) => (0, Update::Raise(1)),
            (Self::Count, _) => (0, Update::Add(occurrence.times)),
            (Self::Sum, leaf) => (0, Update::Add(number(leaf)?.saturating_mul(occurrence.times))),
            (Self::Maximum, leaf) => (0, Update::Raise(number(leaf)?)),
            (Self::Duration, _) => (0, Update::Add(occurrence.seconds)),
        };
        // Recorded zero times says nothing, except for how long.
        (occurrence.times > 0 || self == Self::Duration).then_some(Change { key, update })
    }

    /// The true value that a week's tally amounts to. Keys come in the order of their symbols; an empty tally is the
    /// domain's "nothing happened". A set over its bound keeps a uniform sample: `pick(k)` must draw from `0..k`.
    #[must_use]
    pub fn value(self, domain: &Domain, tally: &[(u32, u64)], mut pick: impl FnMut(usize) -> usize) -> TrueValue {
        let number = tally.first().map(|&(_, n)| n);
        let value = match domain {
            Domain::Symbol(_) if self == Self::Any => Value::Symbol(u32::from(number.is_some())),
            Domain::Symbol(symbols) => Value::Symbol(tally.first().map_or(symbols.nothing(), |&(symbol, _)| symbol)),
            Domain::Buckets(buckets) => Value::Symbol(match (number, self) {
                (None, Self::Last | Self::Maximum) => buckets.nothing(),
                _ => buckets.bucket(number.unwrap_or(0)),
            }),
            Domain::Count { most } => {
                Value::Count(number.unwrap_or(0).min(most.get().into()).try_into().unwrap_or(most.get()))
            }
            Domain::Set { most, .. } => {
                let mut items: Vec<u32> = tally.iter().map(|&(symbol, _)| symbol).collect();
                while items.len() > most.get() as usize {
                    let drop = pick(items.len());
                    items.swap_remove(drop.min(items.len() - 1));
                }
                items.sort_unstable();
                Value::Set(items)
            }
        };
        TrueValue::new(value)
    }
}

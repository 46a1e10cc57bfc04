// SPDX-License-Identifier: MIT OR Apache-2.0
//! A checked metric definition.

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use stipple_ldp::{Epsilon, Mechanism};

use crate::domain::Domain;
use crate::source::MechanismName;
use crate::tally::Aggregate;

/// What a metric is about; people switch categories, not metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// What the computer is made of.
    Hardware,
    /// How it is set up.
    Settings,
    /// What it is used for.
    Usage,
    /// How fast it is.
    Performance,
    /// What goes wrong.
    Problems,
}

impl Category {
    /// The category as catalogues write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hardware => "hardware",
            Self::Settings => "settings",
            Self::Usage => "usage",
            Self::Performance => "performance",
            Self::Problems => "problems",
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The first 16 bytes of the SHA-256 of a definition's canonical form: see [`Definition::canonical`]. Written in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DefinitionHash(pub [u8; 16]);

/// The first 8 bytes of the SHA-256 of a metric's id, by which a report names its metric.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricKey(pub [u8; 8]);

impl MetricKey {
    /// The key of a metric id.
    #[must_use]
    pub fn of(id: &str) -> Self {
        Self(digest_prefix(id.as_bytes()))
    }
}

impl fmt::Display for DefinitionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&hex(&self.0))
    }
}

impl fmt::Debug for DefinitionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for MetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        text
    })
}

pub(crate) fn digest_prefix<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    let mut prefix = [0; N];
    prefix.copy_from_slice(&digest[..N]);
    prefix
}

/// An event that feeds a metric.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventSource {
    /// the event's UUID, in network byte order
    pub id: [u8; 16],
    /// the D-Bus signature of the payload once variants are unwrapped; empty when it is ignored
    pub payload: String,
    /// the path of struct members to the value inside the payload
    pub field: Vec<usize>,
}

/// A metric as the catalogue defines it, checked. Only this crate makes one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Definition {
    /// `category.name`
    pub id: String,
    /// a heading for people
    pub title: String,
    /// the question it answers
    pub question: String,
    /// its category
    pub category: Category,
    /// who answers for it
    pub owner: String,
    /// where its approval stands: a URL, or a file of the catalogue
    pub approval: String,
    /// the first day on which it may be collected
    pub introduced: Date,
    /// the last day on which it may be collected
    pub expires: Date,
    /// what one report costs
    pub epsilon: Epsilon,
    /// the mechanism's name
    pub mechanism_name: MechanismName,
    /// the mechanism, built from the domain and epsilon
    pub mechanism: Mechanism,
    /// the values
    pub domain: Domain,
    /// how a week's events add up
    pub aggregate: Aggregate,
    /// the events that count
    pub events: Vec<EventSource>,
    /// the content hash of all that decides what is collected and how
    pub hash: DefinitionHash,
    /// the id's key in a report
    pub key: MetricKey,
}

/// What the hash covers: everything that decides which value is collected and how it is randomised, and no prose, so that a
/// mended sentence does not make the reports under way stale.
#[derive(Serialize)]
struct Canonical<'a> {
    id: &'a str,
    mechanism: MechanismName,
    channel: String,
    epsilon_micros: u32,
    domain: &'a Domain,
    aggregate: Aggregate,
    events: &'a [EventSource],
}

impl Definition {
    /// The canonical form that [`DefinitionHash`] covers: compact JSON with the keys id, mechanism, channel, epsilon_micros,
    /// domain, aggregate and events, in this order, maps sorted by key. `channel` names the numbers that the mechanism derives from
    /// domain and epsilon, so that a report made with others is never counted.
    #[must_use]
    pub fn canonical(&self) -> String {
        let canonical = Canonical {
            id: &self.id,
            mechanism: self.mechanism_name,
            channel: self.mechanism.to_string(),
            epsilon_micros: self.epsilon.micros(),
            domain: &self.domain,
            aggregate: self.aggregate,
            events: &self.events,
        };
        // Strings, integers and string-keyed maps always serialise.
        serde_json::to_string(&canonical).unwrap_or_default()
    }

    /// Fills in the hash and the key.
    pub(crate) fn sealed(mut self) -> Self {
        self.hash = DefinitionHash(digest_prefix(self.canonical().as_bytes()));
        self.key = MetricKey::of(&self.id);
        self
    }

    /// Whether the metric may be collected on a day.
    #[must_use]
    pub fn is_active(&self, day: Date) -> bool {
        (self.introduced..=self.expires).contains(&day)
    }

    /// The bytes of a report's payload for this metric; the rest of the report is padding.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        self.mechanism.payload_len()
    }
}

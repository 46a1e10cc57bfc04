// SPDX-License-Identifier: MIT OR Apache-2.0
//! The report's wire format, version 1: 64 bytes for every metric, so that its length says nothing.
//!
//! | bytes | field |
//! |---|---|
//! | 0 | version, 1 |
//! | 1..17 | report id: 128 random bits, used once to count the report once |
//! | 17..25 | metric: the first 8 bytes of SHA-256(id) |
//! | 25..41 | definition: the first 16 bytes of SHA-256(canonical definition) |
//! | 41..43 | week: 16 bits, little endian, 0 for the week of 1970-01-05 |
//! | 43..43+p | payload, as [`stipple_ldp::Mechanism::encode`] writes it; p is the metric's payload length |
//! | 43+p..64 | zero |
//!
//! The format is closed: another version, another length or a non-zero padding byte is refused. A new field is a new version.

use stipple_ldp::Response;

use crate::catalogue::Catalogue;
use crate::definition::{Definition, DefinitionHash, MetricKey};
use crate::week::Week;

/// The length of every report in bytes.
pub const REPORT_LEN: usize = 64;
const VERSION: u8 = 1;
const PAYLOAD_START: usize = 43;
/// The longest payload that a report can carry.
pub const MAX_PAYLOAD: usize = REPORT_LEN - PAYLOAD_START;

/// 128 random bits that name a report until its window closes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReportId(pub [u8; 16]);

/// One report: a randomised response of one metric and week. Nothing else rides along.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Report<'c> {
    /// the report's id
    pub id: ReportId,
    /// the metric, as this side's catalogue defines it
    pub definition: &'c Definition,
    /// the week that the value is of
    pub week: Week,
    /// the randomised response
    pub response: Response,
}

impl PartialEq for Definition {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash
    }
}

impl Eq for Definition {}

/// Why bytes are no report that this catalogue counts. It names the kind of fault, never the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Not 64 bytes.
    #[error("a report has 64 bytes")]
    Length,
    /// Another version of the format.
    #[error("the report's version is not supported: this side reads version 1")]
    Version,
    /// A metric that the catalogue does not have.
    #[error("the report's metric is not in the catalogue")]
    UnknownMetric,
    /// The metric is known, under another definition.
    #[error("the report was made under another definition of its metric: update the catalogue package")]
    StaleDefinition,
    /// Non-zero padding: something rides along.
    #[error("the report's padding is not zero")]
    Padding,
    /// A payload that no honest client sends.
    #[error("the report's payload is not valid: {0}")]
    Payload(#[from] stipple_ldp::ResponseError),
}

impl Report<'_> {
    /// The report's 64 bytes.
    ///
    /// # Errors
    /// [`WireError::Payload`] when the response is of another mechanism, [`WireError::Length`] when it does not fit.
    pub fn encode(&self) -> Result<[u8; REPORT_LEN], WireError> {
        let payload = self.definition.mechanism.encode(&self.response)?;
        let mut bytes = [0; REPORT_LEN];
        bytes[0] = VERSION;
        bytes[1..17].copy_from_slice(&self.id.0);
        bytes[17..25].copy_from_slice(&self.definition.key.0);
        bytes[25..41].copy_from_slice(&self.definition.hash.0);
        bytes[41..43].copy_from_slice(&self.week.index().to_le_bytes());
        bytes.get_mut(PAYLOAD_START..PAYLOAD_START + payload.len()).ok_or(WireError::Length)?.copy_from_slice(&payload);
        Ok(bytes)
    }
}

impl<'c> Report<'c> {
    /// Reads a report and checks everything but its time.
    ///
    /// # Errors
    /// [`WireError`] naming the kind of fault.
    pub fn decode(bytes: &[u8], catalogue: &'c Catalogue) -> Result<Self, WireError> {
        let bytes: &[u8; REPORT_LEN] = bytes.try_into().map_err(|_| WireError::Length)?;
        if bytes[0] != VERSION {
            return Err(WireError::Version);
        }
        let definition = catalogue.by_key(MetricKey(array(&bytes[17..25]))).ok_or(WireError::UnknownMetric)?;
        if DefinitionHash(array(&bytes[25..41])) != definition.hash {
            return Err(WireError::StaleDefinition);
        }
        let (payload, padding) = bytes[PAYLOAD_START..].split_at(definition.payload_len().min(MAX_PAYLOAD));
        if padding.iter().any(|&byte| byte != 0) {
            return Err(WireError::Padding);
        }
        Ok(Self {
            id: ReportId(array(&bytes[1..17])),
            definition,
            week: Week::from_index(u16::from_le_bytes(array(&bytes[41..43]))),
            response: definition.mechanism.decode(payload)?,
        })
    }
}

/// A fixed array from a slice of just that length.
fn array<const N: usize>(slice: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array.copy_from_slice(slice);
    array
}

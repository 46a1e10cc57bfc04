// SPDX-License-Identifier: MIT OR Apache-2.0
//! Published mechanisms and post-processing for comparison (feature `research`).
//!
//! Most use floating point for their coins, and none is a [`crate::Mechanism`]: a workstation cannot send what they answer.

mod bits;
mod coin;
mod hadamard;
mod hashing;
pub mod longitudinal;
pub mod multidimensional;
pub mod numeric;
mod oracle;
mod rappor;
mod sketch;
mod subset;
mod unary;

#[cfg(test)]
mod oracle_table_tests;
#[cfg(test)]
mod oracle_tests;

pub use bits::BitVector;
pub use hadamard::{HadamardResponse, OneBitHadamard, SignReport};
pub use hashing::{HashedReport, LocalHashing, MultiplyShift};
pub use oracle::{FrequencyOracle, PureOracle};
pub use rappor::{Rappor, RapporMemo};
pub use sketch::{Cms, CountMeanSketch, Hcms, SketchReport};
pub use subset::WideSubsetSelection;
pub use unary::{HistogramEncoding, UnaryEncoding};

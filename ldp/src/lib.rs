// SPDX-License-Identifier: MIT OR Apache-2.0
#![doc = include_str!("../README.md")]

pub mod accounting;
#[cfg(any(test, feature = "audit"))]
pub mod audit;
mod choose;
mod collision;
mod combinations;
mod describe;
mod design;
mod domain;
mod epsilon;
mod error;
mod estimate;
mod mean;
mod mechanism;
mod memo;
#[cfg(any(test, feature = "opendp"))]
pub mod opendp;
mod payload;
pub mod postprocess;
mod priv_set;
mod projective_geometry;
mod projective_space;
mod randomised_response;
#[cfg(any(test, feature = "research"))]
pub mod research;
mod sampling;
mod square_wave;
mod subset_selection;
mod support;
mod truncated_geometric;
mod value;
mod window;

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers chosen by the tests")]
mod channel_tests;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers chosen by the tests")]
mod mutants;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers chosen by the tests")]
mod oracle_tests;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers chosen by the tests")]
mod vector_tests;

pub use accounting::{Budget, OverBudget};
pub use choose::{Candidate, Choice, Question, choose};
pub use collision::Collision;
pub use design::{BlockDesign, Channel};
pub use domain::{Bound, DomainSize};
pub use epsilon::{Epsilon, Weights};
pub use error::{CountsError, ParameterError, ResponseError, ValueError};
pub use mean::{HybridMean, OneBitMean};
pub use mechanism::{Debias, Mechanism};
pub use memo::{Memoised, Memory};
pub use priv_set::PrivSet;
pub use projective_geometry::ProjectiveGeometry;
pub use randomised_response::RandomisedResponse;
pub use square_wave::SquareWave;
pub use subset_selection::SubsetSelection;
pub use support::{Support, minimax_variance};
pub use truncated_geometric::TruncatedGeometric;
pub use value::{Response, TrueValue, Value};

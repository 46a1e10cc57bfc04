// SPDX-License-Identifier: MIT OR Apache-2.0
#![doc = include_str!("../README.md")]

mod budget;
mod collision;
mod design;
mod domain;
mod epsilon;
mod error;
mod mechanism;
mod projective_geometry;
mod randomised_response;
#[cfg(any(test, feature = "research"))]
pub mod research;
mod sampling;
mod subset_selection;
mod support;
mod truncated_geometric;
mod value;

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers chosen by the tests")]
mod channel_tests;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers chosen by the tests")]
mod oracle_tests;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers chosen by the tests")]
mod vector_tests;

pub use budget::{Budget, OverBudget};
pub use collision::Collision;
pub use design::{BlockDesign, Channel};
pub use domain::{Bound, DomainSize};
pub use epsilon::{Epsilon, Weights};
pub use error::{ParameterError, ResponseError, ValueError};
pub use mechanism::{Debias, Mechanism};
pub use projective_geometry::ProjectiveGeometry;
pub use randomised_response::RandomisedResponse;
pub use subset_selection::SubsetSelection;
pub use support::{Support, minimax_variance};
pub use truncated_geometric::TruncatedGeometric;
pub use value::{Response, TrueValue, Value};

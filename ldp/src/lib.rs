// SPDX-License-Identifier: MIT OR Apache-2.0
//! Local differential privacy with exact integer sampling.
//!
//! A workstation's true value goes in, a randomised response comes out; a server adds responses up into support counts;
//! an analyst debiases the counts. This crate has no I/O, no clock and no global state: the generator is passed in.
//!
//! ```
//! use rand::{SeedableRng, rngs::ChaCha20Rng};
//! use stipple_ldp::{Debias, DomainSize, Epsilon, Mechanism, SubsetSelection, TrueValue, Value};
//!
//! let epsilon = Epsilon::try_from(1.0)?;
//! let colours = DomainSize::try_from(4)?;
//! let mechanism = Mechanism::SubsetSelection(SubsetSelection::new(colours, epsilon.weights())?);
//! let mut rng = ChaCha20Rng::seed_from_u64(1); // on a workstation: seeded by the operating system for each report
//!
//! let mut counts = vec![0_u32; mechanism.cells()];
//! for person in 0..50_000 {
//!     let favourite = TrueValue::new(Value::Symbol(person % 2)); // half like 0, half like 1
//!     let response = mechanism.randomise(&favourite, &mut rng)?;
//!     mechanism.accumulate(&response, |cell| counts[cell] += 1)?;
//! }
//! let Debias::Shares { p_true, p_false } = mechanism.debias() else { unreachable!() };
//! let share = |v: usize| (f64::from(counts[v]) / 50_000.0 - p_false) / (p_true - p_false);
//! assert!((share(0) - 0.5).abs() < 0.03 && share(3).abs() < 0.03);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every mechanism is a channel of integer weights in which the greatest ratio of two entries of one column is A/B, so its
//! privacy loss is `ln(A/B)`, never above the nominal epsilon. No floating-point number decides a coin; floating point
//! appears only in [`Debias`], the constants of the estimators.

mod budget;
mod collision;
mod design;
mod domain;
mod epsilon;
mod error;
mod mechanism;
mod projective_geometry;
mod randomised_response;
mod sampling;
mod subset_selection;
mod truncated_geometric;
mod value;

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers chosen by the tests")]
mod channel_tests;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers chosen by the tests")]
mod oracle_tests;

pub use budget::{Budget, OverBudget};
pub use collision::Collision;
pub use domain::{Bound, DomainSize};
pub use epsilon::{Epsilon, Weights};
pub use error::{ParameterError, ResponseError, ValueError};
pub use mechanism::{Debias, Mechanism};
pub use projective_geometry::ProjectiveGeometry;
pub use randomised_response::RandomisedResponse;
pub use subset_selection::SubsetSelection;
pub use truncated_geometric::TruncatedGeometric;
pub use value::{Response, TrueValue, Value};

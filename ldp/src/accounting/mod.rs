// SPDX-License-Identifier: MIT OR Apache-2.0
//! What reports cost together: composition and shuffling, as upper bounds.
//!
//! Floating point throughout, and never near a coin; each function says in which direction it rounds.

pub mod blanket;
#[cfg(test)]
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    reason = "small numbers chosen by the tests"
)]
mod blanket_tests;
mod composition;
mod law;
mod rounding;
pub mod shuffle;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers chosen by the tests")]
mod shuffle_tests;

pub use composition::{
    Budget, OverBudget, composed, keeps, loss_if_absence_is_hidden, realised_loss, worst_sampled_epoch,
};

// SPDX-License-Identifier: MIT OR Apache-2.0
//! What reports cost together: losses that add up.
//!
//! Floating point throughout, and never near a coin; each function says in which direction it rounds.

mod composition;
mod rounding;

pub use composition::{
    Budget, OverBudget, composed, keeps, loss_if_absence_is_hidden, realised_loss, worst_sampled_epoch,
};

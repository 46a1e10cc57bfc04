// SPDX-License-Identifier: MIT OR Apache-2.0
//! What reports cost together: composition, shuffling, manipulation and linking, as upper bounds.
//!
//! Floating point throughout, and never near a coin; each function says in which direction it rounds. The bounds of
//! [`blanket`] and [`shuffle`] and the losses of [`composition`](composed) are proven to be at least the true value,
//! rounding included; those of [`manipulation`] and [`linking`] are closed forms, accurate to a few units in the last
//! place.

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
pub mod linking;
pub mod manipulation;
mod rounding;
pub mod shuffle;
#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers chosen by the tests")]
mod shuffle_tests;

pub use composition::{
    Budget, OverBudget, composed, keeps, loss_if_absence_is_hidden, realised_loss, worst_sampled_epoch,
};

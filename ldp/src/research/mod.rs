// SPDX-License-Identifier: MIT OR Apache-2.0
//! Published mechanisms and post-processing for comparison (feature `research`).
//!
//! These use floating point for their coins, so none of them implements [`crate::Mechanism`]: a workstation cannot send what
//! they answer.

pub mod audit;
pub mod longitudinal;
pub mod multidimensional;
pub mod numeric;

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The demonstration, and the tests that follow an event from the bus to a published estimate.

pub mod accelerated;
pub mod audit;
pub mod demo;
pub mod leaks;
pub mod outcome;
pub mod population;
pub mod processes;
pub mod recorder;
pub mod workstations;

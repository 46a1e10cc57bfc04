// SPDX-License-Identifier: MIT OR Apache-2.0
//! The command lines of all programs: what they take and how they explain it. Manual pages and completions are made of these.

mod recorderd;
mod session_helper;
mod stipple;
mod upload;

pub use recorderd::Recorderd;
pub use session_helper::SessionHelper;
pub use stipple::{Command, MetricsCommand, Stipple};
pub use upload::Upload;

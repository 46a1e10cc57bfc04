// SPDX-License-Identifier: MIT OR Apache-2.0
//! Randomness on a workstation: a ChaCha20 stream with 256 fresh bits from the operating system for every use, and no state
//! that outlives it.

use rand::rngs::{ChaCha20Rng, SysError, SysRng};
use rand::{SeedableRng, TryRng};

/// The operating system gave no randomness.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no randomness ({0}); nothing was drawn or sent")]
pub struct NoEntropy(#[from] SysError);

/// A fresh generator.
///
/// # Errors
/// [`NoEntropy`] when the operating system's generator fails.
pub fn generator() -> Result<ChaCha20Rng, NoEntropy> {
    let mut seed = [0; 32];
    SysRng.try_fill_bytes(&mut seed)?;
    Ok(ChaCha20Rng::from_seed(seed))
}

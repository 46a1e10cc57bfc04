// SPDX-License-Identifier: MIT OR Apache-2.0
//! The one random draw behind every mechanism.

use rand::{CryptoRng, RngExt};

/// An exact uniform integer in `[0, total)`, by rejection (the `unbiased` feature of `rand`). `total` must be positive and public.
///
/// The bound on `CryptoRng` keeps fast, predictable generators out of the client at compile time; simulations pass a
/// seeded ChaCha20.
pub(crate) fn uniform_below<R: CryptoRng + ?Sized>(rng: &mut R, total: u128) -> u128 {
    // Half the random bytes, and no 128-bit division, for most channels.
    match u64::try_from(total) {
        Ok(total) => rng.random_range(0..total).into(),
        Err(_) => uniform_below_wide(rng, total),
    }
}

/// The same from 128-bit words whatever the total, for totals that depend on the value: how many words are drawn must not.
pub(crate) fn uniform_below_wide<R: CryptoRng + ?Sized>(rng: &mut R, total: u128) -> u128 {
    rng.random_range(0..total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;

    /// Chi-squared at significance 1e-6 over a total that is not a power of two: a modulo-biased draw from few bits, or an
    /// off-by-one range, fails.
    #[test]
    fn draws_are_uniform() {
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let (cells, draws) = (48_u128, 480_000);
        let mut seen = vec![0_u64; 48];
        for _ in 0..draws {
            seen[usize::try_from(uniform_below(&mut rng, cells)).unwrap()] += 1;
        }
        let expected = f64::from(draws) / 48.0;
        let statistic: f64 = seen.iter().map(|&c| (c as f64 - expected).powi(2) / expected).sum();
        // The 1 - 1e-6 quantile of chi-squared with 47 degrees of freedom is 105.7.
        assert!(statistic < 105.7, "{statistic}");
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Logarithm and exponential whose rounding has a known direction. They do not rely on the platform's mathematical
//! library: `ln_above` sums a series of non-negative terms, and what [`exp_below`] returns was checked with it.

/// An upper bound of `ln x` for x of at least 1, within a relative `2^-45`; 0 for smaller x and for what is no number.
///
/// With `x = 2^k m`, m in \[1, 2) and `z = (m - 1)/(m + 1)`, at most 1/3: `ln x = k ln 2 + 2 (z + z^3/3 + z^5/5 + ..)`.
/// No term is negative, so every rounding is relative: fewer than 100 of them, each at most `2^-53`, and what the
/// series leaves out is less than an eighth of its last term. The factor `1 + 2^-46` outweighs both.
pub(crate) fn ln_above(x: f64) -> f64 {
    if x == f64::INFINITY {
        return x;
    }
    let (mut m, mut doublings) = (x.max(1.0), 0.0);
    while m >= 2.0 {
        m /= 2.0;
        doublings += 1.0;
    }
    let z = (m - 1.0) / (m + 1.0);
    let (mut power, mut sum, mut odd) = (z, z, 1.0);
    while power > sum * 1e-17 {
        power *= z * z;
        odd += 2.0;
        sum += power / odd;
    }
    (doublings * std::f64::consts::LN_2.next_up() + 2.0 * sum) * (1.0 + 2f64.powi(-46))
}

/// A lower bound of `e^x` for x of at least 0, at least 1, within a relative `2^-44 (1 + x)`.
pub(crate) fn exp_below(x: f64) -> f64 {
    let mut e = x.exp().min(f64::MAX);
    while ln_above(e) > x {
        e *= 1.0 - 2f64.powi(-46);
    }
    e.max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 30-digit values from Python mpmath 1.3, rounded to f64.
    #[test]
    fn logarithms_are_above_and_close() {
        let table = [
            (1.000_000_953_674_316_4, 9.536_738_616_591_88e-7), // 1 + 2^-20
            (1.5, 0.405_465_108_108_164_4),
            (2.0, std::f64::consts::LN_2),
            (3.0, 1.098_612_288_668_109_8),
            (1e6, 13.815_510_557_964_274),
            (8_886_110.0, 15.999_999_941_424_554),
        ];
        for (x, ln) in table {
            let above = ln_above(x);
            assert!(above >= ln && above <= ln * (1.0 + 2f64.powi(-45)), "{x}: {above} {ln}");
        }
        assert!(ln_above(1.0) == 0.0 && ln_above(0.5) == 0.0 && ln_above(f64::INFINITY) == f64::INFINITY);
    }

    #[test]
    fn exponentials_are_below_and_close() {
        for x in [0.0, 1e-12, 1e-6, 0.1, 0.7, 1.0, 2.5, 16.0] {
            let below = exp_below(x);
            assert!(below <= f64::exp(x) && below >= f64::exp(x) * (1.0 - 2f64.powi(-44) * (1.0 + x)), "{x}: {below}");
        }
    }

    #[test]
    fn exponentials_beyond_f64_stop_at_its_end() {
        for x in [709.0, 710.0, 1e6, f64::INFINITY] {
            assert!(exp_below(x).is_finite() && exp_below(x) > 1e307, "{x}");
        }
    }
}

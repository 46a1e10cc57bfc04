// SPDX-License-Identifier: MIT OR Apache-2.0
//! Choosing k of at most 64 positions: how many ways there are, and which is which.

/// C(n, k) for n and k up to 64, exact in 64 bits; 0 when k exceeds n.
pub(crate) fn binomial(n: u32, k: u32) -> u64 {
    PASCAL[n as usize][k as usize]
}

static PASCAL: [[u64; 65]; 65] = pascal();

#[expect(clippy::large_stack_arrays, reason = "evaluated by the compiler")]
const fn pascal() -> [[u64; 65]; 65] {
    let mut rows = [[0; 65]; 65];
    let mut n = 0;
    while n < 65 {
        rows[n][0] = 1;
        let mut k = 1;
        while k <= n {
            rows[n][k] = rows[n - 1][k - 1] + rows[n - 1][k];
            k += 1;
        }
        n += 1;
    }
    rows
}

/// The `index`-th k-subset of n positions in colexicographic order, as a mask. It visits every position, so that its work
/// does not depend on the result.
pub(crate) fn unrank(index: u64, n: u32, k: u32) -> u64 {
    let (mut left, mut rest, mut mask) = (k, index, 0_u64);
    for position in (0..n).rev() {
        let without = if left == 0 { u64::MAX } else { binomial(position, left) };
        if rest >= without {
            rest -= without;
            left -= 1;
            mask |= 1 << position;
        }
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn unrank_lists_every_subset_once() {
        for (n, k) in [(1, 0), (1, 1), (5, 2), (9, 4), (12, 12)] {
            let masks: BTreeSet<u64> = (0..binomial(n, k)).map(|i| unrank(i, n, k)).collect();
            assert_eq!(masks.len() as u64, binomial(n, k));
            assert!(masks.iter().all(|m| m.count_ones() == k && *m < 1 << n));
        }
    }

    #[test]
    fn binomials_are_exact_at_the_edge() {
        assert_eq!(binomial(64, 32), 1_832_624_140_942_590_534);
        assert_eq!(binomial(5, 6), 0);
        assert_eq!(binomial(7, 0), 1);
    }
}

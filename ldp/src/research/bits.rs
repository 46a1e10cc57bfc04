// SPDX-License-Identifier: MIT OR Apache-2.0
//! Bit vectors as reports, and the count of every position over many of them.

use rand::CryptoRng;

use super::coin::Coin;
use crate::error::ResponseError;

/// A report of one bit per value, value v in bit `v mod 64` of word `v / 64`; the bits beyond the last value are zero.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BitVector(Box<[u64]>);

impl BitVector {
    /// A report from its words. Whether it belongs to an oracle is checked when it is aggregated.
    #[must_use]
    pub fn from_words(words: impl Into<Box<[u64]>>) -> Self {
        Self(words.into())
    }

    /// `length` independent coins, 64 drawn together. Each is 1 with `chance`, from 0 to below 1, rounded down to a
    /// multiple of `2^-64`.
    #[must_use]
    pub fn tossed<R: CryptoRng + ?Sized>(length: u32, chance: f64, rng: &mut R) -> Self {
        Self::filled(length, |words| Coin::new(chance).fill(words, rng))
    }

    /// The words.
    #[must_use]
    pub fn words(&self) -> &[u64] {
        &self.0
    }

    /// The bit of a value; `false` beyond the end.
    #[must_use]
    pub fn get(&self, value: u32) -> bool {
        self.0.get(value as usize / 64).is_some_and(|word| word >> (value % 64) & 1 == 1)
    }

    pub(super) fn set(&mut self, value: u32, bit: bool) {
        if let Some(word) = self.0.get_mut(value as usize / 64) {
            *word = *word & !(1 << (value % 64)) | u64::from(bit) << (value % 64);
        }
    }

    /// All bits of `domain` values from `fill`, which may write beyond the last.
    pub(super) fn filled(domain: u32, fill: impl FnOnce(&mut [u64])) -> Self {
        let mut words = vec![0; domain.div_ceil(64) as usize];
        fill(&mut words);
        if let Some(last) = words.last_mut() {
            *last &= u64::MAX >> (domain.wrapping_neg() % 64);
        }
        Self(words.into())
    }

    /// # Errors
    /// [`ResponseError`] unless this is a vector of exactly `domain` bits.
    pub(super) fn check(&self, domain: u32) -> Result<(), ResponseError> {
        if self.0.len() != domain.div_ceil(64) as usize {
            return Err(ResponseError::WrongLength);
        }
        let beyond = self.0.last().is_some_and(|last| last & !(u64::MAX >> (domain.wrapping_neg() % 64)) != 0);
        if beyond { Err(ResponseError::OutOfRange) } else { Ok(()) }
    }

    pub(super) fn count_ones(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }
}

/// For each of `domain` values, how many of the reports have its bit.
///
/// # Errors
/// [`ResponseError`] for a report that is not a vector of `domain` bits.
pub(super) fn count_columns<'a>(
    reports: impl IntoIterator<Item = &'a BitVector>,
    domain: u32,
) -> Result<Vec<u64>, ResponseError> {
    let mut counter = ColumnCounter::new(domain);
    let zeros = vec![0; counter.width];
    let mut rows: [&[u64]; 8] = [&zeros; 8];
    let mut held = 0;
    for report in reports {
        report.check(domain)?;
        rows[held] = report.words();
        held += 1;
        if held == 8 {
            counter.add(rows);
            held = 0;
        }
    }
    rows[held..].fill(&zeros);
    counter.add(rows);
    Ok(counter.counts(domain))
}

/// Bit planes of one binary counter per column: plane l holds bit l of all counters, 64 to a word. Eight rows enter through a
/// tree of carry-save adders, which costs five word operations per word of a row (Harley's and Seal's population count, taken
/// by columns).
struct ColumnCounter {
    width: usize,
    planes: Vec<Vec<u64>>,
    carry: Vec<u64>,
}

impl ColumnCounter {
    fn new(columns: u32) -> Self {
        let width = columns.div_ceil(64) as usize;
        Self { width, planes: vec![vec![0; width]; 3], carry: vec![0; width] }
    }

    fn add(&mut self, rows: [&[u64]; 8]) {
        let [ones, twos, fours, ..] = &mut self.planes[..] else { return };
        let rows = rows.map(|row| &row[..self.width]);
        let sums = ones[..self.width].iter_mut().zip(&mut twos[..self.width]).zip(&mut fours[..self.width]);
        for (i, (((one, two), four), carry)) in sums.zip(&mut self.carry[..self.width]).enumerate() {
            let (sum, a) = carry_save(*one, rows[0][i], rows[1][i]);
            let (sum, b) = carry_save(sum, rows[2][i], rows[3][i]);
            let (sum, c) = carry_save(sum, rows[4][i], rows[5][i]);
            let (sum, d) = carry_save(sum, rows[6][i], rows[7][i]);
            *one = sum;
            let (sum, a) = carry_save(*two, a, b);
            let (sum, b) = carry_save(sum, c, d);
            *two = sum;
            (*four, *carry) = carry_save(*four, a, b);
        }
        self.ripple();
    }

    /// Adds the carries, of weight eight, to the planes above.
    fn ripple(&mut self) {
        for level in 3.. {
            if self.carry.iter().all(|&word| word == 0) {
                return;
            }
            if self.planes.len() == level {
                self.planes.push(vec![0; self.width]);
            }
            for (plane, carry) in self.planes[level].iter_mut().zip(&mut self.carry) {
                (*plane, *carry) = (*plane ^ *carry, *plane & *carry);
            }
        }
    }

    fn counts(&self, columns: u32) -> Vec<u64> {
        let mut counts = vec![0; columns as usize];
        for (level, plane) in self.planes.iter().enumerate() {
            for (counts, word) in counts.chunks_mut(64).zip(plane) {
                for (lane, count) in counts.iter_mut().enumerate() {
                    *count += (word >> lane & 1) << level;
                }
            }
        }
        counts
    }
}

/// The two-bit sum of three bits, in every lane: (sum, carry).
const fn carry_save(a: u64, b: u64, c: u64) -> (u64, u64) {
    let half = a ^ b;
    (half ^ c, a & b | half & c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha20Rng;

    /// Against bit-by-bit addition, at widths and heights around the sizes of words, groups and planes.
    #[test]
    fn column_counts_are_the_sums_of_the_bits() {
        let mut rng = ChaCha20Rng::seed_from_u64(21);
        for (domain, reports) in [(1, 0), (2, 1), (63, 7), (64, 8), (65, 9), (130, 1_000), (70, 9_001)] {
            let reports: Vec<BitVector> = (0..reports).map(|_| BitVector::tossed(domain, 0.7, &mut rng)).collect();
            let expected: Vec<u64> =
                (0..domain).map(|v| reports.iter().map(|report| u64::from(report.get(v))).sum()).collect();
            assert_eq!(count_columns(&reports, domain).unwrap(), expected, "{domain}");
        }
        let full: Vec<BitVector> = (0..5_000).map(|_| BitVector::filled(66, |words| words.fill(u64::MAX))).collect();
        assert_eq!(count_columns(&full, 66).unwrap(), vec![5_000; 66]);
    }

    #[test]
    fn a_report_of_another_shape_is_refused() {
        for (domain, words, error) in [
            (64, vec![], ResponseError::WrongLength),
            (64, vec![1, 0], ResponseError::WrongLength),
            (65, vec![1], ResponseError::WrongLength),
            (65, vec![1, 2], ResponseError::OutOfRange),
            (4, vec![16], ResponseError::OutOfRange),
        ] {
            assert_eq!(count_columns(&[BitVector::from_words(words)], domain), Err(error));
        }
        assert_eq!(count_columns(&[BitVector::from_words(vec![u64::MAX])], 64), Ok(vec![1; 64]));
    }

    #[test]
    fn bits_are_set_and_read_by_value() {
        let mut bits = BitVector::filled(70, |_| ());
        bits.set(69, true);
        bits.set(3, true);
        bits.set(3, false);
        bits.set(700, true);
        assert_eq!((0..800).filter(|&v| bits.get(v)).collect::<Vec<_>>(), [69]);
        assert_eq!(bits.count_ones(), 1);
    }
}

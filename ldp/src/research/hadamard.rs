// SPDX-License-Identifier: MIT OR Apache-2.0
//! Hadamard responses: supports are the signs of a Hadamard matrix, `H[m, c] = (-1)^popcount(m & c)`, and the server decodes
//! with one fast Walsh-Hadamard transform of K log K additions.

use rand::CryptoRng;

use super::oracle::{FrequencyOracle, PureOracle, check, histogram, shares, weight_share};
use crate::design::BlockDesign;
use crate::domain::DomainSize;
use crate::epsilon::Epsilon;
use crate::error::{ResponseError, ValueError};
use crate::sampling::uniform_below;
use crate::support::Support;

/// Hadamard response in its variant for high privacy (Acharya, Sun and Zhang, AISTATS 2019): a message is a row,
/// and value v's block is the rows with +1 in column v + 1. With K the least power of two above d it is the block design
/// (K, K/2, K/4).
///
/// Row 0 is in every block and says nothing. Without it the design is (K - 1, K/2 - 1, K/4 - 1), projective geometry over F_2,
/// with less variance in small dictionaries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HadamardResponse {
    domain: DomainSize,
    design: BlockDesign,
    /// The first row that is a message: 0 or 1.
    first: u32,
}

impl HadamardResponse {
    /// The published design.
    #[must_use]
    pub fn new(domain: DomainSize, epsilon: Epsilon) -> Self {
        Self::with_first_row(domain, epsilon, 0)
    }

    /// The design without the constant row.
    #[must_use]
    pub fn without_constant_row(domain: DomainSize, epsilon: Epsilon) -> Self {
        Self::with_first_row(domain, epsilon, 1)
    }

    fn with_first_row(domain: DomainSize, epsilon: Epsilon, first: u32) -> Self {
        let order = u64::from((domain.get() + 1).next_power_of_two());
        let drop = u64::from(first);
        let design = BlockDesign::new(order - drop, order / 2 - drop, order / 4 - drop, epsilon.weights());
        Self { domain, design, first }
    }
}

/// Whether `H[row, column]` is +1.
const fn positive(row: u32, column: u32) -> bool {
    (row & column).count_ones().is_multiple_of(2)
}

/// The `index`-th row with the given sign in a column other than 0: the index without the column's lowest bit, which is then
/// chosen for the sign. Row 0 is the 0-th with +1.
const fn row_with_sign(column: u32, index: u32, sign: bool) -> u32 {
    let bit = column & column.wrapping_neg();
    let row = index & (bit - 1) | (index & !(bit - 1)) << 1;
    if positive(row, column) == sign { row } else { row | bit }
}

/// Multiplies by H in place. Arithmetic is modulo `2^64`, so that signed sums need no type of their own.
fn transform(table: &mut [u64]) {
    let mut half = 1;
    while half < table.len() {
        for pair in table.chunks_mut(2 * half) {
            let (left, right) = pair.split_at_mut(half);
            for (a, b) in left.iter_mut().zip(right) {
                (*a, *b) = (a.wrapping_add(*b), a.wrapping_sub(*b));
            }
        }
        half *= 2;
    }
}

impl FrequencyOracle for HadamardResponse {
    /// A row of H.
    type Report = u32;
    type Cell = u64;

    fn domain(&self) -> u32 {
        self.domain.get()
    }

    fn cells(&self) -> usize {
        (self.domain() + 1).next_power_of_two() as usize
    }

    fn randomise<R: CryptoRng + ?Sized>(&self, value: u32, rng: &mut R) -> Result<u32, ValueError> {
        check(value, self.domain())?;
        let channel = &self.design.channel;
        #[expect(clippy::cast_possible_truncation, reason = "below K, which is at most 2^17")]
        Ok(match channel.pick(uniform_below(rng, channel.total())) {
            Ok(index) => row_with_sign(value + 1, index as u32 + self.first, true),
            Err(index) => row_with_sign(value + 1, index as u32, false),
        })
    }

    fn likelihood(&self, value: u32, report: &u32) -> f64 {
        weight_share(self.design.channel, positive(*report, value + 1))
    }

    fn aggregate<'a>(&self, reports: impl IntoIterator<Item = &'a u32>) -> Result<Vec<u64>, ResponseError> {
        let counts = histogram(reports.into_iter().map(|&row| row as usize), self.cells())?;
        let constant_rows = if self.first == 1 { counts[0] } else { 0 };
        if constant_rows == 0 { Ok(counts) } else { Err(ResponseError::OutOfRange) }
    }

    fn estimate(&self, cells: &[u64], reports: u64) -> Vec<f64> {
        shares(self, cells, reports)
    }

    fn variance(&self, share: f64) -> f64 {
        self.support().variance(share)
    }
}

impl PureOracle for HadamardResponse {
    fn support(&self) -> Support {
        self.design.support()
    }

    /// `C_v = (n + (H y)[v+1]) / 2`.
    fn support_counts(&self, cells: &[u64]) -> Vec<u64> {
        let mut table = cells.to_vec();
        table.resize(self.cells(), 0);
        transform(&mut table);
        let total = table[0];
        table[1..=self.domain() as usize].iter().map(|sum| total.wrapping_add(*sum) / 2).collect()
    }
}

/// One-bit Hadamard: a uniformly random public row, and the sign that H has there in the value's column, turned with chance
/// `B / (A+B)` (Bassily and Smith, STOC 2015; Bassily, Nissim, Stemmer and Thakurta, NeurIPS 2017; also the t = 1 Hadamard
/// mechanism). A report supports the values whose sign it has: `P_t = A / (A+B)`, `P_f = 1/2`, and
/// `n Var = ((a+1) / (a-1))^2 - f^2`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OneBitHadamard {
    domain: DomainSize,
    design: BlockDesign,
}

/// A row of H and a randomised sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignReport {
    /// the public part
    pub row: u32,
    /// whether the sign is +1
    pub positive: bool,
}

impl OneBitHadamard {
    /// The mechanism over the least power of two rows that is at least d.
    #[must_use]
    pub fn new(domain: DomainSize, epsilon: Epsilon) -> Self {
        Self { domain, design: BlockDesign::new(2, 1, 0, epsilon.weights()) }
    }

    /// K, the number of rows.
    #[must_use]
    pub fn rows(&self) -> u32 {
        self.domain.get().next_power_of_two()
    }
}

impl FrequencyOracle for OneBitHadamard {
    type Report = SignReport;
    type Cell = u64;

    fn domain(&self) -> u32 {
        self.domain.get()
    }

    /// Two for each row: its -1, its +1.
    fn cells(&self) -> usize {
        2 * self.rows() as usize
    }

    fn randomise<R: CryptoRng + ?Sized>(&self, value: u32, rng: &mut R) -> Result<SignReport, ValueError> {
        check(value, self.domain())?;
        let row = rng.next_u32() & (self.rows() - 1);
        let channel = &self.design.channel;
        let keep = channel.pick(uniform_below(rng, channel.total())).is_ok();
        Ok(SignReport { row, positive: positive(row, value) == keep })
    }

    fn likelihood(&self, value: u32, report: &SignReport) -> f64 {
        weight_share(self.design.channel, positive(report.row, value) == report.positive)
    }

    fn aggregate<'a>(&self, reports: impl IntoIterator<Item = &'a SignReport>) -> Result<Vec<u64>, ResponseError> {
        let cell = |report: &SignReport| 2 * report.row as usize + usize::from(report.positive);
        histogram(reports.into_iter().map(cell), self.cells())
    }

    fn estimate(&self, cells: &[u64], reports: u64) -> Vec<f64> {
        shares(self, cells, reports)
    }

    fn variance(&self, share: f64) -> f64 {
        self.support().variance(share)
    }
}

impl PureOracle for OneBitHadamard {
    fn support(&self) -> Support {
        Support { p_true: self.design.channel.p_true(), p_false: 0.5 }
    }

    /// `C_v = (n + (H (y_plus - y_minus))[v]) / 2`.
    fn support_counts(&self, cells: &[u64]) -> Vec<u64> {
        let (signs, _) = cells.as_chunks::<2>();
        let mut table: Vec<u64> = signs.iter().map(|[minus, plus]| plus.wrapping_sub(*minus)).collect();
        table.resize(self.rows() as usize, 0);
        transform(&mut table);
        let total: u64 = cells.iter().sum();
        table[..self.domain() as usize].iter().map(|sum| total.wrapping_add(*sum) / 2).collect()
    }
}

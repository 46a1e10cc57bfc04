// SPDX-License-Identifier: MIT OR Apache-2.0
//! Projective geometry response: large dictionaries with reports of two or three bytes and one counter increment each.
//!
//! Feldman, Nelson, Nguyen and Talwar (ICML 2022, section 3). Values and messages are the points of the projective space over
//! the prime field F_q in t coordinates, written with their first non-zero coordinate 1; a message is in a value's block
//! when the two are orthogonal. It is the block design
//! `(K, r, lambda) = ((q^t - 1)/(q - 1), (q^(t-1) - 1)/(q - 1), (q^(t-2) - 1)/(q - 1))`.
//!
//! The server adds up the K messages; [`ProjectiveGeometry::support_counts`] sums them over every value's block.

use crate::design::BlockDesign;
use crate::domain::DomainSize;
use crate::epsilon::Weights;
use crate::error::ParameterError;

/// A message must fit three bytes.
const MOST_MESSAGES: u64 = 1 << 24;

/// Projective geometry response with its integer channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectiveGeometry {
    pub(crate) design: BlockDesign,
    pub(crate) domain: u32,
    space: Space,
}

impl ProjectiveGeometry {
    /// The channel over `domain` values, with the prime q and the t of least variance at the uniform distribution. Only IEEE
    /// basic operations decide, so every machine agrees.
    ///
    /// # Errors
    /// [`ParameterError::TooManyMessages`] when no space with at most 2^24 points holds the domain.
    pub fn new(domain: DomainSize, weights: Weights) -> Result<Self, ParameterError> {
        let d = u64::from(domain.get());
        let share = 1.0 / f64::from(domain.get());
        let mut best: Option<(f64, BlockDesign, Space)> = None;
        // A prime lies between d and 2d (Chebyshev 1852), and the line over it holds the domain: larger ones only lose.
        for q in (2..=2 * d).filter(|&q| is_prime(q)) {
            let Some(space) = Space::holding(d, q) else { continue };
            let design = space.design(weights);
            let variance = design.support().variance(share);
            if best.as_ref().is_none_or(|(least, ..)| variance < *least) {
                best = Some((variance, design, space));
            }
        }
        let (_, design, space) = best.ok_or(ParameterError::TooManyMessages(domain.get()))?;
        Ok(Self { design, domain: domain.get(), space })
    }

    /// (q, t): the field's size and the number of coordinates.
    #[must_use]
    pub fn space(&self) -> (u64, u32) {
        (self.space.q, self.space.t)
    }

    /// The message that a uniform integer below the total weight selects; `value < d`.
    pub(crate) fn encode(&self, value: u32, uniform: u128) -> u64 {
        let value = self.space.point(u64::from(value), self.space.t);
        match self.design.channel.pick(uniform) {
            Ok(index) => self.space.orthogonal(&value, index),
            Err(index) => self.space.oblique(&value, index),
        }
    }

    /// C_v for every value, from the K message counts: by walking every block, or by the transform where that is less work.
    pub(crate) fn support_counts(&self, messages: &[u64]) -> Vec<u64> {
        let (d, r) = (u64::from(self.domain), self.design.channel.block);
        let transform = self.space.q.checked_pow(self.space.t + 1);
        if transform.is_none_or(|work| d * r <= work) {
            return (0..d).map(|v| self.block(v).map(|m| at(messages, m)).sum()).collect();
        }
        let mut counts = self.space.block_sums(messages);
        counts.truncate(self.domain as usize);
        counts
    }

    /// The messages of a value's block.
    pub(crate) fn block(&self, value: u64) -> impl Iterator<Item = u64> {
        let point = self.space.point(value, self.space.t);
        (0..self.design.channel.block).map(move |index| self.space.orthogonal(&point, index))
    }
}

fn at(table: &[u64], index: u64) -> u64 {
    usize::try_from(index).ok().and_then(|index| table.get(index)).copied().unwrap_or(0)
}

/// The projective space over F_q in t coordinates. A point's index counts the points with a later leading coordinate, then
/// the digits behind its own in base q.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Space {
    q: u64,
    t: u32,
}

impl Space {
    /// The smallest space over F_q with at least d points; `None` when that has too many.
    fn holding(d: u64, q: u64) -> Option<Self> {
        let t = (2..=24).find(|&t| points(q, t).is_none_or(|k| k >= d))?;
        points(q, t).filter(|&k| k <= MOST_MESSAGES).map(|_| Self { q, t })
    }

    fn design(self, weights: Weights) -> BlockDesign {
        let count = |t| points(self.q, t).unwrap_or(0);
        BlockDesign::new(count(self.t), count(self.t - 1), count(self.t - 2), weights)
    }

    /// The point with an index, in `t` coordinates.
    fn point(self, index: u64, t: u32) -> Vec<u64> {
        let mut coordinates = vec![0; t as usize];
        let (mut behind, mut first) = (0, 0);
        while points(self.q, behind + 1).is_some_and(|next| next <= index) {
            behind += 1;
            first = points(self.q, behind).unwrap_or(0);
        }
        let lead = (t - 1 - behind) as usize;
        coordinates[lead] = 1;
        self.write_digits(index - first, &mut coordinates[lead + 1..]);
        coordinates
    }

    /// The index of the point through a non-zero vector, which is scaled to its canonical form.
    fn index(self, vector: &[u64]) -> u64 {
        let lead = vector.iter().position(|&x| x != 0).unwrap_or(0);
        let scale = self.inverse(vector[lead]);
        let digits = vector[lead + 1..].iter().fold(0, |value, &x| value * self.q + x * scale % self.q);
        let behind = u32::try_from(vector.len() - 1 - lead).unwrap_or(0);
        points(self.q, behind).unwrap_or(0) + digits
    }

    fn write_digits(self, mut value: u64, digits: &mut [u64]) {
        for digit in digits.iter_mut().rev() {
            *digit = value % self.q;
            value /= self.q;
        }
    }

    /// The `index`-th message orthogonal to a value. The coordinate at the value's last non-zero place is solved for; it can
    /// lead a message only if all earlier ones are zero, and then it is zero itself, so the form stays canonical.
    fn orthogonal(self, value: &[u64], index: u64) -> u64 {
        self.solve(value, &self.point(index, self.t - 1), 0)
    }

    /// The `index`-th message not orthogonal to a value: its representative with product 1, the other coordinates free.
    fn oblique(self, value: &[u64], index: u64) -> u64 {
        let mut others = vec![0; self.t as usize - 1];
        self.write_digits(index, &mut others);
        self.solve(value, &others, 1)
    }

    /// The message with the given coordinates around the value's last non-zero place and the given product with it.
    fn solve(self, value: &[u64], others: &[u64], product: u64) -> u64 {
        let place = value.iter().rposition(|&x| x != 0).unwrap_or(0);
        let known = value[..place].iter().zip(others).fold(0, |sum, (v, m)| (sum + v * m) % self.q);
        let solved = (product + self.q - known) % self.q * self.inverse(value[place]) % self.q;
        let message: Vec<u64> = others[..place].iter().chain([&solved]).chain(&others[place..]).copied().collect();
        self.index(&message)
    }

    /// The inverse in F_q, by Fermat: `x^(q-2)`.
    fn inverse(self, x: u64) -> u64 {
        let (mut result, mut base, mut exponent) = (1, x % self.q, self.q - 2);
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = result * base % self.q;
            }
            base = base * base % self.q;
            exponent >>= 1;
        }
        result
    }

    /// The sum of the messages over every point's hyperplane, in integers: `O(q^(t+1) t)` additions.
    ///
    /// Y(x) is a message's count on each of its q - 1 vectors. For points led by coordinate k the earlier coordinates are
    /// summed away; then each later axis turns from the message's coordinate to the value's, collecting the product in the
    /// first: `H(z, .., v, ..) = sum_x H(z + x v, .., x, ..)`. At z = 0 stand the q - 1 fold sums.
    fn block_sums(self, messages: &[u64]) -> Vec<u64> {
        let (q, t) = (size(self.q), self.t as usize);
        let mut table = self.vectors(messages);
        let mut sums = vec![0; size(points(self.q, self.t).unwrap_or(0))];
        for lead in 0..t {
            let rest = q.pow(u32::try_from(t - 1 - lead).unwrap_or(0));
            let mut folded: Vec<u64> =
                (0..q).flat_map(|z| table[(q - z) % q * rest..][..rest].iter().copied()).collect();
            let mut stride = rest;
            while stride > 1 {
                stride /= q;
                turn_axis(&mut folded, q, rest, stride);
            }
            let first = size(points(self.q, u32::try_from(t - 1 - lead).unwrap_or(0)).unwrap_or(0));
            for (sum, total) in sums[first..].iter_mut().zip(&folded[..rest]) {
                *sum = total / (self.q - 1);
            }
            table = (0..rest).map(|i| (0..q).map(|x| table[x * rest + i]).sum()).collect();
        }
        sums
    }

    /// The count of every vector's point, in base-q order; 0 at the zero vector.
    fn vectors(self, messages: &[u64]) -> Vec<u64> {
        let mut table = vec![0; size(self.q).pow(self.t)];
        for (index, &count) in (0..points(self.q, self.t).unwrap_or(0)).zip(messages) {
            let point = self.point(index, self.t);
            for scale in 1..self.q {
                let vector = point.iter().fold(0, |value, &x| value * self.q + x * scale % self.q);
                table[size(vector)] = count;
            }
        }
        table
    }
}

/// Turns one axis of a table whose first axis has the stride `first`.
fn turn_axis(table: &mut [u64], q: usize, first: usize, stride: usize) {
    let mut plane = vec![0; q * q];
    for base in (0..first).filter(|base| (base / stride).is_multiple_of(q)) {
        for (i, cell) in plane.iter_mut().enumerate() {
            *cell = table[i / q * first + i % q * stride + base];
        }
        for z in 0..q {
            for v in 0..q {
                table[z * first + v * stride + base] = (0..q).map(|x| plane[(z + x * v) % q * q + x]).sum();
            }
        }
    }
}

/// The number of points in t coordinates: `1 + q + .. + q^(t-1)`; `None` beyond 64 bits.
fn points(q: u64, t: u32) -> Option<u64> {
    (0..t).try_fold(0_u64, |sum, _| sum.checked_mul(q)?.checked_add(1))
}

fn size(x: u64) -> usize {
    usize::try_from(x).unwrap_or(usize::MAX)
}

fn is_prime(n: u64) -> bool {
    n >= 2 && (2..=n.isqrt()).all(|factor| !n.is_multiple_of(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_and_points_are_one_to_one() {
        for (q, t) in [(2, 5), (3, 4), (7, 3), (13, 2)] {
            let space = Space { q, t };
            for index in 0..points(q, t).unwrap() {
                let point = space.point(index, t);
                assert_eq!(*point.iter().find(|&&x| x != 0).unwrap(), 1);
                assert_eq!(space.index(&point), index);
                let scaled: Vec<u64> = point.iter().map(|x| x * (q - 1) % q).collect();
                assert_eq!(space.index(&scaled), index);
            }
        }
    }

    /// Both ways to the support counts against the definition, on counts that no symmetry hides.
    #[test]
    fn blocks_and_transform_agree_with_the_inner_product() {
        for (q, t) in [(2, 4), (3, 3), (5, 3), (7, 2)] {
            let space = Space { q, t };
            let k = points(q, t).unwrap();
            let counts: Vec<u64> = (0..k).map(|m| m * m * 7 + 3 * m + 1).collect();
            let vectors: Vec<Vec<u64>> = (0..k).map(|m| space.point(m, t)).collect();
            let product = |a: &[u64], b: &[u64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<u64>() % q;
            let expected: Vec<u64> = vectors
                .iter()
                .map(|v| vectors.iter().zip(&counts).filter(|(m, _)| product(m, v) == 0).map(|(_, c)| c).sum())
                .collect();
            assert_eq!(space.block_sums(&counts), expected, "q={q} t={t}");
            let weights = Weights::new(3, 1).unwrap();
            let domain = u32::try_from(k).unwrap();
            let mechanism = ProjectiveGeometry { design: space.design(weights), domain, space };
            let walked: Vec<u64> = (0..k).map(|v| mechanism.block(v).map(|m| at(&counts, m)).sum()).collect();
            assert_eq!(walked, expected, "q={q} t={t}");
            assert_eq!(mechanism.support_counts(&counts), expected);
            // Missing counts are 0, surplus ones nobody's.
            let (short, long) = (&counts[..3], [&counts[..3], &vec![0; counts.len() - 3], &[9, 9]].concat());
            assert_eq!(mechanism.support_counts(short), mechanism.support_counts(&long));
        }
    }
}

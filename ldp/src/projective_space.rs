// SPDX-License-Identifier: MIT OR Apache-2.0
//! The points of a projective space over a prime field, as whole numbers; the conventions are [`crate::ProjectiveGeometry`]'s.

use std::ops::AddAssign;

use crate::design::BlockDesign;
use crate::epsilon::Weights;

/// A message must fit three bytes.
const MOST_MESSAGES: u64 = 1 << 24;
/// Larger fields than twice the largest domain serve nobody, and their products would not reduce exactly.
const MOST_ELEMENTS: u64 = 1 << 18;
/// The digits of the largest space, over F_2.
const MOST_DIGITS: u32 = 24;

/// The projective space over F_q in t coordinates.
///
/// Message `first[b] + rest` is the number `q^b + rest`, with `rest < q^b`. Value `i` of the group with its 1 at the place p is the
/// number `q^p (1 + q i)`, with `i < q^(t-1-p)`; the groups follow one another by p.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    q: u64,
    /// `floor(2^64 / q) + 1`
    reciprocal: u64,
    /// `q^b` for b = 0..=t
    power: Vec<u64>,
    /// `(q^b - 1)/(q - 1)`, the number of points in b coordinates, for b = 0..=t
    first: Vec<u64>,
}

impl Space {
    /// `None` with fewer than 2 coordinates, or with more elements or points than there may be.
    pub fn new(q: u64, t: u32) -> Option<Self> {
        if !(2..MOST_ELEMENTS).contains(&q) || !(2..=MOST_DIGITS).contains(&t) {
            return None;
        }
        let t = t as usize;
        let (mut power, mut first) = (vec![1_u64], vec![0_u64]);
        for b in 0..t {
            first.push(first[b].checked_add(power[b])?);
            power.push(power[b].checked_mul(q)?);
        }
        (first[t] <= MOST_MESSAGES).then_some(Self { q, reciprocal: u64::MAX / q + 1, power, first })
    }

    /// The smallest space over F_q with at least d points; `None` when that has too many.
    pub fn holding(d: u64, q: u64) -> Option<Self> {
        (2..=MOST_DIGITS).map_while(|t| Self::new(q, t)).find(|space| space.points() >= d)
    }

    pub fn q(&self) -> u64 {
        self.q
    }

    pub fn t(&self) -> u32 {
        u32::try_from(self.power.len() - 1).unwrap_or(u32::MAX)
    }

    pub fn points(&self) -> u64 {
        self.first[self.first.len() - 1]
    }

    pub fn design(&self, weights: Weights) -> BlockDesign {
        let t = self.first.len() - 1;
        BlockDesign::new(self.first[t], self.first[t - 1], self.first[t - 2], weights)
    }

    /// The `index`-th message orthogonal to a value: any canonical choice of the other digits; the one at p makes the product 0.
    pub fn orthogonal(&self, value: u64, index: u64) -> u64 {
        let (place, rest) = self.value(value);
        let (lead, others) = self.canonical(index);
        let above = others / self.power[place];
        let solved = self.reduce(self.q - self.product(rest, above)).1;
        self.index(lead + usize::from(lead >= place), self.insert(others, above, place, solved))
    }

    /// The `index`-th message not orthogonal to a value. The first q^p have their highest digit at p, and any below it. The others
    /// pair a canonical choice of digits that reaches above p with a product c = 1..q-1.
    pub fn oblique(&self, value: u64, index: u64) -> u64 {
        let (place, rest) = self.value(value);
        let reaching = index.saturating_sub(self.power[place]);
        let (choice, factor) = (reaching / (self.q - 1), reaching % (self.q - 1) + 1);
        let (lead, others) = self.canonical(self.first[place] + choice);
        let above = others / self.power[place];
        let solved = self.reduce(self.q - self.product(rest, above) + factor).1;
        let reaching = self.index(lead + 1, self.insert(others, above, place, solved));
        if index < self.power[place] { self.first[place] + index } else { reaching }
    }

    /// A value's place p and the digits above it.
    fn value(&self, value: u64) -> (usize, u64) {
        let t = self.power.len() - 1;
        let (mut place, mut rest) = (0, value);
        // Every group is looked at, so that the work does not depend on the value.
        for (group, size) in self.power[1..t].iter().rev().enumerate() {
            let beyond = place == group && rest >= *size;
            rest -= if beyond { *size } else { 0 };
            place += usize::from(beyond);
        }
        (place, rest)
    }

    /// The index of the message with its highest digit, a 1, at the place `lead`.
    fn index(&self, lead: usize, number: u64) -> u64 {
        number - self.power[lead] + self.first[lead]
    }

    /// The place of a message's highest digit, and the number.
    fn canonical(&self, index: u64) -> (usize, u64) {
        let lead = self.first[1..].iter().map(|&first| usize::from(first <= index)).sum::<usize>();
        (lead, index - self.first[lead] + self.power[lead])
    }

    /// The inner product of the digits of a value above its place with a message's digits from the place on, p left out.
    fn product(&self, mut value: u64, mut message: u64) -> u64 {
        let mut sum = 0;
        for _ in 1..self.power.len() {
            let ((v, x), (m, y)) = (self.reduce(value), self.reduce(message));
            sum += x * y;
            (value, message) = (v, m);
        }
        self.reduce(sum).1
    }

    /// A number with a digit put in at a place; `above` are its digits from there on, which move up.
    fn insert(&self, others: u64, above: u64, place: usize, digit: u64) -> u64 {
        others + above * (self.power[place + 1] - self.power[place]) + digit * self.power[place]
    }

    /// Quotient and remainder by q: exact below `2^46`, because the reciprocal is too large by less than `q < 2^18` parts of `2^64`.
    fn reduce(&self, number: u64) -> (u64, u64) {
        let quotient = (u128::from(number) * u128::from(self.reciprocal) >> 64) as u64;
        (quotient, number - quotient * self.q)
    }

    /// The sum of the messages over the block of each of the first `values` values, in `O(K q t)` additions.
    ///
    /// A message with its highest digit at b is a cell of a table over its b lower digits. For the values whose 1 is at the place p,
    /// digits below p do not matter and are summed away. What is left of a message joins v's block when its digit at p is
    /// `-(v_(p+1) m_(p+1) + .. + v_b)`: each axis above p is turned in its turn from the message's digit to the value's, which moves the
    /// digit at p.
    pub fn block_sums<T: Copy + Default + AddAssign>(&self, messages: &[T], values: usize) -> Vec<T> {
        let t = self.power.len() - 1;
        let mut tables: Vec<Vec<T>> =
            (0..t).map(|b| (0..self.power[b]).map(|rest| at(messages, self.first[b] + rest)).collect()).collect();
        let mut sums = Vec::with_capacity(values);
        for place in 0..t {
            // Messages whose highest digit is below p are orthogonal to all these values.
            let mut everywhere = T::default();
            tables[..place].iter().for_each(|folded| everywhere += folded[0]);
            let turned: Vec<Vec<T>> = tables[place + 1..].iter().map(|table| self.turn(table)).collect();
            let group = (values - sums.len()).min(size(self.power[t - 1 - place]));
            sums.extend((0..).take(group).map(|value| self.look_up(&turned, value, everywhere)));
            if sums.len() == values {
                break;
            }
            for table in &mut tables[place + 1..] {
                *table = table.chunks(size(self.q)).map(total).collect();
            }
        }
        sums
    }

    /// For each message the sum over the first values in whose block it is: `block_sums` of the space read backwards, because the
    /// digits of a value in reverse are those of a message, and the inner product stays.
    /// `twins` are [`Self::twins`].
    pub fn value_sums<T: Copy + Default + AddAssign>(&self, values: &[T], twins: &[usize]) -> Vec<T> {
        let mut reversed = vec![T::default(); twins.len()];
        values.iter().zip(twins).for_each(|(&value, &twin)| reversed[twin] = value);
        let mut sums = vec![T::default(); twins.len()];
        self.block_sums(&reversed, twins.len()).into_iter().zip(twins).for_each(|(sum, &twin)| sums[twin] = sum);
        sums
    }

    /// For each value the index of the message whose digits are its own in reverse.
    pub fn twins(&self) -> Vec<usize> {
        (0..self.points()).map(|value| size(self.twin(value))).collect()
    }

    fn twin(&self, value: u64) -> u64 {
        let (place, mut rest) = self.value(value);
        let lead = self.power.len() - 2 - place;
        let mut number = self.power[lead];
        for power in self.power[..lead].iter().rev() {
            let (left, digit) = self.reduce(rest);
            number += digit * power;
            rest = left;
        }
        self.index(lead, number)
    }

    /// Turns every axis but the first of a table from message digits to value digits.
    fn turn<T: Copy + Default + AddAssign>(&self, table: &[T]) -> Vec<T> {
        let q = size(self.q);
        let mut current = table.to_vec();
        let mut stride = q;
        while stride < table.len() {
            let mut next = vec![T::default(); table.len()];
            for base in (0..table.len()).step_by(q).filter(|base| (base / stride).is_multiple_of(q)) {
                for (v, x) in (0..q).flat_map(|v| (0..q).map(move |x| (v, x))) {
                    let (row, shift) = (&current[base + x * stride..][..q], x * v % q);
                    let sums = &mut next[base + v * stride..][..q];
                    sums[shift..].iter_mut().zip(row).for_each(|(sum, add)| *sum += *add);
                    sums[..shift].iter_mut().zip(&row[q - shift..]).for_each(|(sum, add)| *sum += *add);
                }
            }
            current = next;
            stride *= q;
        }
        current
    }

    /// Adds up a value's cells: in the table of every highest place b, where the digit at p balances the rest.
    fn look_up<T: Copy + AddAssign>(&self, turned: &[Vec<T>], value: u64, everywhere: T) -> T {
        let mut sum = everywhere;
        for (b, table) in turned.iter().enumerate() {
            let (high, low) = (value / self.power[b], value % self.power[b]);
            let balance = self.reduce(self.q - self.reduce(high).1).1;
            sum += table[size(low * self.q + balance)];
        }
        sum
    }
}

fn total<T: Copy + Default + AddAssign>(cells: &[T]) -> T {
    cells.iter().fold(T::default(), |mut sum, &cell| {
        sum += cell;
        sum
    })
}

fn at<T: Copy + Default>(table: &[T], index: u64) -> T {
    table.get(size(index)).copied().unwrap_or_default()
}

fn size(x: u64) -> usize {
    usize::try_from(x).unwrap_or(usize::MAX)
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "small numbers chosen by the tests")]
mod tests {
    use super::*;

    /// The digits of every message and of every value, from the definition of the points alone.
    fn points(q: u64, t: usize) -> (Vec<Vec<u64>>, Vec<Vec<u64>>) {
        let vectors = (1..q.pow(t as u32)).map(|n| (0..t).map(|i| n / q.pow(i as u32) % q).collect::<Vec<u64>>());
        let (mut messages, mut values) = (Vec::new(), Vec::new());
        for vector in vectors {
            let unit = |mut digits: std::slice::Iter<'_, u64>| digits.find(|&&x| x != 0) == Some(&1);
            if vector.iter().rfind(|&&x| x != 0) == Some(&1) {
                messages.push(vector.clone());
            }
            if unit(vector.iter()) {
                values.push(vector);
            }
        }
        values.sort_by_key(|v| v.iter().position(|&x| x != 0));
        (messages, values)
    }

    const SPACES: [(u64, usize); 7] = [(2, 5), (3, 2), (3, 4), (5, 3), (7, 3), (13, 2), (2, 2)];

    #[test]
    fn every_message_of_a_block_comes_once_and_the_others_from_outside() {
        for (q, t) in SPACES {
            let space = Space::new(q, t as u32).unwrap();
            let (messages, values) = points(q, t);
            assert_eq!(messages.len() as u64, space.points());
            for (v, value) in values.iter().enumerate() {
                let product = |m: &Vec<u64>| m.iter().zip(value).map(|(x, y)| x * y).sum::<u64>() % q;
                let (mut inside, mut outside): (Vec<u64>, Vec<u64>) =
                    (0..messages.len() as u64).partition(|&m| product(&messages[m as usize]) == 0);
                let mut orthogonal: Vec<u64> =
                    (0..inside.len() as u64).map(|i| space.orthogonal(v as u64, i)).collect();
                let mut oblique: Vec<u64> = (0..outside.len() as u64).map(|i| space.oblique(v as u64, i)).collect();
                for list in [&mut inside, &mut outside, &mut orthogonal, &mut oblique] {
                    list.sort_unstable();
                }
                assert_eq!((orthogonal, oblique), (inside, outside), "q={q} t={t} v={v}");
            }
        }
    }

    #[test]
    fn block_sums_are_sums_over_inner_products() {
        for (q, t) in SPACES {
            let space = Space::new(q, t as u32).unwrap();
            let (messages, values) = points(q, t);
            let counts: Vec<u64> = (0..space.points()).map(|m| m * m * 7 + 3 * m + 1).collect();
            let product = |a: &[u64], b: &[u64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<u64>() % q;
            let expected: Vec<u64> = values
                .iter()
                .map(|v| messages.iter().zip(&counts).filter(|(m, _)| product(m, v) == 0).map(|(_, c)| c).sum())
                .collect();
            for d in [1, 2, values.len() / 2, values.len()] {
                assert_eq!(space.block_sums(&counts, d), expected[..d], "q={q} t={t}");
                let weighed = |m: &Vec<u64>| {
                    values[..d].iter().zip(&counts).filter(|(v, _)| product(m, v) == 0).map(|(_, c)| c).sum::<u64>()
                };
                let expected: Vec<u64> = messages.iter().map(weighed).collect();
                assert_eq!(space.value_sums(&counts[..d], &space.twins()), expected, "q={q} t={t} d={d}");
            }
        }
    }

    #[test]
    fn missing_counts_are_0_and_surplus_ones_nobodys() {
        let space = Space::new(5, 3).unwrap();
        let counts: Vec<u64> = (1..=40).collect();
        let filled = [&counts[..3], &[0; 28]].concat();
        assert_eq!(space.block_sums(&counts[..3], 31), space.block_sums(&filled, 31));
        assert_eq!(space.block_sums(&counts, 31), space.block_sums(&counts[..31], 31));
    }

    #[test]
    fn reduction_is_exact_up_to_its_limit() {
        for q in [2, 3, 7, 101, 65_537, 199_999] {
            let space = Space::new(q, 2).unwrap();
            for number in
                [0, 1, q - 1, q, q + 1, q * q - 1, q * q, (1 << 46) - 1, (1 << 46) / q * q, (1 << 46) / q * q - 1]
            {
                assert_eq!(space.reduce(number), (number / q, number % q), "{number} by {q}");
            }
        }
    }
}

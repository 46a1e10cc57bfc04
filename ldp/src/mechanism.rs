// SPDX-License-Identifier: MIT OR Apache-2.0
//! One interface to every mechanism: randomise a true value, accumulate responses into support counts, debias the counts.

use std::borrow::Cow;

use rand::CryptoRng;

use crate::collision::Collision;
use crate::epsilon::Weights;
use crate::error::{ResponseError, ValueError};
use crate::projective_geometry::ProjectiveGeometry;
use crate::randomised_response::RandomisedResponse;
use crate::sampling::uniform_below;
use crate::subset_selection::SubsetSelection;
use crate::support::Support;
use crate::truncated_geometric::TruncatedGeometric;
use crate::value::{Message, Response, TrueValue, Value};

/// A mechanism with all its parameters fixed. Client, aggregator and analysis build the same one from the same definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// A symbol of d, reported as a symbol.
    RandomisedResponse(RandomisedResponse),
    /// A symbol of d, reported as a mask of w symbols.
    SubsetSelection(SubsetSelection),
    /// A symbol of d, reported as a point of a projective space.
    ProjectiveGeometry(ProjectiveGeometry),
    /// A set of at most m symbols, reported as a hash bucket.
    Collision(Collision),
    /// A count up to m, reported as a noised count.
    TruncatedGeometric(TruncatedGeometric),
}

/// The constants that turn support counts into unbiased estimates.
#[derive(Clone, Debug, PartialEq)]
pub enum Debias {
    /// One share per value: `f_v = (C_v/n - P_f) / (P_t - P_f)`.
    Shares(Support),
    /// One mean over all cells: `sum_y C_y phi_y / n`.
    Mean {
        /// phi, one entry per cell
        unbiased: Vec<f64>,
    },
}

impl Mechanism {
    /// Randomises a true value: the only way out for it. The generator's bits are used through one exact uniform integer
    /// (and one more for a collision's public seed).
    ///
    /// # Errors
    /// [`ValueError`] when the value is not in the input domain; nothing is drawn then.
    pub fn randomise<R: CryptoRng + ?Sized>(&self, value: &TrueValue, rng: &mut R) -> Result<Response, ValueError> {
        self.check(value)?;
        let message = match (self, value.open()) {
            (Self::RandomisedResponse(m), Value::Symbol(v)) => {
                Message::Symbol(m.encode(*v, uniform_below(rng, m.design.channel.total())))
            }
            (Self::SubsetSelection(m), Value::Symbol(v)) => {
                Message::Mask(m.encode(*v, uniform_below(rng, m.design.channel.total())))
            }
            (Self::ProjectiveGeometry(m), Value::Symbol(v)) => {
                let message = m.encode(*v, uniform_below(rng, m.design.channel.total()));
                Message::Symbol(u32::try_from(message).unwrap_or(u32::MAX))
            }
            (Self::Collision(m), Value::Set(items)) => m.randomise(items, rng),
            (Self::TruncatedGeometric(m), Value::Count(x)) => {
                Message::Symbol(m.encode(*x, uniform_below(rng, m.total())))
            }
            _ => return Err(ValueError::WrongKind),
        };
        Ok(Response(message))
    }

    /// Whether a value is in the input domain.
    ///
    /// # Errors
    /// [`ValueError`] naming the kind of fault.
    pub fn check(&self, value: &TrueValue) -> Result<(), ValueError> {
        let largest = match (self, value.open()) {
            (
                Self::RandomisedResponse(_) | Self::SubsetSelection(_) | Self::ProjectiveGeometry(_),
                Value::Symbol(v),
            ) => Some(*v),
            (Self::TruncatedGeometric(_), Value::Count(x)) => Some(*x),
            (Self::Collision(m), Value::Set(items)) => {
                let mut sorted = items.clone();
                sorted.sort_unstable();
                sorted.dedup();
                if sorted.len() != items.len() || items.len() > m.bound as usize {
                    return Err(ValueError::BadSet);
                }
                sorted.last().copied()
            }
            _ => return Err(ValueError::WrongKind),
        };
        match largest {
            Some(v) if v as usize >= self.values() => Err(ValueError::OutOfRange),
            _ => Ok(()),
        }
    }

    /// The number of values: d, or m + 1 for a count.
    #[must_use]
    pub fn values(&self) -> usize {
        match self {
            Self::ProjectiveGeometry(m) => m.domain as usize,
            _ => self.cells(),
        }
    }

    /// The number of counters that responses accumulate into: one for each value, or for projective geometry response one
    /// for each message.
    #[must_use]
    pub fn cells(&self) -> usize {
        match self {
            Self::RandomisedResponse(m) => usize::try_from(m.design.channel.messages).unwrap_or(usize::MAX),
            Self::ProjectiveGeometry(m) => usize::try_from(m.design.channel.messages).unwrap_or(usize::MAX),
            Self::SubsetSelection(m) => m.domain as usize,
            Self::Collision(m) => m.domain as usize,
            Self::TruncatedGeometric(m) => m.bound() as usize + 1,
        }
    }

    /// Calls `add` with every cell that a response counts in. A response from [`Self::decode`] of the same mechanism
    /// counts only in cells below [`Self::cells`].
    ///
    /// # Errors
    /// [`ResponseError`] for another mechanism's response; nothing was added then.
    pub fn accumulate(&self, response: &Response, mut add: impl FnMut(usize)) -> Result<(), ResponseError> {
        self.validate(response)?;
        match (self, response.0) {
            (_, Message::Symbol(symbol)) => add(symbol as usize),
            (_, Message::Mask(mut mask)) => {
                while mask != 0 {
                    add(mask.trailing_zeros() as usize);
                    mask &= mask - 1;
                }
            }
            (Self::Collision(m), Message::Hashed { seed, bucket }) => {
                (0..m.domain).filter(|&item| m.bucket(seed, item) == bucket).for_each(|item| add(item as usize));
            }
            _ => return Err(ResponseError::WrongKind),
        }
        Ok(())
    }

    /// The support count of every value, from the accumulated cells: the same numbers, but for projective geometry response
    /// the sum over each value's block. `cells` has [`Self::cells`] entries; missing ones count as 0.
    #[must_use]
    pub fn support_counts<'a>(&self, cells: &'a [u64]) -> Cow<'a, [u64]> {
        match self {
            Self::ProjectiveGeometry(m) => Cow::Owned(m.support_counts(cells)),
            _ => Cow::Borrowed(cells),
        }
    }

    /// The constants that debias the support counts.
    #[must_use]
    pub fn debias(&self) -> Debias {
        Debias::Shares(match self {
            Self::RandomisedResponse(m) => m.design.support(),
            Self::SubsetSelection(m) => m.design.support(),
            Self::ProjectiveGeometry(m) => m.design.support(),
            Self::Collision(m) => m.support(),
            Self::TruncatedGeometric(m) => return Debias::Mean { unbiased: m.unbiased() },
        })
    }

    /// A and B: the privacy loss of a report is `ln(A/B)`, exactly.
    #[must_use]
    pub fn weights(&self) -> Weights {
        match self {
            Self::RandomisedResponse(m) => m.design.channel.weights,
            Self::SubsetSelection(m) => m.design.channel.weights,
            Self::ProjectiveGeometry(m) => m.design.channel.weights,
            Self::Collision(m) => m.weights,
            Self::TruncatedGeometric(m) => m.weights,
        }
    }

    /// The length of an encoded response in bytes: the smallest that holds it.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        match self {
            Self::SubsetSelection(m) => m.domain.div_ceil(8) as usize,
            Self::Collision(_) => 4,
            Self::RandomisedResponse(_) | Self::ProjectiveGeometry(_) | Self::TruncatedGeometric(_) => {
                match self.cells() {
                    0..=0x100 => 1,
                    0x101..=0x1_0000 => 2,
                    _ => 3,
                }
            }
        }
    }

    /// Writes a response as [`Self::payload_len`] little-endian bytes: the symbol, the mask (bit v for value v), or the
    /// seed and then the bucket as two 16-bit numbers.
    ///
    /// # Errors
    /// [`ResponseError`] for another mechanism's response.
    pub fn encode(&self, response: &Response) -> Result<Vec<u8>, ResponseError> {
        self.validate(response)?;
        let bits = match response.0 {
            Message::Symbol(symbol) => symbol.into(),
            Message::Mask(mask) => mask,
            Message::Hashed { seed, bucket } => u64::from(seed) | u64::from(bucket) << 16,
        };
        Ok(bits.to_le_bytes()[..self.payload_len()].to_vec())
    }

    /// Reads a response and checks that an honest client can have sent it.
    ///
    /// # Errors
    /// [`ResponseError`] naming the kind of fault, never the content.
    pub fn decode(&self, payload: &[u8]) -> Result<Response, ResponseError> {
        if payload.len() != self.payload_len() {
            return Err(ResponseError::WrongLength);
        }
        let bits = payload.iter().rev().fold(0_u64, |bits, &byte| bits << 8 | u64::from(byte));
        #[expect(clippy::cast_possible_truncation, reason = "a symbol has at most 3 bytes, a seed and a bucket 2 each")]
        let message = match self {
            Self::RandomisedResponse(_) | Self::ProjectiveGeometry(_) | Self::TruncatedGeometric(_) => {
                Message::Symbol(bits as u32)
            }
            Self::SubsetSelection(_) => Message::Mask(bits),
            Self::Collision(_) => Message::Hashed { seed: bits as u16, bucket: (bits >> 16) as u16 },
        };
        let response = Response(message);
        self.validate(&response)?;
        Ok(response)
    }

    fn validate(&self, response: &Response) -> Result<(), ResponseError> {
        match (self, response.0) {
            (
                Self::RandomisedResponse(_) | Self::ProjectiveGeometry(_) | Self::TruncatedGeometric(_),
                Message::Symbol(symbol),
            ) => (symbol as usize).lt(&self.cells()).then_some(()).ok_or(ResponseError::OutOfRange),
            (Self::SubsetSelection(m), Message::Mask(mask)) => {
                let in_domain = m.domain == 64 || mask >> m.domain == 0;
                (in_domain && mask.count_ones() == m.subset).then_some(()).ok_or(ResponseError::WrongMaskWeight)
            }
            (Self::Collision(m), Message::Hashed { bucket, .. }) => {
                u32::from(bucket).lt(&m.buckets).then_some(()).ok_or(ResponseError::OutOfRange)
            }
            _ => Err(ResponseError::WrongKind),
        }
    }
}

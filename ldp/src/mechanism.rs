// SPDX-License-Identifier: MIT OR Apache-2.0
//! One interface to every mechanism: randomise a true value, accumulate responses into cells, debias what they add up to.

use std::borrow::Cow;

use rand::CryptoRng;

use crate::collision::Collision;
use crate::design::{BlockDesign, Blocks};
use crate::epsilon::Weights;
use crate::error::{ResponseError, ValueError};
use crate::mean::{HybridMean, OneBitMean};
use crate::priv_set::PrivSet;
use crate::projective_geometry::ProjectiveGeometry;
use crate::randomised_response::RandomisedResponse;
use crate::sampling::uniform_below;
use crate::square_wave::SquareWave;
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
    /// A set of at most m symbols, reported as a mask of k symbols.
    PrivSet(PrivSet),
    /// The mean of a count up to m, reported as one bit.
    OneBitMean(OneBitMean),
    /// The mean of a count up to m, reported as a point of a widened line or one bit.
    HybridMean(HybridMean),
    /// The distribution of a count up to m, reported as a point of a widened line.
    SquareWave(SquareWave),
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
    /// Randomises a true value: the only way out for it. The generator's bits are used through exact uniform integers: one, and for
    /// a collision's public seed or a hybrid's public choice one more.
    ///
    /// # Errors
    /// [`ValueError`] when the value is not in the input domain; nothing is drawn then.
    pub fn randomise<R: CryptoRng + ?Sized>(&self, value: &TrueValue, rng: &mut R) -> Result<Response, ValueError> {
        self.check(value)?;
        if let (Some(blocks), Value::Symbol(v)) = (self.blocks(), value.open()) {
            let message = blocks.encode(*v, uniform_below(rng, blocks.design().channel.total()));
            return Ok(self.respond(message));
        }
        let message = match (self, value.open()) {
            (Self::Collision(m), Value::Set(items)) => return Ok(Response(m.randomise(items, rng))),
            (Self::PrivSet(m), Value::Set(items)) => m.encode(items, uniform_below(rng, m.channel.total())),
            (Self::OneBitMean(m), Value::Count(x)) => m.encode(*x, uniform_below(rng, m.total())),
            (Self::HybridMean(m), Value::Count(x)) => m.randomise(*x, rng),
            (Self::SquareWave(m), Value::Count(x)) => m.window.encode(*x, uniform_below(rng, m.window.channel.total())),
            (Self::TruncatedGeometric(m), Value::Count(x)) => m.encode(*x, uniform_below(rng, m.total())).into(),
            _ => return Err(ValueError::WrongKind),
        };
        Ok(self.respond(message))
    }

    /// Whether a value is in the input domain.
    ///
    /// # Errors
    /// [`ValueError`] naming the kind of fault.
    pub fn check(&self, value: &TrueValue) -> Result<(), ValueError> {
        let largest = match (value.open(), self.set_bound()) {
            (Value::Set(items), Some(bound)) => {
                let mut sorted = items.clone();
                sorted.sort_unstable();
                sorted.dedup();
                if sorted.len() != items.len() || items.len() > bound as usize {
                    return Err(ValueError::BadSet);
                }
                sorted.last().copied()
            }
            (Value::Symbol(v), None) if self.blocks().is_some() => Some(*v),
            (Value::Count(x), None) if self.blocks().is_none() => Some(*x),
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
        let values = match self {
            Self::ProjectiveGeometry(m) => m.domain,
            Self::OneBitMean(m) => m.bound + 1,
            Self::HybridMean(m) => m.one_bit.bound + 1,
            Self::SquareWave(m) => m.bound + 1,
            _ => return self.cells(),
        };
        values as usize
    }

    /// The number of counters that responses accumulate into: one for each symbol that a response can be, or where responses are
    /// masks or hashes, one for each value.
    #[must_use]
    pub fn cells(&self) -> usize {
        let cells = match self {
            Self::RandomisedResponse(m) => m.design.channel.messages,
            Self::ProjectiveGeometry(m) => m.design.channel.messages,
            Self::SubsetSelection(m) => m.domain.into(),
            Self::Collision(m) => m.domain.into(),
            Self::PrivSet(m) => m.domain.into(),
            Self::OneBitMean(_) => 2,
            Self::HybridMean(m) => m.outputs(),
            Self::SquareWave(m) => m.window.channel.messages,
            Self::TruncatedGeometric(m) => u64::from(m.bound()) + 1,
        };
        usize::try_from(cells).unwrap_or(usize::MAX)
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
            (_, Message::Mask(mask)) => {
                // PrivSet's fill lies above the dictionary and means nothing.
                let mut held = mask & (u64::MAX >> (64 - self.cells().min(64)));
                while held != 0 {
                    add(held.trailing_zeros() as usize);
                    held &= held - 1;
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
        let unbiased = match self {
            Self::RandomisedResponse(m) => return Debias::Shares(m.design.support()),
            Self::SubsetSelection(m) => return Debias::Shares(m.design.support()),
            Self::ProjectiveGeometry(m) => return Debias::Shares(m.design.support()),
            Self::Collision(m) => return Debias::Shares(m.support()),
            Self::PrivSet(m) => return Debias::Shares(m.support()),
            Self::OneBitMean(m) => m.unbiased().to_vec(),
            Self::HybridMean(m) => m.unbiased(),
            Self::SquareWave(m) => m.window.unbiased(),
            Self::TruncatedGeometric(m) => m.unbiased(),
        };
        Debias::Mean { unbiased }
    }

    /// P[cell y | the count x] for every cell, for mechanisms of counts; `None` for symbols and sets, and beyond the bound.
    #[must_use]
    pub fn row(&self, x: u32) -> Option<Vec<f64>> {
        if x as usize >= self.values() {
            return None;
        }
        match self {
            Self::OneBitMean(m) => Some(m.chances(x).to_vec()),
            Self::HybridMean(m) => Some(m.chances(x)),
            Self::SquareWave(m) => Some((0..m.window.channel.messages).map(|y| m.window.chance(x, y)).collect()),
            Self::TruncatedGeometric(m) => {
                Some((0..=m.bound()).map(|y| m.weight(x, y) as f64 / m.total() as f64).collect())
            }
            _ => None,
        }
    }

    /// The balanced block design of the mechanism, if it is one: what amplification, poisoning and linkability follow from.
    #[must_use]
    pub fn design(&self) -> Option<&BlockDesign> {
        self.blocks().map(Blocks::design)
    }

    /// A and B: the mechanism's privacy loss is `ln(A/B)` exactly.
    #[must_use]
    pub fn weights(&self) -> Weights {
        match self {
            Self::RandomisedResponse(m) => m.design.channel.weights,
            Self::SubsetSelection(m) => m.design.channel.weights,
            Self::ProjectiveGeometry(m) => m.design.channel.weights,
            Self::Collision(m) => m.weights,
            Self::PrivSet(m) => m.channel.weights,
            Self::OneBitMean(m) => m.weights,
            Self::HybridMean(m) => m.one_bit.weights,
            Self::SquareWave(m) => m.window.channel.weights,
            Self::TruncatedGeometric(m) => m.weights(),
        }
    }

    pub(crate) fn blocks(&self) -> Option<&dyn Blocks> {
        match self {
            Self::RandomisedResponse(m) => Some(m),
            Self::SubsetSelection(m) => Some(m),
            Self::ProjectiveGeometry(m) => Some(m),
            _ => None,
        }
    }

    const fn set_bound(&self) -> Option<u32> {
        match self {
            Self::Collision(m) => Some(m.bound),
            Self::PrivSet(m) => Some(m.bound),
            _ => None,
        }
    }
}

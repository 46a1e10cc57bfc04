// SPDX-License-Identifier: MIT OR Apache-2.0
//! What can be wrong with a parameter, a value or a response.

/// A parameter that no mechanism can be built from.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// Epsilon is not a decimal with at most six places between 0.000001 and 16.
    #[error("epsilon must be between 0.000001 and 16 with at most six decimals, not {0}")]
    Epsilon(f64),
    /// A domain of fewer than 2 or more than 100,000 values.
    #[error("a domain has 2 to 100000 values, not {0}")]
    DomainSize(u64),
    /// A bound on set size or count outside 1 to 255.
    #[error("a bound is a whole number from 1 to 255, not {0}")]
    Bound(u64),
    /// Weights that do not describe a channel.
    #[error("weights need inside > outside > 0 and inside < 2^56, not {inside} and {outside}")]
    Weights {
        /// A
        inside: u64,
        /// B
        outside: u64,
    },
    /// Subset selection keeps its mask in 64 bits.
    #[error("subset selection takes a domain of at most 64 values, not {0}: use projective geometry response")]
    MaskTooWide(u32),
    /// Projective geometry response keeps its message in three bytes.
    #[error("no projective space with at most 2^24 points holds {0} values at this epsilon: use a smaller domain")]
    TooManyMessages(u32),
    /// The bound on set size is at least the dictionary's size.
    #[error("a set bound of {bound} needs a dictionary of more than {bound} values, not {domain}")]
    BoundOverDomain {
        /// the most items in a set
        bound: u32,
        /// dictionary size
        domain: u32,
    },
    /// The integer weights cannot resolve so small a step of the noise.
    #[error(
        "epsilon {epsilon} over counts up to {bound} is too fine for the integer weights: raise epsilon or lower the bound"
    )]
    TooFine {
        /// nominal epsilon
        epsilon: Epsilon,
        /// the largest count
        bound: u32,
    },
    /// The collision mechanism's buckets would not fit its 16-bit field.
    #[error("epsilon {epsilon} with sets of {bound} needs {buckets} buckets, more than 65535: lower either")]
    TooManyBuckets {
        /// nominal epsilon
        epsilon: Epsilon,
        /// the most items in a set
        bound: u32,
        /// buckets that the optimum asks for
        buckets: u128,
    },
    /// Ratios or chances that no pair of rows has.
    #[error("a blanket needs mass > 0, ratios of at least 1, and masses times ratios that add up to 1 on either side")]
    Blanket,
    /// A number of reports, an epsilon or a delta out of range.
    #[error("shuffling needs 1 to 2^53 reports, a finite epsilon of at least 0 and a delta between 0 and 1")]
    Shuffle,
    /// A chance of taking part outside (0, 1].
    #[error("participation is a chance above 0 and at most 1, not {0}")]
    Participation(f64),
    /// Two stages of a memoised report that do not fit.
    #[error("the weekly loss must be below the permanent one")]
    Refresh,
}

use crate::Epsilon;

/// A value that is not in the mechanism's input domain. It names the kind of fault, never the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// Another kind of value than the mechanism takes.
    #[error("the mechanism takes another kind of value (symbol, set or count)")]
    WrongKind,
    /// A symbol, item or count beyond its largest.
    #[error("the value lies outside the mechanism's domain")]
    OutOfRange,
    /// More items than the bound, or an item twice.
    #[error("the set has more items than its bound, or an item twice")]
    BadSet,
}

/// A response that no honest client can have sent. It names the kind of fault, never the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResponseError {
    /// The payload's length differs from the mechanism's.
    #[error("the payload has the wrong length for this mechanism")]
    WrongLength,
    /// The response is of another mechanism's kind.
    #[error("the response belongs to another mechanism")]
    WrongKind,
    /// A symbol or bucket beyond the last.
    #[error("the response's symbol lies outside the mechanism's alphabet")]
    OutOfRange,
    /// A mask that does not have exactly w bits of the domain set.
    #[error("the mask has the wrong number of bits set")]
    WrongMaskWeight,
}

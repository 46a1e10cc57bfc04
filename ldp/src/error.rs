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
    /// A confidence that is no chance, or leaves no doubt.
    #[error("a confidence lies strictly between 0 and 1, not {0}")]
    Confidence(f64),
    /// Subset selection keeps its mask in 64 bits.
    #[error("subset selection takes a domain of at most 64 values, not {0}: use projective geometry response")]
    MaskTooWide(u32),
    /// Projective geometry response keeps its message in three bytes.
    #[error("no projective space with at most 2^24 points holds {0} values at this epsilon: use a smaller domain")]
    TooManyMessages(u32),
    /// A geometry that does not exist, or does not hold the domain.
    #[error(
        "no space of {t} coordinates over {q} elements holds {domain} values: q must be a prime below 2^18, and 2^24 points are the most"
    )]
    NoSuchSpace {
        /// the field's size
        q: u64,
        /// the number of coordinates
        t: u32,
        /// dictionary size
        domain: u32,
    },
    /// The bound on set size is at least the dictionary's size.
    #[error("a set bound of {bound} needs a dictionary of more than {bound} values, not {domain}")]
    BoundOverDomain {
        /// the most items in a set
        bound: u32,
        /// dictionary size
        domain: u32,
    },
    /// PrivSet keeps its mask in 64 bits.
    #[error(
        "a set mask takes a dictionary and a bound of at most 64 together, not {domain} and {bound}: use collision"
    )]
    SetMaskTooWide {
        /// dictionary size
        domain: u32,
        /// the most items in a set
        bound: u32,
    },
    /// Memoisation needs a mechanism that is a block design.
    #[error("memoisation takes randomised response, subset selection or projective geometry response")]
    NoBlockDesign,
    /// The epsilon of one report must be below that of the permanent answer.
    #[error("the epsilon of one report must be below the permanent answer's {permanent:.6}, not {once}")]
    NotBelow {
        /// epsilon of one report
        once: Epsilon,
        /// realised loss of the permanent answer
        permanent: f64,
    },
    /// Nothing answers the question within the limit on bytes.
    #[error("no mechanism fits: {0}")]
    NoCandidate(String),
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
    /// One week's report must lose less than the permanent response that it is drawn from.
    #[error("epsilon of one report must be below epsilon of the permanent response, not {first} and {infinity}")]
    FirstReport {
        /// epsilon_1
        first: Epsilon,
        /// epsilon_infinity
        infinity: Epsilon,
    },
    /// A design or likelihood ratios that describe no memoised chain.
    #[error(
        "a chain needs 0 < block < messages and 1 < first <= permanent, not {block}, {messages}, {first}, {permanent}"
    )]
    Chain {
        /// K
        messages: u64,
        /// r
        block: u64,
        /// the likelihood ratio of the permanent response
        permanent: f64,
        /// the likelihood ratio of one report
        first: f64,
    },
    /// Chances of a one from a set and from a clear bit.
    #[error("chances of a one need 0 <= from a clear bit < from a set bit <= 1, not {clear} and {set}")]
    BitChances {
        /// P[1 | 1]
        set: f64,
        /// P[1 | 0]
        clear: f64,
    },
    /// Local hashing into fewer than two buckets, or too many for 16 bits.
    #[error("local hashing needs 2 to 65535 buckets, not {0}")]
    HashBuckets(u32),
    /// More bits asked for than there are, or none.
    #[error("a workstation is asked for 1 to {domain} bits, not {asked}")]
    AskedBits {
        /// d', the bits asked of each workstation
        asked: u32,
        /// b, all bits
        domain: u32,
    },
    /// A report about no attribute at all.
    #[error("a report needs at least one attribute")]
    NoAttributes,
    /// Two chances of a reported bit that tell nothing, or tell for certain.
    #[error("the chances of a bit need 0 < smaller < larger < 1, not {smaller} and {larger}")]
    Chances {
        /// of a bit that is to be 1
        larger: f64,
        /// of a bit that is to be 0
        smaller: f64,
    },
    /// RAPPOR's f outside (0, 1).
    #[error("f, the noise of the permanent response, lies between 0 and 1, both excluded; not {0}")]
    PermanentNoise(f64),
    /// Local hashing into fewer than 2 buckets.
    #[error("local hashing needs 2 buckets or more, not {0}")]
    Buckets(u32),
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

/// Cells that honest reports cannot have added up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CountsError {
    /// Nothing can be estimated.
    #[error("there are no reports: nothing can be estimated")]
    NoReports,
    /// The cells do not count messages, so their likelihood is not known.
    #[error("the cells of masks and of hashed reports count values, not messages: estimate and project instead")]
    NoMessages,
    /// Another number of cells than the mechanism has.
    #[error("the mechanism has {expected} cells, not {found}")]
    WrongLength {
        /// the mechanism's cells
        expected: usize,
        /// the given ones
        found: usize,
    },
    /// A response counts in a cell at most once.
    #[error("cell {cell} holds {count}, more than the {reports} reports")]
    MoreThanReports {
        /// index
        cell: usize,
        /// its content
        count: u64,
        /// the number of reports
        reports: u64,
    },
    /// Every response counts in the same number of cells.
    #[error("the cells add up to {found}, and {expected} would be right for this many reports")]
    WrongSum {
        /// cells times reports
        expected: u128,
        /// the sum of the given cells
        found: u128,
    },
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Memoisation: the same question every week, at the price of one permanent answer while the value stays.
//!
//! A workstation draws a *permanent* message for its value once, from a block design at `epsilon_infinity`, and sends each week
//! either that message, with chance Lambda, or a uniform one of all K. With the right Lambda the weekly report follows exactly
//! the same design at `epsilon_once`, so nothing is lost against a fresh answer (LDP.md section 2.9; relaxing a randomised
//! response without changing its form goes back to Pan, arXiv 2401.13952, 2024).
//!
//! # Lambda in integers
//! A weekly message m has weight `Lambda w(m) / W + (1 - Lambda) / K` with `w` = A or B of the permanent channel; the two kinds must
//! stand as A1 to B. With `r/K = s/e` in lowest terms that is
//! `Lambda : 1 - Lambda = (A1 - B) (s A + (e - s) B) : (A - A1) e B`, two whole numbers.
//!
//! # What is bounded
//! The permanent message comes from a pseudo-random stream of a 32-byte secret, one stream for each value, so nothing else need be
//! kept; the secret is drawn anew each epoch. A [`Memory`] answers for at most `cap` distinct values and then goes on with the last:
//! - With `cap` 1 it answers for the epoch's first value. All reports of the epoch follow from one permanent message, so whatever the
//!   values do, the epoch loses at most `epsilon_infinity`.
//! - With a larger `cap`, two histories *that change in the same weeks* differ by at most `epsilon_infinity` for each distinct value.
//!   **When** a value changes is not covered by that: a permanent message that is no longer repeated shows it, and each week adds
//!   up to `ln(1 + K Lambda / (1 - Lambda))`. A rotating panel with fresh noise has no such gap.

use rand::rngs::ChaCha20Rng;
use rand::{CryptoRng, RngExt as _, SeedableRng as _};

use crate::design::{BlockDesign, Channel};
use crate::epsilon::Epsilon;
use crate::error::{ParameterError, ValueError};
use crate::mechanism::Mechanism;
use crate::sampling::uniform_below;
use crate::value::{Response, TrueValue, Value};

/// A block design whose answers are remembered: the public parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Memoised {
    permanent: Mechanism,
    once: BlockDesign,
    /// Lambda is `keep / (keep + renew)`
    keep: u128,
    renew: u128,
}

/// What a workstation remembers of one metric in one epoch: a secret, and which values it has answered for.
///
/// It opens all its permanent messages: it belongs in the workstation's own state only and is erased with it.
#[derive(Clone)]
pub struct Memory {
    secret: [u8; 32],
    cap: usize,
    answered: Vec<u32>,
}

impl Memory {
    /// A new secret from the generator, for at most `cap` distinct values (at least one). Only `cap` 1 bounds the epoch's loss by
    /// `epsilon_infinity` whatever the values do.
    #[must_use]
    pub fn draw<R: CryptoRng + ?Sized>(cap: u8, rng: &mut R) -> Self {
        Self { secret: rng.random(), cap: usize::from(cap.max(1)), answered: Vec::new() }
    }

    /// The value to answer for: the true one while it is one of the first `cap`, else the last that was answered for.
    fn admit(&mut self, value: u32) -> u32 {
        if let Some(known) = self.answered.iter().position(|&v| v == value) {
            // The last place holds the value that a frozen memory goes on answering for.
            self.answered[known..].rotate_left(1);
        } else if self.answered.len() < self.cap {
            self.answered.push(value);
        }
        self.answered.last().copied().unwrap_or(value)
    }

    /// How many distinct values have been answered for. More than one shows when the value changed: see the module's text.
    #[must_use]
    pub fn distinct(&self) -> usize {
        self.answered.len()
    }
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Memory(hidden)")
    }
}

impl Memoised {
    /// Permanent answers by `permanent`, a block design at `epsilon_infinity`; each report at `once`.
    ///
    /// # Errors
    /// [`ParameterError::NoBlockDesign`] for a mechanism of sets or counts; [`ParameterError::NotBelow`] unless `once` is less
    /// than the permanent epsilon.
    pub fn new(permanent: Mechanism, once: Epsilon) -> Result<Self, ParameterError> {
        let design = *permanent.design().ok_or(ParameterError::NoBlockDesign)?;
        let channel = design.channel;
        let weights = once.weights();
        let (high, low, b) = (channel.weights.inside(), weights.inside(), channel.weights.outside());
        if weights.outside() != b || low >= high {
            return Err(ParameterError::NotBelow { once, permanent: channel.weights.ratio().ln() });
        }
        Ok(Self::chain(permanent, &channel, BlockDesign::new(channel.messages, channel.block, design.shared, weights)))
    }

    fn chain(permanent: Mechanism, channel: &Channel, once: BlockDesign) -> Self {
        let common = gcd(channel.messages, channel.block);
        let (s, e) = (u128::from(channel.block / common), u128::from(channel.messages / common));
        let [high, low, b] =
            [channel.weights.inside(), once.channel.weights.inside(), channel.weights.outside()].map(u128::from);
        // s is at most the domain's size, below 2^17; e below 2^24; A below 2^56 and A1, of an Epsilon, below 2^55.1.
        let keep = (low - b) * (s * high + (e - s) * b);
        let renew = (high - low) * e * b;
        Self { permanent, once, keep, renew }
    }

    /// The report of one period: exactly the design at `epsilon_once`. The permanent message is derived from the memory, the coin
    /// and the uniform message from `rng`.
    ///
    /// # Errors
    /// [`ValueError`] when the value is not in the input domain; nothing is drawn or remembered then.
    pub fn randomise<R: CryptoRng + ?Sized>(
        &self,
        memory: &mut Memory,
        value: &TrueValue,
        rng: &mut R,
    ) -> Result<Response, ValueError> {
        self.permanent.check(value)?;
        let (Some(blocks), Value::Symbol(value)) = (self.permanent.blocks(), value.open()) else {
            return Err(ValueError::WrongKind);
        };
        let value = memory.admit(*value);
        let mut stream = ChaCha20Rng::from_seed(memory.secret);
        stream.set_stream(value.into());
        let kept = blocks.encode(value, uniform_below(&mut stream, blocks.design().channel.total()));
        // Both draws are made whichever is sent.
        let keep = uniform_below(rng, self.keep + self.renew) < self.keep;
        #[expect(clippy::cast_possible_truncation, reason = "below the number of messages, a u64")]
        let fresh = blocks.message(uniform_below(rng, self.once.channel.messages.into()) as u64);
        Ok(self.permanent.respond(if keep { kept } else { fresh }))
    }

    /// The mechanism of the permanent answers; it also reads and accumulates the weekly reports.
    #[must_use]
    pub const fn permanent(&self) -> &Mechanism {
        &self.permanent
    }

    /// The design that each report follows, at `epsilon_once`: its support debiases the counts.
    #[must_use]
    pub const fn once(&self) -> &BlockDesign {
        &self.once
    }

    /// Lambda, the chance that a report is the permanent message.
    #[must_use]
    pub fn keep_chance(&self) -> f64 {
        self.keep as f64 / (self.keep + self.renew) as f64
    }

    /// How well two reports of one unchanged value betray that they come from one workstation: their mutual information in bits, to
    /// an observer to whom every value is equally likely; between 0 and `log2 K`. `log2 n` bits would single one out of n. For a
    /// projective space with more points than values it is that of the full space, off by less than a thousandth of a bit.
    ///
    /// A design's messages are then uniform one by one, and two reports are the same permanent message with chance Lambda^2, else
    /// independent: `P(m, m) = (L + (1 - L)/K)/K` and `P(m, m') = (1 - L)/K^2` with `L = Lambda^2`.
    #[must_use]
    pub fn linkability(&self) -> f64 {
        let k = self.once.channel.messages as f64;
        // Past what an f64 can tell from 1, two reports are the same.
        let both = self.keep_chance().powi(2).min(1.0 - f64::EPSILON);
        let apart = (1.0 - both) / k;
        let (same, other) = (both + apart, (k - 1.0) * apart);
        same * (same * k).log2() + other * (apart * k).log2()
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DomainSize, ProjectiveGeometry, RandomisedResponse, SubsetSelection, Weights};

    fn size(d: u64) -> DomainSize {
        DomainSize::try_from(d).unwrap()
    }

    fn designs(d: u64, weights: Weights) -> [Mechanism; 3] {
        [
            Mechanism::RandomisedResponse(RandomisedResponse::new(size(d), weights)),
            Mechanism::SubsetSelection(SubsetSelection::new(size(d), weights).unwrap()),
            Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(size(d), weights).unwrap()),
        ]
    }

    /// The two weights of a weekly message, over a common denominator, stand exactly as A1 to B.
    #[test]
    fn the_chain_is_the_one_shot_channel_in_integers() {
        for (high, low, b) in [(7, 3, 1), (50, 7, 6), (9, 8, 3)] {
            for d in [2, 3, 4, 9, 13, 20] {
                for permanent in designs(d, Weights::new(high, b).unwrap()) {
                    let design = *permanent.design().unwrap();
                    let weights = Weights::new(low, b).unwrap();
                    let once = BlockDesign::new(design.channel.messages, design.channel.block, design.shared, weights);
                    let memoised = Memoised::chain(permanent, &design.channel, once);
                    let (total, k) = (design.channel.total(), u128::from(design.channel.messages));
                    let weight = |w: u64| memoised.keep * u128::from(w) * k + memoised.renew * total;
                    assert_eq!(weight(high) * u128::from(b), weight(b) * u128::from(low), "d={d} {high} {low} {b}");
                }
            }
        }
    }

    /// The column "PGR+Lambda bits" of LDP.md section 2.9, to its digit.
    #[test]
    fn linkability_is_the_table() {
        for (d, permanent, once, printed, q) in [
            (100, 2.0, 1.0, "1.2", 3),
            (1000, 2.0, 1.0, "2.0", 3),
            (100, 4.0, 2.0, "0.7", 11),
            (1000, 4.0, 2.0, "2.5", 7),
        ] {
            let [permanent, once]: [Epsilon; 2] = [permanent, once].map(|e| Epsilon::try_from(e).unwrap());
            // The geometry is the one that suits the weekly epsilon.
            let geometry = ProjectiveGeometry::new(size(d), once.weights()).unwrap().with_weights(permanent.weights());
            assert_eq!(geometry.space().0, q);
            let memoised = Memoised::new(Mechanism::ProjectiveGeometry(geometry), once).unwrap();
            assert_eq!(format!("{:.1}", memoised.linkability()), printed, "d={d}");
        }
    }

    #[test]
    fn one_value_keeps_its_message_and_a_full_memory_freezes() {
        let mut rng = ChaCha20Rng::seed_from_u64(9);
        let mut memory = Memory::draw(2, &mut rng);
        assert_eq!([5, 6, 5, 7, 6, 8].map(|v| memory.admit(v)), [5, 6, 5, 5, 6, 6]);
        assert_eq!(memory.distinct(), 2);
        assert_eq!(format!("{memory:?}"), "Memory(hidden)");
    }

    #[test]
    fn chains_that_cannot_be_are_refused() {
        let epsilon = |e: f64| Epsilon::try_from(e).unwrap();
        let rr = |e: f64| Mechanism::RandomisedResponse(RandomisedResponse::new(size(100_000), epsilon(e).weights()));
        assert!(matches!(Memoised::new(rr(1.0), epsilon(1.0)), Err(ParameterError::NotBelow { .. })));
        assert!(Memoised::new(rr(16.0), epsilon(15.999)).is_ok());
        // The widest there is: 100,000 values at the largest weights.
        let geometry = ProjectiveGeometry::new(size(100_000), epsilon(0.5).weights()).unwrap();
        let widest = geometry.with_weights(Weights::new((1 << 56) - 1, Weights::UNIT).unwrap());
        assert!(Memoised::new(Mechanism::ProjectiveGeometry(widest), Epsilon::MAX).is_ok());
        let mean =
            Mechanism::OneBitMean(crate::OneBitMean::new(crate::Bound::try_from(3).unwrap(), epsilon(2.0).weights()));
        assert!(matches!(Memoised::new(mean, epsilon(1.0)), Err(ParameterError::NoBlockDesign)));
    }
}

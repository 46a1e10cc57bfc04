// SPDX-License-Identifier: MIT OR Apache-2.0
//! Can two reports of one machine be recognised as such? Upper bounds of the chance of any guesser, whatever his
//! method.
//!
//! The setting: each of n machines sends one later report, and these n reports arrive without a sender. The guesser
//! must name the one of a target machine. Blind choice succeeds with chance 1/n.
//!
//! # Fresh noise
//! Every report depends on its machine's value only. Let the guesser know all values and every earlier report with its
//! sender. For a permutation of the later reports among the machines, exchanging the target's with another machine's
//! changes the likelihood by at most `a^2`, a the channel's greatest ratio. So of the n places that the target's report
//! can have, none is more than `a^2` times as probable as another, whatever was seen: success is at most `a^2 / (a^2 +
//! n - 1)`.
//!
//! # A memoised report, refreshed
//! A machine draws a permanent message m0 once, by a block design with weights (A', B'). Each week it sends m0 with
//! chance L (Lambda in LDP.md section 2.9), else a uniform one of the K messages; that is the same design with the
//! smaller weekly weights (A, B). Given the value, let p and p' be the weekly and the permanent chance of a message.
//! Two weekly reports of one machine have the joint chance
//!
//! `J(y, z) = p(y) p(z) + L^2 (p'(y) [y = z] - p'(y) p'(z))`,
//!
//! so the ratio of "one machine" to "two machines of that value" is at most `R = 1 + L^2 max_y p'(y) (1 - p'(y)) /
//! p(y)^2`. Its logarithm is the trackability of Naor and Vexler (*Can two walk together*, FORC 2020) for two reports.
//! Who knows one earlier report of the target succeeds with chance at most R times what he could do without it: for
//! each outcome, replace J(y, .) by R p(y) p(.). Without it, chance is 1/n among machines of one value, and at most the
//! bound for fresh noise among any.
//!
//! Among strangers, whose values are independent draws of one distribution, a common value links too. If a share s of
//! the values has y in its block, `J(y, y)` and p(y) are linear in s, and the ratio is the greatest `J(y, y)/p(y)^2` of
//! all s; for y != z it is at most a, because there `J <= p p` for every value. Who has linked many earlier reports
//! knows m0 at best, and R becomes `max_y (L + (1 - L)/K) / p(y)`.
//!
//! # A cap that needs no assumption on the channel
//! Among machines of one value (or of values that the guesser knows nothing about), two whose earlier reports are the
//! same are interchangeable. However clever the guesser, the machines with one earlier report share at most one success
//! between them: over all machines the chance is at most the number of possible earlier reports over n. So w reports of
//! log2 K bits each single out at most one of `K^w` machines. It holds even if every machine's earlier report is known.

use crate::design::BlockDesign;
use crate::epsilon::Weights;
use crate::error::ParameterError;

/// The bits that one of K possible reports can tell a linker: `log2 K`.
#[must_use]
pub fn report_bits(messages: u64) -> f64 {
    (messages as f64).log2()
}

/// The greatest chance of re-linking among interchangeable `machines`, averaged over them, after `earlier` reports of K
/// possible messages each: `min(1, K^earlier / n)`.
#[must_use]
pub fn capped_by_messages(messages: u64, earlier: u32, machines: u64) -> f64 {
    ((messages as f64).powf(earlier.into()) / machines as f64).min(1.0)
}

/// The greatest chance of re-linking a report with fresh noise among `machines`: `a^2 / (a^2 + n - 1)`, `a = A/B` of
/// one report, whatever else the guesser knows.
#[must_use]
pub fn fresh(weights: Weights, machines: u64) -> f64 {
    let odds = weights.ratio().powi(2);
    odds / (odds + machines.saturating_sub(1) as f64)
}

/// A permanent message of a block design that is refreshed every week.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Memoised {
    /// the weekly channel
    weekly: BlockDesign,
    /// Lambda
    kept: f64,
    /// the chance of one message in the block, and of one outside: of the permanent and of the weekly channel
    permanent_chance: [f64; 2],
    weekly_chance: [f64; 2],
}

impl Memoised {
    /// The chain from the permanent channel to the same design with `weekly` weights.
    ///
    /// # Errors
    /// [`ParameterError::Refresh`] unless the weekly ratio A/B is below the permanent one.
    pub fn new(permanent: &BlockDesign, weekly: Weights) -> Result<Self, ParameterError> {
        let channel = permanent.channel;
        let (before, after) = (channel.weights.ratio(), weekly.ratio());
        if after >= before {
            return Err(ParameterError::Refresh);
        }
        // L/(1 - L): what makes (L p'(in) + (1 - L)/K) / (L p'(out) + (1 - L)/K) the weekly ratio.
        let odds = (after - 1.0) / ((before - after) * channel.blanket_mass());
        let weekly = BlockDesign { channel: crate::Channel { weights: weekly, ..channel }, ..*permanent };
        let chances = |design: &BlockDesign| {
            let (weights, total) = (design.channel.weights, design.channel.total() as f64);
            [weights.inside() as f64 / total, weights.outside() as f64 / total]
        };
        Ok(Self {
            weekly,
            kept: odds / (1.0 + odds),
            permanent_chance: chances(permanent),
            weekly_chance: chances(&weekly),
        })
    }

    /// Lambda: the chance that a week's report is the permanent message.
    #[must_use]
    pub const fn kept(&self) -> f64 {
        self.kept
    }

    /// R: how much likelier two reports can be from one machine than from two machines of its value.
    #[must_use]
    pub fn likelihood_ratio(&self) -> f64 {
        let excess = |p: f64, weekly: f64| self.kept * self.kept * p * (1.0 - p) / (weekly * weekly);
        let [inside, outside] = [0, 1].map(|i| excess(self.permanent_chance[i], self.weekly_chance[i]));
        1.0 + inside.max(outside)
    }

    /// The same for machines whose values are independent draws of one distribution, whatever it is.
    #[must_use]
    pub fn likelihood_ratio_of_strangers(&self) -> f64 {
        let joint = |i: usize| {
            let (p, weekly) = (self.permanent_chance[i], self.weekly_chance[i]);
            weekly * weekly + self.kept * self.kept * p * (1.0 - p)
        };
        // J(y, y) = offset + slope u, where u = p(y) lies between the chances outside and inside of the block.
        let [most, least] = self.weekly_chance;
        let slope = (joint(0) - joint(1)) / (most - least);
        let offset = joint(1) - slope * least;
        let ratio = |u: f64| (offset + slope * u) / (u * u);
        let stationary = (-2.0 * offset / slope).clamp(least, most);
        [most, least, stationary].map(ratio).into_iter().fold(self.weekly.channel.weights.ratio(), f64::max)
    }

    /// The same as [`Self::likelihood_ratio`] for one report and any number of linked earlier ones: they reveal the
    /// permanent message at most.
    #[must_use]
    pub fn likelihood_ratio_of_history(&self) -> f64 {
        (self.kept + (1.0 - self.kept) / self.weekly.channel.messages as f64) / self.weekly_chance[1]
    }

    /// The mutual information in bits of two weekly reports of one machine, given its value.
    #[must_use]
    pub fn shared_bits(&self) -> f64 {
        let Self { weekly, kept, permanent_chance, weekly_chance } = *self;
        let (k, r) = (weekly.channel.messages as f64, weekly.channel.block as f64);
        let counts = [r, k - r];
        let term = |independent: f64, joint: f64| joint * (joint / independent).log2();
        let mut bits = 0.0;
        for (i, &here) in counts.iter().enumerate() {
            let (p, q) = (permanent_chance[i], weekly_chance[i]);
            bits += here * term(q * q, q * q + kept * kept * p * (1.0 - p));
            for (j, &there) in counts.iter().enumerate() {
                let others = if i == j { there - 1.0 } else { there };
                let independent = q * weekly_chance[j];
                bits += here * others * term(independent, independent - kept * kept * p * permanent_chance[j]);
            }
        }
        bits
    }

    /// The greatest chance of re-linking among `machines` that all have one value, for a guesser who knows one earlier
    /// report of the target: `min(1, R/n)`.
    #[must_use]
    pub fn among_equals(&self, machines: u64) -> f64 {
        (self.likelihood_ratio() / machines as f64).min(1.0)
    }

    /// The same among machines whose values are independent draws of one distribution.
    #[must_use]
    pub fn among_strangers(&self, machines: u64) -> f64 {
        (self.likelihood_ratio_of_strangers() / machines as f64).min(1.0)
    }

    /// The same among machines of any values, all of which the guesser knows: `min(1, R a^2 / (a^2 + n - 1))`.
    #[must_use]
    pub fn among_any(&self, machines: u64) -> f64 {
        (self.likelihood_ratio() * fresh(self.weekly.channel.weights, machines)).min(1.0)
    }
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, reason = "small numbers chosen by the tests")]
mod tests {
    use super::*;
    use crate::sampling::uniform_below;
    use crate::{DomainSize, Epsilon, ProjectiveGeometry};
    use rand::rngs::ChaCha20Rng;
    use rand::{RngExt, SeedableRng};

    fn weights(a: u64, b: u64) -> Weights {
        Weights::new(a, b).unwrap()
    }

    /// Three values and messages: the permanent chance, and the chance of a weekly report given the permanent message.
    const K: usize = 3;

    struct Toy {
        chain: Memoised,
        permanent: f64,
        weekly: Weights,
    }

    impl Toy {
        fn new(permanent: Weights, weekly: Weights) -> Self {
            let design = BlockDesign::new(3, 1, 0, permanent);
            Self { chain: Memoised::new(&design, weekly).unwrap(), permanent: permanent.ratio(), weekly }
        }

        fn all() -> [Self; 3] {
            [(9, 3), (40, 2), (3, 2)].map(|(before, after)| Self::new(weights(before, 1), weights(after + 1, 2)))
        }

        fn permanent(&self, message: usize, value: usize) -> f64 {
            (if message == value { self.permanent } else { 1.0 }) / (self.permanent + 2.0)
        }

        fn weekly(&self, report: usize, value: usize) -> f64 {
            (0..K).map(|m| self.permanent(m, value) * self.sent(report, m)).sum()
        }

        fn sent(&self, report: usize, message: usize) -> f64 {
            self.chain.kept() * f64::from(u8::from(report == message)) + (1.0 - self.chain.kept()) / 3.0
        }

        fn joint(&self, y: usize, z: usize, value: usize) -> f64 {
            (0..K).map(|m| self.permanent(m, value) * self.sent(y, m) * self.sent(z, m)).sum()
        }
    }

    /// All tuples of three messages.
    fn triples() -> impl Iterator<Item = [usize; 3]> {
        (0..27).map(|i| [i % 3, i / 3 % 3, i / 9])
    }

    const PERMUTATIONS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

    /// The success of the best guesser of machine 0's later report, who sees three later reports z and knows the
    /// likelihood `chance(machine, report)` of each: the sum over z of the most probable place of machine 0.
    fn best_guess(chance: impl Fn(usize, usize) -> f64) -> f64 {
        let likelihood =
            |z: &[usize; 3], p: &[usize; 3]| (0..3).map(|machine| chance(machine, z[p[machine]])).product::<f64>();
        let place =
            |z: &[usize; 3], j| PERMUTATIONS.iter().filter(|p| p[0] == j).map(|p| likelihood(z, p)).sum::<f64>() / 6.0;
        triples().map(|z| (0..3).map(|j| place(&z, j)).fold(0.0, f64::max)).sum()
    }

    #[test]
    fn the_refreshed_channel_is_the_weekly_one_and_its_ratio_is_attained() {
        for toy in Toy::all() {
            let ratio = toy.weekly(0, 0) / toy.weekly(1, 0);
            assert!((ratio / toy.weekly.ratio() - 1.0).abs() < 1e-12, "{ratio}");
            let ratios =
                triples().map(|[y, z, value]| toy.joint(y, z, value) / (toy.weekly(y, value) * toy.weekly(z, value)));
            let greatest = ratios.fold(0.0, f64::max);
            assert!((toy.chain.likelihood_ratio() / greatest - 1.0).abs() < 1e-12, "{greatest}");
            let bits: f64 = (0..9)
                .map(|i| (toy.joint(i % 3, i / 3, 0), toy.weekly(i % 3, 0) * toy.weekly(i / 3, 0)))
                .map(|(joint, independent)| joint * (joint / independent).log2())
                .sum();
            assert!((toy.chain.shared_bits() - bits).abs() < 1e-12 && bits < report_bits(3));
            // After many reports equal to m, the next one is m nearly as if m were known to be permanent.
            let many = |m: usize, y: usize| toy.permanent(m, 0) * toy.sent(y, m).powi(200);
            let after = |y: usize, z: usize| {
                (0..K).map(|m| many(m, y) * toy.sent(z, m)).sum::<f64>() / (0..K).map(|m| many(m, y)).sum::<f64>()
            };
            let greatest = (0..9).map(|i| after(i % 3, i / 3) / toy.weekly(i / 3, 0)).fold(0.0, f64::max);
            assert!((toy.chain.likelihood_ratio_of_history() / greatest - 1.0).abs() < 1e-6, "{greatest}");
        }
    }

    /// Three machines, every assignment of values, every outcome, the best guesser.
    #[test]
    fn no_guesser_beats_the_bounds() {
        for toy in Toy::all() {
            let (fresh, any) = (fresh(toy.weekly, 3), toy.chain.among_any(3));
            for values in triples() {
                let without = best_guess(|machine, report| toy.weekly(report, values[machine]));
                assert!(without <= fresh, "{values:?}: {without} {fresh}");
                // One earlier report y of machine 0 is known.
                let with: f64 = (0..K)
                    .map(|y| {
                        best_guess(|machine, z| {
                            if machine == 0 { toy.joint(y, z, values[0]) } else { toy.weekly(z, values[machine]) }
                        })
                    })
                    .sum();
                assert!(with <= any, "{values:?}: {with} {any}");
                // Strangers, one more likely than the others to hold each value: mixtures over the values.
                let shares = values.map(|v| [0.2, 0.3, 0.5][v]);
                let total: f64 = shares.iter().sum();
                let mixed =
                    |f: &dyn Fn(usize) -> f64| (0..K).map(|value| shares[value] / total * f(value)).sum::<f64>();
                let strangers: f64 = (0..K)
                    .map(|y| {
                        best_guess(|machine, z| {
                            if machine == 0 {
                                mixed(&|value| toy.joint(y, z, value))
                            } else {
                                mixed(&|value| toy.weekly(z, value))
                            }
                        })
                    })
                    .sum();
                assert!(strangers <= toy.chain.among_strangers(3));
                if values == [0, 0, 0] {
                    assert!((without - 1.0 / 3.0).abs() < 1e-12);
                    let equals = toy.chain.among_equals(3);
                    assert!(with <= equals && with > without, "{with} {equals}");
                }
            }
            // All three earlier reports are known, of machines of one value: the cap by the number of messages. The
            // guess is for every machine in turn, and by symmetry as good for machine 0 as for the others.
            let all: f64 = triples().map(|y| best_guess(|machine, z| toy.joint(y[machine], z, 0))).sum();
            assert!(all <= capped_by_messages(3, 1, 3));
            let within_groups = triples().map(|y| {
                let group = y.iter().filter(|&&other| other == y[0]).count() as f64;
                y.iter().map(|&y| toy.weekly(y, 0)).product::<f64>() / group
            });
            assert!(all <= within_groups.sum::<f64>() + 1e-12);
        }
        assert!(
            (capped_by_messages(3, 1, 300) - 0.01).abs() < 1e-15
                && (capped_by_messages(3, 2, 300) - 0.03).abs() < 1e-15
        );
    }

    /// LDP.md section 2.9, for d = 100 and 1000, losses 2 and 1, 4 and 2: the bits that two weekly reports share, and
    /// how often they were re-linked among 20,000 machines in a simulation. Both are for uniform values, as the numbers
    /// tell.
    #[test]
    fn projective_geometry_is_as_published() {
        let table = [
            (100, 2.0, 1.0, 1.2, 0.0018),
            (1000, 2.0, 1.0, 2.0, 0.016),
            (100, 4.0, 2.0, 0.7, 0.0013),
            (1000, 4.0, 2.0, 2.5, 0.041),
        ];
        for (d, permanent, weekly, bits, linked) in table {
            let chain = geometry(d, permanent, weekly);
            let channel = chain.weekly.channel;
            let (k, share) = (channel.messages as f64, channel.block as f64 / channel.messages as f64);
            let joint = |y: usize, z: usize, equal: f64| {
                let independent = chain.weekly_chance[y] * chain.weekly_chance[z];
                independent + chain.kept.powi(2) * chain.permanent_chance[y] * (equal - chain.permanent_chance[z])
            };
            // As many points lie on two lines as lines go through two points: lambda of K.
            let both = chain.weekly.shared as f64 / k;
            let equal = share * joint(0, 0, 1.0) + (1.0 - share) * joint(1, 1, 1.0);
            let unequal = both * joint(0, 0, 0.0)
                + 2.0 * (share - both) * joint(0, 1, 0.0)
                + (1.0 - 2.0 * share + both) * joint(1, 1, 0.0);
            let term = |p: f64| p * (p * k * k).log2();
            let found = k * term(equal) + k * (k - 1.0) * term(unequal);
            assert!((found - bits).abs() <= 0.05, "{d} {permanent}: {found}");
            assert!(chain.shared_bits() < found && found < report_bits(channel.messages));
            // A rate of 20,000, four standard errors and half a unit of the last printed digit.
            let rate = equal * k * k / 20_000.0;
            assert!((rate - linked).abs() < 4.0 * (rate / 20_000.0).sqrt() + 0.0005, "{d} {permanent}: {rate}");
            assert!((rate..1.2 * rate).contains(&chain.among_strangers(20_000)));
            assert!(chain.among_equals(20_000) < rate && rate < chain.among_any(20_000));
        }
    }

    /// The design that suits the weekly loss, with the permanent weights.
    fn geometry(d: u64, permanent: f64, weekly: f64) -> Memoised {
        let [permanent, weekly] = [permanent, weekly].map(|e| Epsilon::try_from(e).unwrap().weights());
        let mut design = ProjectiveGeometry::new(DomainSize::try_from(d).unwrap(), weekly).unwrap().design;
        design.channel.weights = permanent;
        Memoised::new(&design, weekly).unwrap()
    }

    /// 2000 machines of one value: the best guesser, who knows one earlier report, against R/n. 1500 targets, seed 11
    /// chosen beforehand, four standard errors.
    #[test]
    fn a_simulated_guesser_stays_at_the_bound() {
        let chain = geometry(1000, 2.0, 1.0);
        let (n, targets) = (2000_u32, 1500);
        let mut rng = ChaCha20Rng::seed_from_u64(11);
        let channel = chain.weekly.channel;
        let permanent = crate::Channel { weights: Epsilon::try_from(2.0).unwrap().weights(), ..channel };
        // Messages are counted from the block on.
        let draw =
            |channel: &crate::Channel, rng: &mut ChaCha20Rng| match channel.pick(uniform_below(rng, channel.total())) {
                Ok(inside) => inside,
                Err(outside) => channel.block + outside,
            };
        let sent = |memo: u64, rng: &mut ChaCha20Rng| {
            if rng.random_bool(chain.kept()) { memo } else { rng.random_range(0..channel.messages) }
        };
        let mut successes = 0.0;
        for _ in 0..targets {
            let memo = draw(&permanent, &mut rng);
            let (earlier, later) = (sent(memo, &mut rng), sent(memo, &mut rng));
            // A later report equal to the earlier one is likelier from the target than any other.
            let equal = (1..n).filter(|_| draw(&channel, &mut rng) == earlier).count();
            if later == earlier {
                successes += 1.0 / (equal as f64 + 1.0);
            } else if equal == 0 {
                successes += 1.0 / f64::from(n);
            }
        }
        let (rate, bound) = (successes / f64::from(targets), chain.among_equals(n.into()));
        // A success counts at most 1, so its variance is at most its mean.
        let error = (bound / f64::from(targets)).sqrt();
        assert!(rate <= bound + 4.0 * error && rate >= 0.9 * bound - 4.0 * error, "{rate} {bound}");
    }

    #[test]
    fn fresh_noise_and_short_chains() {
        assert!((fresh(weights(2, 1), 1) - 1.0).abs() < 1e-15);
        assert!((fresh(weights(2, 1), 13) - 0.25).abs() < 1e-15);
        let design = BlockDesign::new(3, 1, 0, weights(2, 1));
        assert_eq!(Memoised::new(&design, weights(2, 1)), Err(ParameterError::Refresh));
    }
}

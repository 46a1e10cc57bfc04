// SPDX-License-Identifier: MIT OR Apache-2.0
//! The audit: a lower bound on epsilon from samples of a black box, and two tests of a box that claims to be a known
//! channel.
//!
//! Under epsilon-LDP every event E satisfies `P[E | v] <= e^epsilon P[E | v']`. A lower confidence bound L on the first
//! chance and an upper bound U on the second therefore bound epsilon from below by `ln(L / U)` (Jagielski, Ullman and
//! Oprea, NeurIPS 2020; for local mechanisms Arcolezi and Gambs, PoPETs 2024(4)). L and U are the exact bounds of
//! Clopper and Pearson (Biometrika 1934), each at half of the stated doubt, so the bound holds with the stated
//! confidence whatever the box does, provided that its messages are independent.
//!
//! A box is any function from an input to a hashable message; it owns its generator. Where messages are too many to be
//! seen repeatedly (masks of 42 bits, seeds and buckets, the reports of a year), let the box return something that is
//! computed from the message: a post-processed message can only lose epsilon, so the bound stays valid. For a block
//! design "supports v, supports v'" loses nothing.
//!
//! The bound is blind to a bias that keeps the ratios; [`goodness_of_fit`] sees it in the messages, [`unbiasedness`] in
//! the estimates.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use statrs::distribution::{Beta, ChiSquared, ContinuousCDF, Normal};

use crate::error::ParameterError;
use crate::mechanism::Mechanism;
use crate::support::Support;
use crate::value::{Response, Value};

/// How many messages an audit draws, and how sure it is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Audit {
    draws: u64,
    doubt: f64,
}

/// What an audit found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// Epsilon is at least this, with the audit's confidence; 0 when the samples prove nothing.
    pub lower: f64,
    /// Messages of each input that the bound rests on: those that did not choose the event.
    pub draws: u64,
    /// How many of them lay in the event: of the input that the event speaks for, then of the other.
    pub hits: [u64; 2],
    /// How many different messages those were.
    pub messages: usize,
}

impl Audit {
    /// An audit of `draws` messages for each of two inputs, whose bound holds with chance `confidence` or more.
    ///
    /// # Errors
    /// [`ParameterError::Confidence`] unless the confidence lies strictly between 0 and 1.
    pub fn new(draws: u64, confidence: f64) -> Result<Self, ParameterError> {
        if confidence > 0.0 && confidence < 1.0 {
            Ok(Self { draws, doubt: 1.0 - confidence })
        } else {
            Err(ParameterError::Confidence(confidence))
        }
    }

    /// The bound from an event that the caller chose beforehand, such as "m lies in the block of v and not in that of
    /// v'". The event speaks for the first input: it should be the likelier there.
    pub fn given<V, K: Eq + Hash>(
        &self,
        mut sample: impl FnMut(&V) -> K,
        inputs: [&V; 2],
        event: impl Fn(&K) -> bool,
    ) -> Finding {
        let mut messages = HashSet::new();
        let hits = inputs.map(|input| {
            let inside = (0..self.draws).map(|_| sample(input)).filter(|message| event(message));
            inside.fold(0, |hits, message| {
                messages.insert(message);
                hits + 1
            })
        });
        let (low, high) = (self.bounds(hits[0]).0, self.bounds(hits[1]).1);
        Finding { lower: (low / high).ln().max(0.0), draws: self.draws, hits, messages: messages.len() }
    }

    /// The bound from a score that is the greater, the more a message speaks for the first input: a likelihood ratio, a
    /// count over many weeks. A third of the draws chooses the cut, and whether the scores above it or below it are the
    /// event.
    pub fn scored<V, K: Eq + Hash>(
        &self,
        mut sample: impl FnMut(&V) -> K,
        inputs: [&V; 2],
        score: impl Fn(&K) -> f64,
    ) -> Finding {
        let choosing = self.draws / 3;
        let sorted = inputs.map(|input| {
            let mut scores: Vec<f64> = (0..choosing).map(|_| score(&sample(input))).collect();
            scores.sort_by(f64::total_cmp);
            scores
        });
        let (_, cut, above) = self.best_cut(&sorted);
        let rest = Self { draws: self.draws - choosing, ..*self };
        if above {
            rest.given(sample, inputs, |message| score(message) >= cut)
        } else {
            rest.given(sample, [inputs[1], inputs[0]], |message| score(message) <= cut)
        }
    }

    /// The bound from an event of single messages: a quarter of the draws ranks them by their likelihood ratio, a
    /// quarter chooses how many of them are the event, and half is counted. Messages that the ranking did not see count
    /// as uninformative.
    pub fn learned<V, K: Eq + Hash>(&self, mut sample: impl FnMut(&V) -> K, inputs: [&V; 2]) -> Finding {
        let ranking = self.draws / 4;
        let mut seen: Ranking<K> = HashMap::new();
        for (side, input) in inputs.into_iter().enumerate() {
            for _ in 0..ranking {
                seen.entry(sample(input)).or_default()[side] += 1;
            }
        }
        Self { draws: self.draws - ranking, ..*self }.scored(sample, inputs, |message| likelihood(&seen, message))
    }

    /// The bound from messages that were collected before, of the first input and of the second, by the best of several
    /// views of a message. A quarter of them ranks what each view sees, a quarter chooses the view and its event, and half is
    /// counted. Also tells which view it was. Of unequally many messages the first are taken, at most the audit's draws.
    pub fn best_of<M, K: Eq + Hash>(&self, messages: [&[M]; 2], views: &[&dyn Fn(&M) -> K]) -> (usize, Finding) {
        let draws = messages.map(<[M]>::len).into_iter().min().unwrap_or(0);
        let draws = draws.min(usize::try_from(self.draws).unwrap_or(usize::MAX));
        let quarter = draws / 4;
        let mut best: Option<Choice<K>> = None;
        for (place, view) in views.iter().enumerate() {
            let mut seen: Ranking<K> = HashMap::new();
            for (side, messages) in messages.iter().enumerate() {
                messages[..quarter].iter().for_each(|message| seen.entry(view(message)).or_default()[side] += 1);
            }
            let sorted = messages.map(|messages| {
                let scores = messages[quarter..2 * quarter].iter().map(|message| likelihood(&seen, &view(message)));
                let mut scores: Vec<f64> = scores.collect();
                scores.sort_by(f64::total_cmp);
                scores
            });
            let (promise, cut, above) = self.best_cut(&sorted);
            if best.as_ref().is_none_or(|best| promise > best.promise) {
                best = Some(Choice { promise, place, seen, cut, above });
            }
        }
        let rest = Self { draws: (draws - 2 * quarter) as u64, ..*self };
        let Some(Choice { place, seen, cut, above, .. }) = best else {
            return (0, Finding { lower: 0.0, draws: rest.draws, hits: [0; 2], messages: 0 });
        };
        let mut left = messages.map(|messages| messages[2 * quarter..draws].iter());
        // As many as there are are asked for.
        let sample = |&side: &usize| left[side].next().map(views[place]);
        let score = |key: &Option<K>| key.as_ref().map_or(1.0, |key| likelihood(&seen, key));
        let finding = if above {
            rest.given(sample, [&0, &1], |key| score(key) >= cut)
        } else {
            rest.given(sample, [&1, &0], |key| score(key) <= cut)
        };
        (place, finding)
    }

    /// The promise and the cut of the most promising event, and whether the event lies above it, for the first input, or below it, for
    /// the second. The promise is the bound with Poisson counts, by the approximation of Wilson and Hilferty (PNAS
    /// 1931) to their exact limits; it decides no more than which event is then counted on fresh messages.
    fn best_cut(&self, sorted: &[Vec<f64>; 2]) -> (f64, f64, bool) {
        let z = Normal::standard().inverse_cdf(1.0 - self.doubt / 2.0);
        let limit =
            |count: f64, z: f64| count * (1.0 - 1.0 / (9.0 * count) + z / (3.0 * count.sqrt())).max(0.0).powi(3);
        let promise = |hits: usize, misses: usize| match hits {
            0 => f64::NEG_INFINITY,
            _ => (limit(hits as f64, -z) / limit(misses as f64 + 1.0, z)).ln(),
        };
        let above = |side: usize, cut: f64| sorted[side].len() - sorted[side].partition_point(|&score| score < cut);
        let below = |side: usize, cut: f64| sorted[side].partition_point(|&score| score <= cut);
        let mut cuts: Vec<f64> = sorted.iter().flatten().copied().collect();
        cuts.sort_by(f64::total_cmp);
        cuts.dedup();
        cuts.into_iter()
            .flat_map(|cut| {
                [
                    (promise(above(0, cut), above(1, cut)), cut, true),
                    (promise(below(1, cut), below(0, cut)), cut, false),
                ]
            })
            .max_by(|one, other| one.0.total_cmp(&other.0))
            .unwrap_or((f64::NEG_INFINITY, 0.0, true))
    }

    /// The Clopper-Pearson bounds on a chance from `hits` of the draws, each missed with a chance of at most half the
    /// doubt.
    fn bounds(&self, hits: u64) -> (f64, f64) {
        let (hit, missed) = (hits as f64, (self.draws - hits) as f64);
        let beta = |a, b, chance, edge| Beta::new(a, b).map_or(edge, |beta| beta.inverse_cdf(chance));
        // At no hits, or no misses, one parameter is 0: no such distribution, and the bound is the edge itself.
        (beta(hit, missed + 1.0, self.doubt / 2.0, 0.0), beta(hit + 1.0, missed, 1.0 - self.doubt / 2.0, 1.0))
    }
}

/// The most promising view so far, its ranking and its event.
struct Choice<K> {
    promise: f64,
    place: usize,
    seen: Ranking<K>,
    cut: f64,
    above: bool,
}

/// How often each message came, of the first input and of the second.
type Ranking<K> = HashMap<K, [u64; 2]>;

/// How much a message spoke for the first input when the ranking saw it; 1 for one that it did not see.
fn likelihood<K: Eq + Hash>(seen: &Ranking<K>, message: &K) -> f64 {
    let [ours, theirs] = seen.get(message).copied().unwrap_or_default();
    (ours as f64 + 1.0) / (theirs as f64 + 1.0)
}

/// What an audit of two values sees of a response: the message itself or, where there are too many messages, whether it
/// supports either value.
#[must_use]
pub fn view(mechanism: &Mechanism, values: &[Value; 2], response: &Response) -> u64 {
    let supports = |value: &Value, cell: usize| match value {
        Value::Symbol(v) => *v as usize == cell,
        Value::Set(items) => items.iter().any(|&item| item as usize == cell),
        Value::Count(_) => false,
    };
    let mut key = 0;
    let add = |cell| match mechanism {
        Mechanism::SubsetSelection(_) | Mechanism::Collision(_) | Mechanism::PrivSet(_) => {
            key |= u64::from(supports(&values[0], cell)) | u64::from(supports(&values[1], cell)) << 1;
        }
        _ => key = cell as u64,
    };
    // A mechanism's own response always counts.
    mechanism.accumulate(response, add).map_or(u64::MAX, |()| key)
}

/// The p-value of Pearson's chi-squared test that counted messages follow a row of a channel. `cells` holds for every
/// message that the row allows its count and its chance, which add up to 1; a message that it does not allow has the
/// chance 0. Cells with an expected count below 5 are pooled.
pub fn goodness_of_fit(cells: impl IntoIterator<Item = (u64, f64)>) -> f64 {
    let cells: Vec<(u64, f64)> = cells.into_iter().collect();
    let draws = cells.iter().map(|&(count, _)| count).sum::<u64>() as f64;
    if cells.iter().any(|&(count, chance)| count > 0 && chance <= 0.0) {
        return 0.0;
    }
    let (mut tested, rare): (Vec<_>, Vec<_>) =
        cells.into_iter().map(|(count, chance)| (count as f64, chance * draws)).partition(|&(_, e)| e >= 5.0);
    let mut pool = rare.into_iter().fold((0.0, 0.0), |pool, cell| (pool.0 + cell.0, pool.1 + cell.1));
    if pool.1 < 5.0 {
        // Too little even together: it joins the smallest of the others.
        let smallest = (0..tested.len()).min_by(|&i, &j| tested[i].1.total_cmp(&tested[j].1));
        let joined = smallest.map_or((0.0, 0.0), |index| tested.swap_remove(index));
        pool = (pool.0 + joined.0, pool.1 + joined.1);
    }
    tested.push(pool);
    let statistic: f64 = tested.iter().filter(|cell| cell.1 > 0.0).map(|&(o, e)| (o - e).powi(2) / e).sum();
    // One cell leaves nothing to test.
    ChiSquared::new((tested.len() - 1) as f64).map_or(1.0, |law| law.sf(statistic))
}

/// The p-value of a z-test that estimates of shares are unbiased: of the estimate that lies farthest from the true
/// share held by the n senders, in standard errors of [`Support::noise_variance`], times the number of estimates
/// (Bonferroni). For support counts the estimate is [`Support::share`] of `C_v / n`. The normal law needs `n P_f (1 -
/// P_f)` of 10 or more.
#[must_use]
pub fn unbiasedness(estimates: &[f64], shares: &[f64], reports: u64, support: Support) -> f64 {
    let deviation = |(&estimate, &share): (&f64, &f64)| {
        let apart = f64::abs(estimate - share);
        if apart > 0.0 { apart / (support.noise_variance(share) / reports as f64).sqrt() } else { 0.0 }
    };
    let farthest = estimates.iter().zip(shares).map(deviation).fold(0.0, f64::max);
    (2.0 * Normal::standard().sf(farthest) * estimates.len() as f64).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::*;
    use rand::rngs::ChaCha20Rng;
    use rand::{RngExt, SeedableRng};
    use statrs::distribution::{Binomial, DiscreteCDF};

    fn epsilon(e: f64) -> Epsilon {
        Epsilon::try_from(e).unwrap()
    }

    /// P[X >= hits] by adding up the binomial law.
    fn at_least(hits: u64, draws: u64, chance: f64) -> f64 {
        let term = |k: u64| {
            let ways: f64 = (0..k).map(|i| ((draws - i) as f64 / (i + 1) as f64).ln()).sum();
            (ways + k as f64 * chance.ln() + (draws - k) as f64 * (-chance).ln_1p()).exp()
        };
        (hits..=draws).map(term).sum()
    }

    #[test]
    fn clopper_pearson_leaves_half_the_doubt_on_each_side() {
        for doubt in [0.5, 0.05, 1e-3, 1e-6] {
            for (hits, draws) in [(1, 10), (7, 10), (30, 200), (199, 200), (3, 1000)] {
                let (low, high) = Audit { draws, doubt }.bounds(hits);
                assert!((at_least(hits, draws, low) / (doubt / 2.0) - 1.0).abs() < 1e-6, "{hits} of {draws}: {low}");
                let below = 1.0 - at_least(hits + 1, draws, high);
                assert!((below / (doubt / 2.0) - 1.0).abs() < 1e-6, "{hits} of {draws}: {high}");
            }
            // Far from the edges they come to the normal law's.
            let (low, high) = Audit { draws: 4_000_000, doubt }.bounds(1_000_000);
            let wald = Normal::standard().inverse_cdf(1.0 - doubt / 2.0) * (0.1875_f64 / 4e6).sqrt();
            assert!(((0.25 - low) / wald - 1.0).abs() < 0.01 && ((high - 0.25) / wald - 1.0).abs() < 0.01);
            // At the edges the bounds are closed forms: 1 - (doubt/2)^(1/n) and (doubt/2)^(1/n).
            let audit = Audit { draws: 50, doubt };
            let root = (doubt / 2.0).powf(0.02);
            let ((low, high), (least, most)) = (audit.bounds(0), audit.bounds(50));
            assert!(low <= 0.0 && most >= 1.0 && (high - 1.0 + root).abs() < 1e-9 && (least - root).abs() < 1e-9);
        }
    }

    #[test]
    fn confidence_is_a_chance() {
        for bad in [0.0, 1.0, -0.5, f64::NAN] {
            assert!(Audit::new(1, bad).is_err(), "{bad}");
        }
    }

    /// Subset selection of 3 from 8 at epsilon 0.6: learned, scored and given must find the 15 masks with the first
    /// value and without the second, and come within a quarter of epsilon; 30,000 draws from nothing must prove nothing.
    #[test]
    fn three_ways_to_the_same_event() {
        let mechanism = SubsetSelection::new(DomainSize::try_from(8).unwrap(), epsilon(0.6).weights()).unwrap();
        assert_eq!(mechanism.subset_size(), 3);
        let mechanism = Mechanism::SubsetSelection(mechanism);
        let mut rng = ChaCha20Rng::seed_from_u64(11);
        let mut sample = |value: &u32| {
            let response = mechanism.randomise(&TrueValue::new(Value::Symbol(*value)), &mut rng).unwrap();
            mechanism.encode(&response).unwrap()[0]
        };
        let audit = Audit::new(60_000, 0.999).unwrap();
        let sign = |mask: &u8| f64::from(mask >> 1 & 1) - f64::from(mask >> 4 & 1);
        let findings = [
            audit.given(&mut sample, [&1, &4], |mask| mask & 0b1_0010 == 0b10),
            audit.scored(&mut sample, [&1, &4], sign),
            audit.learned(&mut sample, [&1, &4]),
        ];
        // What is learned is noisy: it may leave out a mask that came seldom by chance, but takes none that says
        // nothing.
        for (finding, (fewest, counted)) in findings.iter().zip([(15, 60_000), (15, 40_000), (5, 30_000)]) {
            assert!((fewest..=15).contains(&finding.messages) && finding.draws == counted, "{finding:?}");
            assert!(finding.lower > 0.45 && finding.lower < 0.6, "{finding:?}");
        }
        assert!(Audit::new(30_000, 0.999).unwrap().learned(&mut sample, [&1, &1]).lower <= 0.0);
        assert!(Audit::new(0, 0.999).unwrap().learned(&mut sample, [&1, &4]).lower <= 0.0);
    }

    /// Of three views of messages that are all different, the one that tells the inputs apart is found: their low bit, which is
    /// set with chance 3/4 for the first input and 1/4 for the second.
    #[test]
    fn the_best_view_is_chosen() {
        let mut rng = ChaCha20Rng::seed_from_u64(13);
        let mut messages = |chance: f64| -> Vec<u64> {
            (0..40_000)
                .map(|n| n << 20 | rng.random_range(0..1 << 19) << 1 | u64::from(rng.random_bool(chance)))
                .collect()
        };
        let (first, second) = (messages(0.75), messages(0.25));
        let views: [&dyn Fn(&u64) -> u64; 3] =
            [&|message| *message, &|message| message & 1, &|message| message >> 1 & 7];
        let audit = Audit::new(40_000, 0.999).unwrap();
        let (view, found) = audit.best_of([&first, &second], &views);
        assert!(view == 1 && found.lower > 1.0 && found.lower < 3.0_f64.ln() && found.draws == 20_000, "{found:?}");
        assert!(audit.best_of([&first, &first], &views).1.lower <= 0.0);
        assert!(audit.best_of([&first[..0], &second], &views).1.lower <= 0.0);
    }

    /// With two cells Pearson's test is the two-sided z-test of a binomial count.
    #[test]
    fn two_cells_are_a_z_test() {
        for (count, chance) in [(480_u64, 0.5), (130, 0.1), (999, 0.99)] {
            let z = (count as f64 - 1000.0 * chance) / (1000.0 * chance * (1.0 - chance)).sqrt();
            let expected = 2.0 * Normal::standard().sf(z.abs());
            let p = goodness_of_fit([(count, chance), (1000 - count, 1.0 - chance)]);
            assert!((p - expected).abs() < 1e-9, "{count}: {p} {expected}");
        }
    }

    #[test]
    fn rare_cells_are_pooled_and_impossible_ones_condemn() {
        // Expected 96, 2, 1, 1: the rare ones together fall short of 5 and join the only other, which leaves no test.
        assert!(goodness_of_fit([(90, 0.96), (4, 0.02), (3, 0.01), (3, 0.01)]) >= 1.0);
        // Expected 480, 10, 5, 5 and a pool of nothing.
        let plain = goodness_of_fit([(470, 0.96), (14, 0.02), (9, 0.01), (7, 0.01)]);
        let statistic = 100.0 / 480.0 + 16.0 / 10.0 + 16.0 / 5.0 + 4.0 / 5.0;
        assert!((plain - ChiSquared::new(3.0).unwrap().sf(statistic)).abs() < 1e-12);
        assert!(goodness_of_fit([(99, 1.0), (1, 0.0)]) <= 0.0);
        assert!(goodness_of_fit([]) >= 1.0);
    }

    /// 300 tests of a true channel at 5 %: neither test may reject more often than the binomial law allows at 1e-6, and
    /// the chi-squared test not less often either (the z-test is conservative by Bonferroni). A truth told less often
    /// by two fifths, nine standard errors, is seen each time.
    #[test]
    fn tests_keep_their_level_and_see_a_bias() {
        let (d, n, repetitions) = (12_u32, 2_000_u32, 300);
        let support =
            RandomisedResponse::new(DomainSize::try_from(12).unwrap(), epsilon(1.0).weights()).design.support();
        let mut rng = ChaCha20Rng::seed_from_u64(12);
        let shares: Vec<f64> = (0..d).map(|v| if v == 3 { 1.0 } else { 0.0 }).collect();
        let row = |v: u32| if v == 3 { support.p_true } else { support.p_false };
        let mut run = |bias: f64| {
            let mut counts = vec![0_u64; d as usize];
            for _ in 0..n {
                let honest = rng.random::<f64>() < support.p_true * (1.0 - bias);
                let other = rng.random_range(0..d - 1);
                counts[if honest { 3 } else { other + u32::from(other >= 3) } as usize] += 1;
            }
            let estimates: Vec<f64> = counts.iter().map(|&c| support.share(c as f64 / f64::from(n))).collect();
            let fit = goodness_of_fit(counts.iter().zip(0..).map(|(&c, v)| (c, row(v))));
            (fit, unbiasedness(&estimates, &shares, n.into(), support))
        };
        let (mut fits, mut estimates) = (0, 0);
        for _ in 0..repetitions {
            let (fit, unbiased) = run(0.0);
            fits += u64::from(fit < 0.05);
            estimates += u64::from(unbiased < 0.05);
        }
        let law = Binomial::new(0.05, repetitions).unwrap();
        let (least, most) = (law.inverse_cdf(1e-6), law.inverse_cdf(1.0 - 1e-6));
        assert!((least..=most).contains(&fits) && estimates <= most, "{least} {fits} {estimates} {most}");
        for _ in 0..10 {
            let (fit, unbiased) = run(0.4);
            assert!(fit < 1e-3 && unbiased < 1e-3, "{fit} {unbiased}");
        }
    }
}

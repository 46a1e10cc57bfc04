// SPDX-License-Identifier: MIT OR Apache-2.0
//! What a sequence of memoised reports reveals, by enumerating every pair of sequences and every transcript of small
//! chains.

use super::Chain;

/// A chain whose messages are d values or points, with each value's block.
struct Toy {
    chain: Chain,
    blocks: Vec<Vec<usize>>,
    messages: usize,
}

impl Toy {
    /// Randomised response over d values.
    fn symbols(d: usize, permanent: f64, first: f64) -> Self {
        let chain = Chain::exact(d as u64, 1, permanent, first).unwrap();
        Self { chain, blocks: (0..d).map(|v| vec![v]).collect(), messages: d }
    }

    /// The Fano plane: 7 values and messages, blocks of 3.
    fn fano(permanent: f64, first: f64) -> Self {
        let chain = Chain::exact(7, 3, permanent, first).unwrap();
        let blocks = (0..7).map(|v| vec![v, (v + 1) % 7, (v + 3) % 7]).collect();
        Self { chain, blocks, messages: 7 }
    }

    /// P[reports | values], from the definition: every distinct value has a permanent response of its own, and given
    /// those all weeks are independent.
    fn transcript(&self, values: &[usize], reports: &[usize]) -> f64 {
        let memo = self.chain.permanent_chances();
        let uniform = (1.0 - self.chain.keep()) / self.messages as f64;
        let mut distinct = values.to_vec();
        distinct.sort_unstable();
        distinct.dedup();
        let of_value = |value: usize| -> f64 {
            let of_memo = |m: usize| -> f64 {
                let weeks = values.iter().zip(reports).filter(|(v, _)| **v == value);
                let all: f64 = weeks.map(|(_, y)| uniform + if *y == m { self.chain.keep() } else { 0.0 }).product();
                all * if self.blocks[value].contains(&m) { memo.inside } else { memo.outside }
            };
            (0..self.messages).map(of_memo).sum()
        };
        distinct.into_iter().map(of_value).product()
    }

    /// The greatest |log ratio| of two sequences' transcripts.
    fn loss(&self, x: &[usize], y: &[usize]) -> f64 {
        let ratios = sequences(self.messages, x.len()).into_iter().map(|reports| {
            let (p, q) = (self.transcript(x, &reports), self.transcript(y, &reports));
            if p > 0.0 || q > 0.0 { (p / q).ln().abs() } else { 0.0 }
        });
        ratios.fold(0.0, f64::max)
    }

    /// epsilon_1 + (T - 1) epsilon_refresh
    fn bound(&self, weeks: usize) -> f64 {
        self.chain.epsilon_first() + (weeks - 1) as f64 * self.chain.epsilon_refresh()
    }
}

/// All words of a length over an alphabet.
fn sequences(alphabet: usize, length: usize) -> Vec<Vec<usize>> {
    let total = alphabet.pow(u32::try_from(length).unwrap());
    let word = |mut code: usize| {
        let digits = (0..length).map(|_| {
            let digit = code % alphabet;
            code /= alphabet;
            digit
        });
        digits.collect()
    };
    (0..total).map(word).collect()
}

/// Each week's first week with the same value: equal for two sequences that change in the same weeks to and fro.
fn pattern(values: &[usize]) -> Vec<usize> {
    values.iter().map(|v| values.iter().position(|w| w == v).unwrap()).collect()
}

/// The distinct values of x that y does not hold in the same weeks.
fn differing(x: &[usize], y: &[usize]) -> usize {
    let mut values: Vec<usize> = x.iter().zip(y).filter(|(a, b)| a != b).map(|(a, _)| *a).collect();
    values.sort_unstable();
    values.dedup();
    values.len()
}

fn pairs(words: &[Vec<usize>]) -> impl Iterator<Item = (&Vec<usize>, &Vec<usize>)> {
    words.iter().flat_map(|x| words.iter().map(move |y| (x, y)))
}

#[test]
fn the_enumerated_transcripts_are_a_distribution() {
    let toy = Toy::symbols(3, 4.0, 2.0);
    for values in [[0, 0, 0, 0], [0, 1, 0, 1], [2, 1, 1, 0]] {
        let total: f64 = sequences(3, 4).iter().map(|reports| toy.transcript(&values, reports)).sum();
        assert!((total - 1.0).abs() < 1e-12, "{total}");
    }
}

/// Cases 1 and 2 of the module's text over all 81^2 pairs of four weeks and over all pairs of two weeks of the Fano
/// plane.
#[test]
fn same_patterns_lose_epsilon_infinity_for_each_value_and_different_ones_more() {
    for (toy, weeks) in [(Toy::symbols(3, 4.0, 2.0), 4), (Toy::fano(2.0, 1.9), 2)] {
        let infinity = toy.chain.epsilon_infinity();
        let (mut closest, mut exceeded) = (0.0_f64, 0.0_f64);
        for (x, y) in pairs(&sequences(toy.blocks.len(), weeks)) {
            let loss = toy.loss(x, y);
            assert!(loss <= toy.bound(weeks) + 1e-12, "{x:?} {y:?}: {loss}");
            if pattern(x) == pattern(y) {
                let stated = differing(x, y) as f64 * infinity;
                assert!(loss <= stated + 1e-12, "{x:?} {y:?}: {loss} {stated}");
                closest = closest.max(if stated > 0.0 { loss / stated } else { 0.0 });
            } else {
                exceeded = exceeded.max(loss / (differing(x, y) as f64 * infinity));
            }
        }
        assert!(closest > 0.9, "the bound of one pattern is far from tight: {closest}");
        assert!(exceeded > 1.0, "{exceeded}");
    }
}

/// The counterexample: two values in two weeks, and more than twice epsilon_infinity.
#[test]
fn one_change_may_lose_more_than_epsilon_infinity_for_each_value() {
    let toy = Toy::fano(2.0, 1.9);
    let loss = toy.loss(&[0, 0], &[0, 1]);
    assert!(loss > 2.0 * toy.chain.epsilon_infinity(), "{loss}");
    let stated = toy.chain.change_loss().max(toy.chain.alternation_loss(2));
    assert!((loss - stated).abs() < 1e-12, "{loss} {stated}");
    // Without fresh noise the change is certain: no constant value can have sent two different reports.
    assert!(Toy::fano(2.0, 2.0).loss(&[0, 0], &[0, 1]).is_infinite());
}

/// The closed form of the alternating value against its transcripts, and its growth week by week beyond any multiple.
#[test]
fn alternation_loses_half_of_the_refresh_every_week() {
    for toy in [Toy::symbols(3, 4.0, 2.0), Toy::fano(4.0, 2.0)] {
        // A message of value 0's block that is not in value 1's, and the other way round.
        let alone = |v: usize, w: usize| *toy.blocks[v].iter().find(|m| !toy.blocks[w].contains(m)).unwrap();
        for weeks in 1..=20 {
            let turn = |even: usize, odd: usize| (0..weeks).map(|t| if t % 2 == 0 { even } else { odd }).collect();
            let (changing, reports): (Vec<usize>, Vec<usize>) = (turn(0, 1), turn(alone(0, 1), alone(1, 0)));
            let ratio = toy.transcript(&changing, &reports) / toy.transcript(&vec![0; weeks], &reports);
            let stated = toy.chain.alternation_loss(u32::try_from(weeks).unwrap());
            assert!((ratio.ln() - stated).abs() < 1e-9, "{weeks}: {} {stated}", ratio.ln());
            assert!(stated <= toy.bound(weeks) + 1e-12);
        }
        let growth = toy.chain.alternation_loss(202) - toy.chain.alternation_loss(200);
        assert!((growth - toy.chain.epsilon_refresh()).abs() < 1e-9, "{growth}");
    }
}

/// The figures of the module's text.
#[test]
fn the_figures_of_the_text() {
    let geometry = Chain::exact(1093, 364, f64::exp(2.0), f64::exp(1.0)).unwrap();
    assert_eq!(format!("{:.1}", geometry.change_loss()), "6.5");
    assert_eq!(format!("{:.0}", geometry.alternation_loss(26)), "87");
    let ololoha = Chain::exact(4, 1, f64::exp(2.0), f64::exp(1.0)).unwrap();
    assert!(ololoha.alternation_loss(11) < 8.0 && ololoha.alternation_loss(12) > 8.0);
}

/// Case 3 and the frozen epoch: fresh noise multiplies, so any two sequences lose at most T epsilon_1; and a frozen
/// value is a sequence of one pattern, so all pairs lose at most epsilon_infinity.
#[test]
fn fresh_noise_and_a_frozen_value_have_bounds_for_every_pair() {
    let toy = Toy::symbols(3, 4.0, 2.0);
    let weekly = toy.chain.weekly_chances();
    let greatest = (weekly.inside / weekly.outside).ln();
    assert!((greatest - toy.chain.epsilon_first()).abs() < 1e-12);
    assert!(4.0 * greatest < toy.loss(&[0, 1, 0, 1], &[2, 2, 2, 2]));
    for (x, y) in pairs(&sequences(3, 3)) {
        let frozen = |values: &[usize]| vec![values[0]; 3];
        assert!(toy.loss(&frozen(x), &frozen(y)) <= toy.chain.epsilon_infinity() + 1e-12);
    }
}

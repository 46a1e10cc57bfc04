// SPDX-License-Identifier: MIT OR Apache-2.0
//! Faults planted in our own mechanisms. Samples show the gross ones. Those that move a chance by one part in billions
//! no sample can show: each such test asserts the blindness, and then the exact check that sees them.

use rand::{CryptoRng, Rng, TryCryptoRng, TryRng};

use super::*;
use crate::audit::goodness_of_fit;
use crate::design::Blocks as _;
use crate::sampling::uniform_below;

fn grr(d: u64, e: f64) -> RandomisedResponse {
    RandomisedResponse::new(size(d), epsilon(e).weights())
}

/// The fit of 20,000 messages for the value 2 to the row of randomised response over five values at epsilon = 1.
fn fit(seed: u64, mut sample: impl FnMut(&mut ChaCha20Rng) -> u64) -> f64 {
    let counts = counted(seed, 5, |rng| sample(rng) as usize);
    let support = grr(5, 1.0).design.support();
    goodness_of_fit((0..5).map(|y| (counts[y], if y == 2 { support.p_true } else { support.p_false })))
}

/// Twice the epsilon that the definition states: the audit and the histogram.
#[test]
fn an_epsilon_twice_too_large() {
    let honest = |e: f64| {
        let mechanism = grr(5, e);
        move |value: u32, rng: &mut ChaCha20Rng| {
            mechanism.encode(value, uniform_below(rng, mechanism.design.channel.total()))
        }
    };
    for (e, caught) in [(1.0, false), (2.0, true)] {
        let report = honest(e);
        assert_eq!(audited(41, [&2, &0], |&value, rng| report(value, rng)) > 1.0, caught);
        assert_eq!(fit(42, |rng| report(2, rng)) < SIGNIFICANCE, caught);
    }
}

/// A uniform integer from too few bits, taken modulo the total: 32 bits never reach the weight of the other values.
#[test]
fn a_modulus_of_too_few_bits() {
    let mechanism = grr(5, 1.0);
    let total = mechanism.design.channel.total();
    let report = |value: u32, rng: &mut ChaCha20Rng| mechanism.encode(value, u128::from(rng.next_u32()) % total);
    assert!(audited(43, [&2, &0], |&value, rng| report(value, rng)) > 1.0);
    assert!(fit(44, |rng| report(2, rng)) < SIGNIFICANCE);
}

/// A 64-bit word modulo the total is off by less than `W / 2^64 = 2^-29` in total, which no audit can see. A generator
/// whose words we write sees it: an exact uniform integer below 3 cannot be had from any fixed number of fair bits, so
/// there is a first word after which our sampler must ask for more, and follow the further word. The modulus asks once.
#[test]
fn a_modulus_of_many_bits() {
    let mechanism = grr(5, 1.0);
    let total = mechanism.design.channel.total();
    let biased = |rng: &mut dyn CryptoRng, total: u128| u128::from(rng.next_u64()) % total;
    let report = |value: u32, rng: &mut ChaCha20Rng| mechanism.encode(value, biased(rng, total));
    assert!(audited(45, [&2, &0], |&value, rng| report(value, rng)) <= 1.0);
    assert!(fit(46, |rng| report(2, rng)) > SIGNIFICANCE);

    // A third of 2^64, rounded down: the first draw lies on the border between 0 and 1, and the second decides.
    let third = 0x5555_5555_5555_5555;
    let draw = |second: u64, sampler: &dyn Fn(&mut dyn CryptoRng, u128) -> u128| {
        let mut script = Script { words: vec![third, second, 0], used: 0 };
        (sampler(&mut script, 3), script.used)
    };
    let exact = |rng: &mut dyn CryptoRng, total: u128| uniform_below(rng, total);
    assert_eq!([draw(0, &exact), draw(u64::MAX, &exact)], [(0, 2), (1, 2)]);
    // Undecided again, the exact sampler asks a third time; one that stops at two words is biased by `2^-64`.
    assert_eq!(draw(third, &exact).1, 3);
    assert_eq!([draw(0, &biased), draw(u64::MAX, &biased)], [(2, 1), (2, 1)]);
}

/// A generator that reads its words from a script.
struct Script {
    words: Vec<u64>,
    used: usize,
}

impl TryRng for Script {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        self.try_next_u64().map(|word| word as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        self.used += 1;
        Ok(self.words[self.used - 1])
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        bytes.chunks_mut(8).try_for_each(|chunk| {
            chunk.copy_from_slice(&self.try_next_u64()?.to_le_bytes()[..chunk.len()]);
            Ok(())
        })
    }
}

impl TryCryptoRng for Script {}

/// `<=` for `<` where a uniform integer is compared with the weight of the block: one integer of `2^34` changes sides,
/// which no audit can see. Trying every integer of a small channel, as channel_tests does for every mechanism, sees it.
#[test]
fn a_comparison_that_is_off_by_one() {
    let encode = |mechanism: &RandomisedResponse, value: u32, uniform: u128, defect: bool| {
        let inside = u128::from(mechanism.design.channel.weights.inside());
        let shifted = if defect && uniform == inside { 0 } else { uniform };
        mechanism.encode(value, shifted)
    };
    let deployed = grr(5, 1.0);
    let report = |value: u32, rng: &mut ChaCha20Rng| {
        encode(&deployed, value, uniform_below(rng, deployed.design.channel.total()), true)
    };
    assert!(audited(47, [&2, &0], |&value, rng| report(value, rng)) <= 1.0);
    assert!(fit(48, |rng| report(2, rng)) > SIGNIFICANCE);

    let small = RandomisedResponse::new(size(5), Weights::new(3, 1).unwrap());
    let row = |defect: bool| {
        let mut row = [0; 5];
        (0..small.design.channel.total()).for_each(|u| row[encode(&small, 2, u, defect) as usize] += 1);
        row
    };
    assert_eq!(row(false), [1, 1, 3, 1, 1]);
    assert_eq!(row(true), [0, 1, 4, 1, 1]);
}

/// A coin tossed by comparing floating-point numbers at `p = e / (e + 1)`: off by some `2^-53`, which no audit can see.
/// Counting the 53-bit numbers below p proves that more than epsilon = 1 is realised, and OpenDP's map, which rounds
/// upward, refuses it too. Our weights pass the same map. (In our own code nothing can toss such a coin: every `encode`
/// takes an integer.)
#[test]
fn a_coin_of_floating_point() {
    let heads = std::f64::consts::E / (std::f64::consts::E + 1.0);
    let report = |value: u32, rng: &mut ChaCha20Rng| if coin(rng, heads) { value } else { 1 - value };
    assert!(audited(49, [&0, &1], |&value, rng| report(value, rng)) <= 1.0);

    // Multiples j of 2^-53 with j 2^-53 < p, and an upper bound of e with 20 decimals.
    let truths = (heads * 2.0_f64.powi(53)).ceil() as u128;
    let lies = (1_u128 << 53) - truths;
    assert!(truths * 10_u128.pow(20) > lies * 271_828_182_845_904_523_537);
    let check = |p_true: f64| {
        ::opendp::measurements::make_randomized_response_bool(p_true, false).unwrap().check(&1, &1.0).unwrap()
    };
    assert!(!check(heads) && check(grr(2, 1.0).design.support().p_true));
}

/// One week's noise used again in the next: if the value changes, the two reports change places together. One changed
/// report may cost epsilon = 1; the pair of reports costs more.
#[test]
fn noise_that_is_used_again() {
    let mechanism = grr(2, 1.0);
    let total = mechanism.design.channel.total();
    for (memoised, caught) in [(false, false), (true, true)] {
        let two_weeks = |&[first, second]: &[u32; 2], rng: &mut ChaCha20Rng| {
            let noise = [uniform_below(rng, total), uniform_below(rng, total)];
            let again = if memoised { noise[0] } else { noise[1] };
            [mechanism.encode(first, noise[0]), mechanism.encode(second, again)]
        };
        assert_eq!(audited(50, [&[0, 0], &[0, 1]], two_weeks) > 1.0, caught);
    }
}

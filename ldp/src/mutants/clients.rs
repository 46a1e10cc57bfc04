// SPDX-License-Identifier: MIT OR Apache-2.0
//! Published clients that reveal more than they state: the audit must exceed the nominal epsilon for the defect and not
//! for its twin. All state epsilon = 1 but the last.

use std::f64::consts::E;

use super::*;
use crate::audit::goodness_of_fit;

/// The lower bounds of a correct client and of its defective twin.
fn assert_caught<V, K: Eq + std::hash::Hash>(
    nominal: f64,
    inputs: [&V; 2],
    client: impl Fn(&V, bool, &mut ChaCha20Rng) -> K,
) -> f64 {
    let correct = audited(21, inputs, |input, rng| client(input, false, rng));
    let defect = audited(22, inputs, |input, rng| client(input, true, rng));
    assert!(correct > nominal / 2.0 && correct <= nominal, "the twin: {correct}");
    assert!(defect > nominal, "not caught: {defect}");
    defect
}

/// pure-LDP 1.2.0, RAPPOR's permanent response: its only branch sets a bit, so that a set bit never clears.
#[test]
fn a_bit_that_never_clears() {
    let f = 2.0 / (f64::exp(0.5) + 1.0);
    let rappor = |&value: &u32, defect: bool, rng: &mut ChaCha20Rng| {
        (0..8).fold(0_u8, |bits, i| {
            let set = i == value;
            let reported = coin(rng, if set { 1.0 - f / 2.0 } else { f / 2.0 });
            bits | u8::from(reported || (set && defect)) << i
        })
    };
    assert!(assert_caught(1.0, [&2, &5], rappor) > 4.0);
}

/// minilek/private_frequency_oracles, the baseline of the PGR paper: without the true value it draws the subset from
/// all d values, the true one included. Then `epsilon = ln(1 + e d / (d - w))`: 1.59 for 3 of 10. The message histogram
/// shows it too.
#[test]
fn a_subset_without_the_value_that_may_hold_it() {
    let (d, w) = (10, 3);
    let heads = 3.0 * E / (3.0 * E + 7.0);
    let selection = |&value: &u32, defect: bool, rng: &mut ChaCha20Rng| {
        let with = coin(rng, heads);
        let mut mask = if with { 1_u16 << value } else { 0 };
        while mask.count_ones() < w {
            let item = rng.random_range(0..d);
            if item != value || (defect && !with) {
                mask |= 1 << item;
            }
        }
        mask
    };
    let exact = (1.0 + E * 10.0 / 7.0).ln();
    assert!(assert_caught(1.0, [&0, &9], selection) < exact);
    let fits = [false, true].map(|defect| {
        let counts = counted(23, 1 << d, |rng| selection(&4, defect, rng).into());
        let masks = (0..1_u16 << d).filter(|mask| mask.count_ones() == w);
        goodness_of_fit(masks.map(|mask| {
            let weight = if mask >> 4 & 1 == 1 { E } else { 1.0 };
            (counts[usize::from(mask)], weight / (36.0 * E + 84.0))
        }))
    });
    assert!(fits[0] > SIGNIFICANCE && fits[1] < SIGNIFICANCE, "{fits:?}");
}

/// OpenDP before 0.15.0, randomised response on a bit vector: the last bit was not randomised.
#[test]
fn a_last_bit_that_is_sent_as_it_is() {
    let flip = 1.0 / (f64::exp(0.5) + 1.0);
    let bits = |&input: &u8, defect: bool, rng: &mut ChaCha20Rng| {
        (0..4).fold(input, |bits, i| bits ^ u8::from(coin(rng, flip) && !(defect && i == 3)) << i)
    };
    assert!(assert_caught(1.0, [&0b1000, &0b0001], bits) > 4.0);
}

/// pure-LDP before 1.2.0, unary encoding: when the true bit is not retained it keeps the coin of the other bits instead
/// of falling to 0, so that `P[1 | 1] = p + (1 - p) q`: epsilon = 1.68 where 1 is stated.
#[test]
fn a_true_bit_with_a_second_chance() {
    let p = f64::exp(0.5) / (f64::exp(0.5) + 1.0);
    let unary = |&value: &u32, defect: bool, rng: &mut ChaCha20Rng| {
        let others = (0..6).fold(0_u8, |bits, i| bits | u8::from(coin(rng, 1.0 - p)) << i);
        let bit = 1 << value;
        if coin(rng, p) {
            others | bit
        } else if defect {
            others
        } else {
            others & !bit
        }
    };
    let held = p + (1.0 - p) * (1.0 - p);
    let exact = (held * p / ((1.0 - held) * (1.0 - p))).ln();
    assert!(assert_caught(1.0, [&1, &4], unary) < exact);
}

/// multi-freq-ldpy's longitudinal clients draw the permanent response anew for each report, so that averaging reveals
/// the value. One report looks right; the number of equal answers in 20 weeks (all that the weeks say) exceeds
/// epsilon-infinity = 2.
#[test]
fn a_permanent_response_that_is_redrawn() {
    let (forever, once) = (f64::exp(2.0), E);
    let instantaneous = (once * forever - 1.0) / (forever - once);
    let reports = |weeks: u32, value: usize, defect: bool, rng: &mut ChaCha20Rng| {
        let memo = respond(rng, value, 2, forever);
        let mut report = || {
            let permanent = if defect { respond(rng, value, 2, forever) } else { memo };
            respond(rng, permanent, 2, instantaneous)
        };
        (0..weeks).map(|_| report()).sum::<usize>()
    };
    assert_caught(2.0, [&0, &1], |&value, defect, rng| reports(20, value, defect, rng));
    for defect in [false, true] {
        let single = audited(24, [&0, &1], |&value, rng| reports(1, value, defect, rng));
        assert!(single > 0.5 && single <= 1.0, "{single}");
    }
}

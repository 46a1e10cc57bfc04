// SPDX-License-Identifier: MIT OR Apache-2.0
//! OpenDP as the oracle: the same mechanism built there must state the loss that our own measurement states, to eight
//! digits, and its draws must follow our channel. OpenDP's sampler cannot be seeded, so the significance is 1e-9 for
//! each.

use std::collections::HashSet;

use ::opendp::domains::{AtomDomain, BitVectorDomain};
use ::opendp::measurements::{
    make_geometric, make_randomized_response, make_randomized_response_bitvec, make_randomized_response_bool,
};
use ::opendp::metrics::{AbsoluteDistance, DiscreteDistance};

use crate::audit::goodness_of_fit;
use crate::opendp::measurement;
use crate::*;

/// Our map against theirs; both round upward.
fn assert_loss(mechanism: Mechanism, nominal: f64, theirs: f64) {
    let ours = measurement(mechanism).unwrap().map(&1).unwrap();
    assert!(ours <= nominal, "{nominal}: {ours}");
    assert!((ours - theirs).abs() < 1e-8, "{nominal}: {ours} vs {theirs}");
}

/// Their draws against the chances of our messages.
fn assert_draws(chances: &[f64], draws: u32, mut theirs: impl FnMut() -> usize) {
    let mut counts = vec![0; chances.len()];
    (0..draws).for_each(|_| counts[theirs()] += 1);
    let p = goodness_of_fit(counts.iter().copied().zip(chances.iter().copied()));
    assert!(p > 1e-9, "{counts:?} for {chances:?}: {p}");
}

#[test]
fn randomised_response_agrees_with_opendp() {
    for e in [0.25, 0.5, 1.0, 2.0, 4.0] {
        let weights = Epsilon::try_from(e).unwrap().weights();
        let ours = |d: u64| RandomisedResponse::new(DomainSize::try_from(d).unwrap(), weights);
        let Support { p_true, p_false } = ours(2).design.support();
        let boolean = make_randomized_response_bool(p_true, false).unwrap();
        assert_loss(Mechanism::RandomisedResponse(ours(2)), e, boolean.map(&1).unwrap());
        assert_draws(&[p_false, p_true], 5_000, || boolean.invoke(&true).unwrap().into());
        for d in [3_u64, 10, 40] {
            let Support { p_true, p_false } = ours(d).design.support();
            let k_ary = make_randomized_response((0..d).collect::<HashSet<u64>>(), p_true).unwrap();
            assert_loss(Mechanism::RandomisedResponse(ours(d)), e, k_ary.map(&1).unwrap());
            let row: Vec<f64> = (0..d).map(|y| if y == 1 { p_true } else { p_false }).collect();
            assert_draws(&row, 5_000, || k_ary.invoke(&1).unwrap() as usize);
        }
    }
}

/// Their scale is m / epsilon. Few draws: with bounds their sampler tosses m coins of 135 random bytes for each.
#[test]
fn truncated_geometric_agrees_with_opendp() {
    for (m, e) in [(5_i64, 1.0), (20, 1.0), (20, 2.0)] {
        let ours = TruncatedGeometric::new(Bound::try_from(m as u64).unwrap(), Epsilon::try_from(e).unwrap()).unwrap();
        let (domain, metric) = (AtomDomain::<i64>::default(), AbsoluteDistance::<i64>::default());
        let theirs = make_geometric(domain, metric, m as f64 / e, Some((0, m))).unwrap();
        let row: Vec<f64> = (0..=m as u32).map(|y| ours.weight(2, y) as f64 / ours.total() as f64).collect();
        assert_draws(&row, 16_000 / m as u32, || theirs.invoke(&2).unwrap() as usize);
        assert_loss(Mechanism::TruncatedGeometric(ours), e, theirs.map(&m).unwrap());
    }
}

/// One-hot symmetric unary encoding, of which their bit vector is the general form: it flips each bit with chance `1 /
/// (e^(epsilon/2) + 1)`, half of their f, and two one-hot vectors differ in two bits. Its loss is that of randomised
/// response with the same epsilon (Wang, Blocki, Li and Jha, USENIX Security 2017).
#[test]
fn unary_encoding_agrees_with_opendp() {
    for e in [0.25, 0.5, 1.0, 2.0, 4.0] {
        let f = 2.0 / (f64::exp(e / 2.0) + 1.0);
        let domain = BitVectorDomain::new().with_max_weight(1);
        let theirs = make_randomized_response_bitvec(domain, DiscreteDistance, f, false).unwrap();
        let weights = Epsilon::try_from(e).unwrap().weights();
        let ours = RandomisedResponse::new(DomainSize::try_from(2).unwrap(), weights);
        assert_loss(Mechanism::RandomisedResponse(ours), e, theirs.map(&1).unwrap());
    }
}

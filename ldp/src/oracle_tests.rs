// SPDX-License-Identifier: MIT OR Apache-2.0
//! OpenDP as the oracle: the same mechanism built there must state a loss that is at least ours, and equal to ten digits.

use std::collections::HashSet;

use opendp::domains::AtomDomain;
use opendp::measurements::{make_geometric, make_randomized_response, make_randomized_response_bool};
use opendp::metrics::AbsoluteDistance;

use crate::*;

/// Our loss `ln(A/B)` against OpenDP's map, which rounds upward.
fn assert_loss(ours: Epsilon, theirs: f64) {
    let loss = ours.weights().ratio().ln();
    assert!(loss <= theirs * (1.0 + 1e-15), "{ours}: {loss} > {theirs}");
    assert!(loss <= f64::from(ours), "{ours}: {loss}");
    assert!((loss - theirs).abs() < 1e-8, "{ours}: {loss} vs {theirs}");
}

#[test]
fn randomised_response_agrees_with_opendp() {
    for e in [0.25, 0.5, 1.0, 2.0, 4.0] {
        let epsilon = Epsilon::try_from(e).unwrap();
        let support = |d: u64| {
            RandomisedResponse::new(DomainSize::try_from(d).unwrap(), epsilon.weights()).design.support().p_true
        };
        let boolean = make_randomized_response_bool(support(2), false).unwrap();
        assert_loss(epsilon, boolean.map(&1).unwrap());
        for d in [3_u64, 10, 40] {
            let categories: HashSet<u64> = (0..d).collect();
            let k_ary = make_randomized_response(categories, support(d)).unwrap();
            assert_loss(epsilon, k_ary.map(&1).unwrap());
        }
    }
}

#[test]
fn truncated_geometric_agrees_with_opendp() {
    for (m, e) in [(5_i64, 1.0), (20, 1.0), (20, 2.0)] {
        let epsilon = Epsilon::try_from(e).unwrap();
        let noise = make_geometric(
            AtomDomain::<i64>::default(),
            AbsoluteDistance::<i64>::default(),
            m as f64 / e,
            Some((0, m)),
        )
        .unwrap();
        assert_loss(epsilon, noise.map(&m).unwrap());
        // And the distribution: 20,000 of OpenDP's draws at the count 2, each cell within 5 standard errors of ours.
        let ours = TruncatedGeometric::new(Bound::try_from(m as u64).unwrap(), epsilon).unwrap();
        let draws = 20_000;
        let mut counts = vec![0_u32; m as usize + 1];
        for _ in 0..draws {
            counts[usize::try_from(noise.invoke(&2).unwrap()).unwrap()] += 1;
        }
        for (y, &c) in counts.iter().enumerate() {
            let p = ours.weight(2, y as u32) as f64 / ours.total() as f64;
            let se = (p * (1.0 - p) * f64::from(draws)).sqrt();
            assert!((f64::from(c) - p * f64::from(draws)).abs() < 5.0 * se, "m={m} e={e} y={y}: {c}");
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The shipped mechanisms under the audit that catches the mutants, a hundred times each.

use statrs::distribution::{Binomial, DiscreteCDF};

use super::*;

/// What the audit sees of a response to one of two values.
pub(crate) type View = fn(&Mechanism, &[Value; 2], &Response) -> u64;

/// A mechanism, its nominal epsilon, two values that it must hide from each other, and the audit's view of it.
pub(crate) type Case = (f64, Mechanism, [Value; 2], View);

/// One line for each mechanism, or more where its channels differ.
pub(crate) fn shipped() -> Vec<Case> {
    use Mechanism as M;
    use Value::{Count, Set, Symbol};
    let a = |e: f64| epsilon(e).weights();
    let m = |bound: u64| Bound::try_from(bound).unwrap();
    let choice = |d, e| M::RandomisedResponse(RandomisedResponse::new(size(d), a(e)));
    let subset = |d, e| M::SubsetSelection(SubsetSelection::new(size(d), a(e)).unwrap());
    let geometry = |d, e| M::ProjectiveGeometry(ProjectiveGeometry::new(size(d), a(e)).unwrap());
    let collision = |d, most, e| M::Collision(Collision::new(size(d), m(most), epsilon(e)).unwrap());
    let priv_set = |d, most, e| M::PrivSet(PrivSet::new(size(d), m(most), a(e)).unwrap());
    let geometric = |most, e| M::TruncatedGeometric(TruncatedGeometric::new(m(most), epsilon(e)).unwrap());
    vec![
        (0.5, choice(2, 0.5), [Symbol(0), Symbol(1)], whole),
        (2.0, choice(12, 2.0), [Symbol(3), Symbol(11)], whole),
        (1.0, subset(10, 1.0), [Symbol(0), Symbol(9)], whole),
        (1.0, subset(42, 1.0), [Symbol(7), Symbol(41)], supports),
        (1.0, geometry(20, 1.0), [Symbol(0), Symbol(19)], whole),
        (2.0, collision(30, 3, 2.0), [Set(vec![1, 2, 3]), Set(vec![4, 5, 6])], supports),
        (2.0, collision(30, 3, 2.0), [Set(vec![1, 2, 3]), Set(vec![])], supports),
        (1.0, priv_set(12, 3, 1.0), [Set(vec![0, 5, 11]), Set(vec![2])], supports),
        (2.0, priv_set(5, 2, 2.0), [Set(vec![0, 1]), Set(vec![])], whole),
        (1.0, M::OneBitMean(OneBitMean::new(m(20), a(1.0))), [Count(0), Count(20)], whole),
        (2.0, M::HybridMean(HybridMean::new(m(20), epsilon(2.0))), [Count(0), Count(20)], whole),
        (1.0, M::SquareWave(SquareWave::new(m(20), epsilon(1.0))), [Count(0), Count(20)], whole),
        (1.0, geometric(20, 1.0), [Count(0), Count(20)], whole),
    ]
}

/// The whole message.
fn whole(mechanism: &Mechanism, _: &[Value; 2], response: &Response) -> u64 {
    mechanism.encode(response).unwrap().iter().fold(0, |key, &byte| key << 8 | u64::from(byte))
}

/// For messages too many to be seen twice: whether the response supports an item of the one value, and of the other.
fn supports(mechanism: &Mechanism, values: &[Value; 2], response: &Response) -> u64 {
    let holds = |value: &Value, cell: usize| match value {
        Value::Symbol(v) => *v as usize == cell,
        Value::Set(items) => items.contains(&(cell as u32)),
        Value::Count(_) => false,
    };
    let mut key = 0;
    let add = |cell| key |= u64::from(holds(&values[0], cell)) | u64::from(holds(&values[1], cell)) << 1;
    mechanism.accumulate(response, add).unwrap();
    key
}

/// At confidence 0.95 the bound exceeds the true epsilon in at most 5 of 100 repetitions on average; more than the
/// binomial law allows at 1e-6 condemns a mechanism. None may be condemned, and each must be if it stated half of its
/// epsilon.
#[test]
fn shipped_mechanisms_pass_a_hundred_audits() {
    let (repetitions, confidence) = (100, 0.95);
    let allowed = Binomial::new(1.0 - confidence, repetitions).unwrap().inverse_cdf(1.0 - SIGNIFICANCE);
    let audit = Audit::new(2_000, confidence).unwrap();
    let mut rng = ChaCha20Rng::seed_from_u64(61);
    for (nominal, mechanism, values, view) in shipped() {
        assert!(mechanism.weights().ratio().ln() <= nominal);
        let truths = values.clone().map(TrueValue::new);
        let mut view = |value: &TrueValue| view(&mechanism, &values, &mechanism.randomise(value, &mut rng).unwrap());
        let bounds: Vec<f64> =
            (0..repetitions).map(|_| audit.learned(&mut view, [&truths[0], &truths[1]]).lower).collect();
        let above = |epsilon: f64| bounds.iter().filter(|&&lower| lower > epsilon).count() as u64;
        let (condemned, halved) = (above(nominal), above(nominal / 2.0));
        assert!(condemned <= allowed && halved > allowed, "{mechanism:?}: {condemned}, {halved} of {repetitions}");
    }
}

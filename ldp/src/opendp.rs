// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every mechanism as an OpenDP measurement (feature `opendp`), so that OpenDP's own checks and combinators apply to
//! it.
//!
//! The input metric is the discrete distance: one workstation is one row, and its value may become any other. The
//! privacy map is the realised loss `ln(A/B)`, every step rounded upward. Coins come from the operating system's
//! generator, not OpenDP's.

use ::opendp::core::{Function, Measurement, PrivacyMap};
use ::opendp::domains::AtomDomain;
use ::opendp::err;
use ::opendp::error::Fallible;
use ::opendp::measures::MaxDivergence;
use ::opendp::metrics::DiscreteDistance;
use ::opendp::traits::{CheckAtom, CheckNull, InfCast, InfDiv, InfLn};
use rand::SeedableRng;
use rand::rngs::{ChaCha20Rng, SysRng};

use crate::mechanism::Mechanism;
use crate::value::{Response, TrueValue};

/// A mechanism as OpenDP sees it: from a true value to a response, under pure differential privacy.
pub type LocalMeasurement = Measurement<AtomDomain<TrueValue>, DiscreteDistance, MaxDivergence, Response>;

/// The mechanism as a measurement. At distance 1 and beyond its map gives `ln(A/B)`, at distance 0 nothing.
///
/// Up to epsilon = 7 the map keeps to the nominal epsilon. Beyond, A falls short of `B e^epsilon` by less than the last
/// digit of an `f64`, and the upward rounding may end one such digit above.
///
/// OpenDP cannot express the mechanism's input domain: a value outside of it makes the measurement fail, which releases
/// no more than that. Where values are not known to fit, ask [`Mechanism::check`] first.
///
/// # Errors
/// [`::opendp::error::Error`] when the loss cannot be rounded upward within `f64`, which no mechanism of this crate
/// reaches.
pub fn measurement(mechanism: Mechanism) -> Fallible<LocalMeasurement> {
    let loss = realised_loss(&mechanism)?;
    Measurement::new(
        AtomDomain::default(),
        DiscreteDistance,
        MaxDivergence,
        Function::new_fallible(move |value: &TrueValue| {
            let generator = ChaCha20Rng::try_from_rng(&mut SysRng);
            let mut rng = generator.map_err(|error| err!(FailedFunction, "no randomness: {}", error))?;
            mechanism.randomise(value, &mut rng).map_err(|error| err!(FailedFunction, "{}", error))
        }),
        PrivacyMap::new(move |&distance: &u32| if distance == 0 { 0.0 } else { loss }),
    )
}

/// `ln(A/B)`, rounded upward at every step.
fn realised_loss(mechanism: &Mechanism) -> Fallible<f64> {
    let weights = mechanism.weights();
    f64::inf_cast(weights.inside())?.inf_div(&f64::neg_inf_cast(weights.outside())?)?.inf_ln()
}

/// For OpenDP's domain of values. Whoever can compare can also open for the owner: nothing is let out that was not
/// before.
impl PartialEq for TrueValue {
    fn eq(&self, other: &Self) -> bool {
        self.open() == other.open()
    }
}

impl CheckNull for TrueValue {
    const NULLABLE: bool = false;
}

impl CheckAtom for TrueValue {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::goodness_of_fit;
    use crate::mutants::shipped;
    use crate::*;

    /// Every shipped mechanism: the map is the loss of its weights, at most the nominal epsilon and by no more than a
    /// millionth less; what the measurement answers is a response that the mechanism can send.
    #[test]
    fn every_mechanism_is_a_measurement() {
        for (nominal, mechanism, values, _) in shipped() {
            let measurement = measurement(mechanism.clone()).unwrap();
            assert!(measurement.map(&0).unwrap() <= 0.0);
            assert!(measurement.map(&1).unwrap() >= mechanism.weights().ratio().ln());
            for distance in [1, 2, u32::MAX] {
                assert!(measurement.check(&distance, &nominal).unwrap(), "{mechanism:?}");
                assert!(!measurement.check(&distance, &(nominal - 1e-6)).unwrap(), "{mechanism:?}");
            }
            for value in values.map(TrueValue::new) {
                let response = measurement.invoke(&value).unwrap();
                assert_eq!(mechanism.decode(&mechanism.encode(&response).unwrap()), Ok(response));
            }
        }
    }

    #[test]
    fn the_map_keeps_to_the_nominal_epsilon() {
        let two = DomainSize::try_from(2).unwrap();
        for thousandths in (1..=16_000).step_by(37) {
            let epsilon = Epsilon::from_micros(thousandths * 1000).unwrap();
            let nominal = f64::from(epsilon);
            let mechanism = Mechanism::RandomisedResponse(RandomisedResponse::new(two, epsilon.weights()));
            let loss = measurement(mechanism).unwrap().map(&1).unwrap();
            let limit = if nominal <= 7.0 { nominal } else { nominal.next_up() };
            assert!(loss <= limit && nominal - loss < 1e-9, "{epsilon}: {loss}");
        }
    }

    #[test]
    fn a_value_that_does_not_fit_fails_without_being_repeated() {
        let three = DomainSize::try_from(3).unwrap();
        let weights = Epsilon::try_from(1.0).unwrap().weights();
        let measurement = measurement(Mechanism::RandomisedResponse(RandomisedResponse::new(three, weights))).unwrap();
        for (value, fault) in [(Value::Symbol(77), "outside"), (Value::Count(77), "another kind")] {
            let error = measurement.invoke(&TrueValue::new(value)).unwrap_err();
            let message = error.message.unwrap();
            assert!(message.contains(fault) && !message.contains("77"), "{message}");
        }
    }

    /// 20,000 answers to one value against the channel's row at significance 1e-9: the operating system's generator has
    /// no seed to fix. A generator that repeats itself fails.
    #[test]
    fn answers_follow_the_channel() {
        let mechanism =
            RandomisedResponse::new(DomainSize::try_from(4).unwrap(), Epsilon::try_from(1.0).unwrap().weights());
        let Support { p_true, p_false } = mechanism.design.support();
        let measurement = measurement(Mechanism::RandomisedResponse(mechanism)).unwrap();
        let mut counts = [0; 4];
        for _ in 0..20_000 {
            let Response(value::Message::Symbol(symbol)) =
                measurement.invoke(&TrueValue::new(Value::Symbol(2))).unwrap()
            else {
                panic!("not a symbol")
            };
            counts[symbol as usize] += 1;
        }
        let p = goodness_of_fit(counts.into_iter().zip([p_false, p_false, p_true, p_false]));
        assert!(p > 1e-9, "{counts:?}: {p}");
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Whether responses follow their channel: what the bound on epsilon is blind to is a bias that keeps the ratios.

use statrs::distribution::{Binomial, DiscreteCDF as _};
use stipple_ldp::audit::goodness_of_fit;
use stipple_ldp::{Debias, Mechanism, Response, Value};

/// The p-value of the test that these are responses to the value. Where cells count few messages it is Pearson's chi-squared test
/// of the messages; else, for the support count of every value, the exact two-sided binomial test, times the number of values
/// (Bonferroni).
pub(super) fn fit(mechanism: &Mechanism, value: &Value, responses: &[Option<Response>]) -> f64 {
    let mut cells = vec![0_u64; mechanism.cells()];
    for response in responses {
        let counted = response.map(|response| mechanism.accumulate(&response, |cell| cells[cell] += 1));
        if !matches!(counted, Some(Ok(()))) {
            return 0.0; // no honest client sends it
        }
    }
    let mut held = vec![0.0; mechanism.values()];
    match value {
        Value::Symbol(v) | Value::Count(v) => held[*v as usize] = 1.0,
        Value::Set(items) => items.iter().for_each(|&item| held[item as usize] = 1.0),
    }
    let Debias::Shares(support) = mechanism.debias() else {
        let chances = mechanism.output_chances(&held).unwrap_or_default();
        return goodness_of_fit(cells.into_iter().zip(chances));
    };
    if let Mechanism::RandomisedResponse(_) = mechanism {
        return goodness_of_fit(cells.into_iter().zip(held.iter().map(|&held| support.reported(held))));
    }
    let counts = mechanism.support_counts(&cells);
    let tests = counts.iter().zip(&held).map(|(&count, &held)| {
        let chance = if held > 0.0 { support.p_true } else { support.p_false };
        two_sided(count, responses.len() as u64, chance)
    });
    (tests.fold(1.0, f64::min) * counts.len() as f64).min(1.0)
}

/// Twice the chance of the nearer tail.
fn two_sided(count: u64, n: u64, chance: f64) -> f64 {
    let Ok(law) = Binomial::new(chance, n) else { return 1.0 };
    let at_least = count.checked_sub(1).map_or(1.0, |below| law.sf(below));
    (2.0 * law.cdf(count).min(at_least)).min(1.0)
}

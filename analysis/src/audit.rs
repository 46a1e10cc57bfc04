// SPDX-License-Identifier: MIT OR Apache-2.0
//! A lower confidence bound on epsilon for a mechanism, or for anybody's client given its outputs; and where the channel is known,
//! a test that the outputs follow it. docs/audit.md says what either shows.

mod command;
mod fit;
mod outputs;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::cast_possible_truncation, reason = "a test that cannot set up its case fails")]
mod tests;

use serde::Serialize;
use stipple_catalog::{Definition, Domain};
use stipple_ldp::audit::{Audit, view};
use stipple_ldp::{Mechanism, ParameterError, Response, TrueValue, Value};

pub use command::{AuditArguments, audit_command};
pub use outputs::{Outputs, OutputsError};

/// How much is looked at, and how sure the verdict is to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// outputs of each input
    pub draws: u64,
    /// a true claim is refuted with a chance of at most 1 minus this
    pub confidence: f64,
}

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Verdict {
    /// the two inputs that were told apart
    pub inputs: [String; 2],
    /// the outputs of each input that were there
    pub outputs: u64,
    /// what was looked at in an output
    pub distinguisher: &'static str,
    /// the outputs of each input that the bound was counted on
    pub counted: u64,
    /// how many of these lay in the event
    pub hits: [u64; 2],
    /// the confidence of the whole audit
    pub confidence: f64,
    /// the epsilon that was claimed
    pub epsilon: f64,
    /// epsilon is at least this
    pub lower: f64,
    /// where the channel is known, the p-value of the test that the outputs follow it
    pub fit: Option<f64>,
    /// whether the bound exceeds the claim
    pub refuted: bool,
    /// whether the outputs do not follow the channel
    pub misfit: bool,
}

impl Effort {
    /// 100,000 outputs of each input, and 99 %.
    pub const USUAL: Self = Self { draws: 100_000, confidence: 0.99 };

    /// The audit of the bound. Where the fit is tested as well, each has half of the doubt.
    fn audit(self, with_fit: bool) -> Result<Audit, ParameterError> {
        let doubt = 1.0 - self.confidence;
        Audit::new(self.draws, 1.0 - if with_fit { doubt / 2.0 } else { doubt })
    }

    fn misfit(self, p: f64) -> bool {
        p < (1.0 - self.confidence) / 2.0
    }
}

impl Verdict {
    /// Whether anything speaks against the client.
    #[must_use]
    pub const fn is_bad(&self) -> bool {
        self.refuted || self.misfit
    }
}

/// Two values of a metric that its mechanism must hide from each other, as far apart as they can be: the first and last symbol, 0
/// and the cap, or two sets without a common item.
#[must_use]
pub fn extremes(definition: &Definition) -> [Value; 2] {
    let last = u32::try_from(definition.domain.size()).unwrap_or(u32::MAX).saturating_sub(1);
    match definition.domain {
        Domain::Symbol(_) | Domain::Buckets(_) => [Value::Symbol(0), Value::Symbol(last)],
        Domain::Count { most } => [Value::Count(0), Value::Count(most.get())],
        Domain::Set { most, .. } => {
            let most = most.get().min(last / 2 + 1);
            [Value::Set((0..most).collect()), Value::Set((last + 1 - most..=last).filter(|&v| v >= most).collect())]
        }
    }
}

/// Audits a client of a known mechanism: `sample` answers for a true value as the client does, or not at all, which is a fault as
/// well.
///
/// # Errors
/// [`ParameterError`] unless the confidence is a chance.
pub fn audit_mechanism(
    mechanism: &Mechanism,
    values: &[Value; 2],
    epsilon: f64,
    effort: Effort,
    mut sample: impl FnMut(&TrueValue) -> Option<Response>,
) -> Result<Verdict, ParameterError> {
    let responses = values.clone().map(|value| {
        let value = TrueValue::new(value);
        (0..effort.draws).map(|_| sample(&value)).collect::<Vec<Option<Response>>>()
    });
    judge(mechanism, values, epsilon, effort, &responses)
}

/// The verdict on responses that are there; `None` stands for one that no honest client can have sent.
fn judge(
    mechanism: &Mechanism,
    values: &[Value; 2],
    epsilon: f64,
    effort: Effort,
    responses: &[Vec<Option<Response>>; 2],
) -> Result<Verdict, ParameterError> {
    let seen = |response: &Option<Response>| response.map_or(u64::MAX, |response| view(mechanism, values, &response));
    let audit = effort.audit(true)?;
    let (_, found) = audit.best_of([&responses[0], &responses[1]], &[&seen]);
    let p = [0, 1].map(|side| fit::fit(mechanism, &values[side], &responses[side]));
    // The smaller of two, times two (Bonferroni).
    let fit = (2.0 * p[0].min(p[1])).min(1.0);
    let distinguisher = match mechanism {
        Mechanism::SubsetSelection(_) | Mechanism::Collision(_) | Mechanism::PrivSet(_) => {
            "which of the two it supports"
        }
        _ => "the message",
    };
    Ok(Verdict {
        inputs: [String::new(), String::new()],
        outputs: responses.iter().map(Vec::len).min().unwrap_or(0) as u64,
        distinguisher,
        counted: found.draws,
        hits: found.hits,
        confidence: effort.confidence,
        epsilon,
        lower: found.lower,
        fit: Some(fit),
        refuted: found.lower > epsilon,
        misfit: effort.misfit(fit),
    })
}

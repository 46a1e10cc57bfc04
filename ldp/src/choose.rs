// SPDX-License-Identifier: MIT OR Apache-2.0
//! The mechanism with the least error for a question, within a limit on bytes, and why.

use std::fmt;

use crate::collision::Collision;
use crate::domain::{Bound, DomainSize};
use crate::epsilon::Epsilon;
use crate::error::ParameterError;
use crate::mean::{HybridMean, OneBitMean};
use crate::mechanism::{Debias, Mechanism};
use crate::priv_set::PrivSet;
use crate::projective_geometry::ProjectiveGeometry;
use crate::randomised_response::RandomisedResponse;
use crate::subset_selection::SubsetSelection;
use crate::support::minimax_variance;
use crate::truncated_geometric::TruncatedGeometric;

/// What is to be learned from each workstation's value. The distribution of an ordered value is not here: its error has no one number that
/// holds whatever the distribution; [`crate::SquareWave`] suits smooth ones, buckets as symbols spiky ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// How many hold each of d values.
    Symbols(DomainSize),
    /// How many hold each of d items, when one holds at most m.
    Sets(DomainSize, Bound),
    /// The mean of a count from 0 to m.
    Mean(Bound),
}

/// A mechanism that answers a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// the mechanism with its parameters
    pub mechanism: Mechanism,
    /// bytes of a response
    pub bytes: usize,
    /// n times the variance of one estimate: for symbols the average at the uniform distribution, people drawn at random; for sets that of an
    /// item that nobody holds; for a mean, in squared counts, that of the noise at the count where it is greatest
    pub variance: f64,
}

/// All candidates for a question.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// the best first; never empty
    candidates: Vec<Candidate>,
    /// those that cannot be built or are too long, with the reason
    pub excluded: Vec<(&'static str, String)>,
    /// the least variance that any mechanism can have, where it is known
    pub least: Option<f64>,
}

/// Compares every mechanism that answers the question with responses of at most `most_bytes`.
///
/// # Errors
/// [`ParameterError::NoCandidate`] when none fits, with the reasons.
pub fn choose(question: Question, epsilon: Epsilon, most_bytes: usize) -> Result<Choice, ParameterError> {
    let mut choice = Choice { candidates: Vec::new(), excluded: Vec::new(), least: least(question, epsilon) };
    for (name, built) in built(question, epsilon) {
        match built {
            Ok(mechanism) if mechanism.payload_len() > most_bytes => {
                let reason = format!("its responses take {} bytes, the limit is {most_bytes}", mechanism.payload_len());
                choice.excluded.push((name, reason));
            }
            Ok(mechanism) => {
                let (bytes, variance) = (mechanism.payload_len(), variance(&mechanism, question));
                choice.candidates.push(Candidate { mechanism, bytes, variance });
            }
            Err(error) => choice.excluded.push((name, error.to_string())),
        }
    }
    choice.candidates.sort_by(|a, b| a.variance.total_cmp(&b.variance).then(a.bytes.cmp(&b.bytes)));
    if choice.candidates.is_empty() {
        let reasons = choice.excluded.iter().map(|(name, reason)| format!("{name}: {reason}"));
        return Err(ParameterError::NoCandidate(reasons.collect::<Vec<_>>().join("; ")));
    }
    Ok(choice)
}

type Built = Vec<(&'static str, Result<Mechanism, ParameterError>)>;

/// Every mechanism that answers the question, simplest first: it wins a tie.
fn built(question: Question, epsilon: Epsilon) -> Built {
    let weights = epsilon.weights();
    match question {
        Question::Symbols(d) => vec![
            ("randomised-response", Ok(Mechanism::RandomisedResponse(RandomisedResponse::new(d, weights)))),
            ("subset-selection", SubsetSelection::new(d, weights).map(Mechanism::SubsetSelection)),
            ("projective-geometry", ProjectiveGeometry::new(d, weights).map(Mechanism::ProjectiveGeometry)),
        ],
        Question::Sets(d, m) => vec![
            ("collision", Collision::new(d, m, epsilon).map(Mechanism::Collision)),
            ("priv-set", PrivSet::new(d, m, weights).map(Mechanism::PrivSet)),
        ],
        Question::Mean(m) => vec![
            ("one-bit-mean", Ok(Mechanism::OneBitMean(OneBitMean::new(m, weights)))),
            ("hybrid-mean", Ok(Mechanism::HybridMean(HybridMean::new(m, epsilon)))),
            ("truncated-geometric", TruncatedGeometric::new(m, epsilon).map(Mechanism::TruncatedGeometric)),
        ],
    }
}

fn least(question: Question, epsilon: Epsilon) -> Option<f64> {
    match question {
        Question::Symbols(d) => Some(minimax_variance(d.get(), epsilon.weights().ratio())),
        Question::Sets(..) | Question::Mean(_) => None,
    }
}

fn variance(mechanism: &Mechanism, question: Question) -> f64 {
    match (mechanism.debias(), question) {
        (Debias::Shares(support), Question::Symbols(d)) => support.variance(1.0 / f64::from(d.get())),
        (Debias::Shares(support), _) => support.variance(0.0),
        (Debias::Mean { .. }, _) => mechanism.noise_variances().into_iter().fold(0.0, f64::max),
    }
}

impl Choice {
    /// The candidate with the least variance; the shorter one where two are equal.
    #[must_use]
    pub fn best(&self) -> &Candidate {
        &self.candidates[0]
    }

    /// The best first.
    #[must_use]
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }
}

/// A table of the candidates, the best first, and a line for each that was excluded.
impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let best = self.best();
        writeln!(f, "{}: the least variance of {} candidates", best.mechanism, self.candidates.len())?;
        writeln!(f, "  {:<20} {:>5} {:>11} {:>8}", "mechanism", "bytes", "n Var", "ratio")?;
        let unit = self.least.unwrap_or(best.variance);
        for Candidate { mechanism, bytes, variance } in &self.candidates {
            writeln!(f, "  {:<20} {bytes:>5} {variance:>11.4} {:>8.3}", mechanism.name(), variance / unit)?;
        }
        let of =
            if self.least.is_some() { "the least that any mechanism attains (Ye and Barg)" } else { "the best here" };
        writeln!(f, "  ratio: to {of}")?;
        self.excluded.iter().try_for_each(|(name, reason)| writeln!(f, "  not {name}: {reason}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn best(question: Question, epsilon: f64, bytes: usize) -> &'static str {
        choose(question, Epsilon::try_from(epsilon).unwrap(), bytes).unwrap().best().mechanism.name()
    }

    fn size(d: u64) -> DomainSize {
        DomainSize::try_from(d).unwrap()
    }

    fn bound(m: u64) -> Bound {
        Bound::try_from(m).unwrap()
    }

    /// The regimes of LDP.md sections 2.4, 2.5, 2.7 and 6.1.
    #[test]
    fn the_choice_follows_the_regimes() {
        assert_eq!(best(Question::Symbols(size(2)), 1.0, 8), "randomised-response", "the simplest of three equals");
        assert_eq!(best(Question::Symbols(size(30)), 1.0, 8), "subset-selection");
        assert_eq!(best(Question::Symbols(size(30)), 1.0, 1), "projective-geometry", "a mask takes four bytes");
        assert_eq!(best(Question::Symbols(size(1000)), 1.0, 8), "projective-geometry");
        assert_eq!(best(Question::Symbols(size(30)), 8.0, 8), "randomised-response");
        assert_eq!(best(Question::Sets(size(20), bound(4)), 1.0, 8), "priv-set");
        assert_eq!(best(Question::Sets(size(300), bound(5)), 1.0, 8), "collision");
        assert_eq!(best(Question::Mean(bound(20)), 0.5, 8), "one-bit-mean");
        assert_eq!(best(Question::Mean(bound(100)), 2.0, 8), "hybrid-mean");
    }

    #[test]
    fn the_choice_explains_itself() {
        let choice = choose(Question::Symbols(size(100)), Epsilon::try_from(1.0).unwrap(), 3).unwrap();
        let text = choice.to_string();
        assert!(text.starts_with("projective-geometry d=100 q="), "{text}");
        assert!(text.contains("not subset-selection: subset selection takes a domain of at most 64 values"), "{text}");
        assert!(choice.candidates().iter().all(|c| c.variance >= choice.least.unwrap() * 0.999_999));
        let none = choose(Question::Sets(size(300), bound(5)), Epsilon::try_from(1.0).unwrap(), 3).unwrap_err();
        assert!(none.to_string().contains("4 bytes, the limit is 3"), "{none}");
    }
}

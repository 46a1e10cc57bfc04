// SPDX-License-Identifier: MIT OR Apache-2.0
//! A question as the command line asks it, before there is a metric or a report.

use std::path::PathBuf;

use clap::Args;
use stipple_catalog::{CatalogueError, Definition, Domain, MAX_PAYLOAD};
use stipple_ldp::{Bound, Choice, DomainSize, Epsilon, ParameterError, Question, choose};

/// What keeps a comparison or a plan from being made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanningError {
    /// The question has no answer.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The catalogue cannot be used.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// Neither `--domain` nor `--mean` says what is asked.
    #[error("nothing is asked: add --domain D or --mean BOUND, with --epsilon E")]
    NoQuestion,
    /// No metric of the catalogue may be collected on the day.
    #[error("no metric of the catalogue may be collected on {day}: give another --day")]
    NothingActive {
        /// the day
        day: jiff::civil::Date,
    },
    /// The plot could not be written.
    #[error("cannot write {path}: {source}; choose a place with --plot that can be written")]
    Plot {
        /// the file
        path: PathBuf,
        /// why
        source: std::io::Error,
    },
}

impl PlanningError {
    /// The program's exit code: 1 for a faulty catalogue, 2 for wrong usage or an output that cannot be written.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Catalogue(_) | Self::NothingActive { .. } => 1,
            Self::Parameter(_) | Self::NoQuestion | Self::Plot { .. } => 2,
        }
    }
}

/// One question and what its answer may cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub question: Question,
    pub epsilon: Epsilon,
}

/// `--domain` with or without `--max-set`, or `--mean`.
#[derive(Args, Clone, Debug)]
pub struct AskedArguments {
    /// How many values the dictionary has: 2 to 100,000.
    #[arg(long, value_name = "D", value_parser = size, conflicts_with = "mean", requires = "epsilon")]
    domain: Option<DomainSize>,
    /// Each workstation holds a set of at most this many of the values, instead of one: 1 to 255.
    #[arg(long, value_name = "M", value_parser = bound, requires = "domain")]
    max_set: Option<Bound>,
    /// Ask for the mean of a count from 0 to this bound instead: 1 to 255.
    #[arg(long, value_name = "BOUND", value_parser = bound, requires = "epsilon")]
    mean: Option<Bound>,
    /// What one report may cost, such as 1 or 0.5.
    #[arg(long, value_name = "E", value_parser = epsilon)]
    epsilon: Option<Epsilon>,
}

impl AskedArguments {
    /// The question, if one is asked.
    ///
    /// # Errors
    /// [`PlanningError::NoQuestion`] for an epsilon alone.
    pub(crate) fn asked(&self) -> Result<Option<Asked>, PlanningError> {
        let Some(epsilon) = self.epsilon else { return Ok(None) };
        let question = match (self.domain, self.max_set, self.mean) {
            (Some(d), Some(m), _) => Question::Sets(d, m),
            (Some(d), None, _) => Question::Symbols(d),
            (None, _, Some(m)) => Question::Mean(m),
            (None, _, None) => return Err(PlanningError::NoQuestion),
        };
        Ok(Some(Asked { question, epsilon }))
    }
}

impl Asked {
    /// The question that a metric asks.
    pub(crate) fn of(definition: &Definition) -> Result<Self, ParameterError> {
        let size = DomainSize::try_from(definition.domain.size() as u64);
        let question = match definition.domain {
            Domain::Symbol(_) | Domain::Buckets(_) => Question::Symbols(size?),
            Domain::Set { most, .. } => Question::Sets(size?, most),
            Domain::Count { most } => Question::Mean(most),
        };
        Ok(Self { question, epsilon: definition.epsilon })
    }

    /// The mechanisms that answer it within a report, the best first.
    pub(crate) fn choice(self) -> Result<Choice, ParameterError> {
        choose(self.question, self.epsilon, MAX_PAYLOAD)
    }

    /// The question as a heading says it.
    pub(crate) fn in_words(self) -> String {
        match self.question {
            Question::Symbols(d) => format!("one of {} values, epsilon {}", d.get(), self.epsilon),
            Question::Sets(d, m) => {
                format!("a set of at most {} of {} values, epsilon {}", m.get(), d.get(), self.epsilon)
            }
            Question::Mean(m) => format!("the mean of a count from 0 to {}, epsilon {}", m.get(), self.epsilon),
        }
    }
}

pub(crate) fn epsilon(text: &str) -> Result<Epsilon, String> {
    let number: f64 = text.parse().map_err(|_| format!("epsilon is a number such as 1 or 0.5, not {text:?}"))?;
    Epsilon::try_from(number).map_err(|error| error.to_string())
}

fn size(text: &str) -> Result<DomainSize, String> {
    whole(text).and_then(|number| DomainSize::try_from(number).map_err(|error| error.to_string()))
}

fn bound(text: &str) -> Result<Bound, String> {
    whole(text).and_then(|number| Bound::try_from(number).map_err(|error| error.to_string()))
}

fn whole(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("a whole number is wanted, not {text:?}"))
}

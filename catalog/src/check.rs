// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a metric's file to a checked definition, or to findings that name file, line and remedy.

mod domain;
mod events;

use std::fmt;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use serde::Serialize;
use stipple_ldp::{
    Collision, DomainSize, Epsilon, HybridMean, Mechanism, OneBitMean, PrivSet, ProjectiveGeometry, RandomisedResponse,
    SquareWave, SubsetSelection, TruncatedGeometric,
};
use toml::Spanned;
use toml::value::Datetime;

use crate::definition::{Definition, DefinitionHash, MetricKey};
use crate::domain::Domain;
use crate::source::{MechanismName, MetricFile};
use crate::wire::MAX_PAYLOAD;

/// Something wrong in a catalogue: where, what, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// the file
    #[serde(serialize_with = "shown")]
    pub file: PathBuf,
    /// the line, from 1
    pub line: usize,
    /// what is wrong
    pub problem: String,
    /// what to do
    pub remedy: String,
}

/// A path need not be UTF-8; JSON must.
fn shown<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}\n    {}", self.file.display(), self.line, self.problem, self.remedy)
    }
}

/// The text of one file, which turns byte offsets into findings.
pub(crate) struct Text<'a> {
    pub file: &'a Path,
    pub text: &'a str,
}

impl Text<'_> {
    pub fn at(&self, offset: usize, problem: impl Into<String>, remedy: impl Into<String>) -> Finding {
        let line = self.text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count() + 1;
        Finding { file: self.file.to_owned(), line, problem: problem.into(), remedy: remedy.into() }
    }

    /// Parses the file's TOML.
    pub fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, Finding> {
        toml::from_str(self.text).map_err(|error| {
            let offset = error.span().map_or(0, |span| span.start);
            self.at(offset, error.message().trim(), "write the file as docs/catalogue.md describes")
        })
    }
}

/// Checks one metric's file. Every finding is reported, not the first only. Expiry is judged on a day, if one is given: a
/// workstation skips an expired metric, `check` refuses it.
pub(crate) fn definition(text: &Text<'_>, cap: Epsilon, today: Option<Date>) -> Result<Definition, Vec<Finding>> {
    let file: MetricFile = text.parse().map_err(|finding| vec![finding])?;
    let mut findings = Vec::new();
    check_prose(&file, text, &mut findings);
    let epsilon = keep(check_epsilon(&file.epsilon, cap, text), &mut findings);
    let introduced = keep(day("introduced", &file.introduced, text), &mut findings);
    let expires = keep(day("expires", &file.expires, text), &mut findings);
    if let (Some(introduced), Some(expires)) = (introduced, expires) {
        findings.extend(check_lifetime(introduced, expires, today, text, file.expires.span().start));
    }
    let aggregate = &file.tally.get_ref().aggregate;
    let domain = domain::check_domain(&file.domain, aggregate, text, &mut findings);
    let events = events::check_events(&file.tally, file.domain.get_ref().kind, text, &mut findings);
    let mechanism = match (&domain, epsilon) {
        (Some(domain), Some(epsilon)) => keep(mechanism(&file.mechanism, domain, epsilon, text), &mut findings),
        _ => None,
    };
    let (Some(epsilon), Some(introduced), Some(expires), Some(domain), Some(mechanism), true) =
        (epsilon, introduced, expires, domain, mechanism, findings.is_empty())
    else {
        return Err(findings);
    };
    let approval = file.approval.map(Spanned::into_inner).unwrap_or_default();
    let unsealed = Definition {
        id: file.id.into_inner(),
        title: file.title.into_inner(),
        question: file.question.into_inner(),
        category: file.category,
        owner: file.owner.into_inner(),
        approval,
        introduced,
        expires,
        epsilon,
        mechanism_name: file.mechanism.into_inner(),
        mechanism,
        domain,
        aggregate: *aggregate.get_ref(),
        events,
        hash: DefinitionHash([0; 16]),
        key: MetricKey([0; 8]),
    };
    Ok(unsealed.sealed())
}

fn keep<T>(checked: Result<T, Finding>, findings: &mut Vec<Finding>) -> Option<T> {
    checked.map_err(|finding| findings.push(finding)).ok()
}

fn check_prose(file: &MetricFile, text: &Text<'_>, findings: &mut Vec<Finding>) {
    let id = file.id.get_ref();
    let well_formed = id.len() <= 64
        && id.strip_prefix(file.category.name()).and_then(|rest| rest.strip_prefix('.')).is_some_and(|name| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        });
    if !well_formed {
        findings.push(text.at(
            file.id.span().start,
            format!("{id:?} is no id of the category {}", file.category),
            format!("write {}.name with lower-case letters, digits and hyphens, at most 64", file.category),
        ));
    }
    let stem = text.file.file_stem().is_some_and(|stem| stem.to_str() == Some(id));
    if well_formed && !stem {
        findings.push(text.at(
            file.id.span().start,
            format!("the file's name and the id {id:?} differ"),
            format!("name the file {id}.toml"),
        ));
    }
    for (field, value) in [("title", &file.title), ("question", &file.question), ("owner", &file.owner)] {
        if value.get_ref().trim().is_empty() {
            findings.push(text.at(value.span().start, format!("the {field} is empty"), format!("say the {field}")));
        }
    }
    check_approval(file.approval.as_ref(), file.id.span().start, text, findings);
}

fn check_approval(approval: Option<&Spanned<String>>, id_at: usize, text: &Text<'_>, findings: &mut Vec<Finding>) {
    let remedy = "set approval to the https:// address of the decision, or to a file of this catalogue";
    let Some(approval) = approval else {
        findings.push(text.at(id_at, "the approval is missing: nobody has agreed to collect this", remedy));
        return;
    };
    let link = approval.get_ref();
    let beside = text.file.parent().unwrap_or(Path::new(".")).join(link);
    let inside = !link.is_empty() && Path::new(link).components().all(|c| matches!(c, std::path::Component::Normal(_)));
    let address =
        link.strip_prefix("https://").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
    if !(address || inside && beside.is_file()) {
        let problem = format!("the approval {link:?} is neither an https:// address nor a file of this catalogue");
        findings.push(text.at(approval.span().start, problem, remedy));
    }
}

fn check_epsilon(epsilon: &Spanned<f64>, cap: Epsilon, text: &Text<'_>) -> Result<Epsilon, Finding> {
    let at = epsilon.span().start;
    let value = Epsilon::try_from(*epsilon.get_ref())
        .map_err(|error| text.at(at, error.to_string(), format!("choose an epsilon of at most {cap}")))?;
    if value > cap {
        let problem = format!("epsilon {value} is over the catalogue's cap of {cap} for one metric");
        return Err(text.at(
            at,
            problem,
            format!("lower it to {cap} or less, or have the cap in catalogue.toml approved"),
        ));
    }
    Ok(value)
}

fn day(field: &str, value: &Spanned<Datetime>, text: &Text<'_>) -> Result<Date, Finding> {
    let written = value.get_ref();
    let only_day = written.time.is_none() && written.offset.is_none();
    only_day.then(|| written.to_string().parse().ok()).flatten().ok_or_else(|| {
        text.at(value.span().start, format!("{field}: {written} is not a day"), "write a day as 2026-11-24")
    })
}

fn check_lifetime(introduced: Date, expires: Date, today: Option<Date>, text: &Text<'_>, at: usize) -> Option<Finding> {
    if expires < introduced {
        let problem = format!("expires: {expires} is before the day of introduction, {introduced}");
        return Some(text.at(at, problem, "set expires to the last day of collection"));
    }
    (today? > expires).then(|| {
        text.at(
            at,
            format!("expires: the metric expired on {expires}"),
            "delete the file, or renew the approval and set a later day",
        )
    })
}

fn mechanism(
    name: &Spanned<MechanismName>,
    domain: &Domain,
    epsilon: Epsilon,
    text: &Text<'_>,
) -> Result<Mechanism, Finding> {
    let at = name.span().start;
    let fault = |error: stipple_ldp::ParameterError| {
        text.at(at, format!("mechanism: {error}"), "choose another mechanism, or change the domain or epsilon")
    };
    let size = || DomainSize::try_from(domain.size() as u64).map_err(fault);
    let mechanism = match (name.get_ref(), domain) {
        (MechanismName::RandomisedResponse, Domain::Symbol(_) | Domain::Buckets(_)) => {
            Mechanism::RandomisedResponse(RandomisedResponse::new(size()?, epsilon.weights()))
        }
        (MechanismName::SubsetSelection, Domain::Symbol(_) | Domain::Buckets(_)) => {
            Mechanism::SubsetSelection(SubsetSelection::new(size()?, epsilon.weights()).map_err(fault)?)
        }
        (MechanismName::ProjectiveGeometry, Domain::Symbol(_) | Domain::Buckets(_)) => {
            Mechanism::ProjectiveGeometry(ProjectiveGeometry::new(size()?, epsilon.weights()).map_err(fault)?)
        }
        (MechanismName::Collision, Domain::Set { most, .. }) => {
            Mechanism::Collision(Collision::new(size()?, *most, epsilon).map_err(fault)?)
        }
        (MechanismName::PrivSet, Domain::Set { most, .. }) => {
            Mechanism::PrivSet(PrivSet::new(size()?, *most, epsilon.weights()).map_err(fault)?)
        }
        (MechanismName::OneBitMean, Domain::Count { most }) => {
            Mechanism::OneBitMean(OneBitMean::new(*most, epsilon.weights()))
        }
        (MechanismName::HybridMean, Domain::Count { most }) => Mechanism::HybridMean(HybridMean::new(*most, epsilon)),
        (MechanismName::SquareWave, Domain::Count { most }) => Mechanism::SquareWave(SquareWave::new(*most, epsilon)),
        (MechanismName::TruncatedGeometric, Domain::Count { most }) => {
            Mechanism::TruncatedGeometric(TruncatedGeometric::new(*most, epsilon).map_err(fault)?)
        }
        (name, _) => {
            return Err(text.at(
                at,
                format!("mechanism: {name} does not take this kind of domain"),
                "symbol and buckets take randomised-response, subset-selection or projective-geometry; set takes collision or \
                 priv-set; count takes truncated-geometric, one-bit-mean, hybrid-mean or square-wave",
            ));
        }
    };
    fits_a_report(mechanism.payload_len(), at, text)?;
    Ok(mechanism)
}

/// A definition whose reports could never be sent is refused here, not on the workstation.
fn fits_a_report(payload: usize, at: usize, text: &Text<'_>) -> Result<(), Finding> {
    if payload <= MAX_PAYLOAD {
        return Ok(());
    }
    Err(text.at(
        at,
        format!("mechanism: its payload of {payload} bytes does not fit a report, which has room for {MAX_PAYLOAD}"),
        "choose another mechanism or a smaller domain",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use stipple_ldp::Bound;

    #[test]
    fn a_payload_over_the_room_in_a_report_is_refused() {
        let text = Text { file: Path::new("a.toml"), text: "\n\nmechanism = 1" };
        assert_eq!(fits_a_report(MAX_PAYLOAD, 2, &text), Ok(()));
        let finding = fits_a_report(MAX_PAYLOAD + 1, 2, &text).unwrap_err();
        assert_eq!((finding.line, finding.file.to_str()), (3, Some("a.toml")));
        assert!(finding.problem.contains("mechanism") && finding.problem.contains("22 bytes"), "{finding}");
        assert!(finding.remedy.contains("smaller domain"), "{finding}");
    }

    #[test]
    fn every_mechanism_at_its_largest_fits_a_report() {
        let size = |n| DomainSize::try_from(n).unwrap();
        let (weights, bound) = (Epsilon::MAX.weights(), Bound::try_from(255).unwrap());
        let one = Epsilon::try_from(1.0).unwrap();
        assert!(SubsetSelection::new(size(65), weights).is_err());
        for largest in [
            Mechanism::RandomisedResponse(RandomisedResponse::new(size(100_000), weights)),
            Mechanism::SubsetSelection(SubsetSelection::new(size(64), weights).unwrap()),
            Mechanism::Collision(Collision::new(size(100_000), bound, one).unwrap()),
            Mechanism::PrivSet(PrivSet::new(size(60), Bound::try_from(4).unwrap(), weights).unwrap()),
            Mechanism::HybridMean(HybridMean::new(bound, one)),
            Mechanism::SquareWave(SquareWave::new(bound, one)),
            Mechanism::TruncatedGeometric(TruncatedGeometric::new(bound, one).unwrap()),
        ] {
            assert!(largest.payload_len() <= MAX_PAYLOAD, "{largest:?}");
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! From a metric's file to a checked definition, or to findings that name file, line and remedy.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use serde::Serialize;
use stipple_ldp::{
    Bound, Collision, DomainSize, Epsilon, Mechanism, RandomisedResponse, SubsetSelection, TruncatedGeometric,
};
use toml::Spanned;
use toml::value::Datetime;

use crate::definition::{Definition, DefinitionHash, EventSource, MetricKey};
use crate::domain::{Buckets, Domain, NONE, OTHER, Symbols};
use crate::source::{DomainKind, DomainTable, EventTable, MechanismName, MetricFile};
use crate::tally::Aggregate;

/// Something wrong in a catalogue: where, what, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// the file
    pub file: PathBuf,
    /// the line, from 1
    pub line: usize,
    /// what is wrong
    pub problem: String,
    /// what to do
    pub remedy: String,
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

/// Checks one metric's file. Every finding is reported, not the first only.
pub(crate) fn definition(text: &Text<'_>, cap: Epsilon) -> Result<Definition, Vec<Finding>> {
    let file: MetricFile = text.parse().map_err(|finding| vec![finding])?;
    let mut findings = Vec::new();
    check_prose(&file, text, &mut findings);
    let epsilon = keep(check_epsilon(&file.epsilon, cap, text), &mut findings);
    let introduced = keep(day(&file.introduced, text), &mut findings);
    let expires = keep(day(&file.expires, text), &mut findings);
    let aggregate = file.tally.get_ref().aggregate;
    let domain = check_domain(&file.domain, aggregate, text, &mut findings);
    let events = check_events(&file.tally, text, &mut findings);
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
        title: file.title,
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
        aggregate,
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
    for (field, value) in [("question", &file.question), ("owner", &file.owner)] {
        if value.get_ref().trim().is_empty() {
            findings.push(text.at(value.span().start, format!("the {field} is empty"), format!("say the {field}")));
        }
    }
    check_approval(file.approval.as_ref(), text, findings);
}

fn check_approval(approval: Option<&Spanned<String>>, text: &Text<'_>, findings: &mut Vec<Finding>) {
    let remedy = "set approval to the https:// address of the decision, or to a file of this catalogue";
    let Some(approval) = approval else {
        findings.push(text.at(0, "the approval is missing: nobody has agreed to collect this", remedy));
        return;
    };
    let link = approval.get_ref();
    let beside = text.file.parent().unwrap_or(Path::new(".")).join(link);
    let inside = !link.is_empty() && Path::new(link).components().all(|c| matches!(c, std::path::Component::Normal(_)));
    if !(link.starts_with("https://") || inside && beside.is_file()) {
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

fn day(value: &Spanned<Datetime>, text: &Text<'_>) -> Result<Date, Finding> {
    value.get_ref().to_string().parse().map_err(|_| {
        text.at(value.span().start, format!("{} is not a day", value.get_ref()), "write a day as 2026-11-24")
    })
}

/// Expiry is judged on a day, apart from the rest: a workstation skips an expired metric, `check` refuses it.
pub(crate) fn expired(definition: &Definition, today: Date, text: &Text<'_>) -> Option<Finding> {
    let offset =
        text.text.lines().take_while(|line| !line.trim_start().starts_with("expires")).map(|l| l.len() + 1).sum();
    (definition.expires < today).then(|| {
        text.at(
            offset,
            format!("the metric expired on {}", definition.expires),
            "delete the file, or renew the approval and set a later day",
        )
    })
}

fn check_domain(
    table: &Spanned<DomainTable>,
    aggregate: Aggregate,
    text: &Text<'_>,
    findings: &mut Vec<Finding>,
) -> Option<Domain> {
    let before = findings.len();
    let at = table.span().start;
    let domain = table.get_ref();
    if domain.kind != DomainKind::Count {
        check_labels(domain, at, text, findings);
    }
    for (problem, remedy) in misfits(domain, aggregate) {
        findings.push(text.at(at, problem, remedy));
    }
    let most = match (domain.kind, domain.most) {
        (DomainKind::Set | DomainKind::Count, most) => {
            let bound = Bound::try_from(most.unwrap_or(0));
            bound.map_err(|error| findings.push(text.at(at, format!("most: {error}"), "set most to the bound"))).ok()
        }
        (_, None) => None,
        (_, Some(_)) => {
            findings.push(text.at(at, "only sets and counts have a bound", "delete the line with most"));
            None
        }
    };
    if findings.len() > before {
        return None;
    }
    match domain.kind {
        DomainKind::Symbol => Some(Domain::Symbol(symbols(domain))),
        DomainKind::Buckets => {
            let Symbols { labels, none, .. } = symbols(domain);
            Some(Domain::Buckets(Buckets { labels, lower: domain.lower.clone(), none }))
        }
        DomainKind::Set => most.map(|most| Domain::Set { symbols: symbols(domain), most }),
        DomainKind::Count => most.map(|most| Domain::Count { most }),
    }
}

fn check_labels(domain: &DomainTable, at: usize, text: &Text<'_>, findings: &mut Vec<Finding>) {
    if domain.values.is_empty() {
        findings.push(text.at(at, "the dictionary is empty", "list the values that may be reported"));
    }
    let mut seen = BTreeSet::new();
    for value in &domain.values {
        let label = value.get_ref();
        let reserved = label == OTHER || label == NONE;
        if reserved || label.trim().is_empty() {
            let problem = format!("the dictionary value {label:?} is reserved or empty");
            findings.push(text.at(value.span().start, problem, "use the settings other and none instead of a value"));
        } else if !seen.insert(label) {
            let problem = format!("the dictionary has {label:?} twice");
            findings.push(text.at(value.span().start, problem, "keep one of the two"));
        }
    }
    for alias in domain.aliases.values() {
        if !seen.contains(alias.get_ref()) {
            let problem = format!("an alias leads to {:?}, which is not in the dictionary", alias.get_ref());
            findings.push(text.at(alias.span().start, problem, "add the value or delete the alias"));
        }
    }
}

/// What does not fit together in a domain, with the remedy.
fn misfits(domain: &DomainTable, aggregate: Aggregate) -> Vec<(&'static str, &'static str)> {
    use Aggregate::{Any, Count, Distinct, Duration, Last, Maximum, Sum};
    use DomainKind as Kind;
    let dictionary = matches!(domain.kind, Kind::Symbol | Kind::Set);
    let fits = match domain.kind {
        Kind::Symbol => matches!(aggregate, Last | Any),
        Kind::Buckets => matches!(aggregate, Last | Maximum | Count | Sum | Duration),
        Kind::Set => aggregate == Distinct,
        Kind::Count => matches!(aggregate, Count | Sum | Maximum),
    };
    let can_be_silent = matches!((domain.kind, aggregate), (Kind::Symbol, Last) | (Kind::Buckets, Last | Maximum));
    let rising = domain.lower.first() == Some(&0) && domain.lower.windows(2).all(|pair| pair[0] < pair[1]);
    let rules = [
        (
            !fits,
            "this kind of domain cannot hold this aggregate",
            "see the table of kinds and aggregates in docs/catalogue.md",
        ),
        (
            can_be_silent && !domain.none,
            "a week without a value has no answer",
            "set none = true: silence must be a value",
        ),
        (
            !can_be_silent && domain.none,
            "a week without events is a value of this domain already",
            "delete none = true",
        ),
        (
            domain.kind == Kind::Symbol && aggregate == Last && !domain.other,
            "a value outside the dictionary has no answer",
            "set other = true",
        ),
        (
            aggregate == Any && (domain.values.len() != 2 || domain.other),
            "any has two answers",
            "give two values: not seen, then seen",
        ),
        (
            !dictionary && (domain.other || !domain.aliases.is_empty() || !domain.strip_suffix.is_empty()),
            "other, aliases and strip_suffix belong to dictionaries",
            "delete them",
        ),
        (
            domain.kind == Kind::Buckets && !(rising && domain.lower.len() == domain.values.len()),
            "every bucket needs its smallest number",
            "give lower as many rising numbers as values, the first 0",
        ),
        (domain.kind != Kind::Buckets && !domain.lower.is_empty(), "only buckets have lower bounds", "delete lower"),
        (domain.kind == Kind::Count && !domain.values.is_empty(), "a count has no dictionary", "delete values"),
    ];
    rules.into_iter().filter(|rule| rule.0).map(|(_, problem, remedy)| (problem, remedy)).collect()
}

/// The dictionary with its reserved labels behind it. A dictionary is far smaller than 2^32: the mechanism's check follows.
fn symbols(domain: &DomainTable) -> Symbols {
    let mut labels: Vec<String> = domain.values.iter().map(|value| value.get_ref().clone()).collect();
    let position = |label: &String| labels.iter().position(|l| l == label).and_then(|i| u32::try_from(i).ok());
    let aliases: BTreeMap<String, u32> =
        domain.aliases.iter().filter_map(|(alias, value)| Some((alias.clone(), position(value.get_ref())?))).collect();
    let mut reserve = |wanted: bool, label: &str| {
        wanted.then(|| {
            labels.push(label.to_owned());
            u32::try_from(labels.len() - 1).unwrap_or(u32::MAX)
        })
    };
    let other = reserve(domain.other, OTHER);
    let none = reserve(domain.none, NONE);
    Symbols { labels, other, none, strip_suffix: domain.strip_suffix.clone(), aliases }
}

fn check_events(
    tally: &Spanned<crate::source::TallyTable>,
    text: &Text<'_>,
    findings: &mut Vec<Finding>,
) -> Vec<EventSource> {
    let events = &tally.get_ref().events;
    if events.is_empty() {
        findings.push(text.at(tally.span().start, "no event feeds the metric", "list at least one under tally.events"));
    }
    events.iter().filter_map(|event| keep(event_source(event, text), findings)).collect()
}

fn event_source(event: &EventTable, text: &Text<'_>) -> Result<EventSource, Finding> {
    let id = parse_uuid(event.id.get_ref()).ok_or_else(|| {
        let problem = format!("{:?} is not a UUID", event.id.get_ref());
        text.at(event.id.span().start, problem, "write it as 49d0451a-f706-4f50-81d2-70cc0ec923a4")
    })?;
    Ok(EventSource { id, payload: event.payload.clone(), field: event.field.clone() })
}

/// The 16 bytes of a UUID in its usual form of 36 characters.
fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let dashes = text.char_indices().filter(|(_, c)| *c == '-').map(|(i, _)| i);
    if text.len() != 36 || !text.is_ascii() || !dashes.eq([8, 13, 18, 23]) {
        return None;
    }
    let digits = text.replace('-', "");
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(digits.as_bytes().chunks(2)) {
        if !pair.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(id)
}

fn mechanism(
    name: &Spanned<MechanismName>,
    domain: &Domain,
    epsilon: Epsilon,
    text: &Text<'_>,
) -> Result<Mechanism, Finding> {
    let at = name.span().start;
    let fault =
        |error: stipple_ldp::ParameterError| text.at(at, error.to_string(), "choose another mechanism or domain");
    let size = || DomainSize::try_from(domain.size() as u64).map_err(fault);
    match (name.get_ref(), domain) {
        (MechanismName::RandomisedResponse, Domain::Symbol(_) | Domain::Buckets(_)) => {
            Ok(Mechanism::RandomisedResponse(RandomisedResponse::new(size()?, epsilon.weights())))
        }
        (MechanismName::SubsetSelection, Domain::Symbol(_) | Domain::Buckets(_)) => {
            SubsetSelection::new(size()?, epsilon.weights()).map(Mechanism::SubsetSelection).map_err(fault)
        }
        (MechanismName::Collision, Domain::Set { most, .. }) => {
            Collision::new(size()?, *most, epsilon).map(Mechanism::Collision).map_err(fault)
        }
        (MechanismName::TruncatedGeometric, Domain::Count { most }) => {
            Ok(Mechanism::TruncatedGeometric(TruncatedGeometric::new(*most, epsilon)))
        }
        (name, _) => Err(text.at(
            at,
            format!("{name} does not take this kind of domain"),
            "symbol and buckets take randomised-response or subset-selection, set takes collision, count takes truncated-geometric",
        )),
    }
}

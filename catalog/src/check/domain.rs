// SPDX-License-Identifier: MIT OR Apache-2.0
//! The `domain` table: its dictionary, its bounds, and whether it can hold the aggregate.

use std::collections::{BTreeMap, BTreeSet};

use stipple_ldp::Bound;
use toml::Spanned;

use super::{Finding, Text};
use crate::domain::{Buckets, Domain, NONE, OTHER, Symbols};
use crate::source::{DomainKind, DomainTable};
use crate::tally::Aggregate;

pub(super) fn check_domain(
    table: &Spanned<DomainTable>,
    aggregate: &Spanned<Aggregate>,
    text: &Text<'_>,
    findings: &mut Vec<Finding>,
) -> Option<Domain> {
    let before = findings.len();
    let domain = table.get_ref();
    if domain.kind != DomainKind::Count {
        check_labels(table, text, findings);
    }
    for (at, problem, remedy) in misfits(table, aggregate) {
        findings.push(text.at(at, problem, remedy));
    }
    let most = check_most(table, text, findings);
    if findings.len() > before {
        return None;
    }
    match domain.kind {
        DomainKind::Symbol => Some(Domain::Symbol(symbols(domain))),
        DomainKind::Buckets => {
            let Symbols { labels, none, .. } = symbols(domain);
            Some(Domain::Buckets(Buckets { labels, lower: domain.bounds().to_vec(), none }))
        }
        DomainKind::Set => most.map(|most| Domain::Set { symbols: symbols(domain), most }),
        DomainKind::Count => most.map(|most| Domain::Count { most }),
    }
}

fn check_most(table: &Spanned<DomainTable>, text: &Text<'_>, findings: &mut Vec<Finding>) -> Option<Bound> {
    let domain = table.get_ref();
    let bounded = matches!(domain.kind, DomainKind::Set | DomainKind::Count);
    let finding = match (&domain.most, bounded) {
        (None, false) => return None,
        (None, true) => text.at(table.span().start, "most is missing", "set most to the bound, 1 to 255"),
        (Some(most), false) => {
            text.at(most.span().start, "most: only sets and counts have a bound", "delete the line with most")
        }
        (Some(most), true) => match Bound::try_from(*most.get_ref()) {
            Ok(bound) => return Some(bound),
            Err(error) => text.at(most.span().start, format!("most: {error}"), "set most to the bound, 1 to 255"),
        },
    };
    findings.push(finding);
    None
}

fn check_labels(table: &Spanned<DomainTable>, text: &Text<'_>, findings: &mut Vec<Finding>) {
    let domain = table.get_ref();
    if domain.labels().is_empty() {
        let at = domain.values.as_ref().map_or(table.span().start, |values| values.span().start);
        findings.push(text.at(at, "values: the dictionary is empty", "list the values that may be reported"));
    }
    let mut fault = |at: usize, problem: String, remedy: &str| findings.push(text.at(at, problem, remedy));
    let mut seen = BTreeSet::new();
    for value in domain.labels() {
        let (label, at) = (value.get_ref(), value.span().start);
        if label == OTHER || label == NONE || label.trim().is_empty() {
            let problem = format!("values: {label:?} is reserved or empty");
            fault(at, problem, "use the settings other and none instead of a value");
        } else if label.chars().any(char::is_control) {
            fault(at, format!("values: {label:?} has a control character"), "write it without");
        } else if !seen.insert(label) {
            fault(at, format!("values: the dictionary has {label:?} twice"), "keep one of the two");
        }
    }
    for (alias, value) in &domain.aliases {
        let at = value.span().start;
        if !seen.contains(value.get_ref()) {
            let problem = format!("aliases: {alias:?} leads to {:?}, which is not in values", value.get_ref());
            fault(at, problem, "add the value or delete the alias");
        }
        if seen.contains(alias) {
            let problem = format!("aliases: {alias:?} is a value itself, which comes first");
            fault(at, problem, "delete the alias or the value");
        }
    }
}

/// What does not fit together in a domain: where, what, and the remedy.
fn misfits(table: &Spanned<DomainTable>, aggregate: &Spanned<Aggregate>) -> Vec<(usize, &'static str, &'static str)> {
    use Aggregate::{Any, Count, Distinct, Duration, Last, Maximum, Sum};
    use DomainKind as Kind;
    fn place<T>(field: Option<&Spanned<T>>) -> Option<usize> {
        field.map(|field| field.span().start)
    }
    let (domain, top, at_aggregate) = (table.get_ref(), table.span().start, aggregate.span().start);
    let (kind, aggregate) = (domain.kind, *aggregate.get_ref());
    let values = place(domain.values.as_ref()).unwrap_or(top);
    let other = place(domain.other.as_ref());
    let none = place(domain.none.as_ref()).unwrap_or(top);
    let lower = place(domain.lower.as_ref());
    let suffix = place(domain.strip_suffix.as_ref());
    let alias = domain.aliases.values().map(|value| value.span().start).min();
    let lookup = matches!((kind, aggregate), (Kind::Symbol, Last) | (Kind::Set, _));
    let fits = match kind {
        Kind::Symbol => matches!(aggregate, Last | Any),
        Kind::Buckets => matches!(aggregate, Last | Maximum | Count | Sum | Duration),
        Kind::Set => aggregate == Distinct,
        Kind::Count => matches!(aggregate, Count | Sum | Maximum),
    };
    let can_be_silent = matches!((kind, aggregate), (Kind::Symbol, Last) | (Kind::Buckets, Last | Maximum));
    let bounds = domain.bounds();
    let rising = bounds.first() == Some(&0) && bounds.windows(2).all(|pair| pair[0] < pair[1]);
    let rules = [
        (
            !fits,
            at_aggregate,
            "aggregate: this kind of domain cannot hold it",
            "see the table of kinds and aggregates in docs/catalogue.md",
        ),
        (
            fits && can_be_silent && !domain.has_none(),
            none,
            "none: a week without a value has no answer",
            "set none = true: silence must be a value",
        ),
        (
            fits && !can_be_silent && domain.has_none(),
            none,
            "none: a week without events is a value of this domain already",
            "delete none = true",
        ),
        (
            kind == Kind::Symbol && aggregate == Last && !domain.has_other(),
            other.unwrap_or(top),
            "other: a value outside the dictionary has no answer",
            "set other = true",
        ),
        (
            kind == Kind::Symbol && aggregate == Any && (domain.labels().len() != 2 || domain.has_other()),
            values,
            "values: the aggregate any has two answers and no other",
            "give two values: not seen, then seen",
        ),
        (
            fits && !lookup && aggregate != Any && domain.has_other(),
            other.unwrap_or(top),
            "other: it belongs to dictionaries that texts are looked up in",
            "delete other",
        ),
        (
            fits && !lookup && alias.is_some(),
            alias.unwrap_or(top),
            "aliases: they belong to dictionaries that texts are looked up in",
            "delete aliases",
        ),
        (
            fits && !lookup && !domain.suffix().is_empty(),
            suffix.unwrap_or(top),
            "strip_suffix: it belongs to dictionaries that texts are looked up in",
            "delete strip_suffix",
        ),
        (
            kind == Kind::Buckets && !(rising && bounds.len() == domain.labels().len()),
            lower.unwrap_or(top),
            "lower: every bucket needs its smallest number",
            "give lower as many rising numbers as values, the first 0",
        ),
        (
            kind != Kind::Buckets && lower.is_some(),
            lower.unwrap_or(top),
            "lower: only buckets have lower bounds",
            "delete lower",
        ),
        (kind == Kind::Count && domain.values.is_some(), values, "values: a count has no dictionary", "delete values"),
    ];
    rules.into_iter().filter(|rule| rule.0).map(|(_, at, problem, remedy)| (at, problem, remedy)).collect()
}

/// The dictionary with its reserved labels behind it. A dictionary is far smaller than 2^32: the mechanism's check follows.
fn symbols(domain: &DomainTable) -> Symbols {
    let mut labels: Vec<String> = domain.labels().iter().map(|value| value.get_ref().clone()).collect();
    let position = |label: &String| labels.iter().position(|l| l == label).and_then(|i| u32::try_from(i).ok());
    let aliases: BTreeMap<String, u32> =
        domain.aliases.iter().filter_map(|(alias, value)| Some((alias.clone(), position(value.get_ref())?))).collect();
    let mut reserve = |wanted: bool, label: &str| {
        wanted.then(|| {
            labels.push(label.to_owned());
            u32::try_from(labels.len() - 1).unwrap_or(u32::MAX)
        })
    };
    let other = reserve(domain.has_other(), OTHER);
    let none = reserve(domain.has_none(), NONE);
    Symbols { labels, other, none, strip_suffix: domain.suffix().to_owned(), aliases }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The `tally` table: which events feed a metric, and whether their payloads can.

use toml::Spanned;

use super::{Finding, Text, keep};
use crate::definition::EventSource;
use crate::source::{DomainKind, EventTable, TallyTable};
use crate::tally::Aggregate;

/// What an aggregate needs to find inside an event's payload.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    Text,
    Number,
}

const fn need(kind: DomainKind, aggregate: Aggregate) -> Need {
    match (aggregate, kind) {
        (Aggregate::Distinct, _) | (Aggregate::Last, DomainKind::Symbol | DomainKind::Set) => Need::Text,
        (Aggregate::Last | Aggregate::Sum | Aggregate::Maximum, _) => Need::Number,
        (Aggregate::Any | Aggregate::Count | Aggregate::Duration, _) => Need::Nothing,
    }
}

pub(super) fn check_events(
    tally: &Spanned<TallyTable>,
    kind: DomainKind,
    text: &Text<'_>,
    findings: &mut Vec<Finding>,
) -> Vec<EventSource> {
    let need = need(kind, *tally.get_ref().aggregate.get_ref());
    let events = &tally.get_ref().events;
    if events.is_empty() {
        findings.push(text.at(
            tally.span().start,
            "tally.events is empty: no event feeds the metric",
            "list at least one event under [[tally.events]]",
        ));
    }
    let mut sources = Vec::<EventSource>::new();
    for event in events {
        let Some(source) = keep(event_source(event, need, text), findings) else { continue };
        if sources.contains(&source) {
            findings.push(text.at(
                event.id.span().start,
                format!("the event id {:?} stands here twice with the same payload and field", event.id.get_ref()),
                "delete one of the two: the event would count twice",
            ));
        }
        sources.push(source);
    }
    sources
}

fn event_source(event: &EventTable, need: Need, text: &Text<'_>) -> Result<EventSource, Finding> {
    let id = parse_uuid(event.id.get_ref()).ok_or_else(|| {
        let problem = format!("the event id {:?} is not a UUID", event.id.get_ref());
        text.at(event.id.span().start, problem, "write it as 49d0451a-f706-4f50-81d2-70cc0ec923a4")
    })?;
    let payload = event.payload.as_ref().map_or("", |payload| payload.get_ref());
    let field = event.field.as_ref().map_or(&[][..], |field| field.get_ref());
    let payload_at = event.payload.as_ref().map_or(event.id.span().start, |payload| payload.span().start);
    let field_at = event.field.as_ref().map_or(payload_at, |field| field.span().start);
    let found = if payload.is_empty() {
        if need != Need::Nothing || !field.is_empty() {
            return Err(text.at(
                if need == Need::Nothing { field_at } else { payload_at },
                "the payload is empty, so there is no value in it to take",
                "set payload to the D-Bus signature of the event's payload",
            ));
        }
        None
    } else {
        if complete(payload.as_bytes(), 0) != Some(payload.len()) || payload == "v" {
            return Err(text.at(
                payload_at,
                format!("the payload {payload:?} is not the D-Bus signature of one value without its variant"),
                "write one complete type such as s, t or (uuuua(sqds)), or leave it empty to ignore the payload",
            ));
        }
        let Some(leaf) = leaf(payload.as_bytes(), field) else {
            return Err(text.at(
                field_at,
                format!("the field {field:?} leads to no member of the payload {payload:?}"),
                "give the position, from 0, of a member of the structure for each level",
            ));
        };
        Some(leaf)
    };
    let (wanted, takes) = match need {
        Need::Text => ("a string (s or o)", "sov"),
        Need::Number => ("a whole number or a boolean (y, b, n, q, i, u, x or t)", "ybnqiuxtv"),
        Need::Nothing => ("a string, a whole number or a boolean", "soybnqiuxtv"),
    };
    if found.is_some_and(|leaf| !takes.contains(char::from(leaf))) {
        let remedy = match need {
            Need::Nothing => "set payload = \"\" to ignore the payload",
            _ => "set payload and field so that they lead to it, or choose another aggregate",
        };
        return Err(text.at(payload_at, format!("the payload {payload:?} does not lead to {wanted}"), remedy));
    }
    Ok(EventSource { id, payload: payload.to_owned(), field: field.to_vec() })
}

/// The first byte of the type that a path of structure members leads to. A variant may hold anything: it ends the search.
fn leaf(mut signature: &[u8], field: &[usize]) -> Option<u8> {
    for &member in field {
        if signature.first() == Some(&b'v') {
            break;
        }
        let mut members = signature.strip_prefix(b"(")?.strip_suffix(b")")?;
        for _ in 0..member {
            members = members.get(complete(members, 0)?..)?;
        }
        signature = members.get(..complete(members, 0)?)?;
    }
    signature.first().copied()
}

/// The length of the complete D-Bus type that a signature begins with.
fn complete(signature: &[u8], depth: usize) -> Option<usize> {
    const BASIC: &[u8] = b"ybnqiuxtdsogh";
    if depth > 32 || signature.len() > 255 {
        return None;
    }
    let after = |at: usize| complete(signature.get(at..)?, depth + 1).map(|length| at + length);
    match signature.first()? {
        b'v' => Some(1),
        basic if BASIC.contains(basic) => Some(1),
        b'a' if signature.get(1) == Some(&b'{') => {
            let key = signature.get(2).filter(|key| BASIC.contains(key));
            let end = key.and_then(|_| after(3))?;
            (signature.get(end) == Some(&b'}')).then_some(end + 1)
        }
        b'a' => after(1),
        b'(' => {
            let mut end = after(1)?;
            while signature.get(end) != Some(&b')') {
                end = after(end)?;
            }
            Some(end + 1)
        }
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_one_complete_type() {
        for good in ["s", "t", "(tttttt)", "(uuuua(sqds))", "a{sv}", "aas", "(s(vu)ai)", "a{s(ii)}"] {
            assert_eq!(complete(good.as_bytes(), 0), Some(good.len()), "{good}");
        }
        let deep = "a".repeat(200) + "s";
        for bad in ["ss", "(", "()", "(s", "a", "a{vs}", "a{s}", "a{sss}", "z", "s ", "é", deep.as_str()] {
            assert_ne!(complete(bad.as_bytes(), 0), Some(bad.len()), "{bad}");
        }
    }

    #[test]
    fn a_path_leads_to_its_member() {
        for (signature, field, found) in [
            ("s", &[][..], Some(b's')),
            ("(uuuua(sqds))", &[4], Some(b'a')),
            ("(u(st)x)", &[1, 1], Some(b't')),
            ("(u(st)x)", &[2], Some(b'x')),
            ("(u(st)x)", &[3], None),
            ("(u(st)x)", &[0, 0], None),
            ("(uv)", &[1, 7], Some(b'v')),
            ("s", &[0], None),
        ] {
            assert_eq!(leaf(signature.as_bytes(), field), found, "{signature} {field:?}");
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! An event as an application records it, and what the catalogue reads in it.

use stipple_catalog::{Aggregate, EventSource, Leaf, Occurrence};
use zbus::wire::Variant;

/// One recorded event: singular, aggregate, a whole sequence, or a slice of a timer's time.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// the event's UUID in network byte order
    pub id: [u8; 16],
    /// the payload, however deep in variants; `None` when the recorder was told that there is none
    pub payload: Option<&'a Variant<'a>>,
    /// how many times
    pub times: u64,
    /// for how long, in seconds
    pub seconds: u64,
}

impl<'a> Event<'a> {
    /// An event that happened once.
    #[must_use]
    pub const fn singular(id: [u8; 16], payload: Option<&'a Variant<'a>>) -> Self {
        Self { id, payload, times: 1, seconds: 0 }
    }

    /// What the event says to a metric that listens for it; `None` when the payload has another shape.
    #[must_use]
    pub fn read(&self, source: &EventSource, aggregate: Aggregate) -> Option<Occurrence<'_>> {
        let leaf = if source.payload.is_empty() {
            Leaf::Nothing
        } else {
            let payload = unwrapped(self.payload?);
            if payload.value_signature().to_string() != source.payload {
                return None;
            }
            leaf(payload, &source.field)?
        };
        // Only a duration takes a slice of time that is not a new occurrence.
        (self.times > 0 || aggregate == Aggregate::Duration).then_some(Occurrence {
            leaf,
            times: self.times,
            seconds: self.seconds,
        })
    }
}

/// The value inside any nesting of variants.
fn unwrapped<'v>(mut value: &'v Variant<'v>) -> &'v Variant<'v> {
    while let Variant::Variant(inner) = value {
        value = inner;
    }
    value
}

fn leaf<'v>(payload: &'v Variant<'v>, field: &[usize]) -> Option<Leaf<'v>> {
    let mut value = payload;
    for &member in field {
        let Variant::Structure(members) = value else { return None };
        value = unwrapped(members.fields().get(member)?);
    }
    let signed = |n: i64| Leaf::Number(u64::try_from(n).unwrap_or(0));
    Some(match value {
        Variant::Str(text) => Leaf::Text(text.as_str()),
        Variant::ObjectPath(path) => Leaf::Text(path.as_str()),
        Variant::Bool(b) => Leaf::Number(u64::from(*b)),
        Variant::U8(n) => Leaf::Number(u64::from(*n)),
        Variant::U16(n) => Leaf::Number(u64::from(*n)),
        Variant::U32(n) => Leaf::Number(u64::from(*n)),
        Variant::U64(n) => Leaf::Number(*n),
        Variant::I16(n) => signed((*n).into()),
        Variant::I32(n) => signed((*n).into()),
        Variant::I64(n) => signed(*n),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(payload: &str, field: &[usize]) -> EventSource {
        EventSource { id: [0; 16], payload: payload.to_owned(), field: field.to_vec() }
    }

    fn read<'a>(payload: &'a Variant<'a>, source: &EventSource) -> Option<Leaf<'a>> {
        let event = Event::singular([0; 16], Some(payload));
        // The leaf borrows from the payload; re-read it at that lifetime.
        event.read(source, Aggregate::Last)?;
        if source.payload.is_empty() { Some(Leaf::Nothing) } else { leaf(unwrapped(payload), &source.field) }
    }

    #[test]
    fn any_nesting_of_variants_is_unwrapped() {
        let plain = Variant::from("btrfs");
        let nested = Variant::Variant(Box::new(Variant::Variant(Box::new(plain.try_clone().unwrap()))));
        for payload in [&plain, &nested] {
            assert_eq!(read(payload, &source("s", &[])), Some(Leaf::Text("btrfs")));
        }
    }

    #[test]
    fn members_are_found_by_their_path_and_other_shapes_say_nothing() {
        let times = Variant::from((1_u64, 2_u64, 3_u64, 4_u64, 5_u64, 15_u64));
        assert_eq!(read(&times, &source("(tttttt)", &[5])), Some(Leaf::Number(15)));
        assert_eq!(read(&times, &source("(tttttt)", &[6])), None);
        assert_eq!(read(&times, &source("(ttttt)", &[0])), None);
        assert_eq!(read(&Variant::from(-3_i32), &source("i", &[])), Some(Leaf::Number(0)));
        assert_eq!(read(&Variant::from(3_u32), &source("s", &[])), None);
        assert_eq!(read(&Variant::from(3_u32), &source("", &[])), Some(Leaf::Nothing));
    }

    #[test]
    fn shapes_are_compared_down_to_the_innermost_type() {
        use std::collections::HashMap;
        let options = HashMap::from([("signal", Variant::from(11_i32))]);
        let crash = Variant::from(("firefox", options));
        assert_eq!(read(&crash, &source("(sa{sv})", &[0])), Some(Leaf::Text("firefox")));
        assert_eq!(read(&crash, &source("(sa{ss})", &[0])), None);
        let cards = Variant::from((8_u32, vec![("AMD", 4_u16, 4.2_f64)]));
        assert_eq!(read(&cards, &source("(ua(sqd))", &[0])), Some(Leaf::Number(8)));
        assert_eq!(read(&cards, &source("(ua(sqds))", &[0])), None);
        // A variant inside a structure is looked into.
        let wrapped = Variant::from((Variant::from("inner"),));
        assert_eq!(read(&wrapped, &source("(v)", &[0])), Some(Leaf::Text("inner")));
    }

    #[test]
    fn a_missing_payload_says_nothing_to_a_metric_that_reads_one() {
        let event = Event::singular([0; 16], None);
        assert!(event.read(&source("s", &[]), Aggregate::Last).is_none());
        assert!(event.read(&source("", &[]), Aggregate::Count).is_some());
    }
}

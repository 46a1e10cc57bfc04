// SPDX-License-Identifier: MIT OR Apache-2.0
//! Finds the events in a request of the existing recorder, and opens no payload but that of a Stipple report.
//!
//! The body is a GVariant of the type `(xxsa{ss}ya(aysxmv)a(ayssumv))`, little endian. Its format is the GVariant specification of
//! GLib (A. Larsson and R. Lortie, 2007 to 2023): members lie at their alignment, and the ends of those that have no fixed size
//! stand as framing offsets behind them. Only as much of it is read as leads to an event's id; a general library would read, and
//! keep, everything.

/// The bytes do not have the form of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no GVariant of the type (xxsa{{ss}}ya(aysxmv)a(ayssumv))")]
pub struct NotARequest;

/// What a request carries.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Contents<'a> {
    /// the payloads of the singular events of the id that was asked for, of the type `ay`
    pub payloads: Vec<&'a [u8]>,
    /// all other events; they were not looked at
    pub others: usize,
}

type Found<T> = Result<T, NotARequest>;

/// Finds the singular events of an id with a payload of bytes.
///
/// # Errors
/// [`NotARequest`].
pub fn find<'a>(body: &'a [u8], event: &[u8; 16]) -> Found<Contents<'a>> {
    // x, x, s, a{ss}, y, a(aysxmv), a(ayssumv); the last needs no offset.
    let [image, site, singular] = offsets(body)?;
    let flags = site + 1;
    if !(16 <= image && image <= site) || align(flags) > singular {
        return Err(NotARequest);
    }
    let singulars = part(body, align(flags), singular)?;
    let aggregates = part(body, align(singular), body.len() - 3 * width(body.len()))?;
    let mut contents = Contents { payloads: Vec::new(), others: elements(aggregates)?.len() };
    for element in elements(singulars)? {
        match payload(element, event)? {
            Some(payload) => contents.payloads.push(payload),
            None => contents.others += 1,
        }
    }
    Ok(contents)
}

/// The payload of a singular event `(aysxmv)` of this id; `None` for every other event.
fn payload<'a>(element: &'a [u8], event: &[u8; 16]) -> Found<Option<&'a [u8]>> {
    let [id, version] = offsets(element)?;
    if id > version {
        return Err(NotARequest);
    }
    if part(element, 0, id)? != event {
        return Ok(None);
    }
    let start = align(version).checked_add(8).ok_or(NotARequest)?;
    let maybe = part(element, start, element.len() - 2 * width(element.len()))?;
    // A maybe that is there ends in a zero byte; the recorder wraps payloads in variants.
    let mut value = maybe.strip_suffix(&[0]).ok_or(NotARequest)?;
    loop {
        let zero = value.iter().rposition(|&byte| byte == 0).ok_or(NotARequest)?;
        let (inner, kind) = (&value[..zero], &value[zero + 1..]);
        match kind {
            b"v" => value = inner,
            b"ay" => return Ok(Some(inner)),
            _ => return Ok(None),
        }
    }
}

/// The elements of an array of members without a fixed size, aligned to 8.
fn elements(array: &[u8]) -> Found<Vec<&[u8]>> {
    if array.is_empty() {
        return Ok(Vec::new());
    }
    let width = width(array.len());
    let table = offset(array, array.len().checked_sub(width).ok_or(NotARequest)?)?;
    let offsets = array.get(table..).ok_or(NotARequest)?;
    if offsets.is_empty() || offsets.len() % width != 0 {
        return Err(NotARequest);
    }
    let mut start = 0;
    let mut elements = Vec::with_capacity(offsets.len() / width);
    for place in (table..array.len()).step_by(width) {
        let end = offset(array, place)?;
        elements.push(part(&array[..table], start, end)?);
        start = align(end);
    }
    Ok(elements)
}

/// The framing offsets of a structure with `N` of them, the first member's first.
fn offsets<const N: usize>(structure: &[u8]) -> Found<[usize; N]> {
    let mut offsets = [0; N];
    for (member, end) in (1..).zip(&mut offsets) {
        let place = structure.len().checked_sub(member * width(structure.len())).ok_or(NotARequest)?;
        *end = offset(structure, place)?;
    }
    Ok(offsets)
}

/// One framing offset of a container.
fn offset(container: &[u8], place: usize) -> Found<usize> {
    let bytes = container.get(place..place + width(container.len())).ok_or(NotARequest)?;
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    usize::try_from(u64::from_le_bytes(wide)).map_err(|_| NotARequest)
}

/// The number of bytes of a framing offset in a container of this length.
const fn width(length: usize) -> usize {
    match length {
        0..=0xFF => 1,
        0x100..=0xFFFF => 2,
        _ => 4,
    }
}

/// The next multiple of 8.
const fn align(place: usize) -> usize {
    place.saturating_add(7) & !7
}

fn part(bytes: &[u8], start: usize, end: usize) -> Found<&[u8]> {
    // An empty last member may begin behind the padding that is not there.
    if start > end && end == bytes.len() { Ok(&[]) } else { bytes.get(start..end).ok_or(NotARequest) }
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha20Rng;
    use rand::{Rng as _, RngExt as _, SeedableRng as _};
    use stipple_catalog::hex;

    use super::*;

    /// Bodies of RECORDER.md, section 1.7, and the number of their events.
    const VECTORS: [(&str, usize); 4] = [
        ("01000000000000000200000000000000756e6b6e6f776e000000000000000000201818", 0),
        (
            "01000000000000000200000000000000756e6b6e6f776e00000000000000000049d0451af7064f5081d270cc0ec923a4333900323032342d30\
             332d303100000058020000000000006f72672e676e6f6d652e4170702e6465736b746f70000073001e131044201818",
            1,
        ),
        (
            "80841e000000000000002a36fe9c9717656f732d656f73332e372d616d6436342d616d6436342e3139303431392d3232353630362e62617365\
             00666163696c6974790078000963697479007900050c140200000000000000350ac4ff30264c259e7ee8103b4fd5d833390000000000007b00\
             00000000000013102200000000007b503a",
            1,
        ),
        (
            "e90b2664eb010000370e4d9a55c7ea18756e6b6e6f776e000000000000000000bf7e8aed2932455ca28ed407cfd5aaba31322028626f6f6b77\
             6f726d290000007b00000000000000010000000000000002000000000000000300000000000000040000000000000005000000000000000600\
             000000000000002874747474747429001e10640000005dc0b53c93f94df0ad6fbd25e9fe638f31322028626f6f6b776f726d2900323032362d\
             31312d3232000000004d0e0000291e1000000000005dc0b53c93f94df0ad6fbd25e9fe638f31322028626f6f6b776f726d2900323032362d31\
             312d3232000000002a000000291e10000000000049d0451af7064f5081d270cc0ec923a431322028626f6f6b776f726d2900323032362d3130\
             00000007000000000000006f72672e676e6f6d652e4100007300261e10336bb2850018001800",
            4,
        ),
    ];

    fn bytes(digits: &str) -> Vec<u8> {
        (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn recorded_requests_are_read_to_their_events() {
        for (digits, events) in VECTORS {
            let body = bytes(digits);
            assert_eq!(find(&body, &[7; 16]), Ok(Contents { payloads: vec![], others: events }), "{digits}");
        }
    }

    #[test]
    fn an_event_of_another_type_is_not_taken_for_a_report() {
        // The third vector's only singular event has no payload: it is no report, whatever its id.
        let body = bytes(VECTORS[2].0);
        let id = bytes("350ac4ff30264c259e7ee8103b4fd5d8");
        assert_eq!(hex(&id), "350ac4ff30264c259e7ee8103b4fd5d8");
        assert_eq!(find(&body, id.as_slice().try_into().unwrap()), Err(NotARequest));
        let body = bytes(VECTORS[3].0);
        let id = bytes("bf7e8aed2932455ca28ed407cfd5aaba");
        assert_eq!(find(&body, id.as_slice().try_into().unwrap()).unwrap().others, 4);
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_but_never_more() {
        let mut rng = ChaCha20Rng::seed_from_u64(5);
        for _ in 0..200_000 {
            let mut body = bytes(VECTORS[rng.random_range(0..VECTORS.len())].0);
            body.truncate(rng.random_range(0..=body.len()));
            for _ in 0..rng.random_range(0..4) {
                if let Some(length) = std::num::NonZero::new(body.len()) {
                    let place = rng.random_range(0..length.get());
                    body[place] = rng.next_u32().to_le_bytes()[0];
                }
            }
            let _ = find(&body, &[0x49; 16]);
        }
    }
}

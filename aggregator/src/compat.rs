// SPDX-License-Identifier: MIT OR Apache-2.0
//! `PUT /3/<sha512>`: a stock recorder may carry Stipple reports as events. Every other event is discarded unread.

use std::io::Read as _;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName};
use flate2::read::GzDecoder;
use serde::Serialize;
use sha2::{Digest as _, Sha512};
use stipple_catalog::hex;

use crate::gvariant;
use crate::intake::{Intake, Refusal, check_head, read};
use crate::problem::Problem;

/// The event under which a report travels: c1c85cec-4a9d-42e0-9c18-0bee64c2825a, singular, with the report's 64 bytes as `ay`.
pub const REPORT_EVENT: [u8; 16] =
    [0xc1, 0xc8, 0x5c, 0xec, 0x4a, 0x9d, 0x42, 0xe0, 0x9c, 0x18, 0x0b, 0xee, 0x64, 0xc2, 0x82, 0x5a];
/// The recorder's own name for a body's coding.
pub(crate) static CODING: HeaderName = HeaderName::from_static("x-endless-content-encoding");
/// A body on the wire; a recorder sends up to 100,000 bytes at a time.
const MOST_SENT: usize = 256 * 1024;
/// A body once it is unpacked.
const MOST_UNPACKED: usize = 1024 * 1024;
/// How many such requests are looked at at a time: 20 MB in all.
pub(crate) const AT_A_TIME: usize = 16;

/// What became of a request. The recorder looks at the status only; a refused report cannot be mended by sending it again.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    /// reports that are counted, now or before
    counted: usize,
    /// reports that are not
    refused: usize,
    /// other events, which were not read
    discarded: usize,
}

/// Answers 200 once every report in the request is durable, or was before.
pub(crate) async fn receive(
    State(intake): State<Arc<Intake>>,
    Path(hash): Path<String>,
    request: Request,
) -> Result<Json<Outcome>, Refusal> {
    intake.metrics.note(take(&intake, &hash, request).await)
}

async fn take(intake: &Intake, hash: &str, request: Request) -> Result<Json<Outcome>, Refusal> {
    let (head, body) = request.into_parts();
    check_head(&head.headers, MOST_SENT)?;
    let _place = intake.compat.try_acquire().map_err(|_| Problem::StoreUnavailable)?;
    let sent = read(body, MOST_SENT, intake.body_time).await?;
    let body = unpack(&head.headers, &sent)?;
    if hex(&Sha512::digest(&body)) != hash {
        return Err(Problem::NotARequest.into());
    }
    let contents = gvariant::find(&body, &REPORT_EVENT).map_err(|_| Problem::NotARequest)?;
    let open = intake.window()?;
    let judged = contents.payloads.iter().map(|payload| intake.judge(payload, open));
    let judged = judged.map(|report| report.inspect_err(|problem| intake.metrics.refused(problem.name())));
    let reports = judged.filter_map(Result::ok).collect();
    let counted = intake.count(reports).await?;
    intake.metrics.accepted(counted);
    Ok(Json(Outcome { counted, refused: contents.payloads.len() - counted, discarded: contents.others }))
}

/// The body as its hash was made: unpacked when the recorder's own header says that it is packed.
pub(crate) fn unpack(headers: &HeaderMap, sent: &[u8]) -> Result<Vec<u8>, Problem> {
    let Some(coding) = headers.get(&CODING) else { return Ok(sent.to_vec()) };
    if coding != "gzip" {
        return Err(Problem::ContentCoding);
    }
    let mut body = Vec::new();
    let mut limited = GzDecoder::new(sent).take(MOST_UNPACKED as u64 + 1);
    limited.read_to_end(&mut body).map_err(|_| Problem::NotARequest)?;
    if body.len() > MOST_UNPACKED { Err(Problem::TooLarge) } else { Ok(body) }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! `POST /v1/reports`: from a request to a checked report, to the counter, to the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt as _;
use stipple_catalog::{Catalogue, Clock, REPORT_LEN, Report};

use crate::counter::Counter;
use crate::problem::Problem;
use crate::sums::Accepted;
use crate::window::{Window, collected_in};

/// A body up to here is read to its end and called malformed; a longer one is not read.
const MOST_BYTES: usize = 2 * REPORT_LEN;

/// What the intake needs to judge a report.
pub(crate) struct Intake {
    pub catalogue: Arc<Catalogue>,
    pub clock: Clock,
    pub late_weeks: u16,
    pub counter: Counter,
    /// how long a sender may take over a body
    pub body_time: Duration,
}

/// Why there is no success.
pub(crate) enum Refusal {
    Problem(Problem),
    /// The body did not end in time, or the sender went away: nobody to answer, the connection is cut.
    CutOff,
}

/// Marks a response that is not to be sent: see [`Refusal::CutOff`].
#[derive(Clone, Copy)]
pub(crate) struct Cut;

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::CutOff => {
                let mut response = Response::new(Body::empty());
                response.extensions_mut().insert(Cut);
                response
            }
        }
    }
}

/// Answers 204 once the report is durable, or was before.
pub(crate) async fn receive(State(intake): State<Arc<Intake>>, request: Request) -> Result<StatusCode, Refusal> {
    let (head, body) = request.into_parts();
    check_head(&head.headers, MOST_BYTES)?;
    let body = read(body, MOST_BYTES, intake.body_time).await?;
    let report = intake.judge(&body)?;
    intake.counter.count(report).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Refuses a body by what its head says of it.
pub(crate) fn check_head(headers: &HeaderMap, most: usize) -> Result<(), Problem> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Problem::ContentCoding);
    }
    let stated = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if stated.is_some_and(|length| length > most as u64) { Err(Problem::TooLarge) } else { Ok(()) }
}

/// A whole body of at most `most` bytes that ends within `time`.
pub(crate) async fn read(body: Body, most: usize, time: Duration) -> Result<Bytes, Refusal> {
    tokio::time::timeout(time, read_up_to(body, most)).await.map_err(|_| Refusal::CutOff)?
}

async fn read_up_to(mut body: Body, most: usize) -> Result<Bytes, Refusal> {
    let mut read = Bytes::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Refusal::CutOff)?.into_data() else { continue };
        if read.len() + data.len() > most {
            return Err(Problem::TooLarge.into());
        }
        read = if read.is_empty() { data } else { [read, data].concat().into() };
    }
    Ok(read)
}

impl Intake {
    fn judge(&self, body: &[u8]) -> Result<Accepted, Problem> {
        let report = Report::decode(body, &self.catalogue)?;
        // A clock out of range is the server's fault, not the report's.
        let window = Window::at(self.clock.now(), self.late_weeks).map_err(|_| Problem::StoreUnavailable)?;
        window.admit(report.week)?;
        collected_in(report.definition, report.week)?;
        Ok(Accepted::from(&report))
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! `POST /v1/reports`: from a request to checked reports, to the counter, to the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Serialize;
use stipple_catalog::{Catalogue, Clock, REPORT_LEN, Report, Week, WireError};
use tokio::sync::Semaphore;

use crate::counter::Counter;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::sums::Accepted;
use crate::window::{Window, collected_in};

/// A body up to here is read to its end and called malformed; a longer one is not read.
const MOST_BYTES: usize = 2 * REPORT_LEN;
/// The content type of a relay's batch: any number of reports one behind the other.
const BATCH: &str = "application/vnd.stipple.reports";

/// What the intake needs to judge a report.
pub(crate) struct Intake {
    pub catalogue: Arc<Catalogue>,
    pub clock: Clock,
    pub late_weeks: u16,
    pub counter: Counter,
    /// how long a sender may take over a body
    pub body_time: Duration,
    /// the most reports of a batch
    pub batch: usize,
    /// one place for each byte of a body that may be in memory
    pub bodies: Semaphore,
    pub metrics: Arc<Metrics>,
    /// one for each request of a stock recorder that may be looked at now
    pub compat: Semaphore,
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

/// Answers once everything in the request is durable, or was before: 204 for a report, 200 with an [`Outcome`] for a batch.
pub(crate) async fn receive(State(intake): State<Arc<Intake>>, request: Request) -> Result<Response, Refusal> {
    intake.metrics.note(take(&intake, request).await)
}

async fn take(intake: &Intake, request: Request) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    let is_batch = head.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == BATCH);
    let most = if is_batch { intake.batch * REPORT_LEN } else { MOST_BYTES };
    let length = check_head(&head.headers, most)?;
    // Before a byte of the body is read, so that no crowd of senders fills the memory.
    let length = u32::try_from(length).map_err(|_| Problem::TooLarge)?;
    let _room = intake.bodies.try_acquire_many(length).map_err(|_| Problem::Overloaded)?;
    let body = read(body, most, intake.body_time).await?;
    if is_batch {
        let outcome = intake.count_batch(&body).await?;
        intake.metrics.batch();
        intake.metrics.accepted(outcome.counted);
        outcome.refused.iter().for_each(|refused| intake.metrics.refused(refused.problem));
        return Ok(Json(outcome).into_response());
    }
    let report = intake.judge(&body, intake.window()?)?;
    intake.counter.count(vec![report]).await?.admit(report.week)?;
    intake.metrics.accepted(1);
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// What became of a batch. It is durable.
#[derive(Debug, Serialize)]
struct Outcome {
    /// how many of its reports are counted, now or before
    counted: usize,
    /// the others
    refused: Vec<Refused>,
}

/// A report of a batch that is not counted.
#[derive(Debug, Serialize)]
struct Refused {
    /// its place in the batch, from 0
    index: usize,
    /// the name of the problem
    problem: &'static str,
}

/// Refuses a body by what its head says; returns how long it may be.
pub(crate) fn check_head(headers: &HeaderMap, most: usize) -> Result<usize, Problem> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err(Problem::ContentCoding);
    }
    let stated = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    let length = stated.unwrap_or(most);
    if length > most { Err(Problem::TooLarge) } else { Ok(length) }
}

/// A whole body of at most `most` bytes that ends within `time`.
pub(crate) async fn read(body: Body, most: usize, time: Duration) -> Result<Bytes, Refusal> {
    let read = tokio::time::timeout(time, Limited::new(body, most).collect()).await;
    match read.map_err(|_| Refusal::CutOff)? {
        Ok(read) => Ok(read.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Problem::TooLarge.into()),
        Err(_) => Err(Refusal::CutOff),
    }
}

/// The reports of a batch.
pub(crate) fn split(body: &[u8]) -> Result<&[[u8; REPORT_LEN]], Problem> {
    match body.as_chunks() {
        (reports, []) if !reports.is_empty() => Ok(reports),
        _ => Err(Problem::Malformed(WireError::Length)),
    }
}

impl Intake {
    /// Counts every valid report of a batch in one transaction.
    async fn count_batch(&self, body: &[u8]) -> Result<Outcome, Problem> {
        let (reports, open) = (split(body)?, self.window()?);
        let judged: Vec<Result<Accepted, Problem>> = reports.iter().map(|report| self.judge(report, open)).collect();
        let window = self.counter.count(judged.iter().flatten().copied().collect()).await?;
        let outcomes = judged.into_iter().map(|judged| judged.and_then(|report| window.admit(report.week)));
        let refused =
            outcomes.enumerate().filter_map(|(index, outcome)| Some(Refused { index, problem: outcome.err()?.name() }));
        let refused: Vec<Refused> = refused.collect();
        Ok(Outcome { counted: reports.len() - refused.len(), refused })
    }

    /// Counts reports; returns how many of them are of open weeks, hence counted.
    pub async fn count(&self, reports: Vec<Accepted>) -> Result<usize, Problem> {
        let weeks: Vec<Week> = reports.iter().map(|report| report.week).collect();
        let window = self.counter.count(reports).await?;
        Ok(weeks.into_iter().filter(|week| window.admit(*week).is_ok()).count())
    }

    /// The open weeks. A clock out of range is the server's fault, not a report's.
    pub fn window(&self) -> Result<Window, Problem> {
        Window::at(self.clock.now(), self.late_weeks).map_err(|_| Problem::StoreUnavailable)
    }

    pub fn judge(&self, body: &[u8], open: Window) -> Result<Accepted, Problem> {
        let report = Report::decode(body, &self.catalogue)?;
        open.admit(report.week)?;
        collected_in(report.definition, report.week)?;
        Ok(Accepted::from(&report))
    }
}

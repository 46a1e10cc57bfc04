// SPDX-License-Identifier: MIT OR Apache-2.0
//! The pages that are not the intake: is it alive, is it ready, what does it count.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use stipple_catalog::{Catalogue, Definition};

use crate::intake::Intake;
use crate::problem::Problem;

/// `GET /healthz`: the process answers.
pub(crate) async fn alive() -> StatusCode {
    StatusCode::OK
}

/// `GET /readyz`: the store can be written to.
pub(crate) async fn ready(State(intake): State<Arc<Intake>>) -> Result<StatusCode, Problem> {
    intake.counter.probe().await.map(|()| StatusCode::OK)
}

/// `GET /v1/catalog`: what is counted here, rendered once at start.
pub(crate) async fn catalogue(State(rendered): State<Bytes>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], rendered)
}

/// The catalogue as `GET /v1/catalog` shows it.
pub(crate) fn render(catalogue: &Catalogue) -> Bytes {
    document(catalogue).to_string().into()
}

/// What the catalogue defines. A definition's hash is of its `canonical` form.
pub(crate) fn document(catalogue: &Catalogue) -> Value {
    let definitions: Vec<Value> = catalogue.definitions().iter().map(definition).collect();
    json!({
        "title": catalogue.title,
        "hash": catalogue.hash(),
        "epsilon_epoch": catalogue.epsilon_epoch,
        "definitions": definitions,
    })
}

fn definition(d: &Definition) -> Value {
    json!({
        "id": d.id,
        "definition": d.hash.to_string(),
        "title": d.title,
        "question": d.question,
        "category": d.category,
        "owner": d.owner,
        "approval": d.approval,
        "introduced": d.introduced.to_string(),
        "expires": d.expires.to_string(),
        "epsilon": d.epsilon,
        "mechanism": d.mechanism_name.to_string(),
        "payload_bytes": d.payload_len(),
        "labels": d.domain.labels(),
        "canonical": d.canonical(),
    })
}

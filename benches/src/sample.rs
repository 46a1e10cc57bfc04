// SPDX-License-Identifier: MIT OR Apache-2.0
//! Reports to measure with: an equal share of every metric, drawn with a fixed seed.

use anyhow::Context as _;
use rand::Rng;
use rand::rngs::ChaCha20Rng;
use stipple_catalog::{Definition, Domain, REPORT_LEN, Report, ReportId, Week};
use stipple_ldp::{TrueValue, Value};

/// A true value of a definition; which one does not matter to the work.
pub fn value(definition: &Definition) -> TrueValue {
    TrueValue::new(match &definition.domain {
        Domain::Symbol(_) | Domain::Buckets(_) => Value::Symbol(1),
        Domain::Set { .. } => Value::Set(vec![1]),
        Domain::Count { .. } => Value::Count(1),
    })
}

/// A fresh report id.
pub fn id(rng: &mut ChaCha20Rng) -> ReportId {
    let mut id = [0; 16];
    rng.fill_bytes(&mut id);
    ReportId(id)
}

/// One encoded report.
pub fn report(definition: &Definition, week: Week, rng: &mut ChaCha20Rng) -> anyhow::Result<[u8; REPORT_LEN]> {
    let response = definition.mechanism.randomise(&value(definition), rng).context("a sample value fits its domain")?;
    Ok(Report { id: id(rng), definition, week, response }.encode()?)
}

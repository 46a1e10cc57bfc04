// SPDX-License-Identifier: MIT OR Apache-2.0
//! Doors for the fuzzers in `fuzz/`; compiled for them alone.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue};
use ohttp::hpke::{Aead, Kdf, Kem};
use ohttp::{KeyConfig, Server, SymmetricSuite};
use stipple_catalog::{Catalogue, REPORT_LEN, Report};

use crate::intake::split;
use crate::{compat, gvariant, ohttp as gateway};

static CATALOGUE: LazyLock<Option<Catalogue>> =
    LazyLock::new(|| Catalogue::load(concat!(env!("CARGO_MANIFEST_DIR"), "/../catalog/metrics").as_ref()).ok());
static SERVER: LazyLock<Option<Server>> = LazyLock::new(|| {
    let suites = vec![SymmetricSuite::new(Kdf::HkdfSha256, Aead::Aes128Gcm)];
    KeyConfig::derive(1, Kem::X25519Sha256, suites, &[7; 32]).and_then(Server::new).ok()
});

/// The reports of a batch, those that decode, and those that do not.
pub fn batch(body: &[u8]) -> (usize, usize, usize) {
    let Ok(reports) = split(body) else { return (0, 0, 0) };
    let decodes =
        |report: &&[u8; REPORT_LEN]| CATALOGUE.as_ref().is_some_and(|c| Report::decode(&report[..], c).is_ok());
    let counted = reports.iter().filter(decodes).count();
    (reports.len(), counted, reports.len() - counted)
}

/// The payloads of an event and the number of the others.
pub fn events<'a>(body: &'a [u8], event: &[u8; 16]) -> Option<(Vec<&'a [u8]>, usize)> {
    gvariant::find(body, event).ok().map(|contents| (contents.payloads, contents.others))
}

/// A packed body.
pub fn unpack(sent: &[u8]) -> Option<Vec<u8>> {
    let headers = HeaderMap::from_iter([(compat::CODING.clone(), HeaderValue::from_static("gzip"))]);
    compat::unpack(&headers, sent).ok()
}

/// A sealed request.
pub fn open_sealed(sealed: &[u8]) {
    let _ = SERVER.as_ref().map(|server| server.decapsulate(sealed).is_ok());
}

/// What was sealed.
pub fn read_inner(plain: &[u8]) {
    let _ = gateway::request(plain);
}

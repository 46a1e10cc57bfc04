// SPDX-License-Identifier: MIT OR Apache-2.0
//! The gateway of Oblivious HTTP (RFC 9458): opens a sealed request, hands it to the intake as if it had come by itself, and
//! seals the answer, whatever it is.
//!
//! What fails before a request is open is answered in the open, so the relay sees it; everything after is sealed.

mod keys;

use std::convert::Infallible;
use std::io::Cursor;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bhttp::{Message, Mode};
use http_body_util::BodyExt as _;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use ohttp::{KeyConfig, ServerResponse};
use stipple_catalog::Clock;

pub use self::keys::{KeyError, KeyPolicy};
use self::keys::{KeyRing, Keys};
use crate::intake::{Refusal, check_head, read};
use crate::metrics::Metrics;
use crate::problem::Problem;

/// A sealed request up to here is read; a sealed report has about 200 bytes.
const MOST_BYTES: usize = 1024;
/// Answers are filled up to a multiple of this, so that the relay cannot tell a counted report from a refused one.
const ANSWER_BLOCK: usize = 512;
/// How often a quiet gateway looks whether a key is over.
const LOOK: Duration = Duration::from_secs(1);

/// What the gateway works with. Clones share the keys.
#[derive(Clone)]
pub(crate) struct Gateway {
    ring: Arc<Mutex<KeyRing>>,
    clock: Clock,
    /// how long a sender may take over a body
    body_time: Duration,
    intake: TowerToHyperService<Router>,
    metrics: Arc<Metrics>,
}

impl Gateway {
    /// Opens the keys. `intake` answers the requests that come out.
    pub fn open(
        policy: KeyPolicy,
        clock: Clock,
        body_time: Duration,
        intake: Router,
        metrics: Arc<Metrics>,
    ) -> Result<Self, KeyError> {
        let ring = Arc::new(Mutex::new(KeyRing::open(policy, clock.now())?));
        Ok(Self { ring, clock, body_time, intake: TowerToHyperService::new(intake), metrics })
    }

    /// The gateway's addresses.
    pub fn router(self) -> Router {
        Router::new().route("/ohttp", post(receive)).route("/ohttp-keys", get(show)).with_state(self)
    }

    /// Rotates and destroys keys in time, also when nobody asks.
    pub async fn tend(self) -> Infallible {
        loop {
            tokio::time::sleep(LOOK).await;
            self.keys();
        }
    }

    fn keys(&self) -> Keys {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner).at(self.clock.now())
    }

    fn open_request(&self, sealed: &[u8]) -> Result<(Vec<u8>, ServerResponse), Problem> {
        let keys = self.keys();
        let server = sealed.first().and_then(|&id| keys::find(&keys, id));
        server.and_then(|server| server.decapsulate(sealed).ok()).ok_or(Problem::OhttpKey)
    }

    async fn answer(&self, plain: &[u8]) -> Response {
        let Some(request) = request(plain) else {
            self.metrics.refused(Problem::NotHttp.name());
            return Problem::NotHttp.into_response();
        };
        // The router cannot fail.
        let Ok(response) = self.intake.call(request).await;
        response
    }
}

/// `GET /ohttp-keys`: the newest key alone, so that all clients use the same one.
async fn show(State(gateway): State<Gateway>) -> Result<impl IntoResponse, Problem> {
    let keys = gateway.keys();
    let newest: Vec<&KeyConfig> = keys.iter().take(1).map(|key| key.server.config()).collect();
    let list = KeyConfig::encode_list(&newest).map_err(|_| Problem::StoreUnavailable)?;
    Ok(([(header::CONTENT_TYPE, "application/ohttp-keys")], list))
}

/// `POST /ohttp`. What comes out of a sealed request is the intake's to count, what cannot be opened is counted here.
async fn receive(State(gateway): State<Gateway>, request: Request) -> Result<Response, Refusal> {
    gateway.metrics.note(take(&gateway, request).await)
}

async fn take(gateway: &Gateway, request: Request) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    check_head(&head.headers, MOST_BYTES)?;
    if head.headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != "message/ohttp-req") {
        return Err(Problem::MediaType.into());
    }
    let sealed = read(body, MOST_BYTES, gateway.body_time).await?;
    let (plain, back) = gateway.open_request(&sealed)?;
    let answer = write(gateway.answer(&plain).await).await.ok_or(Problem::StoreUnavailable)?;
    let sealed = back.encapsulate(&answer).map_err(|_| Problem::StoreUnavailable)?;
    Ok(([(header::CONTENT_TYPE, "message/ohttp-res")], sealed).into_response())
}

/// Binary HTTP (RFC 9292) as a request to this server. Whose name it bears does not matter: there is no other server here.
pub(crate) fn request(plain: &[u8]) -> Option<Request> {
    let message = Message::read_bhttp(&mut Cursor::new(plain)).ok()?;
    let control = message.control();
    let mut request = Request::new(Body::from(message.content().to_vec()));
    *request.method_mut() = Method::from_bytes(control.method()?).ok()?;
    *request.uri_mut() = Uri::try_from(control.path()?).ok()?;
    for field in message.header().iter() {
        let name = HeaderName::from_bytes(field.name()).ok()?;
        request.headers_mut().append(name, HeaderValue::from_bytes(field.value()).ok()?);
    }
    Some(request)
}

/// An answer as binary HTTP, filled up with zeros.
async fn write(response: Response) -> Option<Vec<u8>> {
    let (head, body) = response.into_parts();
    let mut message = Message::response(head.status.as_u16().try_into().ok()?);
    for (name, value) in &head.headers {
        message.put_header(name.as_str(), value.as_bytes());
    }
    message.write_content(body.collect().await.ok()?.to_bytes());
    let mut plain = Vec::new();
    message.write_bhttp(Mode::KnownLength, &mut plain).ok()?;
    plain.resize(plain.len().next_multiple_of(ANSWER_BLOCK), 0);
    Some(plain)
}

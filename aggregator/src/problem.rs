// SPDX-License-Identifier: MIT OR Apache-2.0
//! Every refusal as an RFC 9457 problem document. All texts are fixed: nothing that was sent is ever echoed.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use stipple_catalog::WireError;

/// Why a request was refused. A client may try again after [`Self::StoreUnavailable`]; every other refusal is final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// The bytes are no report: length, version, padding or payload.
    Malformed(WireError),
    /// The body is longer than any report.
    TooLarge,
    /// The body has a content coding.
    ContentCoding,
    /// The body is no request of the existing recorder.
    NotARequest,
    /// The catalogue has no such metric.
    UnknownMetric,
    /// The metric is known, under another definition.
    StaleDefinition,
    /// The report's week has closed.
    Late,
    /// The report's week is not over.
    Early,
    /// The metric was not collected in the report's week.
    ExpiredMetric,
    /// No such address.
    NotFound,
    /// The address does not take this method.
    MethodNotAllowed,
    /// The report could not be made durable now.
    StoreUnavailable,
}

/// After how many seconds a client may try again.
const RETRY_AFTER: &str = "5";

impl Problem {
    /// The last part of the problem's type, `urn:stipple:problem:NAME`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.parts().0
    }

    fn parts(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::Malformed(_) => ("malformed", StatusCode::BAD_REQUEST, "This is not a report"),
            Self::TooLarge => ("too-large", StatusCode::PAYLOAD_TOO_LARGE, "The body is too long"),
            Self::ContentCoding => {
                ("content-coding", StatusCode::UNSUPPORTED_MEDIA_TYPE, "A report is sent as it is, without a coding")
            }
            Self::NotARequest => ("not-a-request", StatusCode::BAD_REQUEST, "This is no request of a metrics recorder"),
            Self::UnknownMetric => ("unknown-metric", StatusCode::UNPROCESSABLE_ENTITY, "The metric is not known here"),
            Self::StaleDefinition => {
                ("stale-definition", StatusCode::UNPROCESSABLE_ENTITY, "The metric is defined otherwise here")
            }
            Self::Late => ("late", StatusCode::UNPROCESSABLE_ENTITY, "The report's week has closed"),
            Self::Early => ("early", StatusCode::TOO_EARLY, "The report's week is not over"),
            Self::ExpiredMetric => {
                ("expired-metric", StatusCode::UNPROCESSABLE_ENTITY, "The metric was not collected in that week")
            }
            Self::NotFound => ("not-found", StatusCode::NOT_FOUND, "There is nothing at this address"),
            Self::MethodNotAllowed => {
                ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "This address does not take that method")
            }
            Self::StoreUnavailable => {
                ("store-unavailable", StatusCode::SERVICE_UNAVAILABLE, "The report could not be counted now")
            }
        }
    }

    fn detail(self) -> String {
        match self {
            // Names the kind of fault only.
            Self::Malformed(error) => error.to_string(),
            Self::TooLarge => "send exactly one report of 64 bytes, or a batch up to this server's limit".into(),
            Self::ContentCoding => "leave the Content-Encoding header out".into(),
            Self::NotARequest => {
                "the body, unpacked, has the type (xxsa{ss}ya(aysxmv)a(ayssumv)) and the SHA-512 of the address".into()
            }
            Self::UnknownMetric => "the server's catalogue does not have it: discard the report".into(),
            Self::StaleDefinition => "discard the report and update the catalogue package".into(),
            Self::Late => "its window has closed and it can no longer be counted once: discard it".into(),
            Self::Early => "check the sender's clock; a week is reported once it is over".into(),
            Self::ExpiredMetric => "the catalogue did not allow it to be collected then: discard the report".into(),
            Self::NotFound => "reports go to /v1/reports".into(),
            Self::MethodNotAllowed => "the Allow header names the methods that it takes".into(),
            Self::StoreUnavailable => "nothing was counted: send the same bytes again after the Retry-After".into(),
        }
    }
}

impl From<WireError> for Problem {
    fn from(error: WireError) -> Self {
        match error {
            WireError::UnknownMetric => Self::UnknownMetric,
            WireError::StaleDefinition => Self::StaleDefinition,
            other => Self::Malformed(other),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (name, status, title) = self.parts();
        let document = json!({
            "type": format!("urn:stipple:problem:{name}"),
            "title": title,
            "status": status.as_u16(),
            "detail": self.detail(),
        });
        let mut response = Response::new(Body::from(document.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self == Self::StoreUnavailable {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}

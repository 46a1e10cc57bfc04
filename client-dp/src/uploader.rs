// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sends reports over HTTP: one request each, nothing but the report in it, retries with jitter.

use std::path::PathBuf;
use std::time::Duration;

use rand::{CryptoRng, RngExt};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};
use stipple_catalog::REPORT_LEN;

use crate::outbox::Outgoing;

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Counted, durably.
    Counted,
    /// Refused for good; sending it again is useless. The status says why.
    Refused(u16),
}

/// Why a report could not be delivered now. It stays in the outbox.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UploadError {
    /// The address of the server cannot be used.
    #[error("{0:?} is no server address: write http(s)://HOST[:PORT]")]
    Address(String),
    /// The client could not be set up.
    #[error("the HTTP client could not be set up: {0}")]
    Setup(reqwest::Error),
    /// The uploader's socket failed.
    #[error("the uploader at {} could not be used ({reason}); is stipple-upload.socket running?", path.display())]
    Courier {
        /// the socket
        path: PathBuf,
        /// what failed
        reason: String,
    },
    /// The uploader could not deliver the report now, and says why.
    #[error("{0}")]
    Later(String),
    /// The server could not be reached or answered too slowly, at every try.
    #[error("the server could not be reached after {tries} tries ({reason}); the report waits for the next time")]
    Unreachable {
        /// how often it was tried
        tries: u32,
        /// the last failure
        reason: String,
    },
}

/// How long and how often to try.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// tries in all, at least 1
    pub tries: u32,
    /// the first pause; it doubles, and a random part of it is waited
    pub first_pause: Duration,
    /// how long one request may take
    pub timeout: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { tries: 5, first_pause: Duration::from_secs(2), timeout: Duration::from_secs(30) }
    }
}

/// Sends reports to one server.
#[derive(Clone, Debug)]
pub struct Uploader {
    /// `None`: a client of its own for every try
    kept: Option<Client>,
    endpoint: Url,
    patience: Patience,
}

impl Uploader {
    /// An uploader that makes a client of its own for every try, so that no connection and no resumed TLS session links two
    /// reports.
    ///
    /// # Errors
    /// [`UploadError::Address`] or [`UploadError::Setup`].
    pub fn new(server: &str, patience: Patience) -> Result<Self, UploadError> {
        let uploader = Self { kept: None, endpoint: endpoint(server)?, patience };
        // A client that cannot be made is better known now than at the first report.
        uploader.client(0)?;
        Ok(uploader)
    }

    /// An uploader that keeps connections open, for a simulated population behind one address.
    ///
    /// # Errors
    /// See [`Self::new`].
    pub fn with_idle_connections(server: &str, patience: Patience, idle: usize) -> Result<Self, UploadError> {
        let uploader = Self::new(server, patience)?;
        Ok(Self { kept: Some(uploader.client(idle)?), ..uploader })
    }

    fn client(&self, idle: usize) -> Result<Client, UploadError> {
        if let Some(client) = &self.kept {
            return Ok(client.clone());
        }
        // One provider for the whole process; a second installation is refused and harmless.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::builder()
            .timeout(self.patience.timeout)
            .pool_max_idle_per_host(idle)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .build()
            .map_err(UploadError::Setup)
    }

    /// Delivers one report. The same bytes go out at every try, under the same id.
    ///
    /// # Errors
    /// [`UploadError::Unreachable`] when every try failed for a passing reason.
    pub async fn deliver<R: CryptoRng + Send>(&self, report: &Outgoing, rng: &mut R) -> Result<Delivery, UploadError> {
        self.deliver_bytes(report.bytes(), rng).await
    }

    pub(crate) async fn deliver_bytes<R: CryptoRng + Send>(
        &self,
        report: &[u8; REPORT_LEN],
        rng: &mut R,
    ) -> Result<Delivery, UploadError> {
        let mut pause = self.patience.first_pause;
        let mut tried = 0;
        loop {
            tried += 1;
            let (reason, wait) = match self.attempt(report).await? {
                Attempt::Done(delivery) => return Ok(delivery),
                Attempt::Failed { reason, retry_after } => (reason, retry_after),
            };
            if tried >= self.patience.tries.max(1) {
                return Err(UploadError::Unreachable { tries: tried, reason });
            }
            let pause_millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            let jittered = Duration::from_millis(rng.random_range(pause_millis / 2..=pause_millis));
            tokio::time::sleep(wait.map_or(jittered, |wait| wait + jittered)).await;
            pause = pause.saturating_mul(2);
        }
    }

    async fn attempt(&self, report: &[u8; REPORT_LEN]) -> Result<Attempt, UploadError> {
        let request = self
            .client(0)?
            .post(self.endpoint.clone())
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(report.to_vec());
        let response = match request.send().await {
            Ok(response) => response,
            // The URL is public, and the body is never part of the error.
            Err(error) => return Ok(Attempt::failed(error.without_url().to_string(), None)),
        };
        Ok(match response.status() {
            StatusCode::NO_CONTENT => Attempt::Done(Delivery::Counted),
            status if is_final(&response) => Attempt::Done(Delivery::Refused(status.as_u16())),
            status => Attempt::failed(format!("status {}", status.as_u16()), retry_after(&response)),
        })
    }
}

/// `SERVER/v1/reports`. A prefix in the server's address is kept, with or without a slash at its end.
fn endpoint(server: &str) -> Result<Url, UploadError> {
    let address = || UploadError::Address(server.to_owned());
    let mut url = Url::parse(server).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(address)?;
    url.path_segments_mut().map_err(|()| address())?.pop_if_empty().extend(["v1", "reports"]);
    Ok(url)
}

/// Whether the aggregator itself refuses the report for good. A proxy's or a captive portal's page is no such answer: the
/// report is paid for and must not be lost to it.
fn is_final(response: &reqwest::Response) -> bool {
    let problem = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/problem+json");
    let refusals = [
        StatusCode::BAD_REQUEST,
        StatusCode::PAYLOAD_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        StatusCode::UNPROCESSABLE_ENTITY,
    ];
    problem && refusals.contains(&response.status())
}

enum Attempt {
    Done(Delivery),
    Failed { reason: String, retry_after: Option<Duration> },
}

impl Attempt {
    const fn failed(reason: String, retry_after: Option<Duration>) -> Self {
        Self::Failed { reason, retry_after }
    }
}

/// The server's wish in seconds, up to an hour.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds: u64 = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds.min(3600)))
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sends reports over HTTP: one request each, nothing but the report in it, retries with jitter.

use std::time::Duration;

use rand::{CryptoRng, RngExt};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode, Url};

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
    client: Client,
    endpoint: Url,
    patience: Patience,
}

impl Uploader {
    /// An uploader that opens a connection of its own for every report, so that none links two of them.
    ///
    /// # Errors
    /// [`UploadError::Address`] or [`UploadError::Setup`].
    pub fn new(server: &str, patience: Patience) -> Result<Self, UploadError> {
        Self::with_idle_connections(server, patience, 0)
    }

    /// An uploader that keeps connections open, for a simulated population behind one address.
    ///
    /// # Errors
    /// See [`Self::new`].
    pub fn with_idle_connections(server: &str, patience: Patience, idle: usize) -> Result<Self, UploadError> {
        let address = || UploadError::Address(server.to_owned());
        let mut endpoint =
            Url::parse(server).ok().filter(|url| matches!(url.scheme(), "http" | "https")).ok_or_else(address)?;
        // A prefix in the server's address is kept, with or without a slash at its end.
        endpoint.path_segments_mut().map_err(|()| address())?.pop_if_empty().extend(["v1", "reports"]);
        // One provider for the whole process; a second installation is refused and harmless.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(patience.timeout)
            .pool_max_idle_per_host(idle)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .build()
            .map_err(UploadError::Setup)?;
        Ok(Self { client, endpoint, patience })
    }

    /// Delivers one report. The same bytes go out at every try, under the same id.
    ///
    /// # Errors
    /// [`UploadError::Unreachable`] when every try failed for a passing reason.
    pub async fn deliver<R: CryptoRng + Send>(&self, report: &Outgoing, rng: &mut R) -> Result<Delivery, UploadError> {
        let mut pause = self.patience.first_pause;
        let mut tried = 0;
        loop {
            tried += 1;
            let (reason, wait) = match self.attempt(report).await {
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

    async fn attempt(&self, report: &Outgoing) -> Attempt {
        let request = self
            .client
            .post(self.endpoint.clone())
            .header(CONTENT_TYPE, "application/octet-stream")
            .body(report.bytes().to_vec());
        let response = match request.send().await {
            Ok(response) => response,
            // The URL is public, and the body is never part of the error.
            Err(error) => return Attempt::Failed { reason: error.without_url().to_string(), retry_after: None },
        };
        let status = response.status();
        if status.is_success() {
            return Attempt::Done(Delivery::Counted);
        }
        let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
        if status.is_client_error() && !passing.contains(&status) {
            return Attempt::Done(Delivery::Refused(status.as_u16()));
        }
        Attempt::Failed { reason: format!("status {}", status.as_u16()), retry_after: retry_after(&response) }
    }
}

enum Attempt {
    Done(Delivery),
    Failed { reason: String, retry_after: Option<Duration> },
}

/// The server's wish in seconds, up to an hour.
fn retry_after(response: &reqwest::Response) -> Option<Duration> {
    let seconds: u64 = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds.min(3600)))
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Sends reports over HTTP: one request each, nothing but the report in it, retries with jitter.

mod answer;
mod oblivious;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rand::{CryptoRng, RngExt};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url};
use stipple_catalog::REPORT_LEN;

use self::answer::{Answer, Failed};
pub use self::oblivious::Relay;
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
    /// The address of the server or the relay cannot be used.
    #[error("{0:?} is no server address: write http(s)://HOST[:PORT]")]
    Address(String),
    /// The gateway's keys cannot be used.
    #[error("{file:?} holds no key of a gateway ({reason}); save what the gateway shows at /ohttp-keys")]
    Keys {
        /// the file
        file: String,
        /// what is wrong
        reason: String,
    },
    /// The client could not be set up.
    #[error(
        "the HTTP client could not be set up ({0}); is there a store of certificates (ca-certificates, SSL_CERT_FILE)?"
    )]
    Setup(String),
    /// The uploader's socket failed.
    #[error("the uploader at {} could not be used ({reason}); is stipple-upload.socket running?", path.display())]
    Courier {
        /// the socket
        path: PathBuf,
        /// what failed
        reason: String,
    },
    /// The uploader's program failed.
    #[error(
        "the uploader {} could not be used ({reason}); install it there, or name its socket with --upload-socket",
        path.display()
    )]
    Program {
        /// the program
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

impl UploadError {
    pub(crate) fn program(path: &Path, error: &io::Error) -> Self {
        Self::Program { path: path.to_owned(), reason: error.to_string() }
    }
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
    way: Arc<dyn Way>,
    patience: Patience,
}

/// How a report travels. A program holds the code of the ways that it makes, and no other.
trait Way: fmt::Debug + Send + Sync {
    fn send<'a>(&'a self, client: &'a Client, report: &'a [u8; REPORT_LEN]) -> Sending<'a>;
}

type Sending<'a> = Pin<Box<dyn Future<Output = Result<Answer, Failed>> + Send + 'a>>;

impl Uploader {
    /// An uploader that makes a client of its own for every try, so that no connection and no resumed TLS session links two
    /// reports.
    ///
    /// # Errors
    /// [`UploadError::Address`] or [`UploadError::Setup`].
    pub fn new(server: &str, patience: Patience) -> Result<Self, UploadError> {
        Self::by(Direct(target(server)?), patience)
    }

    /// The same through a relay.
    ///
    /// # Errors
    /// [`UploadError::Setup`].
    pub fn through(relay: Relay, patience: Patience) -> Result<Self, UploadError> {
        Self::by(relay, patience)
    }

    fn by(way: impl Way + 'static, patience: Patience) -> Result<Self, UploadError> {
        let uploader = Self { kept: None, way: Arc::new(way), patience };
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
            .map_err(|error| UploadError::Setup(Failed::of(error).reason))
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
            let client = self.client(0)?;
            let outcome = self.way.send(&client, report).await.and_then(Answer::verdict);
            let (reason, wait) = match outcome {
                Ok(delivery) => return Ok(delivery),
                Err(Failed { reason, retry_after }) => (reason, retry_after),
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
}

/// Straight to the server.
#[derive(Debug)]
struct Direct(Url);

impl Way for Direct {
    fn send<'a>(&'a self, client: &'a Client, report: &'a [u8; REPORT_LEN]) -> Sending<'a> {
        let request =
            client.post(self.0.clone()).header(CONTENT_TYPE, "application/octet-stream").body(report.to_vec());
        // The body is never part of the error.
        Box::pin(async move { Ok(read_answer(&request.send().await.map_err(Failed::of)?)) })
    }
}

fn read_answer(response: &reqwest::Response) -> Answer {
    Answer::read(response.status().as_u16(), |name| response.headers().get(name)?.to_str().ok())
}

fn http_address(text: &str) -> Result<Url, UploadError> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    url.ok_or_else(|| UploadError::Address(text.to_owned()))
}

/// `SERVER/v1/reports`. A prefix in the server's address is kept, with or without a slash at its end.
fn target(server: &str) -> Result<Url, UploadError> {
    let mut url = http_address(server)?;
    let address = |()| UploadError::Address(server.to_owned());
    url.path_segments_mut().map_err(address)?.pop_if_empty().extend(["v1", "reports"]);
    Ok(url)
}

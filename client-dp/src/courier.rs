// SPDX-License-Identifier: MIT OR Apache-2.0
//! Between the recorder, which has no network, and the uploader, which has nothing but one report.
//!
//! The recorder connects to a Unix socket, on which systemd starts one `stipple-upload` a connection, and writes the 64 bytes of
//! a report. The answer is a line: `counted`, `refused STATUS`, or `later REASON`. If the recorder hangs up first, because the user
//! has said no, the uploader stops at once.

use std::io;
use std::path::{Path, PathBuf};

use rand::CryptoRng;
use stipple_catalog::REPORT_LEN;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::outbox::Outgoing;
use crate::uploader::{Delivery, UploadError, Uploader};

/// The longest answer that is read.
const LONGEST_ANSWER: u64 = 1024;

/// How reports leave the recorder.
#[derive(Clone, Debug)]
pub enum Courier {
    /// By this process itself.
    Direct(Uploader),
    /// By the uploader behind a Unix socket.
    Socket(PathBuf),
}

impl Courier {
    /// The uploader's socket, if there is one.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        match self {
            Self::Direct(_) => None,
            Self::Socket(path) => Some(path),
        }
    }

    /// Delivers one report.
    ///
    /// # Errors
    /// [`UploadError`] when it could not be delivered now.
    pub async fn deliver<R: CryptoRng + Send>(&self, report: &Outgoing, rng: &mut R) -> Result<Delivery, UploadError> {
        match self {
            Self::Direct(uploader) => uploader.deliver(report, rng).await,
            Self::Socket(path) => {
                let failed = |error: io::Error| UploadError::Courier { path: path.clone(), reason: error.to_string() };
                let mut stream = UnixStream::connect(path).await.map_err(failed)?;
                stream.write_all(report.bytes()).await.map_err(failed)?;
                let mut answer = String::new();
                stream.take(LONGEST_ANSWER).read_to_string(&mut answer).await.map_err(failed)?;
                outcome(answer.trim_end())
                    .unwrap_or_else(|| Err(failed(io::Error::other("it hung up without an answer"))))
            }
        }
    }
}

fn outcome(answer: &str) -> Option<Result<Delivery, UploadError>> {
    if answer == "counted" {
        return Some(Ok(Delivery::Counted));
    }
    let (word, rest) = answer.split_once(' ')?;
    match word {
        "refused" => rest.parse().ok().map(|status| Ok(Delivery::Refused(status))),
        "later" => Some(Err(UploadError::Later(rest.to_owned()))),
        _ => None,
    }
}

/// The uploader's whole work: reads one report, delivers it, answers. Stops without an answer when the input ends early or the
/// recorder hangs up.
///
/// # Errors
/// When the input ends before a report's length, or the answer cannot be written.
pub async fn carry<R: CryptoRng + Send>(
    uploader: &Uploader,
    mut input: impl AsyncRead + Unpin,
    mut output: impl AsyncWrite + Unpin,
    rng: &mut R,
) -> io::Result<()> {
    let mut report = [0; REPORT_LEN];
    input.read_exact(&mut report).await?;
    let answer = tokio::select! {
        delivery = uploader.deliver_bytes(&report, rng) => match delivery {
            Ok(Delivery::Counted) => "counted\n".to_owned(),
            Ok(Delivery::Refused(status)) => format!("refused {status}\n"),
            Err(error) => format!("later {error}\n"),
        },
        _ = input.read_u8() => return Ok(()),
    };
    output.write_all(answer.as_bytes()).await?;
    output.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_nothing_else_is() {
        assert!(matches!(outcome("counted"), Some(Ok(Delivery::Counted))));
        assert!(matches!(outcome("refused 422"), Some(Ok(Delivery::Refused(422)))));
        let later = outcome("later the server sleeps").unwrap().unwrap_err();
        assert_eq!(later.to_string(), "the server sleeps");
        for noise in ["", "counted twice", "refused", "refused me", "<html>", "later"] {
            assert!(outcome(noise).is_none(), "{noise}");
        }
    }
}

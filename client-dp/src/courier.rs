// SPDX-License-Identifier: MIT OR Apache-2.0
//! Between the recorder, which has no network, and the uploader, which has nothing but one report.
//!
//! Each report has a `stipple-upload` of its own at the other end of a Unix socket: systemd starts it for each connection to the
//! uploader's socket, and without systemd the recorder starts it. The recorder writes the 64 bytes of a report. The answer is a
//! line: `counted`, `refused STATUS`, or `later REASON`. If the recorder hangs up first, because the user has said no, the
//! uploader stops at once.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as Socket;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
    /// By the uploader behind a Unix socket.
    Socket(PathBuf),
    /// By an uploader that is started for each report.
    Program {
        /// `stipple-upload`
        program: PathBuf,
        /// the address that it sends to
        server: String,
    },
}

impl Courier {
    /// Uploaders that the recorder starts itself, from the file `stipple-upload` in the folder of this program.
    ///
    /// # Errors
    /// [`UploadError::Address`] for what is no address of a server, [`UploadError::Program`] when there is no such file.
    pub fn beside(server: &str) -> Result<Self, UploadError> {
        let host = server.strip_prefix("https://").or_else(|| server.strip_prefix("http://")).unwrap_or_default();
        if host.is_empty() {
            return Err(UploadError::Address(server.to_owned()));
        }
        let name = Path::new("stipple-upload");
        let program = std::env::current_exe().map_err(|error| UploadError::program(name, &error))?.with_file_name(name);
        std::fs::metadata(&program).map_err(|error| UploadError::program(&program, &error))?;
        Ok(Self::Program { program, server: server.to_owned() })
    }

    /// The uploader's socket, if there is one.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        match self {
            Self::Program { .. } => None,
            Self::Socket(path) => Some(path),
        }
    }

    /// Delivers one report.
    ///
    /// # Errors
    /// [`UploadError`] when it could not be delivered now.
    pub async fn deliver(&self, report: &Outgoing) -> Result<Delivery, UploadError> {
        let failed = |error: io::Error| match self {
            Self::Socket(path) => UploadError::Courier { path: path.clone(), reason: error.to_string() },
            Self::Program { program, .. } => UploadError::program(program, &error),
        };
        let stream = match self {
            Self::Socket(path) => UnixStream::connect(path).await,
            Self::Program { program, server } => start(program, server),
        };
        let answer = ask(stream.map_err(failed)?, report.bytes()).await.map_err(failed)?;
        outcome(answer.trim_end()).unwrap_or_else(|| Err(failed(io::Error::other("it hung up without an answer"))))
    }
}

/// Starts an uploader; returns the socket that is its standard input and output.
fn start(program: &Path, server: &str) -> io::Result<UnixStream> {
    let (ours, input) = Socket::pair()?;
    let output = input.try_clone()?;
    let mut child = Command::new(program)
        .args(["--server", server])
        .stdin(Stdio::from(OwnedFd::from(input)))
        .stdout(Stdio::from(OwnedFd::from(output)))
        .spawn()?;
    // Nothing else waits for its end, however the delivery ends.
    std::thread::spawn(move || child.wait());
    ours.set_nonblocking(true)?;
    UnixStream::from_std(ours)
}

async fn ask(mut stream: UnixStream, report: &[u8]) -> io::Result<String> {
    stream.write_all(report).await?;
    let mut answer = String::new();
    stream.take(LONGEST_ANSWER).read_to_string(&mut answer).await?;
    Ok(answer)
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

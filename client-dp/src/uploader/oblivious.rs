// SPDX-License-Identifier: MIT OR Apache-2.0
//! Oblivious HTTP (RFC 9458): the relay sees this machine's address and a sealed request, the gateway the request and the
//! relay's address.

use std::io::Cursor;

use bhttp::{Message, Mode};
use ohttp::hpke::{Aead, Kdf};
use ohttp::{ClientRequest, ClientResponse, KeyConfig, SymmetricSuite};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, StatusCode, Url};
use stipple_catalog::REPORT_LEN;

use super::answer::{Answer, Failed};
use super::{Sending, UploadError, Way, http_address, read_answer, target};

/// A suite that every gateway has, and so a sign of a configuration that can be used.
const SUITE: SymmetricSuite = SymmetricSuite::new(Kdf::HkdfSha256, Aead::Aes128Gcm);
/// The longest key list and the longest sealed answer that are read.
const LONGEST: usize = 16 * 1024;

/// A relay, and how requests to the gateway behind it are sealed.
#[derive(Clone, Debug)]
pub struct Relay {
    url: Url,
    target: Url,
    keys: Keys,
}

#[derive(Clone, Debug)]
enum Keys {
    Pinned(Box<KeyConfig>),
    /// fetched anew for every try
    At(Url),
}

impl Relay {
    /// A relay for reports to `server`. `keys` is a file of `application/ohttp-keys` or the address of one.
    ///
    /// # Errors
    /// [`UploadError::Address`], or [`UploadError::Keys`] when the file holds no configuration that can be used.
    pub fn new(relay: &str, server: &str, keys: &str) -> Result<Self, UploadError> {
        let keys = if let Ok(url) = http_address(keys) {
            Keys::At(url)
        } else {
            let config = pinned(keys).map_err(|reason| UploadError::Keys { file: keys.into(), reason })?;
            Keys::Pinned(Box::new(config))
        };
        Ok(Self { url: http_address(relay)?, target: target(server)?, keys })
    }

    async fn config(&self, client: &Client) -> Result<KeyConfig, Failed> {
        let url = match &self.keys {
            Keys::Pinned(config) => return Ok(KeyConfig::clone(config)),
            Keys::At(url) => url,
        };
        let response = client.get(url.clone()).send().await.map_err(Failed::of)?;
        let list = content(response, "application/ohttp-keys", "the address of the keys").await?;
        first_usable(&list).map_err(|reason| Failed::because(format!("the keys cannot be used: {reason}")))
    }

    /// The report as a sealed request, and what opens the answer to it.
    fn seal(
        &self,
        mut config: KeyConfig,
        report: &[u8; REPORT_LEN],
    ) -> Result<(Vec<u8>, ClientResponse), ohttp::Error> {
        let bytes = |text: &str| text.as_bytes().to_vec();
        let (scheme, path) = (bytes(self.target.scheme()), bytes(self.target.path()));
        let mut request = Message::request(bytes("POST"), scheme, bytes(self.target.authority()), path);
        request.write_content(report);
        let mut plain = Vec::new();
        request.write_bhttp(Mode::KnownLength, &mut plain).map_err(|_| ohttp::Error::Internal)?;
        ClientRequest::from_config(&mut config)?.encapsulate(&plain)
    }
}

impl Way for Relay {
    fn send<'a>(&'a self, client: &'a Client, report: &'a [u8; REPORT_LEN]) -> Sending<'a> {
        Box::pin(async move {
            let config = self.config(client).await?;
            let (sealed, opener) = self
                .seal(config, report)
                .map_err(|error| Failed::because(format!("the report could not be sealed: {error}")))?;
            let request = client.post(self.url.clone()).header(CONTENT_TYPE, "message/ohttp-req").body(sealed);
            let response = request.send().await.map_err(Failed::of)?;
            let answer = content(response, "message/ohttp-res", "the relay").await?;
            open(opener, &answer).ok_or_else(|| Failed::because("the gateway's answer could not be opened"))
        })
    }
}

/// The content of an answer that is what was asked for. Anything else may be anybody's, and passes.
async fn content(mut response: reqwest::Response, kind: &str, whose: &str) -> Result<Vec<u8>, Failed> {
    let typed = response.headers().get(CONTENT_TYPE).is_some_and(|value| value == kind);
    if response.status() != StatusCode::OK || !typed {
        let outer = read_answer(&response);
        let hint = if outer.status == 400 { " (is the gateway's key still the current one?)" } else { "" };
        let reason = format!("{whose} answered {} without {kind}{hint}", outer.status);
        return Err(Failed { reason, retry_after: outer.retry_after });
    }
    let mut content = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(Failed::of)? {
        content.extend_from_slice(&chunk);
        if content.len() > LONGEST {
            return Err(Failed::because(format!("{whose} answered more than {LONGEST} bytes")));
        }
    }
    Ok(content)
}

fn open(opener: ClientResponse, sealed: &[u8]) -> Option<Answer> {
    let plain = opener.decapsulate(sealed).ok()?;
    let message = Message::read_bhttp(&mut Cursor::new(&plain[..])).ok()?;
    let header = |name: &str| std::str::from_utf8(message.header().get(name.as_bytes())?).ok();
    Some(Answer::read(message.control().status()?.code(), header))
}

fn pinned(file: &str) -> Result<KeyConfig, String> {
    first_usable(&std::fs::read(file).map_err(|error| error.to_string())?)
}

/// A gateway lists what it prefers first.
fn first_usable(list: &[u8]) -> Result<KeyConfig, String> {
    let configs = KeyConfig::decode_list(list).map_err(|error| error.to_string())?;
    let usable = configs.into_iter().find(|config| config.select(SUITE).is_ok());
    usable.ok_or_else(|| "no configuration with HKDF-SHA256 and AES-128-GCM".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ohttp::Server;
    use ohttp::hpke::Kem;

    fn key(id: u8, suites: &[SymmetricSuite]) -> KeyConfig {
        KeyConfig::new(id, Kem::X25519Sha256, suites.to_vec()).unwrap()
    }

    #[test]
    fn the_first_usable_key_of_a_list_is_taken() {
        let other = SymmetricSuite::new(Kdf::HkdfSha256, Aead::ChaCha20Poly1305);
        let list = KeyConfig::encode_list(&[key(9, &[other]), key(3, &[other, SUITE]), key(4, &[SUITE])]).unwrap();
        assert_eq!(first_usable(&list).unwrap().encode().unwrap()[0], 3);
        // The suites of this configuration are unknown; taking it would be a panic in the library.
        let mut unknown = KeyConfig::encode_list(&[key(1, &[SUITE])]).unwrap();
        let end = unknown.len();
        unknown[end - 2..].copy_from_slice(&[0xff, 0xff]);
        for wrong in [&unknown[..], &list[..list.len() - 1], b"", b"<html>", &[0; 40]] {
            assert!(first_usable(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn sealed_requests_have_one_length_and_no_two_are_alike() {
        let config = key(1, &[SUITE]);
        let gateway = Server::new(config.clone()).unwrap();
        let relay = Relay {
            url: "https://relay.example".parse().unwrap(),
            target: target("https://stipple.example/a").unwrap(),
            keys: Keys::Pinned(Box::new(config.clone())),
        };
        let reports = [[0; REPORT_LEN], [0; REPORT_LEN], [0xff; REPORT_LEN]];
        let sealed = reports.map(|report| relay.seal(config.clone(), &report).unwrap().0);
        assert!(sealed[0] != sealed[1] && sealed.iter().all(|bytes| bytes.len() == sealed[0].len()));
        for (bytes, report) in sealed.iter().zip(reports) {
            let (plain, _) = gateway.decapsulate(bytes).unwrap();
            let request = Message::read_bhttp(&mut Cursor::new(&plain[..])).unwrap();
            let control = request.control();
            assert_eq!(control.method(), Some(&b"POST"[..]));
            assert_eq!(control.authority(), Some(&b"stipple.example"[..]));
            assert_eq!(control.path(), Some(&b"/a/v1/reports"[..]));
            assert!(request.header().is_empty() && request.content() == report);
        }
    }

    #[test]
    fn an_answer_that_was_not_sealed_for_this_request_is_no_answer() {
        let config = key(1, &[SUITE]);
        let gateway = Server::new(config.clone()).unwrap();
        let ask = || ClientRequest::from_config(&mut config.clone()).unwrap().encapsulate(b"request").unwrap();
        let reply = |request: &[u8], plain: &[u8]| gateway.decapsulate(request).unwrap().1.encapsulate(plain).unwrap();
        let mut counted = Vec::new();
        Message::response(204_u16.try_into().unwrap()).write_bhttp(Mode::KnownLength, &mut counted).unwrap();

        let (request, opener) = ask();
        assert_eq!(open(opener, &reply(&request, &counted)).unwrap().status, 204);
        let (request, _) = ask();
        assert!(open(ask().1, &reply(&request, &counted)).is_none(), "another request's answer");
        for plain in [&b""[..], b"204", &[9, 9, 9]] {
            let (request, opener) = ask();
            assert!(open(opener, &reply(&request, plain)).is_none());
        }
        for length in 0..counted.len() + 32 {
            let (request, opener) = ask();
            assert!(open(opener, &reply(&request, &counted)[..length]).is_none(), "cut to {length}");
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! TLS: whom the uploader trusts, which HTTP it speaks, and that nothing links two of its connections.

use std::convert::Infallible;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderMap, HeaderName};
use hyper::service::service_fn;
use hyper::{Request, Response, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{HandshakeKind, ServerConfig};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::program;
use crate::reports::reports;

/// The name in the server's certificate. It resolves nowhere: only a proxy finds it.
pub const NAME: &str = "stipple.example";

/// What the server saw of one request.
pub struct Seen {
    pub version: Version,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub handshake: HandshakeKind,
}

/// A TLS server with a certificate of an authority of its own.
pub struct TlsServer {
    pub port: u16,
    pub seen: Arc<Mutex<Vec<Seen>>>,
    /// handshakes that the client broke off
    pub broken: Arc<Mutex<Vec<String>>>,
    authority: TempDir,
}

impl TlsServer {
    /// Offers the protocols in `alpn`; answers the first `busy` requests with 503 and a cookie.
    pub fn start(alpn: &[&str], busy: usize) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = tempfile::tempdir().unwrap();
        std::fs::write(authority.path().join("ca.pem"), issuer.pem()).unwrap();

        let key = KeyPair::generate().unwrap();
        let names = vec![NAME.to_owned(), "localhost".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
            .unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();

        let (seen, broken) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (kept, failed) = (seen.clone(), broken.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                let acceptor = TlsAcceptor::from(Arc::new(config));
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(converse(acceptor.clone(), stream, kept.clone(), failed.clone(), busy));
                }
            });
        });
        Self { port, seen, broken, authority }
    }

    pub fn authority(&self) -> PathBuf {
        self.authority.path().join("ca.pem")
    }

    /// `stipple-upload` to this server, which trusts its authority.
    pub fn upload(&self, host: &str) -> Command {
        let mut upload = program::command(env!("CARGO_BIN_EXE_stipple-upload"));
        upload.args(["--server", &format!("https://{host}:{}", self.port)]).env("SSL_CERT_FILE", self.authority());
        upload
    }
}

async fn converse(
    acceptor: TlsAcceptor,
    stream: TcpStream,
    seen: Arc<Mutex<Vec<Seen>>>,
    broken: Arc<Mutex<Vec<String>>>,
    busy: usize,
) {
    let stream = match acceptor.accept(stream).await {
        Ok(stream) => stream,
        Err(error) => return broken.lock().unwrap().push(error.to_string()),
    };
    let handshake = stream.get_ref().1.handshake_kind().unwrap();
    let service = service_fn(move |request: Request<Incoming>| {
        let seen = seen.clone();
        async move {
            let (head, body) = request.into_parts();
            let (path, body) = (head.uri.path().to_owned(), body.collect().await.unwrap().to_bytes());
            let mut seen = seen.lock().unwrap();
            seen.push(Seen { version: head.version, path, headers: head.headers, body, handshake });
            let answer = if seen.len() <= busy {
                Response::builder().status(503).header("set-cookie", "id=1; Path=/").header("retry-after", "0")
            } else {
                Response::builder().status(204)
            };
            Ok::<_, Infallible>(answer.body(Empty::<Bytes>::new()).unwrap())
        }
    });
    let _ = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

/// The system's store does not know the authority; `SSL_CERT_FILE` takes the place of the store.
#[test]
fn only_authorities_of_the_store_are_trusted() {
    let server = TlsServer::start(&[], 0);
    let report = reports()[0].bytes().to_vec();
    let mut distrustful = program::start(server.upload("localhost").env_remove("SSL_CERT_FILE"), &report);
    let deadline = Instant::now() + Duration::from_mins(1);
    while server.broken.lock().unwrap().is_empty() {
        assert!(Instant::now() < deadline, "no handshake was broken off");
        std::thread::sleep(Duration::from_millis(20));
    }
    distrustful.kill().unwrap();
    distrustful.wait().unwrap();
    assert!(server.broken.lock().unwrap()[0].contains("UnknownCA"), "{:?}", server.broken.lock().unwrap());
    assert!(server.seen.lock().unwrap().is_empty(), "a report was sent to a stranger");

    assert_eq!(program::run(&mut server.upload("localhost"), &report), "counted");
    assert!(server.seen.lock().unwrap()[0].body == report);
}

/// A directory of certificates, as OpenSSL's `c_rehash` makes it, is a store too.
#[test]
fn a_directory_of_authorities_is_a_store() {
    let server = TlsServer::start(&[], 0);
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(server.authority(), folder.path().join("0a1b2c3d.0")).unwrap();
    let mut upload = server.upload("localhost");
    upload.env_remove("SSL_CERT_FILE").env("SSL_CERT_DIR", folder.path());
    assert_eq!(program::run(&mut upload, reports()[0].bytes()), "counted");
}

#[test]
fn without_a_store_nothing_is_sent_and_the_error_says_what_is_missing() {
    let server = TlsServer::start(&[], 0);
    let mut upload = server.upload("localhost");
    let output = upload.env("SSL_CERT_FILE", "/nonexistent").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("No CA certificates") && said.contains("SSL_CERT_FILE"), "{said}");
}

#[test]
fn http_2_is_spoken_where_it_is_offered_and_tells_no_more() {
    for (alpn, version) in
        [(&["h2", "http/1.1"][..], Version::HTTP_2), (&["http/1.1"], Version::HTTP_11), (&[], Version::HTTP_11)]
    {
        let server = TlsServer::start(alpn, 0);
        assert_eq!(program::run(&mut server.upload("localhost"), reports()[0].bytes()), "counted");
        let seen = server.seen.lock().unwrap();
        assert_eq!((seen.len(), seen[0].version, seen[0].path.as_str()), (1, version, "/v1/reports"));
        let names: Vec<&str> = seen[0].headers.keys().map(HeaderName::as_str).collect();
        let known = ["accept", "content-length", "content-type", "host"];
        assert!(names.iter().all(|name| known.contains(name)), "{names:?}");
        assert_eq!(names.contains(&"host"), version == Version::HTTP_11);
    }
}

/// Two tries of one process: a cookie was set in between, and tickets to resume the session were given.
#[test]
fn tries_share_neither_a_cookie_nor_a_tls_session() {
    for alpn in [&["h2"][..], &["http/1.1"]] {
        let server = TlsServer::start(alpn, 1);
        assert_eq!(program::run(&mut server.upload("localhost"), reports()[0].bytes()), "counted");
        let seen = server.seen.lock().unwrap();
        assert_eq!(seen.len(), 2);
        for request in &*seen {
            assert!(!request.headers.contains_key("cookie") && !request.headers.contains_key("user-agent"));
            assert_eq!(request.handshake, HandshakeKind::Full);
        }
    }
}

/// That the test above can fail: a client that is kept does resume its session at this server.
#[tokio::test]
async fn a_kept_client_would_resume_its_session() {
    let server = TlsServer::start(&["http/1.1"], 0);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let authority = reqwest::Certificate::from_pem(&std::fs::read(server.authority()).unwrap()).unwrap();
    let client = reqwest::Client::builder().tls_certs_only([authority]).pool_max_idle_per_host(0).no_proxy();
    let client = client.build().unwrap();
    for _ in 0..2 {
        client.post(format!("https://localhost:{}", server.port)).send().await.unwrap();
    }
    let kinds: Vec<HandshakeKind> = server.seen.lock().unwrap().iter().map(|seen| seen.handshake).collect();
    assert_eq!(kinds, [HandshakeKind::Full, HandshakeKind::Resumed]);
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Proxies of the environment: what they are asked, and what they get to see.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::program;
use crate::reports::reports;
use crate::server::{Server, nobody};
use crate::tls::{NAME, TlsServer};

/// Leads every connection to one port of this machine, whatever name was asked for.
struct Proxy {
    address: String,
    /// what was asked for: request lines, or names given to SOCKS
    asked: Arc<Mutex<Vec<String>>>,
    /// what went by towards the server
    passed: Arc<Mutex<Vec<u8>>>,
}

#[derive(Clone, Copy)]
enum Kind {
    Http,
    Socks,
}

impl Proxy {
    fn start(kind: Kind, to: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (asked, passed) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new(Vec::new())));
        let (lines, bytes) = (asked.clone(), passed.clone());
        std::thread::spawn(move || {
            for mut client in listener.incoming().map_while(Result::ok) {
                let mut server = TcpStream::connect(("127.0.0.1", to)).unwrap();
                let asked = match kind {
                    Kind::Http => http(&mut client, &mut server),
                    Kind::Socks => socks(&mut client),
                };
                lines.lock().unwrap().push(asked);
                let (mut back, mut out) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut back, &mut out);
                    let _ = out.shutdown(Shutdown::Write);
                });
                let bytes = bytes.clone();
                std::thread::spawn(move || {
                    let mut chunk = [0; 4096];
                    while let Ok(n @ 1..) = client.read(&mut chunk) {
                        bytes.lock().unwrap().extend_from_slice(&chunk[..n]);
                        if server.write_all(&chunk[..n]).is_err() {
                            break;
                        }
                    }
                    let _ = server.shutdown(Shutdown::Write);
                });
            }
        });
        Self { address, asked, passed }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    fn saw(&self, bytes: &[u8]) -> bool {
        self.passed.lock().unwrap().windows(bytes.len()).any(|window| window == bytes)
    }
}

/// Reads a head, answers a CONNECT or passes the head on; returns the head.
fn http(client: &mut TcpStream, server: &mut TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    if head.starts_with(b"CONNECT ") {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    } else {
        server.write_all(&head).unwrap();
    }
    String::from_utf8(head).unwrap()
}

/// RFC 1928 without authentication; returns `KIND NAME:PORT`.
fn socks(client: &mut TcpStream) -> String {
    let mut take = |n: usize| {
        let mut bytes = vec![0; n];
        client.read_exact(&mut bytes).unwrap();
        bytes
    };
    let methods = take(2)[1];
    take(methods.into());
    client.write_all(&[5, 0]).unwrap();
    let mut take = |n: usize| {
        let mut bytes = vec![0; n];
        client.read_exact(&mut bytes).unwrap();
        bytes
    };
    let (kind, host) = match take(4)[3] {
        1 => ("address", format!("{:?}", take(4))),
        3 => {
            let length = take(1)[0];
            ("name", String::from_utf8(take(length.into())).unwrap())
        }
        other => panic!("address type {other}"),
    };
    let port = take(2);
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
    format!("{kind} {host}:{}", u16::from_be_bytes([port[0], port[1]]))
}

#[test]
fn https_goes_through_a_tunnel_and_the_proxy_sees_a_name_and_ciphertext() {
    for (variable, scheme) in [("HTTPS_PROXY", "http://"), ("https_proxy", "http://"), ("ALL_PROXY", "")] {
        let server = TlsServer::start(&["h2", "http/1.1"], 0);
        let proxy = Proxy::start(Kind::Http, server.port);
        let mut upload = server.upload(NAME);
        upload.env(variable, format!("{scheme}{}", proxy.address));
        assert_eq!(program::run(&mut upload, reports()[0].bytes()), "counted");
        let asked = proxy.asked();
        assert_eq!(asked.len(), 1);
        let mut lines = asked[0].lines();
        assert_eq!(lines.next().unwrap(), format!("CONNECT {NAME}:{} HTTP/1.1", server.port));
        let names: Vec<String> = lines.filter_map(|line| Some(line.split_once(':')?.0.to_lowercase())).collect();
        assert_eq!(names, ["host"], "the proxy is told more than the name");
        assert!(!proxy.saw(reports()[0].bytes()) && !proxy.saw(b"/v1/reports"));
    }
}

#[test]
fn http_goes_by_way_of_the_proxy_too() {
    let server = Server::start(&[]);
    let port: u16 = server.url.rsplit(':').next().unwrap().parse().unwrap();
    let proxy = Proxy::start(Kind::Http, port);
    let mut upload = program::command(env!("CARGO_BIN_EXE_stipple-upload"));
    upload.args(["--server", &format!("http://{NAME}")]).env("HTTP_PROXY", format!("http://{}", proxy.address));
    assert_eq!(program::run(&mut upload, reports()[0].bytes()), "counted");
    assert!(
        proxy.asked()[0].starts_with(&format!("POST http://{NAME}/v1/reports HTTP/1.1\r\n")),
        "{:?}",
        proxy.asked()
    );
}

/// As Tor offers it: the name is resolved at the other end, and no question to the DNS leaves this machine.
#[test]
fn socks5h_is_given_the_name() {
    let server = TlsServer::start(&["h2"], 0);
    let proxy = Proxy::start(Kind::Socks, server.port);
    let mut upload = server.upload(NAME);
    upload.env("ALL_PROXY", format!("socks5h://{}", proxy.address));
    assert_eq!(program::run(&mut upload, reports()[0].bytes()), "counted");
    assert_eq!(proxy.asked(), [format!("name {NAME}:{}", server.port)]);
    assert!(!proxy.saw(reports()[0].bytes()));
}

#[test]
fn no_proxy_names_what_is_reached_without() {
    let server = TlsServer::start(&[], 0);
    let mut upload = server.upload("localhost");
    upload.env("HTTPS_PROXY", nobody()).env("NO_PROXY", "example.org,localhost");
    assert_eq!(program::run(&mut upload, reports()[0].bytes()), "counted");
}

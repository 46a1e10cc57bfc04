// SPDX-License-Identifier: MIT OR Apache-2.0
//! nginx with our configuration in front of the real program: no address of a sender stays anywhere.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::{Place, Program, contains, reports, week};
use tempfile::TempDir;

const CONF: &str = include_str!("../../packaging/nginx/stipple.conf");
/// Addresses of loopback that stand in nothing else.
const SENDERS: [&str; 3] = ["127.84.113.9", "127.84.113.77", "127.201.5.33"];

/// An nginx of a test's own, which logs as much as it can where our configuration does not forbid it.
struct Nginx {
    folder: TempDir,
    port: u16,
    process: Child,
}

impl Nginx {
    fn start(conf: &str, aggregator: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        // Free a moment ago; nobody else asks for ports of this range by number.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        certificate(folder.path());
        let site = [
            ("listen 443 ssl", format!("listen 127.0.0.1:{port} ssl")),
            ("/etc/ssl/stipple", folder.path().display().to_string()),
            ("127.0.0.1:8470", aggregator.to_string()),
        ];
        let site = site.into_iter().fold(conf.to_owned(), |conf, (from, to)| {
            assert_eq!(conf.matches(from).count(), if from.starts_with("/etc") { 2 } else { 1 }, "{from}");
            conf.replace(from, &to)
        });
        std::fs::write(path("stipple.conf"), site).unwrap();
        let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
        let temporary =
            ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path {kind};"));
        let main = format!(
            "{user} daemon off; worker_processes 1; pid pid; error_log error.log info; events {{ worker_connections 64; }}
             http {{ access_log access.log; {} include stipple.conf; }}",
            temporary.concat()
        );
        std::fs::write(path("nginx.conf"), main).unwrap();
        let mut nginx = Command::new("setpriv");
        nginx
            .args(["--pdeathsig", "TERM", "--"])
            .arg(program())
            .arg("-p")
            .arg(folder.path())
            .args(["-c", "nginx.conf"]);
        let process = nginx.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let nginx = Self { folder, port, process };
        let deadline = Instant::now() + Duration::from_mins(1);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = std::fs::read_to_string(nginx.folder.path().join("error.log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "nginx does not start: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        nginx
    }

    /// Sends a body from an address; returns the status.
    fn send(&self, from: &str, scheme: &str, path: &str, body: &Path) -> String {
        let url = format!("{scheme}://127.0.0.1:{}{path}", self.port);
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--insecure", "--interface", from, "--max-time", "60", "--output", "/dev/null"]);
        curl.args(["--write-out", "%{http_code}", "--header", "X-Forwarded-For: 127.84.113.77", "--data-binary"]);
        let output = curl.arg(format!("@{}", body.display())).arg(url).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Whether an address stands in a file of its folder; the process must have ended.
    fn names(&self, address: &str) -> bool {
        fn search(folder: &Path, bytes: &[u8]) -> bool {
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
                if path.is_dir() { search(&path, bytes) } else { contains(&std::fs::read(path).unwrap(), bytes) }
            })
        }
        search(self.folder.path(), address.as_bytes())
    }

    fn stop(&mut self) {
        let id = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        let _ = self.process.wait();
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.stop();
    }
}

fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into()]);
    folders.map(|folder| folder.join("nginx")).find(|path| path.is_file()).expect("nginx is missing: run scripts/setup")
}

fn certificate(folder: &Path) {
    let mut openssl = Command::new("openssl");
    openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=t"]);
    let made = openssl.arg("-keyout").arg(folder.join("key.pem")).arg("-out").arg(folder.join("fullchain.pem"));
    assert!(made.output().unwrap().status.success());
}

/// Good and bad requests from every address, and requests that never become any; returns what the aggregator printed.
fn converse(place: &Place, conf: &str, seed: u64) -> (Nginx, Vec<u8>) {
    let program = Program::start(place, SocketAddr::from(([127, 0, 0, 1], 0)));
    let mut nginx = Nginx::start(conf, program.address);
    let body = |name: &str, content: &[u8]| {
        std::fs::write(place.path(name), content).unwrap();
        place.path(name)
    };
    for (sender, report) in SENDERS.iter().zip(reports(&place.catalogue, week("2026-W48"), seed, SENDERS.len())) {
        let (good, bad, long) = (body("good", &report), body("bad", b"?"), body("long", &vec![0; 300_000]));
        assert_eq!(nginx.send(sender, "https", "/v1/reports", &good), "204");
        assert_eq!(nginx.send(sender, "https", "/v1/reports", &good), "204");
        assert_eq!(nginx.send(sender, "https", "/v1/reports", &bad), "400");
        assert_eq!(nginx.send(sender, "https", "/v1/reports", &long), "413");
        assert_eq!(nginx.send(sender, "https", "/metrics", &bad), "404");
        assert_eq!(nginx.send(sender, "https", "/readyz", &bad), "404");
        // Not TLS at all.
        assert_eq!(nginx.send(sender, "http", "/v1/reports", &bad), "400");
    }
    let output = program.terminate();
    assert!(output.status.success());
    // The aggregator is away: nginx has an error of its own.
    assert_eq!(nginx.send(SENDERS[0], "https", "/v1/reports", &place.path("good")), "502");
    nginx.stop();
    for name in ["good", "bad", "long"] {
        std::fs::remove_file(place.path(name)).unwrap();
    }
    (nginx, [output.stdout, output.stderr].concat())
}

#[test]
fn no_address_stays_behind_the_proxy() {
    let place = Place::new();
    let (nginx, printed) = converse(&place, CONF, 51);
    assert_eq!(place.export().1["reports"], SENDERS.len());
    for sender in SENDERS {
        assert!(!nginx.names(sender), "nginx keeps {sender}");
        assert!(!contains(&printed, sender.as_bytes()), "the aggregator prints {sender}");
        let octets: Vec<u8> = sender.split('.').map(|octet| octet.parse().unwrap()).collect();
        assert!(!place.holds(sender.as_bytes()) && !place.holds(&octets), "the store keeps {sender}");
    }
}

/// The test above can fail: each of the two lines is needed.
#[test]
fn without_our_lines_both_logs_name_the_senders() {
    for (line, log) in [("    access_log off;\n", "access.log"), ("    error_log /dev/null emerg;\n", "error.log")] {
        let place = Place::new();
        assert!(CONF.contains(line));
        let (nginx, _) = converse(&place, &CONF.replace(line, ""), 52);
        let text = std::fs::read_to_string(nginx.folder.path().join(log)).unwrap();
        for sender in SENDERS {
            assert!(text.contains(sender), "{log} does not name {sender}");
        }
    }
}

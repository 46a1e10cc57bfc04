// SPDX-License-Identifier: MIT OR Apache-2.0
//! A proxy between senders and a server that cuts connections at random places: in a request, between the two, in an answer.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::rngs::ChaCha20Rng;
use rand::{RngExt as _, SeedableRng as _};

/// A running proxy. Its threads end with the test.
pub struct CuttingProxy {
    address: SocketAddr,
    cuts: Arc<AtomicUsize>,
}

impl CuttingProxy {
    /// Every second connection is cut after a random number of bytes in one direction.
    pub fn start(server: SocketAddr, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let cuts = Arc::new(AtomicUsize::new(0));
        let counted = cuts.clone();
        std::thread::spawn(move || {
            let mut rng = ChaCha20Rng::seed_from_u64(seed);
            for sender in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(server) else { continue };
                let lasts = if rng.random() { Some(rng.random_range(0..3000)) } else { None };
                let (up, down) = if rng.random() { (lasts, None) } else { (None, lasts.map(|bytes| bytes / 2)) };
                for (mut from, mut to, room) in [
                    (sender.try_clone().unwrap(), server.try_clone().unwrap(), up),
                    (server.try_clone().unwrap(), sender.try_clone().unwrap(), down),
                ] {
                    let counted = counted.clone();
                    std::thread::spawn(move || {
                        if pass(&mut from, &mut to, room) {
                            counted.fetch_add(1, Ordering::SeqCst);
                        }
                        let _ = from.shutdown(Shutdown::Both);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        Self { address, cuts }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections have been cut.
    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

/// Passes bytes on until an end comes, or `room` is used up: then true.
fn pass(from: &mut TcpStream, to: &mut TcpStream, mut room: Option<usize>) -> bool {
    let mut buffer = [0; 2048];
    loop {
        let Ok(read @ 1..) = from.read(&mut buffer) else { return false };
        let passed = room.map_or(read, |room| read.min(room));
        if to.write_all(&buffer[..passed]).is_err() {
            return false;
        }
        room = room.map(|room| room - passed);
        if room == Some(0) {
            return true;
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The gateway's keys: made, rotated with overlap, and destroyed, each a file of its own.
//!
//! A file is named `MADE-ID.key`, say `2026-12-10T12:00:00Z-7.key`, and holds 32 random bytes from which HPKE derives the key
//! pair. The newest key is shown to clients; those before it still open what was sealed for them until their overlap is over.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ohttp::hpke::{Aead, Kdf, Kem};
use ohttp::{KeyConfig, Server, SymmetricSuite};
use rand::TryRng as _;
use rand::rngs::SysRng;

const SECRET_LEN: usize = 32;
const SUITES: [SymmetricSuite; 2] = [
    SymmetricSuite::new(Kdf::HkdfSha256, Aead::Aes128Gcm),
    SymmetricSuite::new(Kdf::HkdfSha256, Aead::ChaCha20Poly1305),
];

/// Where the gateway's keys are, and how long each serves.
#[derive(Clone, Debug)]
pub struct KeyPolicy {
    /// the folder of the key files; it is made when it is not there
    pub folder: PathBuf,
    /// how long a key is shown to clients
    pub rotation: SignedDuration,
    /// how long it still opens requests after that
    pub overlap: SignedDuration,
}

/// Why the keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// A file or the folder cannot be read or written.
    #[error("the gateway's keys in {} cannot be kept: {source}", path.display())]
    File {
        /// which
        path: PathBuf,
        /// why
        source: io::Error,
    },
    /// A key file has another length or name than those that are written here.
    #[error("{} is no key of this gateway; move it away", path.display())]
    Damaged {
        /// which
        path: PathBuf,
    },
    /// Others than the owner can read a key.
    #[error("{} can be read by others and is no secret any more: delete it, a new key is made", path.display())]
    Exposed {
        /// which
        path: PathBuf,
    },
}

pub(super) struct Key {
    id: u8,
    made: Timestamp,
    pub server: Server,
}

/// The keys in use, the newest first.
pub(super) type Keys = Vec<Arc<Key>>;

pub(super) struct KeyRing {
    policy: KeyPolicy,
    keys: Keys,
}

impl KeyRing {
    /// Reads the keys, destroys old ones and makes one when there is none.
    pub fn open(policy: KeyPolicy, now: Timestamp) -> Result<Self, KeyError> {
        let mut ring = Self { policy, keys: Vec::new() };
        DirBuilder::new().recursive(true).mode(0o700).create(ring.folder()).map_err(at(ring.folder()))?;
        ring.renew(now)?;
        Ok(ring)
    }

    /// The keys in use now. Once a key's time is over it is not among them, also when the disk refuses to change.
    pub fn at(&mut self, now: Timestamp) -> Keys {
        if self.is_due(now) {
            if let Err(error) = self.renew(now) {
                tracing::error!("{error}");
            }
            let life = self.life();
            self.keys.retain(|key| !is_after(key.made, life, now));
        }
        self.keys.clone()
    }

    fn folder(&self) -> &Path {
        &self.policy.folder
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.keys.first().is_none_or(|newest| is_after(newest.made, self.policy.rotation, now))
            || self.keys.last().is_some_and(|oldest| is_after(oldest.made, self.life(), now))
    }

    fn life(&self) -> SignedDuration {
        self.policy.rotation.saturating_add(self.policy.overlap)
    }

    /// Brings the folder up to date and reads it. Several processes may share it: one at a time is in here.
    fn renew(&mut self, now: Timestamp) -> Result<(), KeyError> {
        let folder = self.folder().to_owned();
        let lock = File::open(&folder).map_err(at(&folder))?;
        lock.lock().map_err(at(&folder))?;
        let mut keys = Vec::new();
        let mut next = 1;
        for (made, id, path) in listed(&folder)? {
            next = id.wrapping_add(1);
            if is_after(made, self.life(), now) {
                destroy(&path).map_err(at(&path))?;
                tracing::info!("the key {id} of the gateway is over and destroyed");
            } else {
                keys.push(Arc::new(Key { id, made, server: server(id, &read(&path)?).map_err(at(&path))? }));
            }
        }
        if keys.last().is_none_or(|newest| is_after(newest.made, self.policy.rotation, now)) {
            let made = Timestamp::from_second(now.as_second()).unwrap_or(now);
            let secret = write(&folder, &format!("{made}-{next}.key"))?;
            tracing::info!("the gateway has a new key {next}");
            keys.push(Arc::new(Key { id: next, made, server: server(next, &secret).map_err(at(&folder))? }));
        }
        // The names are on the disk before anybody sees a key, and gone from it before we say so.
        lock.sync_all().map_err(at(&folder))?;
        keys.reverse();
        self.keys = keys;
        Ok(())
    }
}

/// The key that a request was sealed for, by its first byte.
pub(super) fn find(keys: &[Arc<Key>], id: u8) -> Option<&Server> {
    keys.iter().find(|key| key.id == id).map(|key| &key.server)
}

fn server(id: u8, secret: &[u8; SECRET_LEN]) -> io::Result<Server> {
    KeyConfig::derive(id, Kem::X25519Sha256, SUITES.to_vec(), secret).and_then(Server::new).map_err(io::Error::other)
}

fn is_after(made: Timestamp, life: SignedDuration, now: Timestamp) -> bool {
    now.duration_since(made) >= life
}

fn at(path: &Path) -> impl Fn(io::Error) -> KeyError {
    let path = path.to_owned();
    move |source| KeyError::File { path: path.clone(), source }
}

/// Every key file, the oldest first.
fn listed(folder: &Path) -> Result<Vec<(Timestamp, u8, PathBuf)>, KeyError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if path.extension().is_none_or(|extension| extension != "key") {
            continue;
        }
        let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.rsplit_once('-'));
        let parts = stem.and_then(|(made, id)| Some((made.parse().ok()?, id.parse().ok()?)));
        let Some((made, id)) = parts else { return Err(KeyError::Damaged { path }) };
        found.push((made, id, path));
    }
    found.sort();
    Ok(found)
}

fn read(path: &Path) -> Result<[u8; SECRET_LEN], KeyError> {
    let mode = std::fs::metadata(path).map_err(at(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned() });
    }
    let bytes = std::fs::read(path).map_err(at(path))?;
    bytes.try_into().map_err(|_| KeyError::Damaged { path: path.to_owned() })
}

/// Draws a secret and writes it; its file appears under its name only when it is whole.
fn write(folder: &Path, name: &str) -> Result<[u8; SECRET_LEN], KeyError> {
    let (path, unfinished) = (folder.join(name), folder.join("unfinished"));
    let mut secret = [0; SECRET_LEN];
    let made = (|| {
        SysRng.try_fill_bytes(&mut secret).map_err(io::Error::other)?;
        // Left by a crash, perhaps.
        let _ = std::fs::remove_file(&unfinished);
        let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&unfinished)?;
        file.write_all(&secret)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, &path)
    })();
    made.map_err(at(&path))?;
    Ok(secret)
}

/// Overwrites a secret before its name goes.
fn destroy(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    file.write_all(&[0; SECRET_LEN])?;
    file.sync_all()?;
    std::fs::remove_file(path)
}

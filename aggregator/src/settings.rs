// SPDX-License-Identifier: MIT OR Apache-2.0
//! The configuration: the command line wins over the environment, the environment over the file, the file over the defaults.

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use stipple_catalog::{Catalogue, Clock, Phase, REPORT_LEN, default_folder};

use crate::ohttp::KeyPolicy;
use crate::queue::QueueAddress;
use crate::server::{Config, Limits};
use crate::store::Address;

/// Read when it is there and no other is named.
const USUAL: &str = "/etc/stipple/aggregator.toml";

/// How the log looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// One layer of the configuration of `serve`, in which everything may be left out: a file, or the command line with the
/// environment below it.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Settings {
    /// The address to listen on; port 0 takes a free one [default: 127.0.0.1:8470].
    #[arg(long, env = "STIPPLE_LISTEN", hide_env_values = true)]
    pub listen: Option<SocketAddr>,
    /// A second address, for Prometheus: GET /metrics. Not for the public [default: none].
    #[arg(long, value_name = "ADDRESS", env = "STIPPLE_METRICS", hide_env_values = true)]
    pub metrics: Option<SocketAddr>,
    /// The store: a path, sqlite:PATH or postgresql://USER@HOST/DATABASE [default: counts.sqlite in $STATE_DIRECTORY, else
    /// ./stipple-counts.sqlite].
    #[arg(long, env = "STIPPLE_STORE", hide_env_values = true)]
    pub store: Option<Address>,
    /// Append to this queue instead of counting, redis://HOST/ or redis+unix:///PATH; the store is not opened then [default: none].
    #[arg(long, value_name = "URL", env = "STIPPLE_QUEUE", hide_env_values = true)]
    pub queue: Option<QueueAddress>,
    /// Acknowledge a report only when this many replicas of the queue have it too [default: 0].
    #[arg(long, value_name = "N", env = "STIPPLE_QUEUE_REPLICAS", hide_env_values = true)]
    pub queue_replicas: Option<u32>,
    /// The catalogue's folder [default: the installed one, else catalog/metrics].
    #[arg(long, env = "STIPPLE_CATALOG", hide_env_values = true)]
    pub catalog: Option<PathBuf>,
    /// For real, or a drill. A store belongs to one of the two [default: production].
    #[arg(long, value_enum, env = "STIPPLE_PHASE", hide_env_values = true)]
    pub phase: Option<Phase>,
    /// How many weeks before the current one still count [default: 4].
    #[arg(long, value_name = "N", env = "STIPPLE_LATE_WEEKS", hide_env_values = true)]
    pub late_weeks: Option<u16>,
    /// Be an Oblivious HTTP gateway, with its keys in this folder; they are made when there are none [default: no gateway].
    #[arg(long, value_name = "DIR", env = "STIPPLE_OHTTP_KEYS_DIR", hide_env_values = true)]
    pub ohttp_keys_dir: Option<PathBuf>,
    /// How many days a key of the gateway is shown to clients [default: 7].
    #[arg(long, value_name = "DAYS", env = "STIPPLE_OHTTP_ROTATION", hide_env_values = true)]
    pub ohttp_rotation: Option<NonZeroU16>,
    /// How many days a key still opens requests after that; then it is destroyed [default: 7].
    #[arg(long, value_name = "DAYS", env = "STIPPLE_OHTTP_OVERLAP", hide_env_values = true)]
    pub ohttp_overlap: Option<NonZeroU16>,
    /// How the log looks [default: text].
    #[arg(long, value_enum, env = "STIPPLE_LOG", hide_env_values = true)]
    pub log: Option<LogFormat>,
    /// what senders may take
    #[command(flatten)]
    pub limits: LimitSettings,
}

/// The settings of [`Limits`]; times are whole seconds.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[command(next_help_heading = "Limits")]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct LimitSettings {
    /// Connections at a time; more wait to be accepted [default: 800].
    #[arg(id = "limits.connections", long = "limit-connections", env = "STIPPLE_LIMITS_CONNECTIONS")]
    #[arg(value_name = "N", hide_env_values = true)]
    pub connections: Option<NonZeroUsize>,
    /// Reports that may wait to be counted; more are answered 503 [default: 65536].
    #[arg(id = "limits.queue", long = "limit-queue", env = "STIPPLE_LIMITS_QUEUE")]
    #[arg(value_name = "N", hide_env_values = true)]
    pub queue: Option<NonZeroUsize>,
    /// Reports in a batch [default: 4096].
    #[arg(id = "limits.batch", long = "limit-batch", env = "STIPPLE_LIMITS_BATCH")]
    #[arg(value_name = "N", hide_env_values = true)]
    pub batch: Option<NonZeroUsize>,
    /// Bytes of bodies in memory at a time; more are answered 503 [default: 16777216].
    #[arg(id = "limits.body_bytes", long = "limit-body-bytes", env = "STIPPLE_LIMITS_BODY_BYTES")]
    #[arg(value_name = "N", hide_env_values = true)]
    pub body_bytes: Option<NonZeroUsize>,
    /// Seconds that a request's head may take, and an idle connection may stay [default: 15].
    #[arg(id = "limits.head_time", long = "limit-head-time", env = "STIPPLE_LIMITS_HEAD_TIME")]
    #[arg(value_name = "SECONDS", hide_env_values = true)]
    pub head_time: Option<NonZeroU32>,
    /// Seconds that a body may take [default: 10].
    #[arg(id = "limits.body_time", long = "limit-body-time", env = "STIPPLE_LIMITS_BODY_TIME")]
    #[arg(value_name = "SECONDS", hide_env_values = true)]
    pub body_time: Option<NonZeroU32>,
    /// Seconds that a connection may live [default: 450].
    #[arg(id = "limits.connection_life", long = "limit-connection-life", env = "STIPPLE_LIMITS_CONNECTION_LIFE")]
    #[arg(value_name = "SECONDS", hide_env_values = true)]
    pub connection_life: Option<NonZeroU32>,
    /// Seconds that a connection that is to end may take over its last answer [default: 10].
    #[arg(id = "limits.farewell", long = "limit-farewell", env = "STIPPLE_LIMITS_FAREWELL")]
    #[arg(value_name = "SECONDS", hide_env_values = true)]
    pub farewell: Option<NonZeroU32>,
    /// The most pages of 4 KiB that a file of SQLite may grow to [default: no limit].
    #[arg(id = "limits.store_pages", long = "limit-store-pages", env = "STIPPLE_LIMITS_STORE_PAGES")]
    #[arg(value_name = "N", hide_env_values = true)]
    pub store_pages: Option<NonZeroU32>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {source}; name one that this user may read with --config")]
    Read {
        /// the file
        path: PathBuf,
        /// why
        source: std::io::Error,
    },
    /// The file says something that is no setting.
    #[error("{}:{line}: {reason}", path.display())]
    Parse {
        /// the file
        path: PathBuf,
        /// the line, from 1
        line: usize,
        /// what is wrong, and what would be right
        reason: String,
    },
    /// Settings that do not fit together, one a line.
    #[error("{}", .0.join("\n"))]
    Unfit(Vec<String>),
}

impl Settings {
    /// The effective configuration: what was asked for on the command line and in the environment, over the file, over the
    /// defaults. Without a named file, `/etc/stipple/aggregator.toml` is read if it is there.
    ///
    /// # Errors
    /// [`SettingsError`], with file and line.
    pub fn load(asked: Self, file: Option<&Path>) -> Result<Self, SettingsError> {
        let usual = Path::new(USUAL);
        let Some(path) = file.or_else(|| usual.exists().then_some(usual)) else {
            return asked.over(Self::defaults()).checked(|_| None);
        };
        let read = std::fs::read_to_string(path);
        let text = read.map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
        let settings = Self::parse(&text).map_err(|error| SettingsError::Parse {
            path: path.to_owned(),
            line: line_at(&text, error.span().map_or(0, |span| span.start)),
            reason: error.message().to_owned(),
        })?;
        let effective = asked.over(settings).over(Self::defaults());
        effective.checked(|key| Some(format!("{}:{}", path.display(), line_of(&text, key)?)))
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// What is configured when nothing is.
    #[must_use]
    pub fn defaults() -> Self {
        let limits = Limits::default();
        let seconds = |time: Duration| u32::try_from(time.as_secs()).ok().and_then(NonZeroU32::new);
        Self {
            listen: Some(SocketAddr::from(([127, 0, 0, 1], 8470))),
            metrics: None,
            store: Some(default_store()),
            queue: None,
            queue_replicas: Some(0),
            catalog: Some(default_folder()),
            phase: Some(Phase::Production),
            late_weeks: Some(4),
            ohttp_keys_dir: None,
            ohttp_rotation: NonZeroU16::new(7),
            ohttp_overlap: NonZeroU16::new(7),
            log: Some(LogFormat::Text),
            limits: LimitSettings {
                connections: NonZeroUsize::new(limits.connections),
                queue: NonZeroUsize::new(limits.queue),
                batch: NonZeroUsize::new(limits.batch),
                body_bytes: NonZeroUsize::new(limits.body_bytes),
                head_time: seconds(limits.head_time),
                body_time: seconds(limits.body_time),
                connection_life: seconds(limits.connection_life),
                farewell: seconds(limits.farewell),
                store_pages: limits.store_pages.and_then(NonZeroU32::new),
            },
        }
    }

    /// This layer over another one.
    fn over(self, below: Self) -> Self {
        let (limits, under) = (self.limits, below.limits);
        Self {
            listen: self.listen.or(below.listen),
            metrics: self.metrics.or(below.metrics),
            store: self.store.or(below.store),
            queue: self.queue.or(below.queue),
            queue_replicas: self.queue_replicas.or(below.queue_replicas),
            catalog: self.catalog.or(below.catalog),
            phase: self.phase.or(below.phase),
            late_weeks: self.late_weeks.or(below.late_weeks),
            ohttp_keys_dir: self.ohttp_keys_dir.or(below.ohttp_keys_dir),
            ohttp_rotation: self.ohttp_rotation.or(below.ohttp_rotation),
            ohttp_overlap: self.ohttp_overlap.or(below.ohttp_overlap),
            log: self.log.or(below.log),
            limits: LimitSettings {
                connections: limits.connections.or(under.connections),
                queue: limits.queue.or(under.queue),
                batch: limits.batch.or(under.batch),
                body_bytes: limits.body_bytes.or(under.body_bytes),
                head_time: limits.head_time.or(under.head_time),
                body_time: limits.body_time.or(under.body_time),
                connection_life: limits.connection_life.or(under.connection_life),
                farewell: limits.farewell.or(under.farewell),
                store_pages: limits.store_pages.or(under.store_pages),
            },
        }
    }

    /// Looks for settings that are right one by one and wrong together; `place` says where the file has a key.
    fn checked(self, place: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let limits = self.limits();
        let same = self.metrics.is_some_and(|metrics| metrics.port() != 0 && Some(metrics) == self.listen);
        let most = u32::MAX as usize;
        let found = [
            (same, "metrics", "the public must not see this listener: give it an address of its own".to_owned()),
            (
                limits.batch > limits.queue,
                "limits.batch",
                format!("a full batch would always be refused: at most limits.queue, {}", limits.queue),
            ),
            (
                limits.body_bytes / REPORT_LEN < limits.batch,
                "limits.body_bytes",
                format!("a full batch would always be refused: at least {REPORT_LEN} times limits.batch"),
            ),
            (limits.queue > most, "limits.queue", format!("at most {most}")),
            (limits.body_bytes > most, "limits.body_bytes", format!("at most {most}")),
        ];
        let faults = found.into_iter().filter(|(wrong, ..)| *wrong).map(|(_, key, reason)| {
            let place = place(key).map(|place| place + ": ").unwrap_or_default();
            format!("{place}{key}: {reason}")
        });
        let faults: Vec<String> = faults.collect();
        if faults.is_empty() { Ok(self) } else { Err(SettingsError::Unfit(faults)) }
    }

    /// The store's address.
    #[must_use]
    pub fn store(&self) -> Address {
        self.store.clone().unwrap_or_else(default_store)
    }

    /// The catalogue's folder.
    #[must_use]
    pub fn catalog(&self) -> PathBuf {
        self.catalog.clone().unwrap_or_else(default_folder)
    }

    /// A server's configuration.
    #[must_use]
    pub fn config(&self, catalogue: Arc<Catalogue>, clock: Clock) -> Config {
        let mut config = Config::new(self.store(), catalogue, clock);
        config.listen = self.listen.unwrap_or(config.listen);
        config.metrics = self.metrics;
        config.queue.clone_from(&self.queue);
        config.queue_replicas = self.queue_replicas.unwrap_or_default();
        config.phase = self.phase.unwrap_or(config.phase);
        config.late_weeks = self.late_weeks.unwrap_or(config.late_weeks);
        let days = |days: Option<NonZeroU16>| SignedDuration::from_hours(24 * days.map_or(7, |days| days.get().into()));
        config.ohttp = self.ohttp_keys_dir.clone().map(|folder| KeyPolicy {
            folder,
            rotation: days(self.ohttp_rotation),
            overlap: days(self.ohttp_overlap),
        });
        config.limits = self.limits();
        config
    }

    fn limits(&self) -> Limits {
        let (usual, set) = (Limits::default(), &self.limits);
        let seconds = |set: Option<NonZeroU32>, usual| set.map_or(usual, |n| Duration::from_secs(n.get().into()));
        Limits {
            connections: set.connections.map_or(usual.connections, NonZeroUsize::get),
            queue: set.queue.map_or(usual.queue, NonZeroUsize::get),
            batch: set.batch.map_or(usual.batch, NonZeroUsize::get),
            body_bytes: set.body_bytes.map_or(usual.body_bytes, NonZeroUsize::get),
            head_time: seconds(set.head_time, usual.head_time),
            body_time: seconds(set.body_time, usual.body_time),
            connection_life: seconds(set.connection_life, usual.connection_life),
            farewell: seconds(set.farewell, usual.farewell),
            store_pages: set.store_pages.map(NonZeroU32::get).or(usual.store_pages),
        }
    }
}

/// In the folder that systemd gives, which may name several, separated by colons; else where we stand.
fn default_store() -> Address {
    Address::Sqlite(match std::env::var_os("STATE_DIRECTORY") {
        Some(folders) => std::env::split_paths(&folders).next().unwrap_or_default().join("counts.sqlite"),
        None => "stipple-counts.sqlite".into(),
    })
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// The line of a key, `limits.batch` for one of a table.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let document = toml::de::DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut parts = key.split('.').peekable();
    while let Some(part) = parts.next() {
        let (name, value) = table.iter().find(|(name, _)| name.get_ref() == part)?;
        if parts.peek().is_none() {
            return Some(line_at(text, name.span().start));
        }
        table = value.get_ref().as_table()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../packaging/aggregator.toml");

    fn text(settings: &Settings) -> String {
        toml::to_string(settings).unwrap()
    }

    #[test]
    fn the_sample_says_the_defaults_and_every_key() {
        let sample = Settings::parse(SAMPLE).unwrap();
        let mut defaults = Settings::defaults();
        // These two depend on the machine and stand in the sample as comments.
        (defaults.store, defaults.catalog) = (None, None);
        assert_eq!(text(&sample), text(&defaults));
        // A setting that is commented out begins with `#` and no space.
        let all = SAMPLE.lines().map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line));
        let all = all.collect::<Vec<_>>().join("\n");
        Settings::parse(&all).unwrap();
        let command = Settings::augment_args(clap::Command::new("serve"));
        let keys: Vec<&str> = command.get_arguments().map(|argument| argument.get_id().as_str()).collect();
        assert!(keys.len() > 12, "{keys:?}");
        for key in keys {
            assert!(line_of(&all, key).is_some(), "packaging/aggregator.toml does not mention {key}");
        }
    }

    #[test]
    fn every_setting_has_an_environment_variable_of_its_name() {
        for argument in Settings::augment_args(clap::Command::new("serve")).get_arguments() {
            let name = argument.get_id().as_str().replace('.', "_").to_uppercase();
            assert_eq!(argument.get_env().unwrap().to_str().unwrap(), format!("STIPPLE_{name}"));
        }
    }

    #[test]
    fn the_upper_layer_wins_key_by_key() {
        let upper = Settings::parse("late_weeks = 7\n[limits]\nbatch = 9").unwrap();
        let lower = Settings::parse("late_weeks = 2\nphase = \"testing\"\n[limits]\nbatch = 8\nqueue = 10").unwrap();
        let both = upper.over(lower);
        assert_eq!(text(&both), "phase = \"testing\"\nlate_weeks = 7\n\n[limits]\nqueue = 10\nbatch = 9\n");
        let limits = both.limits();
        assert_eq!((limits.batch, limits.queue, limits.connections), (9, 10, Limits::default().connections));
    }

    #[test]
    fn faults_name_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        let fault = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Settings::load(Settings::default(), Some(&path)).unwrap_err().to_string()
        };
        let at = |line: usize| format!("{}:{line}: ", path.display());
        for (text, line, words) in [
            ("\nlisten = \"nowhere\"", 2, "socket address"),
            ("phase = \"drill\"", 1, "production"),
            ("[limits]\n\nqeueue = 1", 3, "unknown field `qeueue`"),
            ("[limits]\nbatch = 0", 2, "nonzero"),
            ("store = \"mysql://db/x\"", 1, "no store of the kind mysql"),
            ("late_weeks = \n", 1, ""),
            ("\n[limits]\nqueue = 5\nbatch = 6", 4, "limits.batch: a full batch"),
            ("\nmetrics = \"127.0.0.1:8470\"", 2, "an address of its own"),
            ("[limits]\nbody_bytes = 6400", 2, "limits.body_bytes: a full batch"),
        ] {
            let message = fault(text);
            assert!(message.starts_with(&at(line)) && message.contains(words), "{text:?}: {message}");
        }
        let two = fault("metrics = \"127.0.0.1:8470\"\n[limits]\nqueue = 5");
        assert_eq!(two.lines().count(), 2, "{two}");
        let secret = fault("store = \"postgresql://me:hunter2@db:port/x\"");
        assert!(!secret.contains("hunter2"), "{secret}");
    }
}

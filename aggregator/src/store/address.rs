// SPDX-License-Identifier: MIT OR Apache-2.0
//! Which store: a file of SQLite, or a database of PostgreSQL.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use postgres::config::{Config, Host};
use serde::{Deserialize, Serialize, Serializer};

/// The address of a store: `PATH`, `sqlite:PATH` or `postgresql://USER@HOST/DATABASE`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
#[non_exhaustive]
pub enum Address {
    /// A file of the embedded SQLite.
    Sqlite(PathBuf),
    /// A database of a PostgreSQL server. Its debug and display forms leave the password out.
    Postgres(Box<Config>),
}

/// A text that names no store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Nothing after the scheme.
    #[error("the path is empty: give a path, sqlite:PATH or postgresql://USER@HOST/DATABASE")]
    Empty,
    /// A kind of store that there is not.
    #[error("there is no store of the kind {0}: give a path, sqlite:PATH or postgresql://USER@HOST/DATABASE")]
    Kind(String),
    /// A PostgreSQL URL that cannot be read. Its text may hold a password and is not repeated.
    #[error("the PostgreSQL address cannot be read: write postgresql://USER@HOST/DATABASE")]
    Postgres,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.starts_with("postgresql://") || text.starts_with("postgres://") {
            let mut config: Config = text.parse().map_err(|_| AddressError::Postgres)?;
            if config.get_hosts().is_empty() {
                return Err(AddressError::Postgres);
            }
            if config.get_application_name().is_none() {
                config.application_name("stipple-aggregator");
            }
            return Ok(Self::Postgres(Box::new(config)));
        }
        let path = text.strip_prefix("sqlite:").map_or(text, |path| path.strip_prefix("//").unwrap_or(path));
        match path.split_once("://") {
            Some((scheme, _)) => Err(AddressError::Kind(scheme.to_owned())),
            None if path.is_empty() => Err(AddressError::Empty),
            None => Ok(Self::Sqlite(path.into())),
        }
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(text: String) -> Result<Self, AddressError> {
        text.parse()
    }
}

/// As it is shown: without a password.
impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl From<PathBuf> for Address {
    fn from(path: PathBuf) -> Self {
        Self::Sqlite(path)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres(config) => {
                f.write_str("postgresql://")?;
                for (n, host) in config.get_hosts().iter().enumerate() {
                    let comma = if n > 0 { "," } else { "" };
                    match host {
                        Host::Tcp(name) => write!(f, "{comma}{name}")?,
                        Host::Unix(folder) => write!(f, "{comma}{}", folder.display())?,
                    }
                }
                write!(f, "/{}", config.get_dbname().or(config.get_user()).unwrap_or_default())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn addresses_are_read_and_shown_without_a_password() {
        for text in ["counts.sqlite", "sqlite:counts.sqlite", "sqlite://counts.sqlite"] {
            assert!(matches!(text.parse(), Ok(Address::Sqlite(path)) if path == Path::new("counts.sqlite")), "{text}");
        }
        let server: Address = "postgresql://counter:hunter2@db.example:5433/stipple".parse().unwrap();
        assert_eq!(server.to_string(), "postgresql://db.example/stipple");
        assert!(!format!("{server:?}").contains("hunter2"));
        let socket: Address = "postgresql:///stipple?host=/run/postgresql&user=me".parse().unwrap();
        assert_eq!(socket.to_string(), "postgresql:///run/postgresql/stipple");
    }

    #[test]
    fn other_texts_are_refused_and_not_repeated() {
        let error = |text: &str| text.parse::<Address>().unwrap_err();
        assert_eq!(error("mysql://db/x"), AddressError::Kind("mysql".into()));
        assert_eq!(error("sqlite:"), AddressError::Empty);
        assert_eq!(error("postgresql:///stipple"), AddressError::Postgres);
        assert!(!error("postgresql://me:hunter2@db:port/x").to_string().contains("hunter2"));
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! Makes and migrates the tables, in a schema `stipple` of their own.

use postgres::error::SqlState;
use postgres::{Client, GenericClient, Transaction};

use super::locked;

/// Append only: a migration that was ever released is never edited. Each is numbered by its new schema version.
const MIGRATIONS: [(i64, &str); 2] =
    [(1, include_str!("../../migrations/postgres/0001.sql")), (2, include_str!("../../migrations/postgres/0002.sql"))];
pub(super) const KNOWN_VERSION: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

/// The schema version: 0 where there is no schema yet, `None` for a schema of somebody else.
pub(super) fn version(client: &mut Client) -> Result<Option<i64>, postgres::Error> {
    match client.query_opt("SELECT value FROM stipple.meta WHERE key = 'schema'", &[]) {
        Ok(row) => Ok(row.and_then(|row| row.get::<_, String>(0).parse().ok())),
        Err(error) => match error.code() {
            Some(&SqlState::INVALID_SCHEMA_NAME) => Ok(Some(0)),
            Some(&SqlState::UNDEFINED_TABLE) => {
                let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'stipple'";
                Ok((client.query_one(tables, &[])?.get::<_, i64>(0) == 0).then_some(0))
            }
            Some(&SqlState::UNDEFINED_COLUMN) => Ok(None),
            _ => Err(error),
        },
    }
}

/// Brings the schema up to date; of several programs that start at once, one does.
pub(super) fn migrate(client: &mut Client) -> Result<(), postgres::Error> {
    let mut tx = locked(client)?;
    let there = "SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'stipple' AND tablename = 'meta')";
    let version: i64 = if tx.query_one(there, &[])?.get(0) {
        let row = tx.query_one("SELECT value FROM stipple.meta WHERE key = 'schema'", &[])?;
        row.get::<_, String>(0).parse().unwrap_or(KNOWN_VERSION)
    } else {
        0
    };
    make(&mut tx, version)?;
    tx.commit()
}

/// Applies every migration after `version`.
pub(super) fn make(tx: &mut Transaction<'_>, version: i64) -> Result<(), postgres::Error> {
    for (number, sql) in MIGRATIONS.into_iter().filter(|(number, _)| *number > version) {
        tx.batch_execute("CREATE SCHEMA IF NOT EXISTS stipple")?;
        tx.batch_execute(sql)?;
        let note =
            "INSERT INTO stipple.meta VALUES ('schema', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        tx.execute(note, &[&number.to_string()])?;
    }
    Ok(())
}

/// Writes the phase into a new store; returns the phase that it has.
pub(super) fn claim(client: &mut impl GenericClient, phase: &str) -> Result<String, postgres::Error> {
    let sql = "INSERT INTO stipple.meta VALUES ('phase', $1), ('open_from', '0') ON CONFLICT (key) DO NOTHING";
    client.execute(sql, &[&phase])?;
    stored_phase(client)
}

pub(super) fn stored_phase(client: &mut impl GenericClient) -> Result<String, postgres::Error> {
    Ok(client.query_one("SELECT value FROM stipple.meta WHERE key = 'phase'", &[])?.get(0))
}

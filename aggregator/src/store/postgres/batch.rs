// SPDX-License-Identifier: MIT OR Apache-2.0
//! The transactions that close weeks and count reports.

use std::collections::{BTreeSet, HashMap};

use postgres::{Client, GenericClient, Row, Statement, Transaction};
use stipple_catalog::{Catalogue, Week};
use uuid::Uuid;

use super::{LOCK, locked, tables};
use crate::store::seen;
use crate::sums::{Accepted, Sums};

/// Statements that are parsed once for each connection, by their text.
pub(super) type Prepared = HashMap<String, Statement>;

const OPEN_FROM: &str = "SELECT value::integer FROM stipple.meta WHERE key = 'open_from'";

pub(super) fn open_from(client: &mut impl GenericClient) -> Result<Week, postgres::Error> {
    client.query_one(OPEN_FROM, &[]).map(|row| week_of(&row))
}

fn week_of(row: &Row) -> Week {
    Week::from_index(u16::try_from(row.get::<_, i32>(0)).unwrap_or(u16::MAX))
}

/// Closes every week before `oldest` and makes the tables of `weeks`; alone in the store.
pub(super) fn prepare(
    client: &mut Client,
    oldest: Week,
    weeks: &BTreeSet<Week>,
) -> Result<(Week, bool), postgres::Error> {
    let mut tx = locked(client)?;
    let before = open_from(&mut tx)?;
    let open = before.max(oldest);
    if open > before {
        for table in tables(&mut tx)? {
            if seen::week_of(&table).is_some_and(|week| week < open) {
                tx.batch_execute(&format!("DROP TABLE stipple.{table}"))?;
            }
        }
        let note = "UPDATE stipple.meta SET value = $1 WHERE key = 'open_from'";
        tx.execute(note, &[&open.index().to_string()])?;
    }
    for week in weeks.iter().filter(|week| **week >= open) {
        let table = seen::table(*week);
        // No sample of the ids for the planner: it would lie in a table of the server's and outlive the week.
        tx.batch_execute(&format!(
            "CREATE TABLE IF NOT EXISTS stipple.{table} (id uuid NOT NULL PRIMARY KEY);
             ALTER TABLE stipple.{table} ALTER COLUMN id SET STATISTICS 0"
        ))?;
    }
    tx.commit()?;
    Ok((open, open > before))
}

/// A statement that is parsed once for each connection.
fn prepared(tx: &mut Transaction<'_>, prepared: &mut Prepared, sql: &str) -> Result<Statement, postgres::Error> {
    if let Some(statement) = prepared.get(sql) {
        return Ok(statement.clone());
    }
    let statement = tx.prepare(sql)?;
    prepared.insert(sql.to_owned(), statement.clone());
    Ok(statement)
}

/// Counts reports of the weeks from `oldest` on, by week and id, in one transaction, and returns the oldest open week. When that
/// is a later one, because another counter has closed a week meanwhile, nothing was counted.
pub(super) fn count(
    client: &mut Client,
    known: &mut Prepared,
    catalogue: &Catalogue,
    oldest: Week,
    reports: &[&Accepted],
) -> Result<Week, postgres::Error> {
    let mut tx = client.transaction()?;
    let lock = prepared(&mut tx, known, "SELECT pg_advisory_xact_lock_shared($1)")?;
    tx.execute(&lock, &[&LOCK])?;
    // A statement of its own, so that it sees what was committed before the lock was had.
    let sql = prepared(&mut tx, known, OPEN_FROM)?;
    let open = week_of(&tx.query_one(&sql, &[])?);
    if open > oldest {
        return Ok(open);
    }
    let mut sums = Sums::default();
    // In the order of the keys, as everywhere, so that no two counters wait for each other.
    for of_week in reports.chunk_by(|a, b| a.week == b.week) {
        note(&mut tx, known, of_week, |report| sums.add(catalogue, report))?;
    }
    add(&mut tx, known, catalogue, &sums)?;
    tx.commit()?;
    Ok(open)
}

/// Notes the ids of one week's reports, sorted by id, and calls `new` with those that were not noted before.
fn note(
    tx: &mut Transaction<'_>,
    known: &mut Prepared,
    reports: &[&Accepted],
    mut new: impl FnMut(&Accepted),
) -> Result<(), postgres::Error> {
    let Some(first) = reports.first() else { return Ok(()) };
    let ids: Vec<Uuid> = reports.iter().map(|report| Uuid::from_bytes(report.id.0)).collect();
    let table = seen::table(first.week);
    let sql = format!("INSERT INTO stipple.{table} SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING RETURNING id");
    let insert = prepared(tx, known, &sql)?;
    for row in tx.query(&insert, &[&ids])? {
        let id = row.get::<_, Uuid>(0).into_bytes();
        // Of two reports under one id in a batch, the first counts.
        let place = reports.partition_point(|report| report.id.0 < id);
        reports.get(place).into_iter().for_each(|report| new(report));
    }
    Ok(())
}

fn add(
    tx: &mut Transaction<'_>,
    known: &mut Prepared,
    catalogue: &Catalogue,
    sums: &Sums,
) -> Result<(), postgres::Error> {
    let mut received = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut cells = (Vec::new(), Vec::new());
    let mut series: Vec<_> = sums.by_definition(catalogue).collect();
    series.sort_unstable_by_key(|(definition, week, _)| (&definition.id, definition.hash.0, *week));
    for (row, (definition, week, series)) in (1_i32..).zip(series) {
        received.0.push(definition.id.as_str());
        received.1.push(&definition.hash.0[..]);
        received.2.push(i32::from(week.index()));
        received.3.push(series.reports);
        for (cell, &count) in (0_i32..).zip(&series.cells).filter(|(_, count)| **count > 0) {
            cells.0.push(row);
            cells.1.push((cell, count));
        }
    }
    if received.0.is_empty() {
        return Ok(());
    }
    let sql = "INSERT INTO stipple.received
         SELECT * FROM unnest($1::text[], $2::bytea[], $3::integer[], $4::bigint[])
         ON CONFLICT (metric, definition, week) DO UPDATE SET reports = received.reports + excluded.reports";
    let insert = prepared(tx, known, sql)?;
    tx.execute(&insert, &[&received.0, &received.1, &received.2, &received.3])?;
    let (places, (numbers, counts)): (_, (Vec<i32>, Vec<i64>)) = (cells.0, cells.1.into_iter().unzip());
    let sql = "INSERT INTO stipple.counts
         SELECT ($1::text[])[place], ($2::bytea[])[place], ($3::integer[])[place], cell, n
         FROM unnest($4::integer[], $5::integer[], $6::bigint[]) AS cells (place, cell, n)
         ON CONFLICT (metric, definition, week, cell) DO UPDATE SET count = counts.count + excluded.count";
    let insert = prepared(tx, known, sql)?;
    tx.execute(&insert, &[&received.0, &received.1, &received.2, &places, &numbers, &counts]).map(drop)
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! What an operator does to the tables: delete, add, look whether they are whole.

use postgres::{Client, GenericClient};
use stipple_catalog::Week;

use super::{locked, schema, tables};
use crate::store::{Overlap, Stored, orphaned, seen};

/// Drops everything and begins anew.
pub(super) fn delete_all(client: &mut Client, phase: &str) -> Result<(), postgres::Error> {
    let mut tx = locked(client)?;
    for table in tables(&mut tx)? {
        tx.batch_execute(&format!("DROP TABLE stipple.\"{table}\""))?;
    }
    schema::make(&mut tx, 0)?;
    schema::claim(&mut tx, phase)?;
    tx.commit()?;
    // Tables that an earlier version had made were sampled for the planner. Whoever may not do this gets a warning only.
    client.batch_execute("VACUUM (FULL) pg_catalog.pg_statistic")
}

/// Series of weeks before `before`, and their reports.
pub(super) fn sum_before(client: &mut impl GenericClient, before: Week) -> Result<(u64, u64), postgres::Error> {
    let sums = "SELECT count(*), coalesce(sum(reports), 0)::bigint FROM stipple.received WHERE week < $1";
    let row = client.query_one(sums, &[&i32::from(before.index())])?;
    Ok((row.get::<_, i64>(0).unsigned_abs(), row.get::<_, i64>(1).unsigned_abs()))
}

/// Deletes the sums of every week before `before` and returns how many reports they were of.
pub(super) fn delete_before(client: &mut Client, before: Week) -> Result<u64, postgres::Error> {
    let mut tx = locked(client)?;
    let (_, gone) = sum_before(&mut tx, before)?;
    let before = i32::from(before.index());
    for table in ["received", "counts", "imports"] {
        tx.execute(&format!("DELETE FROM stipple.{table} WHERE week < $1"), &[&before])?;
    }
    tx.commit()?;
    Ok(gone)
}

/// Adds sums of other stores, unless some of them are here already.
pub(super) fn add_all(
    client: &mut Client,
    sources: &[String],
    series: &[Stored],
) -> Result<Option<Overlap>, postgres::Error> {
    let mut tx = locked(client)?;
    let weeks: Vec<i32> = series.iter().map(|series| series.week.index().into()).collect();
    let held = "SELECT source, week FROM stipple.imports WHERE source = ANY($1) AND week = ANY($2)
         UNION ALL SELECT value, week FROM stipple.meta, stipple.received
             WHERE key = 'id' AND value = ANY($1) AND week = ANY($2) LIMIT 1";
    if let Some(row) = tx.query_opt(held, &[&sources, &weeks])? {
        let week = u16::try_from(row.get::<_, i32>(1)).unwrap_or(u16::MAX);
        return Ok(Some(Overlap { source: row.get(0), week: Week::from_index(week) }));
    }
    let received = tx.prepare(
        "INSERT INTO stipple.received VALUES ($1, $2, $3, $4)
         ON CONFLICT (metric, definition, week) DO UPDATE SET reports = received.reports + excluded.reports",
    )?;
    let counted = tx.prepare(
        "INSERT INTO stipple.counts SELECT $1, $2, $3, cell, n FROM unnest($4::integer[], $5::bigint[]) AS cells (cell, n)
         ON CONFLICT (metric, definition, week, cell) DO UPDATE SET count = counts.count + excluded.count",
    )?;
    for (Stored { metric, definition, reports, counts, .. }, week) in series.iter().zip(&weeks) {
        tx.execute(&received, &[metric, &&definition[..], week, &reports.cast_signed()])?;
        let (cells, counts): (Vec<i32>, Vec<i64>) =
            counts.iter().map(|(cell, count)| (cell.cast_signed(), count.cast_signed())).unzip();
        tx.execute(&counted, &[metric, &&definition[..], week, &cells, &counts])?;
    }
    let note = "INSERT INTO stipple.imports SELECT DISTINCT source, week
         FROM unnest($1::text[]) AS sources (source), unnest($2::integer[]) AS weeks (week)";
    tx.execute(note, &[&sources, &weeks])?;
    tx.commit()?;
    Ok(None)
}

/// The store's own name, then those of the stores whose counts were added.
pub(super) fn sources(client: &mut Client) -> Result<Vec<String>, postgres::Error> {
    let names = "SELECT value, 0 AS place FROM stipple.meta WHERE key = 'id' UNION
         SELECT source, 1 FROM stipple.imports WHERE source NOT IN (SELECT value FROM stipple.meta WHERE key = 'id')
         ORDER BY place, value";
    Ok(client.query(names, &[])?.iter().map(|row| row.get(0)).collect())
}

/// Ids by week.
pub(super) fn ids(client: &mut Client) -> Result<Vec<(Week, u64)>, postgres::Error> {
    let mut tx = client.transaction()?;
    let mut ids = Vec::new();
    for table in tables(&mut tx)? {
        if let Some(week) = seen::week_of(&table) {
            let number: i64 = tx.query_one(&format!("SELECT count(*) FROM stipple.{table}"), &[])?.get(0);
            ids.push((week, number.unsigned_abs()));
        }
    }
    ids.sort_unstable();
    Ok(ids)
}

/// Counts that belong to no reports.
pub(super) fn faults(client: &mut Client) -> Result<Vec<String>, postgres::Error> {
    let orphans = "SELECT count(*) FROM stipple.counts c WHERE NOT EXISTS (SELECT FROM stipple.received r
         WHERE (r.metric, r.definition, r.week) = (c.metric, c.definition, c.week))";
    let orphans: i64 = client.query_one(orphans, &[])?.get(0);
    Ok(orphaned(orphans).into_iter().collect())
}

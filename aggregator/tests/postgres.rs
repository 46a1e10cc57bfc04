// SPDX-License-Identifier: MIT OR Apache-2.0
//! What only PostgreSQL can get wrong: several counters, hidden columns, a server that goes away.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail as tests do")]

mod support;

use std::time::{Duration, Instant};

use stipple_aggregator::{Config, Server};
use support::{Place, PostgresServer, Running, reports, week};

fn refusal(config: Config) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Server::bind(config)).err().unwrap().to_string()
}

fn server(place: &Place) -> &PostgresServer {
    place.postgres.as_ref().unwrap()
}

#[test]
fn two_counters_share_a_store_and_count_each_report_once() {
    let place = Place::with_postgres();
    let clock = Place::clock();
    let counters = [(); 2].map(|()| Running::start(place.config(&clock)));
    let sent =
        [reports(&place.catalogue, week("2026-W47"), 1, 400), reports(&place.catalogue, week("2026-W48"), 2, 400)];
    let sent = sent.concat();
    // Every report goes to both, at the same time and in opposite orders.
    std::thread::scope(|scope| {
        scope.spawn(|| sent.iter().for_each(|report| assert_eq!(counters[0].post(report).status, 204)));
        scope.spawn(|| sent.iter().rev().for_each(|report| assert_eq!(counters[1].post(report).status, 204)));
    });
    assert_eq!(place.export().1["reports"], 800);
    // One closes a week; the other, whose own clock is behind, knows it at once.
    clock.set("2026-12-24T12:00:00Z".parse().unwrap());
    assert_eq!(counters[0].post(&sent[0]).problem(), "late");
    assert_eq!(counters[0].post(&sent[400]).status, 204);
    clock.set(support::NOW.parse().unwrap());
    assert_eq!(counters[1].post(&sent[0]).problem(), "late");
    assert_eq!(counters[1].post(&sent[400]).status, 204);
    assert_eq!(place.known(&sent[..400]), 0);
    counters.into_iter().for_each(Running::stop);
    assert_eq!(place.export().1["reports"], 800);
}

#[test]
fn neither_place_nor_hidden_columns_tell_the_order_of_arrival() {
    let place = Place::with_postgres();
    let running = Running::start(place.config(&Place::clock()));
    let sent = reports(&place.catalogue, week("2026-W48"), 3, 300);
    for report in &sent {
        assert_eq!(running.post(report).status, 204);
    }
    let transactions = |table: &str| -> u32 {
        let sql = format!("SELECT count(DISTINCT xmin::text) FROM stipple.{table}");
        server(&place).sql(&sql).unwrap().parse().unwrap()
    };
    let tables = server(&place).sql("SELECT tablename FROM pg_tables WHERE schemaname = 'stipple'").unwrap();
    let tables: Vec<&str> = tables.lines().filter(|table| !["meta", "imports"].contains(table)).collect();
    assert_eq!(tables.len(), 3, "{tables:?}");
    let deadline = Instant::now() + Duration::from_mins(1);
    while tables.iter().any(|table| transactions(table) != 1) {
        assert!(Instant::now() < deadline, "the transactions of the reports stay visible");
        std::thread::sleep(Duration::from_millis(100));
    }
    for table in tables {
        // The first columns are the key; rows lie in its order.
        let order = format!(
            "SELECT bool_and(t >= before) FROM (SELECT t, lag(t) OVER (ORDER BY ctid) AS before FROM stipple.{table} t) x"
        );
        assert_eq!(server(&place).sql(&order).unwrap(), "t", "{table}");
    }
    running.stop();
    assert_eq!(place.export().1["reports"], 300);
}

#[test]
fn a_server_that_goes_away_costs_a_retry_and_no_count() {
    let mut place = Place::with_postgres();
    let running = Running::start(place.config(&Place::clock()));
    let sent = reports(&place.catalogue, week("2026-W48"), 4, 20);
    for report in &sent[..10] {
        assert_eq!(running.post(report).status, 204);
    }
    place.postgres.as_mut().unwrap().kill();
    assert_eq!(running.post(&sent[10]).problem(), "store-unavailable");
    place.postgres.as_mut().unwrap().restart();
    for report in &sent {
        let deadline = Instant::now() + Duration::from_mins(1);
        while running.post(report).status != 204 {
            assert!(Instant::now() < deadline, "the counter does not connect again");
        }
    }
    running.stop();
    assert_eq!(place.export().1["reports"], 20);
}

#[test]
fn what_is_not_our_schema_is_left_alone() {
    let place = Place::with_postgres();
    server(&place).sql("CREATE SCHEMA stipple; CREATE TABLE stipple.dots (n int)").unwrap();
    let message = refusal(place.config(&Place::clock()));
    assert!(message.contains("is not a Stipple store"), "{message}");
    assert_eq!(server(&place).sql("SELECT count(*) FROM stipple.dots").unwrap(), "0");
}

#[test]
fn a_newer_schema_another_phase_and_a_closed_week_are_refused() {
    let place = Place::with_postgres();
    let clock = Place::clock();
    Running::start(place.config(&clock)).stop();
    let mut production = place.config(&clock);
    production.phase = stipple_catalog::Phase::Production;
    let message = refusal(production);
    assert!(message.contains("belongs to the phase testing, not production"), "{message}");
    clock.set("2026-10-01T00:00:00Z".parse().unwrap());
    let message = refusal(place.config(&clock));
    assert!(message.contains("2026-W46") && message.contains("2026-W40"), "{message}");
    server(&place).sql("UPDATE stipple.meta SET value = '7' WHERE key = 'schema'").unwrap();
    let message = refusal(place.config(&clock));
    assert!(message.contains("schema version 7"), "{message}");
}

#[test]
fn a_server_that_is_not_there_is_named_without_the_password() {
    let place = Place::new();
    let mut config = place.config(&Place::clock());
    config.store = "postgresql://counter:hunter2@127.0.0.1:1/stipple".parse().unwrap();
    let message = refusal(config);
    assert!(message.contains("postgresql://127.0.0.1/stipple") && !message.contains("hunter2"), "{message}");
}

#[test]
fn every_column_is_documented_as_public_or_private() {
    let place = Place::with_postgres();
    Running::start(place.config(&Place::clock())).stop();
    let sql = "SELECT c.relname || '.' || a.attname || ' ' || coalesce(col_description(c.oid, a.attnum), '')
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'stipple' AND c.relkind = 'r' AND a.attnum > 0";
    let columns = server(&place).sql(sql).unwrap();
    assert!(columns.lines().count() >= 11, "{columns}");
    for column in columns.lines() {
        assert!(column.contains(" public: ") || column.contains(" private: "), "{column}");
    }
}

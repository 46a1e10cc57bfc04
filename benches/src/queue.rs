// SPDX-License-Identifier: MIT OR Apache-2.0
//! A queue between intake and store: how fast it is filled, and how fast one worker drains it.

use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use stipple_aggregator::{Address, QueueAddress, Unknown, Worker, WorkerConfig, export, queue_status};
use stipple_catalog::{Catalogue, Phase};

use crate::intake::{BATCH, Setting};
use crate::load::Load;
use crate::postgres::PostgresServer;
use crate::redis_server::RedisServer;
use crate::row::Row;

/// What a queue of its own may cost.
const GOAL: f64 = 0.6;
/// Four workers keep up with an intake.
const KEEPS_UP: f64 = 0.25;
/// Connections that send batches.
const RELAYS: usize = 16;

/// Rates of reports per second: filled one by one and in batches, and drained after each.
type Rates = [Vec<f64>; 4];

/// Measures on both stores, and what SQLite takes in without a queue.
pub fn measure(catalogue: Catalogue, out: &Path, connections: usize, quick: bool) -> anyhow::Result<Vec<Row>> {
    let folder = tempfile::tempdir_in(out).context("cannot make a folder for the store")?;
    let (postgres, redis) = (PostgresServer::start(), RedisServer::start());
    let queue: QueueAddress = redis.address().parse()?;
    let mut setting = Setting::new(catalogue)?;
    let rounds = if quick { 1 } else { 5 };
    let mut direct = Rates::default();
    let (mut sqlite, mut database) = (Rates::default(), Rates::default());
    let [alone, behind] = ["alone.sqlite", "behind.sqlite"].map(|name| Address::from(folder.path().join(name)));
    let stores = [(alone, None), (behind, Some(&queue)), (postgres.address().parse()?, Some(&queue))];
    let mut sent = 0;
    for _ in 0..rounds {
        for ((store, queue), rates) in stores.iter().zip([&mut direct, &mut sqlite, &mut database]) {
            sent = setting.round(store, *queue, connections, quick, rates)?;
        }
    }
    for (store, _) in &stores {
        let counted = export(store, &setting.catalogue, &folder.path().join("counts"), Unknown::Refuse)?.reports;
        ensure!(counted == rounds * sent, "{counted} reports counted, not what was acknowledged");
    }
    let one = format!("intake into Redis, {connections} connections");
    let many = "intake into Redis, batches of 1000".to_owned();
    let filled = [[&sqlite[0][..], &database[0]].concat(), [&sqlite[1][..], &database[1]].concat()];
    let row = |name: &str, ours: &[f64], reference: usize| {
        let reference_name = ["intake of reports one by one", "intake of batches"][reference];
        Row::new(name.to_owned(), reference_name, KEEPS_UP, ours.to_vec(), filled[reference].clone())
    };
    Ok(vec![
        Row::new(one, "the same, embedded SQLite", GOAL, filled[0].clone(), direct[0].clone()),
        Row::new(many, "the same, embedded SQLite", GOAL, filled[1].clone(), direct[1].clone()),
        row("a worker into SQLite, after single reports", &sqlite[2], 0),
        row("a worker into SQLite, after batches", &sqlite[3], 1),
        row("a worker into PostgreSQL, single reports", &database[2], 0),
        row("a worker into PostgreSQL, batches", &database[3], 1),
    ])
}

impl Setting {
    /// Fills one by one and in batches, and drains after each. Returns how many reports were sent.
    fn round(
        &mut self,
        store: &Address,
        queue: Option<&QueueAddress>,
        connections: usize,
        quick: bool,
        rates: &mut Rates,
    ) -> anyhow::Result<u64> {
        let (singles, batches) = if quick { (2_000, 10) } else { (40_000, 200) };
        let reports = self.reports(singles + batches * BATCH)?;
        let (one_by_one, rest) = reports.split_at(singles);
        let loads = [
            (Load::new(one_by_one.iter().map(|report| &report[..]), ""), connections, 1.0),
            (
                Load::new(
                    rest.chunks(BATCH).map(<[_]>::as_flattened),
                    "Content-Type: application/vnd.stipple.reports\r\n",
                ),
                RELAYS,
                BATCH as f64,
            ),
        ];
        for (n, (load, connections, reports)) in loads.into_iter().enumerate() {
            let server = self.start_before(store.clone(), queue.cloned())?;
            rates[n].push(self.load.block_on(load.send(server.address, connections))?.rate * reports);
            self.end(server)?;
            if let Some(queue) = queue {
                rates[2 + n].push(self.drain(store, queue)?);
            }
        }
        Ok(reports.len() as u64)
    }

    /// Drains a queue with one worker; returns the reports per second, from its start on.
    fn drain(&self, store: &Address, queue: &QueueAddress) -> anyhow::Result<f64> {
        let status = || queue_status(queue, Phase::Testing);
        let waiting = status()?.appended - status()?.drained;
        let mut config = WorkerConfig::new(queue.clone(), store.clone(), self.catalogue.clone());
        config.phase = Phase::Testing;
        let worker = Worker::open(config)?;
        let (stop, stopped) = channel();
        let start = Instant::now();
        let thread = std::thread::spawn(move || worker.run(&stopped));
        while status()?.waiting > 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
        let time = start.elapsed();
        drop(stop);
        ensure!(thread.join().is_ok() && !status()?.has_losses(), "the worker has lost reports");
        Ok(waiting as f64 / time.as_secs_f64())
    }
}

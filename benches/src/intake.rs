// SPDX-License-Identifier: MIT OR Apache-2.0
//! Durable intake beside a handler that does nothing, under the same load in the same run.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rand::SeedableRng as _;
use rand::rngs::ChaCha20Rng;
use stipple_aggregator::{Config, Server, Unknown, export};
use stipple_catalog::{Catalogue, Clock, Phase, Week};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use crate::load::Load;
use crate::row::Row;
use crate::sample;

const NAME: &str = "durable intake";
const REFERENCE: &str = "bare axum handler: reads the body, answers 204";
/// What durability, deduplication and counting may cost.
const GOAL: f64 = 0.6;

/// Measures rounds of ours and of the reference in turn; ends by checking that what was acknowledged was counted.
pub fn measure(catalogue: Catalogue, out: &Path, connections: usize, quick: bool) -> anyhow::Result<Row> {
    let (rounds, each) = if quick { (1, 2_000) } else { (7, 40_000) };
    let catalogue = Arc::new(catalogue);
    let folder = tempfile::tempdir_in(out).context("cannot make a folder for the store")?;
    let store = folder.path().join("counts.sqlite");
    let (now, week) = a_time_of(&catalogue)?;

    // Servers have a runtime as they have in their program; the load has a thread of its own.
    let servers = Builder::new_multi_thread().enable_all().build()?;
    let load = Builder::new_current_thread().enable_all().build()?;
    let bare = start_bare(&servers)?;
    let mut config = Config::new(store.clone(), catalogue.clone(), Clock::manual(now));
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.phase = Phase::Testing;
    let server = servers.block_on(Server::bind(config))?;
    let address = server.address();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = servers.spawn(server.run(async {
        let _ = stopped.await;
    }));

    let mut rng = ChaCha20Rng::seed_from_u64(2);
    let (mut ours, mut reference) = (Vec::new(), Vec::new());
    // The first round warms both up and is not counted.
    for round in 0..=rounds {
        let active: Vec<_> = catalogue.definitions().iter().filter(|d| d.is_active(week.monday())).collect();
        let reports = active
            .iter()
            .cycle()
            .take(each)
            .map(|d| sample::report(d, week, &mut rng))
            .collect::<Result<Vec<_>, _>>()?;
        let theirs = load.block_on(Load::new(&reports).send(bare, connections))?;
        let mine = load.block_on(Load::new(&reports).send(address, connections))?;
        if round > 0 {
            ours.push(mine);
            reference.push(theirs);
        }
    }
    let _ = stop.send(());
    servers.block_on(running)??;
    let counted = export(&store.into(), &catalogue, &folder.path().join("counts"), Unknown::Refuse)?.reports;
    ensure!(counted == ((rounds + 1) * each) as u64, "{counted} reports counted, not what was acknowledged");
    Ok(Row::new(format!("{NAME}, {connections} connections"), REFERENCE, GOAL, ours, reference))
}

/// A moment, and a week open then in which every metric of the catalogue that is collected latest is collected.
fn a_time_of(catalogue: &Catalogue) -> anyhow::Result<(Timestamp, Week)> {
    let day = catalogue.definitions().iter().map(|d| d.introduced).max().context("the catalogue is empty")?;
    let week = Week::containing(day)?.next();
    let now = TimeZone::UTC.to_timestamp(week.next().monday().at(12, 0, 0, 0))?;
    Ok((now, week))
}

fn start_bare(servers: &Runtime) -> anyhow::Result<SocketAddr> {
    let listener = servers.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let router = Router::new().route("/v1/reports", post(async |_body: Bytes| StatusCode::NO_CONTENT));
    servers.spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

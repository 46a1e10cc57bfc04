// SPDX-License-Identifier: MIT OR Apache-2.0
//! Listens, limits what one connection may take, and stops without losing anything.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post, put};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use stipple_catalog::{Catalogue, Clock, Phase};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{sleep, timeout};

use crate::compat;
use crate::counter::Writer;
use crate::intake::{Cut, Intake, receive};
use crate::metrics::{self, Behind, Metrics, Scrape};
use crate::ohttp::{Gateway, KeyError, KeyPolicy};
use crate::problem::Problem;
use crate::queue::{Appender, QueueAddress};
use crate::status;
use crate::store::{self, Address, Sink, StoreError};
use crate::window::Window;

/// Everything that a server is made from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// where to listen; port 0 takes a free one
    pub listen: SocketAddr,
    /// where Prometheus reads; nowhere without
    pub metrics: Option<SocketAddr>,
    /// where the counts lie; not opened when there is a queue
    pub store: Address,
    /// where reports wait for workers, instead of being counted here
    pub queue: Option<QueueAddress>,
    /// how many replicas of the queue must have a report before it is acknowledged
    pub queue_replicas: u32,
    /// what is counted
    pub catalogue: Arc<Catalogue>,
    /// the time
    pub clock: Clock,
    /// for real, or a drill
    pub phase: Phase,
    /// how many weeks before the current one are open
    pub late_weeks: u16,
    /// the keys of the Oblivious HTTP gateway; there is none without
    pub ohttp: Option<KeyPolicy>,
    /// limits on senders
    pub limits: Limits,
}

/// What the server lets senders take, so that none can starve the others.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// connections at a time; more wait to be accepted
    pub connections: usize,
    /// reports that may wait to be counted; more are answered 503
    pub queue: usize,
    /// reports in a batch
    pub batch: usize,
    /// bytes of bodies in memory at a time; more are answered 503
    pub body_bytes: usize,
    /// how long a request's head may take, and an idle connection may stay
    pub head_time: Duration,
    /// how long a body may take
    pub body_time: Duration,
    /// how long a connection may live
    pub connection_life: Duration,
    /// how long a connection that is to end may take over its last answer
    pub farewell: Duration,
    /// the most pages of 4 KiB that a file of SQLite may grow to
    pub store_pages: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Below the 1024 open files that a service usually has.
            connections: 800,
            queue: 65_536,
            batch: 4096,
            body_bytes: 16 << 20,
            head_time: Duration::from_secs(15),
            body_time: Duration::from_secs(10),
            connection_life: Duration::from_secs(450),
            farewell: Duration::from_secs(10),
            store_pages: None,
        }
    }
}

impl Config {
    /// Loopback on the usual port, for real, four late weeks, default limits.
    #[must_use]
    pub fn new(store: impl Into<Address>, catalogue: Arc<Catalogue>, clock: Clock) -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8470)),
            metrics: None,
            store: store.into(),
            queue: None,
            queue_replicas: 0,
            catalogue,
            clock,
            phase: Phase::Production,
            late_weeks: 4,
            ohttp: None,
            limits: Limits::default(),
        }
    }
}

/// Why a server did not start, or stopped by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; stop what uses it, or choose another with --listen")]
    Listen {
        /// the address
        address: SocketAddr,
        /// why
        source: std::io::Error,
    },
    /// The gateway's keys cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The clock is outside the range of weeks.
    #[error("the clock cannot be right: {0}; set it and start again")]
    Clock(#[from] stipple_catalog::WeekError),
    /// The writer's thread did not start, or ended early.
    #[error("the thread that writes to the store has ended; start again, nothing acknowledged is lost")]
    Writer,
    /// The system gave no random numbers.
    #[error("the system gives no random numbers; see that /dev/urandom is there")]
    Randomness,
}

/// A server that is bound and has its store open, but answers nobody yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    /// where Prometheus is answered
    scraped: Option<(TcpListener, Router)>,
    gateway: Option<Gateway>,
    limits: Limits,
    writer: JoinHandle<()>,
    writer_ended: oneshot::Receiver<()>,
}

/// Binds and runs a server until `shutdown` resolves.
///
/// # Errors
/// [`ServeError`].
pub async fn serve(config: Config, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
    Server::bind(config).await?.run(shutdown).await
}

impl Server {
    /// Opens the store or queue, starts the writer and binds the address.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn bind(config: Config) -> Result<Self, ServeError> {
        let Config { listen, metrics: scraped, store, catalogue, clock, late_weeks, ohttp, limits, .. } =
            config.clone();
        let queued = config.queue.clone().map(|queue| Behind::Queue(queue, config.phase));
        let behind = queued.unwrap_or(Behind::Store(store));
        let (listener, address) = bind(listen).await?;
        let queue = limits.queue;
        let (definitions, time, metrics) = (catalogue.clone(), clock.clone(), Arc::new(Metrics::default()));
        let numbers = metrics.clone();
        // A store blocks while it is opened, and its connection may not end on a thread of the runtime.
        let opening = spawn_blocking(move || {
            let store = open_sink(&config)?;
            let writer = Writer { store, catalogue: definitions, clock: time, late_weeks, metrics: numbers };
            writer.start(queue).map_err(|_| ServeError::Writer)
        });
        let (counter, writer, writer_ended) = opening.await.map_err(|_| ServeError::Writer)??;
        let scraped = match scraped {
            Some(address) => {
                let (listener, address) = bind(address).await?;
                tracing::info!("metrics on http://{address}/metrics");
                let (metrics, catalogue) = (metrics.clone(), catalogue.clone());
                let (places, census) = ((counter.places(), queue), None.into());
                let scrape = Scrape { metrics, places, behind, catalogue, census };
                Some((listener, metrics::router(scrape)))
            }
            None => None,
        };
        let (body_time, batch, bodies) = (limits.body_time, limits.batch, Semaphore::new(limits.body_bytes));
        let intake = Arc::new(Intake {
            catalogue,
            clock: clock.clone(),
            late_weeks,
            counter,
            body_time,
            batch,
            bodies,
            compat: Semaphore::new(compat::AT_A_TIME),
            metrics: metrics.clone(),
        });
        let inner = || with_fallbacks(reports(&intake));
        let gateway = ohttp.map(|policy| Gateway::open(policy, clock, body_time, inner(), metrics));
        let gateway = gateway.transpose()?;
        let router = router(&intake, gateway.clone());
        Ok(Self { listener, address, router, scraped, gateway, limits, writer, writer_ended })
    }

    /// The address that it listens on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address on which Prometheus is answered.
    #[must_use]
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.scraped.as_ref()?.0.local_addr().ok()
    }

    /// Serves until `shutdown` resolves, then finishes the requests that are being answered and empties the journal.
    ///
    /// # Errors
    /// [`ServeError::Writer`] when the writer ended by itself.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { listener, router, scraped, gateway, limits, writer, writer_ended, .. } = self;
        let (stop, stopped) = watch::channel(false);
        let mut connections = JoinSet::new();
        let accepting = accept(listener, router, &limits, &stopped, &mut connections);
        let mut scrapes = JoinSet::new();
        let scraping = async {
            match scraped {
                Some((listener, router)) => accept(listener, router, &limits, &stopped, &mut scrapes).await,
                None => std::future::pending().await,
            }
        };
        let outcome = tokio::select! {
            () = shutdown => Ok(()),
            _ = writer_ended => Err(ServeError::Writer),
            never = accepting => match never {},
            never = scraping => match never {},
            never = tend(gateway) => match never {},
        };
        // Every connection sees the end, answers what it has begun, and drops its way to the writer.
        let _ = stop.send(true);
        while connections.join_next().await.is_some() {}
        // The writer ends once the last way to it is gone; a failure of its own is the outcome already.
        let _ = spawn_blocking(move || writer.join()).await;
        tracing::info!("stopped");
        outcome
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let cannot = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let address = listener.local_addr().map_err(cannot)?;
    Ok((listener, address))
}

/// Opens the store, or the queue before it, and refuses a clock that stands before a closed week: it would refuse every report
/// as late.
fn open_sink(config: &Config) -> Result<Box<dyn Sink>, ServeError> {
    let now = Window::at(config.clock.now(), 0)?.oldest;
    let phase = config.phase.name();
    if let Some(queue) = &config.queue {
        let appender = Appender::open(queue.clone(), config.phase, config.queue_replicas, now);
        let appender = appender.map_err(StoreError::from)?;
        tracing::info!("phase {phase}, queue {queue}");
        return Ok(Box::new(appender));
    }
    let address = &config.store;
    let mut store = store::open(address, config.phase, config.limits.store_pages)?;
    let open_from = store.open_from()?;
    if now < open_from {
        return Err(StoreError::ClockBehind { store: address.clone(), open_from, now }.into());
    }
    tracing::info!("phase {phase}, store {address}");
    Ok(store)
}

/// Where reports go, whether they come by themselves or out of a sealed request.
fn reports(intake: &Arc<Intake>) -> Router {
    Router::new().route("/v1/reports", post(receive)).with_state(intake.clone())
}

fn router(intake: &Arc<Intake>, gateway: Option<Gateway>) -> Router {
    let router = reports(intake)
        .route("/3/{sha512}", put(compat::receive).with_state(intake.clone()))
        .route("/readyz", get(status::ready).with_state(intake.clone()))
        .route("/v1/catalog", get(status::catalogue).with_state(status::render(&intake.catalogue)))
        .route("/healthz", get(status::alive));
    with_fallbacks(match gateway {
        Some(gateway) => router.merge(gateway.router()),
        None => router,
    })
}

fn with_fallbacks(router: Router) -> Router {
    router.fallback(async || Problem::NotFound).method_not_allowed_fallback(async || Problem::MethodNotAllowed)
}

async fn tend(gateway: Option<Gateway>) -> std::convert::Infallible {
    match gateway {
        Some(gateway) => gateway.tend().await,
        None => std::future::pending().await,
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    limits: &Limits,
    stopped: &watch::Receiver<bool>,
    connections: &mut JoinSet<()>,
) -> std::convert::Infallible {
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        while connections.try_join_next().is_some() {}
        // The semaphore is never closed.
        let Ok(place) = places.clone().acquire_owned().await else { std::future::pending().await };
        let Ok((stream, _)) = listener.accept().await else {
            // Out of files, or the peer has gone already: others may end meanwhile.
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        let (router, limits, stopped) = (router.clone(), limits.clone(), stopped.clone());
        connections.spawn(async move {
            converse(stream, router, limits, stopped).await;
            drop(place);
        });
    }
}

/// A sender that was too slow.
#[derive(Debug, thiserror::Error)]
#[error("the sender took too long")]
struct TooSlow;

async fn converse(stream: TcpStream, router: Router, limits: Limits, mut stopped: watch::Receiver<bool>) {
    // Answers are small and wait for nothing more; a socket without the option serves all the same.
    let _ = stream.set_nodelay(true);
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |request| {
        let answer = service.call(request);
        async move {
            // The router cannot fail.
            let Ok(response) = answer.await;
            if response.extensions().get::<Cut>().is_some() { Err(TooSlow) } else { Ok(response) }
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    tokio::select! {
        // How a connection ended says nothing that may be logged.
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => {}
        () = sleep(limits.connection_life) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = timeout(limits.farewell, connection).await;
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//! The recorder as seen over D-Bus. The connection lives on a thread of its own; orders go in, news comes out.

use std::str::FromStr;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use zbus::fdo::PropertiesProxy;
use zbus::{connection, proxy};

use crate::state::{Budget, News, Records, Report, Snapshot, Status, Tally};
use crate::words;

const METRICS: &str = "org.stipple.Metrics1";
const PATIENCE: Duration = Duration::from_secs(5);

#[proxy(
    interface = "org.stipple.Metrics1",
    default_service = "org.stipple.Metrics1",
    default_path = "/org/stipple/Metrics1"
)]
trait Metrics {
    fn status(&self) -> zbus::Result<Status>;
    fn tallies(&self) -> zbus::Result<Vec<Tally>>;
    fn preview(&self) -> zbus::Result<Vec<Report>>;
    fn sent(&self) -> zbus::Result<Vec<Report>>;
    fn budget(&self) -> zbus::Result<Budget>;
}

#[proxy(
    interface = "com.endlessm.Metrics.EventRecorderServer",
    default_service = "com.endlessm.Metrics",
    default_path = "/com/endlessm/Metrics"
)]
trait Recorder {
    #[zbus(allow_interactive_auth)]
    fn set_enabled(&self, enabled: bool) -> zbus::Result<()>;
}

/// Which bus the recorder is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bus {
    System,
    Session,
    Address(String),
}

impl FromStr for Bus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "system" => Ok(Self::System),
            "session" => Ok(Self::Session),
            address if address.contains(':') => Ok(Self::Address(address.to_owned())),
            other => {
                Err(format!("{other:?} is no bus: write system, session or an address such as unix:path=/run/bus"))
            }
        }
    }
}

impl Bus {
    fn builder(&self) -> connection::Builder<'static> {
        match self {
            Self::System => connection::Builder::system(),
            Self::Session => connection::Builder::session(),
            Self::Address(address) => connection::Builder::address(address.as_str()),
        }
    }
}

/// What the window wants.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// Look again.
    Refresh,
    /// Take the user's answer.
    Answer(bool),
}

/// Starts the thread. It ends when the sender is dropped.
pub fn start(bus: Bus) -> std::io::Result<(UnboundedSender<Order>, UnboundedReceiver<News>)> {
    let (orders, mut incoming) = unbounded_channel();
    let (news, told) = unbounded_channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("bus".to_owned()).spawn(move || {
        runtime.block_on(async {
            // A bus that cannot be reached, or that went away, is tried again: now and then, and when asked.
            while let Err(error) = serve(&bus, &mut incoming, &news).await {
                let _ = news.send(words::no_bus(&error));
                if let Ok(None) = tokio::time::timeout(PATIENCE, incoming.recv()).await {
                    break;
                }
            }
        });
    })?;
    Ok((orders, told))
}

/// Talks to the recorder until the window closes, or fails with the connection.
async fn serve(bus: &Bus, orders: &mut UnboundedReceiver<Order>, news: &UnboundedSender<News>) -> zbus::Result<()> {
    let connection = bus.builder().build().await?;
    let metrics = MetricsProxy::new(&connection).await?;
    let recorder = RecorderProxy::new(&connection).await?;
    let properties = PropertiesProxy::new(&connection, METRICS, "/org/stipple/Metrics1").await?;
    let mut owners = metrics.inner().receive_owner_changed().await?;
    let mut changes = properties.receive_properties_changed_with_args(&[(0, METRICS)]).await?;
    loop {
        // The window may have closed; the next order tells.
        let _ = news.send(look(&metrics).await);
        tokio::select! {
            order = orders.recv() => match order {
                None => return Ok(()),
                Some(Order::Refresh) => {}
                Some(Order::Answer(enabled)) => {
                    let _ = news.send(match recorder.set_enabled(enabled).await {
                        Ok(()) => News::Taken(enabled),
                        Err(error) => News::Refused(words::refusal(&error)),
                    });
                }
            },
            owner = owners.next() => {
                owner.ok_or_else(closed)?;
            }
            change = changes.next() => {
                change.ok_or_else(closed)?;
            }
        }
    }
}

fn closed() -> zbus::Error {
    zbus::Error::Failure("the connection was closed".to_owned())
}

/// Everything that can be seen now. Where the bus can start the recorder, this starts it.
async fn look(metrics: &MetricsProxy<'_>) -> News {
    match metrics.status().await {
        Err(error) => words::absence(&error),
        Ok(status) => {
            let records = read(metrics).await.map_err(|error| words::unreadable(&error));
            News::Present(Box::new(Snapshot { status, records }))
        }
    }
}

async fn read(metrics: &MetricsProxy<'_>) -> zbus::Result<Records> {
    let mut reports = metrics.preview().await?;
    reports.extend(metrics.sent().await?);
    Ok(Records { tallies: metrics.tallies().await?, reports, budget: metrics.budget().await? })
}

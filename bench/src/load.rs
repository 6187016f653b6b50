//! The load generator: HTTP/1.1 over kept connections, on one thread, because it shares the machine with the servers.
//!
//! Two kinds of load. In a **closed loop** each connection sends its next request when the last was answered: that finds
//! the throughput. Its latencies leave out what a server makes others wait for: while it stalls, nothing is sent, so one
//! long answer stands for all that would have been late (coordinated omission). An **open loop** therefore sends at a fixed
//! rate and takes each latency from the moment at which the request was due, whether or not a connection was free for it.

mod connection;
mod pacer;
mod requests;
mod response;

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hdrhistogram::Histogram;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

pub(crate) use connection::{Answer, Connection, upload};
pub(crate) use pacer::{Pacer, Schedule};
pub(crate) use requests::{Requests, import_line};

/// How long the answers to the last requests of a load may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest latency that is told apart from longer ones, in nanoseconds.
const LONGEST_LATENCY_NANOS: u64 = 120_000_000_000;
/// Digits to which a latency is kept.
const SIGNIFICANT_DIGITS: u8 = 3;

/// How requests are sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Pace {
    /// The next when the last was answered.
    Closed,
    /// The same until so many were sent in all, unless the time of the load ends before.
    Counted { requests: u64 },
    /// This many a second over all connections, whatever the answers do.
    Open { per_second: f64 },
}

/// What a load is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) connections: u32,
    pub(crate) duration: Duration,
    pub(crate) pace: Pace,
}

/// What came of a load.
#[derive(Debug)]
pub(crate) struct Sample {
    /// Requests that were answered, all with 2xx.
    pub(crate) requests: u64,
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// In nanoseconds.
    latencies: Histogram<u64>,
}

impl Sample {
    /// Answers a second.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that this share of the requests (0 to 1) did not exceed, in microseconds.
    #[expect(clippy::cast_precision_loss, reason = "latencies stay far below 2^52 nanoseconds")]
    pub(crate) fn latency_micros(&self, share: f64) -> f64 {
        self.latencies.value_at_quantile(share) as f64 / 1e3
    }
}

/// What the connections of a load share.
struct Shared {
    latencies: RefCell<Histogram<u64>>,
    requests: Cell<u64>,
}

impl Shared {
    fn record(&self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.latencies.borrow_mut().saturating_record(nanos);
        self.requests.set(self.requests.get() + 1);
    }
}

/// Puts a load on the server at `address`.
///
/// # Errors
/// When a connection breaks, or an answer is not 2xx or cannot be understood. The first such fault ends the load: its
/// numbers would mean nothing.
pub(crate) async fn drive(address: SocketAddr, requests: &Requests, load: Load) -> Result<Sample> {
    ensure!(load.connections > 0, "a load needs a connection");
    let mut connections = Vec::new();
    for _ in 0..load.connections {
        connections.push(Connection::open(address).await?);
    }
    let shared = Rc::new(Shared {
        latencies: RefCell::new(Histogram::new_with_max(LONGEST_LATENCY_NANOS, SIGNIFICANT_DIGITS)?),
        requests: Cell::new(0),
    });
    let begin = Instant::now();
    let local = LocalSet::new();
    let finished = timeout(
        load.duration + PATIENCE,
        local.run_until(async {
            match load.pace {
                Pace::Closed => closed_loop(connections, requests, begin + load.duration, u64::MAX, &shared).await,
                Pace::Counted { requests: count } => {
                    closed_loop(connections, requests, begin + load.duration, count, &shared).await
                }
                Pace::Open { per_second } => open_loop(connections, requests, load, per_second, begin, &shared).await,
            }
        }),
    );
    finished.await.context("the server did not answer in time")??;
    let elapsed = begin.elapsed();
    // Its tasks hold the rest of the shares.
    drop(local);
    let shared = Rc::into_inner(shared).context("a connection of the load is still at work")?;
    Ok(Sample {
        requests: shared.requests.get(),
        elapsed,
        latencies: shared.latencies.into_inner(),
    })
}

async fn closed_loop(
    connections: Vec<Connection>,
    requests: &Requests,
    deadline: Instant,
    count: u64,
    shared: &Rc<Shared>,
) -> Result<()> {
    let left = Rc::new(Cell::new(count));
    let mut tasks = JoinSet::new();
    for (index, mut connection) in (0..).zip(connections) {
        let mut requests = requests.for_connection(index);
        let shared = Rc::clone(shared);
        let left = Rc::clone(&left);
        tasks.spawn_local(async move {
            // ANCHOR: closed-loop
            let mut sent = Instant::now();
            while sent < deadline && left.get() > 0 {
                left.set(left.get() - 1);
                connection.exchange(requests.next()).await?;
                let answered = Instant::now();
                shared.record(answered - sent);
                sent = answered;
            }
            // ANCHOR_END: closed-loop
            Ok(())
        });
    }
    all(tasks).await
}

async fn open_loop(
    connections: Vec<Connection>,
    requests: &Requests,
    load: Load,
    per_second: f64,
    begin: Instant,
    shared: &Rc<Shared>,
) -> Result<()> {
    let (pacer, schedule) = Pacer::start(begin, per_second, load.duration, load.connections)?;
    let mut tasks = JoinSet::new();
    for (index, mut connection) in (0..).zip(connections) {
        let mut requests = requests.for_connection(index);
        let shared = Rc::clone(shared);
        let schedule = Rc::clone(&schedule);
        tasks.spawn_local(async move {
            while let Some(due) = schedule.next().await {
                connection.exchange(requests.next()).await?;
                shared.record(due.elapsed());
            }
            Ok(())
        });
    }
    let outcome = all(tasks).await;
    drop(pacer);
    outcome
}

/// Waits for all, or for the first that fails; the others then end.
async fn all(mut tasks: JoinSet<Result<()>>) -> Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended.context("a connection of the load ended in an unexpected way")??;
    }
    Ok(())
}

#[cfg(test)]
mod tests;

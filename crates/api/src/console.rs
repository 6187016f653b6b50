//! The console: what the service does with each request, step by step, for developers who look at `/console`.
//!
//! Everything it shows is read off the spans and events that the layers emit through `tracing` anyway. [`Console::layer`]
//! listens to them and keeps the last few hundred requests in memory; `endpoints` serves them to the page in `assets`, which
//! is part of the program. Nothing is asked of the database for it. Where there is no console nobody listens, and `tracing`
//! remembers that for each place in the code, so the spans are never made.
//!
//! - `recording`: what is kept of one request, and of a batch that several share
//! - `layer`: how spans and events become that
//! - `pools`: how busy the pools were, tenth of a second by tenth of a second
//! - `view`: the same as JSON
//! - `endpoints`: the page, and what it asks for
//! - `visitor`: who may look
//!
//! It is for development. It keeps statements without their values, paths as templates, request ids, which a client may have
//! chosen, and of events what is known to be harmless: no body, no other header, no address, and no text of an error, since
//! that of a database may repeat a value. All the same it tells every visitor how the service works inside. So production
//! refuses it, and elsewhere it is shown only to pages of its own that were asked for at this machine or by an address.

mod endpoints;
mod layer;
mod pools;
mod recording;
mod view;
mod visitor;

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use service::HealthService;
use tracing::Subscriber;
use tracing_subscriber::{Layer, registry::LookupSpan};

pub(crate) use self::endpoints::{ROOT, ROUTES, configure};
use self::{
    pools::PoolHistory,
    recording::{Head, Recording},
};

/// The most requests that are remembered; the oldest make place for new ones.
const MAX_REQUESTS: usize = 200;

/// How often the pools are looked at while nothing happens.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(100);

/// What the console remembers. Cloning shares it.
#[derive(Clone)]
pub struct Console(Arc<Inner>);

struct Inner {
    /// Times are told in microseconds from here.
    epoch: Instant,
    began_at: SystemTime,
    requests: Mutex<VecDeque<Arc<Recording>>>,
    next_number: AtomicU64,
    /// Rises whenever something has changed.
    version: AtomicU64,
    pools: PoolHistory,
    health: OnceLock<HealthService>,
}

impl Default for Console {
    fn default() -> Self {
        Self::new()
    }
}

impl Console {
    /// A console that has seen nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            epoch: Instant::now(),
            began_at: SystemTime::now(),
            requests: Mutex::default(),
            next_number: AtomicU64::new(1),
            version: AtomicU64::new(1),
            pools: PoolHistory::default(),
            health: OnceLock::new(),
        }))
    }

    /// The layer of the subscriber that this console learns from.
    #[must_use]
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        layer::listener(self)
    }

    /// Keeps looking at the pools, ten times a second; between two looks it is told of every connection that is borrowed.
    /// Never completes. Dropping the future ends it.
    pub async fn watch_pools(&self) {
        let mut ticks = tokio::time::interval(SAMPLE_INTERVAL);
        loop {
            ticks.tick().await;
            self.look_at_pools();
        }
    }

    /// From now on the pools that `health` knows are looked at.
    pub(crate) fn attend(&self, health: &HealthService) {
        // The first application is the one that is watched.
        let _ = self.0.health.set(health.clone());
    }

    /// Notes how busy the pools are at this moment.
    fn look_at_pools(&self) {
        if let Some(health) = self.0.health.get() {
            self.0.pools.note(self.now_micros(), &health.pools());
        }
    }

    /// Remembers a request that begins, and forgets the oldest.
    fn begin(&self, head: Head) -> Arc<Recording> {
        let number = self.0.next_number.fetch_add(1, Ordering::Relaxed);
        let recording = Arc::new(Recording::new(number, head, self.now_micros(), SystemTime::now()));
        let mut requests = self.requests();
        let forgotten = if requests.len() == MAX_REQUESTS {
            requests.pop_front()
        } else {
            None
        };
        requests.push_back(recording.clone());
        drop(requests);
        // Its memory is given back without anybody waiting for the lock.
        drop(forgotten);
        self.changed();
        recording
    }

    fn requests(&self) -> MutexGuard<'_, VecDeque<Arc<Recording>>> {
        lock(&self.0.requests)
    }

    /// The request with this number, if it is still remembered.
    fn find(&self, number: u64) -> Option<Arc<Recording>> {
        self.requests().iter().find(|found| found.number() == number).cloned()
    }

    fn now_micros(&self) -> u64 {
        micros(self.0.epoch.elapsed())
    }

    fn changed(&self) {
        self.0.version.fetch_add(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Console").finish_non_exhaustive()
    }
}

/// What panicked left whole what is behind these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

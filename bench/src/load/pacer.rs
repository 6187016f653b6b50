//! When the requests of an open loop are due.
//!
//! The runtime's timer counts in milliseconds, which is longer than most answers take, so a thread of its own keeps the
//! time.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::sync::Semaphore;

/// The longest the thread sleeps before it looks whether it is still wanted.
const LONGEST_SLEEP: Duration = Duration::from_millis(50);

/// The moments at which requests are due, each given to one connection. They are fixed beforehand: a slow server changes
/// none of them.
pub(crate) struct Schedule {
    begin: Instant,
    interval: Duration,
    count: u32,
    taken: Cell<u32>,
    /// A permit for each moment that has come.
    due: Arc<Semaphore>,
}

impl Schedule {
    /// Waits until the next request is due; that moment, which is past if the connections could not keep up. Nothing when
    /// all have been sent.
    pub(crate) async fn next(&self) -> Option<Instant> {
        // It is never closed.
        self.due.acquire().await.ok()?.forget();
        let index = self.taken.get();
        if index >= self.count {
            return None;
        }
        self.taken.set(index + 1);
        Some(self.begin + self.interval * index)
    }
}

/// The thread that tells the connections when the next request is due; it ends when this is dropped.
pub(crate) struct Pacer {
    is_over: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Pacer {
    /// Starts a schedule of `per_second` requests for `duration` from `begin`.
    ///
    /// # Errors
    /// When the rate is not a positive number, or there are more than 2^32 - 1 requests.
    pub(crate) fn start(
        begin: Instant,
        per_second: f64,
        duration: Duration,
        connections: u32,
    ) -> Result<(Self, Rc<Schedule>)> {
        ensure!(
            per_second.is_finite() && per_second >= 0.1,
            "a rate of {per_second} requests a second"
        );
        let interval = Duration::from_secs_f64(1.0 / per_second);
        let count = duration.as_nanos() / interval.as_nanos().max(1);
        let count = u32::try_from(count).context("too many requests for one load")?;
        let due = Arc::new(Semaphore::new(0));
        let is_over = Arc::new(AtomicBool::new(false));
        let thread = {
            let (due, is_over) = (Arc::clone(&due), Arc::clone(&is_over));
            thread::Builder::new()
                .name("pacer".to_owned())
                .spawn(move || release(begin, interval, count, connections, &due, &is_over))
                .context("cannot start a thread")?
        };
        let pacer = Self {
            is_over,
            thread: Some(thread),
        };
        let schedule = Schedule {
            begin,
            interval,
            count,
            taken: Cell::new(0),
            due,
        };
        Ok((pacer, Rc::new(schedule)))
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It sleeps for a few milliseconds at most, and can only end.
            let _ = thread.join();
        }
    }
}

/// Releases each request when it is due, several at once if the thread came late; then each connection, to find the end.
fn release(begin: Instant, interval: Duration, count: u32, connections: u32, due: &Semaphore, is_over: &AtomicBool) {
    let mut released = 0;
    while released < count && !is_over.load(Ordering::Relaxed) {
        let wait = (begin + interval * released).saturating_duration_since(Instant::now());
        if wait.is_zero() {
            due.add_permits(1);
            released += 1;
        } else {
            #[expect(clippy::disallowed_methods, reason = "this thread has no task to stop")]
            thread::sleep(wait.min(LONGEST_SLEEP));
        }
    }
    due.add_permits(usize::try_from(connections).unwrap_or(usize::MAX >> 4));
}

//! Running a transaction again when that is certain to do no harm.
//!
//! Databases resolve a deadlock, a write based on outdated reads, or two nodes of a cluster that changed the same row, by
//! ending one of the transactions; they end one that waits too long for a row; and a connection that is lost ends its
//! transaction too. Nothing is wrong with such a transaction, and nothing is left of it: it only has to be run again, from its
//! first statement.
//!
//! What is *not* run again: anything whose COMMIT had been sent when the connection was lost, because it may have happened; a
//! single statement that writes, which is its own COMMIT, for the same reason; and a wait for a connection that has taken its
//! time already. [`PersistenceError::retry_reason`] decides.

use std::time::Duration;

use persistence::{PersistenceError, RetryReason};
use rand::RngExt;
use tokio::time::{Instant, sleep};

use crate::Counter;

/// How often a transaction is run again before its error is reported.
pub const MAX_RETRIES: u32 = 3;

/// What the event says that tells of a repetition.
pub const RETRYING: &str = "running a transaction again";

/// The longest pause before the first repetition; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// How often what was run again, by reason. Cloning shares the counts.
#[derive(Clone, Debug, Default)]
pub struct RetryCounters {
    /// It was in conflict with another transaction.
    pub conflicts: Counter,
    /// It waited too long for a row.
    pub lock_timeouts: Counter,
    /// It lost its connection, or got none.
    pub lost_connections: Counter,
}

impl RetryCounters {
    /// Repetitions for any reason.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.conflicts.get() + self.lock_timeouts.get() + self.lost_connections.get()
    }

    fn count(&self, reason: RetryReason) {
        match reason {
            RetryReason::Conflict => self.conflicts.increment(),
            RetryReason::LockTimeout => self.lock_timeouts.increment(),
            RetryReason::Connection => self.lost_connections.increment(),
        }
    }
}

/// Runs transactions again, and counts. Cloning shares the counts.
#[derive(Clone, Debug)]
pub struct Retries {
    counters: RetryCounters,
    patience: Duration,
}

impl Retries {
    /// Repetitions that begin within `patience` after the first run began. Whoever asked may have gone before: a transaction
    /// that has a [`Caller`](crate::Caller) looks for them when it begins.
    #[must_use]
    pub fn new(counters: RetryCounters, patience: Duration) -> Self {
        Self { counters, patience }
    }

    /// Runs `transaction`, and runs it again, at most [`MAX_RETRIES`] times, while that is safe and may help.
    ///
    /// `transaction` begins and commits its own transaction, or is a single statement, so that what fails leaves nothing of
    /// it. It does nothing else that has an effect. The pauses are random, up to 10, 20 and 40 ms, so that two transactions
    /// that collided do not collide again in step.
    ///
    /// Dropping the future abandons the current run, which rolls back.
    ///
    /// # Errors
    /// What the last run ends with.
    // ANCHOR: run
    pub async fn run<T, Transaction>(&self, mut transaction: impl FnMut() -> Transaction) -> Result<T, PersistenceError>
    where
        Transaction: Future<Output = Result<T, PersistenceError>>,
    {
        let begin = Instant::now();
        let mut longest_pause = FIRST_PAUSE;
        for attempt in 1..=MAX_RETRIES {
            let error = match transaction().await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let Some(reason) = error.retry_reason() else {
                return Err(error);
            };
            let pause = rand::rng().random_range(Duration::ZERO..longest_pause);
            if begin.elapsed() + pause >= self.patience {
                return Err(error);
            }
            tracing::debug!(message = RETRYING, attempt, ?reason, %error);
            sleep(pause).await;
            longest_pause *= 2;
            self.counters.count(reason);
        }
        transaction().await
    }
    // ANCHOR_END: run
}

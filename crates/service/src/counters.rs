//! What the use cases count. Whoever watches the service reads it here; nothing in this crate decides by it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use persistence::Histogram;

use crate::RetryCounters;

/// Something that is counted, from zero and only upwards. Cloning shares the count.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// Counts one more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// Counts that many more.
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// How many there were since the start.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Upper bounds of the buckets for sizes of batches.
const BATCH_SIZE_BOUNDS: [f64; 8] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0];

/// Everything that the use cases count. Cloning shares the counts.
#[derive(Clone, Debug)]
pub struct Counters {
    /// Transactions that were run again.
    pub retries: RetryCounters,
    /// Requests with an idempotency key that were given the answer of an earlier one.
    pub idempotent_replays: Counter,
    /// How many requests each statement was for that reads a user.
    pub read_batch_sizes: Histogram,
    /// How many requests each statement was for that counts all users.
    pub count_batch_sizes: Histogram,
    /// How many requests each statement was for that creates users.
    pub write_batch_sizes: Histogram,
    /// Users that imports created.
    pub users_imported: Counter,
    /// Users that exports read.
    pub users_exported: Counter,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            retries: RetryCounters::default(),
            idempotent_replays: Counter::default(),
            read_batch_sizes: Histogram::new(&BATCH_SIZE_BOUNDS),
            count_batch_sizes: Histogram::new(&BATCH_SIZE_BOUNDS),
            write_batch_sizes: Histogram::new(&BATCH_SIZE_BOUNDS),
            users_imported: Counter::default(),
            users_exported: Counter::default(),
        }
    }
}

//! What the use cases count. Whoever watches the service reads it here; nothing in this crate decides by it.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

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

/// Everything that the use cases count. Cloning shares the counts.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Transactions that were run again because they were in conflict with another.
    pub transaction_retries: Counter,
    /// Requests with an idempotency key that were given the answer of an earlier one.
    pub idempotent_replays: Counter,
    /// Users that imports created.
    pub users_imported: Counter,
    /// Users that exports read.
    pub users_exported: Counter,
}

//! Whether the process is to stay, about to go, or going.

use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicUsize, Ordering},
};

/// The stage of the process's life, and how many requests are in progress. Cloning shares it; the stage only ever advances.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    stage: AtomicU8,
    requests_in_progress: AtomicUsize,
}

/// A request in progress, until it is dropped.
#[derive(Debug)]
pub(crate) struct RequestInProgress(Lifecycle);

impl Drop for RequestInProgress {
    fn drop(&mut self) {
        self.0.0.requests_in_progress.fetch_sub(1, Ordering::Relaxed);
    }
}

const DRAINING: u8 = 1;
const CLOSING: u8 = 2;

impl Lifecycle {
    /// From now on the instance is not ready, so that load balancers look elsewhere, and still answers.
    pub fn drain(&self) {
        self.0.stage.fetch_max(DRAINING, Ordering::Relaxed);
    }

    /// From now on new requests are refused. Those in progress end in peace.
    pub fn close(&self) {
        self.0.stage.fetch_max(CLOSING, Ordering::Relaxed);
    }

    /// Counts a request until what is returned is dropped.
    pub(crate) fn begin_request(&self) -> RequestInProgress {
        self.0.requests_in_progress.fetch_add(1, Ordering::Relaxed);
        RequestInProgress(self.clone())
    }

    /// How many requests are being worked on.
    #[must_use]
    pub fn requests_in_progress(&self) -> usize {
        self.0.requests_in_progress.load(Ordering::Relaxed)
    }

    /// Whether shutdown has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.stage.load(Ordering::Relaxed) >= DRAINING
    }

    /// Whether new requests are refused.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.0.stage.load(Ordering::Relaxed) >= CLOSING
    }
}

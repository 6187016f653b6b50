//! Whether the process is to stay, about to go, or going.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

/// The stage of the process's life. Cloning shares it; it only ever advances.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle(Arc<AtomicU8>);

const DRAINING: u8 = 1;
const CLOSING: u8 = 2;

impl Lifecycle {
    /// From now on the instance is not ready, so that load balancers look elsewhere, and still answers.
    pub fn drain(&self) {
        self.0.fetch_max(DRAINING, Ordering::Relaxed);
    }

    /// From now on new requests are refused. Those in progress end in peace.
    pub fn close(&self) {
        self.0.fetch_max(CLOSING, Ordering::Relaxed);
    }

    /// Whether shutdown has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= DRAINING
    }

    /// Whether new requests are refused.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= CLOSING
    }
}

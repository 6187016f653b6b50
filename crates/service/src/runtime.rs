//! Where database work runs.
//!
//! A socket belongs to the runtime that opened it. actix-web gives every worker thread a runtime of its own while all
//! share one pool, so a connection opened by worker A and borrowed by worker B would stall whenever A is busy. All
//! database work runs on one multi-threaded runtime instead, and the workers wait for its results.

use std::panic::resume_unwind;

use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

/// The runtime that database sockets live on. Cloning shares it.
#[derive(Clone, Debug)]
pub struct DatabaseRuntime(Handle);

/// The runtime ended before the work did, because the program is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the service is shutting down")]
pub struct RuntimeStopped;

impl DatabaseRuntime {
    /// Runs database work on the runtime behind `handle`.
    #[must_use]
    pub fn new(handle: Handle) -> Self {
        Self(handle)
    }

    /// Runs `work` to its end and returns what it returns.
    ///
    /// Dropping the returned future aborts `work` at its next `.await`: a transaction that it holds is dropped there, and
    /// so rolled back. A task that merely went on would commit what its caller has given up on.
    ///
    /// # Errors
    /// What `work` ends with, or [`RuntimeStopped`]. A panic of `work` goes on in the caller.
    pub async fn run<T, E>(&self, work: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<RuntimeStopped> + Send + 'static,
    {
        match AbortOnDropHandle::new(self.0.spawn(work)).await {
            Ok(outcome) => outcome,
            Err(stopped) if stopped.is_panic() => resume_unwind(stopped.into_panic()),
            Err(_) => Err(RuntimeStopped.into()),
        }
    }
}

//! Where database work runs, and what becomes of it when nobody waits for it any more.
//!
//! A socket belongs to the runtime that opened it. actix-web gives every worker thread a runtime of its own while all
//! share one pool, so a connection opened by worker A and borrowed by worker B would stall whenever A is busy. All
//! database work runs on one multi-threaded runtime instead, and the workers wait for its results.
//!
//! Work is never cut off in the middle of a statement. The MySQL driver (sqlx 0.9) does not take note that it has sent a
//! statement to be prepared, so a connection that is cut off there goes back to the pool with an answer underway that
//! the next borrower would take for its own. Work that nobody waits for runs to its end, which the time-outs of the
//! database session bound while the server can be heard, and those of `persistence` where it cannot, and does not commit.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use persistence::{PersistenceError, Transaction};
use tokio::runtime::Handle;
use tracing::Instrument;

/// The runtime that database sockets live on. Cloning shares it.
#[derive(Clone, Debug)]
pub struct DatabaseRuntime(Handle);

/// How busy the runtime is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuntimeLoad {
    /// Pieces of work that have begun to exist and have not ended, the service's own included.
    pub alive_tasks: usize,
    /// Those among them that could go on and wait for a thread which has not taken them yet.
    pub queued_tasks: usize,
}

/// Whoever asked for a piece of work, as the work sees them: still there, or gone.
#[derive(Clone, Debug, Default)]
pub struct Caller(Arc<AtomicBool>);

/// The runtime ended before the work did, because the program is ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the service is shutting down")]
pub struct RuntimeStopped;

impl Caller {
    /// Whether nobody waits for the work any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Whether it is still worth beginning something.
    ///
    /// # Errors
    /// [`PersistenceError::Abandoned`] when the caller is gone.
    pub fn check_presence(&self) -> Result<(), PersistenceError> {
        if self.is_gone() {
            Err(PersistenceError::Abandoned)
        } else {
            Ok(())
        }
    }

    /// Commits, unless the caller is gone: what somebody gave up on must not happen afterwards.
    ///
    /// # Errors
    /// As for [`Transaction::commit`], and [`PersistenceError::Abandoned`] when the caller is gone.
    // ANCHOR: commit
    pub async fn commit(&self, transaction: Transaction) -> Result<(), PersistenceError> {
        if self.is_gone() {
            tracing::info!("rolled back, because nobody waits for the answer any more");
            transaction.rollback().await?;
            Err(PersistenceError::Abandoned)
        } else {
            transaction.commit().await
        }
    }
    // ANCHOR_END: commit
}

// ANCHOR: presence
/// Lives in the future that a caller holds, and tells the work when that is dropped.
struct Presence(Caller);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}
// ANCHOR_END: presence

impl DatabaseRuntime {
    /// Runs database work on the runtime behind `handle`.
    #[must_use]
    pub fn new(handle: Handle) -> Self {
        Self(handle)
    }

    /// How busy the runtime is now.
    #[must_use]
    pub fn load(&self) -> RuntimeLoad {
        let metrics = self.0.metrics();
        RuntimeLoad {
            alive_tasks: metrics.num_alive_tasks(),
            queued_tasks: metrics.global_queue_depth(),
        }
    }

    /// Runs `work` to its end and returns what it returns. For work that may have its effect whether or not anybody waits:
    /// a read, or a single statement that writes.
    ///
    /// Dropping the returned future leaves `work` running.
    ///
    /// # Errors
    /// What `work` ends with, or [`RuntimeStopped`]. A panic of `work` goes on in the caller.
    pub async fn run<T, E>(&self, work: impl Future<Output = Result<T, E>> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<RuntimeStopped> + Send + 'static,
    {
        self.run_for_caller(|_| work).await
    }

    /// Runs `work` that several callers wait for and that none of them can give up alone. It is dropped when the runtime
    /// stops.
    pub(crate) fn detach(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.spawn(work));
    }

    /// Runs `work` to its end and returns what it returns. For work with a transaction, which commits through its
    /// [`Caller`].
    ///
    /// Dropping the returned future leaves `work` running, and tells it: the transaction is then rolled back.
    ///
    /// # Errors
    /// What `work` ends with, or [`RuntimeStopped`]. A panic of `work` goes on in the caller.
    pub async fn run_for_caller<T, E, Work>(&self, work: impl FnOnce(Caller) -> Work) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<RuntimeStopped> + Send + 'static,
        Work: Future<Output = Result<T, E>> + Send + 'static,
    {
        // ANCHOR: run-for-caller
        let presence = Presence(Caller::default());
        // What the work logs belongs to the caller's span; the one within, which traces show, may be filtered out.
        let span = tracing::debug_span!("database");
        let work = work(presence.0.clone()).instrument(span).in_current_span();
        match self.0.spawn(work).await {
            Ok(outcome) => outcome,
            Err(stopped) if stopped.is_panic() => resume_unwind(stopped.into_panic()),
            Err(_) => Err(RuntimeStopped.into()),
        }
        // ANCHOR_END: run-for-caller
    }
}

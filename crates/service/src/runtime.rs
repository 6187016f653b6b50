//! Where database work runs, and what becomes of it when nobody waits for it any more.
//!
//! A socket belongs to the runtime that opened it. actix-web gives every worker thread a runtime of its own while all
//! share one pool, so a connection opened by worker A and borrowed by worker B would stall whenever A is busy. All
//! database work runs on one multi-threaded runtime instead, and the workers wait for its results.
//!
//! Work is never cut off in the middle of a statement. The MySQL driver (sqlx 0.9) does not take note that it has sent a
//! statement to be prepared, so a connection that is cut off there goes back to the pool with an answer underway that
//! the next borrower would take for its own. Work that nobody waits for runs to its end, which the time-outs of the
//! database session bound while the server can be heard, and does not commit. (A network that falls silent without closing
//! its connections ends no statement: then the connection stays in use until the operating system gives it up.)

use std::{
    panic::resume_unwind,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use persistence::{PersistenceError, Transaction};
use tokio::{runtime::Handle, sync::watch};
use tracing::Instrument;

/// The runtime that database sockets live on. Cloning shares it.
#[derive(Clone, Debug)]
pub struct DatabaseRuntime {
    handle: Handle,
    /// Its sender lives in a task, and so as long as the runtime.
    stopped: watch::Receiver<()>,
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

    /// Commits, unless the caller is gone: what somebody gave up on must not happen afterwards.
    ///
    /// # Errors
    /// As for [`Transaction::commit`], and [`PersistenceError::Abandoned`] when the caller is gone.
    pub async fn commit(&self, transaction: Transaction) -> Result<(), PersistenceError> {
        if self.is_gone() {
            tracing::info!("rolled back, because nobody waits for the answer any more");
            transaction.rollback().await?;
            Err(PersistenceError::Abandoned)
        } else {
            transaction.commit().await
        }
    }
}

/// Lives in the future that a caller holds, and tells the work when that is dropped.
struct Presence(Caller);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Work that is done in the task of the caller until it is dropped, and on its runtime from then on.
pub(crate) struct Here {
    runtime: DatabaseRuntime,
    /// Absent when it is done, and while it runs: work that panics is not gone on with.
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Future for Here {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(mut work) = self.work.take() else {
            return Poll::Ready(());
        };
        // Sockets and timers of a runtime that has ended fail in ways of their own. They wake their tasks when it ends.
        if self.runtime.is_stopped() {
            return Poll::Ready(());
        }
        let entered = self.runtime.handle.enter();
        let state = work.as_mut().poll(context);
        drop(entered);
        if state.is_pending() {
            self.work = Some(work);
        }
        state
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            drop(self.runtime.handle.spawn(work));
        }
    }
}

impl DatabaseRuntime {
    /// Runs database work on the runtime behind `handle`.
    #[must_use]
    pub fn new(handle: Handle) -> Self {
        let (alive, stopped) = watch::channel(());
        drop(handle.spawn(async move {
            let _alive = alive;
            std::future::pending::<()>().await;
        }));
        Self { handle, stopped }
    }

    /// Whether the runtime has ended, or is about to.
    fn is_stopped(&self) -> bool {
        self.stopped.has_changed().is_err()
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

    /// Runs `work` in the task of the caller, with the sockets and timers of this runtime; where the caller gives up, the
    /// runtime finishes it. That saves waking a thread of the runtime, which is a good part of what a short statement takes.
    /// For work that holds nothing that others wait for while the caller's thread is busy with something else. When the runtime
    /// stops, `work` is dropped.
    pub(crate) fn run_here(&self, work: impl Future<Output = ()> + Send + 'static) -> Here {
        Here {
            runtime: self.clone(),
            work: Some(Box::pin(work)),
        }
    }

    /// Runs `work` that several callers wait for and that none of them can give up alone. It is dropped when the runtime
    /// stops.
    pub(crate) fn detach(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.handle.spawn(work));
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
        let presence = Presence(Caller::default());
        // What the work logs belongs to the caller's span; the one within, which traces show, may be filtered out.
        let span = tracing::debug_span!("database");
        let work = work(presence.0.clone()).instrument(span).in_current_span();
        match self.handle.spawn(work).await {
            Ok(outcome) => outcome,
            Err(stopped) if stopped.is_panic() => resume_unwind(stopped.into_panic()),
            Err(_) => Err(RuntimeStopped.into()),
        }
    }
}

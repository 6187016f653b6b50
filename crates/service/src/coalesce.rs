//! Merging what is waiting anyway: requests for single rows that come at the same time share a statement.
//!
//! A request to a database spends its time on the way. While one statement is on its way, others gather; when it is back, all
//! that have gathered go together. There is no timer: who comes when nothing is on its way goes at once, alone, so an idle
//! service is as fast as without, and the busier it is, the larger the groups, and the less each request costs.
//!
//! # Why an answer is as good as that of a statement of one's own
//!
//! **A read is as fresh.** A statement is built from those who have come by then, and sent after that; nobody joins one that
//! has been sent. So the statement begins after each of its requests came, and sees whatever was committed before. That is
//! what a statement of one's own would promise: not the state at the moment of the request, but one between request and
//! answer (the two are linearizable alike). A client that was told of its write, and then reads, sees it.
//!
//! **A write is as durable.** The rows of a group are inserted by one statement (or one transaction, where their ids must be
//! read back), and nobody is answered before it has been committed. The database makes such a statement whole or not at all,
//! so there is no state in which a row is there whose request was told otherwise, nor the other way round.
//!
//! **A failure stays where it belongs.** A row that cannot be written fails the statement for all in its group, without a
//! trace; then those to blame are found and told, and the others are written. A row that breaks a rule when it is read fails
//! the one request that asked for it. What has nothing to do with any row, such as a lost connection, is told to all: that
//! is what a statement of their own would have met.
//!
//! **Who is slow holds up few.** A statement that does not come back, because a row is locked or the server has fallen silent,
//! holds up those that went with it. For all others it counts as back after a while.
//!
//! **Who gives up disturbs nobody.** A request that is dropped before its statement is built is left out of it; afterwards
//! its answer goes nowhere. A write can therefore still happen when nobody waits for it any more, if its statement had been
//! built: so it is with any statement that has been sent.

mod gathering;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{ReadCoalescer, ReadTogether};
pub use write::{WriteCoalescer, WriteTogether};

use std::{panic::resume_unwind, time::Duration};

use persistence::Histogram;
use tokio::{sync::oneshot, time::timeout};
use tracing::Span;

use crate::{DatabaseRuntime, RuntimeStopped};

/// How a batch works that gathers requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoalescingOptions {
    /// How many batches may be on their way at once; 1 or more. With more of them a request waits less for the batch before
    /// its own, and the batches are smaller.
    pub max_batches: usize,
    /// The most requests in one batch; 1 or more.
    pub max_members: usize,
    /// How long a batch counts as one of `max_batches`. One that takes longer, because a row is locked or the server is
    /// silent, goes on, and those who wait go without it.
    pub patience: Duration,
}

/// What becomes of a member of a batch.
type Answer<T, E> = Result<Result<T, E>, Panicked>;

/// The work on a batch panicked; the panic itself has been reported.
#[derive(Clone, Copy, Debug)]
struct Panicked;

/// Tells whoever records `batch` which requests it is for. It is a child of the first, so that one needs no telling.
fn follow<'a>(batch: &Span, members: impl Iterator<Item = &'a Span>) {
    if !batch.is_disabled() {
        for member in members.skip(1) {
            batch.follows_from(member);
        }
    }
}

fn note_size(sizes: &Histogram, members: usize) {
    sizes.observe(u32::try_from(members).unwrap_or(u32::MAX).into());
}

/// Waits until `work` is done, or patience is over; `runtime` then finishes it. Whatever becomes of a batch, others must not
/// have to wait for it.
// ANCHOR: patience
async fn wait_patiently(
    runtime: &DatabaseRuntime,
    patience: Duration,
    work: impl Future<Output = ()> + Send + 'static,
) {
    let mut work = Box::pin(work);
    if timeout(patience, &mut work).await.is_err() {
        tracing::debug!(?patience, "a batch takes long; the next goes without it");
        runtime.detach(work);
    }
}
// ANCHOR_END: patience

/// Waits for the answer to a member of a batch.
async fn answer<T, E: From<RuntimeStopped>>(answer: oneshot::Receiver<Answer<T, E>>) -> Result<T, E> {
    match answer.await {
        Ok(Ok(outcome)) => outcome,
        // As if the statement had been the caller's own.
        Ok(Err(Panicked)) => resume_unwind(Box::new("the work on a shared batch panicked")),
        // Nobody is left who could answer.
        Err(_) => Err(RuntimeStopped.into()),
    }
}

//! Writing items that have nothing to do with each other, many with one statement.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    hash::Hash,
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use persistence::Histogram;
use tokio::sync::oneshot;
use tracing::{Instrument, Span};

use super::{
    Answer, CoalescingOptions, Panicked, answer, follow,
    gathering::{Gathering, Runner},
    note_size, wait_patiently,
};
use crate::{DatabaseRuntime, RuntimeStopped};

/// Something that can be written in one go.
pub trait WriteTogether: Send + Sync + 'static {
    /// What is to be written.
    type Item: Clone + Send + Sync + 'static;
    /// What no two items of one batch may have in common.
    type Key: Eq + Hash;
    /// What has been written.
    type Written: Send + 'static;
    /// Why it has not.
    type Error: Clone + From<RuntimeStopped> + Send + Sync + 'static;

    /// What two items must not have in common, because only one of them can be written. The later one goes with a later
    /// batch, and learns from the database what it then is.
    fn key(item: &Self::Item) -> &Self::Key;

    /// Writes all items and returns what has been written in their order; or none.
    fn write(&self, items: &[Self::Item]) -> impl Future<Output = Result<Vec<Self::Written>, Self::Error>> + Send;

    /// Whether `error` says of a batch that nothing of it was written, and may be about one of its items alone. Where it is
    /// not known whether anything was written, it must not be written again.
    fn may_be_about_one_item(error: &Self::Error) -> bool;

    /// Which of `items`, by position, cannot be written, and why, after a batch of them failed. It need not find them all.
    fn refused(
        &self,
        items: &[Self::Item],
    ) -> impl Future<Output = Result<Vec<(usize, Self::Error)>, Self::Error>> + Send;
}

/// Writes items, and merges those that come while others are on their way. Cloning shares the batches.
///
/// What an answer is worth stands in the documentation of the module [`coalesce`](super).
pub struct WriteCoalescer<W: WriteTogether> {
    target: Arc<W>,
    gathering: Arc<Gathering<Member<W>>>,
    runtime: DatabaseRuntime,
    max_members: usize,
    patience: Duration,
    batch_sizes: Histogram,
}

struct Member<W: WriteTogether> {
    item: W::Item,
    answer: oneshot::Sender<Answer<W::Written, W::Error>>,
    /// What the log says for a batch, it says for the request that is first in it.
    span: Span,
}

// ANCHOR: sizes
/// How many rows a statement inserts. Every number is a statement of its own, which each connection prepares once and keeps
/// (100 at most, with the driver's defaults). Who finds no place waits for the next batch.
const SIZES: [usize; 13] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96];
// ANCHOR_END: sizes

impl<W: WriteTogether> WriteCoalescer<W> {
    /// Writes to `target` on `runtime`, and notes in `batch_sizes` how many requests each statement was for.
    #[must_use]
    pub fn new(target: W, runtime: DatabaseRuntime, options: CoalescingOptions, batch_sizes: Histogram) -> Self {
        Self {
            target: Arc::new(target),
            gathering: Gathering::new(options.max_batches),
            runtime,
            max_members: options.max_members.max(1),
            patience: options.patience,
            batch_sizes,
        }
    }

    /// Writes `item` and returns what has been written.
    ///
    /// A future that is dropped before the statement is built has no effect. Afterwards the item may be written.
    ///
    /// # Errors
    /// What the target fails with, or what [`RuntimeStopped`] turns into. A panic of the target goes on in the caller.
    pub async fn write(&self, item: W::Item) -> Result<W::Written, W::Error> {
        let (sender, receiver) = oneshot::channel();
        if let Some(runner) = self.gathering.join(Member {
            item,
            answer: sender,
            span: Span::current(),
        }) {
            self.runtime.detach(self.clone().run(runner));
        }
        answer(receiver).await
    }

    async fn run(self, mut runner: Runner<Member<W>>) {
        while let Some(batch) = runner.next_batch(|waiting| choose(waiting, self.max_members)) {
            note_size(&self.batch_sizes, batch.len());
            let first = batch.first().map_or_else(Span::none, |member| member.span.clone());
            let span = first.in_scope(|| tracing::debug_span!("write_batch", members = batch.len()));
            follow(&span, batch.iter().map(|member| &member.span));
            // The inner span, which tells of the sharing, may be filtered out.
            let work = self.clone().write_batch(batch).instrument(span).instrument(first);
            wait_patiently(&self.runtime, self.patience, work).await;
        }
    }

    async fn write_batch(self, batch: Vec<Member<W>>) {
        let (items, mut answers): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|member| (member.item, Some(member.answer)))
            .unzip();
        let writing = AssertUnwindSafe(self.write_each(&items, &mut answers));
        if writing.catch_unwind().await.is_err() {
            for answer in answers.into_iter().flatten() {
                let _ = answer.send(Err(Panicked));
            }
        }
    }

    /// Writes items together, and where that fails because of some of them, those without the others.
    // ANCHOR: each
    async fn write_each(&self, items: &[W::Item], answers: &mut Answers<W>) {
        let everybody: Vec<_> = (0..items.len()).collect();
        let Some(error) = self.write_together(items, &everybody, answers).await else {
            return;
        };
        if items.len() == 1 || !W::may_be_about_one_item(&error) {
            return tell(answers, &error);
        }
        match self.target.refused(items).await {
            Ok(refused) => {
                for (position, error) in refused {
                    tell_one(answers, position, Err(error));
                }
            }
            Err(error) => return tell(answers, &error),
        }
        let remaining = still_waiting(answers);
        if remaining.len() < items.len() {
            match self.write_together(items, &remaining, answers).await {
                None => return,
                Some(error) if !W::may_be_about_one_item(&error) => return tell(answers, &error),
                Some(_) => {}
            }
        }
        while let Some(&position) = still_waiting(answers).first() {
            if let Some(error) = self.write_together(items, &[position], answers).await {
                tell_one(answers, position, Err(error));
            }
        }
    }
    // ANCHOR_END: each

    /// Writes the items at these positions, and tells who waits for them when that succeeds; else returns why not.
    async fn write_together(
        &self,
        items: &[W::Item],
        positions: &[usize],
        answers: &mut Answers<W>,
    ) -> Option<W::Error> {
        let chosen: Vec<_> = positions
            .iter()
            .filter_map(|&position| items.get(position).cloned())
            .collect();
        if chosen.is_empty() {
            return None;
        }
        match self.target.write(&chosen).await {
            Ok(written) => {
                for (&position, written) in positions.iter().zip(written) {
                    tell_one(answers, position, Ok(written));
                }
                None
            }
            Err(error) => Some(error),
        }
    }
}

/// Who waits for the item at each position; nobody any more where the answer has been given.
type Answers<W> = Vec<Option<oneshot::Sender<Answer<<W as WriteTogether>::Written, <W as WriteTogether>::Error>>>>;

/// Positions whose answer is outstanding and waited for. Who has given up meanwhile is not written.
fn still_waiting<T>(answers: &[Option<oneshot::Sender<T>>]) -> Vec<usize> {
    let waits = |answer: &Option<oneshot::Sender<T>>| answer.as_ref().is_some_and(|answer| !answer.is_closed());
    (0..)
        .zip(answers)
        .filter(|(_, answer)| waits(answer))
        .map(|(position, _)| position)
        .collect()
}

fn tell_one<T, E>(answers: &mut [Option<oneshot::Sender<Answer<T, E>>>], position: usize, outcome: Result<T, E>) {
    if let Some(answer) = answers.get_mut(position).and_then(Option::take) {
        // Whoever does not wait any more does not miss it.
        let _ = answer.send(Ok(outcome));
    }
}

/// Tells `error` to all that have no answer yet.
fn tell<T, E: Clone>(answers: &mut [Option<oneshot::Sender<Answer<T, E>>>], error: &E) {
    for position in 0..answers.len() {
        tell_one(answers, position, Err(error.clone()));
    }
}

/// Takes a batch out of the queue: the first come first, of those with the same key only one, as many as one of the
/// [`SIZES`]. Those that nobody waits for any more are dropped.
fn choose<W: WriteTogether>(waiting: &mut VecDeque<Member<W>>, max_members: usize) -> Vec<Member<W>> {
    waiting.retain(|member| !member.answer.is_closed());
    let mut positions = Vec::new();
    let mut keys = HashSet::new();
    for (position, member) in waiting.iter().enumerate() {
        if positions.len() == max_members {
            break;
        }
        if keys.insert(W::key(&member.item)) {
            positions.push(position);
        }
    }
    let sizes = SIZES.iter().rev().copied();
    let size = sizes.filter(|size| *size <= positions.len()).max().unwrap_or_default();
    positions.truncate(size);
    drop(keys);
    // From behind, so that the positions before stay what they are.
    let mut batch: Vec<_> = positions
        .into_iter()
        .rev()
        .filter_map(|position| waiting.remove(position))
        .collect();
    batch.reverse();
    batch
}

impl<W: WriteTogether> Clone for WriteCoalescer<W> {
    fn clone(&self) -> Self {
        Self {
            target: self.target.clone(),
            gathering: self.gathering.clone(),
            runtime: self.runtime.clone(),
            max_members: self.max_members,
            patience: self.patience,
            batch_sizes: self.batch_sizes.clone(),
        }
    }
}

impl<W: WriteTogether> fmt::Debug for WriteCoalescer<W> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("WriteCoalescer").finish_non_exhaustive()
    }
}

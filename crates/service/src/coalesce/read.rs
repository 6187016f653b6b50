//! Reading by key, many keys with one statement.

use std::{
    collections::{HashMap, HashSet, VecDeque},
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

/// Something that can be read for many keys at once.
pub trait ReadTogether: Send + Sync + 'static {
    /// What is asked for.
    type Key: Clone + Eq + Hash + Send + 'static;
    /// What is found; whoever asks for the same key gets a copy.
    type Found: Clone + Send + 'static;
    /// Why nothing could be read; every member of a batch gets a copy.
    type Error: Clone + From<RuntimeStopped> + Send + 'static;

    /// What is there for `keys`, each of which is different. A key without anything is left out.
    fn read(
        &self,
        keys: Vec<Self::Key>,
    ) -> impl Future<Output = Result<HashMap<Self::Key, Self::Found>, Self::Error>> + Send;
}

/// Reads by key, and merges reads that come while another is on its way. Cloning shares the batches.
///
/// What an answer is worth stands in the documentation of the module [`coalesce`](super).
pub struct ReadCoalescer<R: ReadTogether> {
    source: Arc<R>,
    gathering: Arc<Gathering<Member<R>>>,
    runtime: DatabaseRuntime,
    max_members: usize,
    patience: Duration,
    batch_sizes: Histogram,
}

struct Member<R: ReadTogether> {
    key: R::Key,
    answer: oneshot::Sender<Answer<Option<R::Found>, R::Error>>,
    /// What the log says for a batch, it says for the request that is first in it.
    span: Span,
}

impl<R: ReadTogether> ReadCoalescer<R> {
    /// Reads from `source` on `runtime`, and notes in `batch_sizes` how many requests each statement was for.
    #[must_use]
    pub fn new(source: R, runtime: DatabaseRuntime, options: CoalescingOptions, batch_sizes: Histogram) -> Self {
        Self {
            source: Arc::new(source),
            gathering: Gathering::new(options.max_batches),
            runtime,
            max_members: options.max_members.max(1),
            patience: options.patience,
            batch_sizes,
        }
    }

    /// What is there for `key` at a moment between call and answer.
    ///
    /// A future that is dropped leaves its batch without harm to the others, and the batch without it if the statement has
    /// not been built yet.
    ///
    /// # Errors
    /// What the source fails with, or what [`RuntimeStopped`] turns into. A panic of the source goes on in the caller.
    // ANCHOR: get
    pub async fn get(&self, key: R::Key) -> Result<Option<R::Found>, R::Error> {
        let (sender, receiver) = oneshot::channel();
        if let Some(runner) = self.gathering.join(Member {
            key,
            answer: sender,
            span: Span::current(),
        }) {
            self.runtime.detach(self.clone().run(runner));
        }
        answer(receiver).await
    }
    // ANCHOR_END: get

    // ANCHOR: run
    async fn run(self, mut runner: Runner<Member<R>>) {
        while let Some(batch) = runner.next_batch(|waiting| self.choose(waiting)) {
            note_size(&self.batch_sizes, batch.len());
            let first = batch.first().map_or_else(Span::none, |member| member.span.clone());
            let span = first.in_scope(|| tracing::debug_span!("read_batch", members = batch.len()));
            follow(&span, batch.iter().map(|member| &member.span));
            // The inner span, which tells of the sharing, may be filtered out.
            let work = self.clone().read(batch).instrument(span).instrument(first);
            wait_patiently(&self.runtime, self.patience, work).await;
        }
    }
    // ANCHOR_END: run

    /// The first in the queue, without those that nobody waits for any more.
    // ANCHOR: choose
    fn choose(&self, waiting: &mut VecDeque<Member<R>>) -> Vec<Member<R>> {
        let mut batch = Vec::new();
        while batch.len() < self.max_members
            && let Some(member) = waiting.pop_front()
        {
            if !member.answer.is_closed() {
                batch.push(member);
            }
        }
        batch
    }
    // ANCHOR_END: choose

    async fn read(self, batch: Vec<Member<R>>) {
        let keys: HashSet<_> = batch.iter().map(|member| member.key.clone()).collect();
        let reading = AssertUnwindSafe(self.source.read(keys.into_iter().collect()));
        let found = reading.catch_unwind().await.map_err(|_| Panicked);
        for Member { key, answer, .. } in batch {
            let outcome = match &found {
                Ok(Ok(found)) => Ok(Ok(found.get(&key).cloned())),
                Ok(Err(error)) => Ok(Err(error.clone())),
                Err(panicked) => Err(*panicked),
            };
            // Whoever does not wait any more does not miss it.
            let _ = answer.send(outcome);
        }
    }
}

impl<R: ReadTogether> Clone for ReadCoalescer<R> {
    fn clone(&self) -> Self {
        Self {
            source: self.source.clone(),
            gathering: self.gathering.clone(),
            runtime: self.runtime.clone(),
            max_members: self.max_members,
            patience: self.patience,
            batch_sizes: self.batch_sizes.clone(),
        }
    }
}

impl<R: ReadTogether> fmt::Debug for ReadCoalescer<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ReadCoalescer").finish_non_exhaustive()
    }
}

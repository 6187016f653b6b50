//! Doing something once, however often it is asked for.
//!
//! A caller that hears nothing cannot know whether its request took effect. With a key of its own choice it may simply ask
//! again: what the first request brought about is not done again, and its answer is given again
//! (draft-ietf-httpapi-idempotency-key-header).
//!
//! The key is claimed, the work done and the answer kept in one transaction. So a process that dies at any point leaves all
//! of it or nothing, and since the claim is a row with a primary key, this holds for any number of instances. What failed
//! leaves no key. A second request with the key has to wait until the first has ended: one that came to another instance
//! waits in the database for the row, one that came to this instance waits in [`KeyQueue`], where it costs no connection.
//! (Between processes on one SQLite file the second waits for the one writer instead, and may get 503 where it would get 409.)

mod key_queue;

use std::time::{Duration, Instant};

use domain::Timestamp;
use persistence::{Database, HexHash, IdempotencyRepository, PersistenceError, Transaction};
use tokio::{sync::watch, time::timeout};

use self::key_queue::KeyQueue;
use crate::{Caller, Counters, DatabaseRuntime, MAX_RETRIES, Retries, UserError};

/// How long a request waits for the first one with its key.
const PATIENCE: Duration = Duration::from_secs(2);

/// How many expired keys are deleted by one statement: few enough to hold no lock for long.
const SWEEP_CHUNK: u64 = 1000;

/// A key, and the request that uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdempotentRequest {
    /// A hash of the key and of whose key it is, since callers do not share keys.
    pub key: [u8; 32],
    /// A hash of everything that makes the request what it is.
    pub fingerprint: [u8; 32],
}

/// The answer to a request with a key, in the form in which it was handed in to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptOnce {
    /// What is to be answered.
    pub answer: Vec<u8>,
    /// Whether it was answered before, and nothing was done this time.
    pub is_replay: bool,
}

/// What is to be done once.
pub(crate) trait OnceWork: Send + Sync + 'static {
    /// Does it, and returns the answer to be kept. It has no effect but through `transaction`, and may have to be done again
    /// in another one.
    fn run(&self, transaction: &Transaction) -> impl Future<Output = Result<Vec<u8>, PersistenceError>> + Send;
}

/// The keys of one database. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Idempotency {
    database: Database,
    runtime: DatabaseRuntime,
    counters: Counters,
    retries: Retries,
    time_to_live: Duration,
    queue: KeyQueue,
}

/// A request whose turn it is among those with its key.
pub(crate) struct Turn {
    database: Database,
    counters: Counters,
    retries: Retries,
    time_to_live: Duration,
    key: HexHash,
    fingerprint: HexHash,
    caller: Caller,
    waits_for_first: watch::Sender<bool>,
    /// Ends the turn when it is dropped.
    _place: key_queue::Place,
}

impl Idempotency {
    pub(crate) fn new(
        database: Database,
        runtime: DatabaseRuntime,
        counters: Counters,
        retries: Retries,
        time_to_live: Duration,
    ) -> Self {
        Self {
            database,
            runtime,
            counters,
            retries,
            time_to_live,
            queue: KeyQueue::default(),
        }
    }

    /// Runs `work` when the turn of `request` has come.
    ///
    /// Dropping the future has the effect that [`Caller::commit`] describes.
    ///
    /// # Errors
    /// What `work` ends with, or [`UserError::IdempotencyInProgress`] after two seconds of waiting for the first request.
    pub(crate) async fn in_turn<Work>(
        &self,
        request: IdempotentRequest,
        work: impl FnOnce(Turn) -> Work,
    ) -> Result<KeptOnce, UserError>
    where
        Work: Future<Output = Result<KeptOnce, UserError>> + Send + 'static,
    {
        let came = Instant::now();
        let place = timeout(PATIENCE, self.queue.wait(request.key)).await;
        let place = place.map_err(|_| UserError::IdempotencyInProgress)?;
        let patience = PATIENCE.saturating_sub(came.elapsed());
        let (waits_for_first, watched) = watch::channel(false);
        // The turn belongs to the work, not to this future: work that nobody waits for any more still has to come to its end
        // before the next request with the key may look.
        let outcome = self.runtime.run_for_caller(|caller| {
            work(Turn {
                database: self.database.clone(),
                counters: self.counters.clone(),
                retries: self.retries.clone(),
                time_to_live: self.time_to_live,
                key: HexHash::new(request.key),
                fingerprint: HexHash::new(request.fingerprint),
                caller,
                waits_for_first,
                _place: place,
            })
        });
        tokio::select! {
            biased;
            outcome = outcome => outcome,
            () = out_of_patience(watched, patience) => Err(UserError::IdempotencyInProgress),
        }
    }

    /// Forgets keys that have expired, and returns how many those were. Dropping the future stops it between two statements.
    ///
    /// # Errors
    /// When the database cannot serve it.
    pub(crate) async fn sweep(&self) -> Result<u64, UserError> {
        let mut swept = 0;
        loop {
            let (database, retries) = (self.database.clone(), self.retries.clone());
            let chunk = async move {
                let keys = IdempotencyRepository::new(database.writer());
                Ok::<_, UserError>(retries.run(|| keys.sweep(Timestamp::now(), SWEEP_CHUNK)).await?)
            };
            let deleted = self.runtime.run(chunk).await?;
            swept += deleted;
            if deleted < SWEEP_CHUNK {
                return Ok(swept);
            }
        }
    }
}

impl Turn {
    /// Does `work` in a transaction and keeps the answer that it gives; or gives the answer of the request that did it.
    ///
    /// `work` runs again, from a clean slate, after a conflict with another transaction.
    ///
    /// # Errors
    /// What `work` ends with, and nothing is kept then; [`UserError::IdempotencyKeyReused`].
    // ANCHOR: once
    pub(crate) async fn once(&self, work: &impl OnceWork) -> Result<KeptOnce, UserError> {
        let keys = IdempotencyRepository::new(self.database.writer());
        for _ in 0..=MAX_RETRIES {
            if let Some(answer) = self.retries.run(|| self.claim_and_do(work)).await? {
                return Ok(KeptOnce {
                    answer,
                    is_replay: false,
                });
            }
            let now = Timestamp::now();
            match self.retries.run(|| keys.find(&self.key)).await? {
                Some(kept) if kept.expires_at <= now => {
                    self.retries.run(|| keys.forget_expired(&self.key, now)).await?;
                }
                Some(kept) if kept.request == self.fingerprint => {
                    self.counters.idempotent_replays.increment();
                    return Ok(KeptOnce {
                        answer: kept.answer,
                        is_replay: true,
                    });
                }
                Some(_) => return Err(UserError::IdempotencyKeyReused),
                // It expired just now, and was swept.
                None => {}
            }
        }
        // Other instances claim and forget the key faster than we can look.
        Err(UserError::IdempotencyInProgress)
    }
    // ANCHOR_END: once

    /// Nothing when the key is claimed already.
    // ANCHOR: claim-and-do
    async fn claim_and_do(&self, work: &impl OnceWork) -> Result<Option<Vec<u8>>, PersistenceError> {
        self.caller.check_presence()?;
        let transaction = self.database.begin().await?;
        let keys = IdempotencyRepository::new(&transaction);
        let expires_at = Timestamp::now().saturating_add(self.time_to_live);
        self.waits_for_first.send_replace(true);
        let claimed = keys.claim(&self.key, &self.fingerprint, expires_at).await;
        self.waits_for_first.send_replace(false);
        if !claimed? {
            transaction.rollback().await?;
            return Ok(None);
        }
        let answer = work.run(&transaction).await?;
        keys.keep_answer(&self.key, answer.clone()).await?;
        // For a caller who is gone this rolls back, and nobody is there to get the answer either.
        self.caller.commit(transaction).await?;
        Ok(Some(answer))
    }
    // ANCHOR_END: claim-and-do
}

/// Completes when the first request has been waited for longer than `patience` in all, and never where that does not come
/// to pass. The clock runs only while a claim waits for its row, which on another instance the first request holds; waiting
/// for a connection is something else, and has a limit of its own.
async fn out_of_patience(mut waits_for_first: watch::Receiver<bool>, mut patience: Duration) {
    while waits_for_first.wait_for(|waits| *waits).await.is_ok() {
        let began = Instant::now();
        if timeout(patience, waits_for_first.wait_for(|waits| !*waits))
            .await
            .is_err()
        {
            return;
        }
        patience = patience.saturating_sub(began.elapsed());
    }
    std::future::pending::<()>().await;
}

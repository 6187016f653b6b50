//! Reading together.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use persistence::Histogram;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::task::JoinHandle;

use super::{Failure, Gate, ONE_BATCH, another_runtime, ended, runtime, until};
use crate::{
    DatabaseRuntime,
    coalesce::{CoalescingOptions, ReadCoalescer, ReadTogether},
};

/// What the value of each key is, and which statements there were.
#[derive(Clone)]
struct Store(Arc<Inner>);

struct Inner {
    gate: Gate,
    value: AtomicU64,
    /// How often a statement lets others run before it ends.
    yields: AtomicU64,
    statements: Mutex<Vec<Vec<u64>>>,
}

/// No value is kept under these.
const NOBODY: u64 = 0;
const FAILS: u64 = 1000;
const PANICS: u64 = 1001;

impl Store {
    fn new(gate: Gate) -> Self {
        Self(Arc::new(Inner {
            gate,
            value: AtomicU64::new(7),
            yields: AtomicU64::new(0),
            statements: Mutex::default(),
        }))
    }

    fn statements(&self) -> Vec<Vec<u64>> {
        self.0.statements.lock().unwrap().clone()
    }

    fn set(&self, value: u64) {
        self.0.value.store(value, Ordering::SeqCst);
    }
}

impl ReadTogether for Store {
    type Key = u64;
    type Found = u64;
    type Error = Failure;

    /// A statement sees what is there when it begins.
    async fn read(&self, mut keys: Vec<u64>) -> Result<HashMap<u64, u64>, Failure> {
        let value = self.0.value.load(Ordering::SeqCst);
        keys.sort_unstable();
        self.0.statements.lock().unwrap().push(keys.clone());
        self.0.gate.pass().await;
        for _ in 0..self.0.yields.load(Ordering::Relaxed) {
            tokio::task::yield_now().await;
        }
        assert!(!keys.contains(&PANICS), "the store panics");
        if keys.contains(&FAILS) {
            return Err(Failure::Lost);
        }
        Ok(keys
            .into_iter()
            .filter(|key| *key != NOBODY)
            .map(|key| (key, value))
            .collect())
    }
}

fn coalescer(store: &Store, runtime: DatabaseRuntime, options: CoalescingOptions) -> ReadCoalescer<Store> {
    ReadCoalescer::new(store.clone(), runtime, options, Histogram::new(&[1.0]))
}

type Answer = JoinHandle<Result<Option<u64>, Failure>>;

fn get(reads: &ReadCoalescer<Store>, key: u64) -> Answer {
    let reads = reads.clone();
    tokio::spawn(async move { reads.get(key).await })
}

/// Asks for `keys` and waits until all of them have joined.
async fn gather(reads: &ReadCoalescer<Store>, keys: impl IntoIterator<Item = u64>) -> Vec<Answer> {
    let answers: Vec<_> = keys.into_iter().map(|key| get(reads, key)).collect();
    // The tasks of a runtime with one thread run before this one does again.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    answers
}

#[tokio::test]
async fn who_comes_while_a_statement_is_on_its_way_goes_with_the_next() {
    let store = Store::new(Gate::closed());
    let reads = coalescer(&store, runtime(), ONE_BATCH);
    let mut answers = gather(&reads, [1]).await;
    answers.extend(gather(&reads, [2, 3, NOBODY, 3]).await);
    // None of those that wait may be told of what was there before they came.
    store.set(8);
    store.0.gate.open();
    let mut found = Vec::new();
    for answer in answers {
        found.push(ended(answer).await.unwrap());
    }
    assert_eq!(found, [Some(7), Some(8), Some(8), None, Some(8)]);
    assert_eq!(store.statements(), [vec![1], vec![NOBODY, 2, 3]]);
}

#[tokio::test]
async fn an_idle_coalescer_asks_at_once_and_alone() {
    let store = Store::new(Gate::closed());
    store.0.gate.open();
    let reads = coalescer(&store, runtime(), ONE_BATCH);
    for key in 1..4 {
        assert_eq!(reads.get(key).await, Ok(Some(7)));
    }
    assert_eq!(store.statements(), [[1], [2], [3]]);
}

#[tokio::test]
async fn a_batch_and_the_number_of_batches_are_limited() {
    let store = Store::new(Gate::closed());
    let options = CoalescingOptions {
        max_batches: 2,
        max_members: 3,
        ..ONE_BATCH
    };
    let reads = coalescer(&store, runtime(), options);
    let mut answers = gather(&reads, [1]).await;
    answers.extend(gather(&reads, [2]).await);
    answers.extend(gather(&reads, 3..10).await);
    assert_eq!(store.statements().len(), 2);
    store.0.gate.open();
    for answer in answers {
        ended(answer).await.unwrap();
    }
    assert!(
        store.statements().iter().all(|keys| keys.len() <= 3),
        "{:?}",
        store.statements()
    );
}

#[tokio::test]
async fn who_gives_up_before_the_statement_is_built_is_left_out_of_it() {
    let store = Store::new(Gate::closed());
    let reads = coalescer(&store, runtime(), ONE_BATCH);
    let first = gather(&reads, [1]).await.remove(0);
    let mut waiting = gather(&reads, [2, 3]).await;
    waiting.remove(0).abort();
    until(|| waiting.len() == 1).await;
    tokio::task::yield_now().await;
    store.0.gate.open();
    assert_eq!(ended(first).await, Ok(Some(7)));
    assert_eq!(ended(waiting.remove(0)).await, Ok(Some(7)));
    assert_eq!(store.statements(), [[1], [3]]);
}

#[tokio::test]
async fn who_gives_up_later_disturbs_nobody() {
    let store = Store::new(Gate::closed());
    let reads = coalescer(&store, runtime(), ONE_BATCH);
    let first = gather(&reads, [1]).await;
    let mut second = gather(&reads, [2, 3]).await;
    store.0.gate.let_through(1);
    until(|| store.statements().len() == 2).await;
    second.remove(0).abort();
    store.0.gate.open();
    for answer in first.into_iter().chain(second) {
        assert_eq!(ended(answer).await, Ok(Some(7)));
    }
}

#[tokio::test]
async fn when_the_first_gives_up_those_behind_are_served_all_the_same() {
    let store = Store::new(Gate::closed());
    let reads = coalescer(&store, runtime(), ONE_BATCH);
    let first = gather(&reads, [1]).await.remove(0);
    let waiting = gather(&reads, [2, 3]).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    store.0.gate.open();
    for answer in waiting {
        assert_eq!(ended(answer).await, Ok(Some(7)));
    }
}

#[tokio::test]
async fn a_statement_that_does_not_come_back_holds_up_nobody_else_for_long() {
    let store = Store::new(Gate::closed());
    let options = CoalescingOptions {
        patience: Duration::from_millis(20),
        ..ONE_BATCH
    };
    let reads = coalescer(&store, runtime(), options);
    let stuck = gather(&reads, [1]).await.remove(0);
    let waiting = gather(&reads, [2]).await;
    until(|| store.statements().len() == 2).await;
    assert!(!stuck.is_finished());
    store.0.gate.open();
    for answer in waiting.into_iter().chain([stuck]) {
        assert_eq!(ended(answer).await, Ok(Some(7)));
    }
}

#[tokio::test]
async fn a_failure_is_told_to_every_member_and_ends_with_its_batch() {
    let store = Store::new(Gate::closed());
    let reads = coalescer(&store, runtime(), ONE_BATCH);
    let first = gather(&reads, [1]).await;
    let failing = gather(&reads, [2, FAILS]).await;
    store.0.gate.open();
    assert_eq!(ended(first.into_iter().next().unwrap()).await, Ok(Some(7)));
    for answer in failing {
        assert_eq!(ended(answer).await, Err(Failure::Lost));
    }
    assert_eq!(reads.get(3).await, Ok(Some(7)));
}

#[tokio::test]
async fn a_panic_goes_on_in_every_member_and_ends_with_its_batch() {
    let store = Store::new(Gate::closed());
    let reads = coalescer(&store, runtime(), ONE_BATCH);
    let first = gather(&reads, [1]).await;
    let panicking = gather(&reads, [2, PANICS]).await;
    store.0.gate.open();
    assert_eq!(ended(first.into_iter().next().unwrap()).await, Ok(Some(7)));
    for answer in panicking {
        assert!(answer.await.unwrap_err().is_panic());
    }
    assert_eq!(reads.get(3).await, Ok(Some(7)));
}

#[tokio::test]
async fn when_the_runtime_stops_everybody_is_told_whether_on_the_way_or_waiting() {
    let own = another_runtime();
    let store = Store::new(Gate::closed());
    let reads = coalescer(&store, DatabaseRuntime::new(own.handle().clone()), ONE_BATCH);
    let mut answers = gather(&reads, [1]).await;
    until(|| store.statements().len() == 1).await;
    answers.extend(gather(&reads, 2..200).await);
    own.shutdown_background();
    for answer in answers {
        assert_eq!(ended(answer).await, Err(Failure::Stopped));
    }
    assert_eq!(reads.get(1).await, Err(Failure::Stopped), "and so is who comes later");
}

/// A history of writes to one register and of reads through the coalescer. Each read must find a value that was there at
/// some moment between its beginning and its end, and reads that follow each other must not go back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_are_linearizable_with_writes_under_hundreds_of_schedules() {
    let (mut reads_made, mut statements) = (0, 0);
    for seed in 0..300 {
        let store = Store::new(Gate::closed());
        store.0.yields.store(seed % 7, Ordering::Relaxed);
        store.0.gate.open();
        store.set(0);
        let options = CoalescingOptions {
            max_batches: 1 + usize::try_from(seed % 3).unwrap(),
            max_members: 4,
            ..ONE_BATCH
        };
        let reads = coalescer(&store, runtime(), options);
        let writer = tokio::spawn({
            let store = store.clone();
            async move {
                let mut rng = StdRng::seed_from_u64(seed);
                for value in 1..=20 {
                    store.set(value);
                    pause(&mut rng).await;
                }
            }
        });
        let readers = (0..8).map(|reader| {
            let (store, reads) = (store.clone(), reads.clone());
            tokio::spawn(async move {
                let mut rng = StdRng::seed_from_u64(seed * 100 + reader);
                let mut last = 0;
                for _ in 0..10 {
                    let before = store.0.value.load(Ordering::SeqCst);
                    let found = reads.get(1 + reader % 3).await.unwrap().unwrap();
                    let after = store.0.value.load(Ordering::SeqCst);
                    assert!(
                        (before..=after).contains(&found),
                        "{before} {found} {after}, seed {seed}"
                    );
                    assert!(found >= last, "went back, seed {seed}");
                    last = found;
                    pause(&mut rng).await;
                }
            })
        });
        for reader in readers.collect::<Vec<_>>() {
            ended(reader).await;
        }
        ended(writer).await;
        reads_made += 80;
        statements += store.statements().len();
    }
    assert!(
        statements < reads_made * 3 / 4,
        "{statements} statements for {reads_made} reads: hardly any was shared"
    );
}

async fn pause(rng: &mut StdRng) {
    for _ in 0..rng.random_range(0..4) {
        tokio::task::yield_now().await;
    }
}

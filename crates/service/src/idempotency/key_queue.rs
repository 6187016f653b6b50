//! One at a time for each key, within this process.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

type Key = [u8; 32];

/// Those who wait for their turn, by key. Cloning shares them. Keys that nobody uses take no memory.
#[derive(Clone, Debug, Default)]
pub(super) struct KeyQueue(Arc<Mutex<HashMap<Key, Arc<AsyncMutex<()>>>>>);

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    // Dropped before the ticket, so that the next in the queue can go on.
    _turn: OwnedMutexGuard<()>,
    _ticket: Ticket,
}

/// A place in the queue, whether or not the turn has come.
#[derive(Debug)]
struct Ticket {
    queue: KeyQueue,
    key: Key,
    /// Taken when the ticket is dropped.
    turns: Option<Arc<AsyncMutex<()>>>,
}

impl KeyQueue {
    /// Waits until everybody with `key` who came before has had a turn. Dropping the future leaves the queue.
    pub(super) async fn wait(&self, key: Key) -> Place {
        let turns = Arc::clone(self.entries().entry(key).or_default());
        let ticket = Ticket {
            queue: self.clone(),
            key,
            turns: Some(Arc::clone(&turns)),
        };
        let turn = turns.lock_owned().await;
        Place {
            _turn: turn,
            _ticket: ticket,
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Arc<AsyncMutex<()>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut entries = self.queue.entries();
        // Under the lock, so that of two tickets that are dropped at once one sees that it is the last. Nobody can join
        // meanwhile.
        drop(self.turns.take());
        if entries
            .get(&self.key)
            .is_some_and(|turns| Arc::strong_count(turns) == 1)
        {
            entries.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::FutureExt;
    use tokio::time::timeout;

    use super::*;

    const ANN: Key = [1; 32];
    const BOB: Key = [2; 32];

    async fn waits_in_vain(queue: &KeyQueue, key: Key) -> bool {
        timeout(Duration::from_millis(20), queue.wait(key)).await.is_err()
    }

    #[tokio::test]
    async fn only_those_with_the_same_key_wait_for_each_other() {
        let queue = KeyQueue::default();
        let first = queue.wait(ANN).await;
        let other = queue.wait(BOB).await;
        assert!(waits_in_vain(&queue, ANN).await);
        drop(first);
        let second = queue.wait(ANN).await;
        assert!(waits_in_vain(&queue, ANN).await);
        drop((second, other));
    }

    #[tokio::test]
    async fn an_empty_queue_takes_no_memory() {
        let queue = KeyQueue::default();
        let first = queue.wait(ANN).await;
        // One who gave up while the first had its turn, and one who gives up after it.
        assert!(waits_in_vain(&queue, ANN).await);
        let mut late = Box::pin(queue.wait(ANN));
        assert!((&mut late).now_or_never().is_none());
        assert_eq!(queue.entries().len(), 1);
        drop(first);
        assert_eq!(queue.entries().len(), 1);
        drop(late);
        assert!(queue.entries().is_empty());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_thousand_with_one_key_have_a_turn_each() {
        let queue = KeyQueue::default();
        let inside = Arc::new(AsyncMutex::new(()));
        let visits = (0..1000).map(|_| {
            let (queue, inside) = (queue.clone(), Arc::clone(&inside));
            tokio::spawn(async move {
                let _place = queue.wait(ANN).await;
                let alone = inside.try_lock();
                tokio::task::yield_now().await;
                alone.is_ok()
            })
        });
        for visit in visits.collect::<Vec<_>>() {
            assert!(visit.await.is_ok_and(|alone| alone));
        }
        assert!(queue.entries().is_empty());
    }
}

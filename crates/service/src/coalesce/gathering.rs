//! Where requests wait for the next batch, and who may run one.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Requests that wait, and the number of runners, each of which works on one batch after the other.
///
/// A runner is made when there is something to do and ends when there is nothing left, both under one lock: whoever joins
/// either is seen by a runner or makes one.
#[derive(Debug)]
pub(super) struct Gathering<M> {
    state: Mutex<State<M>>,
    max_runners: usize,
}

#[derive(Debug)]
struct State<M> {
    waiting: VecDeque<M>,
    runners: usize,
}

/// The right to run batches.
#[derive(Debug)]
pub(super) struct Runner<M>(Option<Arc<Gathering<M>>>);

impl<M> Gathering<M> {
    /// Nobody waits yet.
    pub(super) fn new(max_runners: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                waiting: VecDeque::new(),
                runners: 0,
            }),
            max_runners: max_runners.max(1),
        })
    }

    /// Lets `member` wait for the next batch. When that takes another runner, the caller has to see to it that it runs.
    // ANCHOR: join
    pub(super) fn join(self: &Arc<Self>, member: M) -> Option<Runner<M>> {
        let mut state = self.lock();
        state.waiting.push_back(member);
        if state.runners == self.max_runners {
            return None;
        }
        state.runners += 1;
        Some(Runner(Some(self.clone())))
    }
    // ANCHOR_END: join

    fn lock(&self) -> MutexGuard<'_, State<M>> {
        // What panicked left the queue whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> Runner<M> {
    /// The next batch, which `choose` takes out of those that wait; nothing when that is empty. The runner has then ended.
    // ANCHOR: next-batch
    pub(super) fn next_batch(&mut self, choose: impl FnOnce(&mut VecDeque<M>) -> Vec<M>) -> Option<Vec<M>> {
        let gathering = self.0.as_ref()?.clone();
        let mut state = gathering.lock();
        let batch = choose(&mut state.waiting);
        if !batch.is_empty() {
            return Some(batch);
        }
        state.runners -= 1;
        self.0 = None;
        None
    }
    // ANCHOR_END: next-batch
}

/// A runner that ends before its time is one whose runtime has stopped. Those that wait would wait for ever.
impl<M> Drop for Runner<M> {
    fn drop(&mut self) {
        let Some(gathering) = self.0.take() else { return };
        let mut state = gathering.lock();
        state.runners -= 1;
        let forsaken = if state.runners == 0 {
            std::mem::take(&mut state.waiting)
        } else {
            VecDeque::new()
        };
        // Dropping them may wake tasks, which must not find the lock taken.
        drop(state);
        drop(forsaken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(waiting: &mut VecDeque<u32>) -> Vec<u32> {
        waiting.drain(..).collect()
    }

    #[test]
    fn a_runner_is_made_for_the_first_and_takes_all_that_gathered() {
        let gathering = Gathering::new(1);
        let mut runner = gathering.join(1).unwrap();
        assert!(gathering.join(2).is_none());
        assert_eq!(runner.next_batch(all), Some(vec![1, 2]));
        assert!(gathering.join(3).is_none());
        assert_eq!(runner.next_batch(all), Some(vec![3]));
        assert_eq!(runner.next_batch(all), None);
        assert!(gathering.join(4).is_some());
    }

    #[test]
    fn there_are_no_more_runners_than_allowed() {
        let gathering = Gathering::new(2);
        let runners = [gathering.join(1), gathering.join(2), gathering.join(3)];
        assert_eq!(runners.iter().flatten().count(), 2);
    }

    #[test]
    fn those_who_wait_for_a_runner_that_is_no_more_are_let_go() {
        let gathering = Gathering::new(2);
        let (first, second) = (gathering.join(1), gathering.join(2));
        drop(first);
        assert_eq!(gathering.lock().waiting.len(), 2, "the second runner is still there");
        drop(second);
        assert!(gathering.lock().waiting.is_empty());
        assert!(gathering.join(3).is_some());
    }
}

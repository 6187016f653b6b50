//! How many users there are, without counting them for every request.
//!
//! Counting takes time in proportion to the table. So a count serves for a second, and this process keeps it right meanwhile
//! by what it changes itself: it counts its own finished changes exactly, and what other instances change with a second's
//! delay at most.
//!
//! A count that runs while a change of ours does may or may not have seen it, and nobody can tell which. It is right for
//! those who wait for it, since the change is not finished, but cannot be kept: whether the change has still to be added is
//! unknown.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::UserError;

/// How long a count serves.
const TIME_TO_LIVE: Duration = Duration::from_secs(1);

/// The number of users as far as it is known. Cloning shares the knowledge.
#[derive(Clone, Debug, Default)]
pub(crate) struct UserCount(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    known: Option<Known>,
    /// Changes that have begun and not ended.
    changes_in_progress: u64,
    /// Changes that have ever begun.
    changes_begun: u64,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    users: u64,
    counted_at: Instant,
}

/// A change of the number of users. One that is dropped has an unknown outcome.
#[derive(Debug)]
pub(crate) struct Change {
    count: UserCount,
    difference: Option<i64>,
}

/// A count that has begun.
#[derive(Debug)]
pub(crate) struct Counting {
    count: UserCount,
    began_at: Instant,
    /// What `changes_begun` was, if no change was in progress.
    undisturbed_since: Option<u64>,
}

impl UserCount {
    /// The number of users, if it is known.
    pub(crate) fn recent(&self) -> Option<u64> {
        let known = self.lock().known?;
        (known.counted_at.elapsed() < TIME_TO_LIVE).then_some(known.users)
    }

    /// Begins a change. To be called before its first statement.
    pub(crate) fn begin_change(&self) -> Change {
        let mut state = self.lock();
        state.changes_in_progress += 1;
        state.changes_begun += 1;
        drop(state);
        Change {
            count: self.clone(),
            difference: None,
        }
    }

    /// Begins a count. To be called before its statement.
    pub(crate) fn begin_counting(&self) -> Counting {
        let state = self.lock();
        Counting {
            count: self.clone(),
            began_at: Instant::now(),
            undisturbed_since: (state.changes_in_progress == 0).then_some(state.changes_begun),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Change {
    /// Ends a change that is known to have made this many users, or to have removed them where the number is negative. To be
    /// called before anybody is told of it.
    pub(crate) fn end(mut self, difference: i64) {
        self.difference = Some(difference);
    }

    /// Ends an attempt to create users: as many as `created` tells where it succeeded, none where they were refused. After
    /// any other failure nobody knows.
    pub(crate) fn end_creating<T>(self, outcome: &Result<T, UserError>, created: impl FnOnce(&T) -> usize) {
        match outcome {
            Ok(done) => self.end(i64::try_from(created(done)).unwrap_or(i64::MAX)),
            Err(refused) if refused.is_refusal() => self.end(0),
            Err(_) => drop(self),
        }
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        let mut state = self.count.lock();
        state.changes_in_progress -= 1;
        state.known = match (state.known, self.difference) {
            (Some(known), Some(difference)) => Some(Known {
                users: known.users.saturating_add_signed(difference),
                ..known
            }),
            _ => None,
        };
    }
}

impl Counting {
    /// Ends a count with what it found, which is kept unless a change of ours was going on meanwhile.
    pub(crate) fn end(self, users: u64) {
        let mut state = self.count.lock();
        if self.undisturbed_since == Some(state.changes_begun) {
            state.known = Some(Known {
                users,
                counted_at: self.began_at,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(users: u64) -> UserCount {
        let count = UserCount::default();
        count.begin_counting().end(users);
        count
    }

    #[test]
    fn a_count_follows_the_changes_that_have_ended() {
        let count = counted(7);
        let creating = count.begin_change();
        assert_eq!(count.recent(), Some(7));
        creating.end(3);
        count.begin_change().end(-1);
        count.begin_change().end(0);
        assert_eq!(count.recent(), Some(9));
    }

    #[test]
    fn a_count_that_overlaps_a_change_is_not_kept() {
        let count = UserCount::default();
        let begun_before = count.begin_change();
        let counting = count.begin_counting();
        begun_before.end(1);
        counting.end(1);
        assert_eq!(count.recent(), None);

        let counting = count.begin_counting();
        count.begin_change().end(1);
        counting.end(1);
        assert_eq!(count.recent(), None);

        let counting = count.begin_counting();
        let ends_later = count.begin_change();
        counting.end(2);
        ends_later.end(1);
        assert_eq!(count.recent(), None);
    }

    #[test]
    fn a_change_with_an_unknown_outcome_makes_the_count_unknown() {
        let count = counted(7);
        drop(count.begin_change());
        assert_eq!(count.recent(), None);
    }

    #[test]
    fn a_count_serves_for_a_second_from_its_beginning() {
        let count = UserCount::default();
        let mut counting = count.begin_counting();
        counting.began_at -= TIME_TO_LIVE;
        counting.end(7);
        assert_eq!(count.recent(), None);
    }
}

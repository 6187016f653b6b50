//! Solutions of the exercises in the chapter on futures, tasks and cancellation.

use std::{
    future::{pending, poll_fn},
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::Poll,
    time::Duration,
};

use domain::{NewUser, Timestamp};
use persistence::{Database, DatabaseOptions, PersistenceError, UserRepository, test_db::TestDatabase};
use tokio::{sync::mpsc, time::timeout};

use crate::support::new_user;

// ANCHOR: guard
/// One who is inside, and counted as long as this lives.
struct Inside<'a>(&'a AtomicUsize);

impl<'a> Inside<'a> {
    fn enter(inside: &'a AtomicUsize) -> Self {
        inside.fetch_add(1, Ordering::Relaxed);
        Self(inside)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Runs `work`, and is counted meanwhile.
async fn counted<T>(inside: &AtomicUsize, work: impl Future<Output = T>) -> T {
    let _counted = Inside::enter(inside);
    work.await
}
// ANCHOR_END: guard

pub(crate) async fn who_is_inside_is_counted_however_they_leave(_db: TestDatabase) {
    let inside = AtomicUsize::new(0);
    let number = || inside.load(Ordering::Relaxed);
    assert_eq!(counted(&inside, async { number() }).await, 1);
    let refused = counted(&inside, async { Err::<(), _>(number()) }).await;
    assert_eq!(refused, Err(1));
    let dropped = timeout(Duration::from_millis(10), counted(&inside, pending::<()>())).await;
    assert!(dropped.is_err());
    assert_eq!(number(), 0);
}

// ANCHOR: pairs
/// Takes messages two by two.
struct Pairs {
    messages: mpsc::Receiver<u32>,
    /// What was taken for a pair that is not whole yet.
    first: Option<u32>,
}

impl Pairs {
    /// The next two, or nothing when no more will come. Dropping the future loses no message.
    async fn next_two(&mut self) -> Option<[u32; 2]> {
        if self.first.is_none() {
            self.first = Some(self.messages.recv().await?);
        }
        let second = self.messages.recv().await?;
        self.first.take().map(|first| [first, second])
    }
}
// ANCHOR_END: pairs

pub(crate) async fn a_pair_that_was_given_up_loses_no_message(_db: TestDatabase) {
    let (sender, messages) = mpsc::channel(4);
    let mut pairs = Pairs { messages, first: None };
    sender.send(1).await.unwrap();
    assert!(timeout(Duration::from_millis(10), pairs.next_two()).await.is_err());
    for message in 2..=4 {
        sender.send(message).await.unwrap();
    }
    drop(sender);
    assert_eq!(pairs.next_two().await, Some([1, 2]));
    assert_eq!(pairs.next_two().await, Some([3, 4]));
    assert_eq!(pairs.next_two().await, None);
}

// ANCHOR: cancel
/// Polls `future` so often and then drops it; nothing if it was not ready by then.
async fn cancel_after<T>(polls: u32, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = polls;
    poll_fn(|context| {
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// Creates both in one transaction.
async fn create_both(database: &Database, both: &[NewUser; 2]) -> Result<(), PersistenceError> {
    let transaction = database.begin().await?;
    let users = UserRepository::new(&transaction);
    for new_user in both {
        users.insert(new_user.clone(), Timestamp::now()).await?;
    }
    transaction.commit().await
}

pub(crate) async fn wherever_a_creation_is_dropped_the_pool_stays_whole(db: TestDatabase) {
    let options = DatabaseOptions {
        max_connections: 1,
        ..db.options()
    };
    let narrow = Database::open(&options).await.unwrap();
    let seen_by_others = UserRepository::new(db.database().reader());
    for polls in 1.. {
        let user = |what: &str| new_user(what, &format!("{what}{polls}@example.com"));
        let both = [user("first"), user("second")];
        let outcome = cancel_after(polls, create_both(&narrow, &both)).await;

        // There is but one connection, and this is its next use.
        let next = user("next");
        let inserted = UserRepository::new(narrow.writer())
            .insert(next.clone(), Timestamp::now())
            .await;
        assert!(inserted.is_ok(), "after {polls} polls: {inserted:?}");
        let kept = seen_by_others.find_by_email(&next.email).await.unwrap();
        assert!(kept.is_some(), "what was inserted after {polls} polls was lost");
        let of_both = seen_by_others
            .existing_emails(both.iter().map(|user| &user.email))
            .await;
        assert!(
            [0, 2].contains(&of_both.unwrap().len()),
            "half a transaction after {polls} polls"
        );

        if let Some(outcome) = outcome {
            outcome.unwrap();
            break;
        }
    }
    narrow.close().await.unwrap();
}
// ANCHOR_END: cancel

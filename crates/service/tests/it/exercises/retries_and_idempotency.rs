//! Solutions to the exercises of the chapter on retries and idempotency.

use std::{future::poll_fn, pin::pin, task::Poll};

use domain::{Precondition, User, UserId};
use persistence::test_db::TestDatabase;
use service::{Freshness, IdempotentRequest, KeptOnce, UserError, UserService};
use tokio::task::JoinSet;

use crate::support::{count, new_user, rename, settled, stored, users_of};

// ANCHOR: polled
/// Polls `future` so many times at most, and drops it.
async fn polled_at_most<T>(times: u32, future: impl Future<Output = T>) -> Option<T> {
    let (mut future, mut polls) = (pin!(future), 0);
    poll_fn(|context| {
        if polls == times {
            return Poll::Ready(None);
        }
        polls += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            // Whether or not it was woken: the next poll may be the last.
            Poll::Pending => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    })
    .await
}
// ANCHOR_END: polled

// ANCHOR: exercise-1
pub(crate) async fn who_gives_up_anywhere_and_asks_again_with_the_key_gets_one_user(db: TestDatabase) {
    let users = users_of(db.database());
    for polls in 0..12 {
        let request = IdempotentRequest {
            key: [u8::try_from(polls).unwrap(); 32],
            fingerprint: [1; 32],
        };
        let address = format!("user-{polls}@example.com");
        let create = || {
            users.create_once(request, new_user("Ann", &address), |user| {
                vec![0; user.name.as_str().len()]
            })
        };
        let first = polled_at_most(polls, create()).await;
        let second: KeptOnce = create().await.unwrap();
        if let Some(first) = first {
            assert_eq!((first.unwrap().answer, second.is_replay), (second.answer, true));
        }
        settled(db.database()).await;
        assert_eq!(count(&db).await, u64::from(polls) + 1, "after {polls} polls");
    }
}
// ANCHOR_END: exercise-1

// ANCHOR: exercise-2
/// Adds one to the number that is the user's name. Nobody but the caller can decide what a new try is based on.
async fn increment(users: &UserService, id: UserId) -> User {
    loop {
        let seen = users.get(id, Freshness::Current).await.unwrap();
        let next: u32 = seen.name.as_str().parse::<u32>().unwrap() + 1;
        let as_seen = Precondition::OneOf(vec![seen.revision()]);
        match users.update(id, rename(&next.to_string()), as_seen).await {
            Ok(changed) => return changed,
            // Somebody else was faster. A conflict that passes was run again already, at most three times.
            Err(UserError::PreconditionFailed | UserError::DatabaseUnavailable(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}

pub(crate) async fn ten_increments_at_once_are_all_counted(db: TestDatabase) {
    let users = users_of(db.database());
    let counter = users.create(new_user("0", "counter@example.com")).await.unwrap();
    let mut increments = JoinSet::new();
    for _ in 0..10 {
        let users = users.clone();
        increments.spawn(async move { increment(&users, counter.id).await });
    }
    increments.join_all().await;
    let stored = stored(&db, counter.id).await.unwrap();
    assert_eq!((stored.name.as_str(), stored.version), ("10", 11));
}
// ANCHOR_END: exercise-2

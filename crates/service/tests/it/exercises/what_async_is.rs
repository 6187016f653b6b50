//! The exercises of the chapter `docs/en/what-async-is.md`.

use std::{sync::mpsc, time::Duration};

use persistence::test_db::TestDatabase;
use tokio::{
    join,
    runtime::Builder,
    sync::Barrier,
    task::{spawn_blocking, yield_now},
    time::timeout,
};

use crate::support::{count, new_user, users_of};

// ANCHOR: exercise-1
pub(crate) async fn a_create_that_nobody_awaits_creates_nobody(db: TestDatabase) {
    let users = users_of(db.database());
    let never = users.create(new_user("Ann", "ann@example.com"));
    drop(never);
    assert_eq!(count(&db).await, 0);

    let later = users.create(new_user("Ben", "ben@example.com"));
    assert_eq!(count(&db).await, 0, "a future was made, and no more");
    later.await.unwrap();
    assert_eq!(count(&db).await, 1);
}
// ANCHOR_END: exercise-1

// ANCHOR: exercise-2
pub(crate) async fn joined_waits_overlap(_: TestDatabase) {
    // Lets nobody through before two wait at it.
    let barrier = Barrier::new(2);
    join!(barrier.wait(), barrier.wait());

    let one_after_the_other = async {
        barrier.wait().await;
        barrier.wait().await;
    };
    let ended = timeout(Duration::from_millis(50), one_after_the_other).await;
    assert!(ended.is_err(), "the first waits for the second, which has not begun");
}
// ANCHOR_END: exercise-2

// ANCHOR: exercise-3
pub(crate) async fn computing_elsewhere_keeps_nobody_waiting(_: TestDatabase) {
    let lesson = || {
        let one_thread = Builder::new_current_thread().build().unwrap();
        one_thread.block_on(async {
            let (sender, receiver) = mpsc::channel();
            // In place of a long computation: it cannot end before the neighbour has gone on.
            let computation = spawn_blocking(move || receiver.recv_timeout(Duration::from_secs(30)));
            let neighbour = async {
                yield_now().await;
                sender.send("I went on").unwrap();
            };
            let (computed, ()) = join!(computation, neighbour);
            assert_eq!(computed.unwrap(), Ok("I went on"));
        });
    };
    // A runtime cannot be started on a thread that drives another.
    spawn_blocking(lesson).await.unwrap();
}
// ANCHOR_END: exercise-3

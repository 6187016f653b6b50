//! Solutions of the chapter `from-python`: what `gather` and `finally` become.

use std::future::pending;

use domain::User;
use futures_util::future::join_all;
use persistence::{Database, DatabaseOptions, PersistenceError, UserRepository, test_db::TestDatabase};
use service::UserError;
use tokio::{select, sync::oneshot};

use crate::support::{EVERYBODY, count, new_user, users_of};

// ANCHOR: exercise-1
pub(crate) async fn every_outcome_of_creates_at_once_is_known_in_the_order_of_the_requests(db: TestDatabase) {
    let users = users_of(db.database());
    users.create(new_user("Ann", "ann@example.com")).await.unwrap();
    let addresses = ["bob@example.com", "ann@example.com", "cid@example.com"];
    let creations = addresses.map(|address| users.create(new_user("Somebody", address)));

    let outcomes: Vec<Result<User, UserError>> = join_all(creations).await;

    let [Ok(bob), Err(UserError::EmailTaken), Ok(cid)] = outcomes.as_slice() else {
        panic!("{outcomes:?}");
    };
    assert_eq!(bob.email.as_str(), "bob@example.com");
    assert_eq!(cid.email.as_str(), "cid@example.com");
    assert_eq!(count(&db).await, 3);
}
// ANCHOR_END: exercise-1

// ANCHOR: exercise-2
/// Opens a database for `work`, and closes it whatever `work` ends with; but not if nobody waits for the end.
async fn with_database<T>(
    options: &DatabaseOptions,
    work: impl AsyncFnOnce(&Database) -> Result<T, PersistenceError>,
) -> Result<T, PersistenceError> {
    let database = Database::open(options).await?;
    let outcome = work(&database).await;
    database.close().await?;
    outcome
}

pub(crate) async fn what_stands_behind_the_work_runs_after_an_error_and_not_after_a_drop(db: TestDatabase) {
    // The clone shares the pools: it shows whether they were closed.
    let (mut shared, options) = (None, db.options());
    let failed: Result<(), _> = with_database(&options, async |database| {
        shared = Some(database.clone());
        Err(PersistenceError::Abandoned)
    })
    .await;
    assert!(matches!(failed, Err(PersistenceError::Abandoned)));
    let closed = shared.unwrap();
    assert!(UserRepository::new(closed.reader()).count(&EVERYBODY).await.is_err());

    let (sender, receiver) = oneshot::channel();
    let endless = with_database(&options, async |database| {
        let _ = sender.send(database.clone());
        pending().await
    });
    let open = select! {
        outcome = endless => outcome.unwrap(),
        database = receiver => database.unwrap(),
    };
    // `endless` has been dropped. Nothing behind its `await` was run.
    assert_eq!(UserRepository::new(open.reader()).count(&EVERYBODY).await.unwrap(), 0);
    open.close().await.unwrap();
}
// ANCHOR_END: exercise-2

//! Solutions of the exercises in the chapter on pools.

use std::time::Duration;

use domain::{Cursor, Precondition, Timestamp, User, UserChanges};
use futures_util::TryStreamExt;
use persistence::{Database, DatabaseOptions, PersistenceError, Transaction, UserRepository, test_db::TestDatabase};
use tokio::time::timeout;

use crate::support::{EVERYBODY, at, insert, name, new_user, new_users};

/// The same database with one connection.
async fn narrow(db: &TestDatabase) -> Database {
    let options = DatabaseOptions {
        max_connections: 1,
        acquire_timeout: Duration::from_millis(500),
        ..db.options()
    };
    Database::open(&options).await.unwrap()
}

/// The user with a friendlier name.
fn greeted(user: &User) -> UserChanges {
    UserChanges::new(Some(name(&format!("Dear {}", user.name.as_str()))), None).unwrap()
}

// ANCHOR: two-connections
/// While the stream has one connection, every change asks for a second one.
async fn greet_while_reading(database: &Database) -> Result<(), PersistenceError> {
    let users = UserRepository::new(database.writer());
    let mut everybody = std::pin::pin!(users.stream(&EVERYBODY).await?);
    while let Some(user) = everybody.try_next().await? {
        users
            .update(user.id, &greeted(&user), &Precondition::None, Timestamp::now())
            .await?;
    }
    Ok(())
}
// ANCHOR_END: two-connections

// ANCHOR: one-connection
/// Reads a page, changes what was on it, and reads on after its last user. One connection does all of it.
async fn greet_page_by_page(database: &Database) -> Result<(), PersistenceError> {
    let transaction = database.begin().await?;
    let users = UserRepository::new(&transaction);
    let mut position = None;
    loop {
        let page = users.after(&EVERYBODY, position, 100).await?;
        let Some(last) = page.last() else {
            return transaction.commit().await;
        };
        position = Some(Cursor::from(last));
        for user in &page {
            users
                .update(user.id, &greeted(user), &Precondition::None, Timestamp::now())
                .await?;
        }
    }
}
// ANCHOR_END: one-connection

pub(crate) async fn who_reads_and_writes_gets_by_with_one_connection(db: TestDatabase) {
    // More than one page of them.
    let everybody = new_users(150);
    UserRepository::new(db.database().writer())
        .insert_many(&everybody, at(0))
        .await
        .unwrap();
    let database = narrow(&db).await;
    let stuck = greet_while_reading(&database).await;
    assert!(matches!(stuck, Err(PersistenceError::Unavailable(_))), "{stuck:?}");
    greet_page_by_page(&database).await.unwrap();
    let users = UserRepository::new(database.writer());
    let greeted = users.page(&EVERYBODY, 0, 1000).await.unwrap();
    assert_eq!(greeted.len(), 150);
    for user in &greeted {
        assert!(user.name.as_str().starts_with("Dear User "), "{user:?}");
        assert_eq!(user.version, 2, "{user:?}");
    }
    database.close().await.unwrap();
}

/// Why the solution does not read with a stream.
pub(crate) async fn a_stream_over_a_transaction_keeps_its_connection(db: TestDatabase) {
    let ann = insert(&db, new_user("Ann", "ann@example.com")).await;
    let transaction = db.database().begin().await.unwrap();
    let users = UserRepository::new(&transaction);
    {
        let mut everybody = std::pin::pin!(users.stream(&EVERYBODY).await.unwrap());
        assert_eq!(everybody.try_next().await.unwrap().as_ref(), Some(&ann));
        let waiting = timeout(Duration::from_millis(200), users.find(ann.id)).await;
        assert!(waiting.is_err(), "{waiting:?}");
    }
    assert_eq!(users.find(ann.id).await.unwrap(), Some(ann));
    transaction.rollback().await.unwrap();
}

// ANCHOR: impatient
/// Begins a transaction, unless that takes longer than `patience`.
async fn begin_within(database: &Database, patience: Duration) -> Result<Option<Transaction>, PersistenceError> {
    match timeout(patience, database.begin()).await {
        Ok(begun) => begun.map(Some),
        // The future is dropped in the middle of `begin`, which is safe through this door.
        Err(_) => Ok(None),
    }
}
// ANCHOR_END: impatient

pub(crate) async fn who_is_in_a_hurry_goes_and_leaves_the_pool_whole(db: TestDatabase) {
    let database = narrow(&db).await;
    let holder = database.begin().await.unwrap();
    let hurried = begin_within(&database, Duration::from_millis(50)).await.unwrap();
    assert!(hurried.is_none());
    holder.rollback().await.unwrap();
    let patient = begin_within(&database, Duration::from_secs(10)).await.unwrap().unwrap();
    UserRepository::new(&patient)
        .insert(new_user("Ann", "ann@example.com"), Timestamp::now())
        .await
        .unwrap();
    patient.commit().await.unwrap();
    assert_eq!(crate::support::count(&db).await, 1);
    database.close().await.unwrap();
}

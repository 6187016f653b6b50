//! Solutions of the exercises in the chapter on transactions.

use domain::{NewUser, Precondition, Timestamp, User, UserChanges, UserId};
use futures_util::future::try_join_all;
use persistence::{
    Database, PersistenceError, UserRepository,
    test_db::{TestDatabase, TestEngine},
};

use crate::support::{at, count, insert, name, new_user};

// ANCHOR: swap
/// Swaps the names of two users. False when one of them has changed since it was read, and then nothing is changed.
async fn swap_names(database: &Database, left: &User, right: &User) -> Result<bool, PersistenceError> {
    let transaction = database.begin().await?;
    let users = UserRepository::new(&transaction);
    for (user, other) in [(left, right), (right, left)] {
        let changes = UserChanges::new(Some(other.name.clone()), None).unwrap();
        let as_seen = Precondition::OneOf(vec![user.revision()]);
        if users
            .update(user.id, &changes, &as_seen, Timestamp::now())
            .await?
            .is_none()
        {
            // Leaving drops the transaction, and undoes what the first round did.
            return Ok(false);
        }
    }
    transaction.commit().await?;
    Ok(true)
}
// ANCHOR_END: swap

pub(crate) async fn two_names_are_swapped_together_or_not_at_all(db: TestDatabase) {
    let database = db.database();
    let ann = insert(&db, new_user("Ann", "ann@example.com")).await;
    let bob = insert(&db, new_user("Bob", "bob@example.com")).await;
    assert!(swap_names(database, &ann, &bob).await.unwrap());
    let (ann, bob) = (stored(&db, ann.id).await, stored(&db, bob.id).await);
    assert_eq!((ann.name.as_str(), bob.name.as_str()), ("Bob", "Ann"));

    let changed_since = User {
        version: bob.version + 1,
        ..bob.clone()
    };
    assert!(!swap_names(database, &ann, &changed_since).await.unwrap());
    assert_eq!((stored(&db, ann.id).await, stored(&db, bob.id).await), (ann, bob));
}

// ANCHOR: count-up
/// Adds 1 to the number that is the user's name, however many others do the same.
async fn count_up(database: &Database, id: UserId) -> Result<(), PersistenceError> {
    loop {
        let Some(seen) = UserRepository::new(database.writer()).find(id).await? else {
            return Ok(());
        };
        let number: u32 = seen.name.as_str().parse().unwrap();
        let changes = UserChanges::new(Some(name(&(number + 1).to_string())), None).unwrap();
        match save(database, &seen, &changes).await {
            Ok(true) => return Ok(()),
            // Somebody was faster: look again, and decide anew.
            Ok(false) => {}
            Err(error) if error.retry_reason().is_some() => {}
            Err(error) => return Err(error),
        }
    }
}

/// Saves changes to a user, unless the user has changed since.
async fn save(database: &Database, seen: &User, changes: &UserChanges) -> Result<bool, PersistenceError> {
    let transaction = database.begin().await?;
    let saved = UserRepository::new(&transaction)
        .update(
            seen.id,
            changes,
            &Precondition::OneOf(vec![seen.revision()]),
            Timestamp::now(),
        )
        .await?;
    transaction.commit().await?;
    Ok(saved.is_some())
}
// ANCHOR_END: count-up

pub(crate) async fn ten_who_count_at_once_lose_no_count(db: TestDatabase) {
    let counter = insert(&db, new_user("0", "counter@example.com")).await;
    try_join_all((0..10).map(|_| count_up(db.database(), counter.id)))
        .await
        .unwrap();
    let counter = stored(&db, counter.id).await;
    assert_eq!((counter.name.as_str(), counter.version), ("10", 11));
}

// ANCHOR: insert-or-find
/// The user with this address, who is created if need be. The index decides; nothing is asked beforehand.
async fn insert_or_find(database: &Database, new_user: NewUser) -> Result<Option<User>, PersistenceError> {
    let email = new_user.email.clone();
    let transaction = database.begin().await?;
    match UserRepository::new(&transaction)
        .insert(new_user, Timestamp::now())
        .await
    {
        Ok(user) => {
            transaction.commit().await?;
            Ok(Some(user))
        }
        Err(PersistenceError::EmailTaken) => {
            // On PostgreSQL this transaction is of no more use. The question goes to a statement of its own.
            transaction.rollback().await?;
            UserRepository::new(database.writer()).find_by_email(&email).await
        }
        Err(error) => Err(error),
    }
}
// ANCHOR_END: insert-or-find

pub(crate) async fn who_is_there_already_is_found_instead(db: TestDatabase) {
    let ann = insert(&db, new_user("Ann", "ann@example.com")).await;
    let found = insert_or_find(db.database(), new_user("Anna", "ann@example.com"))
        .await
        .unwrap();
    assert_eq!(found, Some(ann));
    let created = insert_or_find(db.database(), new_user("Bob", "bob@example.com"))
        .await
        .unwrap();
    assert_eq!(created.unwrap().name.as_str(), "Bob");

    // What happens to those who ask in the transaction that was refused a statement.
    let transaction = db.database().begin().await.unwrap();
    let users = UserRepository::new(&transaction);
    let refused = users.insert(new_user("Anna", "ann@example.com"), at(0)).await;
    assert!(matches!(refused, Err(PersistenceError::EmailTaken)), "{refused:?}");
    let next = users.insert(new_user("Carol", "carol@example.com"), at(0)).await;
    assert_eq!(next.is_err(), db.engine() == TestEngine::Postgres, "{next:?}");
    // Nobody is told that nothing was kept: PostgreSQL answers this COMMIT with a ROLLBACK.
    transaction.commit().await.unwrap();
    let expected = if db.engine() == TestEngine::Postgres { 2 } else { 3 };
    assert_eq!(count(&db).await, expected);
}

async fn stored(db: &TestDatabase, id: UserId) -> User {
    UserRepository::new(db.database().writer())
        .find(id)
        .await
        .unwrap()
        .unwrap()
}

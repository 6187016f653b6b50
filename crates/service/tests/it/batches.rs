//! Users that are created together, all or none.

use domain::UserBatch;
use persistence::test_db::{TestDatabase, TestEngine};
use service::{MAX_RETRIES, UserError};
use tokio::task::JoinSet;

use crate::support::{Objection, attempts, batch, count, new_user, object, stored, users_of};

fn conflicts(outcome: Result<Vec<domain::User>, UserError>) -> Vec<usize> {
    match outcome {
        Err(UserError::EmailsTaken(positions)) => positions,
        other => panic!("no list of conflicts: {other:?}"),
    }
}

pub(crate) async fn a_batch_is_created_in_input_order(db: TestDatabase) {
    let users = users_of(db.database());
    let new: Vec<_> = (0..UserBatch::MAX_USERS)
        // Neither ascending nor descending, so that no order but that of the input fits.
        .map(|number| format!("user{}", number * 7919 % UserBatch::MAX_USERS))
        .collect();
    let batch = batch(&new.iter().map(String::as_str).collect::<Vec<_>>());
    let created = users.create_many(batch.clone()).await.unwrap();
    let emails = created.iter().map(|user| &user.email);
    assert!(emails.eq(batch.users().iter().map(|user| &user.email)));
    for user in created.iter().step_by(97) {
        assert_eq!(&stored(&db, user.id).await.unwrap(), user);
    }
    assert_eq!(count(&db).await, UserBatch::MAX_USERS as u64);
}

pub(crate) async fn every_conflict_of_a_batch_is_listed_and_nobody_is_created(db: TestDatabase) {
    let users = users_of(db.database());
    users.create_many(batch(&["ann", "bob"])).await.unwrap();
    let batches: [(&[&str], &[usize], &str); 4] = [
        (&["x", "bob", "y", "ann"], &[1, 3], "taken by users"),
        (&["x", "y", "x", "x"], &[2, 3], "repeated: the later ones"),
        (&["x", "ann", "x", "bob", "ann"], &[1, 2, 3, 4], "both kinds"),
        (&["a", "b", "c", "d", "e", "f", "ann"], &[6], "the last"),
    ];
    for (locals, expected, what) in batches {
        assert_eq!(conflicts(users.create_many(batch(locals)).await), expected, "{what}");
    }
    assert_eq!(count(&db).await, 2);
    users.create_many(batch(&["x", "y"])).await.unwrap();
}

pub(crate) async fn of_batches_at_once_that_share_an_address_one_succeeds(db: TestDatabase) {
    let users = users_of(db.database());
    let mut batches = JoinSet::new();
    for number in 0..10 {
        let users = users.clone();
        let mut new: Vec<_> = (0..20)
            .map(|position| new_user("Ann", &format!("ann{number}-{position}@example.com")))
            .collect();
        // Shared addresses in opposite orders: the batches get in each other's way.
        let (first, last) = if number % 2 == 0 { (0, 19) } else { (19, 0) };
        new[first] = new_user("Shared", "shared1@example.com");
        new[last] = new_user("Shared", "shared2@example.com");
        batches.spawn(async move { users.create_many(UserBatch::new(new).unwrap()).await });
    }
    let outcomes = batches.join_all().await;
    let created = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!((created, count(&db).await), (1, 20), "{outcomes:?}");
    for outcome in outcomes.into_iter().filter(Result::is_err) {
        assert_eq!(conflicts(outcome), [0, 19]);
    }
}

/// The index objects, and when the conflicts are looked up, their users are gone.
pub(crate) async fn a_batch_whose_conflict_disappears_is_tried_again(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        // No trigger of SQLite's can feign it; what decides does not differ by engine.
        return;
    }
    let database = object(&db, "INSERT", 2, Objection::Duplicate).await;
    let users = users_of(&database);
    let created = users.create_many(batch(&["ann", "bob"])).await.unwrap();
    assert_eq!((created.len(), count(&db).await), (2, 2));
    assert_eq!(attempts(&db, &database).await, "4", "two refusals, then two rows");
}

pub(crate) async fn a_batch_whose_conflict_is_never_found_is_given_up(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        return;
    }
    let database = object(&db, "INSERT", 1000, Objection::Duplicate).await;
    let refused = users_of(&database).create_many(batch(&["ann"])).await.unwrap_err();
    assert!(matches!(refused, UserError::DatabaseUnavailable(_)), "{refused:?}");
    assert_eq!(attempts(&db, &database).await, (MAX_RETRIES + 1).to_string());
}

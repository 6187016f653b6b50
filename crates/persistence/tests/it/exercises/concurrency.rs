//! Solutions of the exercises in the chapter on concurrency.

use domain::{Email, NewUser, Timestamp, User};
use futures_util::{StreamExt, stream};
use persistence::{Database, PersistenceError, UserRepository, test_db::TestDatabase};
use tokio::{task::JoinSet, try_join};

use crate::support::{EVERYBODY, count, email, insert, new_user, new_users};

// ANCHOR: create-each
/// Creates each of these users for itself, at most four at once, and says of each, in their order, how it went.
async fn create_each(database: &Database, new_users: Vec<NewUser>) -> Vec<Result<User, PersistenceError>> {
    let creations = new_users.into_iter().map(|new_user| async move {
        UserRepository::new(database.writer())
            .insert(new_user, Timestamp::now())
            .await
    });
    stream::iter(creations).buffered(4).collect().await
}
// ANCHOR_END: create-each

pub(crate) async fn each_of_many_is_told_how_it_went(db: TestDatabase) {
    let mut users = new_users(12);
    insert(&db, users[7].clone()).await;
    users[3] = users[2].clone();
    let outcomes = create_each(db.database(), users.clone()).await;
    assert_eq!(outcomes.len(), 12);
    for (position, (outcome, asked)) in outcomes.iter().zip(&users).enumerate() {
        match outcome {
            Ok(user) => assert_eq!(user.email, asked.email),
            Err(PersistenceError::EmailTaken) => assert!([2, 3, 7].contains(&position), "{position}"),
            Err(error) => panic!("{error}"),
        }
    }
    // Of the two with one address, one was created; which, nobody can say.
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 10);
    assert_eq!(count(&db).await, 11);
}

/// What somebody looks at first.
struct Overview {
    count: u64,
    newest: Vec<User>,
    looked_for: Option<User>,
}

// ANCHOR: overview
/// Asks three questions at once, on three connections if the pool has them, and stops at the first error.
async fn overview(database: &Database, email: &Email) -> Result<Overview, PersistenceError> {
    let users = UserRepository::new(database.reader());
    let (count, newest, looked_for) = try_join!(
        users.count(&EVERYBODY),
        users.page(&EVERYBODY, 0, 3),
        users.find_by_email(email),
    )?;
    Ok(Overview {
        count,
        newest,
        looked_for,
    })
}
// ANCHOR_END: overview

pub(crate) async fn three_questions_are_answered_together(db: TestDatabase) {
    for user in new_users(5) {
        insert(&db, user).await;
    }
    let overview = overview(db.database(), &email("user1@example.com")).await.unwrap();
    assert_eq!((overview.count, overview.newest.len()), (5, 3));
    assert_eq!(overview.looked_for.unwrap().email, email("user1@example.com"));
}

// ANCHOR: first-come
/// Lets everybody try for the same address. Who got it, and how many did not? Any other failure ends it for all.
async fn first_come(database: &Database, candidates: Vec<NewUser>) -> Result<(Option<User>, usize), PersistenceError> {
    let mut tasks = JoinSet::new();
    for candidate in candidates {
        let database = database.clone();
        tasks.spawn(async move {
            let users = UserRepository::new(database.writer());
            users.insert(candidate, Timestamp::now()).await
        });
    }
    let (mut winner, mut losers) = (None, 0);
    while let Some(finished) = tasks.join_next().await {
        match finished.unwrap() {
            Ok(user) => winner = Some(user),
            Err(PersistenceError::EmailTaken) => losers += 1,
            // Leaving drops the set, which aborts those that are still running.
            Err(error) => return Err(error),
        }
    }
    Ok((winner, losers))
}
// ANCHOR_END: first-come

pub(crate) async fn of_many_who_want_one_address_one_gets_it(db: TestDatabase) {
    let candidates = (0..20).map(|number| new_user(&format!("Racer {number}"), "race@example.com"));
    let (winner, losers) = first_come(db.database(), candidates.collect()).await.unwrap();
    assert_eq!(losers, 19);
    let stored = UserRepository::new(db.database().writer())
        .find_by_email(&email("race@example.com"))
        .await;
    assert_eq!(stored.unwrap(), winner);
    assert!(winner.is_some());
}

//! Transactions that the database ends in favour of others, and that are run again.

use std::{
    mem::replace,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use domain::{Precondition, Timestamp, UserChanges, UserId};
use persistence::{
    Database, DatabaseOptions, PersistenceError, RetryReason, UserRepository,
    test_db::{TestDatabase, TestEngine},
};
use service::{MAX_RETRIES, UserError, UserService, UserServiceOptions};
use tokio::sync::Barrier;

use crate::support::{
    Objection, attempts, count, eventually, new_user, object, options, rename, retries, runtime, settled, stored,
    users_of,
};

/// Another pool on the same SQLite file whose writer does not wait for the lock.
async fn impatient(db: &TestDatabase) -> Database {
    let impatient = Database::open(&db.options()).await.unwrap();
    db.query(impatient.writer(), "PRAGMA busy_timeout = 0").await;
    impatient
}

pub(crate) async fn the_victim_of_a_deadlock_is_run_again(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        // One writer at a time cannot deadlock.
        return;
    }
    let users = users_of(db.database());
    let ann = users.create(new_user("Ann", "ann@example.com")).await.unwrap().id;
    let bob = users.create(new_user("Bob", "bob@example.com")).await.unwrap().id;
    let (runs, (retries, counters)) = (AtomicU32::new(0), retries());
    let both_hold_a_row = Barrier::new(2);
    let cross = |first: UserId, second: UserId, changes: UserChanges| {
        let (db, runs, both_hold_a_row, mut is_first_run) = (&db, &runs, &both_hold_a_row, true);
        retries.run(move || {
            let meet = replace(&mut is_first_run, false);
            let changes = changes.clone();
            async move {
                runs.fetch_add(1, Ordering::Relaxed);
                let transaction = db.database().begin().await?;
                let users = UserRepository::new(&transaction);
                users
                    .update(first, &changes, &Precondition::None, Timestamp::now())
                    .await?;
                if meet {
                    both_hold_a_row.wait().await;
                }
                users
                    .update(second, &changes, &Precondition::None, Timestamp::now())
                    .await?;
                transaction.commit().await
            }
        })
    };
    let outcomes = tokio::join!(cross(ann, bob, rename("1")), cross(bob, ann, rename("2")));
    assert!(outcomes.0.is_ok() && outcomes.1.is_ok(), "{outcomes:?}");
    assert!(runs.load(Ordering::Relaxed) >= 3, "there was no deadlock");
    assert_eq!(counters.total() + 2, u64::from(runs.load(Ordering::Relaxed)));
    let (ann, bob) = (stored(&db, ann).await.unwrap(), stored(&db, bob).await.unwrap());
    assert_eq!((ann.version, bob.version), (3, 3), "each happened once");
    assert_eq!(ann.name, bob.name, "one after the other");
}

/// PostgreSQL calls it a serialization failure, MariaDB error 1020; MySQL lets the write pass.
pub(crate) async fn a_write_based_on_outdated_reads_is_run_again(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        // A transaction that will write takes the lock before it reads.
        return;
    }
    let ann = users_of(db.database())
        .create(new_user("Ann", "ann@example.com"))
        .await
        .unwrap();
    let set_up = match db.engine() {
        TestEngine::Postgres => "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        TestEngine::MariaDb => "SET SESSION innodb_snapshot_isolation = ON",
        TestEngine::MySql | TestEngine::Sqlite => "DO 0",
    };
    let (runs, (retries, _)) = (AtomicU32::new(0), retries());
    let outcome = retries.run(|| async {
        let transaction = db.database().begin().await?;
        db.query(&transaction, set_up).await;
        let mine = UserRepository::new(&transaction);
        mine.find(ann.id).await?;
        if runs.fetch_add(1, Ordering::Relaxed) == 0 {
            let others = UserRepository::new(db.database().writer());
            // Two statements of another session: what this one has read is outdated now.
            assert!(others.delete(ann.id, &Precondition::None).await?);
            db.execute(&format!(
                "INSERT INTO users (id, name, email) VALUES ({}, 'Other', 'ann@example.com')",
                ann.id
            ))
            .await;
        }
        mine.update(ann.id, &rename("Mine"), &Precondition::None, Timestamp::now())
            .await?;
        transaction.commit().await
    });
    outcome.await.unwrap();
    let expected = if db.engine() == TestEngine::MySql { 1 } else { 2 };
    assert_eq!(runs.load(Ordering::Relaxed), expected);
    assert_eq!(stored(&db, ann.id).await.unwrap().name.as_str(), "Mine");
}

pub(crate) async fn a_transaction_that_finds_sqlite_busy_is_run_again(db: TestDatabase) {
    if db.engine() != TestEngine::Sqlite {
        return;
    }
    let holder = Mutex::new(Some(db.database().begin().await.unwrap()));
    let other = impatient(&db).await;
    let (runs, (retries, counters)) = (AtomicU32::new(0), retries());
    let outcome = retries.run(|| async {
        if runs.fetch_add(1, Ordering::Relaxed) == 2 {
            let holder = holder.lock().unwrap().take();
            holder.unwrap().rollback().await?;
        }
        let transaction = other.begin().await?;
        UserRepository::new(&transaction)
            .insert(new_user("Ann", "ann@example.com"), Timestamp::now())
            .await?;
        transaction.commit().await
    });
    outcome.await.unwrap();
    assert_eq!((runs.load(Ordering::Relaxed), count(&db).await), (3, 1));
    assert_eq!(counters.total(), 2);
    other.close().await.unwrap();
}

pub(crate) async fn a_conflict_that_does_not_pass_is_reported_after_three_repetitions(db: TestDatabase) {
    let ann = users_of(db.database())
        .create(new_user("Ann", "ann@example.com"))
        .await
        .unwrap();
    // On SQLite another pool holds the lock, elsewhere a trigger objects.
    let (database, holder) = if db.engine() == TestEngine::Sqlite {
        (impatient(&db).await, Some(db.database().begin().await.unwrap()))
    } else {
        (object(&db, "UPDATE", 1000, Objection::Conflict).await, None)
    };
    let (runs, (retries, counters)) = (AtomicU32::new(0), retries());
    let outcome = retries.run(|| async {
        runs.fetch_add(1, Ordering::Relaxed);
        let transaction = database.begin().await?;
        UserRepository::new(&transaction)
            .update(ann.id, &rename("Anna"), &Precondition::None, Timestamp::now())
            .await?;
        transaction.commit().await
    });
    let refused = outcome.await.unwrap_err();
    assert!(refused.retry_reason() == Some(RetryReason::Conflict), "{refused:?}");
    assert_eq!(runs.load(Ordering::Relaxed), MAX_RETRIES + 1);
    assert_eq!(counters.total(), u64::from(MAX_RETRIES));
    // The use case does the same, and says that the database is busy.
    let refused = users_of(&database)
        .update(ann.id, rename("Anna"), Precondition::None)
        .await
        .unwrap_err();
    assert!(
        matches!(
            refused,
            UserError::DatabaseUnavailable(PersistenceError::TransactionConflict(_))
        ),
        "{refused:?}"
    );
    if let Some(holder) = holder {
        holder.rollback().await.unwrap();
    } else {
        assert_eq!(attempts(&db, &database).await, (2 * (MAX_RETRIES + 1)).to_string());
    }
    settled(&database).await;
    assert_eq!(stored(&db, ann.id).await.unwrap(), ann);
}

pub(crate) async fn use_cases_survive_as_many_conflicts_as_are_retried(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        return;
    }
    let ann = new_user("Ann", "ann@example.com");
    let of_create = object(&db, "INSERT", MAX_RETRIES, Objection::Conflict).await;
    let ann = users_of(&of_create).create(ann).await.unwrap();
    assert_eq!(attempts(&db, &of_create).await, (MAX_RETRIES + 1).to_string());
    db.execute(match db.engine() {
        TestEngine::Postgres => "DROP TRIGGER objection ON users; DROP FUNCTION object; DROP SEQUENCE attempts",
        _ => "DROP TRIGGER objection",
    })
    .await;
    let of_update = object(&db, "UPDATE", MAX_RETRIES, Objection::Conflict).await;
    let anna = users_of(&of_update)
        .update(ann.id, rename("Anna"), Precondition::None)
        .await
        .unwrap();
    assert_eq!((anna.version, anna.name.as_str()), (2, "Anna"));
    assert_eq!(attempts(&db, &of_update).await, (MAX_RETRIES + 1).to_string());
}

pub(crate) async fn what_is_no_conflict_is_not_run_again(db: TestDatabase) {
    users_of(db.database())
        .create(new_user("Ann", "ann@example.com"))
        .await
        .unwrap();
    let (runs, (retries, counters)) = (AtomicU32::new(0), retries());
    let outcome = retries.run(|| async {
        runs.fetch_add(1, Ordering::Relaxed);
        UserRepository::new(db.database().writer())
            .insert(new_user("Ann", "ann@example.com"), Timestamp::now())
            .await
    });
    let refused = outcome.await.unwrap_err();
    assert!(matches!(refused, PersistenceError::EmailTaken), "{refused:?}");
    assert_eq!(runs.swap(0, Ordering::Relaxed), 1);

    let closed = Database::open(&DatabaseOptions { ..db.options() }).await.unwrap();
    closed.close().await.unwrap();
    let outcome = retries.run(|| async {
        runs.fetch_add(1, Ordering::Relaxed);
        closed.begin().await
    });
    let refused = outcome.await.unwrap_err();
    assert!(matches!(refused, PersistenceError::Unavailable(_)), "{refused:?}");
    assert_eq!((runs.load(Ordering::Relaxed), counters.total()), (1, 0));
}

/// Gives each wait for a row a second, and a statement five.
async fn impatient_for_rows(db: &TestDatabase) -> Database {
    let options = DatabaseOptions {
        statement_timeout: Some(Duration::from_secs(5)),
        ..db.options()
    };
    Database::open(&options).await.unwrap()
}

pub(crate) async fn a_transaction_that_waited_too_long_for_a_row_is_run_again(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        // There the whole database is locked, which is a conflict.
        return;
    }
    let ann = users_of(db.database())
        .create(new_user("Ann", "ann@example.com"))
        .await
        .unwrap();
    let database = impatient_for_rows(&db).await;
    let users = users_of(&database);
    let holder = db.database().begin().await.unwrap();
    let held = UserRepository::new(&holder)
        .update(ann.id, &rename("Held"), &Precondition::None, Timestamp::now())
        .await;
    held.unwrap();
    let update = tokio::spawn({
        let users = users.clone();
        async move { users.update(ann.id, rename("Anna"), Precondition::None).await }
    });
    let counters = users.counters().retries.clone();
    eventually("a wait was given up", || async { counters.lock_timeouts.get() > 0 }).await;
    holder.commit().await.unwrap();
    let anna = update.await.unwrap().unwrap();
    assert_eq!(
        (anna.name.as_str(), anna.version),
        ("Anna", 3),
        "after the holder's, and once"
    );
    assert_eq!(counters.total(), counters.lock_timeouts.get());
    settled(&database).await;
}

pub(crate) async fn what_somebody_no_longer_waits_for_is_not_run_again(db: TestDatabase) {
    let ann = users_of(db.database())
        .create(new_user("Ann", "ann@example.com"))
        .await
        .unwrap();
    let database = match db.engine() {
        TestEngine::Sqlite => impatient(&db).await,
        _ => impatient_for_rows(&db).await,
    };
    let options = UserServiceOptions {
        request_timeout: Duration::ZERO,
        ..options()
    };
    let users = UserService::new(database.clone(), runtime(), options);
    let holder = db.database().begin().await.unwrap();
    let held = UserRepository::new(&holder)
        .update(ann.id, &rename("Held"), &Precondition::None, Timestamp::now())
        .await;
    held.unwrap();
    let refused = users
        .update(ann.id, rename("Anna"), Precondition::None)
        .await
        .unwrap_err();
    assert!(matches!(refused, UserError::DatabaseUnavailable(_)), "{refused:?}");
    assert_eq!(users.counters().retries.total(), 0);
    holder.rollback().await.unwrap();
    settled(&database).await;
    assert_eq!(stored(&db, ann.id).await.unwrap(), ann);
}

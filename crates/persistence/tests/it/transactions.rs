//! Transactions, and what becomes of them when things go wrong.

use domain::Precondition;
use std::{
    future::poll_fn,
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use persistence::{
    Database, DatabaseOptions, PersistenceError, RetryReason, UserRepository,
    test_db::{TestDatabase, TestEngine},
};

use crate::support::{at, count, insert, name, new_user};

pub(crate) async fn dropping_a_transaction_rolls_back(db: TestDatabase) {
    let transaction = db.database().begin().await.unwrap();
    UserRepository::new(&transaction)
        .insert(new_user("Ann", "ann@example.com"), at(0))
        .await
        .unwrap();
    drop(transaction);
    assert_eq!(count(&db).await, 0);
    let transaction = db.database().begin().await.unwrap();
    UserRepository::new(&transaction)
        .insert(new_user("Ann", "ann@example.com"), at(0))
        .await
        .unwrap();
    transaction.rollback().await.unwrap();
    assert_eq!(count(&db).await, 0);
}

/// Without the shield around BEGIN the cancelled call leaves its connection inside an open transaction, and the insert of
/// the next borrower vanishes with it.
pub(crate) async fn a_begin_that_is_cancelled_anywhere_loses_no_later_write(db: TestDatabase) {
    // One connection, so that the next borrower gets the one that was cancelled on.
    let narrow = Database::open(&DatabaseOptions {
        max_connections: 1,
        ..db.options()
    })
    .await
    .unwrap();
    let mut written = 0;
    for polls in 0..40 {
        let finished = {
            let mut begin = pin!(narrow.begin());
            let mut left = polls;
            poll_fn(|context| {
                if left == 0 {
                    return Poll::Ready(false);
                }
                left -= 1;
                match begin.as_mut().poll(context) {
                    Poll::Ready(outcome) => Poll::Ready(outcome.is_ok()),
                    Poll::Pending => {
                        // Poll again at once: every point where it can wait is a point to cancel at.
                        context.waker().wake_by_ref();
                        Poll::Pending
                    }
                }
            })
            .await
        };
        // Cancel later and later in time as well, since a wake-up comes sooner than an answer.
        if !finished {
            let _ = tokio::time::timeout(Duration::from_micros(polls * 20), narrow.begin()).await;
        }
        let new = new_user("Ann", &format!("ann{polls}@example.com"));
        UserRepository::new(narrow.writer()).insert(new, at(0)).await.unwrap();
        written += 1;
        assert_eq!(count(&db).await, written, "the insert after {polls} polls was lost");
    }
    narrow.close().await.unwrap();
}

pub(crate) async fn a_deadlock_is_a_conflict_that_may_be_retried(db: TestDatabase) {
    let ann = insert(&db, new_user("Ann", "ann@example.com")).await;
    let bob = insert(&db, new_user("Bob", "bob@example.com")).await;
    let rename = |text: &str| domain::UserChanges::new(Some(name(text)), None).unwrap();
    if db.engine() == TestEngine::Sqlite {
        // One writer at a time cannot deadlock; another process that holds the lock for too long is the conflict.
        let impatient = DatabaseOptions {
            acquire_timeout: Duration::from_millis(100),
            ..db.options()
        };
        let holder = db.database().begin().await.unwrap();
        let other = Database::open(&impatient).await.unwrap();
        let refused = tokio::time::timeout(
            Duration::from_secs(20),
            UserRepository::new(other.writer()).delete(ann.id, &Precondition::None),
        )
        .await;
        let refused = refused.unwrap().unwrap_err();
        assert!(refused.retry_reason() == Some(RetryReason::Conflict), "{refused:?}");
        holder.rollback().await.unwrap();
        return;
    }
    let (first, second) = (
        db.database().begin().await.unwrap(),
        db.database().begin().await.unwrap(),
    );
    UserRepository::new(&first)
        .update(ann.id, &rename("1"), &Precondition::None, at(1))
        .await
        .unwrap();
    UserRepository::new(&second)
        .update(bob.id, &rename("2"), &Precondition::None, at(1))
        .await
        .unwrap();
    let (first_repository, second_repository) = (UserRepository::new(&first), UserRepository::new(&second));
    let (left, right) = (rename("1"), rename("2"));
    let crossed = futures_util::future::join(
        first_repository.update(bob.id, &left, &Precondition::None, at(1)),
        second_repository.update(ann.id, &right, &Precondition::None, at(1)),
    );
    let (left, right) = crossed.await;
    let refused = left.and(right).unwrap_err();
    assert!(refused.retry_reason() == Some(RetryReason::Conflict), "{refused:?}");
}

pub(crate) async fn a_full_pool_is_reported_as_unavailable_in_time(db: TestDatabase) {
    let options = DatabaseOptions {
        max_connections: 1,
        acquire_timeout: Duration::from_millis(300),
        ..db.options()
    };
    let narrow = Database::open(&options).await.unwrap();
    let holder = narrow.begin().await.unwrap();
    let start = Instant::now();
    let refused = narrow.begin().await.unwrap_err();
    assert!(matches!(refused, PersistenceError::Unavailable(_)), "{refused:?}");
    assert!(start.elapsed() < Duration::from_secs(3));
    holder.rollback().await.unwrap();
    narrow.begin().await.unwrap().rollback().await.unwrap();
    narrow.close().await.unwrap();
}

/// Pools whose statements may take a while, and wait for a row for a second.
async fn strict(db: &TestDatabase) -> Database {
    let options = DatabaseOptions {
        statement_timeout: Some(Duration::from_secs(5)),
        ..db.options()
    };
    Database::open(&options).await.unwrap()
}

pub(crate) async fn a_statement_that_runs_too_long_is_ended(db: TestDatabase) {
    let sleeping = match db.engine() {
        // It runs in this process, which has no limit to set.
        TestEngine::Sqlite => return,
        TestEngine::Postgres => "SELECT * FROM hidden WHERE pg_sleep(60) IS NOT NULL",
        TestEngine::MySql | TestEngine::MariaDb => "SELECT * FROM hidden WHERE SLEEP(60) = 0",
    };
    insert(&db, new_user("Ann", "ann@example.com")).await;
    db.execute("ALTER TABLE users RENAME TO hidden").await;
    db.execute(&format!("CREATE VIEW users AS {sleeping}")).await;
    let strict = strict(&db).await;
    let start = Instant::now();
    let users = UserRepository::new(strict.writer());
    let refused = users.count(&crate::support::EVERYBODY).await.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert!(matches!(refused, PersistenceError::StatementTimeout(_)), "{refused:?}");
    assert_eq!(refused.retry_reason(), None);
    strict.close().await.unwrap();
}

pub(crate) async fn a_wait_for_a_row_that_takes_too_long_is_ended_and_may_be_run_again(db: TestDatabase) {
    let ann = insert(&db, new_user("Ann", "ann@example.com")).await;
    let strict = strict(&db).await;
    let holder = db.database().begin().await.unwrap();
    let held = UserRepository::new(&holder).delete(ann.id, &Precondition::None).await;
    assert!(held.unwrap());
    let start = Instant::now();
    let users = UserRepository::new(strict.writer());
    let refused = users.delete(ann.id, &Precondition::None).await.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(9), "{:?}", start.elapsed());
    let expected = match db.engine() {
        // The lock is that of the whole database.
        TestEngine::Sqlite => RetryReason::Conflict,
        _ => RetryReason::LockTimeout,
    };
    assert_eq!(refused.retry_reason(), Some(expected), "{refused:?}");
    holder.rollback().await.unwrap();
    assert!(users.delete(ann.id, &Precondition::None).await.unwrap());
    strict.close().await.unwrap();
}

/// Also where the server's own clock must do it, because the program that asked is gone.
pub(crate) async fn every_session_is_told_how_long_a_statement_may_take(db: TestDatabase) {
    let (limits, limited, unlimited) = match db.engine() {
        // It runs within this process and has no sessions.
        TestEngine::Sqlite => return,
        TestEngine::MySql => (
            "SELECT CONCAT(@@SESSION.max_execution_time, ' ', @@SESSION.innodb_lock_wait_timeout)",
            "2500 1",
            "0 50",
        ),
        TestEngine::MariaDb => (
            "SELECT CONCAT_WS(' ', @@SESSION.max_statement_time, @@SESSION.innodb_lock_wait_timeout, \
             @@SESSION.idle_transaction_timeout)",
            "2.500000 1 2",
            "0.000000 50 0",
        ),
        TestEngine::Postgres => (
            "SELECT concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'), \
             current_setting('idle_in_transaction_session_timeout'))",
            "2500ms 500ms 2500ms",
            "0 0 0",
        ),
    };
    for (statement_timeout, expected) in [(Some(Duration::from_millis(2500)), limited), (None, unlimited)] {
        let options = DatabaseOptions {
            statement_timeout,
            ..db.options()
        };
        let database = Database::open(&options).await.unwrap();
        // Two at once are two sessions.
        let (first, second) = (database.begin().await.unwrap(), database.begin().await.unwrap());
        for session in [first, second] {
            assert_eq!(db.query(&session, limits).await, [[expected]]);
            session.rollback().await.unwrap();
        }
        database.close().await.unwrap();
    }
}

/// MySQL lets such a user in over TLS or with RSA only; once it knows the password it is less strict, and MariaDB always is.
pub(crate) async fn a_user_that_never_logged_in_before_is_let_in(db: TestDatabase) {
    if db.engine() != TestEngine::MySql {
        // The others have no authentication that depends on earlier logins.
        db.database().ping(Duration::from_secs(5)).await.unwrap();
        return;
    }
    let mut url = url::Url::parse(db.url()).unwrap();
    let name = format!("u{}", &url.path()[url.path().len() - 20..]);
    db.execute(&format!(
        "CREATE USER '{name}'@'%' IDENTIFIED WITH caching_sha2_password BY 'never:used/before'"
    ))
    .await;
    // Without a privilege on any database it can still log in.
    url.set_path("");
    url.set_username(&name).unwrap();
    url.set_password(Some("never:used/before")).unwrap();
    let options = DatabaseOptions {
        url: url.as_str().into(),
        ..db.options()
    };
    let database = Database::open(&options).await.unwrap();
    database.try_connection().await.unwrap();
    database.ping(Duration::from_secs(5)).await.unwrap();
    database.close().await.unwrap();
    db.execute(&format!("DROP USER '{name}'@'%'")).await;
}

pub(crate) async fn pool_status_counts_what_is_in_use(db: TestDatabase) {
    let in_use = || db.database().pool_status().iter().map(|pool| pool.in_use).sum::<u32>();
    // A connection is handed back in the background.
    let settles_at = async |expected| {
        for _ in 0..200 {
            if in_use() == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never {expected} in use: {:?}", db.database().pool_status());
    };
    settles_at(0).await;
    let transaction = db.database().begin().await.unwrap();
    settles_at(1).await;
    transaction.rollback().await.unwrap();
    settles_at(0).await;
}

pub(crate) async fn a_question_for_health_does_not_queue_behind_a_full_pool(db: TestDatabase) {
    let narrow = Database::open(&DatabaseOptions {
        max_connections: 1,
        ..db.options()
    })
    .await
    .unwrap();
    let holder = narrow.begin().await.unwrap();
    narrow.ping(Duration::from_secs(2)).await.unwrap();
    holder.rollback().await.unwrap();
    narrow.close().await.unwrap();
}

/// Whoever copies the file of a SQLite database that was stopped has everything. A server keeps its own files.
pub(crate) async fn what_was_committed_is_in_the_file_after_closing(db: TestDatabase) {
    insert(&db, new_user("Ann", "ann@example.com")).await;
    db.database().close().await.unwrap();
    if db.engine() == TestEngine::Sqlite {
        let file = db
            .url()
            .trim_start_matches("sqlite://")
            .trim_end_matches("?mode=rwc")
            .to_owned();
        let copy = format!("{file}.copy");
        std::fs::copy(&file, &copy).unwrap();
        let copied = DatabaseOptions {
            url: format!("sqlite://{copy}").into(),
            ..db.options()
        };
        let copied = Database::open(&copied).await.unwrap();
        let users = UserRepository::new(copied.reader());
        assert_eq!(users.count(&crate::support::EVERYBODY).await.unwrap(), 1);
        copied.close().await.unwrap();
    }
}

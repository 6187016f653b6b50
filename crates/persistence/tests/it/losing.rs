//! Connections that are lost: what is known then of what was under way on them, and what becomes of the others.

use std::time::{Duration, Instant};

use domain::Precondition;
use persistence::{
    Database, DatabaseOptions, Executor, PersistenceError, RetryReason, UserRepository,
    test_db::{TestDatabase, TestEngine},
};

use crate::support::{EVERYBODY, at, count, insert, new_user};

/// The session that `executor` is on.
async fn session_of(db: &TestDatabase, executor: &impl Executor) -> String {
    let ask = match db.engine() {
        TestEngine::Postgres => "SELECT CAST(pg_backend_pid() AS TEXT)",
        _ => "SELECT CAST(CONNECTION_ID() AS CHAR)",
    };
    db.query(executor, ask).await.concat().concat()
}

/// Waits until all connections are back in their pool. On their way they are asked whether they are still there.
async fn at_rest(database: &Database) {
    eventually("all connections are at rest", async || {
        database.pool_status().iter().all(|pool| pool.in_use == 0)
    })
    .await;
}

/// Asks again and again, for at most ten seconds.
async fn eventually<Condition>(what: &str, mut condition: impl FnMut() -> Condition)
where
    Condition: Future<Output = bool>,
{
    for _ in 0..5000 {
        if condition().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("never came true: {what}");
}

/// Ends the session that `executor` is on.
async fn kill_session_of(db: &TestDatabase, executor: &impl Executor) {
    kill(db, &session_of(db, executor).await).await;
}

/// Ends the session of a pool of one connection while nobody uses it.
async fn kill_session_at_rest(db: &TestDatabase, one: &Database) {
    let session = session_of(db, one.writer()).await;
    at_rest(one).await;
    kill(db, &session).await;
}

/// Ends a session as an administrator does.
async fn kill(db: &TestDatabase, session: &str) {
    db.execute(&match db.engine() {
        TestEngine::Postgres => format!("SELECT pg_terminate_backend({session})"),
        _ => format!("KILL {session}"),
    })
    .await;
    // The server ends it in its own time.
    let alive = match db.engine() {
        TestEngine::Postgres => format!("SELECT CAST(pid AS TEXT) FROM pg_stat_activity WHERE pid = {session}"),
        _ => format!("SELECT CAST(id AS CHAR) FROM information_schema.processlist WHERE id = {session}"),
    };
    eventually("the session has ended", async || {
        db.query(db.database().writer(), &alive).await.is_empty()
    })
    .await;
}

/// Pools of their own on the same database, of this size.
async fn pools(db: &TestDatabase, max_connections: u32) -> Database {
    let options = DatabaseOptions {
        max_connections,
        // However slow the machine is, none of them is asked before it is used.
        trusted_idle: Duration::from_hours(1),
        ..db.options()
    };
    Database::open(&options).await.unwrap()
}

pub(crate) async fn a_transaction_that_loses_its_connection_left_nothing_and_may_be_run_again(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        // Nothing can come between a process and itself.
        return;
    }
    let transaction = db.database().begin().await.unwrap();
    let users = UserRepository::new(&transaction);
    users.insert(new_user("Ann", "ann@example.com"), at(0)).await.unwrap();
    kill_session_of(&db, &transaction).await;
    let lost = users
        .insert(new_user("Bob", "bob@example.com"), at(0))
        .await
        .unwrap_err();
    assert!(matches!(lost, PersistenceError::ConnectionLost(_)), "{lost:?}");
    assert_eq!(lost.retry_reason(), Some(RetryReason::Connection));
    drop(transaction);
    assert_eq!(count(&db).await, 0);
}

pub(crate) async fn a_transaction_that_does_nothing_for_too_long_is_ended_and_may_be_run_again(db: TestDatabase) {
    if [TestEngine::Sqlite, TestEngine::MySql].contains(&db.engine()) {
        // There is no server, or it has no such limit.
        return;
    }
    let limit = Duration::from_secs(1);
    let options = DatabaseOptions {
        statement_timeout: Some(limit),
        ..db.options()
    };
    let impatient = Database::open(&options).await.unwrap();
    let transaction = impatient.begin().await.unwrap();
    let users = UserRepository::new(&transaction);
    users.insert(new_user("Ann", "ann@example.com"), at(0)).await.unwrap();
    tokio::time::sleep(limit * 2).await;
    let ended = users.count(&EVERYBODY).await.unwrap_err();
    assert!(matches!(ended, PersistenceError::ConnectionLost(_)), "{ended:?}");
    assert_eq!(ended.retry_reason(), Some(RetryReason::Connection));
    drop(transaction);
    assert_eq!(count(&db).await, 0);
    impatient.close().await.unwrap();
}

pub(crate) async fn nobody_knows_what_became_of_a_commit_whose_connection_is_lost(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        return;
    }
    let transaction = db.database().begin().await.unwrap();
    let users = UserRepository::new(&transaction);
    users.insert(new_user("Ann", "ann@example.com"), at(0)).await.unwrap();
    kill_session_of(&db, &transaction).await;
    let lost = transaction.commit().await.unwrap_err();
    assert!(matches!(lost, PersistenceError::OutcomeUnknown(_)), "{lost:?}");
    assert_eq!(lost.retry_reason(), None);
}

pub(crate) async fn nobody_knows_what_became_of_a_write_of_its_own_whose_connection_is_lost(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        return;
    }
    let ann = insert(&db, new_user("Ann", "ann@example.com")).await;
    let one = pools(&db, 1).await;
    kill_session_at_rest(&db, &one).await;
    let lost = UserRepository::new(one.writer())
        .delete(ann.id, &Precondition::None)
        .await
        .unwrap_err();
    assert!(matches!(lost, PersistenceError::OutcomeUnknown(_)), "{lost:?}");
    // What only reads may always be asked again.
    kill_session_at_rest(&db, &one).await;
    let lost = UserRepository::new(one.writer()).count(&EVERYBODY).await.unwrap_err();
    assert!(matches!(lost, PersistenceError::ConnectionLost(_)), "{lost:?}");
    assert_eq!(UserRepository::new(one.writer()).count(&EVERYBODY).await.unwrap(), 1);
    one.close().await.unwrap();
}

/// More than are found out by chance.
const CONNECTIONS: u32 = 8;

pub(crate) async fn the_first_lost_connection_is_a_warning_about_those_at_rest(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        return;
    }
    let several = pools(&db, CONNECTIONS).await;
    let mut open = Vec::new();
    for _ in 0..CONNECTIONS {
        open.push(several.begin().await.unwrap());
    }
    let mut sessions = Vec::new();
    for transaction in &open {
        sessions.push(session_of(&db, transaction).await);
    }
    for transaction in open {
        transaction.rollback().await.unwrap();
    }
    at_rest(&several).await;
    for session in sessions {
        kill(&db, &session).await;
    }
    let mut lost = 0;
    for number in 0..i64::from(CONNECTIONS) * 2 {
        let user = new_user("Ann", &format!("ann{number}@example.com"));
        let inserted = UserRepository::new(several.writer()).insert(user, at(number)).await;
        lost += u32::from(inserted.is_err());
    }
    assert_eq!(lost, 1, "of {CONNECTIONS} were found out by using them");
    several.close().await.unwrap();
}

pub(crate) async fn a_statement_that_waits_long_for_a_busy_pool_is_not_taken_for_lost(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        return;
    }
    let limit = Duration::from_secs(1);
    let options = DatabaseOptions {
        max_connections: 1,
        acquire_timeout: limit * 30,
        statement_timeout: Some(limit),
        ..db.options()
    };
    let one = Database::open(&options).await.unwrap();
    let transaction = one.begin().await.unwrap();
    let busy = async {
        // For longer than an answer may take once there is a connection.
        let begin = Instant::now();
        while begin.elapsed() < limit * 3 {
            db.query(&transaction, "SELECT 'busy'").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        transaction.commit().await.unwrap();
    };
    let ((), answer) = tokio::join!(busy, db.query(one.writer(), "SELECT 'answered'"));
    assert_eq!(answer.concat().concat(), "answered");
    one.close().await.unwrap();
}

pub(crate) async fn a_statement_that_nobody_waits_for_any_more_takes_its_connection_with_it(db: TestDatabase) {
    let one = pools(&db, 1).await;
    let sleep = match db.engine() {
        TestEngine::Sqlite => return,
        TestEngine::Postgres => "SELECT CAST(pg_sleep(30) AS TEXT)",
        _ => "SELECT CAST(SLEEP(30) AS CHAR)",
    };
    let asleep = tokio::time::timeout(Duration::from_millis(300), db.query(one.writer(), sleep)).await;
    assert!(asleep.is_err());
    // The connection would still sleep, and its answer be taken for that to the next question.
    let patience = Duration::from_secs(10);
    let answer = tokio::time::timeout(patience, db.query(one.writer(), "SELECT 'awake'")).await;
    assert_eq!(answer.unwrap().concat().concat(), "awake");
    one.close().await.unwrap();
}

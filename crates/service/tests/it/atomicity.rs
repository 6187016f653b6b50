//! A use case happens whole or not at all, whether it fails or is given up.

use std::{
    future::poll_fn,
    pin::pin,
    task::Poll,
    time::{Duration, Instant},
};

use domain::{Precondition, UserBatch, UserChanges};
use persistence::{
    Database, UserRepository,
    test_db::{TestDatabase, TestEngine},
};
use service::UserError;
use tokio::time::timeout;

use crate::support::{batch, count, email, eventually, new_user, rename, settled, stored, users_of};

/// The first statement changes the row and the second, which reads it back, finds that it breaks the rules.
pub(crate) async fn an_update_that_fails_after_its_change_leaves_nothing_behind(db: TestDatabase) {
    let users = users_of(db.database());
    let ann = users.create(new_user("Ann", "ann@example.com")).await.unwrap();
    db.execute("UPDATE users SET name = '  '").await;
    let change = UserChanges::new(None, Some(email("changed@example.com"))).unwrap();
    let refused = users.update(ann.id, change, Precondition::None).await.unwrap_err();
    assert!(matches!(refused, UserError::Internal(_)), "{refused:?}");
    settled(db.database()).await;
    let rows = db
        .query(db.database().writer(), "SELECT email, version FROM users")
        .await;
    assert_eq!(rows, [["ann@example.com", "1"]]);
    assert_all_connections_work(&db, db.database()).await;
}

/// Everything succeeds but the COMMIT.
pub(crate) async fn a_use_case_whose_commit_is_refused_leaves_nothing_behind(db: TestDatabase) {
    match db.engine() {
        // A constraint that is checked at COMMIT.
        TestEngine::Sqlite => {
            db.execute(
                "CREATE TABLE audit (user_id BIGINT REFERENCES users (id) DEFERRABLE INITIALLY DEFERRED); \
                 CREATE TRIGGER audit_insert AFTER INSERT ON users BEGIN INSERT INTO audit VALUES (-1); END; \
                 CREATE TRIGGER audit_update AFTER UPDATE ON users BEGIN INSERT INTO audit VALUES (-1); END;",
            )
            .await;
        }
        TestEngine::Postgres => {
            db.execute(
                "CREATE FUNCTION object() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$; \
                 CREATE CONSTRAINT TRIGGER objection AFTER INSERT OR UPDATE ON users DEFERRABLE INITIALLY DEFERRED \
                 FOR EACH ROW EXECUTE FUNCTION object();",
            )
            .await;
        }
        // They have no constraint of this kind.
        TestEngine::MySql | TestEngine::MariaDb => return,
    }
    let users = users_of(db.database());
    for _ in 0..15 {
        let refused = users.create_many(batch(&["ann", "bob"])).await.unwrap_err();
        assert!(matches!(refused, UserError::Internal(_)), "{refused:?}");
        settled(db.database()).await;
        assert_eq!(count(&db).await, 0);
    }
    let triggers = match db.engine() {
        TestEngine::Sqlite => "DROP TRIGGER audit_insert",
        _ => "ALTER TABLE users DISABLE TRIGGER objection",
    };
    db.execute(triggers).await;
    let ann = users.create(new_user("Ann", "ann@example.com")).await.unwrap();
    if db.engine() == TestEngine::Postgres {
        db.execute("ALTER TABLE users ENABLE TRIGGER objection").await;
    }
    let refused = users
        .update(ann.id, rename("Anna"), Precondition::None)
        .await
        .unwrap_err();
    assert!(matches!(refused, UserError::Internal(_)), "{refused:?}");
    settled(db.database()).await;
    assert_eq!(stored(&db, ann.id).await.unwrap(), ann);
}

/// The server ends the session of the use case while it waits, as an operator or a failover would.
pub(crate) async fn a_use_case_whose_connection_breaks_leaves_nothing_behind(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        // There is no connection to break.
        return;
    }
    let users = users_of(db.database());
    let ann = users.create(new_user("Ann", "ann@example.com")).await.unwrap();
    let holder = db.database().begin().await.unwrap();
    UserRepository::new(&holder)
        .delete(ann.id, &Precondition::None)
        .await
        .unwrap();
    let update = tokio::spawn({
        let users = users.clone();
        async move { users.update(ann.id, rename("Anna"), Precondition::None).await }
    });
    let waiting = match db.engine() {
        TestEngine::Postgres => {
            "SELECT CAST(pid AS TEXT) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        }
        _ => {
            "SELECT CAST(id AS CHAR) FROM information_schema.processlist \
             WHERE db = DATABASE() AND info LIKE 'UPDATE `users`%'"
        }
    };
    eventually("the update waits for the row", || async {
        !db.query(db.database().writer(), waiting).await.is_empty()
    })
    .await;
    let sessions = db.query(db.database().writer(), waiting).await.concat();
    let kill = match db.engine() {
        TestEngine::Postgres => format!("SELECT pg_terminate_backend({})", sessions[0]),
        _ => format!("KILL {}", sessions[0]),
    };
    db.execute(&kill).await;
    let refused = update.await.unwrap().unwrap_err();
    assert!(matches!(refused, UserError::DatabaseUnavailable(_)), "{refused:?}");
    holder.rollback().await.unwrap();
    assert_eq!(stored(&db, ann.id).await.unwrap(), ann);
    assert_all_connections_work(&db, db.database()).await;
}

pub(crate) async fn an_update_that_is_given_up_while_it_waits_is_undone(db: TestDatabase) {
    let users = users_of(db.database());
    let ann = users.create(new_user("Ann", "ann@example.com")).await.unwrap();
    // More often than the pool has connections: none may be lost.
    for _ in 0..15 {
        let holder = db.database().begin().await.unwrap();
        UserRepository::new(&holder)
            .delete(ann.id, &Precondition::None)
            .await
            .unwrap();
        let given_up = timeout(
            Duration::from_millis(60),
            users.update(ann.id, rename("Anna"), Precondition::None),
        )
        .await;
        assert!(given_up.is_err(), "it did not wait for the row: {given_up:?}");
        holder.rollback().await.unwrap();
        settled(db.database()).await;
        assert_eq!(stored(&db, ann.id).await.unwrap(), ann);
    }
    assert_all_connections_work(&db, db.database()).await;
    assert_eq!(
        users
            .update(ann.id, rename("Anna"), Precondition::None)
            .await
            .unwrap()
            .version,
        2
    );
}

pub(crate) async fn a_batch_that_is_given_up_at_any_point_is_never_there_in_part(db: TestDatabase) {
    const STEPS: usize = 60;
    const COMPLETED: usize = 5;
    // A pool of its own: one that lost connections could not even be closed.
    let database = Database::open(&db.options()).await.unwrap();
    let users = users_of(&database);
    // Each batch has a size of its own, so that every one is prepared anew by the server: that can be cut off as well.
    let some = |size: usize| {
        let new = (0..size).map(|number| new_user(&size.to_string(), &format!("ann{size}-{number}@example.com")));
        UserBatch::new(new.collect()).unwrap()
    };
    let mut fastest = Duration::MAX;
    let mut completed = Vec::new();
    for size in 1..=COMPLETED {
        let start = Instant::now();
        users.create_many(some(size)).await.unwrap();
        fastest = fastest.min(start.elapsed());
        completed.push(size);
    }
    for step in 0..STEPS {
        let (size, patience) = (COMPLETED + 1 + step, fastest * u32::try_from(step).unwrap() / 60);
        if let Some(created) = give_up_after(patience, users.create_many(some(size))).await {
            assert_eq!(created.unwrap().len(), size);
            completed.push(size);
        }
    }
    assert!(completed.len() < STEPS, "hardly any was given up: {completed:?}");
    assert_all_connections_work(&db, &database).await;
    let sizes = "SELECT name, COUNT(*) FROM users GROUP BY name";
    for batch in db.query(database.writer(), sizes).await {
        assert_eq!(batch[0], batch[1], "a batch of {} is there in part", batch[0]);
        completed.retain(|size| size.to_string() != batch[0]);
    }
    // A COMMIT that was on its way may have arrived, so there may be more than were reported; none may be missing.
    assert_eq!(completed, Vec::<usize>::new());
}

/// Outside of a transaction nothing is to be undone, and the connection is at stake all the same.
pub(crate) async fn a_look_up_that_is_given_up_at_any_point_costs_no_connection(db: TestDatabase) {
    const STEPS: usize = 60;
    let database = Database::open(&db.options()).await.unwrap();
    let users = users_of(&database);
    // A batch with a repeated address is not inserted; which others are taken is looked up. Sizes differ as above.
    let some = |size: usize| {
        let new = (0..size).map(|number| new_user("Ann", &format!("ann{}@example.com", number.max(1))));
        UserBatch::new(new.collect()).unwrap()
    };
    let mut fastest = Duration::MAX;
    for size in 2..7 {
        let start = Instant::now();
        let refused = users.create_many(some(size)).await.unwrap_err();
        assert!(matches!(refused, UserError::EmailsTaken(_)), "{refused:?}");
        fastest = fastest.min(start.elapsed());
    }
    let mut given_up = 0;
    for step in 0..STEPS {
        let patience = fastest * u32::try_from(step).unwrap() / 60;
        let outcome = give_up_after(patience, users.create_many(some(7 + step))).await;
        given_up += usize::from(outcome.is_none());
    }
    assert!(given_up > 5, "hardly any was given up: {given_up}");
    assert_all_connections_work(&db, &database).await;
}

/// What `work` ends with, or nothing when it is dropped first. Timers know milliseconds only, this one looks at the clock
/// all the time.
async fn give_up_after<T>(patience: Duration, work: impl Future<Output = T>) -> Option<T> {
    let (start, mut work) = (Instant::now(), pin!(work));
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
        Poll::Pending if start.elapsed() >= patience => Poll::Ready(None),
        Poll::Pending => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

/// As many transactions as the pool has connections, each of which must hold what is written through it.
async fn assert_all_connections_work(db: &TestDatabase, database: &Database) {
    settled(database).await;
    let before = count(db).await;
    let connections = match db.engine() {
        TestEngine::Sqlite => 1,
        _ => db.options().max_connections,
    };
    let mut open = Vec::new();
    for number in 0..connections {
        let transaction = database.begin().await.unwrap();
        UserRepository::new(&transaction)
            .insert(
                new_user("Probe", &format!("probe{number}@example.com")),
                domain::Timestamp::now(),
            )
            .await
            .unwrap();
        open.push(transaction);
    }
    for transaction in open {
        transaction.commit().await.unwrap();
    }
    assert_eq!(count(db).await, before + u64::from(connections));
    let sql = "DELETE FROM users WHERE name = 'Probe'";
    db.execute(sql).await;
}

//! Where database work runs, and what becomes of it when it panics, is given up, or loses its runtime.

use std::{panic::AssertUnwindSafe, time::Duration};

use domain::{Precondition, Timestamp};
use futures_util::FutureExt;
use persistence::{Database, UserRepository, test_db::TestDatabase};
use service::{DatabaseRuntime, HealthService, RuntimeStopped, UserError, UserService, UserServiceOptions};
use tokio::{runtime, time::timeout};

use crate::support::{count, new_user, rename, runtime, settled, stored, users_of};

fn another_runtime() -> runtime::Runtime {
    runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

pub(crate) async fn a_panic_reaches_the_caller_and_undoes_the_transaction(db: TestDatabase) {
    let database = db.database().clone();
    let runtime = runtime();
    let work = runtime.run(async move {
        let transaction = database.begin().await.unwrap();
        UserRepository::new(&transaction)
            .insert(new_user("Ann", "ann@example.com"), Timestamp::now())
            .await
            .unwrap();
        let count = count_in(&transaction).await;
        assert_ne!(count, 1, "of a kind that the caller knows");
        Ok::<_, UserError>(())
    });
    let panic = AssertUnwindSafe(work).catch_unwind().await.unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains("of a kind that the caller knows"), "{message}");
    settled(db.database()).await;
    assert_eq!(count(&db).await, 0);
    users_of(db.database())
        .create(new_user("Ann", "ann@example.com"))
        .await
        .unwrap();
}

async fn count_in(transaction: &persistence::Transaction) -> u64 {
    UserRepository::new(transaction)
        .count(&crate::support::EVERYBODY)
        .await
        .unwrap()
}

pub(crate) async fn work_runs_on_its_own_runtime_whoever_waits_for_it(db: TestDatabase) {
    let own = another_runtime();
    let elsewhere = DatabaseRuntime::new(own.handle().clone());
    let id = own.handle().id();
    let seen = elsewhere
        .run(async { Ok::<_, UserError>(runtime::Handle::current().id()) })
        .await;
    assert_eq!(seen.unwrap(), id);
    // A pool whose sockets live there serves callers here.
    let database = Database::open(&db.options()).await.unwrap();
    let users = UserService::new(database.clone(), elsewhere.clone(), UserServiceOptions::default());
    let ann = users.create(new_user("Ann", "ann@example.com")).await.unwrap();
    assert_eq!(stored(&db, ann.id).await.unwrap(), ann);
    elsewhere
        .run(async move { database.close().await.map_err(UserError::from) })
        .await
        .unwrap();
    own.shutdown_background();
}

pub(crate) async fn a_runtime_that_stopped_says_so(db: TestDatabase) {
    let own = another_runtime();
    let stopped = DatabaseRuntime::new(own.handle().clone());
    own.shutdown_background();
    let outcome = stopped.run(async { Ok::<_, RuntimeStopped>(()) }).await;
    assert_eq!(outcome, Err(RuntimeStopped));
    let users = UserService::new(db.database().clone(), stopped.clone(), UserServiceOptions::default());
    let refused = users.create(new_user("Ann", "ann@example.com")).await.unwrap_err();
    assert!(matches!(refused, UserError::Stopped(_)), "{refused:?}");
    assert_eq!(count(&db).await, 0);
    let health = HealthService::new(db.database().clone(), stopped).check().await;
    assert!(!health.database_connected && !health.migrations_applied);
}

pub(crate) async fn a_runtime_that_stops_undoes_what_it_was_doing(db: TestDatabase) {
    let ann = users_of(db.database())
        .create(new_user("Ann", "ann@example.com"))
        .await
        .unwrap();
    let own = another_runtime();
    let database = Database::open(&db.options()).await.unwrap();
    let users = UserService::new(
        database,
        DatabaseRuntime::new(own.handle().clone()),
        UserServiceOptions::default(),
    );
    let holder = db.database().begin().await.unwrap();
    UserRepository::new(&holder)
        .delete(ann.id, &Precondition::None)
        .await
        .unwrap();
    let mut update = Box::pin(users.update(ann.id, rename("Anna"), Precondition::None));
    assert!(timeout(Duration::from_millis(100), &mut update).await.is_err());
    own.shutdown_background();
    let refused = timeout(Duration::from_secs(20), update).await.unwrap().unwrap_err();
    assert!(matches!(refused, UserError::Stopped(_)), "{refused:?}");
    holder.rollback().await.unwrap();
    let users = users_of(db.database());
    // Its own version tells: a second change would have counted.
    assert_eq!(
        users
            .update(ann.id, rename("Anna"), Precondition::None)
            .await
            .unwrap()
            .version,
        2
    );
}

//! Use cases whose connection is lost: they are run again where no effect can be doubled, and nowhere else.

use std::time::Duration;

use domain::Precondition;
use persistence::{
    Database, DatabaseOptions, PersistenceError,
    test_db::{TestDatabase, TestEngine},
};
use service::{Freshness, UserError};

use crate::support::{batch, count, eventually, new_user, rename, settled, users_of};

/// A pool of one connection, which is used without asking it first, however slow the machine is.
async fn one_trusted_connection(db: &TestDatabase) -> Database {
    let options = DatabaseOptions {
        max_connections: 1,
        trusted_idle: Duration::from_hours(1),
        ..db.options()
    };
    Database::open(&options).await.unwrap()
}

/// Ends the session of a pool of one connection, as a restart of the server does.
async fn lose_connection(db: &TestDatabase, database: &Database) {
    let (ask, kill): (_, fn(&str) -> String) = match db.engine() {
        TestEngine::Postgres => ("SELECT CAST(pg_backend_pid() AS TEXT)", |id| {
            format!("SELECT pg_terminate_backend({id})")
        }),
        _ => ("SELECT CAST(CONNECTION_ID() AS CHAR)", |id| format!("KILL {id}")),
    };
    let session = db.query(database.writer(), ask).await.concat().concat();
    // On its way back to the pool it would be asked whether it is still there.
    settled(database).await;
    db.execute(&kill(&session)).await;
    let alive = match db.engine() {
        TestEngine::Postgres => format!("SELECT CAST(pid AS TEXT) FROM pg_stat_activity WHERE pid = {session}"),
        _ => format!("SELECT CAST(id AS CHAR) FROM information_schema.processlist WHERE id = {session}"),
    };
    eventually("the session has ended", || async {
        db.query(db.database().writer(), &alive).await.is_empty()
    })
    .await;
}

pub(crate) async fn use_cases_survive_the_loss_of_a_connection_where_no_effect_can_be_doubled(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        // It has no connection to lose.
        return;
    }
    let ann = users_of(db.database())
        .create(new_user("Ann", "ann@example.com"))
        .await
        .unwrap();
    let one = one_trusted_connection(&db).await;
    let users = users_of(&one);
    let lost = || users.counters().retries.lost_connections.get();

    lose_connection(&db, &one).await;
    let anna = users.update(ann.id, rename("Anna"), Precondition::None).await.unwrap();
    assert_eq!((anna.version, lost()), (2, 1));
    lose_connection(&db, &one).await;
    assert_eq!(users.get(ann.id, Freshness::MayLag).await.unwrap(), anna);
    assert_eq!(lost(), 2);
    lose_connection(&db, &one).await;
    assert_eq!(users.create_many(batch(&["bob", "cid"])).await.unwrap().len(), 2);
    assert_eq!(lost(), 3);
    lose_connection(&db, &one).await;
    let mut export = users.export(Freshness::MayLag);
    assert_eq!(export.next_page().await.unwrap().unwrap().len(), 3);
    assert_eq!(lost(), 4);
    lose_connection(&db, &one).await;
    users.delete(ann.id, Precondition::None).await.unwrap();
    assert_eq!((lost(), count(&db).await), (5, 2));
}

pub(crate) async fn a_create_that_may_have_happened_is_not_run_again(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        return;
    }
    let one = one_trusted_connection(&db).await;
    let users = users_of(&one);
    lose_connection(&db, &one).await;
    let refused = users.create(new_user("Ann", "ann@example.com")).await.unwrap_err();
    assert!(
        matches!(
            refused,
            UserError::DatabaseUnavailable(PersistenceError::OutcomeUnknown(_))
        ),
        "{refused:?}"
    );
    assert_eq!(users.counters().retries.total(), 0);
    users.create(new_user("Ann", "ann@example.com")).await.unwrap();
}

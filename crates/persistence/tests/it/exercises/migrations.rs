//! Solutions to the exercises of the chapter on migrations.

use persistence::{
    Migrations, UserRepository,
    test_db::{TestDatabase, TestEngine},
};

use crate::support::{EVERYBODY, at, insert, new_user};

// ANCHOR: exercise-1
pub(crate) async fn only_mysql_keeps_a_table_whose_transaction_was_rolled_back(db: TestDatabase) {
    let transaction = db.database().begin().await.unwrap();
    db.query(&transaction, "CREATE TABLE notes (id INTEGER)").await;
    transaction.rollback().await.unwrap();
    let tables = match db.engine() {
        TestEngine::Sqlite => "SELECT name FROM sqlite_master WHERE name = 'notes'",
        TestEngine::Postgres => "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE tablename = 'notes'",
        TestEngine::MySql | TestEngine::MariaDb => {
            "SELECT CAST(table_name AS CHAR) FROM information_schema.tables \
             WHERE table_schema = DATABASE() AND table_name = 'notes'"
        }
    };
    let is_there = !db.query(db.database().writer(), tables).await.is_empty();
    assert_eq!(is_there, matches!(db.engine(), TestEngine::MySql | TestEngine::MariaDb));
}
// ANCHOR_END: exercise-1

// ANCHOR: exercise-2
pub(crate) async fn a_running_release_survives_a_new_column_and_not_a_renamed_one(db: TestDatabase) {
    let ann = insert(&db, new_user("Ann", "ann@example.com")).await;
    let users = UserRepository::new(db.database().writer());

    // Expand: what runs names its columns, and inserts leave the new one to its default.
    db.execute("ALTER TABLE users ADD COLUMN nickname VARCHAR(100) NOT NULL DEFAULT ''")
        .await;
    assert_eq!(users.find(ann.id).await.unwrap(), Some(ann));
    users.insert(new_user("Bob", "bob@example.com"), at(1)).await.unwrap();

    // Not a step of a rolling upgrade: from this moment on every request of the release that runs fails.
    db.execute("ALTER TABLE users RENAME COLUMN name TO full_name").await;
    assert!(users.page(&EVERYBODY, 0, 10).await.is_err());
    assert!(users.insert(new_user("Eve", "eve@example.com"), at(2)).await.is_err());
}
// ANCHOR_END: exercise-2

// ANCHOR: exercise-3
pub(crate) async fn down_and_up_of_the_last_two_steps_is_recorded_as_it_happens(db: TestDatabase) {
    let migrations = Migrations::new(db.database());
    let reverted = migrations.down(2).await.unwrap();
    assert_eq!(reverted.len(), 2);
    let pending = async || {
        let status = migrations.status().await.unwrap();
        let pending = status.into_iter().filter(persistence::MigrationStatus::is_pending);
        pending.map(|step| step.name).collect::<Vec<_>>()
    };
    assert_eq!(pending().await, reverted);
    // One step at a time, as somebody does who wants to look in between.
    assert_eq!(migrations.up(Some(1)).await.unwrap(), reverted[..1]);
    assert_eq!(pending().await, reverted[1..]);
    assert_eq!(migrations.up(None).await.unwrap(), reverted[1..]);
    assert!(pending().await.is_empty());
}
// ANCHOR_END: exercise-3

//! What callers see when something is wrong that is not their doing.

use std::time::{Duration, Instant};

use domain::{Email, Precondition, Timestamp, UserChanges, UserId, UserName};
use persistence::{Transaction, UserRepository, test_db::TestDatabase};
use serde_json::{Value, json};

use crate::{
    answer::Answer,
    support::{BATCH, TestApp, USERS, path_of},
};

const DEFECT: &str = "The service has a defect. Report the request id to its operators.";

pub(crate) async fn a_row_that_breaks_the_rules_is_a_defect_that_tells_nothing(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = path_of(&app.create("Ann", "ann@example.com").await);
    let bystander = path_of(&app.create("Bob", "bob@example.com").await);
    db.execute("UPDATE users SET email = 'Not An Address' WHERE email = 'ann@example.com'")
        .await;
    for answer in [
        app.get(&user).await,
        app.get(USERS).await,
        app.get("/api/v1/users?cursor=").await,
    ] {
        assert_eq!(answer.problem(500, "internal")["detail"], DEFECT);
        assert!(!answer.text().contains("Not An Address"), "{answer}");
    }
    assert_eq!(app.get(&bystander).await.status, 200);
    // It can be mended over the API.
    let mended = app.patch_json(&user, &json!({"email": "ann@example.com"})).await;
    assert_eq!(mended.status, 200, "{mended}");
    assert_eq!(app.count().await, 2);
}

pub(crate) async fn a_missing_table_is_a_defect_that_tells_nothing(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = path_of(&app.create("Ann", "ann@example.com").await);
    db.execute("DROP TABLE users").await;
    let bob = json!({"name": "Bob", "email": "bob@example.com"});
    for answer in [
        app.get(&user).await,
        app.get(USERS).await,
        app.delete(&user).await,
        app.patch_json(&user, &bob).await,
        app.post_json(USERS, &bob).await,
        app.post_json(BATCH, &json!({"users": [bob]})).await,
    ] {
        assert_eq!(answer.problem(500, "internal")["detail"], DEFECT);
    }
}

pub(crate) async fn a_patch_that_outruns_its_deadline_changes_nothing(db: TestDatabase) {
    let (app, impatient) = (TestApp::start(&db), impatient_app(&db));
    let user = app.create("Ann", "ann@example.com").await;
    let holder = hold(&db, &user).await;
    let patch = json!({"name": "Changed", "email": "changed@example.com"});
    assert_deadline_exceeded(&impatient.patch_json(&path_of(&user), &patch).await);
    holder.rollback().await.unwrap();
    stays_as_it_was(&app, &user).await;
    // Nothing is left that would be in the way of the next.
    assert_eq!(app.patch_json(&path_of(&user), &patch).await.status, 200);
}

pub(crate) async fn a_batch_that_outruns_its_deadline_creates_nobody(db: TestDatabase) {
    let (app, impatient) = (TestApp::start(&db), impatient_app(&db));
    let user = app.create("Ann", "ann@example.com").await;
    let holder = hold(&db, &user).await;
    // The address that the holder is about to take: the batch waits for what becomes of it.
    let batch = json!({"users": [
        {"name": "First", "email": "first@example.com"},
        {"name": "Held", "email": "held@example.com"},
    ]});
    assert_deadline_exceeded(&impatient.post_json(BATCH, &batch).await);
    holder.rollback().await.unwrap();
    stays_as_it_was(&app, &user).await;
    assert_eq!(app.post_json(BATCH, &batch).await.status, 201);
}

pub(crate) async fn a_deletion_that_outruns_its_deadline_changes_nothing(db: TestDatabase) {
    let (app, impatient) = (TestApp::start(&db), impatient_app(&db));
    let user = app.create("Ann", "ann@example.com").await;
    let holder = hold(&db, &user).await;
    assert_deadline_exceeded(&impatient.delete(&path_of(&user)).await);
    holder.rollback().await.unwrap();
    stays_as_it_was(&app, &user).await;
    assert_eq!(app.delete(&path_of(&user)).await.status, 204);
}

/// Patience is only short where the test is about it: a busy machine must not make the rest of it fail.
fn impatient_app(db: &TestDatabase) -> TestApp {
    TestApp::start_with(db, |options| options.request_timeout = Duration::from_millis(500))
}

/// A transaction that holds the row of `user`, and the address `held@example.com`.
async fn hold(db: &TestDatabase, user: &Value) -> Transaction {
    let holder = db.database().begin().await.unwrap();
    let id = UserId::new(user["id"].as_i64().unwrap()).unwrap();
    let email = Email::parse("held@example.com").unwrap();
    let changes = UserChanges::new(Some(UserName::parse("Held").unwrap()), Some(email)).unwrap();
    let held = UserRepository::new(&holder)
        .update(id, &changes, &Precondition::None, Timestamp::now())
        .await;
    assert!(held.unwrap().is_some());
    holder
}

#[track_caller]
fn assert_deadline_exceeded(answer: &Answer) {
    answer.problem(504, "deadline_exceeded");
    let seconds: f64 = answer.header("x-process-time").unwrap().parse().unwrap();
    assert!((0.5..5.0).contains(&seconds), "{seconds}");
}

/// Watches for a while: what was sent to the database could still take effect.
async fn stays_as_it_was(app: &TestApp, user: &Value) {
    let started = Instant::now();
    while started.elapsed() < Duration::from_millis(700) {
        let listed = app.get(USERS).await.json();
        assert_eq!(listed["users"], json!([user]));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

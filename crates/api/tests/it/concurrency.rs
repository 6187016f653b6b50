//! Requests that are in each other's way.

use futures_util::future::join_all;
use persistence::test_db::TestDatabase;
use serde_json::json;

use crate::support::{BATCH, TestApp, USERS, emails, path_of};

// ANCHOR: race
pub(crate) async fn of_fifty_parallel_creates_of_one_address_one_succeeds(db: TestDatabase) {
    let app = TestApp::start(&db);
    let create = async |number: usize| {
        let email = if number.is_multiple_of(2) {
            "ann@example.com"
        } else {
            "ANN@Example.com"
        };
        let body = json!({"name": format!("Ann {number}"), "email": email});
        app.post_json(USERS, &body).await
    };
    let answers = join_all((0..50).map(create)).await;
    let created: Vec<_> = answers.iter().filter(|answer| answer.status == 201).collect();
    assert_eq!(created.len(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.problem(409, "email_taken");
    }
    let rows = db.query(db.database().writer(), "SELECT name FROM users").await;
    assert_eq!(rows, [[created[0].json()["name"].as_str().unwrap()]]);
}
// ANCHOR_END: race

pub(crate) async fn parallel_creates_of_different_addresses_all_succeed(db: TestDatabase) {
    let app = TestApp::start(&db);
    let creates = emails(50).map(async |email| app.create("Ann", &email).await["id"].as_i64().unwrap());
    let mut ids = join_all(creates).await;
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((ids.len(), app.count().await), (50, 50));
}

pub(crate) async fn of_parallel_batches_that_share_an_address_one_succeeds(db: TestDatabase) {
    let app = TestApp::start(&db);
    let create = async |batch: usize| {
        // In opposite orders, so that they meet from both sides.
        let mut emails: Vec<_> = (0..20)
            .map(|number| format!("user{batch}-{number}@example.com"))
            .collect();
        emails.extend(["shared1@example.com".to_owned(), "shared2@example.com".to_owned()]);
        if batch.is_multiple_of(2) {
            emails.reverse();
        }
        let users: Vec<_> = emails
            .iter()
            .map(|email| json!({"name": "Someone", "email": email}))
            .collect();
        app.post_json(BATCH, &json!({"users": users})).await
    };
    let answers = join_all((0..8).map(create)).await;
    for answer in &answers {
        assert!(matches!(answer.status, 201 | 409), "{answer}");
    }
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(app.count().await, 22);
}

pub(crate) async fn of_parallel_moves_to_one_address_one_succeeds(db: TestDatabase) {
    let app = TestApp::start(&db);
    let users = app.create_batch(emails(10)).await;
    let body = json!({"email": "wanted@example.com"});
    let moves = users
        .iter()
        .map(|user| async { app.patch_json(&path_of(user), &body).await });
    let mut statuses: Vec<_> = join_all(moves).await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [[200].as_slice(), &[409; 9]].concat());
    assert_eq!(app.count().await, 10);
}

pub(crate) async fn of_parallel_deletions_of_one_user_one_succeeds(db: TestDatabase) {
    let app = TestApp::start(&db);
    let path = path_of(&app.create("Ann", "ann@example.com").await);
    let answers = join_all((0..10).map(async |_| app.delete(&path).await)).await;
    let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [[204].as_slice(), &[404; 9]].concat());
}

pub(crate) async fn parallel_changes_of_one_user_all_succeed(db: TestDatabase) {
    let app = TestApp::start(&db);
    let path = path_of(&app.create("Ann", "ann@example.com").await);
    let rename = async |number: usize| {
        let name = format!("Ann {number}");
        let answer = app.patch_json(&path, &json!({"name": name})).await;
        assert_eq!((answer.status, &answer.json()["name"]), (200, &json!(name)), "{answer}");
    };
    join_all((0..20).map(rename)).await;
}

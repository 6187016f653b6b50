//! Creating many users at once: all or none.

use persistence::test_db::TestDatabase;
use serde_json::{Value, json};

use crate::{
    answer::faults,
    support::{BATCH, JSON, TestApp, USERS, emails, path_of},
};

pub(crate) async fn a_batch_is_answered_in_the_order_of_the_request(db: TestDatabase) {
    let app = TestApp::start(&db);
    let batch = json!({"users": [
        {"name": " 太郎 ", "email": "Z@Example.com"},
        {"name": "Ann", "email": "a@example.com"},
        {"name": "🦀", "email": "m@example.com"},
    ]});
    let answer = app.post_json(BATCH, &batch).await;
    assert_eq!((answer.status, answer.header("content-type")), (201, Some(JSON)));
    let created = answer.json();
    assert_eq!(
        (created.as_object().unwrap().len(), &created["created"]),
        (2, &json!(3))
    );
    let users = created["users"].as_array().unwrap();
    let told: Vec<_> = users
        .iter()
        .map(|user| (user["name"].as_str().unwrap(), user["email"].as_str().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("太郎", "z@example.com"),
            ("Ann", "a@example.com"),
            ("🦀", "m@example.com")
        ]
    );
    for user in users {
        assert_eq!(app.get(&path_of(user)).await.json(), *user);
        // One batch, one time.
        assert_eq!(
            (&user["created_at"], &user["updated_at"]),
            (&users[0]["created_at"], &users[0]["created_at"])
        );
    }
}

pub(crate) async fn a_batch_of_one_and_one_of_a_thousand_are_created(db: TestDatabase) {
    let app = TestApp::start(&db);
    app.create_batch(["one@example.com".to_owned()]).await;
    let users = app.create_batch(emails(1000)).await;
    let returned = users.iter().map(|user| user["email"].as_str().unwrap().to_owned());
    assert!(returned.eq(emails(1000)));
    assert_eq!(app.count().await, 1001);
    let last = users.last().unwrap();
    assert_eq!(app.get(&path_of(last)).await.json(), *last);
}

pub(crate) async fn every_address_that_is_not_free_is_listed_and_nothing_is_created(db: TestDatabase) {
    let app = TestApp::start(&db);
    app.create_batch(["ann@example.com", "bob@example.com"].map(str::to_owned))
        .await;
    let refused = post(
        &app,
        &["new@example.com", "BOB@example.com", "x@example.com", "ann@example.com"],
    )
    .await;
    assert_taken(&refused, &["/users/1/email", "/users/3/email"]);

    // The later of two equal addresses is the one too many, and each further one.
    let refused = post(
        &app,
        &["x@example.com", "y@example.com", "X@example.com", "x@example.com"],
    )
    .await;
    assert_taken(&refused, &["/users/2/email", "/users/3/email"]);

    // Both at once: one that exists conflicts wherever it stands.
    let emails = [
        "x@example.com",
        "bob@example.com",
        "x@example.com",
        "bob@example.com",
        "free@example.com",
    ];
    let refused = post(&app, &emails).await;
    assert_taken(&refused, &["/users/1/email", "/users/2/email", "/users/3/email"]);
    assert_eq!(app.count().await, 2);
}

pub(crate) async fn a_thousand_conflicts_are_listed_by_number(db: TestDatabase) {
    let app = TestApp::start(&db);
    app.create_batch(emails(1000)).await;
    let emails: Vec<_> = emails(1000).collect();
    let emails: Vec<_> = emails.iter().map(String::as_str).collect();
    let refused = post(&app, &emails).await;
    let pointers: Vec<_> = (0..1000).map(|number| format!("/users/{number}/email")).collect();
    assert_taken(&refused, &pointers.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(app.count().await, 1000);
}

/// What is invalid is told first, without a look at the database.
pub(crate) async fn an_invalid_item_hides_conflicts(db: TestDatabase) {
    let app = TestApp::start(&db);
    app.create("Ann", "ann@example.com").await;
    let batch = json!({"users": [{"name": "Ann", "email": "ann@example.com"}, {"name": "", "email": "b@example.com"}]});
    app.post_json(BATCH, &batch)
        .await
        .has_faults(&[("/users/1/name", "length")]);
    assert_eq!(app.get(USERS).await.json()["total"], 1);
}

async fn post(app: &TestApp, emails: &[&str]) -> Value {
    let users: Vec<_> = emails
        .iter()
        .map(|email| json!({"name": "Someone", "email": email}))
        .collect();
    let answer = app.post_json(BATCH, &json!({"users": users})).await;
    answer.problem(409, "email_taken")
}

#[track_caller]
fn assert_taken(problem: &Value, pointers: &[&str]) {
    let expected: Vec<_> = pointers.iter().map(|pointer| (*pointer, "taken")).collect();
    assert_eq!(faults(problem), expected);
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("Email already exists"), "{detail}");
}

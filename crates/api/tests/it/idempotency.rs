//! Requests that are sent again.

use futures_util::future::join_all;
use persistence::test_db::TestDatabase;
use serde_json::{Value, json};

use crate::{
    answer::Answer,
    support::{BATCH, Request, TestApp, USERS, emails, path_of},
};

async fn post(app: &TestApp, path: &str, key: &str, body: &Value) -> Answer {
    app.send(Request::new("POST", path).json(body).header("idempotency-key", key))
        .await
}

fn ann() -> Value {
    json!({"name": "Ann", "email": "ann@example.com"})
}

/// Requires that `again` is `first`, given again.
#[track_caller]
fn assert_replays(again: &Answer, first: &Answer) {
    assert_eq!(again.header("idempotency-replayed"), Some("true"), "{again}");
    assert_eq!(again.status, first.status);
    assert_eq!(again.body, first.body);
    for name in ["content-type", "location", "etag", "cache-control"] {
        assert_eq!(again.header(name), first.header(name), "{name}");
    }
    assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
}

pub(crate) async fn a_create_that_is_sent_again_is_answered_as_before(db: TestDatabase) {
    let app = TestApp::start(&db);
    let first = post(&app, USERS, "key", &ann()).await;
    assert_eq!(
        (first.status, first.header("idempotency-replayed")),
        (201, None),
        "{first}"
    );
    assert!(first.header("location").is_some() && first.header("etag").is_some());
    assert_replays(&post(&app, USERS, "key", &ann()).await, &first);
    // Whatever became of the user meanwhile, on this instance or another.
    let path = path_of(&first.json());
    assert_eq!(app.patch_json(&path, &json!({"name": "Anna"})).await.status, 200);
    assert_replays(&post(&TestApp::start(&db), USERS, "key", &ann()).await, &first);
    assert_eq!(app.delete(&path).await.status, 204);
    assert_replays(&post(&app, USERS, "key", &ann()).await, &first);
    assert_eq!(app.count().await, 0);
    // Without the key, or with another, it is a request like any other.
    assert_eq!(app.post_json(USERS, &ann()).await.status, 201);
    post(&app, USERS, "another-key", &ann())
        .await
        .problem(409, "email_taken");
}

pub(crate) async fn a_batch_of_a_thousand_that_is_sent_again_is_answered_as_before(db: TestDatabase) {
    let app = TestApp::start(&db);
    let name = "🦀".repeat(100);
    let users: Vec<_> = emails(1000)
        .map(|email| json!({"name": name, "email": email}))
        .collect();
    let batch = json!({"users": users});
    let first = post(&app, BATCH, "key", &batch).await;
    assert_eq!(first.status, 201);
    assert!(first.body.len() > 400_000, "{}", first.body.len());
    assert_replays(&post(&app, BATCH, "key", &batch).await, &first);
    assert_eq!(app.count().await, 1000);
}

pub(crate) async fn a_key_that_was_used_for_another_request_is_refused(db: TestDatabase) {
    let app = TestApp::start(&db);
    assert_eq!(post(&app, USERS, "key", &ann()).await.status, 201);
    let bob = json!({"name": "Bob", "email": "bob@example.com"});
    post(&app, USERS, "key", &bob)
        .await
        .problem(422, "idempotency_key_reused");
    post(&app, BATCH, "key", &json!({"users": [bob]}))
        .await
        .problem(422, "idempotency_key_reused");
    // The same users in other bytes are another request.
    let spaced = Request::new("POST", USERS).body("application/json", format!(" {}", ann()));
    app.send(spaced.header("idempotency-key", "key"))
        .await
        .problem(422, "idempotency_key_reused");
    // What is invalid is told first.
    post(&app, USERS, "key", &json!({"name": ""}))
        .await
        .problem(422, "validation_failed");
    assert_eq!(app.count().await, 1);
    // Keys differ by case.
    assert_eq!(post(&app, USERS, "KEY", &bob).await.status, 201);
}

pub(crate) async fn a_refused_request_leaves_its_key_free(db: TestDatabase) {
    let app = TestApp::start(&db);
    let other = path_of(&app.create("Other", "ann@example.com").await);
    post(&app, USERS, "key", &json!({"name": ""}))
        .await
        .problem(422, "validation_failed");
    post(&app, USERS, "key", &ann()).await.problem(409, "email_taken");
    post(&app, BATCH, "key", &json!({"users": [ann()]}))
        .await
        .problem(409, "email_taken");
    app.delete(&other).await;
    let created = post(&app, USERS, "key", &ann()).await;
    assert_eq!(
        (created.status, created.header("idempotency-replayed")),
        (201, None),
        "{created}"
    );
}

pub(crate) async fn of_a_stampede_with_one_key_one_creates_and_all_get_its_answer(db: TestDatabase) {
    let apps = [TestApp::start(&db), TestApp::start(&db)];
    let batch = json!({"users": [ann(), {"name": "Bob", "email": "bob@example.com"}]});
    for (path, key, body, count) in [
        (USERS, "one", json!({"name": "Carol", "email": "carol@example.com"}), 1),
        (BATCH, "two", batch, 3),
    ] {
        let answers = join_all((0..20).map(|number| post(&apps[number % 2], path, key, &body))).await;
        let first: Vec<_> = answers
            .iter()
            .filter(|answer| answer.header("idempotency-replayed").is_none())
            .collect();
        assert_eq!(first.len(), 1, "{first:?}");
        for answer in &answers {
            assert_eq!((answer.status, &answer.body), (201, &first[0].body), "{answer}");
        }
        assert_eq!(apps[0].count().await, count);
    }
}

pub(crate) async fn what_is_no_key_is_malformed(db: TestDatabase) {
    let app = TestApp::start(&db);
    let longest = "k".repeat(255);
    for malformed in ["", "two words", "schlüssel", &format!("{longest}k")] {
        post(&app, USERS, malformed, &ann())
            .await
            .problem(400, "malformed_request");
        post(&app, BATCH, malformed, &json!({"users": [ann()]}))
            .await
            .problem(400, "malformed_request");
    }
    let twice = Request::new("POST", USERS).json(&ann()).header("idempotency-key", "a");
    app.send(twice.header("idempotency-key", "a"))
        .await
        .problem(400, "malformed_request");
    assert_eq!(app.count().await, 0);
    assert_eq!(post(&app, USERS, &longest, &ann()).await.status, 201);
}

pub(crate) async fn keys_themselves_are_not_stored(db: TestDatabase) {
    let app = TestApp::start(&db);
    post(&app, USERS, "a-key-of-somebody", &ann()).await;
    let kept = db
        .query(db.database().writer(), "SELECT key_hash FROM idempotency_keys")
        .await
        .concat()
        .concat();
    assert!(
        kept.len() == 64 && kept.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{kept}"
    );
}

//! Proper requests with invalid values: every fault is listed, each at its place.

use std::fmt::Write;

use persistence::test_db::TestDatabase;
use serde_json::json;

use crate::{
    answer::faults,
    support::{BATCH, JSON, Request, TestApp, USERS, emails, path_of},
};

pub(crate) async fn every_invalid_name_is_refused(db: TestDatabase) {
    let app = TestApp::start(&db);
    let long = "x".repeat(101);
    let long_in_bytes = "🦀".repeat(101);
    let names = [
        (json!(""), "length"),
        (json!("  "), "length"),
        (json!("\u{3000}\u{a0}"), "length"),
        (json!(long), "length"),
        (json!(long_in_bytes), "length"),
        (json!("a\0b"), "control_character"),
        (json!("\0"), "control_character"),
        (json!("a\nb"), "control_character"),
        (json!("a\tb"), "control_character"),
        (json!("\u{1b}[31mred"), "control_character"),
        (json!("a\u{7f}"), "control_character"),
        (json!("a\u{85}b"), "control_character"),
        (json!("a\u{9f}b"), "control_character"),
        (json!(null), "type"),
        (json!(7), "type"),
        (json!(true), "type"),
        (json!(["Ann"]), "type"),
        (json!({"first": "Ann"}), "type"),
        (json!(123_456_789_012_345_678_901_234_567_890_f64), "type"),
    ];
    let user = path_of(&app.create("Ann", "ann@example.com").await);
    for (name, code) in names {
        let new = json!({"name": name, "email": "b@example.com"});
        app.post_json(USERS, &new).await.has_faults(&[("/name", code)]);
        app.patch_json(&user, &json!({"name": name}))
            .await
            .has_faults(&[("/name", code)]);
        app.post_json(BATCH, &json!({"users": [new]}))
            .await
            .has_faults(&[("/users/0/name", code)]);
    }
    assert_eq!(app.count().await, 1);
}

pub(crate) async fn every_invalid_address_is_refused(db: TestDatabase) {
    let app = TestApp::start(&db);
    let long_local = format!("{}@example.com", "l".repeat(65));
    let long_label = format!("a@{}.com", "d".repeat(64));
    let long = format!("a@{}com", "d.".repeat(126));
    let emails = [
        (json!(""), "length"),
        (json!(" "), "length"),
        (json!(long), "length"),
        (json!(long_local), "format"),
        (json!(long_label), "format"),
        (json!("plain"), "format"),
        (json!("a@localhost"), "format"),
        (json!("a@example."), "format"),
        (json!("a b@example.com"), "format"),
        (json!("\"a\"@example.com"), "format"),
        (json!("a@[127.0.0.1]"), "format"),
        (json!("太郎@example.com"), "format"),
        (json!("a@例え.jp"), "format"),
        (json!("a\0@example.com"), "format"),
        (json!("a@example.com\0"), "format"),
        (json!("a@example.com\r\nBcc: b@example.com"), "format"),
        (json!(null), "type"),
        (json!(7), "type"),
        (json!([]), "type"),
    ];
    let user = path_of(&app.create("Ann", "ann@example.com").await);
    for (email, code) in emails {
        let new = json!({"name": "Ann", "email": email});
        app.post_json(USERS, &new).await.has_faults(&[("/email", code)]);
        app.patch_json(&user, &json!({"email": email}))
            .await
            .has_faults(&[("/email", code)]);
        app.post_json(BATCH, &json!({"users": [new]}))
            .await
            .has_faults(&[("/users/0/email", code)]);
    }
    assert_eq!(app.count().await, 1);
}

pub(crate) async fn all_faults_of_a_request_are_listed_at_once(db: TestDatabase) {
    let app = TestApp::start(&db);
    app.post_json(USERS, &json!({}))
        .await
        .has_faults(&[("/email", "required"), ("/name", "required")]);

    let body = r#"{"name": "", "nome": 1, "name": "Ann", "a/b~c": null, "email": ["x"], "nome": 2, "": 0}"#;
    app.post_text("/api/v1/users?page=1", body).await.has_faults(&[
        ("/", "unknown_field"),
        ("/a~1b~0c", "unknown_field"),
        ("/email", "type"),
        ("/name", "duplicate_field"),
        ("/name", "length"),
        ("/nome", "duplicate_field"),
        ("/nome", "unknown_field"),
        ("query/page", "unknown_field"),
    ]);

    let body = r#"{"name": null, "email": "x", "id": 7, "email": "y"}"#;
    let request = Request::new("PATCH", "/api/v1/users/0?force=true&force=false").body(JSON, body);
    app.send(request).await.has_faults(&[
        ("/email", "duplicate_field"),
        ("/email", "format"),
        ("/id", "unknown_field"),
        ("/name", "type"),
        ("path/id", "range"),
        ("query/force", "duplicate_field"),
        ("query/force", "unknown_field"),
    ]);
}

/// The second value is no more right than the first, even when both are the same.
pub(crate) async fn a_repeated_member_is_a_fault_even_with_the_same_value(db: TestDatabase) {
    let app = TestApp::start(&db);
    let body = r#"{"name": "Ann", "email": "ann@example.com", "na\u006de": "Ann"}"#;
    app.post_text(USERS, body)
        .await
        .has_faults(&[("/name", "duplicate_field")]);
    assert_eq!(app.count().await, 0);
}

pub(crate) async fn a_patch_of_nothing_says_so(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = path_of(&app.create("Ann", "ann@example.com").await);
    let refused = app.patch_json(&user, &json!({})).await;
    assert_eq!(
        refused.problem(400, "no_fields_to_update")["detail"],
        "No fields to update"
    );
    let both_null = json!({"name": null, "email": null});
    app.patch_json(&user, &both_null)
        .await
        .has_faults(&[("/email", "type"), ("/name", "type")]);
    app.patch_json(&user, &json!({"nome": "Ann"}))
        .await
        .has_faults(&[("/nome", "unknown_field")]);
    // What the service itself decides cannot be set.
    let patch = json!({"id": 7, "created_at": "2026-01-01T00:00:00.000000Z", "name": "Anna"});
    app.patch_json(&user, &patch)
        .await
        .has_faults(&[("/created_at", "unknown_field"), ("/id", "unknown_field")]);
}

pub(crate) async fn unknown_parameters_are_refused_on_every_operation(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = path_of(&app.create("Ann", "ann@example.com").await);
    let unknown = [("query/typo", "unknown_field")];
    let with_typo = |path: &str| format!("{path}?typo=1");
    app.get(&with_typo(USERS)).await.has_faults(&unknown);
    app.get(&with_typo(&user)).await.has_faults(&unknown);
    app.delete(&with_typo(&user)).await.has_faults(&unknown);
    app.patch_json(&with_typo(&user), &json!({"name": "Anna"}))
        .await
        .has_faults(&unknown);
    let bob = json!({"name": "Bob", "email": "bob@example.com"});
    app.post_json(&with_typo(USERS), &bob).await.has_faults(&unknown);
    app.post_json(&with_typo(BATCH), &json!({"users": [bob]}))
        .await
        .has_faults(&unknown);
    assert_eq!(app.get(&user).await.json()["name"], "Ann");
    assert_eq!(app.count().await, 1);
}

pub(crate) async fn every_invalid_parameter_of_the_list_is_refused(db: TestDatabase) {
    let app = TestApp::start(&db);
    let queries = [
        ("page=0", "query/page", "range"),
        ("page=2147483648", "query/page", "range"),
        ("page=99999999999999999999999", "query/page", "range"),
        ("page=", "query/page", "type"),
        ("page", "query/page", "type"),
        ("page=abc", "query/page", "type"),
        ("page=-1", "query/page", "type"),
        ("page=1.5", "query/page", "type"),
        ("page=%2B1", "query/page", "type"),
        ("page=1&page=1", "query/page", "duplicate_field"),
        ("page=1&p%61ge=1", "query/page", "duplicate_field"),
        ("per_page=0", "query/per_page", "range"),
        ("per_page=101", "query/per_page", "range"),
        ("per_page=256", "query/per_page", "range"),
        ("per_page=x", "query/per_page", "type"),
        ("email=", "query/email", "length"),
        ("email=nobody", "query/email", "format"),
        ("email=a%00@example.com", "query/email", "format"),
        ("email=%FF", "query/email", "format"),
        ("email=a@x.example&email=a@x.example", "query/email", "duplicate_field"),
        ("Page=1", "query/Page", "unknown_field"),
        ("limit=10", "query/limit", "unknown_field"),
        ("=1", "query/", "unknown_field"),
        ("cursor=&page=1", "query/cursor", "range"),
    ];
    for (query, pointer, code) in queries {
        app.get(&format!("{USERS}?{query}"))
            .await
            .has_faults(&[(pointer, code)]);
    }
    let all = app.get("/api/v1/users?typo=1&per_page=999&email=x&page=0&page=2").await;
    all.has_faults(&[
        ("query/email", "format"),
        ("query/page", "duplicate_field"),
        ("query/page", "range"),
        ("query/per_page", "range"),
        ("query/typo", "unknown_field"),
    ]);
}

pub(crate) async fn a_batch_lists_the_faults_of_every_item_in_order(db: TestDatabase) {
    let app = TestApp::start(&db);
    let items = json!([
        {"name": "Ann", "email": "ann@example.com"},
        {"name": " ", "email": "x"},
        "Bob",
        {"email": "d@example.com", "role": "admin"},
        null,
        {"name": "Eve", "email": "eve@example.com"},
        [],
        {"name": 1, "email": null},
        {"name": "H", "email": "h@example.com"},
        {"name": "I", "email": "i@example.com"},
        {"name": "a\u{0}b", "email": "j@example.com"},
    ]);
    app.post_json(BATCH, &json!({"users": items, "dry_run": true}))
        .await
        .has_faults(&[
            ("/dry_run", "unknown_field"),
            ("/users/1/email", "format"),
            ("/users/1/name", "length"),
            ("/users/2", "type"),
            ("/users/3/name", "required"),
            ("/users/3/role", "unknown_field"),
            ("/users/4", "type"),
            ("/users/6", "type"),
            ("/users/7/email", "type"),
            ("/users/7/name", "type"),
            ("/users/10/name", "control_character"),
        ]);
    assert_eq!(app.count().await, 0);
}

pub(crate) async fn a_batch_needs_a_list_of_1_to_1000_users(db: TestDatabase) {
    let app = TestApp::start(&db);
    let post = async |body| app.post_json(BATCH, &body).await;
    post(json!({})).await.has_faults(&[("/users", "required")]);
    for users in [json!(null), json!({}), json!("Ann"), json!(1)] {
        post(json!({"users": users})).await.has_faults(&[("/users", "type")]);
    }
    post(json!({"users": []})).await.has_faults(&[("/users", "length")]);
    let users = |count| {
        emails(count)
            .map(|email| json!({"name": "Ann", "email": email}))
            .collect::<Vec<_>>()
    };
    post(json!({"users": users(1001)}))
        .await
        .has_faults(&[("/users", "length")]);
    // The length does not hide what is wrong with the items.
    let mut with_faults = users(1001);
    with_faults[3]["email"] = json!("x");
    with_faults[1000] = json!(null);
    post(json!({"users": with_faults})).await.has_faults(&[
        ("/users", "length"),
        ("/users/3/email", "format"),
        ("/users/1000", "type"),
    ]);
    assert_eq!(app.count().await, 0);
}

/// The work grows with the body and not with its square, or one request would keep a thread busy for minutes.
pub(crate) async fn a_body_of_nothing_but_faults_is_answered_in_time(db: TestDatabase) {
    let app = TestApp::start(&db);
    let mut body = String::from("{\"name\":0,\"email\":0");
    for number in 0..90_000 {
        write!(body, ",\"{number}\":0").unwrap();
    }
    body.push('}');
    let started = std::time::Instant::now();
    let problem = app.post_text(USERS, body).await.problem(422, "validation_failed");
    assert_eq!(problem["detail"], "90002 fields are invalid");
    assert_eq!(faults(&problem).len(), 10_000);
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());

    let mut query = String::from("/api/v1/users?0");
    for number in 1..10_000 {
        write!(query, "&{number}").unwrap();
    }
    let problem = app.get(&query).await.problem(422, "validation_failed");
    assert_eq!(problem["detail"], "10000 fields are invalid");
}

//! Exports over HTTP: everybody in either form, and streams that end early.

use std::time::Duration;

use persistence::test_db::TestDatabase;
use serde_json::{Value, json};

use crate::{
    capacity::eventually,
    importing::lines,
    support::{Request, TestApp, USERS, path_of},
    wire::Wire,
};

pub(crate) const EXPORT: &str = "/api/v1/users/export";
const NDJSON: &str = "application/x-ndjson";

async fn fill(app: &TestApp, count: usize) {
    let report = app.import(NDJSON, lines(0..count)).await.json();
    assert_eq!(report["created"], json!(count));
}

fn accepting(media_type: &str) -> Request {
    Request::new("GET", EXPORT).header("accept", media_type)
}

pub(crate) async fn everybody_is_exported_in_the_order_of_the_list(db: TestDatabase) {
    let app = TestApp::start(&db);
    let nobody = app.get(EXPORT).await;
    assert_eq!((nobody.status, nobody.text()), (200, ""));
    // Each thousand of an equal time.
    fill(&app, 2300).await;
    let odd = app.create("Lee, \"Ann\" 田中", "odd@example.com").await;
    let exported = app.get(EXPORT).await;
    assert_eq!(exported.header("content-type"), Some(NDJSON));
    assert_eq!(
        exported.header("content-disposition"),
        Some("attachment; filename=\"users.ndjson\"")
    );
    let users: Vec<Value> = exported
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((users.len(), &users[0]), (2301, &odd));
    let mut walked = Vec::new();
    let mut path = format!("{USERS}?per_page=100&cursor=");
    loop {
        let slice = app.get(&path).await.json();
        walked.extend(slice["users"].as_array().unwrap().clone());
        let Some(cursor) = slice["next_cursor"].as_str() else {
            break;
        };
        path = format!("{USERS}?per_page=100&cursor={cursor}");
    }
    assert_eq!(users, walked);

    let exported = app.send(accepting("text/csv")).await;
    assert_eq!(exported.header("content-type"), Some("text/csv; charset=utf-8"));
    assert_eq!(
        exported.header("content-disposition"),
        Some("attachment; filename=\"users.csv\"")
    );
    let rows: Vec<_> = exported.text().split("\r\n").collect();
    assert_eq!(
        (rows.len(), rows[0], rows[2302]),
        (2303, "id,name,email,created_at,updated_at", "")
    );
    let text = |name: &str| odd[name].as_str().unwrap().to_owned();
    let expected = format!(
        "{},\"Lee, \"\"Ann\"\" 田中\",odd@example.com,{},{}",
        odd["id"],
        text("created_at"),
        text("updated_at")
    );
    assert_eq!(rows[1], expected);
}

pub(crate) async fn the_form_is_the_one_that_the_caller_prefers(db: TestDatabase) {
    let app = TestApp::start(&db);
    app.create("Ann", "ann@example.com").await;
    for (accept, content_type) in [
        ("*/*", NDJSON),
        ("application/*", NDJSON),
        (NDJSON, NDJSON),
        ("text/csv", "text/csv; charset=utf-8"),
        ("text/*, application/x-ndjson;q=0.5", "text/csv; charset=utf-8"),
        ("text/csv;q=0.5, */*;q=0.1", "text/csv; charset=utf-8"),
    ] {
        let answer = app.send(accepting(accept)).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (200, Some(content_type)),
            "{accept}"
        );
    }
    for accept in ["application/json", "text/html", "application/x-ndjson;q=0"] {
        let refused = app.send(accepting(accept)).await;
        let detail = refused.problem(406, "not_acceptable")["detail"].take();
        assert_eq!(detail, "The users can be had as application/x-ndjson or text/csv");
    }
    app.get(&format!("{EXPORT}?page=1"))
        .await
        .has_faults(&[("query/page", "unknown_field")]);
}

/// There is nothing to be read, and it does not show.
pub(crate) async fn the_head_of_an_export_reads_no_rows(db: TestDatabase) {
    let app = TestApp::start(&db);
    db.execute("DROP TABLE users").await;
    let mut wire = Wire::open(&app).await;
    for (accept, status) in [("*/*", 200), ("text/csv", 200), ("image/png", 406)] {
        wire.write(format!(
            "HEAD {EXPORT} HTTP/1.1\r\nHost: test\r\nAccept: {accept}\r\n\r\n"
        ))
        .await;
        let head = wire.answer("HEAD", EXPORT).await;
        assert_eq!(head.status, status, "{head}");
        assert_eq!(head.header("transfer-encoding"), (status == 200).then_some("chunked"));
    }
    // What fails before the first user is no cut connection.
    app.get(EXPORT).await.problem(500, "internal");
}

pub(crate) async fn without_its_database_an_export_does_not_begin(db: TestDatabase) {
    let database = persistence::Database::open(&db.options()).await.unwrap();
    let app = TestApp::start_on(&database, |_| ());
    database.close().await.unwrap();
    app.get(EXPORT).await.problem(503, "database_unavailable");
}

pub(crate) async fn a_fault_in_the_middle_of_an_export_cuts_the_connection(db: TestDatabase) {
    let app = TestApp::start(&db);
    fill(&app, 2500).await;
    db.execute("UPDATE users SET email = 'Not An Address' WHERE email = 'user0@example.com'")
        .await;
    for accept in [NDJSON, "text/csv"] {
        let mut wire = Wire::open(&app).await;
        wire.write(format!(
            "GET {EXPORT} HTTP/1.1\r\nHost: test\r\nAccept: {accept}\r\n\r\n"
        ))
        .await;
        let received = wire.until_closed().await;
        assert!(received.starts_with("HTTP/1.1 200 OK\r\n"), "{received:.200}");
        assert!(received.contains("user2499@example.com") && !received.contains("user0@example.com"));
        assert!(!received.ends_with("0\r\n\r\n"), "it looks complete");
    }
    // Over a client that knows HTTP, the body is an error.
    let cut = reqwest::get(format!("http://{}{EXPORT}", app.address)).await.unwrap();
    assert_eq!(cut.status(), 200);
    cut.bytes().await.unwrap_err();
    eventually(|| app.lifecycle.requests_in_progress() == 0).await;
    assert_eq!(app.get(USERS).await.status, 200);
}

/// A stream keeps its place until it has ended, and holds no connection to the database.
pub(crate) async fn an_export_counts_as_in_progress_until_it_has_been_sent(db: TestDatabase) {
    let app = TestApp::start_with(&db, |options| {
        options.max_in_flight = 1;
        options.request_timeout = Duration::from_secs(3);
    });
    // More than the buffers of a connection take in.
    let line = |number| {
        format!(
            "{{\"name\":\"{}\",\"email\":\"user{number}@example.com\"}}\n",
            "🦀".repeat(100)
        )
    };
    let body: String = (0..12_000).map(line).collect();
    assert_eq!(app.import(NDJSON, body).await.json()["created"], 12_000);
    let mut slow = Wire::open_narrow(&app).await;
    slow.write(format!(
        "GET {EXPORT} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
    ))
    .await;
    // Longer than a request may take until its answer begins.
    for _ in 0..8 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(app.lifecycle.requests_in_progress(), 1);
        app.get(USERS).await.problem(503, "overloaded");
    }
    assert!(db.database().pool_status().iter().all(|pool| pool.in_use == 0));
    let received = slow.until_closed().await;
    assert!(received.ends_with("0\r\n\r\n") && received.contains("user0@example.com"));
    eventually(|| app.lifecycle.requests_in_progress() == 0).await;

    // Whoever leaves gives the place back.
    let mut leaver = Wire::open_narrow(&app).await;
    leaver
        .write(format!("GET {EXPORT} HTTP/1.1\r\nHost: test\r\n\r\n"))
        .await;
    eventually(|| app.lifecycle.requests_in_progress() == 1).await;
    drop(leaver);
    eventually(|| app.lifecycle.requests_in_progress() == 0).await;
    assert_eq!(app.get(USERS).await.status, 200);
}

pub(crate) async fn the_names_of_imports_and_exports_are_no_ids(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = app.create("Ann", "ann@example.com").await;
    for (path, allow) in [(EXPORT, "GET, HEAD"), ("/api/v1/users/import", "POST")] {
        for method in ["PATCH", "DELETE", "PUT"] {
            let refused = app.send(Request::new(method, path)).await;
            refused.problem(405, "method_not_allowed");
            assert_eq!(refused.header("allow"), Some(allow));
        }
    }
    assert_eq!(app.get(&path_of(&user)).await.status, 200);
}

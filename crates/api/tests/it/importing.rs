//! Imports over HTTP: what is answered for which body, and what is kept of one that ends early.

use std::time::{Duration, Instant};

use persistence::test_db::TestDatabase;
use serde_json::{Value, json};

use crate::{
    answer::Answer,
    support::{Request, TestApp, USERS},
    wire::Wire,
};

pub(crate) const IMPORT: &str = "/api/v1/users/import";
const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv";

impl TestApp {
    pub(crate) async fn import(&self, content_type: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.send(Request::new("POST", IMPORT).body(content_type, body)).await
    }
}

/// A JSON line for each of these users.
pub(crate) fn lines(numbers: impl IntoIterator<Item = usize>) -> String {
    let line = |number| format!("{{\"name\":\"User {number}\",\"email\":\"user{number}@example.com\"}}\n");
    numbers.into_iter().map(line).collect()
}

/// The counts, and line and code of each error.
#[track_caller]
fn expect(answer: &Answer, created: u64, errors: &[(u64, &str)]) {
    assert_eq!(answer.status, 200, "{answer}");
    let report = answer.json();
    let counts = (&report["received"], &report["created"], &report["rejected"]);
    let rejected = errors.len() as u64;
    assert_eq!(
        counts,
        (&json!(created + rejected), &json!(created), &json!(rejected)),
        "{answer}"
    );
    let listed = report["errors"].as_array().unwrap();
    let listed: Vec<_> = listed
        .iter()
        .map(|it| (it["line"].as_u64().unwrap(), it["code"].as_str().unwrap()))
        .collect();
    assert_eq!(listed, errors, "{answer}");
}

pub(crate) async fn an_import_creates_what_it_can_and_lists_the_other_lines(db: TestDatabase) {
    let app = TestApp::start(&db);
    app.create("Ann", "ann@example.com").await;
    let body = concat!(
        "{\"name\": \"田中太郎\", \"email\": \"Tanaka@Example.com\"}\n",
        "{\"name\": \"Other Ann\", \"email\": \"ANN@example.com\"}\r\n",
        "\n",
        "{\"name\": \"\", \"email\": \"nobody@example.com\"}\n",
        "not JSON\n",
        "{\"name\": \"Second\", \"email\": \"tanaka@example.com\"}\n",
        "{\"name\": \"Bob\", \"email\": \"bob@example.com\"}",
    );
    let answer = app.import(NDJSON, body).await;
    let errors = [
        (2, "email_taken"),
        (4, "length"),
        (5, "malformed_request"),
        (6, "email_taken"),
    ];
    expect(&answer, 2, &errors);
    assert_eq!(
        answer.json()["errors"][1]["message"],
        "name must be 1 to 100 characters"
    );
    let listed = app.get(USERS).await.json();
    let names: Vec<_> = listed["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| &user["name"])
        .collect();
    assert_eq!(names, ["Bob", "田中太郎", "Ann"]);
    assert_eq!(app.count().await, 3);

    let body = "\u{feff}name,email\r\n\"Lee,\n\nAnn\",x@example.com\r\n\"Lee, Ann\",lee@example.com\r\nAnn\r\n田中,taro@example.com";
    expect(
        &app.import("text/csv; charset=UTF-8", body).await,
        2,
        &[(2, "control_character"), (6, "malformed_request")],
    );
    assert_eq!(app.count().await, 5);
}

pub(crate) async fn an_import_of_nothing_creates_nobody(db: TestDatabase) {
    let app = TestApp::start(&db);
    for (content_type, body) in [
        (NDJSON, ""),
        (NDJSON, "\n\n"),
        (CSV, "name,email\n"),
        (CSV, "name,email\n\n"),
    ] {
        expect(&app.import(content_type, body).await, 0, &[]);
    }
}

pub(crate) async fn a_hundred_errors_are_listed_and_all_are_counted(db: TestDatabase) {
    let app = TestApp::start(&db);
    let report = app.import(NDJSON, "{}\n".repeat(2500)).await.json();
    assert_eq!((&report["received"], &report["rejected"]), (&json!(2500), &json!(2500)));
    let listed = report["errors"].as_array().unwrap();
    let lines: Vec<_> = listed.iter().map(|error| error["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, (1..=100).collect::<Vec<_>>());
}

/// The limit of a body does not hold for an import; that of a line does.
pub(crate) async fn an_import_may_be_of_any_size_and_its_lines_may_not(db: TestDatabase) {
    let app = TestApp::start_with(&db, |options| options.body_limit_bytes = 1000);
    let long = format!(
        "{{\"name\": \"{}\", \"email\": \"x@example.com\"}}\n",
        "x".repeat(100_000)
    );
    let body = format!("{}{long}{}", lines(0..1500), lines(1500..3000));
    expect(&app.import(NDJSON, body).await, 3000, &[(1501, "payload_too_large")]);
    assert_eq!(app.count().await, 3000);
}

pub(crate) async fn an_import_that_is_sent_again_creates_nobody_twice(db: TestDatabase) {
    let app = TestApp::start(&db);
    let send = || {
        Request::new("POST", IMPORT)
            .header("idempotency-key", "k")
            .body(NDJSON, lines(0..5))
    };
    expect(&app.send(send()).await, 5, &[]);
    let again = app.send(send()).await;
    expect(&again, 0, &[1, 2, 3, 4, 5].map(|line| (line, "email_taken")));
    assert_eq!(again.header("idempotency-replayed"), None);
}

pub(crate) async fn a_body_that_is_no_import_is_refused_before_anything_is_created(db: TestDatabase) {
    let app = TestApp::start(&db);
    for content_type in [
        "application/json",
        "text/plain",
        "text/csv; charset=utf-16",
        "application/ndjson",
        "",
    ] {
        let refused = app.import(content_type, lines(0..3)).await;
        let detail = refused.problem(415, "unsupported_media_type")["detail"].take();
        assert_eq!(detail, "The Content-Type must be application/x-ndjson or text/csv");
    }
    let packed = Request::new("POST", IMPORT)
        .header("content-encoding", "gzip")
        .body(NDJSON, lines(0..3));
    app.send(packed).await.problem(415, "unsupported_media_type");
    let typo = Request::new("POST", format!("{IMPORT}?dry_run=1")).body(NDJSON, lines(0..3));
    app.send(typo).await.has_faults(&[("query/dry_run", "unknown_field")]);
    for header in ["", "email,name\n", "Name,Email\n", "name,email,age\n"] {
        let refused = app.import(CSV, format!("{header}Ann,ann@example.com\n")).await;
        let detail = refused.problem(400, "malformed_request")["detail"].take();
        assert_eq!(detail, "The first line must be the header name,email");
    }
    assert_eq!(app.count().await, 0);
}

/// An import that has sent `body` and then keeps silent.
async fn begin_import(app: &TestApp, body: &str) -> Wire {
    let mut wire = Wire::open(app).await;
    wire.write(format!(
        "POST {IMPORT} HTTP/1.1\r\nHost: test\r\nContent-Type: {NDJSON}\r\nTransfer-Encoding: chunked\r\n\r\n"
    ))
    .await;
    wire.write_chunk(body).await;
    wire
}

pub(crate) async fn an_import_that_stalls_is_ended_and_told_what_was_created(db: TestDatabase) {
    let app = TestApp::start_with(&db, |options| options.client_timeout = Duration::from_millis(500));
    let mut wire = begin_import(&app, &lines(0..2500)).await;
    let problem = wire.answer("POST", IMPORT).await.problem(408, "request_timeout");
    assert_eq!(
        problem["detail"],
        "The body did not arrive in time. Of the first 2000 users at least 2000 were created and are kept; send the same \
         import again to go on: they will be rejected as taken."
    );
    assert_eq!(app.count().await, 2000);
    let report = app.import(NDJSON, lines(0..2500)).await.json();
    assert_eq!((&report["created"], &report["rejected"]), (&json!(500), &json!(2000)));
}

pub(crate) async fn an_import_that_is_cut_off_leaves_whole_chunks(db: TestDatabase) {
    let app = TestApp::start(&db);
    let mut wire = begin_import(&app, &lines(0..2500)).await;
    wire.end_writing().await;
    let problem = wire.answer("POST", IMPORT).await.problem(400, "malformed_request");
    let detail = problem["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.starts_with("The body is damaged or ends too early. Of the first 2000 users at least 2000"),
        "{detail}"
    );
    assert_eq!(app.count().await, 2000);

    drop(begin_import(&app, &lines(10_000..12_500)).await);
    crate::capacity::eventually(|| app.lifecycle.requests_in_progress() == 0).await;
    assert_eq!(app.count().await % 1000, 0);
}

/// It is slow, and keeps coming.
pub(crate) async fn the_deadline_of_requests_is_not_that_of_an_import(db: TestDatabase) {
    let app = TestApp::start_with(&db, |options| {
        options.request_timeout = Duration::from_millis(400);
        options.max_in_flight = 1;
    });
    let started = Instant::now();
    let mut wire = begin_import(&app, "").await;
    for number in 0..8 {
        tokio::time::sleep(Duration::from_millis(150)).await;
        wire.write_chunk(&lines([number])).await;
        // It keeps its place all the while.
        app.get(USERS).await.problem(503, "overloaded");
    }
    wire.write("0\r\n\r\n").await;
    expect(&wire.answer("POST", IMPORT).await, 8, &[]);
    assert!(started.elapsed() > Duration::from_secs(1));
}

pub(crate) async fn when_the_database_breaks_in_the_middle_the_answer_tells_what_is_there(db: TestDatabase) {
    let database = persistence::Database::open(&db.options()).await.unwrap();
    let app = TestApp::start_on(&database, |_| ());
    let mut wire = begin_import(&app, &lines(0..1000)).await;
    let watching = TestApp::start(&db);
    for _ in 0..500 {
        if watching.count().await == 1000 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    database.close().await.unwrap();
    wire.write_chunk(&lines(1000..3100)).await;
    let problem = wire.answer("POST", IMPORT).await.problem(503, "database_unavailable");
    let detail = problem["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("Of the first 1000 users at least 1000 were created"),
        "{detail}"
    );
    assert_eq!(watching.count().await, 1000);
}

pub(crate) async fn a_defect_in_the_middle_tells_nothing(db: TestDatabase) {
    let app = TestApp::start(&db);
    db.execute("DROP TABLE users").await;
    let problem: Value = app.import(NDJSON, lines(0..3)).await.problem(500, "internal");
    assert_eq!(
        problem["detail"],
        "The service has a defect. Report the request id to its operators."
    );
}

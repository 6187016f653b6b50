//! Bodies that are refused before anyone looks at what they say: type, size, form, and how they arrive.

use std::time::Duration;

use persistence::test_db::TestDatabase;
use serde_json::{Value, json};

use crate::{
    support::{BATCH, JSON, Request, TestApp, USERS, path_of},
    wire::Wire,
};

const ANN: &str = r#"{"name":"Ann","email":"ann@example.com"}"#;

pub(crate) async fn a_body_that_is_no_json_object_is_malformed(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = path_of(&app.create("Ann", "ann@example.com").await);
    let deep = format!("{{\"name\":{}", "[".repeat(200));
    let bodies: [&[u8]; 28] = [
        b"",
        b" ",
        b"{",
        b"}",
        b"nonsense",
        b"{\"name\":}",
        b"{\"name\":\"Ann\",}",
        b"{\"name\" \"Ann\"}",
        b"{name:\"Ann\"}",
        b"{'name':'Ann'}",
        b"{\"name\":\"Ann\"}x",
        b"{}{}",
        b"{}\0",
        b"\xef\xbb\xbf{}",
        b"{\"name\":\"\xff\"}",
        b"{\"name\":\"\xed\xa0\x80\"}",
        b"{\"name\":\"\\ud800\"}",
        b"{\"name\":\"\\x41\"}",
        b"{\"name\":\"a\nb\"}",
        b"{\"name\":\"a\0b\"}",
        b"{\"name\":NaN}",
        b"{\"name\":01}",
        deep.as_bytes(),
        b"null",
        b"true",
        b"1",
        b"\"name\"",
        b"[{\"name\":\"Ann\",\"email\":\"b@example.com\"}]",
    ];
    for (method, path) in [("POST", USERS), ("POST", BATCH), ("PATCH", user.as_str())] {
        for body in bodies {
            let answer = app.send(Request::new(method, path).body(JSON, body)).await;
            let detail = answer.problem(400, "malformed_request")["detail"].clone();
            let is_helpful = detail == "The body must be a JSON object"
                || detail
                    .as_str()
                    .unwrap()
                    .starts_with("The body is not valid JSON: see line ");
            assert!(is_helpful, "{answer}");
        }
    }
    assert_eq!(app.count().await, 1);
}

pub(crate) async fn blanks_around_a_json_object_are_part_of_json(db: TestDatabase) {
    let app = TestApp::start(&db);
    let answer = app.post_text(USERS, format!("\r\n\t {ANN} \n")).await;
    assert_eq!(answer.status, 201, "{answer}");
}

pub(crate) async fn other_media_types_are_refused(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = path_of(&app.create("Ann", "ann@example.com").await);
    let types = [
        "",
        "text/plain",
        "text/json",
        "application/jsonp",
        "application/problem+json",
        "application/x-www-form-urlencoded",
        "application/json, text/plain",
        "application/json; charset=iso-8859-1",
        "application/json; charset=utf-16",
        "json",
        "*/*",
    ];
    let body = json!({"name": "Ann", "email": "b@example.com"}).to_string();
    for (method, path) in [("POST", USERS), ("POST", BATCH), ("PATCH", user.as_str())] {
        for content_type in types {
            let answer = app
                .send(Request::new(method, path).body(content_type, body.as_str()))
                .await;
            answer.problem(415, "unsupported_media_type");
        }
        // No type at all, and two of them.
        app.send(Request::new(method, path))
            .await
            .problem(415, "unsupported_media_type");
        let twice = Request::new(method, path)
            .header("content-type", JSON)
            .body(JSON, body.as_str());
        app.send(twice).await.problem(415, "unsupported_media_type");
        for coding in ["gzip", "identity"] {
            let coded = Request::new(method, path)
                .header("content-encoding", coding)
                .body(JSON, body.as_str());
            app.send(coded).await.problem(415, "unsupported_media_type");
        }
    }
    // A merge patch is no way to create.
    let patch = Request::new("POST", USERS).body("application/merge-patch+json", body.as_str());
    app.send(patch).await.problem(415, "unsupported_media_type");
    assert_eq!(app.count().await, 1);
}

pub(crate) async fn a_body_may_be_as_large_as_the_limit_and_no_larger(db: TestDatabase) {
    let app = TestApp::start(&db);
    let padded = |bytes: usize| ANN.to_owned() + &" ".repeat(bytes - ANN.len());
    let refused = app.post_text(USERS, padded(1024 * 1024 + 1)).await;
    let problem = refused.problem(413, "payload_too_large");
    assert_eq!(problem["detail"], "The body must not be larger than 1048576 bytes");
    let answer = app.post_text(USERS, padded(1024 * 1024)).await;
    assert_eq!(answer.status, 201, "{answer}");
}

pub(crate) async fn an_oversize_body_is_refused_by_its_length_before_it_comes(db: TestDatabase) {
    let app = TestApp::start_with(&db, |options| options.body_limit_bytes = 100);
    let mut wire = Wire::open(&app).await;
    wire.write(head("POST", USERS, "Content-Length: 101")).await;
    wire.answer("POST", USERS).await.problem(413, "payload_too_large");
}

pub(crate) async fn an_oversize_stream_is_refused_when_it_passes_the_limit(db: TestDatabase) {
    let app = TestApp::start_with(&db, |options| options.body_limit_bytes = 100);
    let mut wire = Wire::open(&app).await;
    wire.write(head("POST", USERS, "Transfer-Encoding: chunked")).await;
    for _ in 0..11 {
        wire.write("a\r\n          \r\n").await;
    }
    wire.answer("POST", USERS).await.problem(413, "payload_too_large");
    // What is within the limit may come in pieces.
    let mut wire = Wire::open(&app).await;
    wire.write(head("POST", USERS, "Transfer-Encoding: chunked")).await;
    for piece in ANN.as_bytes().chunks(7) {
        wire.write(format!("{:x}\r\n", piece.len())).await;
        wire.write(piece).await;
        wire.write("\r\n").await;
    }
    wire.write("0\r\n\r\n").await;
    assert_eq!(wire.answer("POST", USERS).await.status, 201);
}

pub(crate) async fn a_body_that_ends_too_early_or_is_damaged_is_malformed(db: TestDatabase) {
    let app = TestApp::start(&db);
    let mut wire = Wire::open(&app).await;
    wire.write(head("POST", USERS, "Content-Length: 100") + ANN).await;
    wire.end_writing().await;
    wire.answer("POST", USERS).await.problem(400, "malformed_request");

    let mut wire = Wire::open(&app).await;
    wire.write(head("POST", USERS, "Transfer-Encoding: chunked") + "zz\r\n" + ANN)
        .await;
    wire.answer("POST", USERS).await.problem(400, "malformed_request");
    assert_eq!(app.count().await, 0);
}

pub(crate) async fn a_body_that_stalls_is_given_up(db: TestDatabase) {
    let app = TestApp::start_with(&db, |options| options.client_timeout = Duration::from_millis(300));
    let mut wire = Wire::open(&app).await;
    wire.write(head("POST", USERS, "Content-Length: 100") + ANN).await;
    wire.answer("POST", USERS).await.problem(408, "request_timeout");
    // Whatever comes now cannot be told from a new request.
    assert!(wire.is_closed().await);
    assert_eq!(app.count().await, 0);
}

pub(crate) async fn a_slow_body_is_waited_for_while_it_keeps_coming(db: TestDatabase) {
    let app = TestApp::start_with(&db, |options| options.client_timeout = Duration::from_millis(900));
    let mut wire = Wire::open(&app).await;
    let length = format!("Content-Length: {}", ANN.len());
    wire.write(head("POST", USERS, &length)).await;
    // Longer in all than the silence that is allowed between two pieces.
    for piece in ANN.as_bytes().chunks(5) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        wire.write(piece).await;
    }
    assert_eq!(wire.answer("POST", USERS).await.status, 201);
}

/// Each piece comes in time, and the body never ends.
pub(crate) async fn a_body_that_drips_for_ever_is_given_up_at_the_deadline(db: TestDatabase) {
    let app = TestApp::start_with(&db, |options| {
        options.client_timeout = Duration::from_mins(1);
        options.request_timeout = Duration::from_millis(500);
    });
    let mut wire = Wire::open(&app).await;
    wire.write(head("POST", USERS, "Content-Length: 1000000")).await;
    let answer = loop {
        tokio::select! {
            biased;
            answer = wire.answer("POST", USERS) => break answer,
            () = tokio::time::sleep(Duration::from_millis(50)) => wire.write(" ").await,
        }
    };
    answer.problem(504, "deadline_exceeded");
    assert!(wire.is_closed().await);
    assert_eq!(app.count().await, 0);
}

/// Whatever of a refused body is still under way must not be taken for a request of its own.
pub(crate) async fn a_refused_body_does_not_disturb_the_next_request(db: TestDatabase) {
    let app = TestApp::start_with(&db, |options| options.body_limit_bytes = 1000);
    let inner = "DELETE /api/v1/users/1 HTTP/1.1\r\nHost: test\r\n\r\n".repeat(30);
    for (content_type, status) in [("text/plain", 415), (JSON, 413)] {
        let mut wire = Wire::open(&app).await;
        let length = inner.len();
        let head = format!(
            "POST {USERS} HTTP/1.1\r\nHost: test\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n"
        );
        wire.write(head + &inner).await;
        assert_eq!(wire.answer("POST", USERS).await.status, status);
        // The service may keep the connection and read past the body, or close it.
        if !wire.is_closed().await {
            assert_eq!(wire.ask("GET", "/nothing").await.status, 404);
        }
    }
}

pub(crate) async fn a_client_that_asks_first_is_told_to_go_on(db: TestDatabase) {
    let app = TestApp::start(&db);
    let mut wire = Wire::open(&app).await;
    let framing = format!("Expect: 100-continue\r\nContent-Length: {}", ANN.len());
    wire.write(head("POST", USERS, &framing)).await;
    wire.until("HTTP/1.1 100 Continue\r\n\r\n").await;
    wire.write(ANN).await;
    assert_eq!(wire.answer("POST", USERS).await.status, 201);
}

pub(crate) async fn faults_are_reported_in_a_fixed_order_of_kinds(db: TestDatabase) {
    let app = TestApp::start_with(&db, |options| options.body_limit_bytes = 100);
    app.create("Ann", "ann@example.com").await;
    let bob = path_of(&app.create("Bob", "bob@example.com").await);
    let patch = async |path: &str, content_type, body: &str| {
        let request = Request::new("PATCH", path).body(content_type, body);
        let answer = app.send(request).await;
        (answer.status, answer.json()["code"].clone())
    };
    let bad_id = format!("{USERS}/0");
    let nobody = format!("{USERS}/9999");
    let oversize = "{".repeat(101);
    let invalid = r#"{"name": " "}"#;
    let taken = r#"{"email": "ann@example.com"}"#;
    let expected = |status: u16, code: &str| (status, Value::from(code));
    let unsupported = expected(415, "unsupported_media_type");
    assert_eq!(patch(&bad_id, "text/plain", &oversize).await, unsupported);
    assert_eq!(
        patch(&bad_id, JSON, &oversize).await,
        expected(413, "payload_too_large")
    );
    assert_eq!(patch(&bad_id, JSON, "{").await, expected(400, "malformed_request"));
    assert_eq!(patch(&bad_id, JSON, "{}").await, expected(400, "no_fields_to_update"));
    assert_eq!(patch(&bad_id, JSON, taken).await, expected(422, "validation_failed"));
    assert_eq!(patch(&nobody, JSON, invalid).await, expected(422, "validation_failed"));
    assert_eq!(patch(&nobody, JSON, taken).await, expected(404, "not_found"));
    assert_eq!(patch(&bob, JSON, taken).await, expected(409, "email_taken"));
}

fn head(method: &str, path: &str, framing: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Type: {JSON}\r\n{framing}\r\n\r\n")
}

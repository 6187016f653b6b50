//! Paths, methods and the headers of the exchange itself.

use std::collections::BTreeSet;

use persistence::test_db::TestDatabase;
use serde_json::json;

use crate::{
    contract,
    support::{BATCH, Request, TestApp, USERS, path_of},
    wire::Wire,
};

pub(crate) async fn an_unknown_path_is_not_found(db: TestDatabase) {
    let app = TestApp::start(&db);
    let paths = [
        "/nothing",
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v2/users",
        "/api/v1/users/",
        "/api/v1/users/1/",
        "/api/v1/users/1/posts",
        "/api/v1//users",
        "//api/v1/users",
        "/API/v1/users",
        "/api/v1/Users",
        "/api/v1%2Fusers",
        "/health/",
        "/health/other",
        "/openapi.yaml",
        "/docs/nothing.js",
        "/docs/../openapi.json/",
        "/docs/..%2F..%2FCargo.toml",
        "/docs/%2e%2e/Cargo.toml",
        "/favicon.ico",
        "/%E7%94%B0?x=1",
    ];
    let mut wire = Wire::open(&app).await;
    for path in paths {
        for method in ["GET", "POST", "BREW"] {
            let answer = wire.ask(method, path).await;
            if path.starts_with("/docs/") && method != "GET" {
                answer.problem(405, "method_not_allowed");
            } else {
                assert_eq!(answer.problem(404, "not_found")["detail"], "No such path");
            }
        }
    }
}

pub(crate) async fn a_method_that_a_path_does_not_take_is_refused_with_those_it_takes(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = path_of(&app.create("Ann", "ann@example.com").await);
    let reads = "GET, HEAD";
    let mut wire = Wire::open(&app).await;
    for (path, allow) in [
        (USERS, "GET, HEAD, POST"),
        (BATCH, "POST"),
        ("/api/v1/users/import", "POST"),
        ("/api/v1/users/export", reads),
        (user.as_str(), "DELETE, GET, HEAD, PATCH"),
        ("/api/v1/users/nobody", "DELETE, GET, HEAD, PATCH"),
        ("/health", reads),
        ("/health/live", reads),
        ("/health/ready", reads),
        ("/openapi.json", reads),
        ("/problems", reads),
        ("/problems/internal", reads),
        ("/", reads),
        ("/docs", reads),
        ("/docs/", reads),
        ("/docs/index.html", reads),
    ] {
        let allowed: Vec<_> = allow.split(", ").collect();
        for method in [
            "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW",
        ] {
            if allowed.contains(&method) {
                continue;
            }
            let answer = wire.ask(method, path).await;
            assert_eq!(
                (answer.status, answer.header("allow")),
                (405, Some(allow)),
                "{method} {path}"
            );
            if method != "HEAD" {
                assert_eq!(
                    answer.problem(405, "method_not_allowed")["detail"],
                    format!("This path takes {allow}")
                );
            }
        }
    }
    assert_eq!(app.get(&user).await.status, 200);
}

/// What is documented is routed, and what is routed is documented.
pub(crate) async fn the_document_names_every_method_of_every_path(db: TestDatabase) {
    let app = TestApp::start(&db);
    let templates: BTreeSet<_> = contract::operations().iter().map(|it| it.template.as_str()).collect();
    for template in templates {
        let of_path = contract::operations().iter().filter(|it| it.template == template);
        let mut documented: BTreeSet<_> = of_path.map(|it| it.method.as_str()).collect();
        if documented.contains("GET") {
            documented.insert("HEAD");
        }
        let answer = app.send(Request::new("BREW", template.replace("{id}", "1"))).await;
        let allowed: BTreeSet<_> = answer.header("allow").unwrap().split(", ").collect();
        assert_eq!(allowed, documented, "{template}");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let answer = app.send(Request::new(method, template.replace("{id}", "1"))).await;
            assert_eq!(
                answer.status == 405,
                !documented.contains(method),
                "{method} {template}"
            );
        }
    }
}

pub(crate) async fn a_path_that_cannot_be_decoded_is_malformed(db: TestDatabase) {
    let app = TestApp::start(&db);
    let mut wire = Wire::open(&app).await;
    for path in [
        "/api/v1/users/%zz",
        "/api/v1/users/%",
        "/api/v1/users/1%2",
        "/api/v1/users/%ff",
        "/%E7%94",
    ] {
        wire.ask("GET", path).await.problem(400, "malformed_request");
    }
    wire.ask("DELETE", "/api/v1/users/%ff")
        .await
        .problem(400, "malformed_request");
}

pub(crate) async fn an_escaped_path_is_the_same_path(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = path_of(&app.create("Ann", "ann@example.com").await);
    let escaped = user.replace("/api/", "/%61pi/");
    let mut wire = Wire::open(&app).await;
    let (plain, same) = (wire.ask("GET", &user).await, wire.ask("GET", &escaped).await);
    assert_eq!((plain.status, &plain.body), (same.status, &same.body));
    assert_eq!(same.header("cache-control"), Some("private, no-cache"));
}

pub(crate) async fn an_id_has_one_spelling(db: TestDatabase) {
    let app = TestApp::start(&db);
    app.create("Ann", "ann@example.com").await;
    for (id, code) in [
        ("0", "range"),
        ("9223372036854775808", "range"),
        ("99999999999999999999999999", "range"),
        ("00", "range"),
        ("01", "format"),
        ("-1", "format"),
        ("+1", "format"),
        ("1.0", "format"),
        ("1e0", "format"),
        ("0x1", "format"),
        ("abc", "format"),
        ("%20", "format"),
        ("1%20", "format"),
        ("1%00", "format"),
        ("1%2F2", "format"),
        ("%EF%BC%91", "format"),
        ("1;DROP", "format"),
        ("null", "format"),
    ] {
        let path = format!("{USERS}/{id}");
        let faults = [("path/id", code)];
        app.get(&path).await.has_faults(&faults);
        app.delete(&path).await.has_faults(&faults);
        app.patch_json(&path, &json!({"name": "Anna"}))
            .await
            .has_faults(&faults);
    }
    let last = app.get("/api/v1/users/9223372036854775807").await;
    assert_eq!(
        last.problem(404, "not_found")["detail"],
        "User with id 9223372036854775807 not found"
    );
    assert_eq!(app.count().await, 1);
}

pub(crate) async fn head_answers_as_get_without_the_body(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = path_of(&app.create("Ann", "ann@example.com").await);
    let mut wire = Wire::open(&app).await;
    for path in [
        USERS,
        "/api/v1/users?cursor=",
        user.as_str(),
        "/api/v1/users/9999",
        "/api/v1/users/0",
        "/api/v1/users?page=0",
        "/health",
        "/health/live",
        "/health/ready",
        "/openapi.json",
        "/",
        "/docs",
        "/docs/",
        "/docs/swagger-ui.css",
        "/nothing",
    ] {
        // On one connection: a body that came after all would be taken for the next answer.
        let head = wire.ask("HEAD", path).await;
        let get = wire.ask("GET", path).await;
        assert_eq!(head.status, get.status, "{path}");
        let names =
            |headers: &reqwest::header::HeaderMap| headers.keys().map(ToString::to_string).collect::<BTreeSet<_>>();
        assert_eq!(names(&head.headers), names(&get.headers), "{path}");
        for name in ["content-length", "content-type", "link", "location", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{name} of {path}");
        }
        assert_eq!(
            get.header("content-length").unwrap(),
            get.body.len().to_string(),
            "{path}"
        );
    }
}

pub(crate) async fn a_harmless_request_id_is_echoed_and_any_other_replaced(db: TestDatabase) {
    let app = TestApp::start(&db);
    let longest = "x".repeat(128);
    let ask = async |path: &str, id: &str| app.send(Request::new("GET", path).header("x-request-id", id)).await;
    for id in ["a", "0193fd2a-6f0e-7c3b-9d53-0b6a3f1e2c4d", "Trace_1.2-3", &longest] {
        for path in [USERS, "/api/v1/users/9999", "/nothing", "/health"] {
            // That a problem repeats it in its body is checked of every answer.
            assert_eq!(ask(path, id).await.header("x-request-id"), Some(id));
        }
    }
    let too_long = "x".repeat(129);
    let mut fresh = BTreeSet::new();
    for id in ["", "a b", "a/b", "{}", "a,b", "<script>", "été", &too_long] {
        for path in [USERS, "/nothing"] {
            let answer = ask(path, id).await;
            let given = answer.header("x-request-id").unwrap().to_owned();
            assert_eq!((given.len(), given.as_bytes()[14]), (36, b'7'), "not a UUIDv7: {given}");
            assert!(fresh.insert(given), "twice the same");
        }
    }
}

pub(crate) async fn the_query_of_a_request_stays_out_of_its_problem(db: TestDatabase) {
    let app = TestApp::start(&db);
    let problem = app
        .get("/api/v1/users?email=secret")
        .await
        .problem(422, "validation_failed");
    assert!(!problem.to_string().contains("secret"), "{problem}");
    let problem = app.get("/nothing?token=secret").await.problem(404, "not_found");
    assert_eq!(problem["instance"], "/nothing");
    // What was sent is not sent back.
    let body = json!({"name": "<script>alert(1)</script>\u{0}", "email": "<b>'; DROP TABLE users"});
    let refused = app.post_json(USERS, &body).await;
    refused.has_faults(&[("/email", "format"), ("/name", "control_character")]);
    assert!(
        !refused.text().contains('<') && !refused.text().contains("DROP"),
        "{refused}"
    );
}

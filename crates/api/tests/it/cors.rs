//! What a browser must be told so that a page of another origin may call the API and read what it answers.

use std::time::Duration;

use api::CrossOrigin;
use persistence::test_db::TestDatabase;
use serde_json::json;

use crate::{
    answer::Answer,
    support::{Request, TestApp, USERS, path_of},
    wire::Wire,
};

const APP: &str = "https://app.example.com";
const FOREIGN: &str = "https://evil.example";

/// What pages must be able to read.
const EXPOSED: [&str; 7] = [
    "ETag",
    "Location",
    "X-Request-ID",
    "Link",
    "RateLimit",
    "RateLimit-Policy",
    "Idempotency-Replayed",
];

fn start(db: &TestDatabase) -> TestApp {
    start_for(db, CrossOrigin::Origins(vec![APP.to_owned()]))
}

fn start_for(db: &TestDatabase, policy: CrossOrigin) -> TestApp {
    TestApp::start_with(db, |options| options.cross_origin = policy)
}

fn preflight(path: &str, origin: &str, method: &str) -> Request {
    Request::new("OPTIONS", path)
        .header("origin", origin)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "authorization,content-type")
}

fn list<'a>(answer: &'a Answer, header: &str) -> Vec<&'a str> {
    answer.header(header).unwrap_or_default().split(", ").collect()
}

#[track_caller]
fn may_be_read(answer: &Answer, origin: &str) {
    assert_eq!(answer.header("access-control-allow-origin"), Some(origin), "{answer}");
    let exposed = list(answer, "access-control-expose-headers");
    for name in EXPOSED {
        assert!(exposed.contains(&name), "{name} of {answer}");
    }
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}

#[track_caller]
fn says_nothing_of_cors(answer: &Answer) {
    let names = answer.headers.keys().map(reqwest::header::HeaderName::as_str);
    let cors: Vec<_> = names.filter(|name| name.starts_with("access-control")).collect();
    assert!(cors.is_empty(), "{answer}");
}

/// The reasons for which an answer varies, of all lines together.
fn varies_by(answer: &Answer) -> Vec<String> {
    let lines = answer.headers.get_all("vary").iter();
    let mut names: Vec<_> = lines
        .flat_map(|line| line.to_str().unwrap().split(", ").map(str::to_owned))
        .collect();
    names.sort_unstable();
    names
}

pub(crate) async fn a_preflight_says_what_the_path_takes(db: TestDatabase) {
    let app = start(&db);
    for (path, methods) in [
        (USERS, "GET, HEAD, POST"),
        ("/api/v1/users/1", "DELETE, GET, HEAD, PATCH"),
        ("/api/v1/users/batch", "POST"),
        ("/openapi.json", "GET, HEAD"),
        ("/health", "GET, HEAD"),
        ("/problems/internal", "GET, HEAD"),
        // So that the page can read the 404.
        ("/api/v1/nothing", "DELETE, GET, HEAD, PATCH, POST"),
    ] {
        let answer = app.send(preflight(path, APP, "PATCH")).await;
        assert_eq!(answer.status, 204, "{answer}");
        assert_eq!(answer.header("access-control-allow-origin"), Some(APP));
        assert_eq!(answer.header("access-control-allow-methods"), Some(methods), "{path}");
        let headers = answer.header("access-control-allow-headers").unwrap().to_lowercase();
        let headers: Vec<_> = headers.split(", ").collect();
        for name in [
            "authorization",
            "content-type",
            "if-match",
            "if-none-match",
            "idempotency-key",
            "x-request-id",
            "traceparent",
        ] {
            assert!(headers.contains(&name), "{name} of {answer}");
        }
        assert_eq!(answer.header("access-control-max-age"), Some("600"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert_eq!(
            varies_by(&answer),
            [
                "Access-Control-Request-Headers",
                "Access-Control-Request-Method",
                "Origin"
            ]
        );
    }
}

pub(crate) async fn a_foreign_origin_is_given_no_permission(db: TestDatabase) {
    let app = start(&db);
    for origin in [
        FOREIGN,
        "null",
        "https://app.example.com:443",
        "https://app.example.com.evil.example",
    ] {
        let asked = app.send(preflight(USERS, origin, "POST")).await;
        assert_eq!(asked.status, 204, "{asked}");
        says_nothing_of_cors(&asked);
        let read = app.send(Request::new("GET", USERS).header("origin", origin)).await;
        // A browser keeps the answer from the page; other clients may have it.
        assert_eq!(read.status, 200, "{read}");
        says_nothing_of_cors(&read);
        assert_eq!(varies_by(&read), ["Origin"]);
    }
    let without_origin = app.get(USERS).await;
    says_nothing_of_cors(&without_origin);
    assert_eq!(varies_by(&without_origin), ["Origin"]);
}

pub(crate) async fn an_allowed_page_reads_every_answer_whatever_its_status(db: TestDatabase) {
    let app = start(&db);
    let ann = json!({"name": "Ann", "email": "ann@example.com"});
    let asks = async |request: Request, status: u16| {
        let answer = app.send(request.header("origin", APP)).await;
        assert_eq!(answer.status, status, "{answer}");
        may_be_read(&answer, APP);
        assert!(varies_by(&answer).contains(&"Origin".to_owned()), "{answer}");
        answer
    };
    let created = asks(Request::new("POST", USERS).json(&ann), 201).await;
    let user = path_of(&created.json());
    asks(Request::new("GET", &user), 200).await;
    asks(Request::new("HEAD", &user), 200).await;
    asks(Request::new("POST", USERS).json(&ann), 409).await;
    asks(Request::new("POST", USERS).json(&json!({})), 422).await;
    asks(Request::new("POST", USERS).body("text/plain", "x"), 415).await;
    asks(Request::new("GET", "/api/v1/users/9999"), 404).await;
    asks(Request::new("GET", "/nothing"), 404).await;
    asks(Request::new("GET", "/%ff"), 400).await;
    asks(Request::new("PUT", &user), 405).await;
    asks(Request::new("OPTIONS", USERS), 405).await;
    asks(Request::new("DELETE", &user), 204).await;
    asks(Request::new("GET", "/health/live"), 200).await;
    asks(Request::new("GET", "/openapi.json"), 200).await;
    let page = asks(Request::new("GET", "/problems/internal"), 200).await;
    assert_eq!(varies_by(&page), ["Accept", "Origin"]);
    db.execute("DROP TABLE users").await;
    asks(Request::new("GET", USERS), 500).await;
    app.lifecycle.close();
    asks(Request::new("GET", USERS), 503).await;
}

/// Such a request is dropped with everything that was to handle it.
pub(crate) async fn an_allowed_page_reads_that_its_request_was_given_up(db: TestDatabase) {
    let app = TestApp::start_with(&db, |options| {
        options.cross_origin = CrossOrigin::Anybody;
        options.request_timeout = Duration::from_millis(300);
    });
    let mut wire = Wire::open(&app).await;
    wire.write(format!(
        "POST {USERS} HTTP/1.1\r\nHost: test\r\nOrigin: {APP}\r\nContent-Type: application/json\r\n\
         Content-Length: 100\r\n\r\n"
    ))
    .await;
    let answer = wire.answer("POST", USERS).await;
    answer.problem(504, "deadline_exceeded");
    may_be_read(&answer, "*");
}

pub(crate) async fn where_anybody_may_call_the_answers_are_the_same_for_all(db: TestDatabase) {
    let app = start_for(&db, CrossOrigin::Anybody);
    for origin in [APP, FOREIGN, "null"] {
        let asked = app.send(preflight(USERS, origin, "POST")).await;
        assert_eq!(
            (asked.status, asked.header("access-control-allow-origin")),
            (204, Some("*"))
        );
        let read = app.send(Request::new("GET", USERS).header("origin", origin)).await;
        may_be_read(&read, "*");
        assert_eq!(varies_by(&read), [""; 0]);
    }
}

pub(crate) async fn without_origins_nothing_of_cors_exists(db: TestDatabase) {
    let app = TestApp::start(&db);
    let asked = app.send(preflight(USERS, APP, "POST")).await;
    assert_eq!((asked.status, asked.header("allow")), (405, Some("GET, HEAD, POST")));
    says_nothing_of_cors(&asked);
    let read = app.send(Request::new("GET", USERS).header("origin", APP)).await;
    assert_eq!(read.status, 200);
    says_nothing_of_cors(&read);
    assert_eq!(varies_by(&read), [""; 0]);
}

pub(crate) async fn an_options_request_that_is_no_preflight_is_refused(db: TestDatabase) {
    let app = start(&db);
    for request in [
        Request::new("OPTIONS", USERS),
        Request::new("OPTIONS", USERS).header("origin", APP),
        Request::new("OPTIONS", USERS).header("access-control-request-method", "POST"),
    ] {
        let answer = app.send(request).await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD, POST")));
    }
}

//! What load balancers and orchestrators ask, and what becomes of everybody else when the answer is bad.

use std::time::{Duration, Instant};

use persistence::{Migrations, test_db::TestDatabase};
use serde_json::{Value, json};

use crate::{
    answer::Answer,
    support::{BATCH, JSON, Request, TestApp, USERS, path_of},
    wire::Wire,
};

pub(crate) async fn a_healthy_service_says_so(db: TestDatabase) {
    let app = TestApp::start(&db);
    assert_eq!(app.get("/health/live").await.json(), json!({"status": "alive"}));
    let ready = app.get("/health/ready").await;
    assert_eq!((ready.status, ready.header("content-type")), (200, Some(JSON)));
    assert_eq!(ready.json(), readiness("ready", ["ok", "ok", "ok"]));
    let health = app.get("/health?ignored=1").await;
    let mut report = health.json();
    let timestamp = report.as_object_mut().unwrap().remove("timestamp").unwrap();
    assert_eq!(
        timestamp.as_str().map(str::len),
        Some("2026-11-23T03:05:13.123456Z".len())
    );
    let expected = json!({"status": "healthy", "database": "connected", "version": env!("CARGO_PKG_VERSION")});
    assert_eq!((health.status, report), (200, expected));
}

pub(crate) async fn without_its_database_the_service_lives_and_is_not_ready(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = path_of(&app.create("Ann", "ann@example.com").await);
    assert_eq!(app.get("/health/ready").await.status, 200);
    db.database().close().await.unwrap();
    let closed = Instant::now();
    let ready = until_not_ready(&app).await;
    assert!(closed.elapsed() < Duration::from_secs(2), "{:?}", closed.elapsed());
    assert_eq!(ready.json(), readiness("not_ready", ["failed", "failed", "ok"]));
    assert_eq!(app.get("/health/live").await.json(), json!({"status": "alive"}));
    let health = app.get("/health").await;
    let report = health.json();
    assert_eq!(
        (health.status, &report["status"], &report["database"]),
        (503, &json!("unhealthy"), &json!("disconnected"))
    );

    let ann = json!({"name": "Ann", "email": "b@example.com"});
    for request in [
        Request::new("GET", USERS),
        Request::new("GET", "/api/v1/users?cursor="),
        Request::new("GET", &user),
        Request::new("POST", USERS).json(&ann),
        Request::new("POST", BATCH).json(&json!({"users": [ann]})),
        Request::new("PATCH", &user).json(&ann),
        Request::new("DELETE", &user),
    ] {
        let answer = app.send(request).await;
        answer.problem(503, "database_unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    // What needs no database goes on.
    app.get("/api/v1/users/0").await.problem(422, "validation_failed");
    assert_eq!(app.get("/openapi.json").await.status, 200);
}

pub(crate) async fn with_pending_migrations_the_service_is_not_ready(db: TestDatabase) {
    let app = TestApp::start(&db);
    let ready = app.get("/health/ready").await;
    assert_eq!(
        (ready.status, ready.json()),
        (503, readiness("not_ready", ["ok", "failed", "ok"]))
    );
    assert_eq!(app.get("/health").await.json()["status"], "healthy");
    Migrations::new(db.database()).up(None).await.unwrap();
    let started = Instant::now();
    while app.get("/health/ready").await.status != 200 {
        assert!(started.elapsed() < Duration::from_secs(10), "never ready");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    app.create("Ann", "ann@example.com").await;
}

pub(crate) async fn a_draining_service_answers_and_closes_its_connections(db: TestDatabase) {
    let app = TestApp::start(&db);
    let user = path_of(&app.create("Ann", "ann@example.com").await);
    let mut kept = Wire::open(&app).await;
    assert_eq!(kept.ask("GET", &user).await.header("connection"), None);
    app.lifecycle.drain();
    let ready = kept.ask("GET", "/health/ready").await;
    assert_eq!(
        (ready.status, ready.json()),
        (503, readiness("not_ready", ["ok", "ok", "failed"]))
    );
    assert_eq!(ready.header("connection"), Some("close"));
    assert!(kept.is_closed().await);

    for (path, status) in [
        (user.as_str(), 200),
        (USERS, 200),
        ("/health/live", 200),
        ("/health", 200),
        ("/nothing", 404),
    ] {
        let mut wire = Wire::open(&app).await;
        let answer = wire.ask("GET", path).await;
        assert_eq!(
            (answer.status, answer.header("connection")),
            (status, Some("close")),
            "{path}"
        );
        assert!(wire.is_closed().await, "{path}");
    }
    app.create("Bob", "bob@example.com").await;
}

pub(crate) async fn an_answer_that_goes_out_while_the_service_drains_closes_its_connection(db: TestDatabase) {
    let app = TestApp::start(&db);
    let mut wire = Wire::open(&app).await;
    let (start, end) = (r#"{"name": "Ann", "#, r#""email": "ann@example.com"}"#);
    let length = start.len() + end.len();
    wire.write(format!(
        "POST {USERS} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{start}"
    ))
    .await;
    while app.lifecycle.requests_in_progress() == 0 {
        tokio::task::yield_now().await;
    }
    app.lifecycle.drain();
    wire.write(end).await;
    let answer = wire.answer("POST", USERS).await;
    assert_eq!(
        (answer.status, answer.header("connection")),
        (201, Some("close")),
        "{answer}"
    );
    assert!(wire.is_closed().await);
}

pub(crate) async fn a_closing_service_turns_late_requests_away(db: TestDatabase) {
    let app = TestApp::start(&db);
    let mut kept = Wire::open(&app).await;
    assert_eq!(kept.ask("GET", USERS).await.status, 200);
    app.lifecycle.close();
    let late = kept.ask("GET", USERS).await;
    late.problem(503, "shutting_down");
    assert_eq!(
        (late.header("retry-after"), late.header("connection")),
        (Some("1"), Some("close"))
    );
    let bob = json!({"name": "Bob", "email": "bob@example.com"});
    app.post_json(USERS, &bob).await.problem(503, "shutting_down");
    assert_eq!(
        db.query(db.database().writer(), "SELECT id FROM users").await,
        Vec::<Vec<String>>::new()
    );
    // Whoever watches learns the same from documents of their own.
    assert_eq!(app.get("/health/live").await.status, 200);
    assert_eq!(
        app.get("/health/ready").await.json(),
        readiness("not_ready", ["ok", "ok", "failed"])
    );
}

async fn until_not_ready(app: &TestApp) -> Answer {
    let started = Instant::now();
    loop {
        let ready = app.get("/health/ready").await;
        if ready.status == 503 {
            return ready;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "ready for too long");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn readiness(status: &str, [database, migrations, shutdown]: [&str; 3]) -> Value {
    json!({"status": status, "checks": {"database": database, "migrations": migrations, "shutdown": shutdown}})
}

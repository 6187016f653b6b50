//! What Prometheus reads.

use std::collections::BTreeMap;

use persistence::{Database, DatabaseOptions, test_db::TestDatabase};
use serde_json::json;

use crate::{
    answer::Answer,
    support::{Request, TestApp, USERS, path_of},
    wire::Wire,
};

const METRICS: &str = "/metrics";

/// The samples of an answer by name and labels, as they are written.
fn samples(answer: &Answer) -> BTreeMap<String, String> {
    assert_eq!(answer.status, 200, "{answer}");
    let lines = answer.text().lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(series, value)| (series.to_owned(), value.to_owned()))
        .collect()
}

fn requests(method: &str, route: &str, status: u16) -> String {
    format!("http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}")
}

pub(crate) async fn requests_are_counted_by_method_template_and_status(db: TestDatabase) {
    let app = TestApp::start(&db);
    let ann = app.create("Ann", "ann@example.com").await;
    app.get(&path_of(&ann)).await;
    app.get("/api/v1/users/999999").await;
    app.get("/api/v1/users/999998").await;
    app.post_json(USERS, &json!({"name": "Ann", "email": "ann@example.com"}))
        .await;
    app.send(Request::new("HEAD", USERS)).await;
    app.send(Request::new("PUT", USERS)).await;
    app.get("/no/such/path").await;
    let scraped = app.get(METRICS).await;
    let samples = samples(&scraped);
    for (series, count) in [
        (requests("POST", USERS, 201), "1"),
        (requests("POST", USERS, 409), "1"),
        (requests("GET", "/api/v1/users/{id}", 200), "1"),
        (requests("GET", "/api/v1/users/{id}", 404), "2"),
        (requests("HEAD", USERS, 200), "1"),
        (requests("PUT", USERS, 405), "1"),
        (requests("GET", "unmatched", 404), "1"),
        ("problems_total{code=\"email_taken\"}".to_owned(), "1"),
        ("problems_total{code=\"not_found\"}".to_owned(), "3"),
        ("problems_total{code=\"deadline_exceeded\"}".to_owned(), "0"),
        (r#"transaction_retries_total{reason="conflict"}"#.to_owned(), "0"),
        (r#"transaction_retries_total{reason="lock_timeout"}"#.to_owned(), "0"),
        (r#"transaction_retries_total{reason="connection"}"#.to_owned(), "0"),
        ("http_requests_in_progress".to_owned(), "1"),
        (
            format!("async_starter_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION")),
            "1",
        ),
    ] {
        assert_eq!(
            samples.get(&series).map(String::as_str),
            Some(count),
            "{series} in {scraped}"
        );
    }
    let timed = format!("{{method=\"POST\",route=\"{USERS}\",status=\"201\"}}");
    assert_eq!(samples[&format!("http_request_duration_seconds_count{timed}")], "1");
    assert_ne!(samples[&format!("http_request_duration_seconds_sum{timed}")], "0.0");
    let beyond = format!("http_request_duration_seconds_bucket{{le=\"+Inf\",{}", &timed[1..]);
    assert_eq!(samples[&beyond], "1");
}

pub(crate) async fn the_pools_are_shown_as_they_are(db: TestDatabase) {
    let app = TestApp::start(&db);
    app.get(USERS).await;
    let pool = db.database().pool_status().remove(0);
    let series = |state| format!("db_pool_connections{{pool=\"{}\",state=\"{state}\"}}", pool.name);
    let holder = db.database().begin().await.unwrap();
    let during = samples(&app.get(METRICS).await);
    assert!(during[&series("in_use")] != "0", "{during:?}");
    assert_eq!(
        during[&format!("db_pool_max_connections{{pool=\"{}\"}}", pool.name)],
        pool.max.to_string()
    );
    holder.rollback().await.unwrap();
    assert!(during.contains_key(&series("idle")));
}

pub(crate) async fn database_work_that_has_not_ended_is_counted(db: TestDatabase) {
    let app = TestApp::start(&db);
    let alive = async || {
        let samples = samples(&app.get(METRICS).await);
        assert!(samples.contains_key("db_runtime_queued_tasks"), "{samples:?}");
        samples["db_runtime_alive_tasks"].parse::<u64>().unwrap()
    };
    // Far more than the connections of this test, which run here as well.
    let before = alive().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        tasks.spawn(std::future::pending::<()>());
    }
    let during = alive().await;
    assert!(during >= before + 900, "{before} and then {during}");
    tasks.shutdown().await;
    let after = alive().await;
    assert!(after < before + 100, "{before} and then {after}");
}

pub(crate) async fn a_client_cannot_make_up_labels(db: TestDatabase) {
    let app = TestApp::start(&db);
    let mut wire = Wire::open(&app).await;
    let mut ask = async |count: std::ops::Range<u32>| {
        for number in count {
            let id = number + 1000;
            wire.ask("GET", &format!("/api/v1/users/{id}")).await;
            wire.ask("GET", &format!("/nothing/{id}?x={id}")).await;
            wire.ask(&format!("METHOD{id}"), USERS).await;
        }
    };
    ask(0..1).await;
    app.get(METRICS).await;
    let before = samples(&app.get(METRICS).await).len();
    ask(1..3334).await;
    let scraped = app.get(METRICS).await;
    let after = samples(&scraped);
    assert_eq!(after.len(), before, "{scraped}");
    assert_eq!(after[&requests("GET", "/api/v1/users/{id}", 404)], "3334");
    assert_eq!(after[&requests("GET", "unmatched", 404)], "3334");
    assert_eq!(after[&requests("other", USERS, 405)], "3334");
}

pub(crate) async fn both_forms_are_told_with_their_content_types(db: TestDatabase) {
    let app = TestApp::start(&db);
    app.get(USERS).await;
    let text = app.get(METRICS).await;
    assert_eq!(
        (text.status, text.header("content-type")),
        (200, Some("text/plain; version=0.0.4; charset=utf-8"))
    );
    assert!(text.text().contains("# TYPE http_requests_total counter\n"), "{text}");
    assert!(
        !text.text().contains("# EOF") && !text.text().contains("# UNIT"),
        "{text}"
    );
    let asked = Request::new("GET", METRICS).header("accept", "application/openmetrics-text; version=1.0.0");
    let open = app.send(asked).await;
    assert_eq!(
        (open.status, open.header("content-type")),
        (200, Some("application/openmetrics-text; version=1.0.0; charset=utf-8"))
    );
    assert!(open.text().contains("# TYPE http_requests counter\n"), "{open}");
    assert!(open.text().ends_with("\n# EOF\n"), "{open}");
    assert_eq!(open.header("vary"), Some("accept"));
    let posted = app.send(Request::new("POST", METRICS)).await;
    posted.problem(405, "method_not_allowed");
    assert_eq!(posted.header("allow"), Some("GET, HEAD"));
    assert_eq!(app.send(Request::new("HEAD", METRICS)).await.status, 200);
}

pub(crate) async fn metrics_that_have_a_listener_of_their_own_are_not_here(db: TestDatabase) {
    let app = TestApp::start_with(&db, |options| options.metrics = false);
    app.get(METRICS).await.problem(404, "not_found");
}

pub(crate) async fn metrics_are_told_while_the_database_is_gone(db: TestDatabase) {
    let database = Database::open(&DatabaseOptions { ..db.options() }).await.unwrap();
    let app = TestApp::start_on(&database, |_| ());
    database.close().await.unwrap();
    app.get(USERS).await.problem(503, "database_unavailable");
    let samples = samples(&app.get(METRICS).await);
    assert_eq!(samples["problems_total{code=\"database_unavailable\"}"], "1");
}

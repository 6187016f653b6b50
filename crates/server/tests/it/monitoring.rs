//! What those who watch the service get to see: metrics, log lines, and the dashboard and alerts that rest on them.

use std::{collections::BTreeSet, fs};

use persistence::test_db::TestDatabase;
use serde_json::{Value, json};
use yaml_rust2::{Yaml, YamlLoader};

use crate::support::{Server, eventually};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn file(path: &str) -> String {
    let path = format!("{}/../../deploy/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What is answered to a GET, as text.
pub(crate) async fn text_of(server: &Server, path: &str) -> String {
    let url = format!("http://{}{path}", server.address());
    reqwest::get(url).await.unwrap().text().await.unwrap()
}

/// Some of everything: success, a fault of the caller, an unknown path, a probe.
async fn be_busy(server: &Server) {
    let ann = json!({"name": "Ann", "email": "ann@example.com"});
    let created = server.send("POST", "/api/v1/users", Some(ann.clone())).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(server.send("POST", "/api/v1/users", Some(ann)).await.status, 409);
    assert_eq!(server.get("/nothing").await.status, 404);
    assert_eq!(server.get("/health/ready").await.status, 200);
}

/// The names that samples begin with.
fn sample_names(metrics: &str) -> BTreeSet<&str> {
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    samples.filter_map(|line| line.split(['{', ' ']).next()).collect()
}

/// The names of metrics in an expression: what stands before a `{`.
fn names_in(expression: &str) -> impl Iterator<Item = &str> {
    let is_name = |character: char| character.is_ascii_alphanumeric() || character == '_';
    expression.match_indices('{').filter_map(move |(brace, _)| {
        let name = expression[..brace].rsplit(|character| !is_name(character)).next();
        name.filter(|name| !name.is_empty())
    })
}

/// Everything that Prometheus is asked by the dashboard and by the alerts.
fn expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&file("grafana/async-starter.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let mut expressions: Vec<_> = targets
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect();
    let alerts = YamlLoader::load_from_str(&file("prometheus/alerts.yml")).unwrap();
    let rules = alerts[0]["groups"][0]["rules"].as_vec().unwrap();
    for rule in rules {
        let text = |value: &Yaml| value.as_str().unwrap_or_else(|| panic!("{rule:?}")).to_owned();
        assert!(text(&rule["alert"]).starts_with("AsyncStarter"));
        for annotation in ["summary", "description"] {
            assert!(text(&rule["annotations"][annotation]).len() > 10, "{rule:?}");
        }
        expressions.push(text(&rule["expr"]));
    }
    assert!(panels.len() >= 10 && rules.len() >= 6);
    expressions
}

pub(crate) async fn the_dashboard_and_the_alerts_ask_for_metrics_that_exist(db: TestDatabase) {
    let found: Vec<_> = names_in("sum by (le) (rate(a_bucket{x=\"1\"}[5m])) / b{y=\"1\"} > 1").collect();
    assert_eq!(found, ["a_bucket", "b"]);
    let server = Server::start(&[("DATABASE_URL", db.url())]).await;
    be_busy(&server).await;
    let metrics = text_of(&server, "/metrics").await;
    let exist = sample_names(&metrics);
    for expression in expressions() {
        let names: Vec<_> = names_in(&expression).collect();
        assert!(!names.is_empty(), "{expression}");
        for name in names {
            // Prometheus makes `up` up itself.
            assert!(
                name == "up" || exist.contains(name),
                "{name} of {expression}\n{metrics}"
            );
        }
    }
    let scrape = YamlLoader::load_from_str(&file("prometheus/prometheus.yml")).unwrap();
    assert_eq!(
        scrape[0]["scrape_configs"][0]["metrics_path"].as_str(),
        Some("/metrics")
    );
    assert_eq!(scrape[0]["rule_files"][0].as_str(), Some("alerts.yml"));
}

fn acquired(metrics: &str) -> u64 {
    let count = metrics
        .lines()
        .find_map(|line| line.strip_prefix("db_pool_acquire_seconds_count "));
    count.unwrap_or_else(|| panic!("{metrics}")).parse().unwrap()
}

pub(crate) async fn waits_of_requests_for_a_connection_are_measured_and_those_of_probes_are_not(db: TestDatabase) {
    let server = Server::start(&[
        ("DATABASE_URL", db.url()),
        ("LOG_LEVEL", "error,async_starter::startup=info"),
    ])
    .await;
    let before = acquired(&text_of(&server, "/metrics").await);
    for _ in 0..3 {
        assert_eq!(server.get("/api/v1/users/17").await.status, 404);
    }
    let after = acquired(&text_of(&server, "/metrics").await);
    assert_eq!(after, before + 3);
    // Each waits until a probe is due again.
    for _ in 0..2 {
        assert_eq!(server.get("/health/ready").await.status, 200);
        tokio::time::sleep(std::time::Duration::from_millis(550)).await;
    }
    assert_eq!(acquired(&text_of(&server, "/metrics").await), after);
}

pub(crate) async fn metrics_can_have_a_listener_of_their_own_that_lives_until_the_end(db: TestDatabase) {
    let settings = [
        ("DATABASE_URL", db.url()),
        ("METRICS_ADDR", "127.0.0.1:0"),
        ("SHUTDOWN_DRAIN", "2"),
    ];
    let mut server = Server::start(&settings).await;
    be_busy(&server).await;
    assert_eq!(server.get("/metrics").await.status, 404);
    let log = server.log();
    let (_, address) = log.split_once("serving metrics address=").unwrap();
    let address = address.split_whitespace().next().unwrap().to_owned();
    let ask = async |path: &str| reqwest::get(format!("http://{address}{path}")).await.unwrap();
    let metrics = ask("/metrics").await;
    assert_eq!(metrics.status(), 200);
    let metrics = metrics.text().await.unwrap();
    assert!(
        metrics.contains("http_requests_total{method=\"POST\",route=\"/api/v1/users\",status=\"201\"} 1"),
        "{metrics}"
    );
    for path in ["/", "/health", "/api/v1/users"] {
        let refused = ask(path).await;
        assert_eq!(refused.status(), 404, "{path}");
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
    }
    server.signal("TERM");
    eventually("it drains", async || server.get("/health/ready").await.status == 503).await;
    assert_eq!(ask("/metrics").await.status(), 200);
    let status = server.ended_within(std::time::Duration::from_secs(20)).await;
    assert!(status.success(), "{}", server.log());
    assert!(reqwest::get(format!("http://{address}/metrics")).await.is_err());
}

pub(crate) async fn a_log_for_machines_is_flat_and_tells_request_and_trace(db: TestDatabase) {
    let settings = [
        ("DATABASE_URL", db.url()),
        ("LOG_FORMAT", "json"),
        ("LOG_LEVEL", "info"),
        ("DB_SLOW_QUERY_MS", "0"),
    ];
    let server = Server::start(&settings).await;
    be_busy(&server).await;
    let found = server.get_with("/api/v1/users/17", &[("x-request-id", "before")]).await;
    assert_eq!(found.status, 404, "{found:?}");
    db.execute("DROP TABLE users").await;
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    let headers = [("traceparent", parent.as_str()), ("x-request-id", "mine")];
    let failed = server.get_with("/api/v1/users/17", &headers).await;
    assert_eq!(failed.status, 500, "{failed:?}");
    let log = server.stop().await;
    let lines: Vec<Value> = log
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    for line in &lines {
        let members = line.as_object().unwrap();
        assert!(
            members.values().all(|value| !value.is_object() && !value.is_array()),
            "{line}"
        );
        for name in ["timestamp", "level", "message", "target"] {
            assert!(members.contains_key(name), "{name} of {line}");
        }
    }
    let of_ours: Vec<_> = lines.iter().filter(|line| line["request_id"] == "mine").collect();
    for line in &of_ours {
        assert_eq!(
            (&line["trace_id"], &line["method"], &line["route"]),
            (&json!(TRACE), &json!("GET"), &json!("/api/v1/users/{id}")),
            "{line}"
        );
    }
    let told = |message: &str| {
        of_ours
            .iter()
            .filter(|line| line["message"] == message)
            .collect::<Vec<_>>()
    };
    assert_eq!(told("request").len(), 1, "{of_ours:?}");
    assert_eq!(told("request")[0]["status"], 500);
    assert_eq!(told("request")[0]["code"], "internal");
    assert_eq!(told("request")[0]["level"], "WARN");
    assert!(told("request")[0]["duration_ms"].is_number());
    assert_eq!(told("request failed").len(), 1, "{of_ours:?}");
    let cause = told("request failed")[0]["cause"].as_str().unwrap();
    assert!(cause.contains("users"), "{cause}");
    // What the database is told belongs to the request, whichever thread tells it.
    let before = lines.iter().filter(|line| line["request_id"] == "before");
    let statements = before.filter(|line| line["target"] == "sqlx::query");
    assert!(statements.count() > 0, "{lines:?}");
    let routes: Vec<_> = lines
        .iter()
        .filter(|line| line["message"] == "request")
        .map(|line| &line["route"])
        .collect();
    assert!(
        routes.contains(&&json!("unmatched")) && !routes.contains(&&json!("/health/ready")),
        "{routes:?}"
    );
}

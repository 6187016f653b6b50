//! What must not be found in the log.

use futures_util::future::join_all;
use persistence::test_db::{TestDatabase, TestEngine};
use serde_json::json;
use url::Url;

use crate::support::{Server, run};

const PASSWORD: &str = "correct-horse-battery-staple";

pub(crate) async fn a_statement_is_logged_under_the_id_of_its_request(db: TestDatabase) {
    // The spans between a request and its statement are of no interest to the log, and of some to the console.
    for console in ["on", "off"] {
        let settings = [
            ("DATABASE_URL", db.url()),
            ("LOG_LEVEL", "info,sqlx::query=debug"),
            ("CONSOLE", console),
        ];
        let server = Server::start(&settings).await;
        for path in ["/api/v1/users/1", "/api/v1/users?cursor=&email=ann@example.com"] {
            server.get_with(path, &[("x-request-id", "look-1")]).await;
        }
        let log = server.stop().await;
        let statements = log
            .lines()
            .filter(|line| line.contains("FROM") && line.contains(" request_id=look-1"));
        assert_eq!(statements.count(), 2, "console {console}: {log}");
    }
}

pub(crate) async fn names_and_addresses_of_users_stay_out_of_the_log(db: TestDatabase) {
    // Every statement counts as slow, and is logged.
    let settings = [
        ("DATABASE_URL", db.url()),
        ("LOG_LEVEL", "info"),
        ("DB_SLOW_QUERY_MS", "0"),
    ];
    let server = Server::start(&settings).await;
    let create = |number: u32| {
        let new = json!({"name": format!("Secretname {}", number % 40), "email": format!("secret.box{}@example.com", number % 40)});
        server.try_send("POST", "/api/v1/users", Some(new))
    };
    let answers = join_all((0..50).map(create)).await;
    let statuses: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap().status).collect();
    assert_eq!(
        statuses.iter().filter(|status| **status == 201).count(),
        40,
        "{statuses:?}"
    );
    assert_eq!(
        statuses.iter().filter(|status| **status == 409).count(),
        10,
        "{statuses:?}"
    );
    let user = server.get("/api/v1/users?email=secret.box1@example.com").await.body["users"][0].clone();
    let path = format!("/api/v1/users/{}", user["id"]);
    let batch = json!({"users": [{"name": "Secretname", "email": "secret.box1@example.com"}]});
    for (method, path, body, status) in [
        ("PATCH", path.as_str(), json!({"email": "secret.box2@example.com"}), 409),
        ("PATCH", &path, json!({"name": "Secretname the second"}), 200),
        ("POST", "/api/v1/users/batch", batch, 409),
        (
            "POST",
            "/api/v1/users",
            json!({"name": "Secretname", "email": "secret.box"}),
            422,
        ),
        ("POST", "/api/v1/users", json!({"Secretname": "secret.box@"}), 422),
        ("GET", "/api/v1/users/secret.box@example.com", json!(null), 422),
        ("GET", "/secret.box@example.com?Secretname", json!(null), 404),
        ("GET", "/api/v1/users?cursor=Secretname", json!(null), 400),
        ("SECRETNAME", "/api/v1/users", json!(null), 405),
    ] {
        assert_eq!(
            server.send(method, path, Some(body)).await.status,
            status,
            "{method} {path}"
        );
    }
    let bearer = [
        ("authorization", "Bearer Secretname"),
        ("x-request-id", "Secretname@x"),
        ("traceparent", "Secretname"),
    ];
    assert_eq!(server.get_with("/api/v1/users", &bearer).await.status, 200);
    let log = server.stop().await.to_lowercase();
    assert!(
        log.matches("request").count() >= 50 && log.contains("insert into"),
        "{log}"
    );
    assert!(!log.contains("secretname") && !log.contains("secret.box"), "{log}");
}

pub(crate) async fn the_password_of_the_database_stays_out_of_all_output(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        // It has none.
        return;
    }
    let mut wrong = Url::parse(db.url()).unwrap();
    wrong.set_password(Some(PASSWORD)).unwrap();
    let mut unknown = wrong.clone();
    unknown.set_path("/there_is_no_such_database");
    for url in [wrong, unknown] {
        // Whether it lets us in depends on the server. It must not show either way.
        let settings = [
            ("DATABASE_URL", url.as_str()),
            ("LOG_LEVEL", "trace"),
            ("DB_POOL_TIMEOUT", "1"),
            ("ENVIRONMENT", "staging"),
            ("SHUTDOWN_DRAIN", "0"),
        ];
        let server = Server::start(&settings).await;
        let mut printed = server.get("/health/ready").await.body.to_string();
        printed += &server.get("/api/v1/users").await.body.to_string();
        printed += &server.stop().await;
        for command in [
            &["migrate", "status"][..],
            &["migrate", "up"],
            &["seed", "--count", "1"],
        ] {
            let outcome = run(command, &settings).await;
            printed += &outcome.stdout;
            printed += &outcome.stderr;
        }
        assert!(printed.len() > 500 && !printed.contains(PASSWORD), "{printed}");
    }
}

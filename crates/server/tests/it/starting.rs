//! How a server meets its database at the start.

use persistence::test_db::{TestDatabase, TestEngine};
use serde_json::json;

use crate::support::{Server, run};

fn names(list: &serde_json::Value) -> Vec<&str> {
    let users = list["users"].as_array().unwrap();
    users.iter().map(|user| user["name"].as_str().unwrap()).collect()
}

pub(crate) async fn a_development_start_brings_the_schema_up_to_date(db: TestDatabase) {
    let settings = [("DATABASE_URL", db.url())];
    let server = Server::start(&settings).await;
    assert_eq!(server.get("/health/ready").await.status, 200);
    // A database server belongs to somebody who asked for it, and who wants no invented users in it.
    let list = server.get("/api/v1/users").await;
    let expected = if db.engine() == TestEngine::Sqlite { 3 } else { 0 };
    assert_eq!((list.status, &list.body["total"]), (200, &json!(expected)));
    let new = json!({"name": "田中太郎", "email": "tanaka@example.com"});
    let created = server.send("POST", "/api/v1/users", Some(new)).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(server.get(created.header("location")).await.body, created.body);
    server.stop().await;
    run(&["migrate", "status"], &settings).await.success();
}

/// As in the container of `compose.yaml`, whose first boot loads `init.sql`.
pub(crate) async fn init_sql_makes_a_database_that_is_ready_at_once(db: TestDatabase) {
    if !matches!(db.engine(), TestEngine::MySql | TestEngine::MariaDb) {
        // The script is for these two.
        return;
    }
    let script = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../init.sql")).unwrap();
    db.execute(&script).await;
    let settings = [("DATABASE_URL", db.url()), ("DB_AUTO_MIGRATE", "false")];
    let status = run(&["migrate", "status"], &settings).await.success();
    assert!(status.lines().all(|line| line.starts_with("applied")), "{status}");
    let server = Server::start(&settings).await;
    assert_eq!(server.get("/health/ready").await.status, 200);
    let list = server.get("/api/v1/users").await;
    assert_eq!(names(&list.body), ["Charlie", "Bob", "Alice"], "newest first");
    let bob = server.get("/api/v1/users?email=bob@example.com").await;
    assert_eq!(names(&bob.body), ["Bob"]);
    let new = json!({"name": "Zoë 🦀", "email": "zoe@example.com"});
    let created = server.send("POST", "/api/v1/users", Some(new)).await;
    assert_eq!((created.status, &created.body["name"]), (201, &json!("Zoë 🦀")));
    // The times by which the script made its users fit those of the program: the new one is the newest.
    let list = server.get("/api/v1/users").await;
    assert_eq!(names(&list.body), ["Zoë 🦀", "Charlie", "Bob", "Alice"]);
    let up = run(&["migrate", "up"], &settings).await.success();
    assert_eq!(up, "nothing to do\n");
}

pub(crate) async fn three_servers_started_at_once_agree_on_the_schema(db: TestDatabase) {
    let settings = [
        ("DATABASE_URL", db.url()),
        ("ENVIRONMENT", "staging"),
        ("DB_AUTO_MIGRATE", "true"),
        ("SHUTDOWN_DRAIN", "0"),
    ];
    let (one, two, three) = tokio::join!(
        Server::start(&settings),
        Server::start(&settings),
        Server::start(&settings)
    );
    for server in [one, two, three] {
        assert_eq!(server.get("/health/ready").await.status, 200);
        assert_eq!(server.get("/api/v1/users").await.body["total"], 0);
        server.stop().await;
    }
}

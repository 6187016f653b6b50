//! Seeing the SQL.

use persistence::test_db::TestDatabase;
use serde_json::{Value, json};

use crate::support::{Server, eventually};

// ANCHOR: exercise-1
/// A server that logs every statement, for machines.
async fn talkative(db: &TestDatabase) -> Server {
    Server::start(&[
        ("DATABASE_URL", db.url()),
        ("LOG_LEVEL", "info,sqlx::query=debug"),
        ("LOG_FORMAT", "json"),
    ])
    .await
}

/// The statements about users that were logged under this request id, each in short. They are complete once the request has its line.
async fn statements_of(server: &Server, request_id: &str) -> Vec<String> {
    let lines = || {
        let log = server.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines
            .filter(|line| line["request_id"] == request_id)
            .collect::<Vec<_>>()
    };
    eventually("the request is in the log", async || {
        lines().iter().any(|line| line["message"] == "request")
    })
    .await;
    let statements = lines().into_iter().filter(|line| line["target"] == "sqlx::query");
    let summaries = statements.map(|line| line["summary"].as_str().unwrap().to_owned());
    // Where a connection is opened for a request, its set-up is logged under the request as well.
    summaries.filter(|summary| summary.contains("users")).collect()
}

pub(crate) async fn the_statements_of_a_request_are_found_by_its_id(db: TestDatabase) {
    let server = talkative(&db).await;
    let ann = json!({"name": "Ann", "email": "ann@example.com"});
    assert_eq!(server.send("POST", "/api/v1/users", Some(ann)).await.status, 201);
    let found = server
        .get_with("/api/v1/users?email=ann@example.com", &[("x-request-id", "look-1")])
        .await;
    assert_eq!(found.body["total"], 1);
    // The thread of SQLite logs a statement a little after its result.
    eventually("its statements are in the log", async || {
        !statements_of(&server, "look-1").await.is_empty()
    })
    .await;
    for statement in statements_of(&server, "look-1").await {
        assert!(statement.starts_with("SELECT"), "{statement}");
    }
    let log = server.stop().await;
    assert!(!log.contains("ann@example.com"), "no value is in the log: {log}");
}
// ANCHOR_END: exercise-1

// ANCHOR: exercise-2
pub(crate) async fn a_page_takes_as_many_statements_for_twenty_users_as_for_two(db: TestDatabase) {
    let server = talkative(&db).await;
    let create = async |emails: std::ops::Range<u32>| {
        let users: Vec<_> = emails
            .map(|number| json!({"name": "Ann", "email": format!("ann{number}@example.com")}))
            .collect();
        let batch = json!({"users": users});
        assert_eq!(
            server.send("POST", "/api/v1/users/batch", Some(batch)).await.status,
            201
        );
    };
    let selects = async |id: &str| {
        // A cursor, because a page with a number also asks how many users there are, which is remembered for a second.
        let page = server.get_with("/api/v1/users?cursor=", &[("x-request-id", id)]).await;
        eventually("its statements are in the log", async || {
            !statements_of(&server, id).await.is_empty()
        })
        .await;
        (
            page.body["users"].as_array().unwrap().len(),
            statements_of(&server, id).await.len(),
        )
    };
    create(0..2).await;
    assert_eq!(selects("few").await, (2, 1));
    create(2..20).await;
    assert_eq!(selects("many").await, (20, 1));
}
// ANCHOR_END: exercise-2

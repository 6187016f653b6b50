//! What becomes of requests when the process is told to end.

use std::time::{Duration, Instant};

use domain::{NewUser, Precondition, Timestamp, User};
use persistence::{
    Transaction, UserRepository,
    test_db::{TestDatabase, TestEngine},
};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::support::{Answer, Server, eventually};

pub(crate) async fn ann(db: &TestDatabase) -> User {
    let new = NewUser {
        name: domain::UserName::parse("Ann").unwrap(),
        email: domain::Email::parse("ann@example.com").unwrap(),
    };
    let users = UserRepository::new(db.database().writer());
    users.insert(new, Timestamp::now()).await.unwrap()
}

/// A request that waits for a row which `holder` holds.
pub(crate) struct Waiting {
    pub(crate) holder: Transaction,
    pub(crate) request: JoinHandle<reqwest::Result<Answer>>,
}

impl Waiting {
    pub(crate) async fn start(db: &TestDatabase, server: &Server, user: &User) -> Self {
        // The connection is there when the request needs it.
        assert_eq!(server.get("/health/live").await.status, 200);
        let holder = db.database().begin().await.unwrap();
        UserRepository::new(&holder)
            .delete(user.id, &Precondition::None)
            .await
            .unwrap();
        let rename = json!({"name": "Anna"});
        let path = format!("/api/v1/users/{}", user.id);
        let request = tokio::spawn(server.try_send("PATCH", &path, Some(rename)));
        let waiting = match db.engine() {
            TestEngine::Sqlite => {
                // Nothing shows that another process waits for the lock; it needs but a moment to come there.
                tokio::time::sleep(Duration::from_millis(500)).await;
                return Self { holder, request };
            }
            TestEngine::MySql | TestEngine::MariaDb => {
                "SELECT CAST(id AS CHAR) FROM information_schema.processlist \
                 WHERE db = DATABASE() AND info LIKE 'UPDATE `users`%'"
            }
            TestEngine::Postgres => {
                "SELECT CAST(pid AS TEXT) FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock'"
            }
        };
        eventually("the request waits for the row", || async {
            !db.query(db.database().writer(), waiting).await.is_empty()
        })
        .await;
        Self { holder, request }
    }
}

async fn is_gone(server: &Server) -> bool {
    tokio::net::TcpStream::connect(server.address()).await.is_err()
}

pub(crate) async fn a_signal_lets_the_request_in_flight_finish(db: TestDatabase) {
    let ann = ann(&db).await;
    for signal in ["TERM", "INT"] {
        let mut server = Server::start(&[("DATABASE_URL", db.url())]).await;
        let waiting = Waiting::start(&db, &server, &ann).await;
        server.signal(signal);
        eventually("the listener closes", || is_gone(&server)).await;
        assert!(!waiting.request.is_finished(), "the request did not wait");
        waiting.holder.rollback().await.unwrap();
        let answer = waiting.request.await.unwrap().unwrap();
        assert_eq!(
            (answer.status, &answer.body["name"]),
            (200, &json!("Anna")),
            "{answer:?}"
        );
        let status = server.ended_within(Duration::from_secs(20)).await;
        assert_eq!(status.code(), Some(0), "after SIG{signal}\n{}", server.log());
        eventually("the log is complete", || async { server.log().contains("stopped") }).await;
    }
}

pub(crate) async fn a_second_signal_ends_at_once(db: TestDatabase) {
    let ann = ann(&db).await;
    let mut server = Server::start(&[("DATABASE_URL", db.url())]).await;
    let waiting = Waiting::start(&db, &server, &ann).await;
    let start = Instant::now();
    server.signal("TERM");
    eventually("the first is noticed", || async {
        server.log().contains("shutting down")
    })
    .await;
    server.signal("INT");
    let status = server.ended_within(Duration::from_secs(4)).await;
    assert_eq!(status.code(), Some(1), "{:?}\n{}", start.elapsed(), server.log());
    assert!(waiting.request.await.unwrap().is_err());
    waiting.holder.rollback().await.unwrap();
}

// ANCHOR: draining
pub(crate) async fn while_draining_requests_are_served_and_readiness_is_refused(db: TestDatabase) {
    let settings = [("DATABASE_URL", db.url()), ("SHUTDOWN_DRAIN", "3")];
    let mut server = Server::start(&settings).await;
    assert_eq!(server.get("/health/ready").await.status, 200);
    let start = Instant::now();
    server.signal("TERM");
    eventually("readiness is refused", || async {
        let ready = server.get("/health/ready").await;
        ready.status == 503 && ready.body["checks"]["shutdown"] == "failed"
    })
    .await;
    let list = server.get("/api/v1/users").await;
    assert_eq!((list.status, list.header("connection")), (200, "close"));
    assert_eq!(server.get("/health/live").await.status, 200);
    assert!(
        start.elapsed() < Duration::from_secs(3),
        "too slow a machine for this test"
    );
    let status = server.ended_within(Duration::from_secs(20)).await;
    assert_eq!(status.code(), Some(0), "{}", server.log());
    assert!(start.elapsed() >= Duration::from_secs(3), "it did not drain");
}
// ANCHOR_END: draining

pub(crate) async fn a_request_that_outlasts_the_patience_is_cut_off(db: TestDatabase) {
    let ann = ann(&db).await;
    let settings = [("DATABASE_URL", db.url()), ("SHUTDOWN_TIMEOUT", "1")];
    let mut server = Server::start(&settings).await;
    let waiting = Waiting::start(&db, &server, &ann).await;
    server.signal("TERM");
    server.ended_within(Duration::from_secs(15)).await;
    assert!(waiting.request.await.unwrap().is_err());
    waiting.holder.rollback().await.unwrap();
    // What was cut off did not happen.
    let users = UserRepository::new(db.database().writer());
    assert_eq!(users.find(ann.id).await.unwrap(), Some(ann));
}

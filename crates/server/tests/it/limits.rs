//! What bounds a request from outside: slow clients, and waiting for the database.

use std::time::Duration;

use persistence::test_db::TestDatabase;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    shutdown::{Waiting, ann},
    support::Server,
};

/// Longer than any limit in these tests, and shorter than none would be.
const PATIENCE: Duration = Duration::from_secs(20);

/// Sends the pieces of a head one by one until the server answers, and returns what it said before it closed.
async fn drip(server: &Server) -> String {
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    stream
        .write_all(b"GET /health/live HTTP/1.1\r\nX-Slow: ")
        .await
        .unwrap();
    let (mut reading, mut writing) = stream.split();
    let mut said = String::new();
    let keep_sending = async {
        while writing.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // The server has closed; what it said is there to be read.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        // A reset after the answer is an end as well.
        _ = timeout(PATIENCE, reading.read_to_string(&mut said)) => {}
        () = keep_sending => {}
    }
    said
}

pub(crate) async fn a_client_that_drips_its_head_is_cut_off(db: TestDatabase) {
    let settings = [("DATABASE_URL", db.url()), ("CLIENT_TIMEOUT", "1")];
    let server = Server::start(&settings).await;
    let (said, others) = tokio::join!(drip(&server), async {
        // Nobody else has to wait for it.
        server.get("/api/v1/users").await.status
    });
    assert!(said.starts_with("HTTP/1.1 408 "), "{said:?}");
    assert_eq!(others, 200);
    server.stop().await;
}

// ANCHOR: full-pool
/// Settings with which one request that holds its connection keeps the next one waiting, for a second.
pub(crate) fn of_one_connection(db: &TestDatabase) -> [(&str, &str); 5] {
    [
        ("DATABASE_URL", db.url()),
        ("DB_POOL_MAX_SIZE", "1"),
        ("DB_POOL_TIMEOUT", "1"),
        ("DB_STATEMENT_TIMEOUT", "20"),
        ("REQUEST_TIMEOUT", "15"),
    ]
}

pub(crate) async fn a_request_that_finds_no_free_connection_is_told_before_its_deadline(db: TestDatabase) {
    let ann = ann(&db).await;
    let server = Server::start(&of_one_connection(&db)).await;
    // This one holds the only connection that can write.
    let waiting = Waiting::start(&db, &server, &ann).await;
    let bob = json!({"name": "Bob", "email": "bob@example.com"});
    let refused = server.send("POST", "/api/v1/users", Some(bob.clone())).await;
    assert_eq!(
        (refused.status, &refused.body["code"], refused.header("retry-after")),
        (503, &json!("database_unavailable"), "1"),
        "{refused:?}"
    );
    waiting.holder.rollback().await.unwrap();
    waiting.request.await.unwrap().unwrap();
    assert_eq!(server.send("POST", "/api/v1/users", Some(bob)).await.status, 201);
    server.stop().await;
}
// ANCHOR_END: full-pool

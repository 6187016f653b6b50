//! Clients that mean no good, or do not know what they do: what is sent here no HTTP library would send.
//!
//! The server may refuse it or put up with it, as RFC 9112 has it. It must not take one request for another, nor for two; it must
//! go on serving others; and nothing of what was sent may be in its log.

pub(crate) mod bodies;
pub(crate) mod framing;
pub(crate) mod log_pipe;
pub(crate) mod pipelining;
pub(crate) mod slow;
pub(crate) mod targets;

use std::time::Duration;

use persistence::test_db::TestDatabase;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::support::Server;

/// Longer than any limit in these tests, and shorter than none would be.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

/// A request that ends the connection. Its answer shows that what was sent before it was read as it was meant.
pub(super) const LAST: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// A server with short patience.
pub(super) async fn server(db: &TestDatabase, more: &[(&str, &str)]) -> Server {
    let mut settings = vec![
        ("DATABASE_URL", db.url()),
        ("CLIENT_TIMEOUT", "2"),
        ("REQUEST_TIMEOUT", "10"),
    ];
    settings.extend(more);
    Server::start(&settings).await
}

/// A connection on which anything can be sent.
pub(super) struct Wire {
    stream: TcpStream,
    said: Vec<u8>,
}

impl Wire {
    pub(super) async fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        Self {
            stream,
            said: Vec::new(),
        }
    }

    /// Sends as much as the server takes. False when it has closed.
    pub(super) async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        matches!(
            timeout(PATIENCE, self.stream.write_all(bytes.as_ref())).await,
            Ok(Ok(()))
        )
    }

    /// Says that nothing more will be sent.
    pub(super) async fn end(&mut self) {
        // A server that has closed needs not be told.
        self.stream.shutdown().await.ok();
    }

    /// Waits until the server has said so many answers.
    pub(super) async fn answers(&mut self, count: usize) -> Vec<u16> {
        let reading = async {
            while statuses(&self.said).len() < count || !self.said.ends_with(b"}") {
                assert_ne!(self.stream.read_buf(&mut self.said).await.unwrap(), 0, "it closed");
            }
        };
        timeout(PATIENCE, reading).await.expect("no answer");
        statuses(&self.said)
    }

    /// All that the server says until it closes the connection, which it must.
    pub(super) async fn rest(mut self) -> Said {
        let reading = async {
            // A reset is an end as well.
            while matches!(self.stream.read_buf(&mut self.said).await, Ok(1..)) {}
        };
        let is_closed = timeout(PATIENCE, reading).await.is_ok();
        let said = Said(String::from_utf8_lossy(&self.said).into_owned());
        assert!(is_closed, "the server keeps the connection: {said:?}");
        said
    }
}

/// What a server said before it closed.
#[derive(Debug)]
pub(super) struct Said(pub(super) String);

impl Said {
    pub(super) fn statuses(&self) -> Vec<u16> {
        statuses(self.0.as_bytes())
    }
}

fn statuses(said: &[u8]) -> Vec<u16> {
    let said = String::from_utf8_lossy(said);
    let answers = said.split("HTTP/1.1 ").skip(1);
    let answers = answers.chain(said.split("HTTP/1.0 ").skip(1));
    answers.filter_map(|answer| answer.get(..3)?.parse().ok()).collect()
}

/// What the server says to these bytes.
pub(super) async fn said(server: &Server, bytes: impl AsRef<[u8]>) -> Said {
    let mut wire = Wire::open(server).await;
    wire.send(bytes).await;
    wire.rest().await
}

/// A body that creates a user.
pub(super) fn new_user(mailbox: &str) -> String {
    format!(r#"{{"name":"Secretname","email":"{mailbox}@secret.example"}}"#)
}

/// A request that creates a user, with nothing wrong about it.
pub(super) fn create(mailbox: &str) -> String {
    let body = new_user(mailbox);
    let length = body.len();
    format!(
        "POST /api/v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// The mailboxes of all users, in alphabetical order.
pub(super) async fn mailboxes(server: &Server) -> Vec<String> {
    let list = server.get("/api/v1/users?per_page=100").await;
    assert_eq!(list.status, 200, "it goes on serving");
    let users = list.body["users"].as_array().unwrap().clone();
    let mut mailboxes: Vec<String> = users
        .iter()
        .filter_map(|user| {
            user["email"]
                .as_str()?
                .strip_suffix("@secret.example")
                .map(str::to_owned)
        })
        .collect();
    mailboxes.sort();
    mailboxes
}

/// How much memory the server has taken, in KiB.
pub(super) async fn resident_kib(server: &Server) -> u64 {
    let metrics = said(server, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    let mut lines = metrics.0.lines();
    let bytes: f64 = lines
        .find_map(|line| line.strip_prefix("process_resident_memory_bytes ")?.parse().ok())
        .unwrap();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is a number of bytes"
    )]
    let kib = (bytes / 1024.0) as u64;
    kib
}

/// Stops the server, and checks that it logged nothing of what was sent and had no defect.
pub(super) async fn stop(server: Server) {
    let log = server.stop().await;
    let lower = log.to_lowercase();
    assert!(!lower.contains("secret"), "{log}");
    assert!(!log.contains("ERROR") && !log.contains("status=500"), "{log}");
}

//! Clients that take for ever, and clients that do nothing at all.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use persistence::test_db::TestDatabase;

use super::{PATIENCE, Wire, mailboxes, resident_kib, server, stop};
use crate::support::Server;

const LIVE: &str = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";

/// Sends a byte now and then for as long as the server lets it. Returns what it said, and how long that took.
async fn drip(mut wire: Wire, start: &str) -> (String, Duration) {
    let began = Instant::now();
    assert!(wire.send(start).await);
    let Wire { stream, mut said } = wire;
    let (mut reading, mut writing) = stream.into_split();
    let keep_sending = async {
        while tokio::io::AsyncWriteExt::write_all(&mut writing, b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // The server has closed; what it said is there to be read.
        std::future::pending::<()>().await;
    };
    let read = async {
        while matches!(
            tokio::io::AsyncReadExt::read_buf(&mut reading, &mut said).await,
            Ok(1..)
        ) {}
    };
    tokio::select! {
        read = tokio::time::timeout(PATIENCE, read) => read.expect("the connection goes on"),
        () = keep_sending => {}
    }
    (String::from_utf8(said).unwrap(), began.elapsed())
}

/// A connection that has been used already.
async fn used(server: &Server) -> Wire {
    let mut wire = Wire::open(server).await;
    wire.send(LIVE).await;
    assert_eq!(wire.answers(1).await, [200]);
    wire
}

pub(crate) async fn a_client_that_drips_a_later_head_is_cut_off(db: TestDatabase) {
    let server = server(&db, &[("CLIENT_TIMEOUT", "1"), ("KEEP_ALIVE", "60")]).await;
    let (said, elapsed) = drip(used(&server).await, "GET /health/live HTTP/1.1\r\nX-Secret: ").await;
    assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
    assert!(
        elapsed >= Duration::from_secs(1) && elapsed < Duration::from_secs(10),
        "{elapsed:?}"
    );
    // With one half of the head in the same piece as the request before.
    let mut wire = Wire::open(&server).await;
    wire.send(format!("{LIVE}GET /health/live HTTP/1.1\r\nX-Secret: "))
        .await;
    assert_eq!(wire.answers(1).await, [200]);
    drip(wire, "x").await;
    // One that pauses within its patience is served.
    let mut wire = used(&server).await;
    for piece in [&LIVE[..20], &LIVE[20..]] {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(wire.send(piece).await);
    }
    assert_eq!(wire.answers(2).await, [200, 200]);
    stop(server).await;
}

pub(crate) async fn a_client_that_drips_a_body_nobody_waits_for_is_cut_off(db: TestDatabase) {
    let server = server(&db, &[("CLIENT_TIMEOUT", "1"), ("KEEP_ALIVE", "60")]).await;
    for framing in [
        "Transfer-Encoding: chunked\r\n\r\nfffff\r\n",
        "Content-Length: 100000\r\n\r\n",
    ] {
        // Refused by its head alone.
        let head = format!("POST /api/v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\n{framing}");
        let (said, elapsed) = drip(Wire::open(&server).await, &head).await;
        assert!(said.starts_with("HTTP/1.1 415"), "{said}");
        assert!(elapsed < Duration::from_secs(10), "{framing} {elapsed:?}");
    }
    stop(server).await;
}

pub(crate) async fn a_client_that_drips_its_body_is_held_to_the_deadline_of_the_request(db: TestDatabase) {
    let server = server(&db, &[("CLIENT_TIMEOUT", "1"), ("REQUEST_TIMEOUT", "2")]).await;
    let head =
        "POST /api/v1/users HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n";
    let (said, elapsed) = drip(Wire::open(&server).await, head).await;
    assert!(said.starts_with("HTTP/1.1 504"), "{said}");
    assert!(
        elapsed >= Duration::from_secs(2) && elapsed < Duration::from_secs(12),
        "{elapsed:?}"
    );
    stop(server).await;
}

pub(crate) async fn connections_that_do_nothing_keep_nobody_waiting(db: TestDatabase) {
    let server = server(&db, &[("CLIENT_TIMEOUT", "10"), ("KEEP_ALIVE", "60")]).await;
    let before = resident_kib(&server).await;
    let untouched = join_all((0..250).map(|_| Wire::open(&server))).await;
    let kept = join_all((0..250).map(|_| used(&server))).await;
    for number in 0..20 {
        let began = Instant::now();
        let created = server
            .send(
                "POST",
                "/api/v1/users",
                Some(serde_json::json!({"name": "Ann", "email": format!("idle{number:02}@secret.example")})),
            )
            .await;
        assert_eq!(created.status, 201);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }
    assert_eq!(mailboxes(&server).await.len(), 20);
    let each = resident_kib(&server).await.saturating_sub(before) / 500;
    assert!(each < 100, "{each} KiB for each connection");
    drop((untouched, kept));
    stop(server).await;
}

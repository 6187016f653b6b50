//! Several requests at once on one connection (RFC 9112 section 9.3.2).

use persistence::test_db::TestDatabase;

use super::{LAST, Wire, create, mailboxes, said, server, stop};

fn get(mailbox: &str, fields: &str) -> String {
    format!("GET /api/v1/users?email={mailbox}%40secret.example HTTP/1.1\r\nHost: x\r\n{fields}\r\n")
}

pub(crate) async fn requests_that_come_at_once_are_worked_on_in_order(db: TestDatabase) {
    let server = server(&db, &[]).await;
    // More than are read ahead.
    let pairs: String = (10..40)
        .map(|number| {
            let mailbox = format!("p{number}");
            create(&mailbox) + &get(&mailbox, "")
        })
        .collect();
    let said = said(&server, pairs + LAST).await;
    let mut expected = [201, 200].repeat(30);
    expected.push(200);
    assert_eq!(said.statuses(), expected);
    // Each list tells of the user that was created right before it.
    for number in 10..40 {
        assert_eq!(
            said.0.matches(&format!("\"p{number}@secret.example\"")).count(),
            2,
            "{number}"
        );
    }
    assert_eq!(mailboxes(&server).await.len(), 30);
    stop(server).await;
}

pub(crate) async fn nothing_behind_a_broken_request_is_worked_on(db: TestDatabase) {
    let server = server(&db, &[]).await;
    for broken in [
        "GET / HTTP/1.1\r\nX\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "\0\r\n\r\n",
    ] {
        let said = said(&server, get("a", "") + broken + &create("behind") + LAST).await;
        assert_eq!(said.statuses(), [200, 400], "{broken:?} {said:?}");
    }
    assert_eq!(mailboxes(&server).await, [""; 0]);
    stop(server).await;
}

pub(crate) async fn a_client_that_has_said_all_does_not_keep_a_connection_that_has_ended(db: TestDatabase) {
    let server = server(&db, &[]).await;
    let slow = get("a", "Connection: close\r\n");
    let live = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".to_owned();
    for ending in [slow, live] {
        let mut wire = Wire::open(&server).await;
        wire.send(ending.clone() + &create("behind")).await;
        wire.end().await;
        assert_eq!(wire.rest().await.statuses(), [200], "{ending:?}");
        // More heads than are read ahead.
        let flood = ending.clone() + &"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n".repeat(20_000);
        let mut wire = Wire::open(&server).await;
        wire.send(flood).await;
        let statuses = wire.rest().await.statuses();
        // What was not read any more may take the answer with it.
        assert!(statuses.is_empty() || statuses == [200], "{statuses:?}");
    }
    assert_eq!(mailboxes(&server).await, [""; 0]);
    stop(server).await;
}

pub(crate) async fn nothing_behind_a_request_that_ends_the_connection_is_worked_on(db: TestDatabase) {
    let server = server(&db, &[]).await;
    let live = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let old = "GET /health/live HTTP/1.0\r\n\r\n";
    for ending in [
        live,
        old,
        &get("a", "Connection: close\r\n"),
        &get("a", "Connection: x, Close\r\n"),
    ] {
        let said = said(
            &server,
            ending.to_owned() + &create("behind") + &create("behind2") + LAST,
        )
        .await;
        assert_eq!(said.statuses(), [200], "{ending:?} {said:?}");
    }
    assert_eq!(mailboxes(&server).await, [""; 0]);
    stop(server).await;
}

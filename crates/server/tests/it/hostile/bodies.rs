//! Bodies that cost more to read than to send.

use std::fmt::Write as _;

use persistence::test_db::TestDatabase;

use super::{LAST, Wire, create, mailboxes, resident_kib, said, server, stop};

fn post(path: &str, media_type: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n\r\n{body}")
}

pub(crate) async fn a_body_that_is_made_to_be_costly_is_refused_soon(db: TestDatabase) {
    let server = server(&db, &[("BODY_LIMIT", "1 MiB")]).await;
    let before = resident_kib(&server).await;
    let members = |member: &dyn Fn(usize) -> String| {
        let mut body = String::from("{");
        for number in 0.. {
            let _ = write!(body, "{},", member(number));
            if body.len() > 1_000_000 {
                break;
            }
        }
        body + r#""name":"Secretname"}"#
    };
    for (what, body, expected) in [
        ("brackets", "[".repeat(100_000), 400),
        ("braces", r#"{"a":"#.repeat(100_000), 400),
        (
            "brackets in a member",
            format!(r#"{{"name":{}"#, "[".repeat(100_000)),
            400,
        ),
        ("a number beyond all", r#"{"name":1e999999999}"#.to_owned(), 400),
        (
            "a number of 900 000 digits",
            format!(r#"{{"name":{}}}"#, "9".repeat(900_000)),
            400,
        ),
        ("-0", r#"{"name":-0,"email":0.00000000000000000001}"#.to_owned(), 422),
        (
            "one member again and again",
            members(&|_| r#""name":"a""#.to_owned()),
            422,
        ),
        (
            "as many members as can be",
            members(&|number| format!(r#""{number}":0"#)),
            422,
        ),
        (
            "half a surrogate",
            r#"{"name":"\ud800","email":"a@secret.example"}"#.to_owned(),
            400,
        ),
        (
            "a name of a megabyte",
            format!(r#"{{"name":"{}"}}"#, "s".repeat(1_000_000)),
            422,
        ),
        ("too much", format!(r#"{{"name":"{}"}}"#, "s".repeat(1_100_000)), 413),
    ] {
        let began = std::time::Instant::now();
        let said = said(&server, post("/api/v1/users", "application/json", &body) + LAST).await;
        let shown = said.0.get(..300).unwrap_or(&said.0);
        assert_eq!(said.statuses()[0], expected, "{what}: {shown}");
        assert!(said.0.len() < 3 * 1024 * 1024, "{what}: {} bytes", said.0.len());
        assert!(began.elapsed().as_secs() < 10, "{what}: {:?}", began.elapsed());
    }
    let lines = "[".repeat(60_000) + "\n" + &r#"{"a":"#.repeat(10_000) + "\n\"\n";
    let said = said(
        &server,
        post("/api/v1/users/import", "application/x-ndjson", &lines) + LAST,
    )
    .await;
    assert_eq!(said.statuses(), [200, 200], "{said:?}");
    assert!(said.0.contains(r#""rejected":3"#), "{said:?}");
    assert_eq!(mailboxes(&server).await, [""; 0]);
    let grown = resident_kib(&server).await.saturating_sub(before);
    assert!(grown < 128 * 1024, "{grown} KiB");
    stop(server).await;
}

pub(crate) async fn a_client_that_asks_before_it_sends_is_told_to_go_on(db: TestDatabase) {
    let server = server(&db, &[]).await;
    let request = create("expected").replacen("Host: x", "Host: x\r\nExpect: 100-continue", 1);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut wire = Wire::open(&server).await;
    wire.send(format!("{head}\r\n\r\n")).await;
    let told = tokio::time::timeout(super::PATIENCE, async {
        while super::statuses(&wire.said).is_empty() {
            tokio::io::AsyncReadExt::read_buf(&mut wire.stream, &mut wire.said)
                .await
                .unwrap();
        }
    });
    told.await.expect("it is not told to go on");
    wire.send(format!("{body}{LAST}")).await;
    assert_eq!(wire.rest().await.statuses(), [100, 201, 200]);
    // Without a body there is nothing to go on with; an interim answer does no harm.
    let bare = "GET /health/live HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n";
    let statuses = said(&server, bare.to_owned() + LAST).await.statuses();
    assert!(matches!(statuses[..], [200, 200] | [100, 200, 200]), "{statuses:?}");
    // One that asks and then sends nothing is given up.
    let statuses = said(&server, format!("{head}\r\n\r\n")).await.statuses();
    assert_eq!(statuses, [100, 408]);
    assert_eq!(mailboxes(&server).await, ["expected"]);
    stop(server).await;
}

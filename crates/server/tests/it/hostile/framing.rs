//! Where a request begins and ends: shapes by which one program can be made to see other requests than the one before it
//! ("request smuggling", RFC 9112 section 11.2).

use persistence::test_db::TestDatabase;

use super::{LAST, create, mailboxes, new_user, said, server, stop};

/// A request to create a user, with these fields in its head in place of those that frame its body.
fn framed(version: &str, fields: &str, body: &str) -> String {
    format!(
        "POST /api/v1/users HTTP/1.{version}\r\nHost: x\r\nContent-Type: application/json\r\n{fields}\r\n\r\n{body}"
    )
}

/// The body in one chunk.
fn chunked(body: &str) -> String {
    format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len())
}

pub(crate) async fn a_request_whose_length_is_in_doubt_is_refused_and_nothing_behind_it_is_read(db: TestDatabase) {
    let server = server(&db, &[]).await;
    let body = new_user("doubtful");
    let (length, chunks) = (body.len(), chunked(&body));
    let both = [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}"),
        "Content-Length: 0\r\nTransfer-Encoding: chunked".to_owned(),
        "Transfer-Encoding: chunked, identity".to_owned(),
        "Transfer-Encoding: identity, chunked".to_owned(),
        "Transfer-Encoding: identity".to_owned(),
        "Transfer-Encoding: xchunked".to_owned(),
        "Transfer-Encoding: chunked;x=1".to_owned(),
        "Transfer-Encoding: \"chunked\"".to_owned(),
        "Transfer-Encoding: gzip, chunked".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity".to_owned(),
        "Transfer-Encoding:\x0bchunked".to_owned(),
        "Transfer-Encoding : chunked".to_owned(),
        "Transfer-Encoding\t: chunked".to_owned(),
        "X: y\r\n Transfer-Encoding: chunked".to_owned(),
        "Transfer-Encoding:\r\n chunked".to_owned(),
        "Transfer-Encoding".to_owned(),
        "\0Transfer-Encoding: chunked".to_owned(),
    ];
    let lengths = [
        format!("Content-Length: {length}\r\nContent-Length: {length}"),
        format!("Content-Length: {length}\r\nContent-Length: 0"),
        format!("Content-Length: {length}, {length}"),
        format!("Content-Length: +{length}"),
        format!("Content-Length: -{length}"),
        format!("Content-Length: {length:#x}"),
        format!("Content-Length: {length}.0"),
        format!("Content-Length: {length} {length}"),
        format!("Content-Length: \"{length}\""),
        "Content-Length:".to_owned(),
        "Content-Length: ".to_owned(),
        "Content-Length: x".to_owned(),
        "Content-Length: 1e2".to_owned(),
        "Content-Length: 18446744073709551616".to_owned(),
        "Content-Length: 99999999999999999999999999".to_owned(),
        format!("Content-Length : {length}"),
        format!("X: y\r\n Content-Length: {length}"),
        format!("Content-Length: {length}\r\n 0"),
        format!("Content-Length: {length}\rX: y"),
        format!("Content-Length: {length}\0"),
    ];
    let shapes = both.map(|fields| framed("1", &fields, &chunks));
    let shapes = shapes
        .into_iter()
        .chain(lengths.map(|fields| framed("1", &fields, &body)));
    let upgrade = format!("Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: {length}");
    let old = [
        framed("0", "Transfer-Encoding: chunked", &chunks),
        framed("0", "Connection: keep-alive\r\nTransfer-Encoding: chunked", &chunks),
        // No length at all, of a method that has a body.
        framed("0", "X: y", &body),
        // actix-http would take all that follows for its body.
        framed("1", &upgrade, &body),
    ];
    for shape in shapes.chain(old) {
        let said = said(&server, shape.clone() + &create("smuggled") + LAST).await;
        assert_eq!(said.statuses(), [400], "{shape:?} {said:?}");
    }
    assert_eq!(mailboxes(&server).await, [""; 0]);
    stop(server).await;
}

pub(crate) async fn what_only_looks_odd_is_read_as_it_is_meant(db: TestDatabase) {
    let server = server(&db, &[]).await;
    let length = new_user("m00").len();
    let lengths = [
        format!("Content-Length: \t {length} \t"),
        format!("content-LENGTH:{length}"),
        format!("Content-Length: 000{length}"),
        format!("Content-Length: {length}\r\nX-Content-Length: 0\r\nContent_Length: 0"),
        format!("Content-Length: {length}\r\nConnection: Content-Length, keep-alive"),
    ];
    let encodings = [
        "Transfer-Encoding: Chunked".to_owned(),
        "transfer-encoding: CHUNKED ".to_owned(),
        "Transfer-Encoding: chunked\r\nTrailer: X\r\nTE: trailers".to_owned(),
        "Transfer-Encoding: chunked\r\nUpgrade: h2c\r\nConnection: keep-alive".to_owned(),
    ];
    let mut expected = Vec::new();
    for (number, fields) in lengths.iter().chain(&encodings).enumerate() {
        let mailbox = format!("m{number:02}");
        let body = new_user(&mailbox);
        let is_chunked = fields.to_lowercase().contains("encoding: chunked");
        let body = if is_chunked { chunked(&body) } else { body };
        let said = said(&server, framed("1", fields, &body) + LAST).await;
        assert_eq!(said.statuses(), [201, 200], "{fields:?} {said:?}");
        expected.push(mailbox);
    }
    // Lines may end without a carriage return (RFC 9112 section 2.2), and blank lines may stand before the first.
    let bare = create("m97").replace("\r\n", "\n");
    assert_eq!(said(&server, bare + LAST).await.statuses(), [201, 200]);
    let blank = format!("\r\n\r\n{}\r\n{LAST}", create("m98"));
    assert_eq!(said(&server, blank).await.statuses(), [201, 200]);
    expected.extend(["m97".to_owned(), "m98".to_owned()]);
    assert_eq!(mailboxes(&server).await, expected);
    stop(server).await;
}

pub(crate) async fn chunks_that_are_none_end_the_connection_and_create_nobody(db: TestDatabase) {
    let server = server(&db, &[]).await;
    let body = new_user("chunks");
    let length = body.len();
    let shapes = [
        format!("-{length:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("0x{length:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("{length:x} {length:x}\r\n{body}\r\n0\r\n\r\n"),
        format!(" {length:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("{length:x}\n{body}\r\n0\r\n\r\n"),
        format!("{length:x}\r{body}\r\n0\r\n\r\n"),
        format!("{length:x};a\nb\r\n{body}\r\n0\r\n\r\n"),
        format!("{:x}\r\n{body}\r\n0\r\n\r\n", length - 1),
        format!("{:x}\r\n{body}\r\n0\r\n\r\n", length + 1),
        format!("{length:x}\r\n{body}0\r\n\r\n"),
        format!("\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("10000000000000000\r\n{body}\r\n0\r\n\r\n"),
        format!("fffffffffffffffff\r\n{body}\r\n0\r\n\r\n"),
        format!("ffffffffffffffff\r\n{body}\r\n0\r\n\r\n"),
        format!("{length:x};{}", "x".repeat(3_000_000)),
        format!("{}{length:x}", "0".repeat(3_000_000)),
    ];
    for shape in shapes {
        let shown = shape.get(..60).unwrap_or(&shape);
        let said = said(
            &server,
            framed("1", "Transfer-Encoding: chunked", &shape) + &create("smuggled") + LAST,
        )
        .await;
        let statuses = said.statuses();
        assert!(matches!(statuses[..], [] | [400 | 408 | 413]), "{shown:?} {said:?}");
    }
    // Extensions and trailers are passed over.
    let odd = format!("{length:X};a=\"b;c\" ;d\r\n{body}\r\n000;x\r\nX-Name: Secretname\r\nContent-Length: 3\r\n\r\n");
    let said = said(&server, framed("1", "Transfer-Encoding: chunked", &odd) + LAST).await;
    assert_eq!(said.statuses(), [201, 200], "{said:?}");
    assert_eq!(mailboxes(&server).await, ["chunks"]);
    stop(server).await;
}

pub(crate) async fn a_body_where_none_belongs_is_never_a_request(db: TestDatabase) {
    let server = server(&db, &[]).await;
    let hidden = create("hidden");
    let length = hidden.len();
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "PUT", "CONNECT", "BREW"] {
        for fields in [
            format!("Content-Length: {length}"),
            "Transfer-Encoding: chunked".to_owned(),
        ] {
            let body = if fields.starts_with('C') {
                hidden.clone()
            } else {
                chunked(&hidden)
            };
            let request = format!("{method} /api/v1/users/99999 HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n{body}");
            let said = said(&server, request + LAST).await;
            // It may close instead of reading on.
            let statuses = said.statuses();
            assert!(
                matches!(statuses[..], [400..=499] | [400..=499, 200]),
                "{method} {fields} {said:?}"
            );
        }
    }
    assert_eq!(mailboxes(&server).await, [""; 0]);
    stop(server).await;
}

pub(crate) async fn a_head_that_is_no_head_is_refused(db: TestDatabase) {
    let server = server(&db, &[]).await;
    let get = |fields: &str| format!("GET /api/v1/users?email=a%40secret.example HTTP/1.1\r\n{fields}\r\n\r\n");
    let refused = [
        // Whose host is meant is in doubt (RFC 9112 section 3.2).
        get("X: y"),
        get("Host: x\r\nHost: x"),
        get("Host: x\r\nHost: secret.example"),
        get("Host: a b"),
        get("Host: secret@x"),
        get("Host: x/secret"),
        get("Host: x, y"),
        get("Host: x:8a"),
        get("Host: x\\y"),
        // Fields that are none.
        get("Host: x\r\nX Y: z"),
        get("Host: x\r\nX : z"),
        get("Host: x\r\n: z"),
        get("Host: x\r\nX"),
        get("Host: x\r\nX: a\r\n b"),
        get("Host: x\r\n X: a"),
        get(" Host: x"),
        get("Host: x\r\nX: a\rb"),
        get("Host: x\r\nX: a\0b"),
        get("Host: x\r\nX: a\x07b"),
        get("Host: x\r\nX: a\x7fb"),
        get("Host: x\r\nX\u{e9}: a"),
        // Request lines that are none.
        "GET  /health HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /health  HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET\t/health\tHTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        " GET /health HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /hea lth HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /health HTTP/1.2\r\nHost: x\r\n\r\n".to_owned(),
        "GET /health HTTP/1.1x\r\nHost: x\r\n\r\n".to_owned(),
        "GET /health http/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /health HTTP/01.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /health\r\n\r\n".to_owned(),
        "G\0T /health HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        "GET /hea\0lth HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
        // Other protocols.
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03secret".to_owned(),
        "EHLO secret.example\r\n".to_owned(),
    ];
    for shape in refused {
        let said = said(&server, shape.clone() + LAST).await;
        assert_eq!(said.statuses(), [400], "{shape:?} {said:?}");
    }
    stop(server).await;
}

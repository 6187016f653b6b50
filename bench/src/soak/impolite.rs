//! What clients do that they should not.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an impolite client listens before it goes away.
const ATTENTION: Duration = Duration::from_millis(20);

/// A request that is refused, chosen by `random`, and the status that it is refused with.
pub(super) fn bad_request(random: u64, user: u64, taken: &str) -> (String, u16) {
    let with_body = |method: &str, path: &str, content_type: &str, more: &str, body: &str| {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n{more}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let json = "application/json";
    let users = "/api/v1/users";
    match random % 10 {
        0 => (with_body("POST", users, json, "", r#"{"name":"#), 400),
        1 => (
            with_body("POST", users, json, "", r#"{"name":"","email":"nobody"}"#),
            422,
        ),
        2 => (with_body("POST", users, "text/plain", "", "name"), 415),
        3 => (get("/api/v1/users?cursor=made-up"), 400),
        4 => (get("/api/v1/users?page=0"), 422),
        5 => (get("/no/such/path"), 404),
        6 => (with_body("PUT", users, json, "", "{}"), 405),
        7 => {
            let body = format!(r#"{{"name":"Twice","email":"{taken}"}}"#);
            (with_body("POST", users, json, "", &body), 409)
        }
        8 => (with_body("PATCH", &format!("{users}/{user}"), json, "", "{}"), 400),
        _ => {
            let stale = "If-Match: \"stale\"\r\n";
            let path = format!("{users}/{user}");
            (with_body("PATCH", &path, json, stale, r#"{"name":"Late"}"#), 412)
        }
    }
}

/// Opens a connection, leaves something half done on it, chosen by `random`, and closes it.
///
/// # Errors
/// When there is no connection to be had. What happens on it does not matter.
pub(super) async fn hang_up(address: SocketAddr, random: u64, user: &str) -> Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let create = format!(
        "POST /api/v1/users HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{user}",
        user.len()
    );
    let half = create.len() - user.len() / 2;
    let (sent, listens) = match random % 6 {
        // Nothing at all.
        0 => (String::new(), false),
        // Half a head.
        1 => ("GET /api/v1/users HTTP/1.1\r\nHost: loc".to_owned(), false),
        // Half a body.
        2 => (create.get(..half).unwrap_or_default().to_owned(), true),
        // All of a request, and no ear for the answer.
        3 => (create, false),
        // Some lines of an import.
        4 => {
            let head =
                "POST /api/v1/users/import HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n";
            let line = format!("{:x}\r\n{user}\n\r\n", user.len() + 1);
            (format!("{head}Transfer-Encoding: chunked\r\n\r\n{line}"), true)
        }
        // The beginning of an export.
        _ => (
            "GET /api/v1/users/export HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(),
            true,
        ),
    };
    // The product may close first, which is its right.
    let _ = stream.write_all(sent.as_bytes()).await;
    if listens {
        let _ = timeout(ATTENTION, stream.read(&mut [0; 1024])).await;
    }
    Ok(())
}

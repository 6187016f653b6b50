//! What is asked for: targets of every form, and heads of every size.

use std::fmt::Write as _;

use persistence::test_db::TestDatabase;

use super::{LAST, Said, mailboxes, resident_kib, said, server, stop};
use crate::support::Server;

async fn asked(server: &Server, method: &str, target: &str) -> Said {
    said(server, format!("{method} {target} HTTP/1.1\r\nHost: x\r\n\r\n{LAST}")).await
}

pub(crate) async fn every_form_of_target_is_understood_or_refused(db: TestDatabase) {
    let server = server(&db, &[]).await;
    // A server must take the absolute form, whatever its host says (RFC 9112 section 3.2.2).
    for target in [
        "/health/live",
        "http://x/health/live",
        "http://secret.example:81/health/live?secret",
        "HTTP://X/health/live",
    ] {
        let said = asked(&server, "GET", target).await;
        assert_eq!(said.statuses(), [200, 200], "{target} {said:?}");
    }
    for (method, target) in [
        ("GET", "*"),
        ("OPTIONS", "*"),
        ("GET", "x:80"),
        ("CONNECT", "secret.example:80"),
        ("CONNECT", "/health/live"),
        ("GET", "//health/live"),
        ("GET", "/health//live"),
        ("GET", "/health/./live"),
        ("GET", "/health/../health/live"),
        ("GET", "/health%2flive"),
        ("GET", "/health/live%00"),
        ("GET", "/health/live%0d%0aX:%20y"),
        ("GET", "/health%c0%aflive"),
        ("GET", "/%e0%80%afhealth/live"),
        ("GET", "/%"),
        ("GET", "/%zz"),
        ("GET", "/%u0061"),
        ("GET", "/api/v1/users/%31%00"),
        ("GET", "/api/v1/users/..%2f..%2fhealth%2flive"),
        ("DELETE", "/api/v1/users/1%2f"),
        ("GET", "/api/v1/users?email=secret%00@x.de"),
        ("GET", "/api/v1/users?email=%c0%80"),
        ("GET", "/api/v1/users?email=%ff"),
        ("GET", "/api/v1/users?%65mail=secret"),
        ("GET", "/api/v1/users?page=1&page=1"),
        ("GET", "/api/v1/users?page=%31&secret[]=1"),
        ("GET", "/api/v1/users?page=99999999999999999999"),
        ("GET", "/api/v1/users?cursor=%2e%2e%2f"),
        ("GET", "health"),
    ] {
        let said = asked(&server, method, target).await;
        let statuses = said.statuses();
        let first = statuses[0];
        assert!((400..500).contains(&first), "{method} {target} {said:?}");
        assert!(matches!(statuses[1..], [] | [200]), "{method} {target} {said:?}");
    }
    stop(server).await;
}

pub(crate) async fn a_head_beyond_all_measure_is_refused_and_one_below_it_is_served(db: TestDatabase) {
    let server = server(&db, &[]).await;
    let before = resident_kib(&server).await;
    let many = |count: usize| {
        (0..count).fold(String::new(), |mut fields, number| {
            let _ = write!(fields, "X-Secret-{number}: y\r\n");
            fields
        })
    };
    let get = |target: &str, fields: &str| format!("GET {target} HTTP/1.1\r\nHost: x\r\n{fields}\r\n{LAST}");
    let long = "s".repeat(1_000_000);
    for (what, request, expected) in [
        ("1000 fields", get("/health/live", &many(1000)), &[431][..]),
        ("50 fields", get("/health/live", &many(50)), &[200, 200]),
        (
            "a field of a megabyte",
            get("/health/live", &format!("X: {long}\r\n")),
            &[431],
        ),
        (
            "a name of a megabyte",
            get("/health/live", &format!("{long}: x\r\n")),
            &[431],
        ),
        (
            "a field of 60 KiB",
            get("/health/live", &format!("X: {}\r\n", "s".repeat(60_000))),
            &[200, 200],
        ),
        (
            "a target of 64 KiB",
            get(&format!("/{}", "s".repeat(65_536)), ""),
            &[400],
        ),
        (
            "a target of 60 KiB",
            get(&format!("/{}", "s".repeat(60_000)), ""),
            &[404, 200],
        ),
        (
            "a query of 60 KiB",
            get(&format!("/api/v1/users?{}", "a&".repeat(30_000)), ""),
            &[422, 200],
        ),
        ("a method of a megabyte", format!("{long} / HTTP/1.1\r\n\r\n"), &[431]),
        ("blank lines for ever", "\r\n".repeat(1_000_000), &[431]),
    ] {
        let said = said(&server, request).await;
        let shown = said.0.get(..200).unwrap_or(&said.0);
        assert_eq!(said.statuses(), expected, "{what}: {shown}");
    }
    assert_eq!(mailboxes(&server).await, [""; 0]);
    let grown = resident_kib(&server).await.saturating_sub(before);
    assert!(grown < 64 * 1024, "{grown} KiB");
    stop(server).await;
}

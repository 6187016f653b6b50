//! A server that asks for tokens, and the command that prints one.

use crate::support::{Server, eventually, run, run_in};

const USERS: &str = "/api/v1/users";
const SECRET_KEY: (&str, &str) = ("SECRET_KEY", "battery-staple-battery-staple-battery-staple");
const JWT: (&str, &str) = ("AUTH_MODE", "jwt");

/// The public key of RFC 7517 appendix A.1 for P-256, whose private part nobody here uses.
const PUBLIC_KEYS: &str = r#"{"keys": [{"kty": "EC", "crv": "P-256", "kid": "1",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}]}"#;

/// The token that the command prints with these flags and settings, which is all that it prints.
async fn token(flags: &[&str], settings: &[(&str, &str)]) -> String {
    let printed = run(&[&["token"], flags].concat(), settings).await.success();
    assert_eq!(
        (printed.lines().count(), printed.split('.').count()),
        (1, 3),
        "{printed}"
    );
    printed.trim_end().to_owned()
}

/// The status of the list for whoever brings this token.
async fn status(server: &Server, token: &str) -> u16 {
    let authorization = format!("Bearer {token}");
    server
        .get_with(USERS, &[("authorization", &authorization)])
        .await
        .status
}

#[tokio::test]
async fn a_printed_token_opens_the_api_and_stays_out_of_the_log() {
    let settings = [
        SECRET_KEY,
        JWT,
        ("AUTH_ISSUER", "https://issuer.example"),
        ("AUTH_AUDIENCE", "users-api"),
        ("LOG_LEVEL", "trace"),
    ];
    let server = Server::start(&settings).await;
    let refused = server.get(USERS).await;
    assert_eq!(
        (refused.status, &refused.body["code"]),
        (401, &"unauthenticated".into())
    );
    let subject = "ann.of.the.personal.name";
    let good = token(&["--subject", subject], &settings).await;
    assert_eq!(status(&server, &good).await, 200);
    let without_scope = token(&["--scope", "users:write", "--subject", subject], &settings).await;
    assert_eq!(status(&server, &without_scope).await, 403);
    // Signed alike, and for somebody else.
    let foreign = token(&[], &[SECRET_KEY, JWT]).await;
    assert_eq!(status(&server, &foreign).await, 401);
    let log = server.stop().await;
    let is_fingerprint = |text: &str| text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let callers: Vec<_> = log
        .split("caller=")
        .skip(1)
        .map(|rest| rest.split(' ').next().unwrap())
        .collect();
    let [one, other] = callers.as_slice() else {
        panic!("{callers:?} in:\n{log}")
    };
    assert!(one == other && is_fingerprint(one), "{callers:?}");
    for token in [good, without_scope, foreign] {
        for part in token.split('.').skip(1) {
            assert!(!log.contains(part), "a token is in the log:\n{log}");
        }
    }
    assert!(!log.contains(subject) && !log.contains("issuer.example"), "{log}");
}

#[tokio::test]
async fn a_printed_token_says_who_what_and_how_long() {
    let settings = [SECRET_KEY, JWT];
    let token = token(
        &["--subject", "ann", "--scope", "users:read", "--expires-in", "15m"],
        &settings,
    )
    .await;
    let server = Server::start(&settings).await;
    assert_eq!(status(&server, &token).await, 200);
    for (flags, advice) in [
        (["--expires-in", "soon"], "seconds from 1 to 2592000"),
        (["--expires-in", "0"], "seconds from 1 to 2592000"),
        (["--subject", ""], "1 to 255 characters"),
    ] {
        let refused = run(&[&["token"], &flags[..]].concat(), &settings).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""), "{refused:?}");
        assert!(refused.stderr.contains(advice), "{refused:?}");
    }
}

#[tokio::test]
async fn no_token_is_printed_where_it_would_be_wrong_or_worthless() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys.json"), PUBLIC_KEYS).unwrap();
    for (settings, advice) in [
        (
            &[SECRET_KEY, JWT, ("ENVIRONMENT", "production")][..],
            "ENVIRONMENT is production",
        ),
        (
            &[SECRET_KEY, JWT, ("AUTH_JWKS_FILE", "keys.json")],
            "unset AUTH_JWKS_FILE",
        ),
        (&[], "set it to 32 bytes or more"),
    ] {
        let refused = run_in(folder.path(), &["token"], settings).await;
        assert_eq!((refused.code, refused.stdout.as_str()), (Some(1), ""), "{refused:?}");
        assert!(refused.stderr.contains(advice), "{refused:?}");
    }
    let worthless = run(&["token"], &[SECRET_KEY]).await;
    assert!(worthless.stderr.contains("AUTH_MODE is none"), "{worthless:?}");
    worthless.success();
}

#[tokio::test]
async fn a_server_without_usable_keys_does_not_start_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let refused = run_in(folder.path(), &[], &[JWT]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.stderr.contains("set `AUTH_JWKS_FILE`, or `SECRET_KEY`"),
        "{refused:?}"
    );
    let settings = [
        JWT,
        ("AUTH_JWKS_FILE", "keys.json"),
        ("DATABASE_URL", "sqlite::memory:"),
    ];
    for (content, reason) in [
        (None, "cannot be read"),
        (Some("{}"), "no JWK set"),
        (Some("{\"keys\": []}"), "no usable key"),
    ] {
        if let Some(content) = content {
            std::fs::write(folder.path().join("keys.json"), content).unwrap();
        }
        let refused = run_in(folder.path(), &[], &settings).await;
        assert_eq!(refused.code, Some(1), "{refused:?}");
        for part in ["AUTH_JWKS_FILE", "keys.json", reason] {
            assert!(refused.stderr.contains(part), "{part}: {refused:?}");
        }
    }
}

#[tokio::test]
async fn a_file_of_keys_that_goes_bad_is_reported_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    std::fs::write(&file, PUBLIC_KEYS).unwrap();
    let settings = [JWT, SECRET_KEY, ("AUTH_JWKS_FILE", "keys.json")];
    let server = Server::start_in(folder.path(), &settings).await;
    // Whatever its key, a token makes the server look.
    let token = token(&[], &[SECRET_KEY, JWT]).await;
    let reports = |text: &str| server.log().matches(text).count();
    assert_eq!(reports("read the keys for tokens"), 1, "{}", server.log());
    std::fs::write(&file, "{}").unwrap();
    eventually("the bad file is noticed", async || {
        assert_eq!(status(&server, &token).await, 401);
        reports("cannot be read again") > 0
    })
    .await;
    for _ in 0..5 {
        assert_eq!(status(&server, &token).await, 401);
    }
    assert_eq!(reports("cannot be read again"), 1, "{}", server.log());
    std::fs::write(&file, format!("{PUBLIC_KEYS}\n")).unwrap();
    eventually("the good file is noticed", async || {
        assert_eq!(status(&server, &token).await, 401);
        reports("read the keys for tokens") > 1
    })
    .await;
    assert_eq!(reports("cannot be read again"), 1);
    server.stop().await;
}

//! Secrets never leave the program, whatever goes wrong.

use crate::support::{Outcome, Server, run};

const PASSWORD: &str = "correct-horse";
const SECRET_KEY: &str = "battery-staple-battery-staple-battery-staple";

/// The loudest log, where secrets are most likely to be.
const LOUD: [(&str, &str); 3] = [
    ("SECRET_KEY", SECRET_KEY),
    ("LOG_LEVEL", "trace"),
    ("DB_POOL_TIMEOUT", "1"),
];

fn assert_silent(what: &str, text: &str) {
    for secret in [PASSWORD, SECRET_KEY, "correct%2Dhorse", "battery-staple"] {
        assert!(!text.contains(secret), "{what} shows {secret}:\n{text}");
    }
}

async fn run_silently(command: &[&str], settings: &[(&str, &str)]) -> Outcome {
    let outcome = run(command, &[&LOUD[..], settings].concat()).await;
    let what = format!("{command:?} with {settings:?}");
    assert_silent(&what, &format!("{}\n{}", outcome.stdout, outcome.stderr));
    outcome
}

#[tokio::test]
async fn the_settings_in_force_are_shown_without_secrets() {
    let url = format!("mysql://ann:{PASSWORD}@db.example.com/app");
    let by_url = [("DATABASE_URL", url.as_str())];
    let by_parts = [
        ("DB_HOST", "db.example.com"),
        ("DB_USER", "ann"),
        ("DB_PASSWORD", PASSWORD),
    ];
    for settings in [&by_url[..], &by_parts] {
        for command in [&["config"][..], &["config", "--json"]] {
            let shown = run_silently(command, settings).await.success();
            assert!(
                shown.contains("mysql://ann:") && shown.contains("db.example.com"),
                "{shown}"
            );
        }
        run_silently(&["openapi"], settings).await.success();
    }
}

#[tokio::test]
async fn an_address_that_cannot_be_used_is_refused_without_repeating_it() {
    for url in [
        format!("mysqll://ann:{PASSWORD}@db.example.com/app"),
        format!("mysql://ann:{PASSWORD}@db.example.com:port/app"),
        format!("mysql://ann:#{PASSWORD}@db.example.com/app"),
        format!("mysql://ann:{PASSWORD}@/app"),
        format!("postgres://ann:12/{PASSWORD}@db.example.com/app"),
        format!("sqlite:x.db?password={PASSWORD}"),
        PASSWORD.to_owned(),
    ] {
        for command in [&[][..], &["config"], &["migrate", "status"]] {
            let refused = run_silently(command, &[("DATABASE_URL", &url)]).await;
            assert_eq!(refused.code, Some(2), "{refused:?}");
            assert!(refused.stderr.contains("DATABASE_URL"), "{refused:?}");
        }
        let refused = run_silently(&["--database-url", &url, "config"], &[]).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
    }
    let short = &SECRET_KEY[..14];
    let refused = run_silently(&["config"], &[("SECRET_KEY", short)]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(!refused.stderr.contains(short) && refused.stderr.contains("SECRET_KEY"));
}

#[tokio::test]
async fn an_unreachable_database_is_reported_without_secrets() {
    for scheme in ["mysql", "postgres"] {
        let url = format!("{scheme}://ann:{PASSWORD}@127.0.0.1:1/app");
        let settings = [("DATABASE_URL", url.as_str())];
        for command in [
            &["migrate", "up"][..],
            &["migrate", "status"],
            &["migrate", "fresh"],
            &["seed", "--count", "1"],
            &["serve"],
        ] {
            let refused = run_silently(command, &settings).await;
            assert_eq!(refused.code, Some(1), "{command:?}: {refused:?}");
        }
        let serving = [&LOUD[..], &settings, &[("ENVIRONMENT", "staging")]].concat();
        let server = Server::start(&serving).await;
        assert_eq!(server.get("/health/ready").await.status, 503);
        let list = server.get("/api/v1/users").await;
        assert_eq!((list.status, &list.body["code"]), (503, &"database_unavailable".into()));
        assert_silent("a body", &list.body.to_string());
        assert_silent("the log", &server.stop().await);
    }
}

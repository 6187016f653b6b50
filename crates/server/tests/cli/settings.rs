//! Settings that cannot be used, and where settings come from.

use crate::support::{run, run_in};

#[tokio::test]
async fn three_mistakes_give_one_message_that_names_all_three() {
    let settings = [("PORT", "99999"), ("DB_POOL_MAX_SIZE", "many"), ("LOG_FORMAT", "xml")];
    for command in [&[][..], &["config"], &["migrate", "up"], &["seed"], &["healthcheck"]] {
        let refused = run(command, &settings).await;
        assert_eq!(refused.code, Some(2), "{command:?}: {refused:?}");
        assert_eq!(refused.stdout, "");
        for part in ["PORT", "99999", "DB_POOL_MAX_SIZE", "many", "LOG_FORMAT", "xml"] {
            assert!(
                refused.stderr.contains(part),
                "{command:?} does not name {part}: {}",
                refused.stderr
            );
        }
    }
}

#[tokio::test]
async fn production_must_be_told_who_may_use_the_api() {
    let refused = run(&[], &[("ENVIRONMENT", "production")]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(refused.stderr.contains("AUTH_MODE") && refused.stderr.contains("must be set in production"));
}

#[tokio::test]
async fn flags_win_over_the_environment_that_wins_over_dotenv_that_wins_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("async-starter.toml"),
        "PORT = 1001\nHOST = \"127.0.0.9\"\n",
    )
    .unwrap();
    let value = async |arguments: &[&str], settings, name: &str| {
        let all: Vec<_> = arguments.iter().chain(&["config", "--json"]).copied().collect();
        let printed = run_in(folder.path(), &all, settings).await.success();
        let printed: serde_json::Value = serde_json::from_str(&printed).unwrap();
        printed["variables"][name]["value"].as_str().unwrap().to_owned()
    };
    assert_eq!(value(&[], &[], "PORT").await, "1001");
    std::fs::write(folder.path().join(".env"), "PORT=1002\nLOG_LEVEL=warn\n").unwrap();
    assert_eq!(value(&[], &[], "PORT").await, "1002");
    assert_eq!(value(&[], &[("PORT", "1003")], "PORT").await, "1003");
    assert_eq!(value(&[], &[("PORT", "1003")], "HOST").await, "127.0.0.9");
    let flags = ["--log-level", "error"];
    assert_eq!(value(&flags, &[("LOG_LEVEL", "info")], "LOG_LEVEL").await, "error");
}

#[tokio::test]
async fn a_database_that_cannot_be_had_ends_a_command_with_a_reason() {
    // Nobody listens on port 1.
    for url in [
        "mysql://u@127.0.0.1:1/x",
        "postgres://u@127.0.0.1:1/x",
        "sqlite:///no/such/folder/x.db",
    ] {
        for command in [&["migrate", "up"][..], &["seed", "--count", "1"]] {
            let settings = [("DATABASE_URL", url), ("DB_POOL_TIMEOUT", "1")];
            let refused = run(command, &settings).await;
            assert_eq!(refused.code, Some(1), "{url} {command:?}: {refused:?}");
            assert!(refused.stderr.contains("error: "), "{refused:?}");
            assert_eq!(refused.stdout, "", "{refused:?}");
        }
    }
}

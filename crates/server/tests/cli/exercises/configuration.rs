//! Configuration.

use std::fs;

use serde_json::Value;

use crate::support::run_in;

// ANCHOR: exercise-1
#[tokio::test]
async fn a_secret_from_a_file_wins_over_one_that_a_weaker_layer_spells_out() {
    let folder = tempfile::tempdir().unwrap();
    let settings_file = "SECRET_KEY = \"the-key-of-the-settings-file-which-is-weaker\"\n";
    fs::write(folder.path().join("async-starter.toml"), settings_file).unwrap();
    fs::write(
        folder.path().join("key"),
        "the-key-of-the-file-that-is-named-in-the-environment\n",
    )
    .unwrap();
    let config = async |settings| -> Value {
        let printed = run_in(folder.path(), &["config", "--json"], settings).await.success();
        assert!(!printed.contains("the-key-of"), "{printed}");
        serde_json::from_str(&printed).unwrap()
    };
    let row = |config: &Value| config["variables"]["SECRET_KEY"].clone();
    let weak = row(&config(&[]).await);
    assert_eq!(
        (&weak["value"], &weak["source"]),
        (&"[redacted]".into(), &"async-starter.toml".into())
    );
    let strong = row(&config(&[("SECRET_KEY_FILE", "key")]).await);
    assert_eq!(
        (&strong["value"], &strong["source"]),
        (&"[redacted]".into(), &"SECRET_KEY_FILE, environment".into())
    );
}
// ANCHOR_END: exercise-1

// ANCHOR: exercise-2
#[tokio::test]
async fn a_misspelt_name_is_refused_in_a_file_and_a_warning_in_the_environment() {
    let folder = tempfile::tempdir().unwrap();
    let misspelt = [("DB_POOL_MAXSIZE", "50")];
    let warned = run_in(folder.path(), &["config"], &misspelt).await;
    assert_eq!(warned.code, Some(0), "{warned:?}");
    assert!(
        warned.stderr.contains("DB_POOL_MAXSIZE") && warned.stderr.contains("DB_POOL_MAX_SIZE"),
        "{warned:?}"
    );
    fs::write(folder.path().join(".env"), "DB_POOL_MAXSIZE=50\n").unwrap();
    let refused = run_in(folder.path(), &["config"], &[]).await;
    assert_eq!(refused.code, Some(2), "{refused:?}");
    assert!(
        refused.stderr.contains("DB_POOL_MAXSIZE (.env)") && refused.stderr.contains("DB_POOL_MAX_SIZE"),
        "{refused:?}"
    );
}
// ANCHOR_END: exercise-2

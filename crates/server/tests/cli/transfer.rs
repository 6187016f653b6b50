//! `import` and `export`.

use std::{
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::support::{Outcome, eventually, run_in, signal};

/// A folder with an empty database.
async fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    in_folder(folder.path(), &["migrate", "up"]).await.success();
    folder
}

async fn in_folder(folder: &Path, arguments: &[&str]) -> Outcome {
    run_in(folder, arguments, &[]).await
}

#[tokio::test]
async fn what_is_exported_from_one_database_is_imported_into_another() {
    let (from, to) = (folder().await, folder().await);
    in_folder(from.path(), &["seed", "--count", "2500"]).await.success();
    let exported = in_folder(from.path(), &["export", "all.csv"]).await.success();
    assert_eq!(exported, "exported 2500 users\n");
    // An import takes names and addresses.
    let csv = fs::read_to_string(from.path().join("all.csv")).unwrap();
    assert!(csv.starts_with("id,name,email,created_at,updated_at\r\n"));
    let exported = in_folder(from.path(), &["export", "all.ndjson"]).await.success();
    assert_eq!(exported, "exported 2500 users\n");
    let json = fs::read_to_string(from.path().join("all.ndjson")).unwrap();
    let users: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let line = |user: &serde_json::Value| serde_json::json!({"name": user["name"], "email": user["email"]}).to_string();
    let lines = users.iter().rev().map(line).collect::<Vec<_>>().join("\n");
    fs::write(to.path().join("users.jsonl"), lines).unwrap();
    let imported = in_folder(to.path(), &["import", "users.jsonl"]).await.success();
    assert_eq!(imported, "created 2500 users; rejected 0 lines\n");
    let printed = in_folder(to.path(), &["export", "-", "--format", "ndjson"])
        .await
        .success();
    let names = |text: &str| {
        let mut names: Vec<_> = text
            .lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
            .map(|user| (user["name"].to_string(), user["email"].to_string()))
            .collect();
        names.sort_unstable();
        names
    };
    assert_eq!(names(&printed), names(&json));
}

#[tokio::test]
async fn lines_that_are_skipped_are_listed_and_change_the_exit_code() {
    let folder = folder().await;
    let file = "name,email\nAnn,ann@example.com\nBob\nAnn,ANN@example.com\n";
    fs::write(folder.path().join("users.csv"), file).unwrap();
    let outcome = in_folder(folder.path(), &["import", "users.csv"]).await;
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    assert_eq!(outcome.stdout, "created 1 users; rejected 2 lines\n");
    let listed = "line 3: must have the two columns name,email; quote a value with a comma in it (malformed_request)\n\
                  line 4: Email already exists, or stands on an earlier line (email_taken)\n";
    assert!(outcome.stderr.contains(listed), "{outcome:?}");

    let lines = "{}\n".repeat(150);
    fs::write(folder.path().join("bad.ndjson"), lines).unwrap();
    let outcome = in_folder(folder.path(), &["import", "bad.ndjson"]).await;
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    assert!(outcome.stderr.contains("line 100: ") && !outcome.stderr.contains("line 101: "));
    assert!(outcome.stderr.contains("and 50 more lines"), "{outcome:?}");
}

#[tokio::test]
async fn an_import_that_cannot_begin_says_why() {
    let folder = folder().await;
    fs::write(folder.path().join("users.csv"), "Ann,ann@example.com\n").unwrap();
    fs::write(folder.path().join("users.txt"), "").unwrap();
    for (arguments, code, said) in [
        (
            &["import", "users.csv"][..],
            1,
            "The first line must be the header name,email",
        ),
        (&["import", "users.txt"], 2, "--format"),
        (&["import", "-"], 2, "--format"),
        (&["import", "users.csv", "--format", "xml"], 2, "accepted: ndjson, csv"),
        (&["import", "missing.csv"], 1, "cannot read missing.csv"),
        (&["export", "users.txt"], 2, "--format"),
        (&["export", "missing/users.csv"], 1, "cannot write in missing"),
    ] {
        let outcome = in_folder(folder.path(), arguments).await;
        assert_eq!(outcome.code, Some(code), "{outcome:?}");
        assert!(outcome.stderr.contains(said), "{outcome:?}");
    }
    let unmigrated = tempfile::tempdir().unwrap();
    let outcome = in_folder(unmigrated.path(), &["export", "users.csv"]).await;
    assert!(
        outcome.code == Some(1) && outcome.stderr.contains("migrate up"),
        "{outcome:?}"
    );
}

#[tokio::test]
async fn an_export_overwrites_nothing_unasked_and_leaves_no_half_file() {
    let folder = folder().await;
    in_folder(folder.path(), &["seed", "--count", "10"]).await.success();
    let file = folder.path().join("users.ndjson");
    fs::write(&file, "precious").unwrap();
    let refused = in_folder(folder.path(), &["export", "users.ndjson"]).await;
    assert!(
        refused.code == Some(1) && refused.stderr.contains("--force"),
        "{refused:?}"
    );
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    in_folder(folder.path(), &["export", "users.ndjson", "--force"])
        .await
        .success();
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 10);

    // One that fails leaves what was there, and nothing beside it.
    in_folder(folder.path(), &["migrate", "down", "9"]).await;
    let failed = in_folder(folder.path(), &["export", "users.ndjson", "--force"]).await;
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 10);
    let left: Vec<_> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("async-starter.db"))
        .collect();
    assert_eq!(left, ["users.ndjson"]);
}

#[tokio::test]
async fn an_import_that_is_interrupted_says_what_it_created_and_can_be_gone_on_with() {
    let folder = folder().await;
    let line = |number| format!("{{\"name\": \"Ann\", \"email\": \"ann{number}@example.com\"}}\n");
    let lines: String = (0..2500).map(line).collect();
    let mut import = Command::new(env!("CARGO_BIN_EXE_async-starter"))
        .args(["import", "-", "--format", "ndjson"])
        .env_clear()
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = import.stdin.take().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    input.flush().unwrap();
    eventually("two chunks are there", async || {
        let all = in_folder(folder.path(), &["export", "-", "--format", "ndjson"])
            .await
            .success();
        all.lines().count() == 2000
    })
    .await;
    signal(&import, "INT");
    let output = tokio::task::spawn_blocking(|| import.wait_with_output())
        .await
        .unwrap()
        .unwrap();
    drop(input);
    let (stdout, stderr) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert_eq!(stdout, "created 2000 users; rejected 0 lines\n");
    assert!(stderr.contains("run the same command again"), "{stderr}");

    fs::write(folder.path().join("users.ndjson"), lines).unwrap();
    let rest = in_folder(folder.path(), &["import", "users.ndjson"]).await;
    assert_eq!(
        (rest.code, rest.stdout.as_str()),
        (Some(3), "created 500 users; rejected 2000 lines\n")
    );
}

//! Imports and exports that end early, as the log tells of them.

use persistence::test_db::TestDatabase;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::support::{Server, eventually, run};

const IMPORT: &str = "/api/v1/users/import";
const EXPORT: &str = "/api/v1/users/export";

fn settings_for(db: &TestDatabase) -> [(&'static str, String); 2] {
    [
        ("DATABASE_URL", db.url().to_owned()),
        ("CLIENT_TIMEOUT", "500ms".to_owned()),
    ]
}

/// Sends the head of an import, and these users in a chunk; nothing more.
async fn begin_import(server: &Server, request_id: &str, users: usize, name: &str) -> TcpStream {
    let line = |number| format!("{{\"name\":\"{name}\",\"email\":\"user{number}@example.com\"}}\n");
    let body: String = (0..users).map(line).collect();
    let mut stream = TcpStream::connect(server.address()).await.unwrap();
    let head = format!(
        "POST {IMPORT} HTTP/1.1\r\nHost: test\r\nX-Request-ID: {request_id}\r\nContent-Type: application/x-ndjson\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{:x}\r\n{body}\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// The line of the log with these words, if there is one.
fn line_of(server: &Server, words: &[&str]) -> Option<String> {
    let log = server.log();
    let line = log.lines().find(|line| words.iter().all(|word| line.contains(word)));
    line.map(str::to_owned)
}

pub(crate) async fn the_log_tells_what_an_import_left_that_was_cut_off(db: TestDatabase) {
    let settings = settings_for(&db);
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let settings = [&settings[..], &[("LOG_FORMAT", "json")]].concat();
    let server = Server::start(&settings).await;
    let stalled = begin_import(&server, "stalled", 2500, "Ann").await;
    eventually("the log tells of it", async || {
        line_of(&server, &["import ended early", "\"stalled\""]).is_some()
    })
    .await;
    let line = line_of(&server, &["import ended early", "\"stalled\""]).unwrap();
    for told in [
        "\"received\":2000",
        "\"created\":2000",
        "\"rejected\":0",
        "\"committed_chunks\":2",
    ] {
        assert!(line.contains(told), "{told} in {line}");
    }
    drop(stalled);
    drop(begin_import(&server, "again", 2500, "Ann").await);
    eventually("the log tells of the second", async || {
        line_of(&server, &["import ended early", "\"again\"", "\"created\":0"]).is_some()
    })
    .await;
    let listed = server.get("/api/v1/users").await;
    assert_eq!(listed.body["total"], 2000);
    server.stop().await;
}

/// Wide rows, and a client that reads nothing of them: the buffers of the connection do not take all.
pub(crate) async fn a_client_that_takes_nothing_of_an_export_is_cut_off(db: TestDatabase) {
    if !cfg!(target_os = "linux") {
        return;
    }
    let settings = settings_for(&db);
    let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
    let server = Server::start(&settings).await;
    let mut import = begin_import(&server, "filling", 12_000, &"🦀".repeat(100)).await;
    import.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    import.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains("\"created\":12000"), "{answer}");
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 * 1024).unwrap();
    let mut slow = socket.connect(server.address().parse().unwrap()).await.unwrap();
    let head = format!("GET {EXPORT} HTTP/1.1\r\nHost: test\r\nX-Request-ID: slow\r\n\r\n");
    slow.write_all(head.as_bytes()).await.unwrap();
    eventually("it is cut off", async || {
        line_of(&server, &["export ended early", "slow"]).is_some()
    })
    .await;
    server.stop().await;
}

pub(crate) async fn the_commands_work_on_every_database(db: TestDatabase) {
    let settings = [("DATABASE_URL", db.url())];
    run(&["seed", "--count", "1200"], &settings).await.success();
    let exported = run(&["export", "-", "--format", "ndjson"], &settings).await.success();
    assert_eq!(exported.lines().count(), 1200);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.csv");
    let lines: Vec<_> = (0..1500).map(|number| format!("Ann,new{number}@example.com")).collect();
    let lines = lines.join("\n");
    std::fs::write(&file, format!("name,email\n{lines}\n{lines}")).unwrap();
    let outcome = run(&["import", file.to_str().unwrap()], &settings).await;
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (Some(3), "created 1500 users; rejected 1500 lines\n")
    );
}

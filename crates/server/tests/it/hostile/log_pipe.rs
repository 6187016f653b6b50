//! Whoever collects the log stops reading it.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    time::Duration,
};

use persistence::test_db::TestDatabase;
use tokio::{task::spawn_blocking, time::timeout};

use super::PATIENCE;
use crate::support::signal;

/// Far more lines than a pipe holds. Each is some 250 bytes.
const REQUESTS: usize = 2000;

/// Ends a process with the test, whatever becomes of that.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It fails where the process has ended, which is what is wanted.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Where the server listens, as it tells people on standard output.
async fn announced(process: &mut Killed) -> String {
    let output = BufReader::new(process.0.stdout.take().unwrap());
    let lines = spawn_blocking(move || {
        output
            .lines()
            .map_while(Result::ok)
            .find(|line| line.contains("/health"))
    });
    let line = timeout(PATIENCE, lines).await.unwrap().unwrap().unwrap();
    let (_, address) = line.split_once("http://").unwrap();
    address.trim_end_matches("/health").to_owned()
}

pub(crate) async fn a_log_that_nobody_reads_keeps_nobody_waiting(db: TestDatabase) {
    let folder = tempfile::tempdir().unwrap();
    let settings = [
        ("DATABASE_URL", db.url()),
        ("ENVIRONMENT", "development"),
        ("LOG_LEVEL", "info"),
        ("LOG_FORMAT", "json"),
        ("PORT", "0"),
        ("WORKERS", "2"),
    ];
    let process = Command::new(env!("CARGO_BIN_EXE_async-starter"))
        .env_clear()
        .envs(settings)
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut process = Killed(process.unwrap());
    let address = announced(&mut process).await;
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    for number in 0..REQUESTS {
        let user = 1_000_000 + number;
        let answer = client.get(format!("http://{address}/api/v1/users/{user}")).send().await;
        assert_eq!(answer.unwrap().status(), 404, "{number}");
    }
    // Now somebody reads again, and the program ends: nothing was lost, for there was room in memory.
    let mut pipe = process.0.stderr.take().unwrap();
    signal(&process.0, "TERM");
    let reading = spawn_blocking(move || {
        let mut log = String::new();
        pipe.read_to_string(&mut log).unwrap();
        log
    });
    let log = timeout(Duration::from_secs(30), reading).await.unwrap().unwrap();
    assert_eq!(log.matches("\"status\":404").count(), REQUESTS);
    assert!(log.contains("\"stopped\""), "the last line is written as well");
}

//! An instance that goes on while a newer release changes the schema underneath it: first something is added, and when
//! nobody uses it any more, something is dropped. No request may notice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use persistence::test_db::TestDatabase;
use serde_json::{Value, json};

use crate::support::{Server, eventually};

const CLIENTS: usize = 6;
const USERS: &str = "/api/v1/users";
/// Rounds of every client before and after each change: more than there are connections to the database, so that each
/// connection has prepared its statements before, and executes them after.
const ROUNDS: u64 = 5;

/// What a newer release adds. Old instances neither read nor write it.
const EXPAND: [&str; 3] = [
    "ALTER TABLE users ADD COLUMN nickname VARCHAR(100)",
    "ALTER TABLE idempotency_keys ADD COLUMN note VARCHAR(100)",
    "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000001_newer', 1)",
];
/// What a release after that drops.
const CONTRACT: [&str; 3] = [
    "ALTER TABLE users DROP COLUMN nickname",
    "ALTER TABLE idempotency_keys DROP COLUMN note",
    "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_000002_newer', 2)",
];

/// What clients and test share.
#[derive(Default)]
struct Progress {
    rounds: [AtomicU64; CLIENTS],
    is_over: AtomicBool,
}

impl Progress {
    /// Waits until every client has done so many rounds more.
    async fn go_on(&self, clients: &[tokio::task::JoinHandle<()>]) {
        let rounds = || self.rounds.each_ref().map(|rounds| rounds.load(Ordering::Relaxed));
        let before = rounds();
        eventually("every client goes on", async || {
            let failed = clients.iter().any(tokio::task::JoinHandle::is_finished);
            assert!(!failed, "a client has failed; its panic is above");
            rounds().iter().zip(before).all(|(now, before)| *now >= before + ROUNDS)
        })
        .await;
    }
}

/// One client, which asks for everything that touches the tables, and expects everything to succeed.
struct Client {
    http: reqwest::Client,
    base: String,
    number: usize,
}

impl Client {
    async fn ask(&self, method: &str, path: &str, key: Option<&str>, body: Option<Value>, expected: u16) -> Value {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let what = format!("{method} {path}");
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let status = answer.status();
        let text = answer.text().await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(status, expected, "{what}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    async fn round(&self, round: u64) {
        // Addresses far apart: neighbours in the index make each other wait.
        let email = |what: &str| format!("{}{what}{round}@example.com", self.number);
        let new = |what: &str| json!({"name": "Someone", "email": email(what)});
        let created = self.ask("POST", USERS, None, Some(new("plain")), 201).await;
        let path = format!("{USERS}/{}", created["id"]);
        let key = email("key");
        let once = self.ask("POST", USERS, Some(&key), Some(new("keyed")), 201).await;
        let again = self.ask("POST", USERS, Some(&key), Some(new("keyed")), 201).await;
        assert_eq!(once, again);
        let batch = json!({"users": [new("first"), new("second"), new("third")]});
        self.ask("POST", &format!("{USERS}/batch"), None, Some(batch), 201)
            .await;
        self.ask("PATCH", &path, None, Some(json!({"name": "Changed"})), 200)
            .await;
        let found = self.ask("GET", &path, None, None, 200).await;
        assert_eq!(found["name"], "Changed");
        for query in [
            "?per_page=5".to_owned(),
            "?cursor=&per_page=5".to_owned(),
            format!("?email={}", email("plain")),
        ] {
            let page = self.ask("GET", &format!("{USERS}{query}"), None, None, 200).await;
            assert!(!page["users"].as_array().unwrap().is_empty(), "{query}: {page}");
        }
        let import = self.http.post(format!("{}{USERS}/import", self.base));
        let line = new("imported").to_string();
        let imported = import
            .header("content-type", "application/x-ndjson")
            .body(line)
            .send()
            .await
            .unwrap();
        assert_eq!(imported.status(), 200);
        assert_eq!(imported.json::<Value>().await.unwrap()["created"], 1);
        if round.is_multiple_of(4) {
            self.ask("GET", &format!("{USERS}/export"), None, None, 200).await;
        }
        self.ask("DELETE", &path, None, None, 204).await;
    }

    async fn go_on(self, progress: Arc<Progress>) {
        for round in 0.. {
            if progress.is_over.load(Ordering::Relaxed) {
                return;
            }
            self.round(round).await;
            progress.rounds[self.number].fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Asks for readiness all the time, as load balancers do, and returns how often.
async fn watch_readiness(server_address: String, progress: Arc<Progress>) -> u32 {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut asked = 0;
    while !progress.is_over.load(Ordering::Relaxed) {
        let ready = http
            .get(format!("http://{server_address}/health/ready"))
            .send()
            .await
            .unwrap();
        assert_eq!(ready.status(), 200, "{:?}", ready.text().await);
        asked += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    asked
}

pub(crate) async fn a_schema_that_a_newer_release_changes_fails_no_request_of_the_old(db: TestDatabase) {
    let settings = [
        ("DATABASE_URL", db.url()),
        ("ENVIRONMENT", "staging"),
        ("SHUTDOWN_DRAIN", "0"),
        // Few, so that each has prepared all statements when the schema changes.
        ("DB_POOL_MAX_SIZE", "4"),
        ("DB_POOL_MIN_SIZE", "4"),
    ];
    let old = Server::start(&settings).await;
    let progress = Arc::<Progress>::default();
    let readiness = tokio::spawn(watch_readiness(old.address().to_owned(), progress.clone()));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let client = Client {
                http: reqwest::Client::builder().no_proxy().build().unwrap(),
                base: format!("http://{}", old.address()),
                number,
            };
            tokio::spawn(client.go_on(progress.clone()))
        })
        .collect();
    for changes in [EXPAND, CONTRACT] {
        for change in changes {
            progress.go_on(&clients).await;
            db.execute(change).await;
        }
        progress.go_on(&clients).await;
        // Longer than a probe serves, so that one has seen the unknown step.
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(old.get("/health/ready").await.status, 200);
    }
    progress.is_over.store(true, Ordering::Relaxed);
    for client in join_all(clients).await {
        client.unwrap();
    }
    assert!(readiness.await.unwrap() > 10);
    // Nothing was mended behind the back of clients either.
    let log = old.stop().await;
    assert!(!log.contains("request failed"), "{log}");
}

//! What a developer sees of a request in the console.

mod seen;

use std::{collections::BTreeSet, fmt::Write};

use futures_util::future::join_all;
use persistence::test_db::{TestDatabase, TestEngine};
use serde_json::{Value, json};
use tokio::time::sleep;

use self::seen::{ATTEMPTS, PAUSE, create, end, is_within, shown_of, span, steps};
use crate::{
    limits::of_one_connection,
    monitoring::text_of,
    shutdown::{Waiting, ann},
    support::{Server, eventually},
};

pub(crate) async fn a_change_is_shown_with_its_transaction_and_every_statement(db: TestDatabase) {
    let server = Server::start(&[("DATABASE_URL", db.url())]).await;
    let created = create(&server, "Ann", "ann@example.com").await;
    let path = format!("/api/v1/users/{}", created.body["id"]);
    let changed = server.send("PATCH", &path, Some(json!({"name": "Ann Other"}))).await;
    let request = shown_of(&server, &changed).await;

    assert_eq!(
        (&request["method"], &request["route"], &request["status"]),
        (&json!("PATCH"), &json!("/api/v1/users/{id}"), &json!(200))
    );
    // The same clock is read for both, so the page and the header say the same.
    let process_time: f64 = changed.header("x-process-time").parse().unwrap();
    let duration_us = request["duration_us"].as_f64().unwrap();
    assert!(
        (duration_us - process_time * 1e6).abs() < 1.5,
        "{duration_us} {process_time}"
    );

    assert_eq!(span(&request, "request")["duration_us"], request["duration_us"]);

    let transaction = span(&request, "transaction");
    assert_eq!(transaction["fields"], json!([["outcome", "committed"]]));
    let (begin, commit) = (span(&request, "begin"), span(&request, "commit"));
    assert!(end(begin) <= commit["start_us"].as_i64().unwrap(), "{request}");
    for part in [begin, commit] {
        assert!(is_within(part, transaction), "{request}");
    }
    assert!(
        is_within(span(&request, "database"), span(&request, "handler")),
        "{request}"
    );
    assert_eq!(
        steps(&request, "wait").len(),
        1,
        "one connection for the transaction: {request}"
    );
    let statements = steps(&request, "statement");
    let all = request["steps"].as_array().unwrap();
    let in_transaction = statements.iter().filter(|statement| {
        let parent = statement["parent"]
            .as_u64()
            .map(|parent| &all[usize::try_from(parent).unwrap()]);
        parent == Some(transaction)
    });
    let is_update = |statement: &&&Value| statement["sql"].as_str().unwrap().starts_with("UPDATE");
    assert_eq!(in_transaction.filter(is_update).count(), 1, "{request}");
    assert_eq!(
        request["statements"].as_u64().map(usize::try_from),
        Some(Ok(statements.len()))
    );
}

pub(crate) async fn what_is_given_up_is_shown_as_a_transaction_without_an_outcome(db: TestDatabase) {
    let server = Server::start(&[("DATABASE_URL", db.url())]).await;
    create(&server, "Ann", "ann@example.com").await;
    let users =
        json!({"users": [{"name": "Bob", "email": "bob@example.com"}, {"name": "Ann", "email": "ann@example.com"}]});
    let refused = server.send("POST", "/api/v1/users/batch", Some(users)).await;
    assert_eq!(refused.status, 409);
    let request = shown_of(&server, &refused).await;
    assert_eq!(request["problem"], refused.body["code"]);
    let transaction = span(&request, "transaction");
    assert_ne!(transaction["fields"], json!([["outcome", "committed"]]), "{request}");
}

// ANCHOR: outline
/// The steps of a request, each on a line, below the one that it is part of and further to the right.
fn outline(request: &Value) -> String {
    let mut drawing = String::new();
    draw(request["steps"].as_array().unwrap(), None, 0, &mut drawing);
    drawing
}

fn draw(steps: &[Value], parent: Option<usize>, depth: usize, drawing: &mut String) {
    let mut parts: Vec<_> = (0..)
        .zip(steps)
        .filter(|(_, step)| step["parent"] == json!(parent))
        .collect();
    parts.sort_by_key(|(_, step)| step["start_us"].as_i64());
    for (position, step) in parts {
        let title = match step["kind"].as_str().unwrap() {
            "span" => step["name"].as_str().unwrap(),
            "statement" => step["sql"].as_str().unwrap().split(' ').next().unwrap(),
            kind => kind,
        };
        writeln!(drawing, "{:1$}{title}", "", 2 * depth).unwrap();
        draw(steps, Some(position), depth + 1, drawing);
    }
}
// ANCHOR_END: outline

// ANCHOR: exercise-1
pub(crate) async fn an_outline_tells_a_change_from_a_batch_that_was_refused(db: TestDatabase) {
    let server = Server::start(&[("DATABASE_URL", db.url())]).await;
    let created = create(&server, "Ann", "ann@example.com").await;
    let path = format!("/api/v1/users/{}", created.body["id"]);
    let changed = server.send("PATCH", &path, Some(json!({"name": "Ann Other"}))).await;
    let taken =
        json!({"users": [{"name": "Bob", "email": "bob@example.com"}, {"name": "Ann", "email": "ann@example.com"}]});
    let refused = server.send("POST", "/api/v1/users/batch", Some(taken)).await;

    let change = outline(&shown_of(&server, &changed).await);
    let refusal = outline(&shown_of(&server, &refused).await);
    let both = "request\n  handler\n    database\n      transaction\n        begin\n          wait\n";
    for drawing in [&change, &refusal] {
        assert!(drawing.starts_with(both), "{drawing}");
    }
    assert!(
        change.contains("\n        UPDATE\n") && change.contains("\n        commit\n"),
        "{change}"
    );
    // What was inserted is gone, since nothing committed it. Who was in the way is asked outside of the transaction.
    assert!(
        refusal.contains("\n        INSERT\n") && refusal.contains("\n      SELECT\n") && !refusal.contains("commit"),
        "{refusal}"
    );
}
// ANCHOR_END: exercise-1

/// Asks many times at once for the same, until the console shows a request that shared its statement.
async fn shared(server: &Server, path: &str) -> Value {
    for _ in 0..ATTEMPTS {
        for answer in join_all((0..30).map(|_| server.get(path))).await {
            let request = shown_of(server, &answer).await;
            if request["batch_members"].as_u64().unwrap() > 1 {
                return request;
            }
        }
    }
    panic!("nobody ever shared a statement");
}

pub(crate) async fn requests_that_share_a_statement_name_each_other(db: TestDatabase) {
    let server = Server::start(&[("DATABASE_URL", db.url())]).await;
    let created = create(&server, "Ann", "ann@example.com").await;
    let path = format!("/api/v1/users/{}", created.body["id"]);
    let first = shared(&server, &path).await;
    let batch = &first["batches"][0];
    assert_eq!(batch["name"], "read_batch");
    assert_eq!(reads(batch), 1, "{batch}");
    let members = batch["members"].as_array().unwrap();
    for member in members {
        let other = server
            .get(&format!("/console/requests/{}", member["number"]))
            .await
            .body;
        assert_eq!(other["request_id"], member["request_id"]);
        let same = other["batches"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|other| other["members"] == batch["members"]);
        assert_eq!(same.count(), 1, "{other}");
    }
}

// ANCHOR: exercise-2
/// The statements that read users. A server's connection that was opened for a request also had its session prepared.
fn reads(of: &Value) -> usize {
    let is_read = |step: &&&Value| step["sql"].as_str().unwrap().contains("users");
    steps(of, "statement").iter().filter(is_read).count()
}

pub(crate) async fn of_forty_reads_at_once_the_console_and_the_metrics_count_the_same_statements(db: TestDatabase) {
    let server = Server::start(&[("DATABASE_URL", db.url())]).await;
    let created = create(&server, "Ann", "ann@example.com").await;
    let path = format!("/api/v1/users/{}", created.body["id"]);
    let answers = join_all((0..40).map(|_| server.get(&path))).await;
    let (mut batches, mut statements) = (BTreeSet::new(), 0);
    for answer in &answers {
        let request = shown_of(&server, answer).await;
        let batch = &request["batches"][0];
        assert_eq!((reads(&request), reads(batch)), (0, 1), "{request}");
        // All who share a batch tell of it. The first member names it.
        if batches.insert(batch["members"][0]["number"].as_u64()) {
            statements += reads(batch);
        }
    }
    let metrics = text_of(&server, "/metrics").await;
    for sample in [
        format!("coalesced_batch_size_count{{kind=\"read\"}} {statements}"),
        "coalesced_batch_size_sum{kind=\"read\"} 40.0".to_owned(),
    ] {
        assert!(metrics.contains(&sample), "{sample}\n{metrics}");
    }
}
// ANCHOR_END: exercise-2

pub(crate) async fn nobody_is_named_in_the_console_and_it_does_not_watch_itself(db: TestDatabase) {
    let server = Server::start(&[("DATABASE_URL", db.url())]).await;
    let created = create(&server, "Secret Name", "secret.address@example.com").await;
    let again = json!({"name": "Secret Name", "email": "secret.address@example.com"});
    let refused = server.send("POST", "/api/v1/users", Some(again)).await;
    assert_eq!(refused.status, 409);
    let looked_up = server.get("/api/v1/users?email=secret.address@example.com").await;
    let mut everything = text_of(&server, "/console/requests").await;
    for answer in [&created, &refused, &looked_up] {
        everything += &shown_of(&server, answer).await.to_string();
    }
    for secret in ["Secret", "secret"] {
        assert!(!everything.contains(secret), "{everything}");
    }
    assert!(
        everything.contains("INSERT INTO") && everything.contains("SELECT"),
        "{everything}"
    );
    assert!(!everything.contains("/console"), "{everything}");
}

/// What a database says may repeat a value. It is in the log, which is for those who may read it.
pub(crate) async fn what_the_database_says_of_a_failure_stays_out_of_the_console(db: TestDatabase) {
    let server = Server::start(&[("DATABASE_URL", db.url())]).await;
    db.execute("ALTER TABLE users RENAME TO hidden").await;
    let failed = server.send("DELETE", "/api/v1/users/1", None).await;
    assert_eq!(failed.status, 500, "{failed:?}");
    let request = shown_of(&server, &failed).await;
    let events = steps(&request, "event");
    assert_eq!(events.len(), 1, "{request}");
    assert_eq!(events[0]["message"], "request failed");
    assert_eq!(events[0]["fields"], json!([["code", "internal"]]));
    eventually("the log has the cause", async || server.log().contains("cause=")).await;
}

pub(crate) async fn waits_in_vain_and_repetitions_are_shown_as_such(db: TestDatabase) {
    let ann = ann(&db).await;
    let server = Server::start(&of_one_connection(&db)).await;
    // This one holds the only connection that can write.
    let waiting = Waiting::start(&db, &server, &ann).await;
    let bob = json!({"users": [{"name": "Bob", "email": "bob@example.com"}]});
    let refused = server.send("POST", "/api/v1/users/batch", Some(bob)).await;
    assert_eq!(refused.status, 503);
    let request = shown_of(&server, &refused).await;
    if db.engine() == TestEngine::Sqlite {
        // The server gets its connection, and waits for the file, which the test holds as another process.
        assert_eq!(request["retries"], 3, "{request}");
        let begin = span(&request, "begin");
        assert!(end(span(&request, "transaction")) >= end(begin), "{request}");
    } else {
        let waits = steps(&request, "wait");
        assert_eq!((waits.len(), &waits[0]["in_vain"]), (1, &json!(true)), "{request}");
        assert!(waits[0]["duration_us"].as_u64() >= Some(900_000), "{request}");
        assert_eq!(request["wait_us"], waits[0]["duration_us"]);
    }
    waiting.holder.rollback().await.unwrap();
    waiting.request.await.unwrap().unwrap();
}

pub(crate) async fn pages_of_others_cannot_read_the_console(db: TestDatabase) {
    let server = Server::start(&[("DATABASE_URL", db.url()), ("CORS_ORIGINS", "*")]).await;
    let origin = ("origin", "https://evil.example");
    let api = server.get_with("/api/v1/users", &[origin]).await;
    assert_eq!(api.header("access-control-allow-origin"), "*");
    let read = server.get_with("/console/requests", &[origin]).await;
    assert_eq!((read.status, read.header("access-control-allow-origin")), (200, ""));
    for strange in [("sec-fetch-site", "cross-site"), ("host", "evil.example")] {
        let refused = server.get_with("/console/requests", &[strange]).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (403, &json!("forbidden")),
            "{strange:?}"
        );
    }
}

pub(crate) async fn the_console_does_not_fill_the_log(db: TestDatabase) {
    let server = Server::start(&[("DATABASE_URL", db.url())]).await;
    for _ in 0..3 {
        server.get("/console/requests").await;
    }
    server.get("/api/v1/users").await;
    assert_eq!(server.stop().await.matches(" INFO request ").count(), 1);
}

pub(crate) async fn the_timeline_shows_the_pools_that_the_metrics_tell_of(db: TestDatabase) {
    let server = Server::start(&[("DATABASE_URL", db.url()), ("DB_POOL_MAX_SIZE", "3")]).await;
    let created = create(&server, "Ann", "ann@example.com").await;
    let path = format!("/api/v1/users/{}", created.body["id"]);
    // One connection at least is in use at the moment that it is borrowed, however short that is.
    server.get(&path).await;
    let pools = server.get("/console/pools/since/0").await.body;
    let slices = pools["slices"].as_array().unwrap();
    let all: Vec<_> = slices
        .iter()
        .flat_map(|slice| slice["pools"].as_array().unwrap())
        .collect();
    assert!(all.iter().any(|pool| pool["in_use"].as_u64() >= Some(1)), "{pools}");
    let metrics = text_of(&server, "/metrics").await;
    for pool in slices.last().unwrap()["pools"].as_array().unwrap() {
        let (name, max) = (pool["name"].as_str().unwrap(), &pool["max"]);
        let sample = format!("db_pool_max_connections{{pool=\"{name}\"}} {max}");
        assert!(metrics.contains(&sample), "{sample}\n{metrics}");
        assert!(pool["in_use"].as_u64() <= pool["max"].as_u64(), "{pool}");
    }
    let later = pools["now_us"].as_u64().unwrap() + 60_000_000;
    let none = server.get(&format!("/console/pools/since/{later}")).await.body;
    assert_eq!(none["slices"], json!([]));
}

/// The version of the list once nothing changes any more.
async fn quiet_version(server: &Server) -> u64 {
    let mut known = 0;
    for _ in 0..ATTEMPTS {
        let version = server.get("/console/requests").await.body["version"].as_u64().unwrap();
        if version == known {
            return known;
        }
        known = version;
        sleep(PAUSE).await;
    }
    panic!("the list never came to rest");
}

pub(crate) async fn the_page_is_one_of_this_host_alone_and_told_only_what_is_new(db: TestDatabase) {
    let server = Server::start(&[("DATABASE_URL", db.url())]).await;
    let page = text_of(&server, "/console").await;
    assert!(page.contains("/console/files/console.js") && !page.contains("style=") && !page.contains("onclick"));
    let files = [
        "console.css",
        "console.js",
        "elements.js",
        "pools.js",
        "texts.js",
        "waterfall.js",
    ];
    for file in files {
        let path = format!("/console/files/{file}");
        let answer = server.get(&path).await;
        let policy = answer.header("content-security-policy");
        assert!(
            answer.status == 200 && policy.starts_with("default-src 'none'"),
            "{answer:?}"
        );
        let text = text_of(&server, &path).await;
        let foreign = text.replace("http://www.w3.org/2000/svg", "");
        assert!(!foreign.contains("http://") && !foreign.contains("https://"), "{file}");
        assert!(!text.contains("innerHTML"), "{file} writes what it was told as markup");
    }
    server.get("/api/v1/users").await;
    let known = quiet_version(&server).await;
    let unchanged = server.get(&format!("/console/requests/since/{known}")).await;
    assert_eq!(unchanged.status, 204);
    server.get("/api/v1/users").await;
    assert_eq!(
        server.get(&format!("/console/requests/since/{known}")).await.status,
        200
    );
    for nowhere in [
        "requests/123456",
        "requests/x",
        "requests/since/-1",
        "pools/since/x",
        "files/nothing.js",
    ] {
        assert_eq!(
            server.get(&format!("/console/{nowhere}")).await.status,
            404,
            "{nowhere}"
        );
    }
}

pub(crate) async fn where_it_is_off_the_console_does_not_exist(db: TestDatabase) {
    let server = Server::start(&[("DATABASE_URL", db.url()), ("CONSOLE", "off")]).await;
    for path in ["/console", "/console/requests", "/console/files/console.js"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
}

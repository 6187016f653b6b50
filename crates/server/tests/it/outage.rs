//! A database that is not there: at the start, for a while, and without a word.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use persistence::test_db::{TestDatabase, TestEngine};
use serde_json::json;
use tokio::time::sleep;

use crate::{
    proxy::{Door, Proxy},
    support::{Answer, Server, eventually},
};

/// Health is found out within two seconds; the rest is room for a busy machine.
const PROBE: Duration = Duration::from_millis(2500);

/// Asks until readiness is refused, and asserts that no answer takes longer than a probe may.
async fn becomes_not_ready(server: &Server) {
    let start = Instant::now();
    eventually("not ready", || async {
        let asked = Instant::now();
        let ready = server.get("/health/ready").await;
        assert!(asked.elapsed() < PROBE, "an answer took {:?}", asked.elapsed());
        ready.status == 503 && ready.body["checks"]["database"] == "failed"
    })
    .await;
    // The last good answer is half a second old at most, and then a probe takes its time.
    assert!(
        start.elapsed() < PROBE + Duration::from_millis(500),
        "{:?}",
        start.elapsed()
    );
}

/// Readiness comes first. A connection that broke a moment ago is only found out by using it, so a few requests may still
/// fail; then none does any more.
async fn recovers(server: &Server) {
    let is_ready = || async { server.get("/health/ready").await.status == 200 };
    eventually("ready", is_ready).await;
    let all_are_served = || async { lists(server).await.iter().all(|list| list.status == 200) };
    eventually("all requests are served", all_are_served).await;
}

/// The list of users, asked for by so many at once that all connections of the pool are in use.
async fn lists(server: &Server) -> Vec<Answer> {
    join_all((0..20).map(|_| server.get("/api/v1/users"))).await
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (503, &json!("database_unavailable")),
        "{answer:?}"
    );
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert!(answer.header("retry-after").parse::<u32>().unwrap() > 0);
}

async fn create(server: &Server, number: u32) -> Answer {
    let new = json!({"name": "Ann", "email": format!("ann{number}@example.com")});
    server.send("POST", "/api/v1/users", Some(new)).await
}

pub(crate) async fn a_database_that_goes_away_and_comes_back_is_survived(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        // There is no way to lose it.
        return;
    }
    let proxy = Proxy::start(db.url(), Door::Open);
    let settings = [("DATABASE_URL", proxy.url()), ("DB_POOL_TIMEOUT", "2")];
    let server = Server::start(&settings).await;
    let mut users = 0;
    for round in 0..2 {
        assert_eq!(create(&server, round).await.status, 201);
        users += 1;
        // So that many connections break.
        assert!(lists(&server).await.iter().all(|list| list.status == 200));
        proxy.set(Door::Shut);
        assert_unavailable(&create(&server, 100 + round).await);
        becomes_not_ready(&server).await;
        assert_unavailable(&server.get("/api/v1/users").await);
        assert_unavailable(&server.get("/api/v1/users/1").await);
        assert_eq!(server.get("/health/live").await.status, 200);
        let health = server.get("/health").await;
        assert_eq!((health.status, &health.body["database"]), (503, &json!("disconnected")));
        proxy.set(Door::Open);
        recovers(&server).await;
        let list = server.get("/api/v1/users").await;
        assert_eq!(list.status, 200);
        // The create that was answered 503 may have been on its way when its connection broke: it is there once or not at all.
        let total = list.body["total"].as_u64().unwrap();
        assert!((users..=users + 1).contains(&total), "{total} users instead of {users}");
        users = total;
    }
    // Nothing is left of the outage: every connection of the pool works.
    let creates = join_all((200..240).map(|number| create(&server, number))).await;
    assert!(creates.iter().all(|answer| answer.status == 201), "{creates:?}");
    server.stop().await;
}

pub(crate) async fn a_database_that_falls_silent_is_survived(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        return;
    }
    let proxy = Proxy::start(db.url(), Door::Open);
    let settings = [
        ("DATABASE_URL", proxy.url()),
        ("DB_POOL_TIMEOUT", "1"),
        ("REQUEST_TIMEOUT", "4"),
    ];
    let server = Server::start(&settings).await;
    assert_eq!(create(&server, 1).await.status, 201);
    proxy.set(Door::Silent);
    becomes_not_ready(&server).await;
    let start = Instant::now();
    for list in lists(&server).await {
        assert!([503, 504].contains(&list.status), "{list:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    assert_eq!(server.get("/health/live").await.status, 200);
    // Whoever lost the connections without a word finds them dead later on.
    proxy.set(Door::Open);
    recovers(&server).await;
    let answers = join_all((10..50).map(|number| create(&server, number))).await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    server.stop().await;
}

pub(crate) async fn connections_that_the_network_forgot_are_given_up(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        return;
    }
    let proxy = Proxy::start(db.url(), Door::Open);
    let settings = [
        ("DATABASE_URL", proxy.url()),
        ("DB_POOL_TIMEOUT", "2"),
        ("DB_STATEMENT_TIMEOUT", "2"),
        ("REQUEST_TIMEOUT", "4"),
    ];
    let server = Server::start(&settings).await;
    assert_eq!(create(&server, 1).await.status, 201);
    // Every connection of the pool is in use when the network forgets it.
    let asked = join_all((0..40).map(|_| server.get("/api/v1/users")));
    let forget = async { proxy.set(Door::Forgotten) };
    futures_util::future::join(asked, forget).await;
    recovers(&server).await;
    for round in 0..3 {
        let creates = join_all((0..20).map(|number| create(&server, 10 + 100 * round + number))).await;
        assert!(creates.iter().all(|answer| answer.status == 201), "{creates:?}");
    }
    server.stop().await;
}

pub(crate) async fn a_server_that_starts_before_its_database_becomes_ready(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        return;
    }
    let proxy = Proxy::start(db.url(), Door::Shut);
    let settings = [
        ("DATABASE_URL", proxy.url()),
        ("ENVIRONMENT", "staging"),
        ("SHUTDOWN_DRAIN", "0"),
    ];
    let server = Server::start(&settings).await;
    assert_eq!(server.get("/health/live").await.status, 200);
    becomes_not_ready(&server).await;
    assert_unavailable(&server.get("/api/v1/users").await);
    proxy.set(Door::Open);
    recovers(&server).await;
    assert_eq!(create(&server, 1).await.status, 201);
    server.stop().await;
}

/// The driver keeps trying to open the connections that it is to keep, with pauses that double. They must not cost a place.
pub(crate) async fn a_pool_whose_server_was_away_for_long_serves_as_soon_as_it_is_back(db: TestDatabase) {
    if db.engine() == TestEngine::Sqlite {
        return;
    }
    let proxy = Proxy::start(db.url(), Door::Open);
    let settings = [
        ("DATABASE_URL", proxy.url()),
        ("DB_POOL_MIN_SIZE", "1"),
        ("DB_POOL_MAX_SIZE", "1"),
        ("DB_POOL_TIMEOUT", "2"),
    ];
    let server = Server::start(&settings).await;
    assert_eq!(create(&server, 0).await.status, 201);
    let site = proxy.close().await;
    assert_unavailable(&create(&server, 1).await);
    // The tenth pause begins after 5.1 seconds, and lasts as long.
    sleep(Duration::from_secs(6)).await;
    let _proxy = site.open(Door::Open);
    let opened = Instant::now();
    eventually("it is served", || async { create(&server, 2).await.status == 201 }).await;
    assert!(opened.elapsed() < Duration::from_secs(3), "{:?}", opened.elapsed());
    server.stop().await;
}

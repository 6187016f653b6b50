//! The rate limit, as it is configured, and what an operator sees of it.

use persistence::test_db::{TestDatabase, variable};
use tokio::net::TcpListener;

use crate::{
    proxy::{Door, Proxy},
    support::{Server, eventually},
};

/// Names the Redis of the tests.
pub(crate) const REDIS: &str = "TEST_REDIS_URL";

const USERS: &str = "/api/v1/users";
const OUTAGE: &str = "the store of the rate limit does not answer";
const RECOVERY: &str = "the store of the rate limit answers again";

pub(crate) async fn production_limits_requests_and_warns_where_no_proxy_is_named(db: TestDatabase) {
    let production = [
        ("DATABASE_URL", db.url()),
        ("ENVIRONMENT", "production"),
        ("AUTH_MODE", "none"),
        ("SHUTDOWN_DRAIN", "0"),
    ];
    let server = Server::start(&production).await;
    let answer = server.get(USERS).await;
    assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=100;w=60");
    assert_eq!(answer.header("ratelimit"), "\"default\";r=99;t=1");
    let log = server.stop().await;
    assert!(log.contains("TRUSTED_PROXIES (default): not set"), "{log}");
}

pub(crate) async fn an_outage_of_the_shared_store_is_one_line_in_the_log(db: TestDatabase) {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    // Nobody listens there any more.
    let store = format!("redis://:hunter2@{address}");
    let settings = [
        ("DATABASE_URL", db.url()),
        ("RATE_LIMIT", "1/day"),
        ("RATE_LIMIT_STORE", store.as_str()),
    ];
    let server = Server::start(&settings).await;
    for _ in 0..30 {
        assert_eq!(server.get(USERS).await.status, 200);
    }
    let log = server.stop().await;
    assert_eq!(log.matches(OUTAGE).count(), 1, "{log}");
    assert!(!log.contains(RECOVERY) && !log.contains("hunter2"), "{log}");
}

pub(crate) async fn a_shared_store_that_goes_away_and_comes_back_is_survived(db: TestDatabase) {
    let proxy = Proxy::start(&variable(REDIS).unwrap(), Door::Open);
    let settings = [
        ("DATABASE_URL", db.url()),
        ("RATE_LIMIT", "100000/day"),
        ("RATE_LIMIT_STORE", proxy.url()),
    ];
    let server = Server::start(&settings).await;
    let is_counted = async || {
        let answer = server.get(USERS).await;
        assert_eq!(answer.status, 200);
        !answer.header("ratelimit").is_empty()
    };
    eventually("requests are counted", &is_counted).await;
    for (outages, door) in [(1, Door::Shut), (2, Door::Silent)] {
        proxy.set(door);
        eventually("requests are let through uncounted", async || !is_counted().await).await;
        proxy.set(Door::Open);
        eventually("requests are counted again", &is_counted).await;
        // On a busy machine there may be more.
        let is_logged = || {
            [OUTAGE, RECOVERY]
                .iter()
                .all(|line| server.log().matches(line).count() >= outages)
        };
        eventually("the outage and its end are in the log", async || is_logged()).await;
    }
}

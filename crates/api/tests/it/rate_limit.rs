//! The rate limit, in memory and in Redis.

use std::time::Duration;

use api::{ApiOptions, AppState, Lifecycle, Quota, RateLimitOptions, RateLimitStore, StateError};
use persistence::test_db::{TestDatabase, variable};
use redis::{AsyncCommands, aio::MultiplexedConnection};
use serde_json::json;
use service::{DatabaseRuntime, HealthService, UserService, UserServiceOptions};
use tokio::{net::TcpListener, runtime::Handle};

use crate::{
    answer::Answer,
    support::{Request, TestApp, USERS},
    wire::Wire,
};

/// Names the Redis of the tests.
pub(crate) const REDIS: &str = "TEST_REDIS_URL";

const LIVE: &str = "/health/live";

fn limited(requests: u32, window_seconds: u64, store: RateLimitStore) -> RateLimitOptions {
    RateLimitOptions {
        quota: Quota::new(requests, Duration::from_secs(window_seconds)).unwrap(),
        store,
        trusted_proxies: Vec::new(),
    }
}

fn start(db: &TestDatabase, options: RateLimitOptions) -> TestApp {
    TestApp::start_with(db, |all| all.rate_limit = Some(options))
}

/// The service with so many requests a day, counted in memory: none comes back while the test runs.
fn start_daily(db: &TestDatabase, requests: u32) -> TestApp {
    start(db, limited(requests, 86_400, RateLimitStore::Memory))
}

fn redis_at(url: &str) -> RateLimitStore {
    RateLimitStore::Redis {
        url: url.into(),
        runtime: Handle::current(),
    }
}

fn shared_store() -> RateLimitStore {
    redis_at(&variable(REDIS).unwrap())
}

/// What is left, and the seconds until it is more.
fn left(answer: &Answer) -> (u64, u64) {
    let field = answer.header("ratelimit").unwrap_or_else(|| panic!("{answer}"));
    let number = |name: &str| {
        let (_, rest) = field.split_once(name).unwrap();
        rest.split(';').next().unwrap().parse().unwrap()
    };
    (number(";r="), number(";t="))
}

pub(crate) async fn beyond_the_quota_requests_are_refused_and_told_when_to_come_back(db: TestDatabase) {
    let app = start_daily(&db, 3);
    for remaining in [2, 1, 0] {
        let answer = app.get(USERS).await;
        assert_eq!(
            (answer.status, answer.header("ratelimit-policy")),
            (200, Some("\"default\";q=3;w=86400"))
        );
        assert_eq!(left(&answer).0, remaining);
    }
    for _ in 0..2 {
        let refused = app.get(USERS).await;
        refused.problem(429, "rate_limited");
        assert_eq!(refused.header("ratelimit-policy"), Some("\"default\";q=3;w=86400"));
        let seconds = left(&refused).1;
        assert!((28_000..=28_800).contains(&seconds), "a third of a day: {refused}");
        assert_eq!(refused.header("retry-after").unwrap(), seconds.to_string());
    }
    assert_eq!(app.state.rate_limit_counters().unwrap().refused(), 2);
    assert_eq!(app.state.rate_limit_counters().unwrap().store_failures(), 0);
}

pub(crate) async fn every_answer_of_the_api_tells_what_is_left(db: TestDatabase) {
    let app = start_daily(&db, 20);
    let mut expected = 20;
    let ann = json!({"name": "Ann", "email": "ann@example.com"});
    for (request, status) in [
        (Request::new("POST", USERS).json(&ann), 201),
        (Request::new("POST", USERS).json(&ann), 409),
        (Request::new("POST", USERS).json(&json!({})), 422),
        (Request::new("POST", USERS).body("application/json", "{"), 400),
        (Request::new("POST", USERS).body("text/plain", "Ann"), 415),
        (Request::new("GET", USERS), 200),
        (Request::new("HEAD", USERS), 200),
        (Request::new("GET", "/api/v1/users/9999"), 404),
        (Request::new("PUT", USERS), 405),
        (Request::new("DELETE", "/api/v1/users/1"), 204),
    ] {
        let answer = app.send(request).await;
        expected -= 1;
        assert_eq!((answer.status, left(&answer).0), (status, expected), "{answer}");
    }
}

pub(crate) async fn unknown_paths_count(db: TestDatabase) {
    let app = start_daily(&db, 4);
    let mut wire = Wire::open(&app).await;
    for (path, status) in [
        ("/nothing", 404),
        ("/api/v2/users", 404),
        ("/api/v1/users/%zz", 400),
        ("/%", 400),
    ] {
        assert_eq!(wire.ask("GET", path).await.status, status, "{path}");
    }
    for path in ["/nothing", "/%", USERS, "/wp-admin.php"] {
        wire.ask("GET", path).await.problem(429, "rate_limited");
    }
}

pub(crate) async fn who_watches_the_service_or_reads_about_it_is_not_counted(db: TestDatabase) {
    let app = start_daily(&db, 1);
    let exempt = [
        "/health",
        LIVE,
        "/health/ready",
        "/openapi.json",
        "/docs",
        "/docs/",
        "/",
    ];
    for path in exempt.iter().chain(&exempt) {
        let answer = app.get(path).await;
        assert!(answer.status < 400, "{answer}");
        assert_eq!(app.send(Request::new("POST", *path)).await.status, 405);
        for name in ["ratelimit-policy", "ratelimit"] {
            assert_eq!(answer.header(name), None, "{path}");
        }
    }
    assert_eq!(app.get(USERS).await.status, 200);
    app.get(USERS).await.problem(429, "rate_limited");
    assert_eq!(app.get(LIVE).await.status, 200);
}

pub(crate) async fn a_forged_address_is_ignored_unless_a_trusted_proxy_passes_it_on(db: TestDatabase) {
    let from = |address: &str| Request::new("GET", USERS).header("x-forwarded-for", address);
    let app = start_daily(&db, 1);
    assert_eq!(app.send(from("198.51.100.1")).await.status, 200);
    for address in ["198.51.100.1", "198.51.100.2", "127.0.0.1, 198.51.100.3"] {
        app.send(from(address)).await.problem(429, "rate_limited");
    }
    // Names of the same that are nowhere believed.
    for name in ["forwarded", "x-real-ip", "cf-connecting-ip"] {
        let request = Request::new("GET", USERS).header(name, "for=198.51.100.4");
        app.send(request).await.problem(429, "rate_limited");
    }

    let mut options = limited(1, 86_400, RateLimitStore::Memory);
    options.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let app = start(&db, options);
    for address in ["198.51.100.1", "198.51.100.2", "2001:db8::1"] {
        assert_eq!(app.send(from(address)).await.status, 200, "{address}");
    }
    for address in [
        "198.51.100.1",
        "198.51.100.2",
        "2001:db8::2",
        // What the client itself claims.
        "203.0.113.1, 198.51.100.1",
        "127.0.0.1, 198.51.100.1",
    ] {
        app.send(from(address)).await.problem(429, "rate_limited");
    }
    // The proxy itself.
    assert_eq!(app.get(USERS).await.status, 200);
    app.send(from("garbage")).await.problem(429, "rate_limited");
}

pub(crate) async fn without_a_limit_nothing_is_said_of_one(db: TestDatabase) {
    let app = TestApp::start(&db);
    let answer = app.get(USERS).await;
    assert_eq!(
        (answer.header("ratelimit-policy"), answer.header("ratelimit")),
        (None, None)
    );
    assert!(app.state.rate_limit_counters().is_none());
}

pub(crate) async fn a_shared_store_that_is_down_lets_requests_through(db: TestDatabase) {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    // Nobody listens there any more.
    let app = start(&db, limited(1, 86_400, redis_at(&format!("redis://{address}"))));
    for _ in 0..5 {
        let answer = app.get(USERS).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"default\";q=1;w=86400"));
        assert_eq!(answer.header("ratelimit"), None, "nobody knows what is left");
    }
    let counters = app.state.rate_limit_counters().unwrap();
    assert_eq!(counters.refused(), 0);
    assert!((1..=5).contains(&counters.store_failures()), "{counters:?}");
}

pub(crate) async fn an_address_that_is_none_of_a_store_is_refused_at_once(db: TestDatabase) {
    let runtime = DatabaseRuntime::new(Handle::current());
    let users = UserService::new(db.database().clone(), runtime.clone(), UserServiceOptions::default());
    let health = HealthService::new(db.database().clone(), runtime);
    let options = ApiOptions {
        rate_limit: Some(limited(1, 1, redis_at("http://:hunter2@localhost"))),
        ..ApiOptions::default()
    };
    assert!(!format!("{options:?}").contains("hunter2"));
    let error = AppState::new(users, health, options, Lifecycle::default()).unwrap_err();
    assert!(matches!(error, StateError::RateLimit(_)), "{error:?}");
    assert!(!api::error_chain(&error).contains("hunter2"), "{error:?}");
}

async fn redis() -> MultiplexedConnection {
    let client = redis::Client::open(variable(REDIS).unwrap()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// A client of its own for each test, by way of a proxy: the Redis is shared by all that run.
fn somebody(db: &TestDatabase) -> String {
    use std::hash::{BuildHasher, RandomState};
    let bits = RandomState::new().hash_one(db.url());
    // Unique local addresses, whose first 64 bits tell them apart.
    let words = [bits >> 48, bits >> 32, bits >> 16].map(|word| format!("{:x}", word & 0xffff));
    format!("fd00:{}::1", words.join(":"))
}

fn start_behind_proxy(db: &TestDatabase, options: RateLimitOptions) -> TestApp {
    let trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    start(
        db,
        RateLimitOptions {
            trusted_proxies,
            ..options
        },
    )
}

async fn ask_as(app: &TestApp, client: &str) -> Answer {
    app.send(Request::new("GET", USERS).header("x-forwarded-for", client))
        .await
}

pub(crate) async fn instances_that_share_a_store_share_the_quota(db: TestDatabase) {
    let client = somebody(&db);
    let start = || start_behind_proxy(&db, limited(6, 86_400, shared_store()));
    let (one, two) = (start(), start());
    for (app, remaining) in [(&one, 5), (&two, 4), (&one, 3), (&one, 2), (&two, 1), (&two, 0)] {
        assert_eq!(left(&ask_as(app, &client).await).0, remaining);
    }
    for app in [&one, &two] {
        ask_as(app, &client).await.problem(429, "rate_limited");
        assert_eq!(ask_as(app, &somebody(&db)).await.status, 200, "another client");
        assert_eq!(app.state.rate_limit_counters().unwrap().refused(), 1);
    }
}

pub(crate) async fn both_stores_answer_alike(db: TestDatabase) {
    let client = somebody(&db);
    for quota in [1, 7, 100] {
        // A day is long: no token comes back between the answers of one store and those of the other.
        let memory = start_behind_proxy(&db, limited(quota, 86_400, RateLimitStore::Memory));
        let shared = start_behind_proxy(&db, limited(quota, 86_400, shared_store()));
        for request in 0..quota + 3 {
            let [ours, theirs] = [ask_as(&memory, &client).await, ask_as(&shared, &client).await];
            let told = |answer: &Answer| {
                let policy = answer.header("ratelimit-policy").map(str::to_owned);
                (answer.status, policy, left(answer).0)
            };
            assert_eq!(told(&ours), told(&theirs), "request {request} of {quota}");
            let [ours, theirs] = [left(&ours).1, left(&theirs).1];
            assert!(
                ours.abs_diff(theirs) <= 60,
                "{ours} {theirs}: more than the time between the two"
            );
        }
    }
}

pub(crate) async fn in_both_stores_a_token_comes_back_when_it_was_announced(db: TestDatabase) {
    let client = somebody(&db);
    for store in [RateLimitStore::Memory, shared_store()] {
        let app = start_behind_proxy(&db, limited(1, 2, store));
        // On a slow machine a token may come back before the next request does; then once more.
        let refused = loop {
            let answer = ask_as(&app, &client).await;
            if answer.status == 429 {
                break answer;
            }
        };
        tokio::time::sleep(Duration::from_secs(left(&refused).1)).await;
        assert_eq!(ask_as(&app, &client).await.status, 200);
    }
}

pub(crate) async fn what_is_shared_names_nobody_and_goes_by_itself(db: TestDatabase) {
    let client = somebody(&db);
    // A quota that no other test has.
    let app = start_behind_proxy(&db, limited(321, 43_210, shared_store()));
    assert_eq!(ask_as(&app, &client).await.status, 200);
    let mut redis = redis().await;
    let keys: Vec<String> = redis.keys("async-starter:rate-limit:321/43210s:*").await.unwrap();
    assert!(!keys.is_empty());
    for key in keys {
        let hash = key.rsplit(':').next().unwrap();
        assert!(
            hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()),
            "{key}"
        );
        // What one request adds has drained after its share of the window.
        let millis: i64 = redis.pttl(&key).await.unwrap();
        assert!(
            (1..=43_210_000 / 321 + 1).contains(&millis),
            "{key} stays for {millis} ms"
        );
    }
}

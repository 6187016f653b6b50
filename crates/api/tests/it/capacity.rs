//! How many requests are worked on at once, and what becomes of any more.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use persistence::test_db::TestDatabase;
use tokio::sync::watch;

use crate::{
    answer::Answer,
    support::{JSON, TestApp, USERS, emails},
    wire::Wire,
};

/// Nothing but the limit of places ends a request while a test runs.
fn start(db: &TestDatabase, places: usize) -> TestApp {
    TestApp::start_with(db, |options| {
        options.max_in_flight = places;
        options.client_timeout = Duration::from_mins(1);
        options.request_timeout = Duration::from_mins(1);
    })
}

/// A request that is worked on until the rest of its body comes.
struct Held {
    wire: Wire,
    body: String,
}

impl Held {
    async fn start(app: &TestApp, email: &str) -> Self {
        let mut wire = Wire::open(app).await;
        let body = format!(r#"{{"name": "Ann", "email": "{email}"}}"#);
        let length = body.len();
        wire.write(format!(
            "POST {USERS} HTTP/1.1\r\nHost: test\r\nContent-Type: {JSON}\r\nContent-Length: {length}\r\n\r\n"
        ))
        .await;
        Self { wire, body }
    }

    async fn answer(&mut self) -> Answer {
        self.wire.answer("POST", USERS).await
    }

    async fn finish(&mut self) -> Answer {
        self.wire.write(&self.body).await;
        self.answer().await
    }
}

pub(crate) async fn eventually(condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never came true");
}

pub(crate) async fn beyond_its_capacity_the_service_refuses_at_once_and_says_how_it_is(db: TestDatabase) {
    let app = start(&db, 2);
    let mut first = Held::start(&app, "first@example.com").await;
    let mut second = Held::start(&app, "second@example.com").await;
    eventually(|| app.lifecycle.requests_in_progress() == 2).await;
    for path in [USERS, "/api/v1/users/1", "/nothing"] {
        let refused = app.get(path).await;
        refused.problem(503, "overloaded");
        assert_eq!(refused.header("retry-after"), Some("1"));
    }
    for path in [
        "/health/live",
        "/health/ready",
        "/health",
        "/openapi.json",
        "/problems/overloaded",
    ] {
        assert_eq!(app.get(path).await.status, 200, "{path}");
    }
    // One place is enough to go on.
    assert_eq!(first.finish().await.status, 201);
    assert_eq!(app.get(USERS).await.status, 200);
    assert_eq!(second.finish().await.status, 201);
    assert_eq!(app.count().await, 2);
}

pub(crate) async fn of_a_burst_exactly_as_many_as_there_are_places_are_let_in(db: TestDatabase) {
    const BURST: usize = 40;
    const PLACES: usize = 7;
    let app = start(&db, PLACES);
    let (release, _) = watch::channel(false);
    let refused = AtomicUsize::new(0);
    let requests: FuturesUnordered<_> = emails(BURST)
        .map(|email| {
            let (app, refused, mut released) = (&app, &refused, release.subscribe());
            async move {
                let mut held = Held::start(app, &email).await;
                tokio::select! {
                    answer = held.answer() => {
                        refused.fetch_add(1, Ordering::Relaxed);
                        answer.problem(503, "overloaded");
                        0
                    }
                    _ = released.changed() => {
                        assert_eq!(held.finish().await.status, 201);
                        1
                    }
                }
            }
        })
        .collect();
    let release_the_rest = async {
        let is_refused = || refused.load(Ordering::Relaxed) == BURST - PLACES;
        eventually(|| is_refused() && app.lifecycle.requests_in_progress() == PLACES).await;
        release.send_replace(true);
    };
    let (let_in, ()) = tokio::join!(requests.collect::<Vec<usize>>(), release_the_rest);
    assert_eq!(let_in.iter().sum::<usize>(), PLACES);
    assert_eq!(app.count().await, PLACES as u64);
}

/// A place is given back however the request ended.
pub(crate) async fn requests_that_end_badly_give_their_places_back(db: TestDatabase) {
    let (soon, late) = (Duration::from_millis(200), Duration::from_mins(1));
    for (client_timeout, request_timeout, status, code) in [
        (soon, late, 408, "request_timeout"),
        (late, soon, 504, "deadline_exceeded"),
    ] {
        let app = TestApp::start_with(&db, |options| {
            options.max_in_flight = 1;
            options.client_timeout = client_timeout;
            options.request_timeout = request_timeout;
        });
        for _ in 0..2 {
            let mut stalled = Held::start(&app, "ann@example.com").await;
            stalled.answer().await.problem(status, code);
            // The answer is under way a moment before the request is over.
            eventually(|| app.lifecycle.requests_in_progress() == 0).await;
            // Its client leaves.
            drop(Held::start(&app, "ann@example.com").await);
            eventually(|| app.lifecycle.requests_in_progress() == 0).await;
        }
    }
    let app = TestApp::start_with(&db, |options| options.max_in_flight = 1);
    assert_eq!(app.get("/nothing").await.status, 404);
    assert_eq!(app.get(USERS).await.status, 200);
}

//! The production composition on a port of its own, and the client that the tests speak to it with.
//!
//! Whatever the service answers to a test, over whichever client, passes [`contract::check`](crate::contract::check)
//! before the test sees it.

use std::net::SocketAddr;

use actix_web::{HttpServer, dev::ServerHandle};
use api::{ApiOptions, AppState, Lifecycle};
use persistence::{
    Database,
    test_db::{TestDatabase, variable},
};
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use service::{Coalescing, DatabaseRuntime, HealthService, UserService, UserServiceOptions};
use tokio::runtime::Handle;

use crate::{answer::Answer, contract};

pub(crate) const JSON: &str = "application/json";
pub(crate) const USERS: &str = "/api/v1/users";
pub(crate) const BATCH: &str = "/api/v1/users/batch";

/// The service on the database of a test. It ends when this is dropped.
pub(crate) struct TestApp {
    pub(crate) address: SocketAddr,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) state: AppState,
    client: reqwest::Client,
    server: ServerHandle,
}

/// A request in the making.
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Vec<u8>>,
}

/// As by default. With `TEST_COALESCING=off` no statement is shared: the answers must be the same.
fn coalescing() -> Coalescing {
    let shares = variable("TEST_COALESCING").as_deref() != Some("off");
    Coalescing {
        reads: shares,
        writes: shares,
    }
}

impl TestApp {
    pub(crate) fn start(db: &TestDatabase) -> Self {
        Self::start_with(db, |_| ())
    }

    /// Starts the service with other options than the defaults.
    pub(crate) fn start_with(db: &TestDatabase, change: impl FnOnce(&mut ApiOptions)) -> Self {
        Self::start_on(db.database(), change)
    }

    /// Starts the service on pools of the test's own.
    pub(crate) fn start_on(database: &Database, change: impl FnOnce(&mut ApiOptions)) -> Self {
        let mut options = ApiOptions::default();
        change(&mut options);
        let runtime = DatabaseRuntime::new(Handle::current());
        let of_users = UserServiceOptions {
            coalescing: coalescing(),
            request_timeout: options.request_timeout,
            ..UserServiceOptions::default()
        };
        let users = UserService::new(database.clone(), runtime.clone(), of_users);
        let health = HealthService::new(database.clone(), runtime);
        let lifecycle = Lifecycle::default();
        let state = AppState::new(users, health, options, lifecycle.clone()).unwrap();
        let shared = state.clone();
        let server = HttpServer::new(move || api::build_app(shared.clone()))
            .workers(1)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .unwrap();
        let address = server.addrs()[0];
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        Self {
            address,
            lifecycle,
            state,
            client,
            server: handle,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::new("GET", path)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Request::new("DELETE", path)).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.send(Request::new("POST", path).json(body)).await
    }

    pub(crate) async fn patch_json(&self, path: &str, body: &Value) -> Answer {
        self.send(Request::new("PATCH", path).json(body)).await
    }

    /// Posts bytes as JSON, whatever they are.
    pub(crate) async fn post_text(&self, path: &str, body: impl Into<Vec<u8>>) -> Answer {
        self.send(Request::new("POST", path).body(JSON, body)).await
    }

    pub(crate) async fn send(&self, request: Request) -> Answer {
        let method = request.method.parse().unwrap();
        let url = format!("http://{}{}", self.address, request.path);
        let mut sent = self.client.request(method, url);
        for (name, value) in &request.headers {
            sent = sent.header(*name, value);
        }
        if let Some(body) = request.body {
            sent = sent.body(body);
        }
        let received = sent.send().await.unwrap();
        let answer = Answer {
            status: received.status().as_u16(),
            headers: received.headers().clone(),
            body: received.bytes().await.unwrap().to_vec(),
        };
        contract::check(request.method, &request.path, &answer);
        answer
    }

    /// Creates a user and returns it as the service did.
    pub(crate) async fn create(&self, name: &str, email: &str) -> Value {
        let created = self.post_json(USERS, &json!({"name": name, "email": email})).await;
        assert_eq!(created.status, 201, "{created}");
        created.json()
    }

    /// Creates users with these addresses in one batch, and returns them as the service did.
    pub(crate) async fn create_batch(&self, emails: impl IntoIterator<Item = String>) -> Vec<Value> {
        let users: Vec<_> = emails
            .into_iter()
            .map(|email| json!({"name": "Someone", "email": email}))
            .collect();
        let created = self.post_json(BATCH, &json!({"users": users})).await;
        assert_eq!(created.status, 201, "{created}");
        created.json()["users"].as_array().unwrap().clone()
    }

    /// How many users there are.
    pub(crate) async fn count(&self) -> u64 {
        self.get(USERS).await.json()["total"].as_u64().unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        // The order to stop goes out at once; nobody has to wait for its execution.
        drop(self.server.stop(false));
    }
}

impl Request {
    pub(crate) fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: Vec::new(),
            body: None,
        }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn body(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            body: Some(body.into()),
            ..self.header("content-type", content_type)
        }
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body(JSON, body.to_string())
    }
}

/// The path of a user that the service returned.
pub(crate) fn path_of(user: &Value) -> String {
    format!("{USERS}/{}", user["id"])
}

/// `count` different addresses.
pub(crate) fn emails(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("user{number}@example.com"))
}

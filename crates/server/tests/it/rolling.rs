//! Two instances on one database, restarted one after the other while clients go on.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use persistence::test_db::TestDatabase;
use serde_json::{Value, json};

use crate::support::{Server, eventually};

const CLIENTS: usize = 8;

/// What a load balancer knows: the addresses that said they are ready, when it last asked.
#[derive(Clone, Default)]
struct Balancer(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Whom to ask.
    instances: Mutex<Vec<String>>,
    ready: Mutex<Vec<String>>,
    turn: AtomicU64,
    is_over: AtomicBool,
}

impl Balancer {
    fn add(&self, server: &Server) {
        self.0.instances.lock().unwrap().push(server.address().to_owned());
    }

    fn remove(&self, address: &str) {
        self.0.instances.lock().unwrap().retain(|it| it != address);
    }

    fn is_ready(&self, address: &str) -> bool {
        self.0.ready.lock().unwrap().iter().any(|it| it == address)
    }

    /// The next of those that are ready.
    fn next(&self) -> String {
        let ready = self.0.ready.lock().unwrap();
        assert!(!ready.is_empty(), "no instance is ready");
        let turn = usize::try_from(self.0.turn.fetch_add(1, Ordering::Relaxed)).unwrap();
        ready[turn % ready.len()].clone()
    }

    fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Relaxed)
    }

    /// Asks all instances, ten times a second.
    async fn watch(self) {
        let client = client();
        while !self.is_over() {
            let instances = self.0.instances.lock().unwrap().clone();
            let mut ready = Vec::new();
            for address in instances {
                let answer = client.get(format!("http://{address}/health/ready")).send().await;
                if answer.is_ok_and(|answer| answer.status() == 200) {
                    ready.push(address);
                }
            }
            *self.0.ready.lock().unwrap() = ready;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// A client that sends each request once. If it finds that a kept connection was closed since the last one, before any of
/// the next was sent, it takes another: to close between two requests is every server's right (RFC 9112 section 9.5).
fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30));
    client.build().unwrap()
}

/// Creates users and reads each of them back, without a pause, and returns the acknowledged ones by address.
async fn use_the_service(balancer: Balancer, number: usize) -> BTreeMap<String, Value> {
    let client = client();
    let mut created = BTreeMap::new();
    while !balancer.is_over() {
        let email = format!("user{}.{number}@example.com", created.len());
        let new = json!({"name": "Someone", "email": email});
        let base = format!("http://{}", balancer.next());
        let request = client.post(format!("{base}/api/v1/users")).json(&new);
        let answer = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("create at {base}: {error:?}"));
        assert_eq!(answer.status(), 201, "{:?}", answer.text().await);
        let user: Value = answer.json().await.unwrap();
        // By whichever instance.
        let base = format!("http://{}", balancer.next());
        let request = client.get(format!("{base}/api/v1/users/{}", user["id"]));
        let answer = request
            .send()
            .await
            .unwrap_or_else(|error| panic!("read at {base}: {error:?}"));
        assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
        assert_eq!(answer.json::<Value>().await.unwrap(), user);
        created.insert(email, user);
    }
    created
}

pub(crate) async fn a_rolling_restart_fails_no_request_and_loses_no_user(db: TestDatabase) {
    let settings = [
        ("DATABASE_URL", db.url()),
        ("ENVIRONMENT", "staging"),
        ("SHUTDOWN_DRAIN", "1"),
    ];
    let balancer = Balancer::default();
    let mut instances = [Server::start(&settings).await, Server::start(&settings).await];
    for server in &instances {
        balancer.add(server);
    }
    let watch = tokio::spawn(balancer.clone().watch());
    for server in &instances {
        eventually("both are ready", || async { balancer.is_ready(server.address()) }).await;
    }
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| tokio::spawn(use_the_service(balancer.clone(), number)))
        .collect();
    for server in &mut instances {
        let old = server.address().to_owned();
        let new = Server::start(&settings).await;
        let ended = std::mem::replace(server, new);
        // Ends with status 0, within its time.
        ended.stop().await;
        balancer.remove(&old);
        balancer.add(server);
        eventually("the new one is ready", || async { balancer.is_ready(server.address()) }).await;
    }
    balancer.0.is_over.store(true, Ordering::Relaxed);
    watch.await.unwrap();
    let mut created = BTreeMap::new();
    for users in join_all(clients).await {
        created.extend(users.unwrap());
    }
    assert!(created.len() > CLIENTS * 5, "only {} users", created.len());
    let listed = db.query(db.database().writer(), "SELECT email, id FROM users").await;
    assert_eq!(listed.len(), created.len(), "users that nobody was told of");
    let listed: BTreeMap<_, _> = listed.iter().map(|row| (row[0].clone(), row[1].clone())).collect();
    let expected: BTreeMap<_, _> = created
        .iter()
        .map(|(email, user)| (email.clone(), user["id"].to_string()))
        .collect();
    assert_eq!(listed, expected);
    for server in instances {
        server.stop().await;
    }
}

//! Buckets in a Redis that the instances share.
//!
//! The connection lives on a runtime of its choice rather than on that of the worker who asked first: a worker that is busy
//! would keep the answers from all others.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use redis::{
    Client, RedisError, Script,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use secrecy::{ExposeSecret, SecretString};
use tokio::{runtime::Handle, time::timeout};

use super::{
    RateLimitCounters,
    client::ClientKey,
    quota::{Decision, Quota},
};
use crate::problem::error_chain;

/// What every key begins with, since the Redis may hold the data of others.
const PREFIX: &str = "async-starter:rate-limit:";

/// The longest that a request waits for an answer.
const PATIENCE: Duration = Duration::from_millis(250);

/// The longest that opening a connection may take. Requests do not wait so long; a later one finds it open.
const CONNECT_PATIENCE: Duration = Duration::from_secs(2);

/// How long a Redis that failed is left alone.
const PAUSE: Duration = Duration::from_secs(1);

/// The buckets. Cloning shares them.
#[derive(Clone)]
pub(super) struct RedisStore(Arc<Shared>);

struct Shared {
    client: Client,
    connection: Mutex<ConnectionManager>,
    script: Script,
    runtime: Handle,
    outage: Outage,
    counters: RateLimitCounters,
}

/// Says nothing of the address, which may hold a password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RedisStore")
    }
}

impl RedisStore {
    /// The buckets in the Redis at `url`. It is first spoken to when the first request comes.
    ///
    /// # Errors
    /// If `url` is no address of a Redis.
    pub(super) fn new(url: &SecretString, runtime: Handle, counters: RateLimitCounters) -> Result<Self, RedisError> {
        let client = Client::open(url.expose_secret())?;
        let connection = Mutex::new(lazy_connection(&client, &runtime)?);
        Ok(Self(Arc::new(Shared {
            client,
            connection,
            script: Script::new(include_str!("take.lua")),
            runtime,
            outage: Outage::default(),
            counters,
        })))
    }

    /// Takes a token of this client; nothing where Redis does not say whether there is one.
    ///
    /// Dropping the future leaves the call running until it has its answer or [`PATIENCE`] is over.
    pub(super) async fn take(&self, quota: Quota, key: ClientKey) -> Option<Decision> {
        if !self.0.outage.may_ask() {
            return None;
        }
        let shared = self.0.clone();
        let asked = self.0.runtime.spawn(async move { shared.ask(quota, key).await });
        // It fails when the runtime ends, and requests are then on their way out anyway.
        asked.await.ok().flatten()
    }
}

impl Shared {
    async fn ask(&self, quota: Quota, key: ClientKey) -> Option<Decision> {
        // Buckets of another quota count in other units. They meet while a new setting is rolled out.
        let (requests, window) = (quota.requests(), quota.window_seconds());
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut call = self.script.key(format!("{PREFIX}{requests}/{window}s:{key}"));
        call.arg(requests).arg(quota.weight());
        match timeout(PATIENCE, call.invoke_async::<(bool, u64)>(&mut connection)).await {
            Ok(Ok((is_allowed, level))) => {
                if self.outage.ends() {
                    tracing::info!("the store of the rate limit answers again");
                }
                Some(quota.decision(is_allowed, level))
            }
            Ok(Err(error)) => {
                // A connection that has fallen silent would otherwise be kept until the system gives it up, after minutes.
                if error.is_timeout() {
                    self.renew_connection();
                }
                self.fail(&error_chain(&error))
            }
            Err(_) => self.fail("no connection yet"),
        }
    }

    fn fail(&self, cause: &str) -> Option<Decision> {
        self.counters.store_failures.increment();
        if self.outage.begins() {
            tracing::warn!(
                cause,
                "the store of the rate limit does not answer; until it does, requests are let through uncounted"
            );
        }
        None
    }

    fn renew_connection(&self) {
        if let Ok(connection) = lazy_connection(&self.client, &self.runtime) {
            *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = connection;
        }
    }
}

/// A connection that is opened when it is first used, and again after it was lost.
fn lazy_connection(client: &Client, runtime: &Handle) -> Result<ConnectionManager, RedisError> {
    let config = ConnectionManagerConfig::new()
        // `Outage` decides when to try again.
        .set_number_of_retries(0)
        .set_connection_timeout(Some(CONNECT_PATIENCE))
        // Before PATIENCE is over, so that silence of an open connection is told from one that is being opened.
        .set_response_timeout(Some(PATIENCE * 4 / 5));
    let _on_runtime = runtime.enter();
    ConnectionManager::new_lazy_with_config(client.clone(), config)
}

/// Whether the store is out, and when to ask it again. Without this, an outage would cost every request its patience.
#[derive(Debug)]
struct Outage {
    started: Instant,
    /// Milliseconds after `started`; zero while the store answers.
    ask_again_at_ms: AtomicU64,
}

impl Default for Outage {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            ask_again_at_ms: AtomicU64::new(0),
        }
    }
}

impl Outage {
    /// Whether this request is to ask the store: any one while it answers, and one in each [`PAUSE`] while it does not.
    fn may_ask(&self) -> bool {
        self.may_ask_at(self.started.elapsed())
    }

    /// The store failed. Whether that is news.
    fn begins(&self) -> bool {
        self.begins_at(self.started.elapsed())
    }

    /// The store answered. Whether that is news.
    fn ends(&self) -> bool {
        self.ask_again_at_ms.load(Ordering::Relaxed) != 0 && self.ask_again_at_ms.swap(0, Ordering::Relaxed) != 0
    }

    fn may_ask_at(&self, now: Duration) -> bool {
        let ask_again_at_ms = self.ask_again_at_ms.load(Ordering::Relaxed);
        if ask_again_at_ms == 0 {
            return true;
        }
        // Of those who come at the same time, the one that succeeds in moving the time asks.
        let is_due = now.as_millis() >= u128::from(ask_again_at_ms);
        is_due
            && self
                .ask_again_at_ms
                .compare_exchange(ask_again_at_ms, next_time_ms(now), Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    fn begins_at(&self, now: Duration) -> bool {
        self.ask_again_at_ms.swap(next_time_ms(now), Ordering::Relaxed) == 0
    }
}

fn next_time_ms(now: Duration) -> u64 {
    u64::try_from((now + PAUSE).as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn store(url: &str) -> RedisStore {
        RedisStore::new(
            &SecretString::from(url),
            Handle::current(),
            RateLimitCounters::default(),
        )
        .unwrap()
    }

    async fn is_let_through(store: &RedisStore) -> bool {
        let quota = Quota::new(1, Duration::from_mins(1)).unwrap();
        store.take(quota, ClientKey::of_address(None)).await.is_none()
    }

    #[test]
    fn during_an_outage_one_request_in_a_pause_asks() {
        let outage = Outage::default();
        let at = |millis| Duration::from_millis(millis);
        assert!(outage.may_ask_at(at(0)) && outage.may_ask_at(at(0)));
        assert!(outage.begins_at(at(100)), "the first failure is news");
        assert!(!outage.begins_at(at(100)), "the second is not");
        assert!(!outage.may_ask_at(at(1099)));
        assert!(outage.may_ask_at(at(1100)));
        assert!(!outage.may_ask_at(at(1100)), "another asks already");
        assert!(!outage.begins_at(at(1200)));
        assert!(!outage.may_ask_at(at(2199)) && outage.may_ask_at(at(2200)));
        assert!(outage.ends(), "the first answer is news");
        assert!(!outage.ends(), "the second is not");
        assert!(outage.may_ask_at(at(2200)) && outage.may_ask_at(at(2200)));
        assert!(outage.begins_at(at(3000)), "another outage is news again");
    }

    #[tokio::test]
    async fn a_store_that_is_not_there_lets_requests_through_and_is_asked_but_once() {
        let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        // Nobody listens there any more.
        for scheme in ["redis", "rediss"] {
            let store = store(&format!("{scheme}://:secret@{address}"));
            assert!(is_let_through(&store).await);
            assert_eq!(store.0.counters.store_failures(), 1);
            // As if the outage had begun now, however slow this machine is.
            store.0.outage.begins();
            assert!(is_let_through(&store).await);
            assert_eq!(store.0.counters.store_failures(), 1);
            assert!(!format!("{store:?}").contains("secret"));
        }
    }

    #[tokio::test]
    async fn a_store_that_says_nothing_or_nonsense_lets_requests_through() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut silent = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                if silent.is_empty() {
                    silent.push(stream);
                } else {
                    let nonsense = b"HTTP/1.1 400 Bad Request\r\n\r\n";
                    tokio::io::AsyncWriteExt::write_all(&mut stream, nonsense).await.ok();
                }
            }
        });
        for scheme in ["redis", "redis", "rediss"] {
            let store = store(&format!("{scheme}://{address}"));
            assert!(is_let_through(&store).await);
            assert_eq!(store.0.counters.store_failures(), 1);
        }
    }

    #[tokio::test]
    async fn an_address_that_is_none_is_refused() {
        for url in ["", "http://127.0.0.1", "redis://127.0.0.1/name"] {
            assert!(
                RedisStore::new(
                    &SecretString::from(url),
                    Handle::current(),
                    RateLimitCounters::default()
                )
                .is_err()
            );
        }
    }
}

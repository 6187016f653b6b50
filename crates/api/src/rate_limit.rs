//! The rate limit: how many requests a client may make, who counts as a client, and where the count is kept.
//!
//! A client has a bucket of N tokens that is refilled evenly over a window; each request takes one, and a request that
//! finds none is refused (`quota`). The buckets are in this process (`memory`) or in a Redis that the instances share
//! (`redis`); the arithmetic is the same, and so are the answers. A client is the subject of its token, or the address it
//! comes from (`client`).
//!
//! The limit protects the service, and must not become what takes it down: at most 100 000 buckets are kept in memory,
//! and a Redis that does not answer lets requests through.

mod client;
mod memory;
mod quota;
mod redis;

use std::time::Instant;

use actix_web::{
    HttpRequest,
    http::header::{HeaderName, HeaderValue, RETRY_AFTER},
};
use ipnet::IpNet;
use secrecy::SecretString;
use service::Counter;
use tokio::runtime::Handle;

use self::{client::ClientKey, memory::MemoryStore, quota::Decision, redis::RedisStore};
use crate::{
    middleware::RequestNotes,
    problem::{Code, Problem},
};

pub(crate) use client::client_address;
pub use quota::Quota;

/// The policy in force (draft-ietf-httpapi-ratelimit-headers-11 section 3): `"default";q=100;w=60` is 100 requests in any
/// 60 seconds.
const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What the client has left (section 4): `"default";r=42;t=1`. `r` is the number of requests that would be served if they
/// came now. `t` is the number of seconds, rounded up, until `r` grows by one; up to then the client can use no more than
/// `r`. On a refused request `t` is what `Retry-After` says.
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// How requests are limited: a plain struct, filled by whoever composes the program.
#[derive(Clone, Debug)]
pub struct RateLimitOptions {
    /// How many requests a client may make in which time.
    pub quota: Quota,
    /// Where requests are counted.
    pub store: RateLimitStore,
    /// The proxies whose `X-Forwarded-For` is believed; a range that holds clients lets those choose who they are. IPv4 in
    /// its own form, not as part of IPv6.
    pub trusted_proxies: Vec<IpNet>,
}

/// Where requests are counted.
#[derive(Clone, Debug)]
pub enum RateLimitStore {
    /// In this process, so that a client has its quota with every instance. At most 100 000 clients are remembered. Those
    /// that come once and go are forgotten first, those that keep coming last; a client that was forgotten begins with a
    /// full bucket. So a flood from a million addresses costs bounded memory, turns no newcomer away, and does not rid a
    /// busy client of its limit.
    Memory,
    /// In a Redis, version 5 or later, that all instances share. When it does not answer within a quarter of a second, or
    /// answers with an error, requests are let through uncounted, and it is asked again about once a second.
    Redis {
        /// `redis://` or, for TLS, `rediss://`, with user and password if need be.
        url: SecretString,
        /// Where the connection lives: a runtime that no request handler can keep busy.
        runtime: Handle,
    },
}

/// What the rate limit did since the start of the process.
#[derive(Clone, Debug, Default)]
pub struct RateLimitCounters {
    refused: Counter,
    store_failures: Counter,
}

impl RateLimitCounters {
    /// Requests that were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.get()
    }

    /// How often the shared store was asked in vain. While it is down it is asked once a second, not once a request.
    #[must_use]
    pub fn store_failures(&self) -> u64 {
        self.store_failures.get()
    }
}

/// Counts requests and refuses those beyond the quota.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    quota: Quota,
    policy: HeaderValue,
    store: Store,
    trusted_proxies: Vec<IpNet>,
    counters: RateLimitCounters,
}

#[derive(Debug)]
enum Store {
    Memory { buckets: MemoryStore, started: Instant },
    Redis(RedisStore),
}

/// The address of the shared store cannot be one.
#[derive(Debug, thiserror::Error)]
#[error("the address of the rate limit's Redis is not accepted; give `redis://host:port/number`")]
pub struct InvalidStoreUrl(#[source] ::redis::RedisError);

impl RateLimiter {
    /// A limiter with nothing counted yet. It does not wait for its store, which may come up later.
    pub(crate) fn new(options: RateLimitOptions) -> Result<Self, InvalidStoreUrl> {
        let counters = RateLimitCounters::default();
        let store = match options.store {
            RateLimitStore::Memory => Store::Memory {
                buckets: MemoryStore::new(),
                started: Instant::now(),
            },
            RateLimitStore::Redis { url, runtime } => {
                let store = RedisStore::new(&url, runtime, counters.clone()).map_err(InvalidStoreUrl)?;
                Store::Redis(store)
            }
        };
        Ok(Self {
            quota: options.quota,
            policy: policy_field(options.quota),
            store,
            trusted_proxies: options.trusted_proxies,
            counters,
        })
    }

    /// Takes a token for `request`, or refuses it. What is left goes into the header of the answer, whatever that will be.
    ///
    /// Dropping the future leaves the token taken, and a call to Redis running for at most a quarter of a second.
    pub(crate) async fn admit(&self, request: &HttpRequest, notes: &RequestNotes) -> Result<(), Problem> {
        notes.add_header(RATELIMIT_POLICY, self.policy.clone());
        let key = self.key_of(request, notes);
        let Some(decision) = self.take(key).await else {
            return Ok(());
        };
        if let Some(field) = limit_field(decision) {
            notes.add_header(RATELIMIT, field);
        }
        if decision.is_allowed {
            return Ok(());
        }
        self.counters.refused.increment();
        Err(Problem::new(
            Code::RateLimited,
            "This client has made too many requests. Wait, then go on more slowly.",
        )
        .with_header(RETRY_AFTER, HeaderValue::from(decision.next_in_seconds)))
    }

    pub(crate) fn counters(&self) -> &RateLimitCounters {
        &self.counters
    }

    /// What a token proves goes before the address, which a client shares with others and can change.
    fn key_of(&self, request: &HttpRequest, notes: &RequestNotes) -> ClientKey {
        if let Some(principal) = notes.principal() {
            return ClientKey::of_principal(&principal);
        }
        let peer = request.peer_addr().map(|peer| peer.ip());
        let address = peer.map(|peer| client_address(peer, request.headers(), &self.trusted_proxies));
        ClientKey::of_address(address)
    }

    /// Nothing where the store does not answer.
    async fn take(&self, key: ClientKey) -> Option<Decision> {
        match &self.store {
            Store::Memory { buckets, started } => {
                let now_micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
                Some(buckets.take(self.quota, key, now_micros))
            }
            Store::Redis(store) => store.take(self.quota, key).await,
        }
    }
}

fn policy_field(quota: Quota) -> HeaderValue {
    let field = format!("\"default\";q={};w={}", quota.requests(), quota.window_seconds());
    HeaderValue::from_str(&field).unwrap_or(HeaderValue::from_static("\"default\""))
}

fn limit_field(decision: Decision) -> Option<HeaderValue> {
    let Decision {
        remaining,
        next_in_seconds,
        is_allowed: _,
    } = decision;
    HeaderValue::from_str(&format!("\"default\";r={remaining};t={next_in_seconds}")).ok()
}

//! What must be known to open a database: a plain struct, filled by whoever composes the program.

use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::{Engine, Histogram};

/// How a [`Database`](crate::Database) is opened.
#[derive(Clone, Debug)]
pub struct DatabaseOptions {
    /// `sqlite:`, `mysql:`, `postgres:` or `postgresql:`. It may hold a password, hence the wrapper.
    pub url: SecretString,
    /// The addresses of read replicas of a server, each with pools of its own like those of the primary.
    pub replicas: Vec<SecretString>,
    /// The age of its data beyond which a replica is left out.
    pub replica_max_lag: Duration,
    // ANCHOR: pool-limits
    /// Connections that each pool keeps open when idle; to a server, half of `max_connections` at most.
    pub min_connections: u32,
    /// The most connections of each pool, at least 1. With SQLite it sizes the readers; the writer is one.
    pub max_connections: u32,
    /// The longest wait for a connection, the time to open one included.
    pub acquire_timeout: Duration,
    /// A connection that rested at most this long is used without asking it first: the question costs a round trip, and a
    /// connection breaks while idle, not while busy.
    pub trusted_idle: Duration,
    /// The longest life of a connection. SQLite ignores it: there is no network to go stale.
    pub max_lifetime: Duration,
    // ANCHOR_END: pool-limits
    /// The longest run of one statement, enforced by the database session. SQLite has no such limit.
    pub statement_timeout: Option<Duration>,
    /// Statements slower than this are logged at `warn`, without their values.
    pub slow_statement_threshold: Duration,
    /// What a commit waits for.
    pub durability: Durability,
    /// Where somebody notes how long it took to get a connection, in seconds. The driver tells by an event of `tracing`
    /// (target `sqlx::pool::acquire`); without this it does not.
    pub acquire_times: Option<Histogram>,
}

/// What a commit waits for on SQLite. The servers decide for themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The disk: a commit survives a power cut (`synchronous=FULL`).
    #[default]
    Full,
    /// The operating system: a power cut may lose the last commits and never corrupts (`synchronous=NORMAL` in WAL mode).
    /// For bulk loads that can be run again.
    Relaxed,
}

/// The address of a database is of no kind that we know. Its text is not repeated, since it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the database URL must start with sqlite:, mysql://, postgres:// or postgresql:// and follow that scheme's form"
)]
pub struct InvalidDatabaseUrl;

impl DatabaseOptions {
    /// Options with the defaults of the service for everything but the address.
    #[must_use]
    pub fn new(url: SecretString) -> Self {
        Self {
            min_connections: 0,
            max_connections: Self::usual_max_connections(&url),
            url,
            replicas: Vec::new(),
            replica_max_lag: Duration::from_secs(1),
            acquire_timeout: Duration::from_secs(5),
            trusted_idle: Duration::from_secs(1),
            max_lifetime: Duration::from_hours(1),
            statement_timeout: Some(Duration::from_secs(10)),
            slow_statement_threshold: Duration::from_millis(200),
            durability: Durability::Full,
            acquire_times: None,
        }
    }

    /// How many connections a pool has at most when nobody says how many: 20, or with SQLite two a core where that is less,
    /// because more of them would only get into each other's way.
    #[must_use]
    pub fn usual_max_connections(url: &SecretString) -> u32 {
        // What is no address will not be opened.
        Engine::of_url(url.expose_secret())
            .unwrap_or(Engine::Postgres)
            .usual_max_connections()
    }

    /// The same database for work that outlasts a request: a connection or two, statements without a limit.
    #[must_use]
    pub fn for_maintenance(&self) -> Self {
        Self {
            replicas: Vec::new(),
            min_connections: 0,
            max_connections: 2,
            statement_timeout: None,
            // Migrations and bulk loads are slow by nature.
            slow_statement_threshold: Duration::from_hours(1),
            acquire_times: None,
            ..self.clone()
        }
    }

    /// Which engine the address names.
    ///
    /// # Errors
    /// [`InvalidDatabaseUrl`] when it names none.
    pub fn engine(&self) -> Result<Engine, InvalidDatabaseUrl> {
        Engine::of_url(self.url.expose_secret())
    }
}

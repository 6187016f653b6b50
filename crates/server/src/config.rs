//! The configuration: typed, checked as a whole, and loaded from five layers.
//!
//! Built-in defaults < `async-starter.toml` (or the file asked for) < `.env` < environment of the process < flags.
//! [`load`] takes all of them as arguments and reads nothing else, so that a test decides everything it sees.
//! All problems are reported together, and no secret is ever part of a message.
//!
//! To add a variable: a row in `config/table.rs`, a field below, a line in `config/sections.rs`, and the line in
//! `.env.example` that a test asks for.

mod database;
mod database_url;
mod layers;
mod origins;
mod parse;
mod problem;
mod rate_limit;
mod reader;
mod report;
mod sections;
mod table;
mod variable;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use api::{CrossOrigin, Quota};
use ipnet::IpNet;
use secrecy::SecretString;

use layers::Merged;
pub(crate) use parse::token_lifetime;
pub(crate) use problem::ConfigError;
use problem::Findings;
use reader::Reader;
pub(crate) use report::{Loaded, reference_table};

/// Everything that can be configured.
#[derive(Debug)]
pub(crate) struct Config {
    /// Where the program runs; some defaults depend on it.
    pub(crate) environment: Environment,
    /// The HTTP server.
    pub(crate) http: Http,
    /// What is logged and how.
    pub(crate) log: Log,
    /// The database and its pools.
    pub(crate) database: Database,
    /// What the API offers.
    pub(crate) api: Api,
    /// Who may use the API.
    pub(crate) auth: Auth,
    /// How the program is watched.
    pub(crate) observability: Observability,
}

/// Where the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Environment {
    /// On the machine of somebody who changes the code.
    Development,
    /// Like production, without real data.
    Staging,
    /// For real.
    Production,
}

/// The HTTP server.
#[derive(Debug)]
pub(crate) struct Http {
    /// A host name, or an IP address without brackets.
    pub(crate) host: String,
    /// 0 asks the system for a free port.
    pub(crate) port: u16,
    /// Threads that serve HTTP, 1 to 512.
    pub(crate) workers: usize,
    /// How long an idle connection stays open; zero closes it after each answer.
    pub(crate) keep_alive: Duration,
    /// How long a client may take to send a request head, or between two pieces of a body; never zero.
    pub(crate) client_timeout: Duration,
    /// How long a request may take; never zero.
    pub(crate) request_timeout: Duration,
    /// The largest request body.
    pub(crate) body_limit_bytes: usize,
    /// API requests in progress, 1 to 1000000.
    pub(crate) max_in_flight: usize,
    /// From reporting not-ready to closing the listener; may be zero.
    pub(crate) shutdown_drain: Duration,
    /// What requests in progress get to finish after that; may be zero.
    pub(crate) shutdown_timeout: Duration,
}

/// What is logged and how.
#[derive(Debug)]
pub(crate) struct Log {
    /// A filter that `tracing_subscriber::EnvFilter` accepts.
    pub(crate) filter: String,
    /// How an event is written.
    pub(crate) format: LogFormat,
}

/// How an event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line, for machines.
    Json,
}

/// The database and its pools.
#[derive(Debug)]
pub(crate) struct Database {
    /// `mysql://`, `postgres://` or `sqlite:`, ready for the driver.
    pub(crate) url: SecretString,
    /// Read replicas, of the same kind.
    pub(crate) replica_urls: Vec<SecretString>,
    /// The age of its data beyond which a replica is left out; never zero.
    pub(crate) replica_max_lag: Duration,
    /// Connections kept open per pool; at most `max_connections`.
    pub(crate) min_connections: u32,
    /// Connections at most per pool, 1 to 10000.
    pub(crate) max_connections: u32,
    /// How long to wait for a connection; never zero.
    pub(crate) acquire_timeout: Duration,
    /// How long a connection may live; never zero.
    pub(crate) max_lifetime: Duration,
    /// How long a statement may take; none for no limit.
    pub(crate) statement_timeout: Option<Duration>,
    /// A statement that takes longer is logged.
    pub(crate) slow_statement_threshold: Duration,
    /// Whether to run pending migrations at start.
    pub(crate) auto_migrate: bool,
    /// Whether reads that come at the same time share a statement.
    pub(crate) coalesce_reads: bool,
    /// Whether creates that come at the same time share a statement.
    pub(crate) coalesce_writes: bool,
}

/// What the API offers.
#[derive(Debug)]
pub(crate) struct Api {
    /// Title of the API in its documentation.
    pub(crate) title: String,
    /// Whether the interactive documentation is served.
    pub(crate) docs: bool,
    /// Whether a change must carry `If-Match`.
    pub(crate) require_if_match: bool,
    /// How long an idempotency key is remembered; never zero.
    pub(crate) idempotency_time_to_live: Duration,
    /// Whose pages may call it from a browser.
    pub(crate) cross_origin: CrossOrigin,
    /// At least 32 bytes.
    pub(crate) secret_key: Option<SecretString>,
    /// None for no limit.
    pub(crate) rate_limit: Option<RateLimit>,
}

/// How many requests a client may make.
#[derive(Debug)]
pub(crate) struct RateLimit {
    /// How many, in which time.
    pub(crate) quota: Quota,
    /// Where they are counted.
    pub(crate) store: RateLimitStore,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub(crate) trusted_proxies: Vec<IpNet>,
}

/// Where requests are counted.
#[derive(Debug)]
pub(crate) enum RateLimitStore {
    /// In each process.
    Memory,
    /// In the Redis with this address, which all instances share.
    Redis(SecretString),
}

/// Who may use the API.
#[derive(Debug)]
pub(crate) struct Auth {
    /// Whether tokens are asked for.
    pub(crate) mode: AuthMode,
    /// A JWK set in place of the secret key.
    pub(crate) jwks_file: Option<PathBuf>,
    /// What tokens must have as their `iss`.
    pub(crate) issuer: Option<String>,
    /// What tokens must have as their `aud`.
    pub(crate) audience: Option<String>,
}

/// Whether tokens are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthMode {
    /// Whoever reaches the API may use it.
    None,
    /// Whoever brings a token may.
    Jwt,
}

/// How the program is watched.
#[derive(Debug)]
pub(crate) struct Observability {
    /// Host and port of a listener for metrics alone; none where the main one serves them.
    pub(crate) metrics_address: Option<(String, u16)>,
    /// The collector that traces are sent to, `http:` or `https:`.
    pub(crate) otlp_endpoint: Option<SecretString>,
    /// Whether `/console` shows what the service does with each request; never in production.
    pub(crate) console: bool,
}

/// Everything that [`load`] reads.
pub(crate) struct Sources {
    /// Where `async-starter.toml` and `.env` are looked for, and where relative file names start.
    pub(crate) working_directory: PathBuf,
    /// A settings file in place of `async-starter.toml`; it must exist.
    pub(crate) config_file: Option<PathBuf>,
    /// The variables of the process.
    pub(crate) environment: Vec<(String, String)>,
    /// Names of variables and the values that flags give them.
    pub(crate) flags: Vec<(String, String)>,
    /// Tests of the composed program do without `.env`.
    pub(crate) read_dotenv: bool,
}

impl fmt::Debug for Sources {
    /// Leaves the values out, because there are passwords among them.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names =
            |pairs: &[(String, String)]| -> Vec<String> { pairs.iter().map(|(name, _)| name.clone()).collect() };
        formatter
            .debug_struct("Sources")
            .field("working_directory", &self.working_directory)
            .field("config_file", &self.config_file)
            .field("environment", &names(&self.environment))
            .field("flags", &names(&self.flags))
            .field("read_dotenv", &self.read_dotenv)
            .finish()
    }
}

/// Loads and checks the configuration.
///
/// # Errors
///
/// Everything that is wrong with any layer or value, in one [`ConfigError`].
pub(crate) fn load(sources: &Sources) -> Result<Loaded, ConfigError> {
    let mut findings = Findings::default();
    let merged = Merged::read(sources, &mut findings);
    let mut reader = Reader::new(&merged, &sources.working_directory, &mut findings);
    let config = sections::config(&mut reader);
    let effective = reader.effective();
    let Findings { problems, warnings } = findings;
    match config {
        Some(config) if problems.is_empty() => Ok(Loaded {
            config,
            warnings,
            effective,
        }),
        _ => Err(ConfigError { problems }),
    }
}

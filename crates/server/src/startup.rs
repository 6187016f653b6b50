//! The composition root: the layers are put together here, started in order, and stopped in reverse.

use std::{io::Write, net::SocketAddr, time::Duration};

use anyhow::Context;
use api::{ApiOptions, AppState, AuthOptions, JwtOptions, Lifecycle, RateLimitOptions, RateLimitStore};
use persistence::{CREATE_USERS, Database, DatabaseOptions, Durability, Engine, Migrations, add_sample_users};
use service::{Coalescing, DatabaseRuntime, HealthService, UserService, UserServiceOptions};
use tokio::{runtime::Handle, time::timeout};

use crate::{
    config::{self, AuthMode, Config, Environment},
    console_watch::ConsoleWatch,
    database_threads::Pulse,
    http_server::{self, Listening},
    metrics_listener::MetricsListener,
    replica_watch::ReplicaWatch,
    sweeper::Sweeper,
    telemetry::{Log, Telemetry},
};

/// How long connections to the database get to close in an orderly way.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

/// Serves HTTP until SIGTERM or Ctrl-C, then finishes what is in progress.
pub(crate) async fn serve(config: &Config, telemetry: &Telemetry) -> anyhow::Result<()> {
    // From the start: as the first process of a container the program would otherwise not hear SIGTERM at all.
    let mut signals = Signals::listen()?;
    let options = DatabaseOptions {
        acquire_times: Some(telemetry.acquire_times().clone()),
        ..database_options(&config.database)
    };
    let database = Database::open(&options).await.context("cannot open the database")?;
    tokio::select! {
        prepared = prepare(config, &database) => prepared.context("cannot bring the schema up to date")?,
        () = signals.next() => {
            tracing::info!("stopped before it served");
            return Ok(());
        }
    }
    let lifecycle = Lifecycle::default();
    let runtime = DatabaseRuntime::new(Handle::current());
    let users = UserService::new(database.clone(), runtime.clone(), user_options(config));
    let health = HealthService::new(database.clone(), runtime);
    // Says in the log, at once, that migrations are pending or that the database does not answer.
    health.check().await;
    let state = AppState::new(users.clone(), health, api_options(config, telemetry), lifecycle.clone())?;
    let metrics = MetricsListener::start(config, &state).await?;
    let log = telemetry.log().clone();
    let end = shut_down(signals, lifecycle.clone(), config.http.shutdown_drain, log);
    let application = move || api::build_app(state.clone());
    let (server, addresses) = http_server::bind(Listening::new(&config.http), application, end).await?;
    announce(config, database.engine(), &addresses);
    let _pulse = Pulse::start();
    let replicas = ReplicaWatch::start(&database);
    let console = ConsoleWatch::start(telemetry.console());
    let sweeper = Sweeper::start(users, config.api.idempotency_time_to_live);
    let outcome = server.await;
    drop(replicas);
    drop(console);
    sweeper.stop().await;
    if let Some(metrics) = metrics {
        metrics.stop().await;
    }
    outcome.context("the HTTP server failed")?;

    let cut_off = lifecycle.requests_in_progress();
    if cut_off > 0 {
        tracing::warn!(
            requests = cut_off,
            "requests were cut off, because SHUTDOWN_TIMEOUT was over"
        );
    }
    match timeout(CLOSE_PATIENCE, database.close()).await {
        Ok(Ok(())) => tracing::info!("stopped"),
        Ok(Err(error)) => tracing::warn!(%error, "stopped; a database connection did not close in an orderly way"),
        Err(_) => tracing::warn!("stopped; the database did not take leave in time"),
    }
    Ok(())
}

/// Applies pending migrations where that is configured.
async fn prepare(config: &Config, database: &Database) -> anyhow::Result<()> {
    if config.database.auto_migrate {
        migrate(config, database).await
    } else {
        Ok(())
    }
}

// ANCHOR: database-options
/// The options of the database that the configuration asks for.
pub(crate) fn database_options(config: &config::Database) -> DatabaseOptions {
    DatabaseOptions {
        replicas: config.replica_urls.clone(),
        replica_max_lag: config.replica_max_lag,
        min_connections: config.min_connections,
        max_connections: config.max_connections,
        acquire_timeout: config.acquire_timeout,
        max_lifetime: config.max_lifetime,
        statement_timeout: config.statement_timeout,
        slow_statement_threshold: config.slow_statement_threshold,
        ..DatabaseOptions::new(config.url.clone())
    }
}
// ANCHOR_END: database-options

/// The options of the use cases that the configuration asks for.
pub(crate) fn user_options(config: &Config) -> UserServiceOptions {
    UserServiceOptions {
        coalescing: Coalescing {
            reads: config.database.coalesce_reads,
            writes: config.database.coalesce_writes,
        },
        idempotency_time_to_live: config.api.idempotency_time_to_live,
        request_timeout: config.http.request_timeout,
    }
}

/// What tells callers apart, as the configuration asks for it.
fn auth_options(config: &config::Auth) -> AuthOptions {
    match config.mode {
        AuthMode::None => AuthOptions::None,
        AuthMode::Jwt => AuthOptions::Jwt(JwtOptions {
            jwks_file: config.jwks_file.clone(),
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
        }),
    }
}

/// The options of the API that the configuration asks for.
fn api_options(config: &Config, telemetry: &Telemetry) -> ApiOptions {
    ApiOptions {
        title: config.api.title.clone(),
        docs: config.api.docs,
        console: telemetry.console().cloned(),
        cross_origin: config.api.cross_origin.clone(),
        metrics: config.observability.metrics_address.is_none(),
        body_limit_bytes: config.http.body_limit_bytes,
        max_in_flight: config.http.max_in_flight,
        client_timeout: config.http.client_timeout,
        request_timeout: config.http.request_timeout,
        require_if_match: config.api.require_if_match,
        secret_key: config.api.secret_key.clone(),
        auth: auth_options(&config.auth),
        rate_limit: config.api.rate_limit.as_ref().map(rate_limit_options),
    }
}

/// The limit that the configuration asks for. Its Redis is spoken to on this runtime, which no worker keeps busy.
fn rate_limit_options(config: &config::RateLimit) -> RateLimitOptions {
    RateLimitOptions {
        quota: config.quota,
        store: match &config.store {
            config::RateLimitStore::Memory => RateLimitStore::Memory,
            config::RateLimitStore::Redis(url) => RateLimitStore::Redis {
                url: url.clone(),
                runtime: Handle::current(),
            },
        },
        trusted_proxies: config.trusted_proxies.clone(),
    }
}

/// Applies pending migrations over connections of their own, which have no statement time-out.
async fn migrate(config: &Config, database: &Database) -> anyhow::Result<()> {
    database.try_connection().await?;
    let maintenance = database.for_maintenance(Durability::Full).await?;
    let outcome = migrate_on(config, maintenance.as_ref().unwrap_or(database)).await;
    if let Some(maintenance) = maintenance {
        maintenance.close().await?;
    }
    outcome
}

/// Applies pending migrations. A new embedded database of a developer also gets the sample users, as `init.sql` has them.
async fn migrate_on(config: &Config, database: &Database) -> anyhow::Result<()> {
    let applied = Migrations::new(database).up(None).await?;
    for step in &applied {
        tracing::info!(step, "migrated");
    }
    let is_new = applied.iter().any(|step| step == CREATE_USERS);
    if is_new && config.environment == Environment::Development && database.engine() == Engine::Sqlite {
        add_sample_users(database).await?;
        tracing::info!("added Alice, Bob and Charlie");
    }
    Ok(())
}

/// Says where the service is to be found: to people in development, to logs everywhere.
fn announce(config: &Config, engine: Engine, addresses: &[SocketAddr]) {
    let version = env!("CARGO_PKG_VERSION");
    for address in addresses {
        tracing::info!(%address, %engine, version, environment = ?config.environment, workers = config.http.workers, "listening");
    }
    let (Environment::Development, Some(address)) = (config.environment, addresses.first()) else {
        return;
    };
    let docs = if config.api.docs {
        format!("\n  docs     http://{address}/docs")
    } else {
        String::new()
    };
    let console = if config.observability.console {
        format!("\n  console  http://{address}/console")
    } else {
        String::new()
    };
    let banner = format!(
        "\n  async-starter {version} on {engine}\n{docs}{console}\n  users    http://{address}/api/v1/users\n  health   \
         http://{address}/health\n\n  Ctrl-C stops it.\n"
    );
    // Nobody may be there to read it.
    if let Err(error) = writeln!(std::io::stdout(), "{banner}") {
        tracing::debug!(%error, "standard output cannot be written");
    }
}

/// Completes when the listener is to close: after the first signal, and the time that load balancers get to notice that the
/// instance is not ready any more. A second signal ends the process at once.
async fn shut_down(mut signals: Signals, lifecycle: Lifecycle, drain: Duration, log: Log) {
    signals.next().await;
    tracing::info!(
        drain_seconds = drain.as_secs_f64(),
        "shutting down; a second signal ends at once"
    );
    lifecycle.drain();
    tokio::spawn(async move {
        signals.next().await;
        tracing::warn!("ended by a second signal");
        log.flush();
        std::process::exit(1);
    });
    tokio::time::sleep(drain).await;
    lifecycle.close();
}

/// SIGTERM, as orchestrators send it, and Ctrl-C.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    /// From here on these signals no longer end the process by themselves.
    fn listen() -> anyhow::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next of either.
    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Ctrl-C.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    #[expect(clippy::unnecessary_wraps, reason = "listening can fail elsewhere")]
    fn listen() -> anyhow::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!(%error, "cannot listen for Ctrl-C");
            std::future::pending::<()>().await;
        }
    }
}

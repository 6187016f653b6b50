//! Whether the service can do its work now.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use persistence::{Database, Histogram, Migrations, NodeStatus, PersistenceError, PoolStatus, ReplicaStatus};
use tokio::time::timeout;

use crate::{DatabaseRuntime, RuntimeLoad, RuntimeStopped};

/// How long the database may take to show a sign of life.
const PATIENCE: Duration = Duration::from_millis(1800);

/// Probes start at least this far apart, whoever asks.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Health {
    /// The database answered.
    pub database_connected: bool,
    /// The database answered that no migration is pending.
    pub migrations_applied: bool,
}

impl Health {
    const GOOD: Self = Self {
        database_connected: true,
        migrations_applied: true,
    };
    const UNREACHABLE: Self = Self {
        database_connected: false,
        migrations_applied: false,
    };
}

/// Probes the database. Cloning shares the probes.
#[derive(Clone)]
pub struct HealthService {
    database: Database,
    runtime: DatabaseRuntime,
    latest: Arc<Mutex<Option<Probe>>>,
    reported: Arc<Mutex<Option<Health>>>,
}

/// A probe that is under way or has ended; everyone who asks within the interval waits for the same one.
struct Probe {
    started: Instant,
    outcome: Shared<BoxFuture<'static, Health>>,
}

impl fmt::Debug for HealthService {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("HealthService")
            .field("database", &self.database)
            .finish_non_exhaustive()
    }
}

impl HealthService {
    /// Probes of `database`, which run on `runtime`.
    #[must_use]
    pub fn new(database: Database, runtime: DatabaseRuntime) -> Self {
        Self {
            database,
            runtime,
            latest: Arc::default(),
            reported: Arc::default(),
        }
    }

    /// The health as of at most half a second ago, within two seconds.
    pub async fn check(&self) -> Health {
        let health = self.current_probe().await;
        self.report(health);
        health
    }

    /// The nodes of the database, and which of them is used; nothing where it has but one.
    #[must_use]
    pub fn nodes(&self) -> Vec<NodeStatus> {
        self.database.node_status()
    }

    /// How often another node of the database was taken.
    #[must_use]
    pub fn node_moves(&self) -> u64 {
        self.database.node_moves()
    }

    /// Whether a node of the database took writes when they were last looked at; always where it has but one.
    #[must_use]
    pub fn has_writable_node(&self) -> bool {
        self.database.has_writable_node()
    }

    /// How busy each pool of connections is now.
    #[must_use]
    pub fn pools(&self) -> Vec<PoolStatus> {
        self.database.pool_status()
    }

    /// What is known of each read replica.
    #[must_use]
    pub fn replicas(&self) -> Vec<ReplicaStatus> {
        self.database.replica_status()
    }

    /// How long it took to get a connection, in seconds, where that is noted. A wait in vain is not: it ends in an error.
    #[must_use]
    pub fn acquire_times(&self) -> Option<&Histogram> {
        self.database.options().acquire_times.as_ref()
    }

    /// How busy the runtime is that database work runs on.
    #[must_use]
    pub fn runtime_load(&self) -> RuntimeLoad {
        self.runtime.load()
    }

    /// Logs a change of health, once. What it was at first is not a change unless it is bad.
    fn report(&self, health: Health) {
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        let before = reported.replace(health).unwrap_or(Health::GOOD);
        if before == health {
            return;
        }
        let Health {
            database_connected,
            migrations_applied,
        } = health;
        if health == Health::GOOD {
            tracing::info!("the database can be used again");
        } else {
            tracing::warn!(database_connected, migrations_applied, "the database cannot be used");
        }
    }

    fn current_probe(&self) -> Shared<BoxFuture<'static, Health>> {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(probe) = latest.as_ref().filter(|probe| probe.started.elapsed() < PROBE_INTERVAL) {
            return probe.outcome.clone();
        }
        let outcome = probe(self.database.clone(), self.runtime.clone()).boxed().shared();
        *latest = Some(Probe {
            started: Instant::now(),
            outcome: outcome.clone(),
        });
        outcome
    }
}

async fn probe(database: Database, runtime: DatabaseRuntime) -> Health {
    let work = async move {
        database.ping(PATIENCE).await?;
        let pending = Migrations::new(&database).any_pending().await;
        // An error here is no silence: the database answered, and cannot say that it is up to date.
        let migrations_applied = pending.is_ok_and(|pending| !pending);
        Ok::<_, ProbeError>(Health {
            database_connected: true,
            migrations_applied,
        })
    };
    match timeout(PATIENCE, runtime.run(work)).await {
        Ok(Ok(health)) => health,
        Ok(Err(error)) => {
            tracing::debug!(%error, "the database does not answer");
            Health::UNREACHABLE
        }
        Err(_) => Health::UNREACHABLE,
    }
}

#[derive(Debug, thiserror::Error)]
enum ProbeError {
    #[error(transparent)]
    Stopped(#[from] RuntimeStopped),
    #[error(transparent)]
    Database(#[from] PersistenceError),
}

//! Every difference between the engines, and nothing else. No other module asks which engine it is on.
//!
//! - here: names, addresses, and whether an INSERT or UPDATE can return rows
//! - `connect`: how pools are opened
//! - `sessions`: how a session with a server is set up, and whether the server takes writes
//! - `nodes`: several nodes of one database, of which the pools use one that takes writes
//! - `nowhere`: where connections are refused while none of them does
//! - `server_pool`: pools that mistrust connections which may be broken
//! - `ddl`: how statements are read and what they lock, for the lint of migrations
//! - `errors`: what the drivers' error codes mean
//! - `migration_lock`: how one process at a time migrates
//! - `schema`: column types and collations
//! - `returning`: writing rows and getting them back
//! - `times`: reading and writing times

use std::{borrow::Cow, fmt, num::NonZero, thread::available_parallelism};

use sea_orm::{DatabaseConnection, DbBackend, sqlx};

use crate::{PoolStatus, config::InvalidDatabaseUrl};

mod connect;
mod ddl;
mod errors;
mod migration_lock;
mod nodes;
mod nowhere;
mod returning;
mod schema;
mod server_pool;
mod sessions;
mod times;

pub(crate) use connect::{Pools, before_close, begin, is_in_memory, open, try_connection};
pub(crate) use ddl::Syntax;
pub(crate) use errors::{
    classify, has_happened_already, is_broken_connection, is_from_server, is_unique_violation, silence, takes_no_writes,
};
pub(crate) use migration_lock::{LockedConnection, with_migration_lock};
pub(crate) use nodes::Follower;
pub use nodes::NodeStatus;
pub(crate) use returning::{InsertReturning, insert_returning, insert_returning_id, update_returning};
pub(crate) use schema::{bytes_column, new_table, string_column, timestamp_column, written_at_column};
pub(crate) use times::{read_time, time_value};

/// A kind of database. MariaDB counts as MySQL: where the two differ, the server is asked what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// The embedded database, in a file or in memory.
    Sqlite,
    /// MySQL 8 and later, MariaDB 10.6 and later.
    MySql,
    /// PostgreSQL 13 and later.
    Postgres,
}

impl Engine {
    /// The engine that a database URL names by its scheme.
    pub(crate) fn of_url(url: &str) -> Result<Self, InvalidDatabaseUrl> {
        match url.split_once(':') {
            Some(("sqlite", _)) => Ok(Self::Sqlite),
            Some(("mysql", _)) => Ok(Self::MySql),
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres),
            _ => Err(InvalidDatabaseUrl),
        }
    }

    // ANCHOR: usual-max-connections
    /// How many connections of a pool are of use when nobody says how many there may be. One to a server waits most of the
    /// time. One to SQLite is a thread of the driver that works and hardly waits, so that more than two a core mostly get
    /// into each other's way: with 20 on two cores a service listed 13 % fewer pages a second than with 4.
    pub(crate) fn usual_max_connections(self) -> u32 {
        const USUAL: u32 = 20;
        const SQLITE_PER_CORE: usize = 2;
        match self {
            Self::Sqlite => {
                let cores = available_parallelism().map_or(1, NonZero::get);
                let of_use = cores.saturating_mul(SQLITE_PER_CORE);
                u32::try_from(of_use).map_or(USUAL, |of_use| of_use.min(USUAL))
            }
            Self::MySql | Self::Postgres => USUAL,
        }
    }
    // ANCHOR_END: usual-max-connections

    pub(crate) fn of_backend(backend: DbBackend) -> Self {
        match backend {
            DbBackend::MySql => Self::MySql,
            DbBackend::Postgres => Self::Postgres,
            // The type is open for engines to come; with the features we build it with there is no fourth.
            _ => Self::Sqlite,
        }
    }
}

/// Whether databases of this kind can have read replicas.
pub(crate) fn has_replicas(engine: Engine) -> bool {
    match engine {
        Engine::Sqlite => false,
        Engine::MySql | Engine::Postgres => true,
    }
}

/// How busy a pool is.
pub(crate) fn pool_status(name: Cow<'static, str>, pool: &DatabaseConnection) -> PoolStatus {
    let (max, open, idle) = match Engine::of_backend(pool.get_database_backend()) {
        Engine::Sqlite => counts(pool.get_sqlite_connection_pool()),
        Engine::MySql => counts(pool.get_mysql_connection_pool()),
        Engine::Postgres => counts(pool.get_postgres_connection_pool()),
    };
    // The driver (sqlx 0.9) counts a connection that comes back only after somebody may have taken it again: for a moment its
    // count is below zero, and no number of this size. The two counters are read one after the other and may disagree as well.
    let idle = u32::try_from(idle).unwrap_or(0).min(open);
    PoolStatus {
        name,
        max,
        in_use: open - idle,
        idle,
    }
}

fn counts<DB: sqlx::Database>(pool: &sqlx::Pool<DB>) -> (u32, u32, usize) {
    (pool.options().get_max_connections(), pool.size(), pool.num_idle())
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::MySql => "MySQL/MariaDB",
            Self::Postgres => "PostgreSQL",
        })
    }
}

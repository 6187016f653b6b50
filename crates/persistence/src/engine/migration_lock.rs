//! How one process at a time migrates.
//!
//! Instances often start together. SeaORM's migrator takes no lock, and of several that run at once all but one fail.
//!
//! What the lock promises: of all processes that are connected to the same server, one migrates. In a cluster, a lock of MySQL's
//! is known to the node that it was taken on. With Group Replication that is enough, since only the primary takes DDL. With Galera
//! two processes on two nodes both get the lock; what keeps their steps apart there is that a cluster executes DDL in one order on
//! all nodes, so that of two that try the same step one finds it done (see `Migrations::up`). After a fail-over in the middle of a
//! migration nobody holds the lock, the process that did goes on without knowing, and the same order keeps steps apart. That order
//! is of no help to steps that are reverted: `down` and `fresh` have to be run by one process alone.

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseExecutor, DatabaseTransaction, DbBackend, DbErr, Statement,
};

use super::{Engine, begin, classify, is_from_server};
use crate::{PersistenceError, watched::Watched};

/// How long to wait for another process to finish its migrations.
const LOCK_TIMEOUT: Duration = Duration::from_mins(2);

/// The lock on PostgreSQL: a number that no other program is likely to use.
const POSTGRES_LOCK_KEY: i64 = 0x6173_7973_6e63_7374;

/// Where migrations are to be executed while the lock is held.
#[derive(Clone, Copy)]
pub(crate) enum LockedConnection<'a> {
    Pool(&'a DatabaseConnection),
    Transaction(&'a DatabaseTransaction),
}

impl<'a> LockedConnection<'a> {
    /// Whether what is done happens whole or not at all. Otherwise each statement is for itself.
    pub(crate) fn is_transaction(self) -> bool {
        matches!(self, Self::Transaction(_))
    }

    /// The same in the form that SeaORM's migrator takes, which consumes it.
    pub(crate) fn executor(self) -> DatabaseExecutor<'a> {
        match self {
            Self::Pool(pool) => pool.into(),
            Self::Transaction(transaction) => transaction.into(),
        }
    }
}

/// The name of the lock on MySQL, where locks belong to the server and not to a database. Names are limited to 64 characters,
/// and that of the database alone may be as long.
const MYSQL_LOCK_NAME: &str = "CONCAT('async-starter.', LEFT(SHA2(DATABASE(), 256), 40))";

/// Runs `work` while no other process migrates this database.
///
/// SQLite and PostgreSQL run it in one transaction, so it happens whole or not at all. MySQL commits each DDL statement by
/// itself; `work` runs on the pool there while another session holds a named lock.
pub(crate) async fn with_migration_lock<T>(
    pool: &Watched<DatabaseConnection>,
    work: impl AsyncFnOnce(LockedConnection<'_>) -> Result<T, DbErr>,
) -> Result<T, PersistenceError> {
    let lock = begin(pool).await?;
    match Engine::of_backend(pool.get_database_backend()) {
        // ANCHOR: sqlite
        // BEGIN IMMEDIATE, which `begin` uses, is the lock.
        Engine::Sqlite => {
            let outcome = work(LockedConnection::Transaction(lock.unwatched())).await?;
            lock.commit().await?;
            Ok(outcome)
        }
        // ANCHOR_END: sqlite
        // ANCHOR: postgres
        Engine::Postgres => {
            lock.execute_unprepared(&format!("SET LOCAL lock_timeout = {}", LOCK_TIMEOUT.as_millis()))
                .await?;
            let locked = lock
                .execute_unprepared(&format!("SELECT pg_advisory_xact_lock({POSTGRES_LOCK_KEY})"))
                .await;
            locked.map_err(|error| match PersistenceError::from(error) {
                PersistenceError::LockTimeout(_) => PersistenceError::MigrationLockHeld(LOCK_TIMEOUT),
                other => other,
            })?;
            let outcome = work(LockedConnection::Transaction(lock.unwatched())).await?;
            lock.commit().await?;
            Ok(outcome)
        }
        // ANCHOR_END: postgres
        Engine::MySql => {
            let named_lock = take_named_lock(&lock).await?;
            let outcome = work(LockedConnection::Pool(pool.unwatched())).await;
            // The transaction only pinned the session; ending the session would release the lock as well. The outcome of the work
            // matters more than that of the release.
            let released = match named_lock {
                NamedLock::Taken => {
                    let release = format!("SELECT RELEASE_LOCK({MYSQL_LOCK_NAME})");
                    lock.execute_unprepared(&release).await.map(|_| ())
                }
                NamedLock::Unknown => Ok(()),
            };
            let outcome = outcome?;
            released?;
            lock.rollback().await?;
            Ok(outcome)
        }
    }
}

enum NamedLock {
    Taken,
    /// The server has no such locks.
    Unknown,
}

async fn take_named_lock(session: &Watched<DatabaseTransaction>) -> Result<NamedLock, PersistenceError> {
    let sql = format!("SELECT GET_LOCK({MYSQL_LOCK_NAME}, {})", LOCK_TIMEOUT.as_secs());
    let row = match session
        .query_one_raw(Statement::from_string(DbBackend::MySql, sql))
        .await
    {
        Ok(row) => row,
        Err(error) if is_from_server(&error) && matches!(classify(error.clone()), PersistenceError::Other(_)) => {
            tracing::warn!(%error, "the server refuses to lock; make sure that one process migrates at a time");
            return Ok(NamedLock::Unknown);
        }
        Err(error) => return Err(error.into()),
    };
    let granted = row
        .map(|row| row.try_get_by_index::<Option<i64>>(0))
        .transpose()?
        .flatten();
    match granted {
        Some(1) => Ok(NamedLock::Taken),
        _ => Err(PersistenceError::MigrationLockHeld(LOCK_TIMEOUT)),
    }
}

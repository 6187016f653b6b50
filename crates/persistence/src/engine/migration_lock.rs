//! How one process at a time migrates.
//!
//! Instances often start together. SeaORM's migrator takes no lock, and of several that run at once all but one fail.

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseExecutor, DatabaseTransaction, DbBackend, DbErr, Statement,
};

use super::{Engine, begin};
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
        // BEGIN IMMEDIATE, which `begin` uses, is the lock.
        Engine::Sqlite => {
            let outcome = work(LockedConnection::Transaction(lock.unwatched())).await?;
            lock.commit().await?;
            Ok(outcome)
        }
        Engine::Postgres => {
            lock.execute_unprepared(&format!("SET LOCAL lock_timeout = {}", LOCK_TIMEOUT.as_millis()))
                .await?;
            let locked = lock
                .execute_unprepared(&format!("SELECT pg_advisory_xact_lock({POSTGRES_LOCK_KEY})"))
                .await;
            locked.map_err(|_| PersistenceError::MigrationLockHeld(LOCK_TIMEOUT))?;
            let outcome = work(LockedConnection::Transaction(lock.unwatched())).await?;
            lock.commit().await?;
            Ok(outcome)
        }
        Engine::MySql => {
            let sql = format!("SELECT GET_LOCK({MYSQL_LOCK_NAME}, {})", LOCK_TIMEOUT.as_secs());
            let row = lock
                .query_one_raw(Statement::from_string(DbBackend::MySql, sql))
                .await?;
            let granted = row
                .map(|row| row.try_get_by_index::<Option<i64>>(0))
                .transpose()?
                .flatten();
            if granted != Some(1) {
                return Err(PersistenceError::MigrationLockHeld(LOCK_TIMEOUT));
            }
            let outcome = work(LockedConnection::Pool(pool.unwatched())).await;
            // The transaction only pinned the session; ending the session would release the lock as well.
            // The outcome of the work matters more than that of the release, which the end of a session brings as well.
            let released = lock
                .execute_unprepared(&format!("DO RELEASE_LOCK({MYSQL_LOCK_NAME})"))
                .await;
            let outcome = outcome?;
            released?;
            lock.rollback().await?;
            Ok(outcome)
        }
    }
}

//! A step that another process may apply at the same time, on another node of a cluster, where no lock reaches both.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sea_orm::{ActiveValue, DbErr, EntityTrait};
use sea_orm_migration::{MigrationTrait, SchemaManager, seaql_migrations};
use tokio::time::sleep;

use super::{BOOKKEEPING, Step, recorded};
use crate::{
    PersistenceError,
    engine::{self, LockedConnection},
};

/// How often a statement that is in conflict is tried, and how often it is looked whether another process has recorded the step
/// that it was faster with.
const ATTEMPTS: u32 = 100;

/// How far these are apart.
const PAUSE: Duration = Duration::from_millis(100);

/// Applies a step where DDL is its own transaction, and where another process, on another node of a cluster, may do the same now.
/// The database decides who of the two does it; the other waits until it is recorded.
pub(super) async fn apply_beside_others(connection: LockedConnection<'_>, step: &Step) -> Result<(), DbErr> {
    let manager = SchemaManager::new(connection.executor());
    match until_not(is_conflict, || step.up(&manager)).await {
        Ok(()) => record(&manager, step).await,
        Err(error) if engine::has_happened_already(&error) => {
            tracing::info!(step = step.name, %error, "the step has happened already; waiting until it is recorded");
            for _ in 0..ATTEMPTS {
                if recorded(connection.executor())
                    .await?
                    .iter()
                    .any(|name| name == step.name)
                {
                    return Ok(());
                }
                sleep(PAUSE).await;
            }
            Err(DbErr::Migration(format!(
                "{}: {error}; it is not recorded as applied. If no other process migrates, one was ended between the two: check what \
                 is there, and either undo it or record it: INSERT INTO {BOOKKEEPING} (version, applied_at) VALUES ('{}', \
                 UNIX_TIMESTAMP())",
                step.name, step.name
            )))
        }
        Err(error) => Err(error),
    }
}

/// Records a step as applied.
async fn record(manager: &SchemaManager<'_>, step: &Step) -> Result<(), DbErr> {
    let applied_at = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let row = seaql_migrations::ActiveModel {
        version: ActiveValue::Set(step.name.to_owned()),
        applied_at: ActiveValue::Set(i64::try_from(applied_at).unwrap_or(i64::MAX)),
    };
    let recorded = until_not(is_conflict_or_lock, || {
        seaql_migrations::Entity::insert(row.clone()).exec_without_returning(manager.get_connection())
    });
    match recorded.await {
        Ok(_) => Ok(()),
        Err(error) if engine::is_unique_violation(&error) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Tries again as long as it fails in a way that `passes`, and that left nothing behind.
async fn until_not<T, F>(passes: fn(&PersistenceError) -> bool, attempt: impl Fn() -> F) -> Result<T, DbErr>
where
    F: Future<Output = Result<T, DbErr>>,
{
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(error) if passes(&PersistenceError::from(error.clone())) => sleep(PAUSE).await,
            outcome => return outcome,
        }
    }
    attempt().await
}

/// DDL that waited too long for a lock is not tried again: all statements on its table wait behind it each time, and how long it
/// may wait is the operator's choice.
fn is_conflict(error: &PersistenceError) -> bool {
    matches!(error, PersistenceError::TransactionConflict(_))
}

fn is_conflict_or_lock(error: &PersistenceError) -> bool {
    is_conflict(error) || matches!(error, PersistenceError::LockTimeout(_))
}

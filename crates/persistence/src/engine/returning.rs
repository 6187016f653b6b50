//! Writing rows and getting back what the database made of them.
//!
//! SQLite and PostgreSQL return columns from the statement that writes, MariaDB from INSERT alone, MySQL not at all. Where
//! they are not returned they are read by a second statement; both must run in one transaction to agree.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, FromQueryResult, IdenStatic, QueryResult, Select, Statement, UpdateMany,
    sea_query::SelectStatement,
};

use super::Engine;
use crate::Executor;

/// Whether a server returns columns of the rows that an INSERT writes. MySQL and MariaDB have the same addresses, so which it
/// is turns out with the first connection. Cloning shares the knowledge.
#[derive(Clone, Debug)]
pub(crate) struct InsertReturning(Arc<AtomicBool>);

impl InsertReturning {
    pub(crate) fn supported() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }

    pub(crate) fn not_yet_known() -> Self {
        Self(Arc::new(AtomicBool::new(false)))
    }

    pub(crate) fn set_supported(&self, is_supported: bool) {
        self.0.store(is_supported, Ordering::Relaxed);
    }

    pub(crate) fn is_supported(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

// ANCHOR: insert-returning
/// Inserts rows and returns `columns` of them, in no particular order. `read_back` selects the same columns of exactly the
/// rows that were inserted; where it is needed, `executor` has to be a transaction.
pub(crate) async fn insert_returning<Column: IdenStatic>(
    executor: &impl Executor,
    insert: Statement,
    columns: &[Column],
    read_back: impl FnOnce() -> SelectStatement,
) -> Result<Vec<QueryResult>, DbErr> {
    let connection = executor.inner();
    if executor.returns_inserted_rows() {
        return connection.query_all_raw(returning(insert, columns)).await;
    }
    connection.execute_raw(insert).await?;
    connection.query_all(&read_back()).await
}
// ANCHOR_END: insert-returning

/// Inserts one row and returns the id that it got. All but PostgreSQL tell it without being asked.
pub(crate) async fn insert_returning_id<Column: IdenStatic>(
    connection: &impl ConnectionTrait,
    insert: Statement,
    id: Column,
) -> Result<i64, DbErr> {
    match Engine::of_backend(connection.get_database_backend()) {
        Engine::Postgres => {
            let row = connection.query_one_raw(returning(insert, &[id])).await?;
            row.ok_or(DbErr::RecordNotInserted)?.try_get_by_index(0)
        }
        Engine::Sqlite | Engine::MySql => {
            let id = connection.execute_raw(insert).await?.last_insert_id();
            i64::try_from(id).map_err(|_| DbErr::UnpackInsertId)
        }
    }
}

/// Adds a clause that all engines with one spell alike, as long as the names of `columns` need no quotes. The builder of
/// statements writes none for MariaDB, because it speaks MySQL.
fn returning<Column: IdenStatic>(mut insert: Statement, columns: &[Column]) -> Statement {
    let columns: Vec<_> = columns.iter().map(IdenStatic::as_str).collect();
    insert.sql.push_str(" RETURNING ");
    insert.sql.push_str(&columns.join(", "));
    insert
}

// ANCHOR: update-returning
/// Updates at most one row and returns it, or nothing when no row matched. `read_back` selects that row.
pub(crate) async fn update_returning<E, C>(
    connection: &C,
    update: UpdateMany<E>,
    read_back: Select<E>,
) -> Result<Option<E::Model>, DbErr>
where
    E: EntityTrait<Model: FromQueryResult + Send + Sync>,
    C: ConnectionTrait,
{
    if connection.support_returning() {
        return Ok(update.exec_with_returning(connection).await?.pop());
    }
    // The driver counts rows that matched, changed or not.
    match update.exec(connection).await?.rows_affected {
        0 => Ok(None),
        _ => read_back.one(connection).await,
    }
}
// ANCHOR_END: update-returning

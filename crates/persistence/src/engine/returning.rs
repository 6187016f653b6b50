//! Writing rows and getting back what the database made of them.
//!
//! SQLite and PostgreSQL return columns from the statement that writes, MariaDB from INSERT alone, MySQL not at all. Where
//! they are not returned they are read by a second statement; both must run in one transaction to agree.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use sea_orm::{
    ConnectionTrait, DbErr, EntityTrait, FromQueryResult, IdenStatic, QueryResult, Select, UpdateMany,
    sea_query::{InsertStatement, Query, SelectStatement},
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

/// Inserts rows and returns `columns` of them, in no particular order. `read_back` selects the same columns of exactly the
/// rows that were inserted; where it is needed, `executor` has to be a transaction.
pub(crate) async fn insert_returning<Column: IdenStatic>(
    executor: &impl Executor,
    mut insert: InsertStatement,
    columns: &[Column],
    read_back: impl FnOnce() -> SelectStatement,
) -> Result<Vec<QueryResult>, DbErr> {
    let connection = executor.inner();
    let backend = connection.get_database_backend();
    if !executor.returns_inserted_rows() {
        connection.execute(&insert).await?;
        return connection.query_all(&read_back()).await;
    }
    if Engine::of_backend(backend) != Engine::MySql {
        insert.returning(Query::returning().columns(columns.iter().map(IdenStatic::as_str)));
        return connection.query_all(&insert).await;
    }
    // MariaDB. The builder of statements speaks MySQL, which has no such clause.
    let mut statement = backend.build(&insert);
    for (index, column) in columns.iter().enumerate() {
        statement.sql.push_str(if index == 0 { " RETURNING `" } else { "`, `" });
        statement.sql.push_str(column.as_str());
    }
    statement.sql.push('`');
    connection.query_all_raw(statement).await
}

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

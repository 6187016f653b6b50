//! Writing rows and getting them back as stored.
//!
//! SQLite and PostgreSQL return the rows from the statement that writes them. MySQL cannot, and MariaDB can for INSERT
//! only, so there the rows are read by a second statement; both must run in one transaction to agree.

use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, FromQueryResult, InsertMany, IntoActiveModel, Select,
    UpdateMany,
};

/// Inserts rows and returns them, in no particular order. `read_back` selects exactly the rows that were inserted.
pub(crate) async fn insert_many_returning<A, C>(
    connection: &C,
    rows: Vec<A>,
    read_back: Select<A::Entity>,
) -> Result<Vec<<A::Entity as EntityTrait>::Model>, DbErr>
where
    A: ActiveModelTrait + Send,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    C: ConnectionTrait,
{
    let insert: InsertMany<A> = A::Entity::insert_many(rows);
    if connection.support_returning() {
        return insert.exec_with_returning(connection).await;
    }
    insert.exec_without_returning(connection).await?;
    read_back.all(connection).await
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

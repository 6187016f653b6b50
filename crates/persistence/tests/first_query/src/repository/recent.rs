//! Users by the time of their creation.

use domain::{Timestamp, User};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::UserRepository;
use crate::{Executor, PersistenceError, entity::user};

impl<E: Executor> UserRepository<'_, E> {
    /// At most `limit` users who were created at `start` or later, newest first.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub async fn created_since(&self, start: Timestamp, limit: u64) -> Result<Vec<User>, PersistenceError> {
        let connection = self.0.inner();
        let rows = user::Entity::find()
            .filter(user::Column::CreatedAt.gte(start.to_utc().naive_utc()))
            .order_by_desc(user::Column::CreatedAt)
            .order_by_desc(user::Column::Id)
            .limit(limit)
            .all(connection)
            .await?;
        rows.into_iter().map(User::try_from).collect()
    }
}

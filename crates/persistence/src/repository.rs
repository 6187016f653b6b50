//! The users' table in SQL, and nothing but SQL: no rule, no transaction begins or ends here.

mod bulk;
mod statements;

use std::collections::{HashMap, HashSet};

use domain::{Cursor, Email, NewUser, Precondition, Timestamp, User, UserChanges, UserFilter, UserId};
use futures_util::{Stream, StreamExt};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DbErr, EntityTrait, ExprTrait, JoinType, PaginatorTrait, QueryFilter,
    QuerySelect, QueryTrait, Select, Statement,
    sea_query::{Alias, Expr, OnConflict},
};

use self::statements::{
    created, emails_of, filtered, follows, guarded, if_differs, insert_rows, insert_users, newest_first, read_row,
    select_by_ids, with_emails,
};
use crate::{Executor, PersistenceError, engine, entity::user};

/// Users over any pool or transaction.
///
/// Every method is one use of the database. Let its future run to the end: the MySQL driver (sqlx 0.9) loses track of a
/// statement that is cut off while the server prepares it, and with it the connection. Dropping a transaction between two
/// statements is safe.
// ANCHOR: repository
#[derive(Debug)]
pub struct UserRepository<'a, E: Executor>(&'a E);
// ANCHOR_END: repository

impl<'a, E: Executor> UserRepository<'a, E> {
    /// The repository over `executor`.
    #[must_use]
    pub fn new(executor: &'a E) -> Self {
        Self(executor)
    }

    /// Inserts a user created at `now`.
    ///
    /// # Errors
    /// [`PersistenceError::EmailTaken`] when another user has the address.
    // ANCHOR: insert
    pub async fn insert(&self, new_user: NewUser, now: Timestamp) -> Result<User, PersistenceError> {
        let insert = self.insertion([(&new_user, now)].into_iter())?;
        let inserted = engine::insert_returning_id(self.0.inner(), insert, user::Column::Id).await;
        let id = inserted.map_err(|error| self.not_written(error))?;
        created(new_user, id, now)
    }
    // ANCHOR_END: insert

    /// Inserts users created at `now`, all or none, and returns them in the same order. Run it in a transaction, unless
    /// [`Connection::returns_inserted_rows`](crate::Connection::returns_inserted_rows): else their ids are read back by address.
    ///
    /// # Errors
    /// [`PersistenceError::EmailTaken`] when another user has one of the addresses, or two of them are equal.
    pub async fn insert_many(&self, new_users: &[NewUser], now: Timestamp) -> Result<Vec<User>, PersistenceError> {
        const RETURNED: [user::Column; 2] = [user::Column::Id, user::Column::Email];

        if new_users.is_empty() {
            return Ok(Vec::new());
        }
        let insert = self.insertion(new_users.iter().map(|new_user| (new_user, now)))?;
        let read_back = || {
            let rows = with_emails(emails_of(new_users)).select_only().columns(RETURNED);
            rows.into_query()
        };
        let inserted = engine::insert_returning(self.0, insert, &RETURNED, read_back).await;
        let inserted = inserted.map_err(|error| self.not_written(error))?;
        // No engine promises an order, and ids of one statement need not be consecutive: the address tells whose id is whose.
        let mut id_by_email = HashMap::with_capacity(inserted.len());
        for row in inserted {
            id_by_email.insert(row.try_get_by_index::<String>(1)?, row.try_get_by_index(0)?);
        }
        let in_order = new_users.iter().map(|new_user| {
            let id = id_by_email.remove(new_user.email.as_str());
            let id = id.ok_or(PersistenceError::Other(DbErr::RecordNotInserted))?;
            created(new_user.clone(), id, now)
        });
        in_order.collect()
    }

    /// Inserts users with the creation times given, all or none.
    ///
    /// # Errors
    /// As for [`insert_many`](Self::insert_many).
    pub(crate) async fn insert_at(&self, users: &[(NewUser, Timestamp)]) -> Result<(), PersistenceError> {
        let insert = self.insertion(users.iter().map(|(new_user, created_at)| (new_user, *created_at)))?;
        self.execute(insert).await
    }

    /// Inserts users with the creation times given. One whose address exists is left alone.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub(crate) async fn insert_missing(&self, users: &[(NewUser, Timestamp)]) -> Result<(), PersistenceError> {
        let ignore_known = OnConflict::column(user::Column::Email)
            .do_nothing_on([user::Column::Id])
            .to_owned();
        let connection = self.0.inner();
        let users = users.iter().map(|(new_user, created_at)| (new_user, *created_at));
        let mut insert = insert_rows(connection.get_database_backend(), users)?;
        let inserted = connection.execute(insert.on_conflict(ignore_known)).await;
        inserted.map(|_| ()).map_err(|error| self.not_written(error))
    }

    /// Which of these addresses belong to a user.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub async fn existing_emails<'e>(
        &self,
        emails: impl IntoIterator<Item = &'e Email>,
    ) -> Result<HashSet<Email>, PersistenceError> {
        let rows = with_emails(emails).select_only().column(user::Column::Id);
        let rows: Vec<(i64, String)> = rows
            .column(user::Column::Email)
            .into_tuple()
            .all(self.0.inner())
            .await?;
        let read = |(id, email): (i64, String)| {
            let column = "email";
            Email::parse(&email).map_err(|violation| PersistenceError::InvalidRow { id, column, violation })
        };
        rows.into_iter().map(read).collect()
    }

    /// The user with this id.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub async fn find(&self, id: UserId) -> Result<Option<User>, PersistenceError> {
        self.find_each(&[id]).await?.remove(&id).transpose()
    }

    /// The users with these ids, by id; ids without a user are left out. A row that breaks a rule of the domain fails alone.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub async fn find_each(
        &self,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, Result<User, PersistenceError>>, PersistenceError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let connection = self.0.inner();
        let select = select_by_ids(connection.get_database_backend(), ids)?;
        let rows = connection.query_all_raw(select).await?;
        let mut by_id = HashMap::with_capacity(rows.len());
        for row in rows {
            let row = read_row(&row)?;
            if let Ok(id) = UserId::new(row.id) {
                by_id.insert(id, User::try_from(row));
            }
        }
        Ok(by_id)
    }

    /// The user with this address.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    // ANCHOR: find-by-email
    pub async fn find_by_email(&self, email: &Email) -> Result<Option<User>, PersistenceError> {
        let row = user::Entity::find()
            .filter(user::Column::Email.eq(email.as_str()))
            .one(self.0.inner())
            .await?;
        row.map(User::try_from).transpose()
    }
    // ANCHOR_END: find-by-email

    /// Whether a user has this id.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub async fn exists(&self, id: UserId) -> Result<bool, PersistenceError> {
        let matching = user::Entity::find().filter(user::Column::Id.eq(id.get()));
        Ok(matching.count(self.0.inner()).await? > 0)
    }

    /// How many users match.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub async fn count(&self, filter: &UserFilter) -> Result<u64, PersistenceError> {
        Ok(filtered(filter).count(self.0.inner()).await?)
    }

    /// At most `limit` users, newest first, after passing over `offset` of them. The cost grows with the offset, at the rate
    /// at which an index is read: rows are passed over as entries of the index that has the order of the list, and only those
    /// of the page are looked up in the table.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    // ANCHOR: page
    pub async fn page(&self, filter: &UserFilter, offset: u64, limit: u64) -> Result<Vec<User>, PersistenceError> {
        let matching = newest_first(filtered(filter));
        if offset == 0 {
            return self.fetch(matching.limit(limit)).await;
        }
        let page = Alias::new("page");
        let ids = matching
            .select_only()
            .column(user::Column::Id)
            .offset(offset)
            .limit(limit);
        let is_on_page = Expr::col((page.clone(), user::Column::Id)).equals((user::Entity, user::Column::Id));
        let mut users = newest_first(user::Entity::find());
        QuerySelect::query(&mut users).join_subquery(JoinType::InnerJoin, ids.into_query(), page, is_on_page);
        self.fetch(users).await
    }
    // ANCHOR_END: page

    /// At most `limit` users, newest first, that follow `position`, or from the start. The cost does not depend on it.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    // ANCHOR: after
    pub async fn after(
        &self,
        filter: &UserFilter,
        position: Option<Cursor>,
        limit: u64,
    ) -> Result<Vec<User>, PersistenceError> {
        let matching = match position {
            None => filtered(filter),
            Some(position) => filtered(filter).filter(follows(position)),
        };
        self.fetch(newest_first(matching).limit(limit)).await
    }
    // ANCHOR_END: after

    /// Changes a user and returns it as it is then, or nothing when there is none for which `precondition` holds. The
    /// statement itself decides that, so of two changes based on the same state only one takes place. Run it in a
    /// transaction: where rows cannot be returned by the statement that changes them, the row is read back.
    ///
    /// A change to the values that the user has already keeps `version` and `updated_at`.
    ///
    /// # Errors
    /// [`PersistenceError::EmailTaken`] when another user has the new address.
    pub async fn update(
        &self,
        id: UserId,
        changes: &UserChanges,
        precondition: &Precondition,
        now: Timestamp,
    ) -> Result<Option<User>, PersistenceError> {
        // ANCHOR: update
        let differs = [
            changes.name().map(|name| user::Column::Name.ne(name.as_str())),
            changes.email().map(|email| user::Column::Email.ne(email.as_str())),
        ];
        let differs = differs.into_iter().flatten().fold(Condition::any(), Condition::add);
        // MySQL assigns from left to right, and a later assignment sees the earlier ones: `version` and `updated_at` come
        // first, while `name` and `email` still hold what they are compared with.
        let mut update = user::Entity::update_many()
            .filter(guarded(id, precondition))
            .col_expr(
                user::Column::Version,
                if_differs(&differs, Expr::col(user::Column::Version).add(1), user::Column::Version),
            )
            .col_expr(
                user::Column::UpdatedAt,
                if_differs(&differs, Expr::val(now.to_utc().naive_utc()), user::Column::UpdatedAt),
            );
        if let Some(name) = changes.name() {
            update = update.col_expr(user::Column::Name, Expr::val(name.as_str()));
        }
        if let Some(email) = changes.email() {
            update = update.col_expr(user::Column::Email, Expr::val(email.as_str()));
        }
        let updated = engine::update_returning(self.0.inner(), update, user::Entity::find_by_id(id.get())).await;
        // ANCHOR_END: update
        let updated = updated.map_err(|error| self.not_written(error))?;
        updated.map(User::try_from).transpose()
    }

    /// Deletes a user; false when there is none for which `precondition` holds.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub async fn delete(&self, id: UserId, precondition: &Precondition) -> Result<bool, PersistenceError> {
        let deleted = user::Entity::delete_many()
            .filter(guarded(id, precondition))
            .exec(self.0.inner())
            .await;
        Ok(deleted.map_err(|error| self.not_written(error))?.rows_affected > 0)
    }

    /// Deletes all users.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub(crate) async fn delete_all(&self) -> Result<(), PersistenceError> {
        let deleted = user::Entity::delete_many().exec(self.0.inner()).await;
        deleted.map(|_| ()).map_err(|error| self.not_written(error))
    }

    /// All users that match, newest first, as they arrive from the database. The stream holds its connection until it is
    /// dropped.
    ///
    /// # Errors
    /// When the query cannot be started; each item may fail as well.
    // ANCHOR: stream
    pub async fn stream(
        &self,
        filter: &UserFilter,
    ) -> Result<impl Stream<Item = Result<User, PersistenceError>> + 'a, PersistenceError> {
        let rows = newest_first(filtered(filter)).stream(self.0.inner()).await?;
        Ok(rows.map(|row| User::try_from(row?)))
    }
    // ANCHOR_END: stream

    /// The statement that inserts these users, for the engine that it goes to.
    fn insertion<'u, Users>(&self, users: Users) -> Result<Statement, DbErr>
    where
        Users: ExactSizeIterator<Item = (&'u NewUser, Timestamp)> + Clone,
    {
        insert_users(self.0.inner().get_database_backend(), users)
    }

    /// Executes a statement that writes.
    async fn execute(&self, statement: Statement) -> Result<(), PersistenceError> {
        let written = self.0.inner().execute_raw(statement).await;
        written.map(|_| ()).map_err(|error| self.not_written(error))
    }

    /// Why a statement that writes did not succeed.
    fn not_written(&self, error: DbErr) -> PersistenceError {
        self.0.writing_ended_with(error.into())
    }

    async fn fetch(&self, select: Select<user::Entity>) -> Result<Vec<User>, PersistenceError> {
        let rows = self.0.inner().query_all(&select.into_query()).await?;
        rows.iter().map(|row| User::try_from(read_row(row)?)).collect()
    }
}

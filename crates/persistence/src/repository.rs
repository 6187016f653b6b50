//! The users' table in SQL, and nothing but SQL: no rule, no transaction begins or ends here.

mod bulk;

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use domain::{Cursor, Email, NewUser, Precondition, Revision, Timestamp, User, UserChanges, UserFilter, UserId};
use futures_util::{Stream, StreamExt};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, Condition, DbErr, EntityTrait, ExprTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
    sea_query::{CaseStatement, Expr, OnConflict},
};

use crate::{Executor, PersistenceError, engine, entity::user};

/// Users over any pool or transaction.
///
/// Every method is one use of the database. Let its future run to the end: the MySQL driver (sqlx 0.9) loses track of a
/// statement that is cut off while the server prepares it, and with it the connection. Dropping a transaction between two
/// statements is safe.
#[derive(Debug)]
pub struct UserRepository<'a, E: Executor>(&'a E);

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
    pub async fn insert(&self, new_user: NewUser, now: Timestamp) -> Result<User, PersistenceError> {
        // Every value but the id is known beforehand, so the row is not read back.
        let inserted = user::Entity::insert(new_row(&new_user, now))
            .exec(self.0.inner())
            .await?;
        let id = inserted.last_insert_id;
        let id = UserId::new(id).map_err(|violation| PersistenceError::InvalidRow {
            id,
            column: "id",
            violation,
        })?;
        Ok(User {
            id,
            name: new_user.name,
            email: new_user.email,
            created_at: now,
            updated_at: now,
            version: 1,
        })
    }

    /// Inserts users created at `now`, all or none, and returns them in the same order. Run it in a transaction: where rows
    /// cannot be returned by the statement that inserts them, their ids are read back by address.
    ///
    /// # Errors
    /// [`PersistenceError::EmailTaken`] when another user has one of the addresses, or two of them are equal.
    pub async fn insert_many(&self, new_users: &[NewUser], now: Timestamp) -> Result<Vec<User>, PersistenceError> {
        if new_users.is_empty() {
            return Ok(Vec::new());
        }
        let rows = new_users.iter().map(|new_user| new_row(new_user, now)).collect();
        let inserted = engine::insert_many_returning(self.0.inner(), rows, with_emails(emails_of(new_users))).await?;
        // No engine promises an order, and ids of one statement need not be consecutive: the address tells whose id is whose.
        let mut by_email = HashMap::with_capacity(inserted.len());
        for row in inserted {
            let user = User::try_from(row)?;
            by_email.insert(user.email.clone(), user);
        }
        let in_order: Option<Vec<_>> = new_users
            .iter()
            .map(|new_user| by_email.remove(&new_user.email))
            .collect();
        in_order.ok_or_else(|| PersistenceError::Other(DbErr::RecordNotInserted))
    }

    /// Inserts users with the creation times given. One whose address exists is left alone.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub(crate) async fn insert_missing(&self, users: &[(NewUser, Timestamp)]) -> Result<(), PersistenceError> {
        let rows = users
            .iter()
            .map(|(new_user, created_at)| new_row(new_user, *created_at));
        let ignore_known = OnConflict::column(user::Column::Email)
            .do_nothing_on([user::Column::Id])
            .to_owned();
        user::Entity::insert_many(rows)
            .on_conflict(ignore_known)
            .exec_without_returning(self.0.inner())
            .await?;
        Ok(())
    }

    /// Which of these addresses belong to a user.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub async fn existing_emails<'e>(
        &self,
        emails: impl IntoIterator<Item = &'e Email>,
    ) -> Result<HashSet<Email>, PersistenceError> {
        let users = with_emails(emails).all(self.0.inner()).await?;
        users
            .into_iter()
            .map(|row| User::try_from(row).map(|user| user.email))
            .collect()
    }

    /// The user with this id.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub async fn find(&self, id: UserId) -> Result<Option<User>, PersistenceError> {
        let row = user::Entity::find_by_id(id.get()).one(self.0.inner()).await?;
        row.map(User::try_from).transpose()
    }

    /// The users with these ids, in no particular order; ids without a user are passed over. At most 1000 ids.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub async fn find_many(&self, ids: &[UserId]) -> Result<Vec<User>, PersistenceError> {
        self.fetch(user::Entity::find().filter(user::Column::Id.is_in(ids.iter().map(|id| id.get()))))
            .await
    }

    /// The user with this address.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub async fn find_by_email(&self, email: &Email) -> Result<Option<User>, PersistenceError> {
        let row = user::Entity::find()
            .filter(user::Column::Email.eq(email.as_str()))
            .one(self.0.inner())
            .await?;
        row.map(User::try_from).transpose()
    }

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

    /// At most `limit` users, newest first, after passing over `offset` of them. The cost grows with the offset.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub async fn page(&self, filter: &UserFilter, offset: u64, limit: u64) -> Result<Vec<User>, PersistenceError> {
        self.fetch(newest_first(filtered(filter)).offset(offset).limit(limit))
            .await
    }

    /// At most `limit` users, newest first, that follow `position`, or from the start. The cost does not depend on it.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
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
        let updated = engine::update_returning(self.0.inner(), update, user::Entity::find_by_id(id.get())).await?;
        updated.map(User::try_from).transpose()
    }

    /// Deletes a user; false when there is none for which `precondition` holds.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub async fn delete(&self, id: UserId, precondition: &Precondition) -> Result<bool, PersistenceError> {
        Ok(user::Entity::delete_many()
            .filter(guarded(id, precondition))
            .exec(self.0.inner())
            .await?
            .rows_affected
            > 0)
    }

    /// Deletes all users.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub(crate) async fn delete_all(&self) -> Result<(), PersistenceError> {
        user::Entity::delete_many().exec(self.0.inner()).await?;
        Ok(())
    }

    /// All users that match, newest first, as they arrive from the database. The stream holds its connection until it is
    /// dropped.
    ///
    /// # Errors
    /// When the query cannot be started; each item may fail as well.
    pub async fn stream(
        &self,
        filter: &UserFilter,
    ) -> Result<impl Stream<Item = Result<User, PersistenceError>> + 'a, PersistenceError> {
        let rows = newest_first(filtered(filter)).stream(self.0.inner()).await?;
        Ok(rows.map(|row| User::try_from(row?)))
    }

    async fn fetch(&self, select: Select<user::Entity>) -> Result<Vec<User>, PersistenceError> {
        select
            .all(self.0.inner())
            .await?
            .into_iter()
            .map(User::try_from)
            .collect()
    }
}

fn new_row(new_user: &NewUser, created_at: Timestamp) -> user::ActiveModel {
    user::ActiveModel {
        id: NotSet,
        name: Set(new_user.name.as_str().to_owned()),
        email: Set(new_user.email.as_str().to_owned()),
        created_at: Set(created_at.to_utc().naive_utc()),
        updated_at: Set(created_at.to_utc().naive_utc()),
        version: Set(1),
    }
}

fn emails_of(new_users: &[NewUser]) -> impl Iterator<Item = &Email> {
    new_users.iter().map(|new_user| &new_user.email)
}

fn with_emails<'e>(emails: impl IntoIterator<Item = &'e Email>) -> Select<user::Entity> {
    user::Entity::find().filter(user::Column::Email.is_in(emails.into_iter().map(Email::as_str)))
}

fn filtered(filter: &UserFilter) -> Select<user::Entity> {
    let email = filter
        .email
        .as_ref()
        .map(|email| user::Column::Email.eq(email.as_str()));
    user::Entity::find().filter(Condition::all().add_option(email))
}

/// The user with this id, in a state that meets the precondition.
fn guarded(id: UserId, precondition: &Precondition) -> Condition {
    let is_user = Condition::all().add(user::Column::Id.eq(id.get()));
    match precondition {
        Precondition::None => is_user,
        Precondition::OneOf(revisions) => {
            let of_this_user = revisions.iter().filter(|revision| revision.id == id);
            // Where there is no state to be in, no row may match; an empty `any` would match all.
            let any = of_this_user.fold(Condition::any().add(Expr::val(1).eq(0)), |any, revision| {
                any.add(is_in(revision))
            });
            is_user.add(any)
        }
    }
}

/// A row in this state. The time is compared as a range of a microsecond because SQLite compares it as text, in which a row
/// written by hand may have zeros at the end that the driver leaves out.
fn is_in(revision: &Revision) -> Condition {
    let created_at = revision.created_at.to_utc().naive_utc();
    Condition::all()
        .add(user::Column::Version.eq(revision.version))
        .add(user::Column::CreatedAt.gte(created_at))
        .add(user::Column::CreatedAt.lt(created_at + Duration::from_micros(1)))
}

fn newest_first(select: Select<user::Entity>) -> Select<user::Entity> {
    select
        .order_by_desc(user::Column::CreatedAt)
        .order_by_desc(user::Column::Id)
}

/// Rows behind `position` in the order of the list.
///
/// `(created_at, id) < (?, ?)` would say the same, but MySQL and MariaDB answer it by scanning the index from its start.
/// Written like this, the first condition bounds the range of the index that is read.
fn follows(position: Cursor) -> Condition {
    let created_at = position.created_at.to_utc().naive_utc();
    let within = user::Column::CreatedAt
        .lt(created_at)
        .or(user::Column::Id.lt(position.id.get()));
    Condition::all()
        .add(user::Column::CreatedAt.lte(created_at))
        .add(within)
}

fn if_differs(differs: &Condition, changed: Expr, column: user::Column) -> Expr {
    CaseStatement::new()
        .case(differs.clone(), changed)
        .finally(Expr::col(column))
        .into()
}

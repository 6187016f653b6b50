//! The users' table in SQL, and nothing but SQL: no rule, no transaction begins or ends here.

mod bulk;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use domain::{Cursor, Email, NewUser, Precondition, Revision, Timestamp, User, UserChanges, UserFilter, UserId};
use futures_util::{Stream, StreamExt};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, Condition, ConnectionTrait, DbBackend, DbErr, EntityTrait, ExprTrait, JoinType, PaginatorTrait,
    QueryFilter, QueryOrder, QueryResult, QuerySelect, QueryTrait, Select, Statement,
    sea_query::{Alias, CaseStatement, Expr, InsertStatement, OnConflict, Query},
};

use crate::{Executor, PersistenceError, engine, entity::user};

/// The version of a user that has never been changed.
const FIRST_VERSION: i64 = 1;

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
        let inserted = user::Entity::insert(new_row(&new_user, now))
            .exec(self.0.inner())
            .await?;
        created(new_user, inserted.last_insert_id, now)
    }

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
        let insert = insert_rows(new_users.iter().map(|new_user| (new_user, now)))?;
        let read_back = || {
            let rows = with_emails(emails_of(new_users)).select_only().columns(RETURNED);
            rows.into_query()
        };
        let inserted = engine::insert_returning(self.0, insert, &RETURNED, read_back).await?;
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
        let insert = insert_rows(users.iter().map(|(new_user, created_at)| (new_user, *created_at)))?;
        self.0.inner().execute(&insert).await?;
        Ok(())
    }

    /// Inserts users with the creation times given. One whose address exists is left alone.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub(crate) async fn insert_missing(&self, users: &[(NewUser, Timestamp)]) -> Result<(), PersistenceError> {
        let ignore_known = OnConflict::column(user::Column::Email)
            .do_nothing_on([user::Column::Id])
            .to_owned();
        let mut insert = insert_rows(users.iter().map(|(new_user, created_at)| (new_user, *created_at)))?;
        self.0.inner().execute(insert.on_conflict(ignore_known)).await?;
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
        let row = user::Entity::find_by_id(id.get()).one(self.0.inner()).await?;
        row.map(User::try_from).transpose()
    }

    /// The users with these ids, by id; ids without a user are left out. A row that breaks a rule of the domain fails alone.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
    pub async fn find_each(
        &self,
        ids: &[UserId],
    ) -> Result<HashMap<UserId, Result<User, PersistenceError>>, PersistenceError> {
        let connection = self.0.inner();
        let rows = connection
            .query_all_raw(select_by_ids(connection.get_database_backend(), ids))
            .await?;
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

    /// At most `limit` users, newest first, after passing over `offset` of them. The cost grows with the offset, at the rate
    /// at which an index is read: rows are passed over as entries of the index that has the order of the list, and only those
    /// of the page are looked up in the table.
    ///
    /// # Errors
    /// When the database is unavailable or refuses.
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
        let rows = self.0.inner().query_all(&select.into_query()).await?;
        rows.iter().map(|row| User::try_from(read_row(row)?)).collect()
    }
}

fn new_row(new_user: &NewUser, created_at: Timestamp) -> user::ActiveModel {
    user::ActiveModel {
        id: NotSet,
        name: Set(new_user.name.as_str().to_owned()),
        email: Set(new_user.email.as_str().to_owned()),
        created_at: Set(created_at.to_utc().naive_utc()),
        updated_at: Set(created_at.to_utc().naive_utc()),
        version: Set(FIRST_VERSION),
    }
}

/// The statement that inserts these users. It is written here and not left to the entity, because in a batch the way of each
/// value through an active model costs more than all the rest.
fn insert_rows<'u>(users: impl Iterator<Item = (&'u NewUser, Timestamp)>) -> Result<InsertStatement, PersistenceError> {
    let mut insert = Query::insert();
    insert.into_table(user::Entity).columns([
        user::Column::Name,
        user::Column::Email,
        user::Column::CreatedAt,
        user::Column::UpdatedAt,
        user::Column::Version,
    ]);
    for (new_user, created_at) in users {
        let created_at = created_at.to_utc().naive_utc();
        let row = [
            Expr::val(new_user.name.as_str()),
            Expr::val(new_user.email.as_str()),
            Expr::val(created_at),
            Expr::val(created_at),
            Expr::val(FIRST_VERSION),
        ];
        // As many values as columns, so nothing can be refused.
        insert.values(row).map_err(|error| DbErr::Custom(error.to_string()))?;
    }
    Ok(insert)
}

/// A user that was just inserted. Every value but the id was known beforehand, so the row is not read back.
fn created(new_user: NewUser, id: i64, now: Timestamp) -> Result<User, PersistenceError> {
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
        version: FIRST_VERSION,
    })
}

/// Selects the users with these ids. The last of them stands as often as makes one of a few lengths, because every length of
/// the list is a statement of its own, which each connection prepares once and keeps. Its text is written once as well.
fn select_by_ids(backend: DbBackend, ids: &[UserId]) -> Statement {
    static TEXTS: RwLock<Vec<(DbBackend, usize, Arc<str>)>> = RwLock::new(Vec::new());

    let length = ids.len().next_power_of_two();
    let known = {
        let texts = TEXTS.read().unwrap_or_else(PoisonError::into_inner);
        let known = texts.iter().find(|(known, of, _)| (*known, *of) == (backend, length));
        known.map(|(_, _, text)| text.clone())
    };
    let text = known.unwrap_or_else(|| {
        let any = user::Entity::find().filter(user::Column::Id.is_in(vec![0; length]));
        let text: Arc<str> = any.build(backend).sql.into();
        let mut texts = TEXTS.write().unwrap_or_else(PoisonError::into_inner);
        texts.push((backend, length, text.clone()));
        text
    });
    let last = ids.last().copied();
    let padded = ids.iter().copied().chain(last.into_iter().cycle()).take(length);
    Statement::from_sql_and_values(backend, &*text, padded.map(|id| id.get().into()))
}

/// Reads the columns in the order of the entity, which is the order in which they are selected. By name, each would be
/// looked up in each row.
fn read_row(row: &QueryResult) -> Result<user::Model, DbErr> {
    Ok(user::Model {
        id: row.try_get_by_index(0)?,
        name: row.try_get_by_index(1)?,
        email: row.try_get_by_index(2)?,
        created_at: row.try_get_by_index(3)?,
        updated_at: row.try_get_by_index(4)?,
        version: row.try_get_by_index(5)?,
    })
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

//! The pieces that statements about users are made of.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use domain::{Cursor, Email, NewUser, Precondition, Revision, Timestamp, User, UserFilter, UserId};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, Condition, DbBackend, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QueryResult, QueryTrait,
    Select, Statement,
    sea_query::{CaseStatement, Expr, InsertStatement, Query},
};

use crate::{PersistenceError, entity::user};

/// The version of a user that has never been changed.
const FIRST_VERSION: i64 = 1;

pub(super) fn new_row(new_user: &NewUser, created_at: Timestamp) -> user::ActiveModel {
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
pub(super) fn insert_rows<'u>(
    users: impl Iterator<Item = (&'u NewUser, Timestamp)>,
) -> Result<InsertStatement, PersistenceError> {
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
pub(super) fn created(new_user: NewUser, id: i64, now: Timestamp) -> Result<User, PersistenceError> {
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
pub(super) fn select_by_ids(backend: DbBackend, ids: &[UserId]) -> Statement {
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
pub(super) fn read_row(row: &QueryResult) -> Result<user::Model, DbErr> {
    Ok(user::Model {
        id: row.try_get_by_index(0)?,
        name: row.try_get_by_index(1)?,
        email: row.try_get_by_index(2)?,
        created_at: row.try_get_by_index(3)?,
        updated_at: row.try_get_by_index(4)?,
        version: row.try_get_by_index(5)?,
    })
}

pub(super) fn emails_of(new_users: &[NewUser]) -> impl Iterator<Item = &Email> {
    new_users.iter().map(|new_user| &new_user.email)
}

pub(super) fn with_emails<'e>(emails: impl IntoIterator<Item = &'e Email>) -> Select<user::Entity> {
    user::Entity::find().filter(user::Column::Email.is_in(emails.into_iter().map(Email::as_str)))
}

pub(super) fn filtered(filter: &UserFilter) -> Select<user::Entity> {
    let email = filter
        .email
        .as_ref()
        .map(|email| user::Column::Email.eq(email.as_str()));
    user::Entity::find().filter(Condition::all().add_option(email))
}

/// The user with this id, in a state that meets the precondition.
pub(super) fn guarded(id: UserId, precondition: &Precondition) -> Condition {
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

pub(super) fn newest_first(select: Select<user::Entity>) -> Select<user::Entity> {
    select
        .order_by_desc(user::Column::CreatedAt)
        .order_by_desc(user::Column::Id)
}

/// Rows behind `position` in the order of the list.
///
/// `(created_at, id) < (?, ?)` would say the same, but MySQL and MariaDB answer it by scanning the index from its start.
/// Written like this, the first condition bounds the range of the index that is read.
pub(super) fn follows(position: Cursor) -> Condition {
    let created_at = position.created_at.to_utc().naive_utc();
    let within = user::Column::CreatedAt
        .lt(created_at)
        .or(user::Column::Id.lt(position.id.get()));
    Condition::all()
        .add(user::Column::CreatedAt.lte(created_at))
        .add(within)
}

pub(super) fn if_differs(differs: &Condition, changed: Expr, column: user::Column) -> Expr {
    CaseStatement::new()
        .case(differs.clone(), changed)
        .finally(Expr::col(column))
        .into()
}

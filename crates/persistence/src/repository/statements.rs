//! The pieces that statements about users are made of.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use domain::{Cursor, Email, NewUser, Precondition, Revision, Timestamp, User, UserFilter, UserId};
use sea_orm::{
    ColumnTrait, Condition, DbBackend, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QueryResult, QueryTrait,
    Select, Statement, Value,
    sea_query::{CaseStatement, Expr, InsertStatement, Query},
};

use crate::{PersistenceError, engine, entity::user};

/// The version of a user that has never been changed.
const FIRST_VERSION: i64 = 1;

/// The texts of statements that are the same but for a number. Building one takes longer than all else that is done for it
/// here, so the last are kept.
struct Texts(RwLock<Kept>);

struct Kept {
    texts: Vec<(Kind, Arc<str>)>,
    /// Which has been there the longest.
    oldest: usize,
}

/// The engine, and how many rows.
type Kind = (DbBackend, usize);

impl Texts {
    /// How many are kept: of one engine all that requests share, and of batches, which may have any size, some.
    const MAX_KEPT: usize = 64;

    const fn new() -> Self {
        Self(RwLock::new(Kept {
            texts: Vec::new(),
            oldest: 0,
        }))
    }

    /// The text of this kind, which `build` builds where it is not known.
    fn get(&self, kind: Kind, build: impl FnOnce() -> Result<String, DbErr>) -> Result<Arc<str>, DbErr> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).find(kind);
        if let Some(known) = known {
            return Ok(known);
        }
        let text = build()?.into();
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        // Somebody else may have been faster.
        Ok(kept.find(kind).unwrap_or_else(|| kept.keep(kind, text)))
    }
}

impl Kept {
    fn find(&self, kind: Kind) -> Option<Arc<str>> {
        let known = self.texts.iter().find(|(of, _)| *of == kind);
        known.map(|(_, text)| text.clone())
    }

    fn keep(&mut self, kind: Kind, text: Arc<str>) -> Arc<str> {
        let entry = (kind, text.clone());
        if self.texts.len() < Texts::MAX_KEPT {
            self.texts.push(entry);
        } else if let Some(oldest) = self.texts.get_mut(self.oldest) {
            *oldest = entry;
            self.oldest = (self.oldest + 1) % Texts::MAX_KEPT;
        }
        text
    }
}

/// The statement that inserts these users. Its text is kept.
pub(super) fn insert_users<'u, Users>(backend: DbBackend, users: Users) -> Result<Statement, DbErr>
where
    Users: ExactSizeIterator<Item = (&'u NewUser, Timestamp)> + Clone,
{
    static TEXTS: Texts = Texts::new();

    // ANCHOR: insert-users
    let text = TEXTS.get((backend, users.len()), || {
        Ok(backend.build(&insert_rows(backend, users.clone())?).sql)
    })?;
    let values = users.flat_map(|(new_user, created_at)| row_values(backend, new_user, created_at));
    Ok(Statement::from_sql_and_values(backend, &*text, values))
    // ANCHOR_END: insert-users
}

/// The same, built anew, as a statement to which a clause can be added.
pub(super) fn insert_rows<'u>(
    backend: DbBackend,
    users: impl Iterator<Item = (&'u NewUser, Timestamp)>,
) -> Result<InsertStatement, DbErr> {
    let mut insert = Query::insert();
    insert.into_table(user::Entity).columns([
        user::Column::Name,
        user::Column::Email,
        user::Column::CreatedAt,
        user::Column::UpdatedAt,
        user::Column::Version,
    ]);
    for (new_user, created_at) in users {
        let values = insert.values(row_values(backend, new_user, created_at).map(Expr::val));
        // As many values as columns, so nothing can be refused.
        values.map_err(|error| DbErr::Custom(error.to_string()))?;
    }
    Ok(insert)
}

/// A row that is inserted. It is written here and not left to the entity, because in a batch the way of each value through
/// an active model costs more than all the rest.
fn row_values(backend: DbBackend, new_user: &NewUser, created_at: Timestamp) -> [Value; 5] {
    let created_at = engine::time_value(backend, created_at);
    [
        new_user.name.as_str().into(),
        new_user.email.as_str().into(),
        created_at.clone(),
        created_at,
        FIRST_VERSION.into(),
    ]
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
/// the list is a statement of its own, which each connection prepares once and keeps.
pub(super) fn select_by_ids(backend: DbBackend, ids: &[UserId]) -> Result<Statement, DbErr> {
    static TEXTS: Texts = Texts::new();

    let length = ids.len().next_power_of_two();
    let text = TEXTS.get((backend, length), || {
        let any = user::Entity::find().filter(user::Column::Id.is_in(vec![0; length]));
        Ok(any.build(backend).sql)
    })?;
    let last = ids.last().copied();
    let padded = ids.iter().copied().chain(last.into_iter().cycle()).take(length);
    Ok(Statement::from_sql_and_values(
        backend,
        &*text,
        padded.map(|id| id.get().into()),
    ))
}

/// Reads the columns in the order of the entity, which is the order in which they are selected. By name, each would be
/// looked up in each row.
pub(super) fn read_row(row: &QueryResult) -> Result<user::Model, DbErr> {
    Ok(user::Model {
        id: row.try_get_by_index(0)?,
        name: row.try_get_by_index(1)?,
        email: row.try_get_by_index(2)?,
        created_at: engine::read_time(row, 3)?,
        updated_at: engine::read_time(row, 4)?,
        version: row.try_get_by_index(5)?,
    })
}

pub(super) fn emails_of(new_users: &[NewUser]) -> impl Iterator<Item = &Email> {
    new_users.iter().map(|new_user| &new_user.email)
}

pub(super) fn with_emails<'e>(emails: impl IntoIterator<Item = &'e Email>) -> Select<user::Entity> {
    user::Entity::find().filter(user::Column::Email.is_in(emails.into_iter().map(Email::as_str)))
}

// ANCHOR: filtered
pub(super) fn filtered(filter: &UserFilter) -> Select<user::Entity> {
    let email = filter
        .email
        .as_ref()
        .map(|email| user::Column::Email.eq(email.as_str()));
    user::Entity::find().filter(Condition::all().add_option(email))
}
// ANCHOR_END: filtered

// ANCHOR: guarded
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
// ANCHOR_END: guarded

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

// ANCHOR: follows
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
// ANCHOR_END: follows

pub(super) fn if_differs(differs: &Condition, changed: Expr, column: user::Column) -> Expr {
    CaseStatement::new()
        .case(differs.clone(), changed)
        .finally(Expr::col(column))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(texts: &Texts) -> usize {
        texts.0.read().unwrap().texts.len()
    }

    fn text(texts: &Texts, backend: DbBackend, length: usize) -> String {
        let text = texts.get((backend, length), || Ok(format!("{backend:?} {length}")));
        text.unwrap().to_string()
    }

    #[test]
    fn a_text_is_built_once_for_each_engine_and_length() {
        let texts = Texts::new();
        for backend in [DbBackend::Sqlite, DbBackend::MySql] {
            for length in [1, 2] {
                assert_eq!(text(&texts, backend, length), format!("{backend:?} {length}"));
                let again = texts.get((backend, length), || panic!("built again"));
                assert_eq!(&*again.unwrap(), format!("{backend:?} {length}"));
            }
        }
        assert_eq!(kept(&texts), 4);
    }

    #[test]
    fn a_new_text_takes_the_place_of_the_oldest_when_there_are_too_many() {
        let texts = Texts::new();
        for length in 1..=3 * Texts::MAX_KEPT {
            assert_eq!(text(&texts, DbBackend::Sqlite, length), format!("Sqlite {length}"));
            let last = texts.get((DbBackend::Sqlite, length), || panic!("the newest is not kept"));
            assert!(last.is_ok());
        }
        assert_eq!(kept(&texts), Texts::MAX_KEPT);
    }
}

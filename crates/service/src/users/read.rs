//! Reading users: one, a page, a piece of a walk.

use std::collections::HashMap;

use domain::{Cursor, Page, PageRequest, PageSize, Slice, User, UserFilter, UserId};
use persistence::{Database, PersistenceError, UserRepository};

use super::UserService;
use crate::{UserError, coalesce::ReadTogether, user_count::UserCount};

impl UserService {
    /// The user with this id.
    ///
    /// # Errors
    /// [`UserError::NotFound`].
    pub async fn get(&self, id: UserId) -> Result<User, UserError> {
        let found = if let Some(by_id) = &self.by_id {
            by_id.get(id).await?.transpose()?
        } else {
            let database = self.database.clone();
            let work = async move { Ok::<_, UserError>(UserRepository::new(database.reader()).find(id).await?) };
            self.runtime.run(work).await?
        };
        found.ok_or(UserError::NotFound(id))
    }

    /// A page of the list by its number, with the size of the whole list. Past the end it is empty.
    ///
    /// # Errors
    /// When the database cannot serve it.
    pub async fn page(&self, filter: UserFilter, request: PageRequest) -> Result<Page, UserError> {
        let (offset, size) = (request.offset(), request.size);
        let (database, of_page) = (self.database.clone(), filter.clone());
        let work = async move {
            let repository = UserRepository::new(database.reader());
            Ok::<_, UserError>(repository.page(&of_page, offset, one_more(size)).await?)
        };
        let Slice { users, next } = slice(self.runtime.run(work).await?, size);
        // The count may see writes that the page did not: each answer is true, of two moments.
        // A page that is neither full nor empty shows the end of the list; only else it has to be counted.
        let seen = offset + users.len() as u64;
        let ends_here = next.is_none() && (seen > offset || offset == 0);
        let total = if ends_here {
            seen
        } else {
            // Another instance may have added users since the table was counted: a page must not disprove its own total.
            let shown = if users.is_empty() {
                0
            } else {
                seen + u64::from(next.is_some())
            };
            self.total(filter).await?.max(shown)
        };
        Ok(Page { users, total, next })
    }

    /// The piece of the list that follows `position`, or its start.
    ///
    /// # Errors
    /// When the database cannot serve it.
    pub async fn after(
        &self,
        filter: UserFilter,
        position: Option<Cursor>,
        size: PageSize,
    ) -> Result<Slice, UserError> {
        let database = self.database.clone();
        let work = async move {
            let repository = UserRepository::new(database.reader());
            Ok(slice(repository.after(&filter, position, one_more(size)).await?, size))
        };
        self.runtime.run(work).await
    }

    /// How many users match.
    async fn total(&self, filter: UserFilter) -> Result<u64, UserError> {
        if filter != UserFilter::default() {
            let database = self.database.clone();
            let work = async move { Ok(UserRepository::new(database.reader()).count(&filter).await?) };
            return self.runtime.run(work).await;
        }
        if let Some(users) = self.count.recent() {
            return Ok(users);
        }
        if let Some(counts) = &self.counts {
            // There is always a number.
            return Ok(counts.get(()).await?.unwrap_or_default());
        }
        let all = AllUsers::new(self.database.clone(), self.count.clone());
        self.runtime.run(async move { all.count().await }).await
    }
}

/// Users, read by id.
pub(super) struct UsersById(Database);

impl UsersById {
    pub(super) fn new(database: Database) -> Self {
        Self(database)
    }
}

impl ReadTogether for UsersById {
    type Key = UserId;
    type Found = Result<User, PersistenceError>;
    type Error = UserError;

    async fn read(&self, ids: Vec<UserId>) -> Result<HashMap<UserId, Self::Found>, UserError> {
        Ok(UserRepository::new(self.0.reader()).find_each(&ids).await?)
    }
}

/// The number of all users.
pub(super) struct AllUsers {
    database: Database,
    count: UserCount,
}

impl AllUsers {
    pub(super) fn new(database: Database, count: UserCount) -> Self {
        Self { database, count }
    }

    /// Counts them, and notes their number for others if it can be kept.
    async fn count(&self) -> Result<u64, UserError> {
        let counting = self.count.begin_counting();
        let repository = UserRepository::new(self.database.reader());
        let users = repository.count(&UserFilter::default()).await?;
        counting.end(users);
        Ok(users)
    }
}

impl ReadTogether for AllUsers {
    type Key = ();
    type Found = u64;
    type Error = UserError;

    async fn read(&self, _: Vec<()>) -> Result<HashMap<(), u64>, UserError> {
        Ok(HashMap::from([((), self.count().await?)]))
    }
}

/// One user more than asked for tells whether the list goes on.
fn one_more(size: PageSize) -> u64 {
    u64::from(size.get()) + 1
}

fn slice(mut users: Vec<User>, size: PageSize) -> Slice {
    let size = usize::from(size.get());
    let goes_on = users.len() > size;
    users.truncate(size);
    let next = users.last().filter(|_| goes_on).map(Cursor::from);
    Slice { users, next }
}

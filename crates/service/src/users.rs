//! Everything that can be done with users.
//!
//! A use case that is one statement needs no transaction: the database makes a statement whole or not at all. Where two
//! statements must agree, the transaction begins and ends here.

use domain::{
    Cursor, NewUser, Page, PageRequest, PageSize, Slice, Timestamp, User, UserBatch, UserChanges, UserFilter, UserId,
};
use persistence::{Database, PersistenceError, UserRepository};

use crate::{Counter, Counters, DatabaseRuntime, MAX_RETRIES, UserError, retry, runtime::Caller};

/// The use cases around users. Cloning shares the database.
///
/// Every method that ends with an error has left nothing behind. A future of theirs that is dropped has no effect either,
/// unless its COMMIT was on its way; [`create`](Self::create), a single statement, may then have happened all the same.
#[derive(Clone, Debug)]
pub struct UserService {
    database: Database,
    runtime: DatabaseRuntime,
    counters: Counters,
}

impl UserService {
    /// Use cases over `database`, which run on `runtime`.
    #[must_use]
    pub fn new(database: Database, runtime: DatabaseRuntime) -> Self {
        Self {
            database,
            runtime,
            counters: Counters::default(),
        }
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What a task of its own needs of this.
    fn parts(&self) -> (Database, Counter) {
        (self.database.clone(), self.counters.transaction_retries.clone())
    }

    /// Creates a user.
    ///
    /// # Errors
    /// [`UserError::EmailTaken`], decided by the unique index.
    pub async fn create(&self, new_user: NewUser) -> Result<User, UserError> {
        let (database, retries) = self.parts();
        let work = async move {
            let users = UserRepository::new(database.writer());
            Ok(retry(&retries, || users.insert(new_user.clone(), Timestamp::now())).await?)
        };
        self.runtime.run(work).await
    }

    /// Creates all users of a batch, in one transaction, and returns them in the same order; or none.
    ///
    /// # Errors
    /// [`UserError::EmailsTaken`] with every user of the batch whose address is not free.
    pub async fn create_many(&self, batch: UserBatch) -> Result<Vec<User>, UserError> {
        let (database, retries) = self.parts();
        let work = |caller: Caller| async move {
            // Usually the batch is inserted at once. Only when the unique index objects are the conflicts looked up, and
            // when they are gone by then, their users deleted meanwhile, the batch is tried again.
            for _ in 0..=MAX_RETRIES {
                if batch.conflicts(&[].into()).is_empty() {
                    match retry(&retries, || insert_all(&database, &batch, &caller)).await {
                        Err(PersistenceError::EmailTaken) => {}
                        outcome => return Ok(outcome?),
                    }
                }
                let conflicts = find_conflicts(&database, &batch).await?;
                if !conflicts.is_empty() {
                    return Err(UserError::EmailsTaken(conflicts));
                }
            }
            // Users with these addresses come and go faster than we can look. Nobody is to blame; later it may work.
            Err(UserError::DatabaseUnavailable(PersistenceError::EmailTaken))
        };
        self.runtime.run_for_caller(work).await
    }

    /// The user with this id.
    ///
    /// # Errors
    /// [`UserError::NotFound`].
    pub async fn get(&self, id: UserId) -> Result<User, UserError> {
        let database = self.database.clone();
        let work = async move {
            let found = UserRepository::new(database.reader()).find(id).await?;
            found.ok_or(UserError::NotFound(id))
        };
        self.runtime.run(work).await
    }

    /// A page of the list by its number, with the size of the whole list. Past the end it is empty.
    ///
    /// # Errors
    /// When the database cannot serve it.
    pub async fn page(&self, filter: UserFilter, request: PageRequest) -> Result<Page, UserError> {
        let database = self.database.clone();
        let work = async move {
            let repository = UserRepository::new(database.reader());
            let (offset, size) = (request.offset(), request.size);
            let found = repository.page(&filter, offset, one_more(size)).await?;
            let Slice { users, next } = slice(found, size);
            // The count may see writes that the page did not: each answer is true, of two moments.
            // A page that is neither full nor empty shows the end of the list; only else it has to be counted.
            let seen = offset + users.len() as u64;
            let ends_here = next.is_none() && (seen > offset || offset == 0);
            let total = if ends_here {
                seen
            } else {
                repository.count(&filter).await?
            };
            Ok(Page { users, total, next })
        };
        self.runtime.run(work).await
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

    /// Changes a user and returns it as it is then.
    ///
    /// # Errors
    /// [`UserError::NotFound`], or [`UserError::EmailTaken`] when another user has the new address.
    pub async fn update(&self, id: UserId, changes: UserChanges) -> Result<User, UserError> {
        let (database, retries) = self.parts();
        let work = |caller: Caller| async move {
            let updated = retry(&retries, || update(&database, id, &changes, &caller)).await?;
            updated.ok_or(UserError::NotFound(id))
        };
        self.runtime.run_for_caller(work).await
    }

    /// Deletes a user.
    ///
    /// # Errors
    /// [`UserError::NotFound`].
    pub async fn delete(&self, id: UserId) -> Result<(), UserError> {
        let (database, retries) = self.parts();
        let work = |caller: Caller| async move {
            let deleted = retry(&retries, || delete(&database, id, &caller)).await?;
            if deleted { Ok(()) } else { Err(UserError::NotFound(id)) }
        };
        self.runtime.run_for_caller(work).await
    }
}

async fn insert_all(database: &Database, batch: &UserBatch, caller: &Caller) -> Result<Vec<User>, PersistenceError> {
    let transaction = database.begin().await?;
    let users = UserRepository::new(&transaction)
        .insert_many(batch.users(), Timestamp::now())
        .await?;
    caller.commit(transaction).await?;
    Ok(users)
}

/// The change and the reading of its result must agree, and on some engines are two statements.
async fn update(
    database: &Database,
    id: UserId,
    changes: &UserChanges,
    caller: &Caller,
) -> Result<Option<User>, PersistenceError> {
    let transaction = database.begin().await?;
    let updated = UserRepository::new(&transaction)
        .update(id, changes, Timestamp::now())
        .await?;
    caller.commit(transaction).await?;
    Ok(updated)
}

/// One statement, and yet a transaction: what a caller gave up on while it waited for a lock must not happen afterwards. (A
/// create does without: it waits for no row's lock, and round trips count.)
async fn delete(database: &Database, id: UserId, caller: &Caller) -> Result<bool, PersistenceError> {
    let transaction = database.begin().await?;
    let deleted = UserRepository::new(&transaction).delete(id).await?;
    caller.commit(transaction).await?;
    Ok(deleted)
}

async fn find_conflicts(database: &Database, batch: &UserBatch) -> Result<Vec<usize>, PersistenceError> {
    let emails = batch.users().iter().map(|user| &user.email);
    let taken = UserRepository::new(database.writer()).existing_emails(emails).await?;
    Ok(batch.conflicts(&taken))
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

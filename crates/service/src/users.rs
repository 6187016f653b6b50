//! Everything that can be done with users.
//!
//! A use case that is one statement needs no transaction: the database makes a statement whole or not at all. Where two
//! statements must agree, the transaction begins and ends here.

use std::time::Duration;

use domain::{
    Cursor, NewUser, Page, PageRequest, PageSize, Precondition, Slice, Timestamp, User, UserBatch, UserChanges,
    UserFilter, UserId,
};
use persistence::{Database, PersistenceError, Transaction, UserRepository};

use crate::{
    Caller, Counter, Counters, DatabaseRuntime, IdempotentRequest, KeptOnce, MAX_RETRIES, UserError,
    idempotency::{Idempotency, OnceWork, Turn},
    retry,
};

/// How long an idempotency key is remembered unless told otherwise.
const IDEMPOTENCY_TIME_TO_LIVE: Duration = Duration::from_hours(24);

/// The use cases around users. Cloning shares the database.
///
/// Every method that ends with an error has left nothing behind. A future of theirs that is dropped has no effect either,
/// unless its COMMIT was on its way. The exception is [`create`](Self::create): it is a single statement, which nobody can
/// call back once it waits for its connection, so it may still happen after its future was dropped. Where that matters,
/// [`create_once`](Self::create_once) can be asked again.
#[derive(Clone, Debug)]
pub struct UserService {
    database: Database,
    runtime: DatabaseRuntime,
    idempotency: Idempotency,
    counters: Counters,
}

impl UserService {
    /// Use cases over `database`, which run on `runtime`.
    #[must_use]
    pub fn new(database: Database, runtime: DatabaseRuntime) -> Self {
        let counters = Counters::default();
        let idempotency = Idempotency::new(
            database.clone(),
            runtime.clone(),
            counters.clone(),
            IDEMPOTENCY_TIME_TO_LIVE,
        );
        Self {
            database,
            runtime,
            idempotency,
            counters,
        }
    }

    /// The same use cases, which remember an idempotency key for this long; 24 hours without it.
    #[must_use]
    pub fn with_idempotency_time_to_live(self, time_to_live: Duration) -> Self {
        let (database, runtime) = (self.database.clone(), self.runtime.clone());
        Self {
            idempotency: Idempotency::new(database, runtime, self.counters.clone(), time_to_live),
            ..self
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

    /// What an import or an export needs of this.
    pub(crate) fn transfer_parts(&self) -> (Database, DatabaseRuntime, Counters) {
        (self.database.clone(), self.runtime.clone(), self.counters.clone())
    }

    /// Creates a user.
    ///
    /// # Errors
    /// [`UserError::EmailTaken`], decided by the unique index.
    pub async fn create(&self, new_user: NewUser) -> Result<User, UserError> {
        let (database, retries) = self.parts();
        let work = |caller: Caller| async move {
            let users = UserRepository::new(database.writer());
            let insert = || async {
                // A conflict is no reason to go on for somebody who has gone.
                if caller.is_gone() {
                    return Err(PersistenceError::Abandoned);
                }
                users.insert(new_user.clone(), Timestamp::now()).await
            };
            Ok(retry(&retries, insert).await?)
        };
        self.runtime.run_for_caller(work).await
    }

    /// Creates a user once, however often `request` is made. `to_answer` writes what is to be answered, and kept.
    ///
    /// # Errors
    /// As for [`create`](Self::create), [`UserError::IdempotencyKeyReused`], and [`UserError::IdempotencyInProgress`] when
    /// the first request has not ended within two seconds.
    pub async fn create_once(
        &self,
        request: IdempotentRequest,
        new_user: NewUser,
        to_answer: fn(User) -> Vec<u8>,
    ) -> Result<KeptOnce, UserError> {
        let work = CreateOne { new_user, to_answer };
        let in_turn = |turn: Turn| async move { turn.once(&work).await };
        self.idempotency.in_turn(request, in_turn).await
    }

    /// Creates all users of a batch, in one transaction, and returns them in the same order; or none.
    ///
    /// # Errors
    /// [`UserError::EmailsTaken`] with every user of the batch whose address is not free.
    pub async fn create_many(&self, batch: UserBatch) -> Result<Vec<User>, UserError> {
        let (database, retries) = self.parts();
        let work = |caller: Caller| async move {
            let insert = || async { Ok(retry(&retries, || insert_all(&database, &batch, &caller)).await?) };
            unless_taken(&database, &batch, insert).await
        };
        self.runtime.run_for_caller(work).await
    }

    /// Creates all users of a batch once, however often `request` is made. `to_answer` writes what is to be answered, and
    /// kept.
    ///
    /// # Errors
    /// As for [`create_many`](Self::create_many), and those of [`create_once`](Self::create_once) about the key.
    pub async fn create_many_once(
        &self,
        request: IdempotentRequest,
        batch: UserBatch,
        to_answer: fn(Vec<User>) -> Vec<u8>,
    ) -> Result<KeptOnce, UserError> {
        let database = self.database.clone();
        let work = CreateMany { batch, to_answer };
        let in_turn = |turn: Turn| async move { unless_taken(&database, &work.batch, || turn.once(&work)).await };
        self.idempotency.in_turn(request, in_turn).await
    }

    /// Forgets idempotency keys whose time is over, and returns how many those were. Keys that are over do not count even
    /// if nobody ever calls this: it only frees their space. Dropping the future stops it between two statements.
    ///
    /// # Errors
    /// When the database cannot serve it.
    pub async fn sweep_idempotency_keys(&self) -> Result<u64, UserError> {
        self.idempotency.sweep().await
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
    /// [`UserError::NotFound`], [`UserError::PreconditionFailed`] when the user is in another state than `precondition`
    /// says, or [`UserError::EmailTaken`] when another user has the new address.
    pub async fn update(
        &self,
        id: UserId,
        changes: UserChanges,
        precondition: Precondition,
    ) -> Result<User, UserError> {
        let (database, retries) = self.parts();
        let work = |caller: Caller| async move {
            retry(&retries, || update(&database, id, &changes, &precondition, &caller))
                .await?
                .map_err(|unmet| unmet.into_error(id))
        };
        self.runtime.run_for_caller(work).await
    }

    /// Deletes a user.
    ///
    /// # Errors
    /// [`UserError::NotFound`], or [`UserError::PreconditionFailed`] when the user is in another state than `precondition`
    /// says.
    pub async fn delete(&self, id: UserId, precondition: Precondition) -> Result<(), UserError> {
        let (database, retries) = self.parts();
        let work = |caller: Caller| async move {
            retry(&retries, || delete(&database, id, &precondition, &caller))
                .await?
                .map_err(|unmet| unmet.into_error(id))
        };
        self.runtime.run_for_caller(work).await
    }
}

/// A create that is done once.
struct CreateOne {
    new_user: NewUser,
    to_answer: fn(User) -> Vec<u8>,
}

/// A batch that is created once.
struct CreateMany {
    batch: UserBatch,
    to_answer: fn(Vec<User>) -> Vec<u8>,
}

impl OnceWork for CreateOne {
    async fn run(&self, transaction: &Transaction) -> Result<Vec<u8>, PersistenceError> {
        let users = UserRepository::new(transaction);
        let user = users.insert(self.new_user.clone(), Timestamp::now()).await?;
        Ok((self.to_answer)(user))
    }
}

impl OnceWork for CreateMany {
    async fn run(&self, transaction: &Transaction) -> Result<Vec<u8>, PersistenceError> {
        let users = UserRepository::new(transaction);
        let created = users.insert_many(self.batch.users(), Timestamp::now()).await?;
        Ok((self.to_answer)(created))
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

/// Why a change met no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unmet {
    Nobody,
    OtherState,
}

impl Unmet {
    fn into_error(self, id: UserId) -> UserError {
        match self {
            Self::Nobody => UserError::NotFound(id),
            Self::OtherState => UserError::PreconditionFailed,
        }
    }

    /// Looks, in the transaction whose change met no row, what is there.
    async fn find(transaction: &Transaction, id: UserId) -> Result<Self, PersistenceError> {
        let exists = UserRepository::new(transaction).exists(id).await?;
        Ok(if exists { Self::OtherState } else { Self::Nobody })
    }
}

/// The change and the reading of its result must agree, and on some engines are two statements.
async fn update(
    database: &Database,
    id: UserId,
    changes: &UserChanges,
    precondition: &Precondition,
    caller: &Caller,
) -> Result<Result<User, Unmet>, PersistenceError> {
    let transaction = database.begin().await?;
    let updated = UserRepository::new(&transaction)
        .update(id, changes, precondition, Timestamp::now())
        .await?;
    let Some(user) = updated else {
        return Ok(Err(Unmet::find(&transaction, id).await?));
    };
    caller.commit(transaction).await?;
    Ok(Ok(user))
}

/// A transaction even where one statement would do: what a caller gave up on while it waited for a lock must not happen
/// afterwards. (A create does without, because round trips count, and says so.)
async fn delete(
    database: &Database,
    id: UserId,
    precondition: &Precondition,
    caller: &Caller,
) -> Result<Result<(), Unmet>, PersistenceError> {
    let transaction = database.begin().await?;
    if !UserRepository::new(&transaction).delete(id, precondition).await? {
        return Ok(Err(Unmet::find(&transaction, id).await?));
    }
    caller.commit(transaction).await?;
    Ok(Ok(()))
}

/// Runs `insert`, and where an address of the batch is not free, finds out all that are not.
///
/// Usually the batch is inserted at once. Only when the unique index objects are the conflicts looked up, and when they are
/// gone by then, their users deleted meanwhile, the batch is tried again.
async fn unless_taken<T, Insert>(
    database: &Database,
    batch: &UserBatch,
    insert: impl Fn() -> Insert,
) -> Result<T, UserError>
where
    Insert: Future<Output = Result<T, UserError>>,
{
    for _ in 0..=MAX_RETRIES {
        if batch.conflicts(&[].into()).is_empty() {
            match insert().await {
                Err(UserError::EmailTaken) => {}
                outcome => return outcome,
            }
        }
        let conflicts = find_conflicts(database, batch).await?;
        if !conflicts.is_empty() {
            return Err(UserError::EmailsTaken(conflicts));
        }
    }
    // Users with these addresses come and go faster than we can look. Nobody is to blame; later it may work.
    Err(UserError::DatabaseUnavailable(PersistenceError::EmailTaken))
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

//! Creating users: one, many at once, and once however often it is asked for.

use std::collections::HashSet;

use domain::{Email, NewUser, Timestamp, User, UserBatch};
use persistence::{Database, PersistenceError, Transaction, UserRepository};

use super::UserService;
use crate::{
    Caller, IdempotentRequest, KeptOnce, MAX_RETRIES, Retries, UserError,
    coalesce::WriteTogether,
    idempotency::{OnceWork, Turn},
    user_count::UserCount,
};

impl UserService {
    /// Creates a user.
    ///
    /// # Errors
    /// [`UserError::EmailTaken`], decided by the unique index.
    pub async fn create(&self, new_user: NewUser) -> Result<User, UserError> {
        if let Some(creations) = &self.shared_creations {
            return creations.write(new_user).await;
        }
        let creation = self.creation.clone();
        let work = |caller: Caller| async move { creation.write_alone(new_user, &caller).await };
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
        let count = self.count.clone();
        let work = CreateOne { new_user, to_answer };
        let in_turn = |turn: Turn| async move {
            let change = count.begin_change();
            let outcome = turn.once(&work).await;
            change.end_creating(&outcome, |kept| usize::from(!kept.is_replay));
            outcome
        };
        self.idempotency.in_turn(request, in_turn).await
    }

    /// Creates all users of a batch, in one transaction, and returns them in the same order; or none.
    ///
    /// # Errors
    /// [`UserError::EmailsTaken`] with every user of the batch whose address is not free.
    pub async fn create_many(&self, batch: UserBatch) -> Result<Vec<User>, UserError> {
        let creation = self.creation.clone();
        let work = |caller: Caller| async move {
            let (database, retries) = (&creation.database, &creation.retries);
            let insert = || async { Ok(retries.run(|| insert_all(database, &batch, &caller)).await?) };
            let change = creation.count.begin_change();
            let outcome = unless_taken(database, retries, &batch, insert).await;
            change.end_creating(&outcome, Vec::len);
            outcome
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
        let (database, retries, count) = (self.database.clone(), self.retries.clone(), self.count.clone());
        let work = CreateMany { batch, to_answer };
        let in_turn = |turn: Turn| async move {
            let change = count.begin_change();
            let outcome = unless_taken(&database, &retries, &work.batch, || turn.once(&work)).await;
            let users = work.batch.users().len();
            change.end_creating(&outcome, |kept| if kept.is_replay { 0 } else { users });
            outcome
        };
        self.idempotency.in_turn(request, in_turn).await
    }
}

/// The creation of users that have nothing to do with each other. Cloning shares what it works with.
#[derive(Clone, Debug)]
pub(super) struct Creation {
    database: Database,
    retries: Retries,
    count: UserCount,
}

impl Creation {
    pub(super) fn new(database: Database, retries: Retries, count: UserCount) -> Self {
        Self {
            database,
            retries,
            count,
        }
    }

    async fn write_alone(&self, new_user: NewUser, caller: &Caller) -> Result<User, UserError> {
        let change = self.count.begin_change();
        let users = UserRepository::new(self.database.writer());
        let insert = || async {
            // A conflict is no reason to go on for somebody who has gone.
            caller.check_presence()?;
            users.insert(new_user.clone(), Timestamp::now()).await
        };
        let outcome = self.retries.run(insert).await.map_err(UserError::from);
        change.end_creating(&outcome, |_| 1);
        outcome
    }

    /// One statement, which is its own transaction, wherever the ids of the rows come with it: round trips count.
    // ANCHOR: insert
    async fn insert(&self, new_users: &[NewUser]) -> Result<Vec<User>, PersistenceError> {
        let (writer, now) = (self.database.writer(), Timestamp::now());
        if let [new_user] = new_users {
            return Ok(vec![UserRepository::new(writer).insert(new_user.clone(), now).await?]);
        }
        if writer.returns_inserted_rows() {
            return UserRepository::new(writer).insert_many(new_users, now).await;
        }
        let transaction = self.database.begin().await?;
        let users = UserRepository::new(&transaction).insert_many(new_users, now).await?;
        transaction.commit().await?;
        Ok(users)
    }
    // ANCHOR_END: insert
}

impl WriteTogether for Creation {
    type Item = NewUser;
    type Key = Email;
    type Written = User;
    type Error = UserError;

    fn key(new_user: &NewUser) -> &Email {
        &new_user.email
    }

    async fn write(&self, new_users: &[NewUser]) -> Result<Vec<User>, UserError> {
        let change = self.count.begin_change();
        let outcome = self
            .retries
            .run(|| self.insert(new_users))
            .await
            .map_err(UserError::from);
        change.end_creating(&outcome, Vec::len);
        outcome
    }

    fn may_be_about_one_item(error: &UserError) -> bool {
        match error {
            UserError::EmailTaken => true,
            UserError::DatabaseUnavailable(cause) | UserError::Internal(cause) => cause.is_refusal(),
            _ => false,
        }
    }

    /// The unique index has objected; this finds out to whom.
    async fn refused(&self, new_users: &[NewUser]) -> Result<Vec<(usize, UserError)>, UserError> {
        let taken = existing_emails(&self.database, &self.retries, new_users).await?;
        let refused = (0..)
            .zip(new_users)
            .filter(|(_, new_user)| taken.contains(&new_user.email))
            .map(|(position, _)| (position, UserError::EmailTaken));
        Ok(refused.collect())
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

// ANCHOR: create-one
impl OnceWork for CreateOne {
    async fn run(&self, transaction: &Transaction) -> Result<Vec<u8>, PersistenceError> {
        let users = UserRepository::new(transaction);
        let user = users.insert(self.new_user.clone(), Timestamp::now()).await?;
        Ok((self.to_answer)(user))
    }
}
// ANCHOR_END: create-one

impl OnceWork for CreateMany {
    async fn run(&self, transaction: &Transaction) -> Result<Vec<u8>, PersistenceError> {
        let users = UserRepository::new(transaction);
        let created = users.insert_many(self.batch.users(), Timestamp::now()).await?;
        Ok((self.to_answer)(created))
    }
}

async fn insert_all(database: &Database, batch: &UserBatch, caller: &Caller) -> Result<Vec<User>, PersistenceError> {
    caller.check_presence()?;
    let transaction = database.begin().await?;
    let users = UserRepository::new(&transaction)
        .insert_many(batch.users(), Timestamp::now())
        .await?;
    caller.commit(transaction).await?;
    Ok(users)
}

/// Runs `insert`, and where an address of the batch is not free, finds out all that are not.
///
/// Usually the batch is inserted at once. Only when the unique index objects are the conflicts looked up, and when they are
/// gone by then, their users deleted meanwhile, the batch is tried again.
async fn unless_taken<T, Insert>(
    database: &Database,
    retries: &Retries,
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
        let conflicts = batch.conflicts(&existing_emails(database, retries, batch.users()).await?);
        if !conflicts.is_empty() {
            return Err(UserError::EmailsTaken(conflicts));
        }
    }
    // Users with these addresses come and go faster than we can look. Nobody is to blame; later it may work.
    Err(UserError::DatabaseUnavailable(PersistenceError::EmailTaken))
}

/// Which addresses of `new_users` are taken, as the primary has it.
pub(crate) async fn existing_emails(
    database: &Database,
    retries: &Retries,
    new_users: &[NewUser],
) -> Result<HashSet<Email>, PersistenceError> {
    let look = || async {
        let emails = new_users.iter().map(|new_user| &new_user.email);
        UserRepository::new(database.writer()).existing_emails(emails).await
    };
    retries.run(look).await
}

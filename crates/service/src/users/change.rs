//! Changing and deleting users.

use domain::{Precondition, Timestamp, User, UserChanges, UserId};
use persistence::{Database, PersistenceError, Transaction, UserRepository};

use super::UserService;
use crate::{Caller, Retries, UserError};

impl UserService {
    /// What a task of its own needs of this.
    fn parts(&self) -> (Database, Retries) {
        (self.database.clone(), self.retries.clone())
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
            retries
                .run(|| update(&database, id, &changes, &precondition, &caller))
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
        let count = self.count.clone();
        let work = |caller: Caller| async move {
            let change = count.begin_change();
            let deleted = retries.run(|| delete(&database, id, &precondition, &caller)).await?;
            change.end(if deleted.is_ok() { -1 } else { 0 });
            deleted.map_err(|unmet| unmet.into_error(id))
        };
        self.runtime.run_for_caller(work).await
    }
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

// ANCHOR: update
/// The change and the reading of its result must agree, and on some engines are two statements.
async fn update(
    database: &Database,
    id: UserId,
    changes: &UserChanges,
    precondition: &Precondition,
    caller: &Caller,
) -> Result<Result<User, Unmet>, PersistenceError> {
    caller.check_presence()?;
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
// ANCHOR_END: update

/// A transaction even where one statement would do: what a caller gave up on while it waited for a lock must not happen
/// afterwards. (A create does without, because round trips count, and says so.)
async fn delete(
    database: &Database,
    id: UserId,
    precondition: &Precondition,
    caller: &Caller,
) -> Result<Result<(), Unmet>, PersistenceError> {
    caller.check_presence()?;
    let transaction = database.begin().await?;
    if !UserRepository::new(&transaction).delete(id, precondition).await? {
        return Ok(Err(Unmet::find(&transaction, id).await?));
    }
    caller.commit(transaction).await?;
    Ok(Ok(()))
}

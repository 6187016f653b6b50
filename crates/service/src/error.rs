//! What a use case can end with other than success.

use domain::UserId;
use persistence::PersistenceError;

use crate::RuntimeStopped;

/// A use case failed, and left nothing behind.
#[derive(Clone, Debug, thiserror::Error)]
pub enum UserError {
    /// No user has this id.
    #[error("User with id {0} not found")]
    NotFound(UserId),
    /// Another user has the address.
    #[error("Email already exists")]
    EmailTaken,
    /// Users of a batch, by position from 0, have an address that another user has, or that stands earlier in the batch.
    #[error("Email already exists: {} in this batch", .0.len())]
    EmailsTaken(Vec<usize>),
    /// The user has changed since whoever asked for the change last saw it.
    #[error("The user has changed since. Get it again, and decide anew")]
    PreconditionFailed,
    /// The first request with the same idempotency key is still running.
    #[error("The first request with this Idempotency-Key is still running. Try again shortly")]
    IdempotencyInProgress,
    /// The idempotency key was used for another request.
    #[error("This Idempotency-Key was used for another request. Use a new key for a new request")]
    IdempotencyKeyReused,
    /// The database cannot be reached, answers too slowly or is too busy. The same request may succeed a little later.
    #[error("the database cannot serve the request now")]
    DatabaseUnavailable(#[source] PersistenceError),
    /// The program is ending.
    #[error(transparent)]
    Stopped(#[from] RuntimeStopped),
    /// A defect of ours or of the stored data.
    #[error("the request ran into a defect")]
    Internal(#[source] PersistenceError),
}

// ANCHOR: from-persistence
impl From<PersistenceError> for UserError {
    fn from(error: PersistenceError) -> Self {
        match error {
            PersistenceError::EmailTaken => Self::EmailTaken,
            PersistenceError::TransactionConflict(_)
            | PersistenceError::LockTimeout(_)
            | PersistenceError::ConnectionLost(_)
            | PersistenceError::OutcomeUnknown(_)
            | PersistenceError::SqliteFile { .. }
            | PersistenceError::Unavailable(_)
            | PersistenceError::NoAnswer(_)
            | PersistenceError::Abandoned
            | PersistenceError::StatementTimeout(_) => Self::DatabaseUnavailable(error),
            PersistenceError::InvalidRow { .. }
            | PersistenceError::InvalidUrl(_)
            | PersistenceError::MigrationLockHeld(_)
            | PersistenceError::Other(_) => Self::Internal(error),
        }
    }
}
// ANCHOR_END: from-persistence

impl UserError {
    /// Whether the request was understood, looked at and turned down, so that it is certain that nothing was changed.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::NotFound(_)
            | Self::EmailTaken
            | Self::EmailsTaken(_)
            | Self::PreconditionFailed
            | Self::IdempotencyInProgress
            | Self::IdempotencyKeyReused => true,
            Self::DatabaseUnavailable(_) | Self::Stopped(_) | Self::Internal(_) => false,
        }
    }
}

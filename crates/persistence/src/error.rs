//! What can go wrong between us and the database, in the terms on which the layers above decide.

use sea_orm::DbErr;

use crate::{config::InvalidDatabaseUrl, engine};

/// A database operation failed.
///
/// No message here repeats a stored value or the address of the database; the source of an error may, so sources are for
/// the log of a 5xx alone. Cloning is cheap: requests that share a statement share its failure.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PersistenceError {
    // ANCHOR: kinds
    /// Another user has this address. The unique index decided, so it holds whatever else runs at the same time.
    #[error("another user has this e-mail address")]
    EmailTaken,
    /// The transaction was in the way of another (deadlock, serialization failure, `SQLITE_BUSY`) and left no trace.
    /// Running the whole of it again is safe and likely to succeed.
    #[error("the transaction was in conflict with another; run it again")]
    TransactionConflict(#[source] DbErr),
    /// The transaction waited too long for a row that another holds, and left no trace. Running the whole of it again is
    /// safe.
    #[error("another transaction has held a row for too long; run this one again")]
    LockTimeout(#[source] DbErr),
    // ANCHOR_END: kinds
    /// No connection could be had, because the database is down, unreachable or out of connections; or it refused what it was
    /// sent, because it is read-only, out of resources or has no file to write to. In either case nothing was done.
    #[error(
        "no connection to the database could be had; check that it runs, that DATABASE_URL leads to it, and that \
         DB_POOL_MAX_SIZE is enough"
    )]
    Unavailable(#[source] DbErr),
    /// The connection broke, or the server ended it. What was open on it is undone: nothing of a transaction is left, since
    /// it had not been committed.
    #[error("the connection to the database was lost; check the server, and the network on the way to it")]
    ConnectionLost(#[source] DbErr),
    /// The connection was lost when a COMMIT, or a statement that is a transaction of its own, was on its way: it may have
    /// happened or not.
    #[error("the connection to the database was lost before it said whether it had committed")]
    OutcomeUnknown(#[source] DbErr),
    /// The file of a SQLite database cannot be opened or made.
    #[error("cannot open the SQLite database {file}; check the path and who may write there")]
    SqliteFile {
        /// The path as configured.
        file: String,
        /// Why.
        source: std::sync::Arc<sea_orm::sqlx::Error>,
    },
    /// No answer came while we waited.
    #[error("the database did not answer within {0:?}")]
    NoAnswer(std::time::Duration),
    /// The database session ended the statement because it ran longer than `DB_STATEMENT_TIMEOUT`.
    #[error("the statement ran longer than DB_STATEMENT_TIMEOUT allows")]
    StatementTimeout(#[source] DbErr),
    /// Whoever asked for it has gone, so it was not done.
    #[error("nobody waits for it any more")]
    Abandoned,
    /// A row breaks a rule of the domain. Somebody wrote it past this program.
    #[error("column {column} of users row {id} holds a value that the rules refuse: {violation}; correct it by hand")]
    InvalidRow {
        /// The id of the row.
        id: i64,
        /// The column.
        column: &'static str,
        /// The rule that is broken.
        violation: domain::Violation,
    },
    /// The address of the database cannot be used.
    #[error(transparent)]
    InvalidUrl(#[from] InvalidDatabaseUrl),
    /// Another process held the migration lock for too long.
    #[error("another process has held the migration lock for more than {0:?}; if none is migrating, end its session")]
    MigrationLockHeld(std::time::Duration),
    /// Anything else: a defect of ours or of the schema.
    #[error("the database refused a statement")]
    Other(#[source] DbErr),
}

impl From<DbErr> for PersistenceError {
    fn from(error: DbErr) -> Self {
        engine::classify(error)
    }
}

/// Why something may be run again that the database did not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryReason {
    /// It was in the way of another transaction.
    Conflict,
    /// It waited too long for a row.
    LockTimeout,
    /// Its connection was lost, or could not be opened.
    Connection,
}

impl PersistenceError {
    /// Whether the server turned the statement down, so that it is certain that nothing of it happened.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::EmailTaken | Self::TransactionConflict(_) | Self::LockTimeout(_) | Self::StatementTimeout(_) => true,
            Self::Other(error) => engine::is_from_server(error),
            _ => false,
        }
    }

    /// Whether another server may do what this one did not.
    pub(crate) fn may_succeed_elsewhere(&self) -> bool {
        self.is_loss_of_server() || matches!(self, Self::Unavailable(_))
    }

    /// Whether the server, or the way to it, broke while it was in use.
    pub(crate) fn is_loss_of_server(&self) -> bool {
        matches!(
            self,
            Self::ConnectionLost(_) | Self::OutcomeUnknown(_) | Self::NoAnswer(_)
        )
    }

    /// Why running the whole transaction again, from BEGIN on, is safe and may succeed; nothing where it is not. It is never
    /// where an effect may have happened, and not where the time for it has been waited for already.
    #[must_use]
    // ANCHOR: retry-reason
    pub fn retry_reason(&self) -> Option<RetryReason> {
        match self {
            Self::TransactionConflict(_) => Some(RetryReason::Conflict),
            Self::LockTimeout(_) => Some(RetryReason::LockTimeout),
            // One that was waited for in vain is of another kind.
            Self::ConnectionLost(_) | Self::Unavailable(DbErr::Conn(_)) => Some(RetryReason::Connection),
            _ => None,
        }
    }
    // ANCHOR_END: retry-reason

    /// What this means for something that may have been committed when it happened.
    #[must_use]
    pub(crate) fn when_committing(self) -> Self {
        match self {
            Self::ConnectionLost(error) => Self::OutcomeUnknown(error),
            other => other,
        }
    }
}

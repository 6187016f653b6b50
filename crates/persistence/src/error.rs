//! What can go wrong between us and the database, in the terms on which the layers above decide.

use sea_orm::DbErr;

use crate::{config::InvalidDatabaseUrl, engine};

/// A database operation failed.
///
/// No message here repeats a stored value or the address of the database; the source of an error may, so sources are for
/// the log of a 5xx alone. Cloning is cheap: requests that share a statement share its failure.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PersistenceError {
    /// Another user has this address. The unique index decided, so it holds whatever else runs at the same time.
    #[error("another user has this e-mail address")]
    EmailTaken,
    /// The transaction was in the way of another (deadlock, serialization failure, `SQLITE_BUSY`) and left no trace.
    /// Running the whole of it again is safe and likely to succeed.
    #[error("the transaction was in conflict with another; run it again")]
    TransactionConflict(#[source] DbErr),
    /// No connection could be had in time, or it broke: the database is down, unreachable or out of connections.
    #[error(
        "no connection to the database could be had; check that it runs, that DATABASE_URL leads to it, and that \
         DB_POOL_MAX_SIZE is enough"
    )]
    Unavailable(#[source] DbErr),
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

impl PersistenceError {
    /// Whether the server turned the statement down, so that it is certain that nothing of it happened.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::EmailTaken | Self::TransactionConflict(_) | Self::StatementTimeout(_) => true,
            Self::Other(error) => engine::is_from_server(error),
            _ => false,
        }
    }

    /// Whether running the whole transaction again is safe and may succeed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::TransactionConflict(_))
    }
}

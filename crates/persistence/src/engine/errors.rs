//! What the drivers' error codes mean, in one place.
//!
//! Codes: MySQL reference manual, "Server Error Message Reference"; PostgreSQL documentation, appendix A; SQLite, "Result
//! and Error Codes".

use sea_orm::{
    DbErr, RuntimeErr,
    sqlx::{self, error::ErrorKind, mysql::MySqlDatabaseError, postgres::PgDatabaseError, sqlite::SqliteError},
};

use crate::PersistenceError;

/// What kind of trouble a driver's code stands for.
enum Trouble {
    Conflict,
    Timeout,
    Unavailable,
    Other,
}

/// Sorts an error of SeaORM into the kinds on which the layers above decide.
pub(crate) fn classify(error: DbErr) -> PersistenceError {
    let Some(driver_error) = driver_error(&error) else {
        return match error {
            DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => PersistenceError::Unavailable(error),
            _ => PersistenceError::Other(error),
        };
    };
    match driver_error {
        sqlx::Error::Database(database_error) => {
            if database_error.kind() == ErrorKind::UniqueViolation && is_about_email(database_error.as_ref()) {
                return PersistenceError::EmailTaken;
            }
            match trouble(database_error.as_ref()) {
                Trouble::Conflict => PersistenceError::TransactionConflict(error),
                Trouble::Timeout => PersistenceError::StatementTimeout(error),
                Trouble::Unavailable => PersistenceError::Unavailable(error),
                Trouble::Other => PersistenceError::Other(error),
            }
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => PersistenceError::Unavailable(error),
        _ => PersistenceError::Other(error),
    }
}

/// Whether a statement was refused because a unique index has its value already, whichever index that is.
pub(crate) fn is_unique_violation(error: &DbErr) -> bool {
    matches!(driver_error(error), Some(sqlx::Error::Database(error)) if error.kind() == ErrorKind::UniqueViolation)
}

/// Whether it is the server that objected, and not the way to it or the reading of its answer that failed.
pub(crate) fn is_from_server(error: &DbErr) -> bool {
    matches!(driver_error(error), Some(sqlx::Error::Database(_)))
}

/// Whether a unique violation is one of the index on `users.email`. PostgreSQL names the index; MySQL and SQLite do so at
/// the end of a message whose middle may hold the address, so no other part of it counts.
fn is_about_email(error: &dyn sqlx::error::DatabaseError) -> bool {
    let message = error.message();
    error.constraint() == Some("uq_users_email")
        || message.ends_with("uq_users_email'")
        || message.ends_with("users.email")
}

fn driver_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(source))
        | DbErr::Exec(RuntimeErr::SqlxError(source))
        | DbErr::Query(RuntimeErr::SqlxError(source)) => Some(source),
        _ => None,
    }
}

fn trouble(error: &dyn sqlx::error::DatabaseError) -> Trouble {
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return match error.number() {
            // Deadlock; MariaDB: the row changed since the transaction's snapshot.
            1213 | 1020 => Trouble::Conflict,
            // Lock wait, statement and SELECT limits of the session.
            1205 | 1969 | 3024 => Trouble::Timeout,
            // Too many connections (server, user), server shutting down, statement or session killed, server read-only,
            // unknown database, access refused (user, database): a working set-up may get there again without us.
            1040 | 1203 | 1053 | 1317 | 1927 | 3169 | 1290 | 1836 | 1049 | 1044 | 1045 => Trouble::Unavailable,
            _ => Trouble::Other,
        };
    }
    if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        return match error.code().as_deref() {
            // Serialization failure, deadlock.
            Some("40001" | "40P01") => Trouble::Conflict,
            // Query cancelled (that is how the limit shows), lock not available.
            Some("57014" | "55P03") => Trouble::Timeout,
            // Classes 08 (connection), 28 (authorization), 53 (resources); 57P0x (shutting down), 25006 (read-only).
            Some(code) if code.starts_with("08") || code.starts_with("28") || code.starts_with("53") => {
                Trouble::Unavailable
            }
            Some("57P01" | "57P02" | "57P03" | "57P05" | "25006" | "3D000") => Trouble::Unavailable,
            _ => Trouble::Other,
        };
    }
    if error.try_downcast_ref::<SqliteError>().is_some() {
        // The low byte of an extended result code is the primary one.
        return match error
            .code()
            .and_then(|code| code.parse::<u32>().ok())
            .map(|code| code & 0xff)
        {
            // BUSY, LOCKED.
            Some(5 | 6) => Trouble::Conflict,
            // READONLY, IOERR, FULL, CANTOPEN: the disk, not the statement.
            Some(8 | 10 | 13 | 14) => Trouble::Unavailable,
            _ => Trouble::Other,
        };
    }
    Trouble::Other
}

//! What the drivers' error codes mean, in one place.
//!
//! Codes: MySQL reference manual, "Server Error Message Reference"; PostgreSQL documentation, appendix A; SQLite, "Result
//! and Error Codes".

use std::{io, time::Duration};

use sea_orm::{
    DbErr, RuntimeErr,
    sqlx::{self, error::ErrorKind, mysql::MySqlDatabaseError, postgres::PgDatabaseError, sqlite::SqliteError},
};

use crate::PersistenceError;

/// What kind of trouble a driver's code stands for.
enum Trouble {
    Conflict,
    LockTimeout,
    Timeout,
    /// The server has ended the session, and what was open in it.
    Ended,
    Unavailable,
    Other,
}

/// Sorts an error of SeaORM into the kinds on which the layers above decide.
pub(crate) fn classify(error: DbErr) -> PersistenceError {
    if matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_)) {
        return PersistenceError::Unavailable(error);
    }
    let Some(driver_error) = driver_error(&error) else {
        return PersistenceError::Other(error);
    };
    match driver_error {
        sqlx::Error::Database(database_error) => {
            if database_error.kind() == ErrorKind::UniqueViolation && is_about_email(database_error.as_ref()) {
                return PersistenceError::EmailTaken;
            }
            match trouble(database_error.as_ref()) {
                Trouble::Conflict => PersistenceError::TransactionConflict(error),
                Trouble::LockTimeout => PersistenceError::LockTimeout(error),
                Trouble::Timeout => PersistenceError::StatementTimeout(error),
                Trouble::Ended => PersistenceError::ConnectionLost(error),
                Trouble::Unavailable => PersistenceError::Unavailable(error),
                Trouble::Other => PersistenceError::Other(error),
            }
        }
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed => {
            PersistenceError::ConnectionLost(error)
        }
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => PersistenceError::Unavailable(error),
        _ => PersistenceError::Other(error),
    }
}

/// What a statement ends with that had no answer for so long.
pub(crate) fn silence(limit: Duration) -> DbErr {
    let silence = io::Error::new(
        io::ErrorKind::TimedOut,
        format!("the database was silent for {limit:?}"),
    );
    DbErr::Exec(RuntimeErr::SqlxError(sqlx::Error::Io(silence).into()))
}

/// Whether a connection cannot be used any more, or could not be opened.
pub(crate) fn is_broken_connection(error: &DbErr) -> bool {
    match driver_error(error) {
        Some(sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_)) => true,
        Some(sqlx::Error::Database(error)) => matches!(trouble(error.as_ref()), Trouble::Ended),
        _ => false,
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
            // Deadlock, which is also what Galera says when another node's transaction came first, COMMIT included; MariaDB: the
            // row changed since the transaction's snapshot; Group Replication: another node's transaction came first.
            1213 | 1020 | 3101 => Trouble::Conflict,
            1205 => Trouble::LockTimeout,
            // Statement and SELECT limits of the session.
            1969 | 3024 => Trouble::Timeout,
            // Server shutting down, session killed (MariaDB, MySQL), session idle for too long.
            1053 | 1927 | 3169 | 4031 => Trouble::Ended,
            // Too many connections (server, user), statement killed, server read-only, unknown database, access refused
            // (user, database), Galera node not in its cluster: a working set-up may get there again without us.
            1040 | 1203 | 1317 | 1290 | 1836 | 1049 | 1044 | 1045 | 1047 => Trouble::Unavailable,
            _ => Trouble::Other,
        };
    }
    if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        return match error.code().as_deref() {
            // Serialization failure, deadlock.
            Some("40001" | "40P01") => Trouble::Conflict,
            // Lock not available in time.
            Some("55P03") => Trouble::LockTimeout,
            // Query cancelled: that is how the limit shows.
            Some("57014") => Trouble::Timeout,
            // Class 08 (connection); session ended by an administrator, crash of another one, server not ready, idle too long,
            // idle too long in a transaction.
            Some(code) if code.starts_with("08") => Trouble::Ended,
            Some("57P01" | "57P02" | "57P03" | "57P05" | "25P03") => Trouble::Ended,
            // Classes 28 (authorization), 53 (resources); read-only, unknown database.
            Some(code) if code.starts_with("28") || code.starts_with("53") => Trouble::Unavailable,
            Some("25006" | "3D000") => Trouble::Unavailable,
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

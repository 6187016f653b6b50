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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Conflict,
    LockTimeout,
    Timeout,
    /// The server has ended the session, and what was open in it.
    Ended,
    /// The server takes no writes; another one may.
    TakesNoWrites,
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
                Trouble::TakesNoWrites | Trouble::Unavailable => PersistenceError::Unavailable(error),
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

/// Whether a statement was refused because the server, as opposed to others that there may be, takes no writes.
pub(crate) fn takes_no_writes(error: &DbErr) -> bool {
    matches!(driver_error(error), Some(sqlx::Error::Database(error)) if matches!(trouble(error.as_ref()), Trouble::TakesNoWrites))
}

/// Whether a statement was refused because a unique index has its value already, whichever index that is.
pub(crate) fn is_unique_violation(error: &DbErr) -> bool {
    matches!(driver_error(error), Some(sqlx::Error::Database(error)) if error.kind() == ErrorKind::UniqueViolation)
}

/// Whether a step of a migration was refused because it has happened already: a table, column or index is there, or is gone. In a
/// cluster another node may have been faster.
pub(crate) fn has_happened_already(error: &DbErr) -> bool {
    match driver_error(error) {
        Some(sqlx::Error::Database(error)) => match error.try_downcast_ref::<MySqlDatabaseError>() {
            // Table there, table gone; column there; index there; column or index gone.
            Some(error) => matches!(error.number(), 1050 | 1051 | 1060 | 1061 | 1091),
            None => false,
        },
        _ => false,
    }
}

/// Whether it is the server that objected, and not the way to it or the reading of its answer that failed.
pub(crate) fn is_from_server(error: &DbErr) -> bool {
    matches!(driver_error(error), Some(sqlx::Error::Database(_)))
}

/// Whether a unique violation is one of the index on `users.email`. PostgreSQL names the index; MySQL and SQLite do so at
/// the end of a message whose middle may hold the address, so no other part of it counts.
fn is_about_email(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.constraint() == Some("uq_users_email") || ends_with_index_of_email(error.message())
}

/// Vitess wraps the message of its MySQL into more text, in which the first mark is its own: no address holds a space.
fn ends_with_index_of_email(message: &str) -> bool {
    let message = message.split(" (errno 1062)").next().unwrap_or_default();
    message.ends_with("uq_users_email'") || message.ends_with("users.email")
}

fn driver_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(source))
        | DbErr::Exec(RuntimeErr::SqlxError(source))
        | DbErr::Query(RuntimeErr::SqlxError(source)) => Some(source),
        _ => None,
    }
}

/// Whether a server that is well refused what it was asked, because it does not know it.
pub(super) fn is_not_known_there(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Database(error) if matches!(trouble(error.as_ref()), Trouble::Other))
}

/// Numbers of MySQL and MariaDB, and of databases that speak their protocol: TiDB documentation, "Error Codes and
/// Troubleshooting"; Vitess says most of what is its own in words.
fn mysql_trouble(number: u16, message: &str) -> Trouble {
    match number {
        // Deadlock, which is also what Galera says when another node's transaction came first, COMMIT included; MariaDB: the
        // row changed since the transaction's snapshot; Group Replication: another node's transaction came first. TiDB: that,
        // its snapshot is too old, or the schema changed meanwhile.
        1213 | 1020 | 3101 | 8002 | 8005 | 8022 | 8028 | 9007 => Trouble::Conflict,
        1205 => Trouble::LockTimeout,
        // Statement and SELECT limits of the session.
        1969 | 3024 => Trouble::Timeout,
        // Server shutting down, session killed (MariaDB, MySQL), session idle for too long. What became of the transaction is not
        // certain: TiDB lost one of its parts; COMMIT failed half way, in a cluster because the node is leaving it.
        1053 | 1927 | 3169 | 4031 | 9001 | 9002 | 1180 | 3100 => Trouble::Ended,
        // Read-only (set so; in a mode), Galera node not in its cluster.
        1290 | 1836 | 1047 => Trouble::TakesNoWrites,
        // Too many connections (server, user), statement killed, unknown database, access refused (user, database): a
        // working set-up may get there again without us. TiDB: one of its parts is busy or moves.
        1040 | 1203 | 1317 | 1049 | 1044 | 1045 | 9003 | 9005 => Trouble::Unavailable,
        1105 => vitess_trouble(message),
        _ => Trouble::Other,
    }
}

/// Vitess has one number for nearly everything. What follows `Sql:` repeats the statement, and does not count.
fn vitess_trouble(message: &str) -> Trouble {
    let says = message.split("Sql: ").next().unwrap_or_default();
    let any_of = |phrases: &[&str]| phrases.iter().any(|phrase| says.contains(phrase));
    if any_of(&["reparent operation in progress", "NOT_SERVING", "SHUTTING_DOWN"]) {
        Trouble::Unavailable
    } else if any_of(&["exceeded timeout"]) {
        Trouble::Timeout
    } else {
        Trouble::Other
    }
}

fn trouble(error: &dyn sqlx::error::DatabaseError) -> Trouble {
    if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
        return mysql_trouble(error.number(), error.message());
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
            // Read-only.
            Some("25006") => Trouble::TakesNoWrites,
            // Classes 28 (authorization), 53 (resources); unknown database.
            Some(code) if code.starts_with("28") || code.starts_with("53") => Trouble::Unavailable,
            Some("3D000") => Trouble::Unavailable,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_of_addresses_is_found_at_the_end_of_a_message_alone() {
        for message in [
            "Duplicate entry 'ann@example.com' for key 'users.uq_users_email'",
            "UNIQUE constraint failed: users.email",
            "target: app.0.primary: vttablet: rpc error: code = AlreadyExists desc = Duplicate entry 'a@b.c' for key \
             'users.uq_users_email' (errno 1062) (sqlstate 23000) (CallerID: app): Sql: \"insert into users\"",
        ] {
            assert!(ends_with_index_of_email(message), "{message}");
        }
        for message in [
            "Duplicate entry '7' for key 'PRIMARY'",
            "Duplicate entry 'uq_users_email' for key 'PRIMARY'",
            "Duplicate entry '7' for key 'PRIMARY' (errno 1062) (sqlstate 23000): Sql: \"'uq_users_email'",
        ] {
            assert!(!ends_with_index_of_email(message), "{message}");
        }
    }

    #[test]
    fn what_vitess_says_in_words_is_understood_and_what_it_repeats_is_not() {
        let reparent = "target: app.0.primary: primary is not serving, there is a reparent operation in progress";
        assert_eq!(mysql_trouble(1105, reparent), Trouble::Unavailable);
        let aborted = "vttablet: rpc error: code = Aborted desc = transaction 1: in use: exceeded timeout: 20s";
        assert_eq!(mysql_trouble(1105, aborted), Trouble::Timeout);
        let repeated = "syntax error: Sql: \"select 'exceeded timeout'\"";
        assert_eq!(mysql_trouble(1105, repeated), Trouble::Other);
    }
}

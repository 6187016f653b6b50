//! The statements of the hand-written server.

use std::str::FromStr as _;

use chrono::NaiveDateTime;
use sqlx::mysql::{MySqlConnectOptions, MySqlPool, MySqlPoolOptions, MySqlRow};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Row as _};

use super::json::User;

/// Connections for serving. The product opens as many on a server and fewer on SQLite, where this server is faster with 20: on
/// two cores it answered a third fewer requests with 4.
const POOL_SIZE: u32 = 20;

const FIND: &str = "SELECT id, name, email, created_at, updated_at FROM users WHERE id = ?";
const INSERT: &str = "INSERT INTO users (name, email, created_at, updated_at, version) VALUES (?, ?, ?, ?, 1)";
const NEWEST: &str =
    "SELECT id, name, email, created_at, updated_at FROM users ORDER BY created_at DESC, id DESC LIMIT ?";
const COUNT: &str = "SELECT COUNT(*) FROM users";

/// The pools of a database. Statements are prepared once a connection, which is how sqlx runs those with values.
#[derive(Debug)]
pub(super) enum Store {
    /// MySQL or MariaDB.
    MySql(MySqlPool),
    /// One connection writes and others read, which is how SQLite is fastest: readers do not wait for the writer, and
    /// writers do not fight for its lock.
    Sqlite { writer: SqlitePool, reader: SqlitePool },
}

impl Store {
    /// Opens the pools.
    pub(super) async fn open(url: &str) -> Result<Self, sqlx::Error> {
        if url.starts_with("sqlite:") {
            return Self::open_sqlite(url).await;
        }
        let url = url.replacen("mariadb://", "mysql://", 1);
        let options = MySqlConnectOptions::from_str(&url)?.disable_statement_logging();
        let pool = MySqlPoolOptions::new()
            .max_connections(POOL_SIZE)
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        Ok(Self::MySql(pool))
    }

    async fn open_sqlite(url: &str) -> Result<Self, sqlx::Error> {
        // As durable as the product: what was answered survives a power cut.
        let options = SqliteConnectOptions::from_str(url)?
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging();
        let pool = |size| {
            SqlitePoolOptions::new()
                .max_connections(size)
                .test_before_acquire(false)
        };
        Ok(Self::Sqlite {
            writer: pool(1).connect_with(options.clone()).await?,
            reader: pool(POOL_SIZE).connect_with(options.read_only(true)).await?,
        })
    }

    /// The user with this id.
    pub(super) async fn find(&self, id: i64) -> Result<Option<User>, sqlx::Error> {
        match self {
            Self::MySql(pool) => {
                sqlx::query(FIND)
                    .bind(id)
                    .try_map(mysql_user)
                    .fetch_optional(pool)
                    .await
            }
            Self::Sqlite { reader, .. } => {
                sqlx::query(FIND)
                    .bind(id)
                    .try_map(sqlite_user)
                    .fetch_optional(reader)
                    .await
            }
        }
    }

    /// Inserts a user; its id.
    pub(super) async fn insert(&self, name: &str, email: &str, now: NaiveDateTime) -> Result<i64, sqlx::Error> {
        match self {
            Self::MySql(pool) => {
                let insert = sqlx::query(INSERT).bind(name).bind(email).bind(now).bind(now);
                let id = insert.execute(pool).await?.last_insert_id();
                i64::try_from(id).map_err(|error| sqlx::Error::Decode(error.into()))
            }
            Self::Sqlite { writer, .. } => {
                let insert = sqlx::query(INSERT).bind(name).bind(email).bind(now).bind(now);
                Ok(insert.execute(writer).await?.last_insert_rowid())
            }
        }
    }

    /// The newest users, and how many there are in all. Both on one connection, which saves giving it back in between.
    pub(super) async fn newest(&self, limit: u32) -> Result<(Vec<User>, i64), sqlx::Error> {
        match self {
            Self::MySql(pool) => {
                let mut connection = pool.acquire().await?;
                let page = sqlx::query(NEWEST).bind(limit).try_map(mysql_user);
                let users = page.fetch_all(&mut *connection).await?;
                Ok((users, sqlx::query_scalar(COUNT).fetch_one(&mut *connection).await?))
            }
            Self::Sqlite { reader, .. } => {
                let mut connection = reader.acquire().await?;
                let page = sqlx::query(NEWEST).bind(limit).try_map(sqlite_user);
                let users = page.fetch_all(&mut *connection).await?;
                Ok((users, sqlx::query_scalar(COUNT).fetch_one(&mut *connection).await?))
            }
        }
    }
}

/// Columns by position: looking their names up would cost time.
fn mysql_user(row: MySqlRow) -> Result<User, sqlx::Error> {
    Ok(User {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        email: row.try_get(2)?,
        created_at: row.try_get(3)?,
        updated_at: row.try_get(4)?,
    })
}

fn sqlite_user(row: SqliteRow) -> Result<User, sqlx::Error> {
    Ok(User {
        id: row.try_get(0)?,
        name: row.try_get(1)?,
        email: row.try_get(2)?,
        created_at: row.try_get(3)?,
        updated_at: row.try_get(4)?,
    })
}

//! A single connection to a database of any engine, for the few statements that are not the product's own.

use anyhow::{Result, bail};
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, PgConnection, SqliteConnection};

use crate::database::UserRow;

/// A connection.
#[derive(Debug)]
pub(crate) enum Session {
    Sqlite(SqliteConnection),
    MySql(MySqlConnection),
    Postgres(PgConnection),
}

/// The same call on each kind of connection: sqlx has a type for each.
macro_rules! on_any {
    ($session:expr, $connection:ident => $work:expr) => {
        match $session {
            Session::Sqlite($connection) => $work,
            Session::MySql($connection) => $work,
            Session::Postgres($connection) => $work,
        }
    };
}

impl Session {
    /// Connects to the database at `url`; if it names several hosts, to the first that takes writes.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let authority = url
            .split_once('@')
            .and_then(|(_, rest)| rest.split('/').next())
            .unwrap_or_default();
        if !authority.contains(',') {
            return Self::open_single(url).await;
        }
        for host in authority.split(',') {
            if let Ok(mut session) = Self::open_single(&url.replacen(authority, host, 1)).await
                && session.takes_writes().await.unwrap_or(false)
            {
                return Ok(session);
            }
        }
        bail!("no node of the cluster takes writes")
    }

    async fn open_single(url: &str) -> Result<Self> {
        Ok(if url.starts_with("sqlite:") {
            Self::Sqlite(SqliteConnection::connect(url).await?)
        } else if url.starts_with("postgres:") {
            Self::Postgres(PgConnection::connect(url).await?)
        } else {
            Self::MySql(MySqlConnection::connect(url).await?)
        })
    }

    /// Whether a server takes writes, or is the secondary of another.
    pub(crate) async fn takes_writes(&mut self) -> Result<bool> {
        match self {
            Self::MySql(connection) => Ok(sqlx::query_scalar("SELECT @@GLOBAL.read_only = 0")
                .fetch_one(connection)
                .await?),
            Self::Sqlite(_) | Self::Postgres(_) => Ok(true),
        }
    }

    /// Runs a statement that gives nothing back.
    pub(crate) async fn execute(&mut self, statement: String) -> Result<()> {
        on_any!(self, connection => {
            sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await?;
        });
        Ok(())
    }

    /// The only value of the only row.
    pub(crate) async fn text(&mut self, query: &'static str) -> Result<String> {
        Ok(on_any!(self, connection => sqlx::query_scalar(query).fetch_one(connection).await?))
    }

    /// The only column of all rows.
    pub(crate) async fn numbers(&mut self, query: &'static str) -> Result<Vec<i64>> {
        Ok(on_any!(self, connection => sqlx::query_scalar(query).fetch_all(connection).await?))
    }

    /// All users, in the order of their ids.
    pub(crate) async fn users(&mut self) -> Result<Vec<UserRow>> {
        const USERS: &str = "SELECT id, name, email, version FROM users ORDER BY id";
        let rows: Vec<(i64, String, String, i64)> =
            on_any!(self, connection => sqlx::query_as(USERS).fetch_all(connection).await?);
        let row = |(id, name, email, version)| UserRow {
            id,
            name,
            email,
            version,
        };
        Ok(rows.into_iter().map(row).collect())
    }
}

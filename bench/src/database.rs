//! The databases that the measurements run on: made anew, migrated and filled by the product itself.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Connection as _, MySqlConnection, SqliteConnection};

use crate::product::Product;

/// The database on a server that the benchmark makes, and drops with all that is in it.
const SCRATCH_DATABASE: &str = "async_starter_bench";

/// An engine that product and hand-written server both speak to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Engine {
    Sqlite,
    Mariadb,
    Mysql,
}

impl Engine {
    /// The name for people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Mariadb => "MariaDB",
            Self::Mysql => "MySQL",
        }
    }

    /// The name in file names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Mariadb => "mariadb",
            Self::Mysql => "mysql",
        }
    }
}

/// Where databases are made.
#[derive(Debug)]
pub(crate) struct Databases {
    engine: Engine,
    /// Of a server, without a database; empty for SQLite.
    server_url: String,
    folder: PathBuf,
}

impl Databases {
    /// Those on the server at `url`, or as files in `folder`.
    ///
    /// # Errors
    /// When a server is needed and not named.
    pub(crate) fn new(engine: Engine, url: Option<&str>, folder: &Path) -> Result<Self> {
        let server_url = match (engine, url) {
            (Engine::Sqlite, None) => String::new(),
            (Engine::Sqlite, Some(_)) => bail!("SQLite has no server: leave --server-url out"),
            (Engine::Mariadb | Engine::Mysql, Some(url)) => server_of(url)?,
            (Engine::Mariadb | Engine::Mysql, None) => {
                bail!(
                    "name the {} server with --server-url, or use `cargo xtask bench`",
                    engine.title()
                )
            }
        };
        Ok(Self {
            engine,
            server_url,
            folder: folder.to_owned(),
        })
    }

    /// The version of the engine. SQLite's is that of the library in this program, which is the product's too.
    ///
    /// # Errors
    /// When the server does not answer.
    pub(crate) async fn version(&self) -> Result<String> {
        let version: String = match self.engine {
            Engine::Sqlite => {
                let mut connection = SqliteConnection::connect("sqlite::memory:").await?;
                sqlx::query_scalar("SELECT sqlite_version()")
                    .fetch_one(&mut connection)
                    .await?
            }
            Engine::Mariadb | Engine::Mysql => {
                sqlx::query_scalar("SELECT VERSION()")
                    .fetch_one(&mut self.server().await?)
                    .await?
            }
        };
        // Only the number: distributions append their own.
        Ok(version.split('-').next().unwrap_or_default().to_owned())
    }

    /// A new database with the product's schema and `users` generated users. The one made before is gone.
    ///
    /// # Errors
    /// When the server or the product refuses.
    pub(crate) async fn make(&self, product: &Product, users: u64) -> Result<Database> {
        self.drop_all().await?;
        let url = match self.engine {
            Engine::Sqlite => format!("sqlite://{}?mode=rwc", self.sqlite_file().display()),
            Engine::Mariadb | Engine::Mysql => {
                let create = format!("CREATE DATABASE {SCRATCH_DATABASE} CHARACTER SET utf8mb4");
                sqlx::raw_sql(AssertSqlSafe(create))
                    .execute(&mut self.server().await?)
                    .await?;
                format!("{}/{SCRATCH_DATABASE}", self.server_url)
            }
        };
        let database = Database {
            engine: self.engine,
            url,
        };
        product.run(&database, &["migrate", "up"])?;
        if users > 0 {
            product.run(&database, &["seed", "--count", &users.to_string()])?;
            database.analyze().await?;
        }
        Ok(database)
    }

    /// Drops what [`Self::make`] made.
    ///
    /// # Errors
    /// When the server refuses or a file cannot be deleted.
    pub(crate) async fn drop_all(&self) -> Result<()> {
        match self.engine {
            Engine::Sqlite => {
                for suffix in ["", "-wal", "-shm"] {
                    let file = PathBuf::from(format!("{}{suffix}", self.sqlite_file().display()));
                    if file.exists() {
                        fs::remove_file(&file).with_context(|| format!("cannot delete {}", file.display()))?;
                    }
                }
            }
            Engine::Mariadb | Engine::Mysql => {
                let drop = format!("DROP DATABASE IF EXISTS {SCRATCH_DATABASE}");
                sqlx::raw_sql(AssertSqlSafe(drop))
                    .execute(&mut self.server().await?)
                    .await?;
            }
        }
        Ok(())
    }

    async fn server(&self) -> Result<MySqlConnection> {
        let connection = MySqlConnection::connect(&format!("{}/", self.server_url)).await;
        connection.with_context(|| format!("cannot reach the {} server", self.engine.title()))
    }

    fn sqlite_file(&self) -> PathBuf {
        self.folder.join("bench.db")
    }
}

/// The URL of a server without the database in it.
fn server_of(url: &str) -> Result<String> {
    let (scheme, rest) = url
        .split_once("://")
        .context("--server-url is no URL, such as mysql://user:password@host")?;
    if !matches!(scheme, "mysql" | "mariadb") {
        bail!("--server-url begins with mysql:// or mariadb://");
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    Ok(format!("mysql://{authority}"))
}

/// A migrated database.
#[derive(Debug)]
pub(crate) struct Database {
    engine: Engine,
    /// As product and hand-written server take it.
    pub(crate) url: String,
}

impl Database {
    /// The ids of all users.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn ids(&self) -> Result<Vec<i64>> {
        const IDS: &str = "SELECT id FROM users ORDER BY id";
        Ok(match self.engine {
            Engine::Sqlite => {
                let mut connection = SqliteConnection::connect(&self.url).await?;
                sqlx::query_scalar(IDS).fetch_all(&mut connection).await?
            }
            Engine::Mariadb | Engine::Mysql => {
                let mut connection = MySqlConnection::connect(&self.url).await?;
                sqlx::query_scalar(IDS).fetch_all(&mut connection).await?
            }
        })
    }

    /// How many users there are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn count(&self) -> Result<i64> {
        const COUNT: &str = "SELECT COUNT(*) FROM users";
        Ok(match self.engine {
            Engine::Sqlite => {
                let mut connection = SqliteConnection::connect(&self.url).await?;
                sqlx::query_scalar(COUNT).fetch_one(&mut connection).await?
            }
            Engine::Mariadb | Engine::Mysql => {
                let mut connection = MySqlConnection::connect(&self.url).await?;
                sqlx::query_scalar(COUNT).fetch_one(&mut connection).await?
            }
        })
    }

    /// Lets the server look at what was just loaded now, and not in the middle of a measurement.
    async fn analyze(&self) -> Result<()> {
        if self.engine != Engine::Sqlite {
            let mut connection = MySqlConnection::connect(&self.url).await?;
            sqlx::raw_sql("ANALYZE TABLE users").execute(&mut connection).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::server_of;

    #[test]
    fn the_server_is_the_url_without_its_database() {
        for url in [
            "mysql://app:secret@127.0.0.1:33971/app",
            "mariadb://app:secret@127.0.0.1:33971",
        ] {
            assert_eq!(server_of(url).unwrap(), "mysql://app:secret@127.0.0.1:33971");
        }
        assert!(server_of("postgres://localhost").is_err());
        assert!(server_of("localhost").is_err());
    }
}

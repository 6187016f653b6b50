//! The databases that measurements and drills run on: made anew, migrated and filled by the product itself.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::product::Product;
use crate::session::Session;

mod given;

/// The database on a server that the benchmark makes, and drops with all that is in it.
const SCRATCH_DATABASE: &str = "async_starter_bench";

/// An engine of the product. The hand-written server does not speak to PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Engine {
    Sqlite,
    Mariadb,
    Mysql,
    Postgres,
}

impl Engine {
    /// In the order in which they are shown.
    pub(crate) const ALL: [Self; 4] = [Self::Sqlite, Self::Mariadb, Self::Mysql, Self::Postgres];

    /// The name for people.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Mariadb => "MariaDB",
            Self::Mysql => "MySQL",
            Self::Postgres => "PostgreSQL",
        }
    }

    /// The name in file names.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Mariadb => "mariadb",
            Self::Mysql => "mysql",
            Self::Postgres => "postgres",
        }
    }

    /// What the URL of a server begins with; the first is what the product is given. SQLite has no server.
    fn schemes(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &[],
            Self::Mariadb | Self::Mysql => &["mysql", "mariadb"],
            Self::Postgres => &["postgres", "postgresql"],
        }
    }
}

/// Where databases are made.
#[derive(Debug)]
pub(crate) struct Databases {
    engine: Engine,
    /// Of a server, without a database; empty for SQLite.
    server_url: String,
    /// The database that is there already, from which others can be made.
    first_database: String,
    folder: PathBuf,
}

impl Databases {
    /// Those on the server at `url`, or as files in `folder`.
    ///
    /// # Errors
    /// When a server is needed and not named.
    pub(crate) fn new(engine: Engine, url: Option<&str>, folder: &Path) -> Result<Self> {
        let (server_url, first_database) = match (engine, url) {
            (Engine::Sqlite, None) => (String::new(), String::new()),
            (Engine::Sqlite, Some(_)) => bail!("SQLite has no server: leave --server-url out"),
            (Engine::Mariadb | Engine::Mysql | Engine::Postgres, Some(url)) => server_of(engine, url)?,
            (Engine::Mariadb | Engine::Mysql | Engine::Postgres, None) => {
                bail!(
                    "name the {} server with --server-url, or use `cargo xtask bench`",
                    engine.title()
                )
            }
        };
        Ok(Self {
            engine,
            server_url,
            first_database,
            folder: folder.to_owned(),
        })
    }

    /// The version of the engine. SQLite's is that of the library in this program, which is the product's too.
    ///
    /// # Errors
    /// When the server does not answer.
    pub(crate) async fn version(&self) -> Result<String> {
        let version = match self.engine {
            Engine::Sqlite => {
                let mut session = Session::open("sqlite::memory:").await?;
                session.text("SELECT sqlite_version()").await?
            }
            Engine::Mariadb | Engine::Mysql => self.server().await?.text("SELECT VERSION()").await?,
            Engine::Postgres => self.server().await?.text("SHOW server_version").await?,
        };
        Ok(number_of(&version))
    }

    /// A new database with the product's schema and `users` generated users. The one made before is gone.
    ///
    /// # Errors
    /// When the server or the product refuses.
    pub(crate) async fn make(&self, product: &Product, users: u64) -> Result<Database> {
        self.drop_all().await?;
        let url = match self.engine {
            Engine::Sqlite => format!("sqlite://{}?mode=rwc", self.sqlite_file().display()),
            Engine::Mariadb | Engine::Mysql | Engine::Postgres => {
                let options = if self.engine == Engine::Postgres {
                    ""
                } else {
                    " CHARACTER SET utf8mb4"
                };
                let create = format!("CREATE DATABASE {SCRATCH_DATABASE}{options}");
                self.server().await?.execute(create).await?;
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
            Engine::Mariadb | Engine::Mysql | Engine::Postgres => {
                // Alone PostgreSQL refuses while anybody is connected.
                let force = if self.engine == Engine::Postgres {
                    " WITH (FORCE)"
                } else {
                    ""
                };
                let drop = format!("DROP DATABASE IF EXISTS {SCRATCH_DATABASE}{force}");
                self.server().await?.execute(drop).await?;
            }
        }
        Ok(())
    }

    async fn server(&self) -> Result<Session> {
        let session = Session::open(&format!("{}/{}", self.server_url, self.first_database)).await;
        session.with_context(|| format!("cannot reach the {} server", self.engine.title()))
    }

    fn sqlite_file(&self) -> PathBuf {
        self.folder.join("bench.db")
    }
}

/// The number of a version: distributions append their own.
fn number_of(version: &str) -> String {
    version.split(['-', ' ']).next().unwrap_or_default().to_owned()
}

/// The URL of a server without the database in it, and the name of that. MySQL and MariaDB need none to be connected to.
fn server_of(engine: Engine, url: &str) -> Result<(String, String)> {
    let (scheme, rest) = url
        .split_once("://")
        .context("--server-url is no URL, such as mysql://user:password@host")?;
    let schemes = engine.schemes();
    if !schemes.contains(&scheme) {
        bail!("--server-url begins with {}://", schemes.join(":// or "));
    }
    let scheme = schemes.first().copied().unwrap_or(scheme);
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let authority = authority.split('?').next().unwrap_or_default();
    let database = match engine {
        Engine::Postgres => path.split('?').next().unwrap_or_default(),
        Engine::Sqlite | Engine::Mariadb | Engine::Mysql => "",
    };
    Ok((format!("{scheme}://{authority}"), database.to_owned()))
}

/// A migrated database.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    engine: Engine,
    /// As product and hand-written server take it.
    pub(crate) url: String,
}

/// A row of the table of users, as far as a drill looks at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UserRow {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) email: String,
    /// 1 when it was made, and one more with each change.
    pub(crate) version: i64,
}

impl Database {
    /// The ids of all users.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn ids(&self) -> Result<Vec<i64>> {
        let mut session = Session::open(&self.url).await?;
        session.numbers("SELECT id FROM users ORDER BY id").await
    }

    /// How many users there are.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn count(&self) -> Result<i64> {
        let mut session = Session::open(&self.url).await?;
        let counts = session.numbers("SELECT COUNT(*) FROM users").await?;
        counts.first().copied().context("a count has no row")
    }

    /// All users.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn users(&self) -> Result<Vec<UserRow>> {
        Session::open(&self.url).await?.users().await
    }

    /// Locks SQLite's only writer out until the returned value is dropped, as another process may.
    ///
    /// # Errors
    /// When the lock is not to be had.
    pub(crate) async fn lock_writes(&self) -> Result<WriteLock> {
        let mut session = Session::open(&self.url).await?;
        session.execute("PRAGMA busy_timeout = 5000".to_owned()).await?;
        session.execute("BEGIN IMMEDIATE".to_owned()).await?;
        Ok(WriteLock { session })
    }

    /// The same database, with so many of the first hosts of its address put last.
    pub(crate) fn with_hosts_rotated(&self, count: usize) -> Self {
        let url = match self.authority() {
            Some(authority) => {
                let mut hosts: Vec<&str> = authority.split(',').collect();
                let steps = count.checked_rem(hosts.len()).unwrap_or_default();
                hosts.rotate_left(steps);
                self.url.replacen(authority, &hosts.join(","), 1)
            }
            None => self.url.clone(),
        };
        Self {
            engine: self.engine,
            url,
        }
    }

    /// Its name on its server.
    pub(crate) fn name(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or_default()
    }

    /// Where its server listens; nothing for SQLite.
    pub(crate) fn authority(&self) -> Option<&str> {
        let (_, rest) = self.url.split_once("://")?;
        let (_, address) = rest.split('/').next()?.rsplit_once('@')?;
        (self.engine != Engine::Sqlite).then_some(address)
    }

    /// The same database, reached by another address.
    pub(crate) fn through(&self, address: SocketAddr) -> Self {
        let url = match self.authority() {
            Some(authority) => self.url.replacen(authority, &address.to_string(), 1),
            None => self.url.clone(),
        };
        Self {
            engine: self.engine,
            url,
        }
    }

    /// Lets the server look at what was just loaded now, and not in the middle of a measurement.
    ///
    /// # Errors
    /// When it refuses.
    pub(crate) async fn analyze(&self) -> Result<()> {
        match self.engine {
            Engine::Sqlite => Ok(()),
            Engine::Mariadb | Engine::Mysql => self.execute("ANALYZE TABLE users").await,
            Engine::Postgres => self.execute("ANALYZE users").await,
        }
    }

    async fn execute(&self, statement: &str) -> Result<()> {
        Session::open(&self.url).await?.execute(statement.to_owned()).await
    }
}

/// The lock of SQLite's writers, held from outside the product.
#[derive(Debug)]
pub(crate) struct WriteLock {
    session: Session,
}

impl WriteLock {
    /// Lets the others write again.
    ///
    /// # Errors
    /// When SQLite refuses.
    pub(crate) async fn release(mut self) -> Result<()> {
        self.session.execute("ROLLBACK".to_owned()).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_is_the_url_without_its_database() {
        for url in [
            "mysql://app:secret@127.0.0.1:33971/app",
            "mariadb://app:secret@127.0.0.1:33971",
        ] {
            let (server, database) = server_of(Engine::Mariadb, url).unwrap();
            assert_eq!(
                (server.as_str(), database.as_str()),
                ("mysql://app:secret@127.0.0.1:33971", "")
            );
        }
        assert!(server_of(Engine::Mysql, "postgres://localhost").is_err());
        assert!(server_of(Engine::Postgres, "localhost").is_err());
    }

    #[test]
    fn postgres_needs_the_name_of_a_database_to_be_connected_to() {
        let (server, database) = server_of(Engine::Postgres, "postgresql://app:secret@localhost/app?a=b").unwrap();
        assert_eq!(
            (server.as_str(), database.as_str()),
            ("postgres://app:secret@localhost", "app")
        );
    }

    #[test]
    fn a_database_is_reached_through_another_address() {
        let database = Database {
            engine: Engine::Postgres,
            url: "postgres://app:secret@127.0.0.1:33972/app".to_owned(),
        };
        let through = database.through(SocketAddr::from(([127, 0, 0, 1], 4)));
        assert_eq!(through.url, "postgres://app:secret@127.0.0.1:4/app");
    }
}

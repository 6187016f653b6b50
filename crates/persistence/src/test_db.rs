//! A database of its own for every test, on every engine that can be had, and the runner that names the others.
//!
//! A test is an `async fn(TestDatabase)`. A test binary lists its tests once, and each runs on SQLite, MySQL, MariaDB and
//! PostgreSQL as `mysql::the_name_of_the_test`. SQLite needs nothing. The servers are found by `TEST_MYSQL_URL`,
//! `TEST_MARIADB_URL` and `TEST_POSTGRES_URL` (`cargo xtask test` sets them); tests of an engine without its variable are
//! reported as ignored.
//!
//! ```no_run
//! # extern crate async_starter_persistence as persistence;
//! use persistence::{on_every_engine, test_db::{self, TestDatabase}};
//!
//! async fn a_new_database_is_empty(db: TestDatabase) {
//!     let users = persistence::UserRepository::new(db.database().reader());
//!     assert_eq!(users.count(&Default::default()).await.unwrap(), 0);
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     test_db::main(on_every_engine![a_new_database_is_empty])
//! }
//! ```
//!
//! A function that is missing from the list is dead code, which the compiler reports: no test is forgotten.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

mod runner;

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use secrecy::SecretString;
use tokio::sync::OnceCell;
use url::Url;
use uuid::Uuid;

pub use runner::{TestCase, main};

use crate::{Database, DatabaseOptions, Executor, Migrations, ServerAddress, engine, watched::Watched};

/// The start of the name of every test database; the time of creation and a unique number follow.
const PREFIX: &str = "async_starter_test";

/// A database older than this was left behind by a run that was killed, and is dropped.
const LEFTOVER_AGE_SECONDS: u64 = 3600;

/// How long a pool may take to get its connections back at the end of a test.
const CLOSE_PATIENCE: Duration = Duration::from_secs(30);

/// A database server that tests run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestEngine {
    /// A file in a temporary folder.
    Sqlite,
    /// A genuine MySQL server.
    MySql,
    /// A MariaDB server, which differs from MySQL in authentication, error codes and what it can return.
    MariaDb,
    /// A PostgreSQL server.
    Postgres,
}

impl TestEngine {
    const ALL: [Self; 4] = [Self::Sqlite, Self::MySql, Self::MariaDb, Self::Postgres];

    fn variable(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::MySql => Some("TEST_MYSQL_URL"),
            Self::MariaDb => Some("TEST_MARIADB_URL"),
            Self::Postgres => Some("TEST_POSTGRES_URL"),
        }
    }

    /// The address of the server, or nothing for SQLite.
    fn server_url(self) -> Option<String> {
        variable(self.variable()?)
    }

    /// Whether tests can run on this engine here.
    #[must_use]
    pub fn is_available(self) -> bool {
        self == Self::Sqlite || self.server_url().is_some()
    }
}

impl fmt::Display for TestEngine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Sqlite => "sqlite",
            Self::MySql => "mysql",
            Self::MariaDb => "mariadb",
            Self::Postgres => "postgres",
        })
    }
}

/// What a variable of the process says that names a server for tests, such as `TEST_REDIS_URL`.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "tests have no configuration; these variables are their only input"
)]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// An empty database that belongs to one test. Clones share it; the runner removes it after the test.
#[derive(Clone, Debug)]
pub struct TestDatabase(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    engine: TestEngine,
    url: String,
    /// Where the database is dropped from: the server's own address and the name. Absent for SQLite.
    server: Option<(String, String)>,
    /// Holds the SQLite file; dropping it deletes the file.
    _folder: Option<tempfile::TempDir>,
    database: Database,
}

impl TestDatabase {
    /// Creates a database with all migrations applied.
    ///
    /// # Panics
    /// When the server cannot be reached.
    pub async fn create(engine: TestEngine) -> Self {
        let database = Self::create_unmigrated(engine).await;
        database.migrate().await;
        database
    }

    async fn migrate(&self) {
        Migrations::new(self.database()).up(None).await.unwrap();
    }

    /// Creates a database without tables on another server than the usual one of its engine. [`remove`](Self::remove) drops it.
    ///
    /// # Panics
    /// When the server cannot be reached.
    pub async fn create_unmigrated_at(engine: TestEngine, server_url: &str) -> Self {
        Self::create_on(engine, Some(server_url.to_owned())).await
    }

    /// Creates a database without tables.
    ///
    /// # Panics
    /// When the server cannot be reached.
    pub async fn create_unmigrated(engine: TestEngine) -> Self {
        Self::create_on(engine, engine.server_url()).await
    }

    /// Creates a database with all migrations applied on another server than the usual one of its engine.
    /// [`remove`](Self::remove) drops it.
    ///
    /// # Panics
    /// When the server cannot be reached.
    pub async fn create_at(engine: TestEngine, server_url: &str) -> Self {
        let database = Self::create_on(engine, Some(server_url.to_owned())).await;
        database.migrate().await;
        database
    }

    async fn create_on(engine: TestEngine, server_url: Option<String>) -> Self {
        // ANCHOR: create
        let (url, server, folder) = match server_url {
            None => {
                let folder = tempfile::tempdir().unwrap();
                (
                    format!("sqlite://{}?mode=rwc", folder.path().join("test.db").display()),
                    None,
                    Some(folder),
                )
            }
            Some(server_url) => {
                drop_leftovers(engine, &server_url).await;
                let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
                let name = format!("{PREFIX}_{seconds}_{}", Uuid::now_v7().simple());
                execute_on_server(&server_url, &format!("CREATE DATABASE {name}")).await;
                (with_database(&server_url, &name), Some((server_url, name)), None)
            }
        };
        // ANCHOR_END: create
        let database = Database::open(&Self::options_for(&url)).await.unwrap();
        Self(Arc::new(Inner {
            engine,
            url,
            server,
            _folder: folder,
            database,
        }))
    }

    fn options_for(url: &str) -> DatabaseOptions {
        DatabaseOptions {
            max_connections: 10,
            ..DatabaseOptions::new(SecretString::from(url))
        }
    }

    /// Which server the database is on.
    #[must_use]
    pub fn engine(&self) -> TestEngine {
        self.0.engine
    }

    /// The address of the database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.0.url
    }

    /// The database.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.0.database
    }

    /// Options that open the database once more.
    #[must_use]
    pub fn options(&self) -> DatabaseOptions {
        Self::options_for(&self.0.url)
    }

    /// The address of the database of the same name on another server, such as a replica.
    ///
    /// # Panics
    /// When `server_url` is no address, or the database is a SQLite file.
    #[must_use]
    pub fn url_on(&self, server_url: &str) -> String {
        let (_, name) = self.0.server.as_ref().expect("a SQLite file is on no server");
        with_database(server_url, name)
    }

    /// Executes SQL on the writer.
    ///
    /// # Panics
    /// When the database refuses.
    pub async fn execute(&self, sql: &str) {
        self.0.database.writer().pool.execute_unprepared(sql).await.unwrap();
    }

    /// The rows of a query as text, on any pool or transaction.
    ///
    /// # Panics
    /// When the database refuses, or a value is neither text nor a number.
    pub async fn query(&self, executor: &impl Executor, sql: &str) -> Vec<Vec<String>> {
        let executor = executor.inner();
        let statement = Statement::from_string(executor.get_database_backend(), sql);
        let rows = executor.query_all_raw(statement).await.unwrap();
        let text = |row: &sea_orm::QueryResult, index| {
            let text = row
                .try_get_by_index::<Option<String>>(index)
                .map(Option::unwrap_or_default);
            let number = || row.try_get_by_index::<i64>(index).map(|number| number.to_string());
            let small_number = || row.try_get_by_index::<i32>(index).map(|number| number.to_string());
            let bytes = || {
                row.try_get_by_index::<Vec<u8>>(index)
                    .map(|bytes| String::from_utf8(bytes).unwrap())
            };
            text.or_else(|_| number())
                .or_else(|_| small_number())
                .or_else(|_| bytes())
                .unwrap()
        };
        rows.iter()
            .map(|row| (0..row.column_names().len()).map(|index| text(row, index)).collect())
            .collect()
    }

    /// Drops the database. The runner does this for the one that it gives to a test.
    ///
    /// # Panics
    /// When a connection is still in use, or the server refuses.
    pub async fn remove(self) {
        let closed = tokio::time::timeout(CLOSE_PATIENCE, self.0.database.close()).await;
        closed
            .expect("the pool still waits for a connection: one was lost")
            .unwrap();
        if let Some((server_url, name)) = &self.0.server {
            let force = if self.0.engine == TestEngine::Postgres {
                " WITH (FORCE)"
            } else {
                ""
            };
            drop_database(server_url, &format!("DROP DATABASE {name}{force}")).await;
        }
    }
}

/// The address of a database on a server, all of whose hosts it names.
fn with_database(server_url: &str, name: &str) -> String {
    let address = ServerAddress::parse(server_url);
    let mut url = Url::parse(&address.of_each_host().next().unwrap()).unwrap();
    url.set_path(name);
    ServerAddress::parse(url.as_str()).with_host(&address.hosts().join(","))
}

/// Drops a database. PostgreSQL cleans up behind a test on its own (autovacuum), for a moment, in a session of the superuser,
/// which whoever runs the tests may not be allowed to end.
async fn drop_database(server_url: &str, sql: &str) {
    const ATTEMPTS: u32 = 50;
    const PAUSE: Duration = Duration::from_millis(200);

    let server = connect_to_server(server_url).await;
    for attempt in 1..=ATTEMPTS {
        match server.execute_unprepared(sql).await {
            Err(_) if attempt < ATTEMPTS => tokio::time::sleep(PAUSE).await,
            outcome => {
                outcome.unwrap();
                break;
            }
        }
    }
    server.unwatched().close_by_ref().await.unwrap();
}

async fn connect_to_server(server_url: &str) -> Watched<DatabaseConnection> {
    let options = DatabaseOptions {
        max_connections: 1,
        ..DatabaseOptions::new(SecretString::from(server_url))
    };
    engine::open(&options).await.unwrap().writer
}

async fn execute_on_server(server_url: &str, sql: &str) {
    let server = connect_to_server(server_url).await;
    server.execute_unprepared(sql).await.unwrap();
    server.unwatched().close_by_ref().await.unwrap();
}

/// Drops the databases of runs that were killed, once in a test binary and engine.
async fn drop_leftovers(engine: TestEngine, server_url: &str) {
    static MYSQL: OnceCell<()> = OnceCell::const_new();
    static MARIADB: OnceCell<()> = OnceCell::const_new();
    static POSTGRES: OnceCell<()> = OnceCell::const_new();
    let (once, list) = match engine {
        TestEngine::Sqlite => return,
        TestEngine::MySql => (
            &MYSQL,
            "SELECT CAST(schema_name AS CHAR) FROM information_schema.schemata",
        ),
        TestEngine::MariaDb => (
            &MARIADB,
            "SELECT CAST(schema_name AS CHAR) FROM information_schema.schemata",
        ),
        TestEngine::Postgres => (&POSTGRES, "SELECT CAST(datname AS TEXT) FROM pg_database"),
    };
    let sweep = async || {
        let server = connect_to_server(server_url).await;
        let oldest = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() - LEFTOVER_AGE_SECONDS;
        let names = server
            .query_all_raw(Statement::from_string(server.get_database_backend(), list))
            .await
            .unwrap();
        for name in names.iter().map(|row| row.try_get_by_index::<String>(0).unwrap()) {
            let created = name
                .strip_prefix(PREFIX)
                .and_then(|rest| rest.split('_').nth(1)?.parse::<u64>().ok());
            if created.is_some_and(|created| created < oldest) {
                // Another test binary may drop the same leftover at the same time.
                server
                    .execute_unprepared(&format!("DROP DATABASE IF EXISTS {name}"))
                    .await
                    .ok();
            }
        }
        server.unwatched().close_by_ref().await.unwrap();
    };
    once.get_or_init(sweep).await;
}

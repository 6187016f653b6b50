//! How pools are opened and how sessions are set up.
//!
//! Pools are built from the driver's own options: SeaORM's `ConnectOptions` print the password in `Debug` and trace output.

use std::{str::FromStr, time::Duration};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode, SqlxSqliteConnector,
    TransactionOptions, TransactionTrait,
    sqlx::{
        self, ConnectOptions,
        pool::PoolOptions,
        sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous},
    },
};
use secrecy::ExposeSecret;
use tokio::time::{sleep, timeout};
use tracing::log::LevelFilter;

use super::{
    Engine, InsertReturning,
    nodes::{Follower, Member, Nodes},
    server_pool::{pool_options, server_pool},
    sessions::Server,
};
use crate::{
    DatabaseOptions, Durability, PersistenceError, ServerAddress,
    config::InvalidDatabaseUrl,
    watched::{Limits, Trust, Watched},
};

/// How much longer than its limit a statement may take before it is given up on: the server speaks first, if it can be heard.
const SILENCE_MARGIN: Duration = Duration::from_secs(1);

/// A transaction runs four times at most, and all its waits for a lock together should fit into one wait for a connection.
const SQLITE_LOCK_WAITS: u32 = 4;

/// How long maintenance waits for another process's lock on a SQLite database.
const SQLITE_MAINTENANCE_LOCK_WAIT: Duration = Duration::from_secs(30);

/// How much of a SQLite database a bulk load keeps in memory, in KiB. New rows go anywhere in the indexes, and with the usual
/// 2 MiB each would have to be read again.
const BULK_CACHE_KIB: u32 = 128 * 1024;

/// After how many pages of log a bulk load moves them into a SQLite database. A page that changes often is moved once then.
const BULK_CHECKPOINT_PAGES: u32 = 50_000;

/// How many rows SQLite's thread may be ahead of the task that reads them: a page. With fewer, each of the two sleeps and wakes
/// many times in a page, which costs more than the rows.
const SQLITE_ROWS_AHEAD: usize = 1000;

/// The pools of one database.
pub(crate) struct Pools {
    pub(crate) writer: Watched<DatabaseConnection>,
    /// A single connection that no request uses, so that a question for health does not queue behind them.
    pub(crate) probe: Watched<DatabaseConnection>,
    /// Absent where the writer's pool serves reads as well.
    pub(crate) reader: Option<Watched<DatabaseConnection>>,
    /// Whether the server tells the ids of rows that are inserted.
    pub(crate) insert_returning: InsertReturning,
    /// What keeps the pools with the node that takes writes; absent where there is but one.
    pub(crate) follower: Option<Follower>,
}

/// Opens the pools that `options` describe. No server is contacted: connections open when they are first needed, so a
/// program starts, and says that it is not ready, while its database is still down. A SQLite file is opened at once. Of several
/// nodes one is looked for first, for two seconds at most.
pub(crate) async fn open(options: &DatabaseOptions) -> Result<Pools, PersistenceError> {
    match options.engine()? {
        Engine::Sqlite => open_sqlite(options).await,
        Engine::MySql => open_server::<sqlx::MySql>(options, InsertReturning::not_yet_known()).await,
        Engine::Postgres => open_server::<sqlx::Postgres>(options, InsertReturning::supported()).await,
    }
}

async fn open_server<DB: Server>(
    options: &DatabaseOptions,
    insert_returning: InsertReturning,
) -> Result<Pools, PersistenceError> {
    let nodes = nodes::<DB>(options)?;
    nodes.settle().await;
    let mut members = Vec::new();
    let mut open_pool = |options: &DatabaseOptions| {
        let trust = Trust::new(options.trusted_idle, nodes.trouble());
        let pool = server_pool(options, &nodes, &trust, &insert_returning);
        let limits = options.statement_timeout.map(|limit| {
            let on_connection = limit + SILENCE_MARGIN;
            Limits {
                on_connection,
                // First one waits for a connection, then for the answer; from outside, the two cannot be told apart.
                on_pool: options.acquire_timeout + on_connection,
            }
        });
        members.push(Member {
            pool: pool.clone(),
            trust: trust.clone(),
        });
        Watched::new(DB::for_sea_orm(pool), Some(trust), limits)
    };
    let probe = DatabaseOptions {
        min_connections: 0,
        max_connections: 1,
        acquire_times: None,
        ..options.clone()
    };
    let (writer, probe) = (open_pool(options), open_pool(&probe));
    Ok(Pools {
        writer,
        probe,
        reader: None,
        insert_returning,
        follower: nodes.follow(members, options.acquire_timeout),
    })
}

/// The nodes that an address names.
fn nodes<DB: Server>(options: &DatabaseOptions) -> Result<Nodes<DB>, PersistenceError> {
    let address = ServerAddress::parse(options.url.expose_secret());
    let mut nodes = Vec::new();
    for (host, url) in address.hosts().iter().zip(address.of_each_host()) {
        let connect: <DB as Server>::Options = parse(&url)?;
        nodes.push(((*host).to_owned(), log_statements(DB::adapt(connect), options)));
    }
    let mut nodes = nodes.into_iter();
    let first = nodes.next().ok_or(InvalidDatabaseUrl)?;
    Ok(Nodes::new(first, nodes))
}

/// Opens and closes one connection past the pools. A pool that gets no connection only says that it waited in vain; this
/// says why.
pub(crate) async fn try_connection(options: &DatabaseOptions) -> Result<(), PersistenceError> {
    let attempt = async {
        match options.engine()? {
            // Its pools opened a connection already.
            Engine::Sqlite => Ok(()),
            Engine::MySql => nodes::<sqlx::MySql>(options)?
                .open_and_close()
                .await
                .map_err(connect_error),
            Engine::Postgres => nodes::<sqlx::Postgres>(options)?
                .open_and_close()
                .await
                .map_err(connect_error),
        }
    };
    match timeout(options.acquire_timeout, attempt).await {
        Ok(outcome) => outcome,
        Err(_) => Err(PersistenceError::NoAnswer(options.acquire_timeout)),
    }
}

// ANCHOR: begin
/// Begins a transaction that is going to write.
///
/// SQLite's plain BEGIN takes the write lock at the first write, and when another writer came in between it fails at once
/// instead of waiting. IMMEDIATE takes the lock at the start, where waiting works.
///
/// Dropping this future loses track of whether the transaction is open on the server, and the next borrower of the
/// connection would write into it unawares. Callers run it where nobody drops it: see `Database::begin`.
pub(crate) async fn begin(pool: &Watched<DatabaseConnection>) -> Result<Watched<DatabaseTransaction>, DbErr> {
    let sqlite_transaction_mode = match Engine::of_backend(pool.get_database_backend()) {
        Engine::Sqlite => Some(SqliteTransactionMode::Immediate),
        Engine::MySql | Engine::Postgres => None,
    };
    #[expect(clippy::disallowed_methods, reason = "this is the one place that the ban leads to")]
    let begin = pool.unwatched().begin_with_options(TransactionOptions {
        sqlite_transaction_mode,
        ..TransactionOptions::default()
    });
    Ok(pool.on_connection(pool.watch(begin).await?))
}
// ANCHOR_END: begin

/// Statements at `debug`, slow ones at `warn`; both without their values.
// ANCHOR: log-statements
fn log_statements<O: ConnectOptions>(connect: O, options: &DatabaseOptions) -> O {
    connect
        .log_statements(LevelFilter::Debug)
        .log_slow_statements(LevelFilter::Warn, options.slow_statement_threshold)
}
// ANCHOR_END: log-statements

fn parse<O: FromStr>(url: &str) -> Result<O, InvalidDatabaseUrl> {
    url.parse().map_err(|_| InvalidDatabaseUrl)
}

/// Whether the database lives in the memory of this process and ends with its pool.
pub(crate) fn is_in_memory(options: &DatabaseOptions) -> bool {
    let url = options.url.expose_secret();
    url.starts_with("sqlite:") && (url.contains(":memory:") || url.contains("mode=memory"))
}

/// One writer and several readers over a write-ahead log: readers never wait for the writer, and the single writer makes
/// `SQLITE_BUSY` a matter between processes only.
async fn open_sqlite(options: &DatabaseOptions) -> Result<Pools, PersistenceError> {
    let url = options.url.expose_secret();
    // ANCHOR: sqlite-session
    let connect = log_statements(parse::<SqliteConnectOptions>(url)?, options)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(match options.durability {
            Durability::Full => SqliteSynchronous::Full,
            Durability::Relaxed => SqliteSynchronous::Normal,
        })
        .busy_timeout(match options.statement_timeout {
            Some(_) => options.acquire_timeout / SQLITE_LOCK_WAITS,
            None => SQLITE_MAINTENANCE_LOCK_WAIT,
        })
        .row_buffer_size(SQLITE_ROWS_AHEAD)
        .foreign_keys(true);
    // ANCHOR_END: sqlite-session
    let connect = match options.durability {
        Durability::Full => connect,
        Durability::Relaxed => connect
            .pragma("cache_size", format!("-{BULK_CACHE_KIB}"))
            .pragma("wal_autocheckpoint", BULK_CHECKPOINT_PAGES.to_string()),
    };
    // A file that does not exist is made, unless the address says otherwise.
    let connect = if url.contains("mode=") {
        connect
    } else {
        connect.create_if_missing(true)
    };
    // Closing the last connection to a database in memory deletes it, so connections live as long as the pool.
    let pool = || pool_options(options).idle_timeout(None).max_lifetime(None);

    let cannot_open = |error: sqlx::Error| PersistenceError::SqliteFile {
        file: connect.get_filename().display().to_string(),
        source: error.into(),
    };

    let writer = pool().min_connections(1).max_connections(1);
    let writer = connect_patiently(writer, &connect).await.map_err(cannot_open)?;
    let unwatched = |pool| Watched::new(SqlxSqliteConnector::from_sqlx_sqlite_pool(pool), None, None);
    let writer = unwatched(writer);
    if is_in_memory(options) {
        return Ok(Pools {
            probe: writer.clone(),
            writer,
            reader: None,
            insert_returning: InsertReturning::supported(),
            follower: None,
        });
    }
    let read_only = connect.clone().read_only(true);
    let reader = pool().connect_with(read_only.clone()).await.map_err(cannot_open)?;
    let unobserved = DatabaseOptions {
        acquire_times: None,
        ..options.clone()
    };
    let probe = pool_options(&unobserved)
        .idle_timeout(None)
        .max_lifetime(None)
        .min_connections(0)
        .max_connections(1)
        .connect_lazy_with(read_only);
    Ok(Pools {
        writer,
        probe: unwatched(probe),
        reader: Some(unwatched(reader)),
        insert_returning: InsertReturning::supported(),
        follower: None,
    })
}

/// Opens a pool. Processes that make the same file at the same moment get in each other's way when they switch it to the
/// write-ahead log, and SQLite then gives up at once where it usually waits.
async fn connect_patiently(
    pool: PoolOptions<sqlx::Sqlite>,
    connect: &SqliteConnectOptions,
) -> Result<sqlx::SqlitePool, sqlx::Error> {
    const BUSY: &str = "5";
    const ATTEMPTS: u32 = 50;
    const PAUSE: Duration = Duration::from_millis(20);

    for _ in 1..ATTEMPTS {
        match pool.clone().connect_with(connect.clone()).await {
            Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(BUSY) => sleep(PAUSE).await,
            outcome => return outcome,
        }
    }
    pool.connect_with(connect.clone()).await
}

/// What is to be done on the last connection before it closes. SQLite then moves what was committed from the write-ahead
/// log into the database file, so that a copy of that one file is complete.
pub(crate) async fn before_close(writer: &DatabaseConnection) -> Result<(), DbErr> {
    match Engine::of_backend(writer.get_database_backend()) {
        // Closed before.
        Engine::Sqlite if writer.get_sqlite_connection_pool().is_closed() => Ok(()),
        Engine::Sqlite => writer
            .execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)")
            .await
            .map(|_| ()),
        Engine::MySql | Engine::Postgres => Ok(()),
    }
}

fn connect_error(error: sqlx::Error) -> PersistenceError {
    PersistenceError::Unavailable(DbErr::Conn(sea_orm::RuntimeErr::SqlxError(error.into())))
}

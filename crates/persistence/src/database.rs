//! The pools of one database, and the only door to a transaction.

use std::time::Duration;

use sea_orm::ConnectionTrait;
use tokio::time::timeout;

use crate::{Connection, DatabaseOptions, Durability, Engine, PersistenceError, Transaction, engine};

/// A database: a pool for writing and a pool for reading. Cloning shares them.
///
/// With SQLite the writer is a single connection and the readers are several; with a server both are the same pool. What
/// must see a write that just happened asks the [`writer`](Self::writer), everything else the [`reader`](Self::reader).
#[derive(Clone, Debug)]
pub struct Database {
    engine: Engine,
    options: DatabaseOptions,
    writer: Connection,
    /// Absent where reads go to the writer's pool.
    reader: Option<Connection>,
    /// One connection that no request uses.
    probe: Connection,
}

/// How busy a pool is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// `writer` or `reader`; `primary` where both are one.
    pub name: &'static str,
    /// The most connections the pool opens.
    pub max: u32,
    /// Connections that execute something.
    pub in_use: u32,
    /// Connections that wait for work.
    pub idle: u32,
}

impl Database {
    /// Opens the pools. Connections to a server open when first needed, so this succeeds while the server is down.
    ///
    /// # Errors
    /// [`PersistenceError::InvalidUrl`], and [`PersistenceError::Unavailable`] when a SQLite file cannot be opened.
    pub async fn open(options: &DatabaseOptions) -> Result<Self, PersistenceError> {
        let engine = options.engine()?;
        let pools = engine::open(options).await?;
        let connection = |pool| Connection {
            pool,
            insert_returning: pools.insert_returning.clone(),
        };
        Ok(Self {
            engine,
            options: options.clone(),
            writer: connection(pools.writer),
            probe: connection(pools.probe),
            reader: pools.reader.map(connection),
        })
    }

    /// The same database for work that outlasts a request: a connection or two, and statements without a
    /// limit. Nothing for a database in memory, which exists in its own pool alone; there, this one has to do.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub async fn for_maintenance(&self, durability: Durability) -> Result<Option<Self>, PersistenceError> {
        if engine::is_in_memory(&self.options) {
            return Ok(None);
        }
        Self::open(&DatabaseOptions {
            durability,
            ..self.options.for_maintenance()
        })
        .await
        .map(Some)
    }

    /// Which engine this is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Where to ask for health: a connection that does not queue behind requests.
    pub(crate) fn probe(&self) -> &Connection {
        &self.probe
    }

    /// The options it was opened with.
    #[must_use]
    pub fn options(&self) -> &DatabaseOptions {
        &self.options
    }

    /// Where to write, and to read what was just written.
    #[must_use]
    pub fn writer(&self) -> &Connection {
        &self.writer
    }

    /// Where to read.
    #[must_use]
    pub fn reader(&self) -> &Connection {
        self.reader.as_ref().unwrap_or(&self.writer)
    }

    /// Begins a transaction on the writer.
    ///
    /// Dropping this future is safe at any point. BEGIN runs in a task of its own because a BEGIN that is cut off in flight
    /// would leave its connection in the pool inside an open transaction, and the next borrower's write would be lost with
    /// it (sqlx issue 4385). When the caller is gone, the task finishes, drops the transaction, and so rolls it back.
    ///
    /// # Errors
    /// [`PersistenceError::Unavailable`] when no connection can be had within `acquire_timeout`, and
    /// [`PersistenceError::NoAnswer`] when the server then keeps silent for as long again.
    pub async fn begin(&self) -> Result<Transaction, PersistenceError> {
        let pool = self.writer.pool.clone();
        let begin = tokio::spawn(async move { engine::begin(&pool).await });
        let patience = self.options.acquire_timeout * 2;
        match timeout(patience, begin).await {
            Ok(Ok(transaction)) => Ok(Transaction::new(transaction?, self.writer.returns_inserted_rows())),
            // The task neither panics nor is aborted; it ends early only when the runtime shuts down.
            Ok(Err(_)) | Err(_) => Err(PersistenceError::NoAnswer(patience)),
        }
    }

    /// Makes one attempt to connect, for a program that cannot go on without the database and wants to say why.
    ///
    /// # Errors
    /// [`PersistenceError::Unavailable`] with the reason, or [`PersistenceError::NoAnswer`] after `acquire_timeout`.
    pub async fn try_connection(&self) -> Result<(), PersistenceError> {
        engine::try_connection(&self.options).await
    }

    /// Asks the database for a sign of life, and waits `patience` at most.
    ///
    /// # Errors
    /// [`PersistenceError::NoAnswer`] when the time is over, else why the database could not be asked.
    pub async fn ping(&self, patience: Duration) -> Result<(), PersistenceError> {
        let ping = self.probe.pool.execute_unprepared("SELECT 1");
        match timeout(patience, ping).await {
            Ok(answer) => answer.map(|_| ()).map_err(PersistenceError::from),
            Err(_) => Err(PersistenceError::NoAnswer(patience)),
        }
    }

    /// How busy each pool is.
    #[must_use]
    pub fn pool_status(&self) -> Vec<PoolStatus> {
        let status = |name, pool: &Connection| engine::pool_status(name, &pool.pool);
        match &self.reader {
            None => vec![status("primary", &self.writer)],
            Some(reader) => vec![status("writer", &self.writer), status("reader", reader)],
        }
    }

    /// Closes all connections after their statements end. Whoever waits for one gets [`PersistenceError::Unavailable`].
    ///
    /// # Errors
    /// When a connection cannot be closed in an orderly way; it is closed all the same.
    pub async fn close(&self) -> Result<(), PersistenceError> {
        let probe = self.probe.pool.close_by_ref().await;
        let reader = match &self.reader {
            Some(reader) => reader.pool.close_by_ref().await,
            None => Ok(()),
        };
        let last = engine::before_close(&self.writer.pool).await;
        let writer = self.writer.pool.close_by_ref().await;
        Ok(writer.and(last).and(reader).and(probe)?)
    }
}

//! The pools of one database, and the only door to a transaction.

use std::{borrow::Cow, sync::Arc, time::Duration};

use futures_util::future::join;
use sea_orm::ConnectionTrait;
use tokio::time::timeout;
use tracing::Instrument;

use crate::{
    Connection, DatabaseOptions, Durability, Engine, NodeStatus, PersistenceError, ReplicaStatus, Transaction, engine,
    replicas::Replicas,
};

/// A database: a pool for writing, a pool for reading, and read replicas. Cloning shares them.
///
/// With SQLite the writer is a single connection and the readers are several; with a server both are the same pool. What
/// must see a write that just happened asks the [`writer`](Self::writer). What may be a little behind is [`read`](Self::read),
/// from a replica where there is one.
#[derive(Clone, Debug)]
pub struct Database {
    engine: Engine,
    options: DatabaseOptions,
    writer: Connection,
    /// Absent where reads go to the writer's pool.
    reader: Option<Connection>,
    /// Absent where none is configured.
    replicas: Option<Replicas>,
    /// One connection that no request uses.
    probe: Connection,
}

/// How busy a pool is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolStatus {
    /// `writer` or `reader`; `primary` where both are one; `replica-1` and so on.
    pub name: Cow<'static, str>,
    /// The most connections the pool opens.
    pub max: u32,
    /// Connections that execute something.
    pub in_use: u32,
    /// Connections that wait for work.
    pub idle: u32,
}

/// Where a read may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Freshness {
    /// To a replica, if there is one that is fresh enough.
    #[default]
    MayLag,
    /// To the primary, which has everything that was ever committed.
    Current,
}

impl Database {
    /// Opens the pools. Connections to a server open when first needed, so this succeeds while the server is down. Of a database
    /// with several nodes the one that takes writes is looked for first, for two seconds at most.
    ///
    /// Such a database has a task that keeps the pools with that node; it ends with the last clone of this value.
    ///
    /// # Errors
    /// [`PersistenceError::InvalidUrl`], and [`PersistenceError::Unavailable`] when a SQLite file cannot be opened.
    pub async fn open(options: &DatabaseOptions) -> Result<Self, PersistenceError> {
        let engine = options.engine()?;
        let pools = engine::open(options).await?;
        let follower = pools.follower.map(Arc::new);
        let connection = |pool| Connection {
            pool,
            insert_returning: pools.insert_returning.clone(),
            follower: follower.clone(),
        };
        Ok(Self {
            engine,
            options: options.clone(),
            writer: connection(pools.writer),
            probe: connection(pools.probe),
            reader: pools.reader.map(connection),
            replicas: Replicas::open(options).await?,
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

    /// Where to read on the primary. It has everything that was ever committed.
    #[must_use]
    pub fn reader(&self) -> &Connection {
        self.reader.as_ref().unwrap_or(&self.writer)
    }

    /// Reads where it may: from a replica that is fresh enough, from the next one if that fails, and from the primary if there
    /// is none. `read` gets a pool and may be called again with another one.
    ///
    /// # Errors
    /// What the last call of `read` ends with.
    pub async fn read<T, Reading>(
        &self,
        freshness: Freshness,
        read: impl Fn(Connection) -> Reading,
    ) -> Result<T, PersistenceError>
    where
        Reading: Future<Output = Result<T, PersistenceError>>,
    {
        if freshness == Freshness::MayLag
            && let Some(replicas) = &self.replicas
        {
            for replica in replicas.candidates() {
                if let Some(outcome) = replica.read(&read).await {
                    return outcome;
                }
            }
        }
        read(self.reader().clone()).await
    }

    /// Whether a read may be behind the primary.
    #[must_use]
    pub fn has_replicas(&self) -> bool {
        self.replicas.is_some()
    }

    /// What is known of each replica.
    #[must_use]
    pub fn replica_status(&self) -> Vec<ReplicaStatus> {
        self.replicas.as_ref().map(Replicas::status).unwrap_or_default()
    }

    /// The nodes of the primary, and which of them is used; nothing where it has but one.
    #[must_use]
    pub fn node_status(&self) -> Vec<NodeStatus> {
        self.writer
            .follower
            .as_ref()
            .map(|follower| follower.status())
            .unwrap_or_default()
    }

    /// How often another node of the primary was taken.
    #[must_use]
    pub fn node_moves(&self) -> u64 {
        self.writer.follower.as_ref().map_or(0, |follower| follower.moves())
    }

    /// Whether a node of the primary took writes when they were last looked at; always where it has but one.
    #[must_use]
    pub fn has_writable_node(&self) -> bool {
        self.writer
            .follower
            .as_ref()
            .is_none_or(|follower| follower.has_writable())
    }

    /// Keeps finding out which replicas are fresh enough to be used; without it none is. Never completes, except at once
    /// where there are no replicas. Dropping the future ends it.
    pub async fn watch_replicas(&self) {
        if let Some(replicas) = &self.replicas {
            replicas.watch().await;
        }
    }

    /// Begins a transaction on the writer.
    ///
    /// Dropping this future is safe at any point. BEGIN runs in a task of its own because a BEGIN that is cut off in flight
    /// would leave its connection in the pool inside an open transaction, and the next borrower's write would be lost with
    /// it (sqlx issue 4385). When the caller is gone, the task finishes, drops the transaction, and so rolls it back.
    ///
    /// A span `transaction` is open until the transaction ends, with `begin`, `commit` and `rollback` within.
    ///
    /// # Errors
    /// [`PersistenceError::Unavailable`] when no connection can be had within `acquire_timeout`, and
    /// [`PersistenceError::NoAnswer`] when the server then keeps silent for as long again.
    // ANCHOR: begin
    pub async fn begin(&self) -> Result<Transaction, PersistenceError> {
        let pool = self.writer.pool.clone();
        let span = Transaction::span();
        let begin_span = span.in_scope(|| tracing::debug_span!("begin"));
        let begin = async move { engine::begin(&pool).await };
        // Where the inner span is of no interest, what is logged belongs to the caller's all the same.
        let begin = tokio::spawn(begin.instrument(begin_span).in_current_span());
        let patience = self.options.acquire_timeout * 2;
        match timeout(patience, begin).await {
            Ok(Ok(transaction)) => Ok(Transaction::new(
                transaction?,
                self.writer.returns_inserted_rows(),
                span,
            )),
            // The task neither panics nor is aborted; it ends early only when the runtime shuts down.
            Ok(Err(_)) | Err(_) => Err(PersistenceError::NoAnswer(patience)),
        }
    }
    // ANCHOR_END: begin

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
        let mut pools = match &self.reader {
            None => vec![self.writer.status("primary")],
            Some(reader) => vec![self.writer.status("writer"), reader.status("reader")],
        };
        pools.extend(self.replicas.iter().flat_map(Replicas::pool_status));
        pools
    }

    /// Closes all connections after their statements end. Whoever waits for one gets [`PersistenceError::Unavailable`].
    ///
    /// # Errors
    /// When a connection cannot be closed in an orderly way; it is closed all the same.
    pub async fn close(&self) -> Result<(), PersistenceError> {
        let replicas = async {
            match &self.replicas {
                Some(replicas) => replicas.close().await,
                None => Ok(()),
            }
        };
        let primary = async {
            let probe = self.probe.close().await;
            let reader = match &self.reader {
                Some(reader) => reader.close().await,
                None => Ok(()),
            };
            let last = engine::before_close(self.writer.pool.unwatched()).await;
            let writer = self.writer.close().await;
            writer.and(last.map_err(PersistenceError::from)).and(reader).and(probe)
        };
        // A replica that cannot be reached does not keep the primary from being taken leave of.
        let (primary, replicas) = join(primary, replicas).await;
        primary.and(replicas)
    }
}

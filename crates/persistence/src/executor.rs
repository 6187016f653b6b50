//! What SQL is executed on: a pool or a transaction, behind names of our own.
//!
//! The newtypes keep SeaORM out of the signatures of other crates: the service passes transactions around without ever
//! naming it, and cannot begin one except through [`Database::begin`](crate::Database::begin).

use std::{borrow::Cow, fmt, sync::Arc};

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, StreamTrait};
use tracing::Span;

use crate::{
    PersistenceError, PoolStatus,
    engine::{self, Follower, InsertReturning, Pools},
    watched::Watched,
};

/// Something that executes SQL: a [`Connection`] to a pool or a [`Transaction`].
pub trait Executor: sealed::Executor {}

mod sealed {
    //! Keeps the trait ours alone, and SeaORM's traits out of the public interface.

    use super::{ConnectionTrait, PersistenceError, StreamTrait};

    // ANCHOR: executor
    pub trait Executor: Send + Sync {
        type Inner: ConnectionTrait + StreamTrait + Send + Sync;

        fn inner(&self) -> &Self::Inner;

        /// Whether the ids of inserted rows come with the statement that inserts them.
        fn returns_inserted_rows(&self) -> bool;

        /// What it means that a statement which writes ended with `error`. Where each statement is a transaction of its own,
        /// one whose connection was lost may have been committed.
        fn writing_ended_with(&self, error: PersistenceError) -> PersistenceError;
    }
    // ANCHOR_END: executor
}

// ANCHOR: connection-and-transaction
/// A pool of connections to one database server. Cloning shares the pool. Each statement borrows a connection for itself.
#[derive(Clone)]
pub struct Connection {
    pub(crate) pool: Watched<DatabaseConnection>,
    pub(crate) insert_returning: InsertReturning,
    /// What keeps the pool with the node that takes writes; absent where there is but one.
    pub(crate) follower: Option<Arc<Follower>>,
}

/// An open transaction. Dropping it without [`commit`](Self::commit) rolls back everything done through it.
pub struct Transaction {
    transaction: Watched<DatabaseTransaction>,
    returns_inserted_rows: bool,
}
// ANCHOR_END: connection-and-transaction

impl Connection {
    /// The pool that serves everything, of pools that have been opened.
    pub(crate) fn of(pools: Pools) -> Self {
        Self {
            pool: pools.writer,
            insert_returning: pools.insert_returning,
            follower: pools.follower.map(Arc::new),
        }
    }

    /// How busy the pool is.
    pub(crate) fn status(&self, name: impl Into<Cow<'static, str>>) -> PoolStatus {
        engine::pool_status(name.into(), self.pool.unwatched())
    }

    /// Closes the pool.
    ///
    /// # Errors
    /// When a connection cannot be closed in an orderly way; it is closed all the same.
    pub(crate) async fn close(&self) -> Result<(), PersistenceError> {
        Ok(self.pool.unwatched().close_by_ref().await?)
    }

    /// Whether a statement that inserts rows tells their ids. Where it does not, they have to be read back, which must be
    /// done in the transaction that inserts them. Until the first connection is open nobody knows, and this is false.
    #[must_use]
    pub fn returns_inserted_rows(&self) -> bool {
        self.insert_returning.is_supported()
    }
}

impl Transaction {
    pub(crate) fn new(transaction: Watched<DatabaseTransaction>, returns_inserted_rows: bool, span: Span) -> Self {
        Self {
            transaction: transaction.within(span),
            returns_inserted_rows,
        }
    }

    /// The span of a transaction that is about to begin. It closes with the transaction; where `outcome` is still empty then,
    /// the transaction was dropped, and so rolled back.
    pub(crate) fn span() -> Span {
        tracing::debug_span!("transaction", outcome = tracing::field::Empty)
    }

    /// Makes everything done through this transaction permanent and visible to others.
    ///
    /// When the future is dropped before it is ready, the outcome is unknown: the server may have committed already.
    ///
    /// # Errors
    /// The database may refuse, for instance because two transactions are in each other's way
    /// ([`PersistenceError::TransactionConflict`]); nothing is kept then. [`PersistenceError::OutcomeUnknown`] when the
    /// connection is lost before the answer.
    pub async fn commit(self) -> Result<(), PersistenceError> {
        let committed = self.transaction.commit().await;
        committed.map_err(|error| PersistenceError::from(error).when_committing())
    }

    /// Undoes everything done through this transaction, and waits until it is undone.
    ///
    /// # Errors
    /// When the connection is lost; the database then rolls back by itself.
    pub async fn rollback(self) -> Result<(), PersistenceError> {
        self.transaction.rollback().await.map_err(PersistenceError::from)
    }
}

impl sealed::Executor for Connection {
    type Inner = Watched<DatabaseConnection>;

    fn inner(&self) -> &Self::Inner {
        &self.pool
    }

    fn returns_inserted_rows(&self) -> bool {
        self.insert_returning.is_supported()
    }

    fn writing_ended_with(&self, error: PersistenceError) -> PersistenceError {
        error.when_committing()
    }
}

impl sealed::Executor for Transaction {
    type Inner = Watched<DatabaseTransaction>;

    fn inner(&self) -> &Self::Inner {
        &self.transaction
    }

    fn returns_inserted_rows(&self) -> bool {
        self.returns_inserted_rows
    }

    fn writing_ended_with(&self, error: PersistenceError) -> PersistenceError {
        error
    }
}

impl Executor for Connection {}
impl Executor for Transaction {}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Connection")
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Transaction")
    }
}

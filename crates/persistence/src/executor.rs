//! What SQL is executed on: a pool or a transaction, behind names of our own.
//!
//! The newtypes keep SeaORM out of the signatures of other crates: the service passes transactions around without ever
//! naming it, and cannot begin one except through [`Database::begin`](crate::Database::begin).

use std::fmt;

use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, StreamTrait};

use crate::PersistenceError;

/// Something that executes SQL: a [`Connection`] to a pool or a [`Transaction`].
pub trait Executor: sealed::Executor {}

mod sealed {
    //! Keeps the trait ours alone, and SeaORM's traits out of the public interface.

    use super::{ConnectionTrait, StreamTrait};

    pub trait Executor: Send + Sync {
        type Inner: ConnectionTrait + StreamTrait + Send + Sync;

        fn inner(&self) -> &Self::Inner;
    }
}

/// A pool of connections to one database server. Cloning shares the pool. Each statement borrows a connection for itself.
#[derive(Clone)]
pub struct Connection(pub(crate) DatabaseConnection);

/// An open transaction. Dropping it without [`commit`](Self::commit) rolls back everything done through it.
pub struct Transaction(DatabaseTransaction);

impl Transaction {
    pub(crate) fn new(transaction: DatabaseTransaction) -> Self {
        Self(transaction)
    }

    /// Makes everything done through this transaction permanent and visible to others.
    ///
    /// When the future is dropped before it is ready, the outcome is unknown: the server may have committed already.
    ///
    /// # Errors
    /// The database may refuse, for instance because two transactions are in each other's way
    /// ([`PersistenceError::TransactionConflict`]); nothing is kept then.
    pub async fn commit(self) -> Result<(), PersistenceError> {
        self.0.commit().await.map_err(PersistenceError::from)
    }

    /// Undoes everything done through this transaction, and waits until it is undone.
    ///
    /// # Errors
    /// When the connection is lost; the database then rolls back by itself.
    pub async fn rollback(self) -> Result<(), PersistenceError> {
        self.0.rollback().await.map_err(PersistenceError::from)
    }
}

impl sealed::Executor for Connection {
    type Inner = DatabaseConnection;

    fn inner(&self) -> &DatabaseConnection {
        &self.0
    }
}

impl sealed::Executor for Transaction {
    type Inner = DatabaseTransaction;

    fn inner(&self) -> &DatabaseTransaction {
        &self.0
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

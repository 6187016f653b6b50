//! Pools, transactions, migrations, seeding and the repository of users, on SQLite, MySQL, MariaDB and PostgreSQL.
//!
//! [`Database`] holds the pools and is the only door to a [`Transaction`]; [`UserRepository`] and
//! [`IdempotencyRepository`] speak SQL over either. Entities are private, so no other layer can query past the repository, and every difference between engines lives in
//! the private module `engine`.
//!
//! What must never be imported here: HTTP, and business decisions such as what a duplicate means to a caller.

mod beat;
mod config;
mod database;
mod engine;
mod entity;
mod error;
mod executor;
mod histogram;
mod idempotency;
mod migration;
mod replicas;
mod repository;
mod seed;
mod server_address;
#[cfg(feature = "test-support")]
pub mod test_db;
mod watched;

pub use config::{DatabaseOptions, Durability, InvalidDatabaseUrl};
pub use database::{Database, Freshness, PoolStatus};
pub use engine::{Engine, NodeStatus};
pub use error::{PersistenceError, RetryReason};
pub use executor::{Connection, Executor, Transaction};
pub use histogram::Histogram;
pub use idempotency::{HexHash, IdempotencyRepository, KeptAnswer};
pub use migration::{
    CREATE_USERS, LintVerdict, MigrationLint, MigrationStatus, MigrationWarning, Migrations, lint_migrations,
    mysql_script,
};
pub use replicas::ReplicaStatus;
pub use repository::UserRepository;
pub use seed::{SeedPlan, SeedProgress, add_sample_users, seed, truncate};
pub use server_address::ServerAddress;

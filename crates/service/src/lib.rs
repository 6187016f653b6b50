//! The use cases of async-starter: where a transaction begins and ends, what is retried, and what a failure means.
//!
//! [`UserService`] is all that can be done with users, [`Import`] and [`Export`] move many of them, [`HealthService`] tells whether it can be done now. Both run their
//! work on the [`DatabaseRuntime`].
//!
//! What must never be imported here: SQL, SeaORM by name, HTTP, serde.

pub mod coalesce;
mod counters;
mod error;
mod health;
mod idempotency;
mod retry;
mod runtime;
mod transfer;
mod user_count;
mod users;

pub use counters::{Counter, Counters};
pub use error::UserError;
pub use health::{Health, HealthService};
pub use idempotency::{IdempotentRequest, KeptOnce};
pub use persistence::{Freshness, Histogram, PoolStatus, ReplicaStatus};
pub use retry::{MAX_RETRIES, RETRYING, Retries, RetryCounters};
pub use runtime::{Caller, DatabaseRuntime, RuntimeLoad, RuntimeStopped};
pub use transfer::{Export, Import, ImportProgress, ImportReport, ImportStopped, Rejected, Rejection};
pub use users::{Coalescing, UserService, UserServiceOptions};

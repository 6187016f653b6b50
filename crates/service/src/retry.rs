//! Running a transaction again when the database asks for it.
//!
//! Databases resolve a deadlock, or a write based on outdated reads, by ending one of the transactions. Nothing is wrong
//! with it, and nothing is left of it: it only has to be run again, from its first statement.

use std::time::Duration;

use persistence::PersistenceError;
use rand::RngExt;

use crate::Counter;

/// How often a transaction is run again before its conflict is reported.
pub const MAX_RETRIES: u32 = 3;

/// The longest pause before the first repetition; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Runs `transaction`, and runs it again, at most [`MAX_RETRIES`] times, while it ends in a conflict with another.
///
/// `transaction` begins and commits its own transaction, or is a single statement, so that a conflict leaves nothing of
/// it. It does nothing else that has an effect. The pauses are random, up to 10, 20 and 40 ms, so that two transactions
/// that collided do not collide again in step.
///
/// Each repetition is counted in `repetitions`. Dropping the future abandons the current run, which rolls back.
///
/// # Errors
/// What the last run ends with.
pub async fn retry<T, Transaction>(
    repetitions: &Counter,
    mut transaction: impl FnMut() -> Transaction,
) -> Result<T, PersistenceError>
where
    Transaction: Future<Output = Result<T, PersistenceError>>,
{
    let mut longest_pause = FIRST_PAUSE;
    for attempt in 1..=MAX_RETRIES {
        match transaction().await {
            Err(conflict) if conflict.is_retryable() => {
                tracing::debug!(attempt, %conflict, "running a transaction again");
                let pause = rand::rng().random_range(Duration::ZERO..longest_pause);
                tokio::time::sleep(pause).await;
                longest_pause *= 2;
                repetitions.increment();
            }
            outcome => return outcome,
        }
    }
    transaction().await
}

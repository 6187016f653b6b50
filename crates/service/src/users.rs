//! Everything that can be done with users.
//!
//! A use case that is one statement needs no transaction: the database makes a statement whole or not at all. Where two
//! statements must agree, the transaction begins and ends here.

mod change;
mod create;
mod read;

use std::time::Duration;

use persistence::Database;

pub(crate) use self::create::existing_emails;
pub(crate) use self::read::Reading;
use self::{create::Creation, read::SharedReads};
use crate::{
    Counters, DatabaseRuntime, Retries, UserError,
    coalesce::{CoalescingOptions, WriteCoalescer},
    idempotency::Idempotency,
    transfer::Resources,
    user_count::UserCount,
};

/// How long requests wait for a statement that others are on. Far longer than a statement of this kind takes, and far shorter
/// than anybody waits for an answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// How creates of single users are merged.
const WRITES: CoalescingOptions = CoalescingOptions {
    max_batches: 2,
    max_members: 96,
    patience: PATIENCE,
};

/// Which statements are shared by requests that come at the same time. Their answers are the same either way; see
/// [`coalesce`](crate::coalesce).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coalescing {
    /// Those that read a user by id, and that count all users.
    pub reads: bool,
    /// Those that create a user without an idempotency key.
    pub writes: bool,
}

impl Default for Coalescing {
    fn default() -> Self {
        Self {
            reads: true,
            writes: true,
        }
    }
}

/// How the use cases work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserServiceOptions {
    /// Which statements are shared.
    pub coalescing: Coalescing,
    /// How long an idempotency key is remembered.
    pub idempotency_time_to_live: Duration,
    /// How long somebody waits for an answer: nothing is begun again after that.
    pub request_timeout: Duration,
}

impl Default for UserServiceOptions {
    /// All statements are shared that can be; keys are remembered for 24 hours, and answers waited for 10 seconds.
    fn default() -> Self {
        Self {
            coalescing: Coalescing::default(),
            idempotency_time_to_live: Duration::from_hours(24),
            request_timeout: Duration::from_secs(10),
        }
    }
}

/// The use cases around users. Cloning shares the database.
///
/// Every method that ends with an error has left nothing behind. A future of theirs that is dropped has no effect either,
/// unless its COMMIT was on its way. The exception is [`create`](Self::create): a statement that has been built, and waits
/// for its connection, cannot be called back, so it may still happen after the future was dropped. Where that matters,
/// [`create_once`](Self::create_once) can be asked again.
#[derive(Clone, Debug)]
pub struct UserService {
    database: Database,
    runtime: DatabaseRuntime,
    idempotency: Idempotency,
    counters: Counters,
    retries: Retries,
    reading: Reading,
    creation: Creation,
    count: UserCount,
    /// Absent where reads are not coalesced.
    shared_reads: Option<SharedReads>,
    /// Absent where writes are not coalesced.
    shared_creations: Option<WriteCoalescer<Creation>>,
}

impl UserService {
    /// Use cases over `database`, which run on `runtime`.
    #[must_use]
    pub fn new(database: Database, runtime: DatabaseRuntime, options: UserServiceOptions) -> Self {
        let counters = Counters::default();
        let retries = Retries::new(counters.retries.clone(), options.request_timeout);
        let reading = Reading::new(database.clone(), retries.clone());
        let count = UserCount::default();
        let creation = Creation::new(database.clone(), retries.clone(), count.clone());
        let idempotency = Idempotency::new(
            database.clone(),
            runtime.clone(),
            counters.clone(),
            retries.clone(),
            options.idempotency_time_to_live,
        );
        let shared_reads = || SharedReads::new(&reading, &runtime, &count, &counters);
        let shared_creations = || {
            let sizes = counters.write_batch_sizes.clone();
            WriteCoalescer::new(creation.clone(), runtime.clone(), WRITES, sizes)
        };
        Self {
            shared_reads: options.coalescing.reads.then(shared_reads),
            shared_creations: options.coalescing.writes.then(shared_creations),
            database,
            runtime,
            idempotency,
            counters,
            retries,
            reading,
            creation,
            count,
        }
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What an import or an export needs of this.
    pub(crate) fn resources(&self) -> Resources {
        Resources {
            database: self.database.clone(),
            runtime: self.runtime.clone(),
            counters: self.counters.clone(),
            retries: self.retries.clone(),
            reading: self.reading.clone(),
            count: self.count.clone(),
        }
    }

    /// Forgets idempotency keys whose time is over, and returns how many those were. Keys that are over do not count even
    /// if nobody ever calls this: it only frees their space. Dropping the future stops it between two statements.
    ///
    /// # Errors
    /// When the database cannot serve it.
    pub async fn sweep_idempotency_keys(&self) -> Result<u64, UserError> {
        self.idempotency.sweep().await
    }
}

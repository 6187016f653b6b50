//! Everything that can be done with users.
//!
//! A use case that is one statement needs no transaction: the database makes a statement whole or not at all. Where two
//! statements must agree, the transaction begins and ends here.

mod change;
mod create;
mod read;

use std::time::Duration;

use persistence::Database;

use self::{
    create::Creation,
    read::{AllUsers, UsersById},
};
use crate::{
    Counters, DatabaseRuntime, UserError,
    coalesce::{CoalescingOptions, ReadCoalescer, WriteCoalescer},
    idempotency::Idempotency,
    transfer::Resources,
    user_count::UserCount,
};

/// How long an idempotency key is remembered unless told otherwise.
const IDEMPOTENCY_TIME_TO_LIVE: Duration = Duration::from_hours(24);

/// How long requests wait for a statement that others are on. Far longer than a statement of this kind takes, and far shorter
/// than anybody waits for an answer.
const PATIENCE: Duration = Duration::from_millis(500);

/// How reads of single users are merged. More than one batch at once, so that a slow one does not hold up everybody.
const READS: CoalescingOptions = CoalescingOptions {
    max_batches: 2,
    max_members: 128,
    patience: PATIENCE,
};

/// How creates of single users are merged.
const WRITES: CoalescingOptions = CoalescingOptions {
    max_batches: 2,
    max_members: 96,
    patience: PATIENCE,
};

/// How counts are merged, each of which is the same.
const COUNTS: CoalescingOptions = CoalescingOptions {
    max_batches: 1,
    max_members: usize::MAX,
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
    count: UserCount,
    /// Absent where reads are not coalesced.
    by_id: Option<ReadCoalescer<UsersById>>,
    /// Absent where reads are not coalesced.
    counts: Option<ReadCoalescer<AllUsers>>,
    /// Absent where writes are not coalesced.
    creations: Option<WriteCoalescer<Creation>>,
}

impl UserService {
    /// Use cases over `database`, which run on `runtime` and share statements where they can.
    #[must_use]
    pub fn new(database: Database, runtime: DatabaseRuntime) -> Self {
        let counters = Counters::default();
        let idempotency = Idempotency::new(
            database.clone(),
            runtime.clone(),
            counters.clone(),
            IDEMPOTENCY_TIME_TO_LIVE,
        );
        let service = Self {
            database,
            runtime,
            idempotency,
            counters,
            count: UserCount::default(),
            by_id: None,
            counts: None,
            creations: None,
        };
        service.with_coalescing(Coalescing::default())
    }

    /// The same use cases, which share the statements that `coalescing` says; all that can be shared without it.
    #[must_use]
    pub fn with_coalescing(self, coalescing: Coalescing) -> Self {
        let sizes_of_reads = &self.counters.read_batch_sizes;
        let by_id = || {
            let source = UsersById::new(self.database.clone());
            ReadCoalescer::new(source, self.runtime.clone(), READS, sizes_of_reads.clone())
        };
        let counts = || {
            let source = AllUsers::new(self.database.clone(), self.count.clone());
            ReadCoalescer::new(
                source,
                self.runtime.clone(),
                COUNTS,
                self.counters.count_batch_sizes.clone(),
            )
        };
        let creations = || {
            let sizes = self.counters.write_batch_sizes.clone();
            WriteCoalescer::new(self.creation(), self.runtime.clone(), WRITES, sizes)
        };
        Self {
            by_id: coalescing.reads.then(by_id),
            counts: coalescing.reads.then(counts),
            creations: coalescing.writes.then(creations),
            ..self.clone()
        }
    }

    /// The same use cases, which remember an idempotency key for this long; 24 hours without it.
    #[must_use]
    pub fn with_idempotency_time_to_live(self, time_to_live: Duration) -> Self {
        let (database, runtime) = (self.database.clone(), self.runtime.clone());
        Self {
            idempotency: Idempotency::new(database, runtime, self.counters.clone(), time_to_live),
            ..self
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

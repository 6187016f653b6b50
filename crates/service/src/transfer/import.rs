//! Creating any number of users, chunk by chunk.

mod ledger;

use std::{collections::HashSet, fmt};

use domain::{NewUser, Timestamp, UserBatch};
use futures_util::{FutureExt, future::BoxFuture};
use persistence::{Database, PersistenceError, UserRepository};

use self::ledger::Ledger;
use super::Resources;
use crate::{Caller, DatabaseRuntime, MAX_RETRIES, Retries, UserError, user_count::UserCount, users::existing_emails};

/// How many rows one transaction takes at most. A chunk is a batch, of which some users may be left out.
const CHUNK_ROWS: usize = UserBatch::MAX_USERS;

/// The most rejections that are remembered; all are counted.
const MAX_REMEMBERED: usize = 100;

/// How far an import has come: what its whole chunks brought about. `received` is always `created` and `rejected` together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportProgress {
    /// Rows that were decided on.
    pub received: u64,
    /// Rows whose users were created.
    pub created: u64,
    /// Rows that cannot be read, or whose address is not free.
    pub rejected: u64,
    /// Transactions that were committed.
    pub committed_chunks: u64,
}

/// What became of an import that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportReport<R> {
    /// The counts.
    pub progress: ImportProgress,
    /// The first 100 rows that were rejected, by line.
    pub rejected: Vec<Rejected<R>>,
}

/// A row that was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected<R> {
    /// Where it stands.
    pub line: u64,
    /// Why.
    pub reason: Rejection<R>,
}

/// Why a row was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection<R> {
    /// It cannot be read as a user.
    Unreadable(R),
    /// Another user has its address, or an earlier row had it.
    EmailTaken,
}

/// An import ended before its rows did. The same import may be made again: the users that were created are then rejected
/// because their addresses are taken, and the others created.
#[derive(Debug, thiserror::Error)]
#[error("the import ended after {} users had been created", .progress.created)]
pub struct ImportStopped {
    /// What was done before. When the answer to a COMMIT was lost, a chunk more may have been.
    pub progress: ImportProgress,
    /// Why.
    #[source]
    pub cause: UserError,
}

/// An import in progress.
///
/// Rows are gathered into chunks, and each chunk is a transaction. While one is written, the next is gathered.
///
/// Dropping it, or a future of its methods, leaves whole chunks: the one that is being written is undone unless its COMMIT
/// is on its way. What was committed is logged once, when everything has ended.
pub struct Import<R> {
    database: Database,
    runtime: DatabaseRuntime,
    retries: Retries,
    count: UserCount,
    gathered: Chunk<R>,
    in_hand: Option<InHand<R>>,
    rejected: Vec<Rejected<R>>,
    /// Whether the last chunk had addresses that are taken, so that it is better to look before the next is written.
    looks_first: bool,
    ledger: Ledger,
}

/// Rows that are decided on together.
struct Chunk<R> {
    users: Vec<NewUser>,
    /// The lines of `users`.
    lines: Vec<u64>,
    unreadable: Vec<(u64, R)>,
}

/// A chunk that is being written.
struct InHand<R> {
    lines: Vec<u64>,
    unreadable: Vec<(u64, R)>,
    /// The positions among `lines` of users whose addresses are taken, when the others are committed.
    outcome: BoxFuture<'static, Result<Vec<usize>, UserError>>,
}

impl<R> fmt::Debug for Import<R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Import")
            .field("progress", &self.progress())
            .finish_non_exhaustive()
    }
}

impl<R> Import<R> {
    pub(super) fn new(resources: Resources) -> Self {
        let Resources {
            database,
            runtime,
            counters,
            retries,
            reading: _,
            count,
        } = resources;
        Self {
            count,
            ledger: Ledger::new(counters.users_imported.clone()),
            database,
            runtime,
            retries,
            gathered: Chunk::new(),
            in_hand: None,
            rejected: Vec::new(),
            looks_first: false,
        }
    }

    /// What the chunks that have been decided on brought about.
    #[must_use]
    pub fn progress(&self) -> ImportProgress {
        self.ledger.progress()
    }

    /// Takes the row of `line`. Lines must ascend. Waits while two chunks are full and neither is written.
    ///
    /// # Errors
    /// [`ImportStopped`] when a chunk before cannot be written. Nothing more may be added then.
    // ANCHOR: add
    pub async fn add(&mut self, line: u64, row: Result<NewUser, R>) -> Result<(), ImportStopped> {
        // A call before may have been given up while it waited, when its row had filled the chunk.
        self.write_if_full().await?;
        match row {
            Ok(new_user) => {
                self.gathered.users.push(new_user);
                self.gathered.lines.push(line);
            }
            Err(unreadable) => self.gathered.unreadable.push((line, unreadable)),
        }
        self.write_if_full().await
    }
    // ANCHOR_END: add

    // ANCHOR: write-if-full
    async fn write_if_full(&mut self) -> Result<(), ImportStopped> {
        if self.gathered.len() == CHUNK_ROWS {
            self.settle().await?;
            self.write_gathered();
        }
        Ok(())
    }
    // ANCHOR_END: write-if-full

    /// Writes what is left, and tells what became of all rows.
    ///
    /// # Errors
    /// [`ImportStopped`] when a chunk cannot be written.
    pub async fn finish(mut self) -> Result<ImportReport<R>, ImportStopped> {
        self.settle().await?;
        if self.gathered.len() > 0 {
            self.write_gathered();
            self.settle().await?;
        }
        self.ledger.complete();
        Ok(ImportReport {
            progress: self.progress(),
            rejected: self.rejected,
        })
    }

    /// Ends the import before its rows have: waits for the chunk that is being written, and gives up what has been gathered
    /// since. What the import can tell is exact then.
    ///
    /// # Errors
    /// [`ImportStopped`] when that chunk cannot be written.
    pub async fn stop(mut self) -> Result<ImportReport<R>, ImportStopped> {
        self.settle().await?;
        Ok(ImportReport {
            progress: self.progress(),
            rejected: self.rejected,
        })
    }

    /// Waits for the chunk that is being written, if there is one.
    async fn settle(&mut self) -> Result<(), ImportStopped> {
        let Some(in_hand) = &mut self.in_hand else {
            return Ok(());
        };
        let outcome = (&mut in_hand.outcome).await;
        let taken = outcome.map_err(|cause| ImportStopped {
            progress: self.ledger.progress(),
            cause,
        });
        let in_hand = self.in_hand.take();
        let taken = taken?;
        self.looks_first = !taken.is_empty();
        if let Some(InHand { lines, unreadable, .. }) = in_hand {
            self.remember(&lines, &taken, unreadable);
        }
        Ok(())
    }

    /// Remembers the first rejections, in the order of their lines.
    fn remember(&mut self, lines: &[u64], taken: &[usize], unreadable: Vec<(u64, R)>) {
        let room = MAX_REMEMBERED - self.rejected.len();
        let taken = taken.iter().filter_map(|position| lines.get(*position));
        let taken = taken.map(|line| Rejected {
            line: *line,
            reason: Rejection::EmailTaken,
        });
        let unreadable = unreadable.into_iter().map(|(line, unreadable)| Rejected {
            line,
            reason: Rejection::Unreadable(unreadable),
        });
        // Each of the two ascends, so no more than `room` of either can be among the first.
        let mut rejected: Vec<_> = taken.take(room).chain(unreadable.take(room)).collect();
        rejected.sort_by_key(|rejected| rejected.line);
        rejected.truncate(room);
        self.rejected.append(&mut rejected);
    }

    /// Sends off what has been gathered.
    fn write_gathered(&mut self) {
        let Chunk {
            users,
            lines,
            unreadable,
        } = std::mem::replace(&mut self.gathered, Chunk::new());
        let (database, retries) = (self.database.clone(), self.retries.clone());
        let (runtime, ledger, looks_first) = (self.runtime.clone(), self.ledger.clone(), self.looks_first);
        let count = self.count.clone();
        let received = users.len() + unreadable.len();
        let write = async move {
            let Ok(batch) = UserBatch::new(users) else {
                // Every row was unreadable.
                ledger.decided(received, 0);
                return Ok(Vec::new());
            };
            let work = |caller: Caller| async move {
                let change = count.begin_change();
                let outcome = write(&database, &retries, &batch, looks_first, &caller).await;
                change.end_creating(&outcome, |taken| batch.users().len() - taken.len());
                let taken = outcome?;
                ledger.decided(received, batch.users().len() - taken.len());
                Ok(taken)
            };
            runtime.run_for_caller(work).await
        };
        let mut outcome = write.boxed();
        // The first poll sends it off.
        let ready = (&mut outcome).now_or_never();
        self.in_hand = Some(InHand {
            lines,
            unreadable,
            outcome: match ready {
                Some(ready) => std::future::ready(ready).boxed(),
                None => outcome,
            },
        });
    }
}

impl<R> Chunk<R> {
    fn new() -> Self {
        Self {
            users: Vec::new(),
            lines: Vec::new(),
            unreadable: Vec::new(),
        }
    }

    fn len(&self) -> usize {
        self.users.len() + self.unreadable.len()
    }
}

/// Creates the users of a chunk whose addresses are free, in one transaction, and returns the positions of the others.
///
/// Usually every address is free and nobody looks. When the unique index objects, the taken ones are looked up and left
/// out; when it objects all the same, somebody took an address in between, and it is looked again.
// ANCHOR: write
async fn write(
    database: &Database,
    retries: &Retries,
    batch: &UserBatch,
    mut looks_first: bool,
    caller: &Caller,
) -> Result<Vec<usize>, UserError> {
    for _ in 0..=MAX_RETRIES {
        let existing = if looks_first {
            existing_emails(database, retries, batch.users()).await?
        } else {
            HashSet::new()
        };
        let taken = batch.conflicts(&existing);
        match retries.run(|| insert_free(database, batch, &taken, caller)).await {
            Ok(()) => return Ok(taken),
            Err(PersistenceError::EmailTaken) => looks_first = true,
            Err(error) => return Err(error.into()),
        }
    }
    // Users with these addresses come and go faster than we can look. Nobody is to blame; later it may work.
    Err(UserError::DatabaseUnavailable(PersistenceError::EmailTaken))
}
// ANCHOR_END: write

/// Creates all users of a chunk but those at the positions of `taken`, which ascend.
async fn insert_free(
    database: &Database,
    batch: &UserBatch,
    taken: &[usize],
    caller: &Caller,
) -> Result<(), PersistenceError> {
    let users = batch.users().iter().enumerate();
    let free = users.filter(|(position, _)| taken.binary_search(position).is_err());
    let free: Vec<_> = free.map(|(_, user)| user).collect();
    if free.is_empty() {
        return Ok(());
    }
    caller.check_presence()?;
    let transaction = database.begin().await?;
    UserRepository::new(&transaction)
        .insert_unseen(&free, Timestamp::now())
        .await?;
    caller.commit(transaction).await
}

//! Reading users: one, a page, a piece of a walk.

use std::{collections::HashMap, time::Duration};

use domain::{Cursor, Page, PageRequest, PageSize, Slice, Timestamp, User, UserFilter, UserId};
use persistence::{Connection, Database, Freshness, PersistenceError, UserRepository};

use super::{PATIENCE, UserService};
use crate::{
    Counters, DatabaseRuntime, Retries, UserError,
    coalesce::{CoalescingOptions, ReadCoalescer, ReadTogether},
    user_count::UserCount,
};

/// A row is committed within this time after the time of creation that it bears, and clocks of instances agree as well.
const LONGEST_COMMIT: Duration = Duration::from_secs(15);

/// How reads of single users are merged. More than one batch at once, so that a slow one does not hold up everybody.
const READS: CoalescingOptions = CoalescingOptions {
    max_batches: 2,
    max_members: 128,
    patience: PATIENCE,
};

/// How counts are merged, each of which is the same.
const COUNTS: CoalescingOptions = CoalescingOptions {
    max_batches: 1,
    max_members: usize::MAX,
    patience: PATIENCE,
};

impl UserService {
    /// The user with this id. That there is none is said by the primary alone, so a user who has just been created is found.
    ///
    /// # Errors
    /// [`UserError::NotFound`].
    pub async fn get(&self, id: UserId, freshness: Freshness) -> Result<User, UserError> {
        let freshness = self.reading.possible(freshness);
        let mut found = self.find(id, freshness).await?;
        if found.is_none() && freshness == Freshness::MayLag {
            found = self.find(id, Freshness::Current).await?;
        }
        found.ok_or(UserError::NotFound(id))
    }

    async fn find(&self, id: UserId, freshness: Freshness) -> Result<Option<User>, UserError> {
        if let Some(shared) = &self.shared_reads {
            return Ok(shared.of(freshness).by_id.get(id).await?.transpose()?);
        }
        let reading = self.reading.clone();
        let find = move |connection| async move { UserRepository::new(&connection).find(id).await };
        let work = async move { Ok(reading.read(freshness, find).await?) };
        self.runtime.run(work).await
    }

    /// A page of the list by its number, with the size of the whole list. Past the end it is empty.
    ///
    /// # Errors
    /// When the database cannot serve it.
    pub async fn page(
        &self,
        filter: UserFilter,
        request: PageRequest,
        freshness: Freshness,
    ) -> Result<Page, UserError> {
        let (offset, size) = (request.offset(), request.size);
        let (reading, of_page) = (self.reading.clone(), filter.clone());
        let work = async move {
            let page = reading.read(freshness, |connection| {
                let filter = of_page.clone();
                async move {
                    UserRepository::new(&connection)
                        .page(&filter, offset, one_more(size))
                        .await
                }
            });
            Ok::<_, UserError>(page.await?)
        };
        let Slice { users, next } = slice(self.runtime.run(work).await?, size);
        // The count may see writes that the page did not: each answer is true, of two moments.
        // A page that is neither full nor empty shows the end of the list; only else it has to be counted.
        let seen = offset + users.len() as u64;
        let ends_here = next.is_none() && (seen > offset || offset == 0);
        let total = if ends_here {
            seen
        } else {
            // Another instance may have added users since the table was counted: a page must not disprove its own total.
            let shown = if users.is_empty() {
                0
            } else {
                seen + u64::from(next.is_some())
            };
            self.total(filter, self.reading.possible(freshness)).await?.max(shown)
        };
        Ok(Page { users, total, next })
    }

    /// The piece of the list that follows `position`, or its start.
    ///
    /// # Errors
    /// When the database cannot serve it.
    pub async fn after(
        &self,
        filter: UserFilter,
        position: Option<Cursor>,
        size: PageSize,
        freshness: Freshness,
    ) -> Result<Slice, UserError> {
        let reading = self.reading.clone();
        let freshness = reading.behind(position, freshness);
        let work = async move {
            let piece = reading.read(freshness, |connection| {
                let filter = filter.clone();
                async move {
                    UserRepository::new(&connection)
                        .after(&filter, position, one_more(size))
                        .await
                }
            });
            Ok(slice(piece.await?, size))
        };
        self.runtime.run(work).await
    }

    /// How many users match.
    async fn total(&self, filter: UserFilter, freshness: Freshness) -> Result<u64, UserError> {
        if filter != UserFilter::default() {
            let reading = self.reading.clone();
            let work = async move { Ok(reading.count(&filter, freshness).await?) };
            return self.runtime.run(work).await;
        }
        if self.reading.may_come_from_elsewhere(freshness)
            && let Some(users) = self.count.recent()
        {
            return Ok(users);
        }
        if let Some(shared) = &self.shared_reads {
            // There is always a number.
            return Ok(shared.of(freshness).counts.get(()).await?.unwrap_or_default());
        }
        let all = AllUsers::new(self.reading.clone(), self.count.clone(), freshness);
        self.runtime.run(async move { all.count().await }).await
    }
}

/// Reading, from wherever it may be done, and once more where that helps. Cloning shares the pools.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    database: Database,
    retries: Retries,
}

impl Reading {
    pub(super) fn new(database: Database, retries: Retries) -> Self {
        Self { database, retries }
    }

    /// Reads. `read` gets a pool, and may be called again.
    ///
    /// # Errors
    /// What the last call of `read` ends with.
    pub(crate) async fn read<T, Work>(
        &self,
        freshness: Freshness,
        read: impl Fn(Connection) -> Work,
    ) -> Result<T, PersistenceError>
    where
        Work: Future<Output = Result<T, PersistenceError>>,
    {
        self.retries.run(|| self.database.read(freshness, &read)).await
    }

    /// How fresh the piece of a walk has to be that follows `position`. Its pieces may come from replicas of different age, and
    /// one that has not yet heard of rows behind the position would skip them, or end the walk. So a replica is asked only for
    /// what is older than any replica that is asked, and than what a transaction may take to be committed.
    pub(crate) fn behind(&self, position: Option<Cursor>, freshness: Freshness) -> Freshness {
        let unsettled = self.database.options().replica_max_lag + LONGEST_COMMIT;
        match position {
            Some(position) if position.created_at > Timestamp::now().saturating_sub(unsettled) => Freshness::Current,
            _ => freshness,
        }
    }

    async fn count(&self, filter: &UserFilter, freshness: Freshness) -> Result<u64, PersistenceError> {
        self.read(freshness, |connection| {
            let filter = filter.clone();
            async move { UserRepository::new(&connection).count(&filter).await }
        })
        .await
    }

    /// What `freshness` comes to: without replicas everything is current.
    fn possible(&self, freshness: Freshness) -> Freshness {
        if self.database.has_replicas() {
            freshness
        } else {
            Freshness::Current
        }
    }

    /// Whether an answer may be used that another read found, which may have been on a replica.
    fn may_come_from_elsewhere(&self, freshness: Freshness) -> bool {
        freshness == Freshness::MayLag || !self.database.has_replicas()
    }
}

/// Reads that share statements. What must be current does not go with what may lag.
#[derive(Clone, Debug)]
pub(super) struct SharedReads {
    current: SharedStatements,
    lagging: SharedStatements,
}

#[derive(Clone, Debug)]
struct SharedStatements {
    by_id: ReadCoalescer<UsersById>,
    counts: ReadCoalescer<AllUsers>,
}

impl SharedReads {
    pub(super) fn new(reading: &Reading, runtime: &DatabaseRuntime, count: &UserCount, counters: &Counters) -> Self {
        let statements = |freshness| SharedStatements {
            by_id: ReadCoalescer::new(
                UsersById(reading.clone(), freshness),
                runtime.clone(),
                READS,
                counters.read_batch_sizes.clone(),
            ),
            counts: ReadCoalescer::new(
                AllUsers::new(reading.clone(), count.clone(), freshness),
                runtime.clone(),
                COUNTS,
                counters.count_batch_sizes.clone(),
            ),
        };
        Self {
            current: statements(Freshness::Current),
            lagging: statements(Freshness::MayLag),
        }
    }

    fn of(&self, freshness: Freshness) -> &SharedStatements {
        match freshness {
            Freshness::Current => &self.current,
            Freshness::MayLag => &self.lagging,
        }
    }
}

/// Users, read by id.
struct UsersById(Reading, Freshness);

impl ReadTogether for UsersById {
    type Key = UserId;
    type Found = Result<User, PersistenceError>;
    type Error = UserError;

    async fn read(&self, ids: Vec<UserId>) -> Result<HashMap<UserId, Self::Found>, UserError> {
        let Self(reading, freshness) = self;
        let found = reading.read(*freshness, |connection| {
            let ids = ids.clone();
            async move { UserRepository::new(&connection).find_each(&ids).await }
        });
        Ok(found.await?)
    }
}

/// The number of all users.
struct AllUsers {
    reading: Reading,
    count: UserCount,
    freshness: Freshness,
}

impl AllUsers {
    fn new(reading: Reading, count: UserCount, freshness: Freshness) -> Self {
        Self {
            reading,
            count,
            freshness,
        }
    }

    /// Counts them, and notes their number for others if it can be kept.
    async fn count(&self) -> Result<u64, UserError> {
        let counting = self.count.begin_counting();
        let users = self.reading.count(&UserFilter::default(), self.freshness).await?;
        counting.end(users);
        Ok(users)
    }
}

impl ReadTogether for AllUsers {
    type Key = ();
    type Found = u64;
    type Error = UserError;

    async fn read(&self, _: Vec<()>) -> Result<HashMap<(), u64>, UserError> {
        Ok(HashMap::from([((), self.count().await?)]))
    }
}

// ANCHOR: slice
/// One user more than asked for tells whether the list goes on.
fn one_more(size: PageSize) -> u64 {
    u64::from(size.get()) + 1
}

fn slice(mut users: Vec<User>, size: PageSize) -> Slice {
    let size = usize::from(size.get());
    let goes_on = users.len() > size;
    users.truncate(size);
    let next = users.last().filter(|_| goes_on).map(Cursor::from);
    Slice { users, next }
}
// ANCHOR_END: slice

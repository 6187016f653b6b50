//! Read replicas, and which of them are fresh enough to be asked.
//!
//! A replica knows what it has received so far. How old that is, no engine tells reliably: `Seconds_Behind_Master` counts in
//! whole seconds and says 0 while the network between the two is down, and `pg_last_xact_replay_timestamp()` ages while
//! nobody writes. So it is measured, by the way that the data itself takes: this process writes a number of its own to the
//! primary at regular intervals, a beat, and looks which one a replica has. Whoever has a beat has everything that was
//! committed before it, and when it was written is known by the clock of this process alone, so no two clocks have to agree.
//!
//! An age found so is an upper bound: a replica without any lag looks as old as the time since the last beat it was seen
//! with. When no beat can be written, because the primary is down, replicas age out, after `max_lag`: what the primary has
//! done meanwhile for others is not known.

mod watching;

use std::{
    borrow::Cow,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use secrecy::SecretString;
use tokio::sync::watch;

use self::watching::PROBE_PATIENCE;
use crate::{Connection, DatabaseOptions, PersistenceError, PoolStatus, beat::Beats, engine};

/// The longest that a read waits for a connection to a replica: another one, or the primary, may have one at once.
const BUSY_PATIENCE: Duration = Duration::from_secs(1);

/// What is known of a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaStatus {
    /// `replica-1` and so on, in the order in which they are configured.
    pub name: String,
    /// Whether it is asked.
    pub is_used: bool,
    /// How old its data is at most; nothing where that is not known, because it is down or has no beat of ours yet.
    pub age: Option<Duration>,
}

/// All replicas of a database. Cloning shares them.
#[derive(Clone, Debug)]
pub(crate) struct Replicas(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    replicas: Vec<Replica>,
    /// A single connection to the primary, for beats.
    primary: Connection,
    /// How that one is opened.
    primary_options: DatabaseOptions,
    max_lag: Duration,
    /// Which is asked next.
    next: AtomicUsize,
    beats: Mutex<Beats>,
    /// Since when every beat could be written; nothing where the last one could not.
    beating_since: Mutex<Option<Instant>>,
    /// The zero of [`Replica::current_as_of`].
    epoch: Instant,
}

#[derive(Debug)]
pub(crate) struct Replica {
    name: String,
    connection: Connection,
    /// A single connection that no request uses.
    probe: Connection,
    /// How that one is opened.
    probe_options: DatabaseOptions,
    /// It has everything that was committed before this moment, in microseconds; 0 where nothing is known of it.
    current_as_of: AtomicU64,
    /// How often it was left out because it failed.
    failures: watch::Sender<u64>,
}

impl Replicas {
    /// The replicas that `options` name; none of them is used before [`watch`](Self::watch) has seen it. Nothing where none is
    /// named.
    ///
    /// # Errors
    /// [`PersistenceError::InvalidUrl`] also when a replica is of another kind than its primary.
    pub(crate) async fn open(options: &DatabaseOptions) -> Result<Option<Self>, PersistenceError> {
        if options.replicas.is_empty() {
            return Ok(None);
        }
        // All together are waited for no longer than the primary alone would be.
        let replica_count = u32::try_from(options.replicas.len()).unwrap_or(u32::MAX);
        let busy_patience = BUSY_PATIENCE.min(options.acquire_timeout / replica_count);
        let for_reads = |url: &SecretString| DatabaseOptions {
            url: url.clone(),
            replicas: Vec::new(),
            acquire_timeout: busy_patience,
            ..options.clone()
        };
        let for_probes = |url: &SecretString| DatabaseOptions {
            min_connections: 0,
            max_connections: 1,
            acquire_timeout: PROBE_PATIENCE,
            acquire_times: None,
            ..for_reads(url)
        };
        let mut replicas = Vec::new();
        for (number, url) in (1..).zip(&options.replicas) {
            let of_replica = for_reads(url);
            if of_replica.engine()? != options.engine()? || !engine::has_replicas(of_replica.engine()?) {
                return Err(crate::InvalidDatabaseUrl.into());
            }
            let probe_options = for_probes(url);
            replicas.push(Replica {
                name: format!("replica-{number}"),
                connection: Connection::of(engine::open(&of_replica).await?),
                probe: Connection::of(engine::open(&probe_options).await?),
                probe_options,
                current_as_of: AtomicU64::new(0),
                failures: watch::Sender::default(),
            });
        }
        let primary_options = for_probes(&options.url);
        Ok(Some(Self(Arc::new(Inner {
            replicas,
            primary: Connection::of(engine::open(&primary_options).await?),
            primary_options,
            max_lag: options.replica_max_lag,
            next: AtomicUsize::new(0),
            beats: Mutex::default(),
            beating_since: Mutex::default(),
            epoch: Instant::now(),
        }))))
    }

    /// Those that are fresh enough now, each once, beginning with another one each time.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = &Replica> {
        let count = self.0.replicas.len();
        let first = self.0.next.fetch_add(1, Ordering::Relaxed);
        let in_turn = self.0.replicas.iter().cycle().skip(first % count.max(1)).take(count);
        in_turn.filter(|replica| self.is_used(replica))
    }

    fn is_used(&self, replica: &Replica) -> bool {
        self.age(replica).is_some_and(|age| age <= self.0.max_lag)
    }

    fn age(&self, replica: &Replica) -> Option<Duration> {
        match replica.current_as_of.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(self.0.epoch.elapsed().saturating_sub(Duration::from_micros(micros))),
        }
    }

    /// What is known of each.
    pub(crate) fn status(&self) -> Vec<ReplicaStatus> {
        let replicas = self.0.replicas.iter();
        let status = |replica: &Replica| ReplicaStatus {
            name: replica.name.clone(),
            is_used: self.is_used(replica),
            age: self.age(replica),
        };
        replicas.map(status).collect()
    }

    /// How busy the pool of each is.
    pub(crate) fn pool_status(&self) -> impl Iterator<Item = PoolStatus> {
        let status = |replica: &Replica| replica.connection.status(Cow::Owned(replica.name.clone()));
        self.0.replicas.iter().map(status)
    }

    /// Closes all connections.
    ///
    /// # Errors
    /// When one cannot be closed in an orderly way; it is closed all the same.
    pub(crate) async fn close(&self) -> Result<(), PersistenceError> {
        // Together, since one that cannot be reached may hold up its own pool.
        let of_replicas = self.0.replicas.iter();
        let of_replicas = of_replicas.flat_map(|replica| [&replica.connection, &replica.probe]);
        let pools = of_replicas.chain([&self.0.primary]);
        join_all(pools.map(Connection::close)).await.into_iter().collect()
    }
}

impl Replica {
    /// Reads from it. Nothing when it cannot serve, or is found to have failed meanwhile: one that has fallen silent is noticed by
    /// those who watch it long before a statement is given up on. One that breaks is left out; one that is merely busy, or ended
    /// this statement, is not, since others read from it.
    pub(crate) async fn read<T, Reading>(
        &self,
        read: impl FnOnce(Connection) -> Reading,
    ) -> Option<Result<T, PersistenceError>>
    where
        Reading: Future<Output = Result<T, PersistenceError>>,
    {
        let mut failures = self.failures.subscribe();
        let outcome = tokio::select! {
            biased;
            outcome = read(self.connection.clone()) => outcome,
            // The sender is part of this replica.
            _ = failures.changed() => return None,
        };
        match outcome {
            Err(error) if error.may_succeed_elsewhere() => {
                tracing::debug!(replica = self.name, %error, "a replica failed; the read goes elsewhere");
                if error.is_loss_of_server() {
                    self.leave_out();
                }
                None
            }
            outcome => Some(outcome),
        }
    }

    /// Leaves it out until it shows a beat again.
    fn leave_out(&self) {
        self.current_as_of.store(0, Ordering::Relaxed);
        self.failures.send_modify(|failures| *failures += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    async fn two_replicas(max_lag: Duration) -> Replicas {
        let options = DatabaseOptions {
            replicas: vec!["mysql://127.0.0.1:1/a".into(), "mysql://127.0.0.1:2/a".into()],
            replica_max_lag: max_lag,
            ..DatabaseOptions::new("mysql://127.0.0.1:3/a".into())
        };
        Replicas::open(&options).await.unwrap().unwrap()
    }

    fn seen_now(replicas: &Replicas, position: usize) {
        let now = u64::try_from(replicas.0.epoch.elapsed().as_micros()).unwrap();
        replicas.0.replicas[position]
            .current_as_of
            .store(now.max(1), Ordering::Relaxed);
    }

    fn names(replicas: &Replicas) -> Vec<&str> {
        replicas.candidates().map(|replica| replica.name.as_str()).collect()
    }

    #[tokio::test]
    async fn replicas_are_asked_in_turn_once_they_have_been_seen() {
        let replicas = two_replicas(SECOND * 3600).await;
        assert!(names(&replicas).is_empty());
        seen_now(&replicas, 0);
        assert_eq!(names(&replicas), ["replica-1"]);
        seen_now(&replicas, 1);
        let firsts = [names(&replicas)[0], names(&replicas)[0]];
        assert_ne!(firsts[0], firsts[1]);
        assert_eq!(names(&replicas).len(), 2);
    }

    #[tokio::test]
    async fn a_replica_that_failed_or_has_aged_is_left_out() {
        let replicas = two_replicas(SECOND * 3600).await;
        seen_now(&replicas, 0);
        replicas.0.replicas[0].leave_out();
        assert!(names(&replicas).is_empty());
        let impatient = two_replicas(Duration::ZERO).await;
        let replica = &impatient.0.replicas[0];
        replica.current_as_of.store(1, Ordering::Relaxed);
        // The clock may still show the first microsecond.
        while impatient.age(replica) == Some(Duration::ZERO) {
            tokio::task::yield_now().await;
        }
        assert!(names(&impatient).is_empty());
        assert!(impatient.status()[0].age.is_some());
    }

    #[tokio::test]
    async fn a_replica_is_of_the_kind_of_its_primary_which_has_a_server() {
        for (primary, replica) in [
            ("mysql://127.0.0.1:1/a", "postgres://127.0.0.1:2/a"),
            ("sqlite::memory:", "sqlite::memory:"),
        ] {
            let options = DatabaseOptions {
                replicas: vec![replica.into()],
                ..DatabaseOptions::new(primary.into())
            };
            let refused = Replicas::open(&options).await.unwrap_err();
            assert!(matches!(refused, PersistenceError::InvalidUrl(_)), "{refused:?}");
        }
    }
}

//! Statements that are watched: none waits for ever, and a connection that one was given up on is not used again.
//!
//! A server ends a statement that takes too long, as long as it can be heard. A network that falls silent without closing its
//! connections ends nothing: the statement would hold its connection until the operating system gives up, in fifteen minutes
//! or never. So each statement also has a limit on this side, somewhat above the server's own.
//!
//! A driver that is cut off in the middle of a statement loses track of what is underway on the connection (sqlx 0.9 on
//! MySQL hands it back to the pool all the same, and the next borrower takes the late answer for its own). Which connection
//! that was, a pool does not tell. So all connections that are open at that moment are condemned: none of them goes back
//! to its pool.
//!
//! The same is done where another server is wanted than the one that connections lead to, because that one takes no writes.
//!
//! What is not watched is the driver's own: when a connection goes back to its pool it is asked whether it is still there, without
//! a limit. One that is on its way back when the network falls silent keeps its place until the operating system gives it up. That
//! is rare, and opening a few connections anew is cheap beside a wrong answer.

use std::{
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use sea_orm::{
    ConnAcquireErr, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, Statement, StreamTrait,
};
use sea_orm_migration::async_trait::async_trait;
use tokio::{sync::Notify, time::timeout};
use tracing::{Instrument, Span};

use crate::engine;

/// How much later than it was a connection may seem to have been opened: the driver looks at its clock a little before we look at
/// ours. One that really was opened so shortly after is condemned in vain.
const SLACK_MICROS: u64 = 100_000;

/// A server that refuses writes is left at most so often: where there is no other, new connections to it are of no use.
const REFUSED_INTERVAL_MICROS: u64 = 1_000_000;

/// What a pool has seen of broken connections. Cloning shares it.
#[derive(Clone, Debug)]
pub(crate) struct Trust(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    trusted_idle: Duration,
    /// The moments below are in microseconds from here; 0 is never.
    epoch: Instant,
    /// When a connection was last found broken.
    broke: AtomicU64,
    /// When a statement was last given up on.
    gave_up: AtomicU64,
    /// When another server was last wanted.
    moved: AtomicU64,
    /// Woken when a connection broke or a write was refused: it may be time for another server.
    trouble: Arc<Notify>,
}

impl Trust {
    /// Nothing has happened yet. `trouble` is woken when a connection breaks or a server takes no writes.
    pub(crate) fn new(trusted_idle: Duration, trouble: Arc<Notify>) -> Self {
        Self(Arc::new(Inner {
            trusted_idle,
            epoch: Instant::now(),
            broke: AtomicU64::new(0),
            gave_up: AtomicU64::new(0),
            moved: AtomicU64::new(0),
            trouble,
        }))
    }

    /// Whether a connection that has rested for `idle` has to be asked before it is used. Connections break together, with
    /// their server or the way to it: those that rested while another was found broken are asked as well.
    pub(crate) fn must_ask(&self, idle: Duration) -> bool {
        idle > self.0.trusted_idle || self.was_there(&self.0.broke, idle, 0)
    }

    /// Whether a connection that was opened `age` ago must not be used any more once it is free.
    pub(crate) fn is_condemned(&self, age: Duration) -> bool {
        self.was_there(&self.0.gave_up, age, SLACK_MICROS)
    }

    /// Whether a connection that was opened `age` ago leads to a server that is not wanted any more. One that took longer to open
    /// than the slack slips through: it is refused its first write, or goes on with a server that takes writes beside the other.
    pub(crate) fn has_moved(&self, age: Duration) -> bool {
        self.was_there(&self.0.moved, age, SLACK_MICROS)
    }

    /// Another server is wanted: no connection that is open now is used again once it is free.
    pub(crate) fn want_another_server(&self) {
        self.note(&self.0.moved);
    }

    /// A connection was found broken.
    fn broke(&self) {
        self.note(&self.0.broke);
        self.0.trouble.notify_one();
    }

    /// The server takes no writes. Behind the same address there may be another one by now.
    fn refused_to_write(&self) {
        let last = self.0.moved.load(Ordering::Relaxed);
        if last == 0 || self.now().saturating_sub(last) > REFUSED_INTERVAL_MICROS {
            self.want_another_server();
        }
        self.0.trouble.notify_one();
    }

    /// A statement was given up on.
    fn gave_up(&self) {
        self.note(&self.0.gave_up);
        self.0.trouble.notify_one();
    }

    fn note(&self, moment: &AtomicU64) {
        moment.fetch_max(self.now(), Ordering::Relaxed);
    }

    /// Whether what began `ago` was there already at `moment`, or so little later.
    fn was_there(&self, moment: &AtomicU64, ago: Duration, slack_micros: u64) -> bool {
        let moment = moment.load(Ordering::Relaxed);
        moment > 0 && self.now().saturating_sub(micros(ago)) <= moment + slack_micros
    }

    fn now(&self) -> u64 {
        micros(self.0.epoch.elapsed()).max(1)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// A pool or a transaction whose statements are watched.
#[derive(Clone)]
pub struct Watched<C> {
    connection: C,
    /// Absent where there is no way to lose the database: it is part of this process.
    trust: Option<Trust>,
    /// Absent where statements have no limit.
    limits: Option<Limits>,
    /// How long a statement may go without an answer here.
    limit: Option<Duration>,
    /// What a statement is part of, besides whatever it is executed for: a transaction, if any.
    span: Span,
}

/// How long a statement may go without an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// The wait for a connection included.
    pub(crate) on_pool: Duration,
    /// On a connection that is at hand.
    pub(crate) on_connection: Duration,
}

// ANCHOR: unanswered
/// Condemns the connections of a pool when it is dropped, unless the statement has come to its end.
struct Unanswered<'a>(Option<&'a Trust>);

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(trust) = self.0 {
            trust.gave_up();
        }
    }
}
// ANCHOR_END: unanswered

impl<C> Watched<C> {
    /// What is watched by nobody.
    pub(crate) fn unwatched(&self) -> &C {
        &self.connection
    }

    /// The same, with statements that are part of `span`.
    pub(crate) fn within(self, span: Span) -> Self {
        Self { span, ..self }
    }

    /// What is done on one connection of the same pool.
    pub(crate) fn on_connection<D>(&self, connection: D) -> Watched<D> {
        Watched {
            connection,
            trust: self.trust.clone(),
            limits: self.limits,
            limit: self.limits.map(|limits| limits.on_connection),
            span: self.span.clone(),
        }
    }

    /// Runs what is done on the connection. Whoever drops the future gives the statement up, and with it the connections that
    /// are open then; also where it only waited for one of a pool, since that cannot be told from outside.
    ///
    /// # Errors
    /// What `work` ends with, and a time-out on the connection when the limit is over.
    // ANCHOR: watch
    pub(crate) async fn watch<T>(&self, work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
        let begun = Instant::now();
        let mut work = pin!(work.instrument(self.span.clone()));
        // Declared after the work, so that it is dropped before it, and the pool knows before the connection comes back.
        let mut unanswered = Unanswered(self.trust.as_ref());
        let outcome = match self.limit {
            None => work.await,
            Some(limit) => {
                let Ok(outcome) = timeout(limit, work.as_mut()).await else {
                    tracing::warn!(
                        ?limit,
                        "the database is silent; all connections that are open now will be replaced"
                    );
                    return Err(engine::silence(limit));
                };
                outcome
            }
        };
        unanswered.0 = None;
        if let (Err(error), Some(trust)) = (&outcome, &self.trust) {
            if engine::is_broken_connection(error) {
                trust.broke();
            } else if engine::takes_no_writes(error) {
                trust.refused_to_write();
            }
        }
        tell_of_vain_wait(begun, &outcome);
        outcome
    }
    // ANCHOR_END: watch
}

/// Tells whoever listens that no connection could be had in time. Of the waits that end with one, the driver tells.
fn tell_of_vain_wait<T>(begun: Instant, outcome: &Result<T, DbErr>) {
    if let Err(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout)) = outcome {
        let waited_in_vain_secs = begun.elapsed().as_secs_f64();
        tracing::debug!(waited_in_vain_secs, "waited for a connection in vain");
    }
}

impl Watched<DatabaseConnection> {
    /// A pool that looks at `trust` before it hands out connections.
    pub(crate) fn new(pool: DatabaseConnection, trust: Option<Trust>, limits: Option<Limits>) -> Self {
        Self {
            connection: pool,
            trust,
            limits,
            limit: limits.map(|limits| limits.on_pool),
            span: Span::none(),
        }
    }
}

impl Watched<DatabaseTransaction> {
    /// Commits.
    ///
    /// # Errors
    /// When the database refuses or does not answer.
    // ANCHOR: commit
    pub(crate) async fn commit(self) -> Result<(), DbErr> {
        let commit = self.span.in_scope(|| tracing::debug_span!("commit"));
        let (watch, transaction) = self.split();
        let committed = watch.watch(transaction.commit().instrument(commit)).await;
        if committed.is_ok() {
            watch.span.record("outcome", "committed");
        }
        committed
    }
    // ANCHOR_END: commit

    /// Rolls back.
    ///
    /// # Errors
    /// When the database does not answer.
    pub(crate) async fn rollback(self) -> Result<(), DbErr> {
        let rollback = self.span.in_scope(|| tracing::debug_span!("rollback"));
        let (watch, transaction) = self.split();
        let rolled_back = watch.watch(transaction.rollback().instrument(rollback)).await;
        watch.span.record("outcome", "rolled back");
        rolled_back
    }

    fn split(self) -> (Watched<()>, DatabaseTransaction) {
        let watch = self.on_connection(());
        (watch, self.connection)
    }
}

#[async_trait]
impl<C: ConnectionTrait> ConnectionTrait for Watched<C> {
    fn get_database_backend(&self) -> DbBackend {
        self.connection.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.watch(self.connection.execute_raw(statement)).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.watch(self.connection.execute_unprepared(sql)).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.watch(self.connection.query_one_raw(statement)).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.watch(self.connection.query_all_raw(statement)).await
    }
}

/// Of rows that are read one by one, only the wait for the connection is watched. The driver sends the statement when the first row is
/// asked for, and whoever reads them decides how long to wait for each. On MySQL such a stream must not be dropped before its first
/// row: the connection would go back out of step. The service reads page by page instead.
impl<C: ConnectionTrait + StreamTrait> StreamTrait for Watched<C> {
    type Stream<'a>
        = C::Stream<'a>
    where
        C: 'a;

    fn get_database_backend(&self) -> DbBackend {
        ConnectionTrait::get_database_backend(self)
    }

    fn stream_raw<'a>(
        &'a self,
        statement: Statement,
    ) -> Pin<Box<dyn Future<Output = Result<Self::Stream<'a>, DbErr>> + 'a + Send>> {
        Box::pin(self.watch(self.connection.stream_raw(statement)))
    }
}
